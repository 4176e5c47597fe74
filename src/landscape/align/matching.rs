//! Weight matching.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rand::Rng;
use rand::seq::SliceRandom;
use serde::Serialize;

use super::balance::balanced;
use super::symmetry::Group;
use super::{Rearrangement, Symmetry, UnitMove, assignment};
use crate::error::{Result, check_length};
use crate::linalg::{dot, norm, rademacher_vector};
use crate::rng::{self, Stream};

/// A sweep that gains less than this, relative to the product of the norms, is the last.
const GAIN: f64 = 1e-12;

/// How weights are matched.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MatchSettings {
    /// Starts, at most: the networks as they are, and random orders of the units of the second. The best is
    /// kept, and one that makes them the same is the last.
    pub starts: usize,
    /// Most sweeps over the groups from each start.
    pub sweeps: usize,
    /// Whether signs are matched where they are free.
    pub flips: bool,
    /// Whether scales are, where they are free.
    pub scales: bool,
    /// Seed of the orders.
    pub seed: u64,
}

impl Default for MatchSettings {
    fn default() -> Self {
        Self { starts: 10, sweeps: 100, flips: true, scales: true, seed: 0 }
    }
}

/// What a sweep came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Sweep {
    /// The start, from 0.
    pub start: usize,
    /// The sweep, 0 being before the first.
    pub sweep: usize,
    /// The inner product of the two parameter vectors, each at its balanced scales.
    pub objective: f64,
}

/// The second network's units as they fit the first one's best.
#[derive(Debug, Clone, PartialEq)]
pub struct Matching {
    /// What is done to the second network.
    pub rearrangement: Rearrangement,
    /// The second network's parameters, rearranged (length P).
    pub aligned: Vec<f64>,
    /// All sweeps.
    pub sweeps: Vec<Sweep>,
    /// The start that was the best, the first of equal ones.
    pub best: usize,
}

/// Rearranges the units of `b` so that its parameters are as near to those of `a` (length P each) as
/// coordinate ascent finds: group after group, in random orders, by linear assignment of the units on
/// their inner products, on the magnitudes of these where signs are free. The objective never falls. Where
/// scales are free, both are compared at the scales of least norm, and `b` ends at those of `a`.
///
/// # Errors
/// [`crate::Error::Length`] for vectors of another length, [`crate::Error::NonFinite`] for such
/// parameters.
pub fn match_weights(
    symmetry: &Symmetry,
    a: &[f64],
    b: &[f64],
    settings: &MatchSettings,
) -> Result<Matching> {
    check_length("parameter vector", a.len(), symmetry.dim())?;
    check_length("parameter vector", b.len(), symmetry.dim())?;
    let mut symmetry = symmetry.clone();
    for group in &mut symmetry.groups {
        group.flips &= settings.flips;
        group.scales &= settings.scales;
    }
    let (scales_a, a) = balanced(&symmetry, a)?;
    let (scales_b, balanced_b) = balanced(&symmetry, b)?;
    let mut sweeps = Vec::new();
    let mut best: Option<Climb> = None;
    // What two vectors of these norms can reach.
    let most = norm(&a) * norm(&balanced_b);
    for start in 0..settings.starts.max(1) {
        let climb = climb(&symmetry, &a, &balanced_b, settings, start, &mut sweeps)?;
        if best.as_ref().is_none_or(|best| climb.objective > best.objective + GAIN * most) {
            best = Some(climb);
        }
        if best.as_ref().is_some_and(|best| best.objective >= most * (1.0 - GAIN)) {
            break;
        }
    }
    let Some(best) = best else { unreachable!("there is at least one start") };
    let mut rearrangement = scales_b;
    for (index, matched) in best.moves.moves.iter().enumerate() {
        rearrangement.then(index, matched);
        let to_a = UnitMove {
            factors: scales_a.moves[index].factors.iter().map(|f| f.recip()).collect(),
            ..scales_a.moves[index].clone()
        };
        rearrangement.then(index, &to_a);
    }
    let aligned = symmetry.apply(&rearrangement, b)?;
    Ok(Matching { rearrangement, aligned, sweeps, best: best.start })
}

/// Where coordinate ascent from one start ended.
struct Climb {
    start: usize,
    objective: f64,
    moves: Rearrangement,
}

fn climb(
    symmetry: &Symmetry,
    a: &[f64],
    b: &[f64],
    settings: &MatchSettings,
    start: usize,
    sweeps: &mut Vec<Sweep>,
) -> Result<Climb> {
    let mut rng = rng::stream(settings.seed, Stream::Alignment { start: start as u32 });
    let mut moves = match start {
        0 => symmetry.identity(),
        _ => random(symmetry, &mut rng),
    };
    let mut b = symmetry.apply(&moves, b)?;
    let mut objective = dot(a, &b);
    sweeps.push(Sweep { start, sweep: 0, objective });
    let mut order: Vec<usize> = (0..symmetry.groups.len()).collect();
    for sweep in 1..=settings.sweeps {
        order.shuffle(&mut rng);
        for &index in &order {
            let group = &symmetry.groups[index];
            if let Some(better) = best_move(group, a, &b)? {
                group.apply(&better, &mut b);
                moves.then(index, &better);
            }
        }
        let before = std::mem::replace(&mut objective, dot(a, &b));
        sweeps.push(Sweep { start, sweep, objective });
        if objective - before <= GAIN * norm(a) * norm(&b) {
            break;
        }
    }
    Ok(Climb { start, objective, moves })
}

/// The assignment of units that is best while all other groups stay, if it is better than none.
fn best_move(group: &Group, a: &[f64], b: &[f64]) -> Result<Option<UnitMove>> {
    let n = group.units;
    let (a, length) = group.units(a, None);
    let (b, _) = group.units(b, None);
    let columns = |x| MatRef::from_column_major_slice(x, length, n);
    let mut gain = vec![0.0; n * n];
    let target = MatMut::from_column_major_slice_mut(&mut gain, n, n);
    matmul(target, Accum::Replace, columns(&a).transpose(), columns(&b), 1.0, Par::Seq);
    let worth = |gain: f64| if group.flips { gain.abs() } else { gain };
    let weights: Vec<f64> = gain.iter().map(|&gain| worth(gain)).collect();
    let from = assignment(&weights, n)?;
    let at = |i: usize, j: usize| gain[j * n + i];
    let before: f64 = (0..n).map(|i| at(i, i)).sum();
    let after: f64 = from.iter().enumerate().map(|(i, &j)| worth(at(i, j))).sum();
    if after - before <= GAIN * norm(&a) * norm(&b) {
        return Ok(None);
    }
    let flipped = |(i, &j): (usize, &usize)| group.flips && at(i, j) < 0.0;
    let factors = from.iter().enumerate().map(|pair| if flipped(pair) { -1.0 } else { 1.0 });
    let factors = factors.collect();
    Ok(Some(UnitMove { group: group.name.clone(), from, factors }))
}

/// Units in a random order, with random signs where they are free.
pub(super) fn random<R: Rng>(symmetry: &Symmetry, rng: &mut R) -> Rearrangement {
    let mut moves = symmetry.identity();
    for (group, unit_move) in symmetry.groups.iter().zip(&mut moves.moves) {
        unit_move.from.shuffle(rng);
        if group.flips {
            unit_move.factors = rademacher_vector(group.units, rng);
        }
    }
    moves
}
