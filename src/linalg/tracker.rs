//! Following the largest eigenpairs of an operator that changes slowly.
//!
//! Davidson's method with a model that may be out of date. Between steps a low-rank model B of the
//! operator A is kept. At each step
//!
//! 1. B is moved on: if A swings between two states, as it does at the edge of stability, part of the
//!    model before last is the better guess, and the share that fits the first products best is taken.
//! 2. The change of the gradient along the change of the parameters, where that is as curved as the
//!    top, corrects B for nothing.
//! 3. The first products, with the top eigenvectors of B as they are expected to have turned, and with a
//!    *guard* vector, correct it further, and Rayleigh and Ritz's method on them gives the pairs.
//! 4. While pairs' residuals are above the tolerance, or B still predicts more than was found, the
//!    vectors that B now thinks best for those pairs are multiplied as well, in one block, and correct
//!    it.
//!
//! Corrections are the Powell-symmetric-Broyden update, the least change of B that makes it right about
//! a product. The guard takes one step of the power method at each step, on what is orthogonal to all of
//! B: it climbs to the largest eigenvalue that B lacks, so that a direction is known before it overtakes.
//! (Orthogonal to the pairs alone, it settles on the next eigenvector, which B holds anyway, and sees
//! new ones no sooner than without it.)
//!
//! What is promised: residuals are those of this step's operator. That the pairs are the largest is
//! checked by an *audit*, a Lanczos solve from a random vector, at the first step, at every
//! [`TrackerSettings::audit_every`]th and where pairs do not converge; it restores the model.

use rand_chacha::ChaCha8Rng;

use super::frame::{Frame, Ritz};
use super::krylov::orthogonalise;
use super::model::LowRankModel;
use super::{EigenPair, Lanczos, SymmetricOperator, dot, norm, random_unit_vector};
use crate::error::{Error, Result, check_length};
use crate::rng::{self, Stream};

/// Steps from one audit to the next, unless told otherwise.
pub const AUDIT_EVERY: usize = 50;

/// Of the change of a gradient, only a curvature along the step of this share of the largest eigenvalue
/// tells something of it; less did harm to relu networks.
const SECANT_SHARE: f64 = 0.3;

/// A top eigenvector of the model with more than this outside of the first vectors is added to them.
const FORGOTTEN: f64 = 0.7;

/// Less than this of a vector is left outside of others: nothing but rounding.
const ROUNDING: f64 = 1e-9;

/// Settings of a [`Tracker`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrackerSettings {
    /// How many of the algebraically largest eigenpairs are followed.
    pub largest: usize,
    /// Relative residual at which a pair has converged.
    pub tolerance: f64,
    /// Eigenpairs that the model keeps from step to step.
    pub rank: usize,
    /// Most products in one step, those of an audit not counted.
    pub max_products: usize,
    /// Steps from one audit to the next.
    pub audit_every: usize,
    /// Most products in an audit.
    pub audit_products: usize,
    /// Seed of the random vectors.
    pub seed: u64,
}

impl TrackerSettings {
    /// Settings for that many pairs.
    pub fn new(largest: usize, tolerance: f64) -> Self {
        Self {
            largest,
            tolerance,
            rank: (9 + 3 * largest / 2).max(12),
            max_products: 20 + 10 * largest,
            audit_every: AUDIT_EVERY,
            audit_products: 100,
            seed: 0,
        }
    }
}

/// A cold solve and what it said of the values that were followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Audit {
    /// Products it took.
    pub products: usize,
    /// The values that were followed, largest first; none at the first step.
    pub before: Vec<f64>,
    /// The values after it, largest first.
    pub after: Vec<f64>,
    /// Whether they differ by more than the residuals explain.
    pub disagrees: bool,
}

/// What was found at one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Tracked {
    /// The pairs, largest first; fewer than asked for where the operator has fewer.
    pub pairs: Vec<EigenPair>,
    /// All products, those of an audit and those that were given included.
    pub products: usize,
    /// In how many blocks they were taken; those of an audit are one each.
    pub passes: usize,
    /// The audit, if there was one.
    pub audit: Option<Audit>,
}

/// Change of the parameters and of the gradient since the last step, each of length n.
#[derive(Debug, Clone, Copy)]
pub struct Secant<'a> {
    /// Change of the parameters.
    pub s: &'a [f64],
    /// Change of the gradient.
    pub y: &'a [f64],
}

/// Vectors of length n with their products, one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Products<'a> {
    /// The vectors.
    pub x: &'a [f64],
    /// A times each.
    pub ax: &'a [f64],
}

/// What is known of an operator from the steps before.
#[derive(Debug, Clone)]
pub struct Tracker {
    settings: TrackerSettings,
    n: usize,
    model: LowRankModel,
    /// The model as it was a step before.
    before: Option<LowRankModel>,
    /// The share of the model before that is put in place of the model.
    swing: f64,
    guard: Vec<f64>,
    /// Lifts the operator for the guard, so that eigenvalues far below zero do not attract it.
    lift: f64,
    /// Top eigenvectors of the model, and how they turned at the last step.
    tops: Vec<f64>,
    turned: Vec<f64>,
    directions: Vec<f64>,
    /// How many of the directions are for the pairs, and which one is the guard.
    wanted: usize,
    guard_at: usize,
    sharpness: Option<f64>,
    since_audit: usize,
    rng: ChaCha8Rng,
}

impl Tracker {
    /// For operators of dimension `n`, of which nothing is known.
    pub fn new(n: usize, settings: TrackerSettings) -> Self {
        let mut rng = rng::stream(settings.seed, Stream::Tracker);
        Self {
            settings,
            n,
            model: LowRankModel::zero(n),
            before: None,
            swing: 0.0,
            guard: random_unit_vector(n, &mut rng),
            lift: 0.0,
            tops: Vec::new(),
            turned: Vec::new(),
            directions: Vec::new(),
            wanted: 0,
            guard_at: 0,
            sharpness: None,
            since_audit: 0,
            rng,
        }
    }

    /// The vectors whose products the next [`Tracker::update`] begins with, one after the other.
    pub fn directions(&self) -> &[f64] {
        &self.directions
    }

    /// Finds the pairs of this step's operator, given its products with [`Tracker::directions`] or
    /// with what became of them under a change of metric.
    ///
    /// # Errors
    /// [`Error::Length`] for an operator or products of another size, [`Error::NonFinite`] if a product
    /// has an infinite or undefined entry, and whatever the operator reports.
    pub fn update(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        first: Products<'_>,
        secant: Option<Secant<'_>>,
    ) -> Result<Tracked> {
        let n = self.n;
        check_length("operator", operator.dim(), n)?;
        check_length("products", first.ax.len(), first.x.len())?;
        check_finite(first.ax)?;
        let model = self.model.clone();
        self.move_on(first)?;
        if let Some(secant) = secant {
            self.learn(secant);
        }
        let mut frame = Frame::new(n);
        for (x, ax) in columns(first, n) {
            self.take(&mut frame, x, ax);
        }
        let given = first.x.len() / n.max(1);
        let mut spent = Spent { products: given, passes: usize::from(given > 0) };
        let mut audit = None;
        let known = frame.len() > 0;
        if known {
            self.solve(operator, &mut frame, &mut spent)?;
        }
        let pairs = self.pairs(&frame)?;
        let wanted = self.settings.largest.min(n);
        let converged = pairs.len() == wanted && pairs.iter().all(|pair| pair.converged);
        self.since_audit += 1;
        if !known || !converged || self.since_audit >= self.settings.audit_every {
            let found = self.audit(operator, &mut frame, &pairs)?;
            // The products of the audit are not of the step's own allowance.
            self.solve(operator, &mut frame, &mut spent)?;
            spent.products += found.products;
            spent.passes += found.products;
            self.since_audit = 0;
            audit = Some(found);
        }
        let pairs = self.pairs(&frame)?;
        if let Some(audit) = &mut audit {
            audit.after = pairs.iter().map(|pair| pair.value).collect();
        }
        self.climb(first);
        self.model.truncate(self.settings.rank)?;
        // What an audit found, the model before did not know.
        self.before = audit.is_none().then_some(model);
        if audit.is_some() {
            self.swing = 0.0;
        }
        self.sharpness = pairs.first().map(|pair| pair.value);
        self.prepare()?;
        let Spent { products, passes } = spent;
        Ok(Tracked { pairs, products, passes, audit })
    }

    /// The operator changes from A to D A D for the diagonal D with these entries, all above zero.
    ///
    /// # Errors
    /// [`Error::Length`] for another length than n.
    pub fn rescale(&mut self, diagonal: &[f64]) -> Result<()> {
        check_length("diagonal", diagonal.len(), self.n)?;
        self.model = self.model.rescaled(diagonal)?;
        self.before = self.before.as_ref().map(|model| model.rescaled(diagonal)).transpose()?;
        self.guard.iter_mut().zip(diagonal).for_each(|(guard, d)| *guard *= d);
        for vectors in [&mut self.tops, &mut self.turned] {
            vectors.iter_mut().zip(diagonal.iter().cycle()).for_each(|(x, d)| *x *= d);
        }
        for top in self.tops.chunks_exact_mut(self.n) {
            let length = norm(top);
            top.iter_mut().for_each(|x| *x /= length);
        }
        Ok(())
    }

    /// Puts that share of the model before in place of the model which fits the first products best:
    /// none where the operator changes steadily, about a half where it swings.
    fn move_on(&mut self, first: Products<'_>) -> Result<()> {
        let Some(before) = &self.before else { return Ok(()) };
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for (x, ax) in columns(first, self.n).take(self.wanted) {
            let (now, then) = (self.model.apply(x), before.apply(x));
            for ((now, then), ax) in now.iter().zip(&then).zip(ax) {
                numerator += (now - ax) * (now - then);
                denominator += (now - then) * (now - then);
            }
        }
        self.swing = match denominator > 0.0 {
            true => (numerator / denominator).clamp(0.0, 1.0),
            false => 0.0,
        };
        if self.swing > 0.0 {
            self.model = self.model.combined(1.0 - self.swing, before, self.swing)?;
        }
        Ok(())
    }

    /// Corrects the model by the change of the gradient.
    fn learn(&mut self, Secant { s, y }: Secant<'_>) {
        let length = norm(s);
        let curvature = dot(s, y) / (length * length);
        let Some(sharpness) = self.sharpness else { return };
        if !(curvature.is_finite() && curvature > SECANT_SHARE * sharpness) {
            return;
        }
        let unit = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| x / length).collect() };
        self.model.correct(&unit(s), &unit(y));
    }

    /// Takes a product into the frame and the model.
    fn take(&mut self, frame: &mut Frame, x: &[f64], ax: &[f64]) {
        if frame.push(x, ax) {
            let (v, y) = frame.pair(frame.len() - 1);
            self.model.correct(v, y);
        }
    }

    /// Multiplies until all pairs have converged or the step's allowance is used up.
    fn solve(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        frame: &mut Frame,
        spent: &mut Spent,
    ) -> Result<()> {
        let n = self.n;
        while frame.len() < n && spent.products < self.settings.max_products {
            let mut x = self.expansion(frame)?;
            x.truncate((self.settings.max_products - spent.products) * n);
            if x.is_empty() {
                break;
            }
            let mut ax = vec![0.0; x.len()];
            operator.apply_block(&x, &mut ax)?;
            check_finite(&ax)?;
            spent.products += x.len() / n;
            spent.passes += 1;
            for (x, ax) in columns(Products { x: &x, ax: &ax }, n) {
                self.take(frame, x, ax);
            }
        }
        Ok(())
    }

    /// What to multiply for the pairs that have not converged, a vector for each: orthonormal, and
    /// orthogonal to the frame.
    fn expansion(&mut self, frame: &Frame) -> Result<Vec<f64>> {
        let (n, k) = (self.n, self.settings.largest.min(self.n));
        let tolerance = self.settings.tolerance;
        let ritz = frame.largest(k)?;
        let eigen = self.model.eigen()?;
        let q = eigen.values.len();
        let mut held = frame.vectors().to_vec();
        for i in 0..k {
            let pair = ritz.get(i);
            if let Some(pair) = pair {
                // The model may know better than the frame what the largest is.
                let predicted = if i < q { eigen.values[q - 1 - i] } else { pair.value };
                let more = predicted - pair.value > tolerance * pair.value.abs();
                if relative(pair) <= tolerance && !more {
                    continue;
                }
            }
            let model = (i < q).then(|| self.model.vector(eigen.vector(q - 1 - i)));
            let residual = pair.map(|pair| pair.residual.clone());
            let random = std::iter::once_with(|| random_unit_vector(n, &mut self.rng));
            let candidates = [model, residual].into_iter().flatten().chain(random);
            let new = candidates.into_iter().find_map(|candidate| outside(candidate, &held, n));
            held.extend(new.into_iter().flatten());
        }
        Ok(held.split_off(frame.vectors().len()))
    }

    fn pairs(&self, frame: &Frame) -> Result<Vec<EigenPair>> {
        let pair = |ritz: Ritz| {
            let residual = relative(&ritz);
            let converged = residual <= self.settings.tolerance;
            EigenPair { value: ritz.value, vector: ritz.vector, residual, converged }
        };
        Ok(frame.largest(self.settings.largest)?.into_iter().map(pair).collect())
    }

    /// Solves from nothing, and takes what it found into frame and model.
    fn audit(
        &mut self,
        operator: &mut dyn SymmetricOperator,
        frame: &mut Frame,
        before: &[EigenPair],
    ) -> Result<Audit> {
        let lanczos = Lanczos {
            largest: self.settings.largest,
            smallest: 0,
            tolerance: self.settings.tolerance,
            max_iterations: self.settings.audit_products,
        };
        let start = random_unit_vector(self.n, &mut self.rng);
        let (outcome, ritz) = lanczos.solve_with_products(operator, &start, self.settings.rank)?;
        for (x, ax) in &ritz {
            self.take(frame, x, ax);
        }
        let after = frame.largest(self.settings.largest)?;
        let disagrees = before.iter().zip(&after).any(|(old, new)| {
            let explained = old.residual * old.value.abs() + norm(&new.residual);
            (new.value - old.value).abs() > explained
        });
        Ok(Audit {
            products: outcome.applications,
            before: before.iter().map(|pair| pair.value).collect(),
            after: Vec::new(),
            disagrees,
        })
    }

    /// The guard's step of the power method, from its product among the first.
    fn climb(&mut self, first: Products<'_>) {
        let Some((x, ax)) = columns(first, self.n).nth(self.guard_at) else { return };
        let quotient = dot(x, ax) / dot(x, x);
        self.lift = (0.9 * self.lift).max(-quotient);
        self.guard = x.iter().zip(ax).map(|(x, ax)| ax + self.lift * x).collect();
    }

    /// Chooses the next step's first vectors.
    fn prepare(&mut self) -> Result<()> {
        let (n, k) = (self.n, self.settings.largest.min(self.n));
        let tops = self.model.largest_vectors(k)?;
        let mut block = match &self.before {
            // If it swings, it swings back.
            Some(before) if self.swing > 0.0 => {
                self.model.combined(1.0 - self.swing, before, self.swing)?.largest_vectors(k)?
            }
            _ => tops.clone(),
        };
        let steadiness = self.turn(&tops);
        if self.swing == 0.0 && steadiness > 0.0 {
            block.iter_mut().zip(&self.turned).for_each(|(x, turned)| *x += steadiness * turned);
        }
        self.wanted = block.len() / n.max(1);
        let mut frame = Frame::new(n);
        block.chunks_exact(n.max(1)).for_each(|x| {
            frame.push(x, x);
        });
        // A pair that has just come up is not given up for what was before.
        for top in tops.chunks_exact(n.max(1)) {
            let mut rest = top.to_vec();
            if frame.len() > 0 && orthogonalise(&mut rest, frame.vectors(), n).1 > FORGOTTEN {
                frame.push(top, top);
                block.extend_from_slice(top);
            }
        }
        self.tops = tops;
        self.guard_at = block.len() / n.max(1);
        let mut known = self.model.basis().to_vec();
        for x in frame.vectors().chunks_exact(n.max(1)) {
            let new = outside(x.to_vec(), &known, n);
            known.extend(new.into_iter().flatten());
        }
        // Where the model fills the space there is nothing to guard against.
        while known.len() < n * n {
            let guard = std::mem::take(&mut self.guard);
            if let Some(guard) = outside(guard, &known, n) {
                block.extend_from_slice(&guard);
                self.guard = guard;
                break;
            }
            self.guard = random_unit_vector(n, &mut self.rng);
        }
        self.directions = block;
        Ok(())
    }

    /// Records how the top eigenvectors turned, and returns how much of the turn before that repeats,
    /// in [-1, 1].
    fn turn(&mut self, tops: &[f64]) -> f64 {
        let n = self.n;
        if self.tops.len() != tops.len() {
            self.turned.clear();
            return 0.0;
        }
        let mut turned = tops.to_vec();
        let (mut numerator, mut denominator) = (0.0, 0.0);
        for (top, turned) in tops.chunks_exact(n).zip(turned.chunks_exact_mut(n)) {
            // The turn before, of the old eigenvectors that this one is made of.
            let mut carried = vec![0.0; n];
            for (j, old) in self.tops.chunks_exact(n).enumerate() {
                let share = dot(old, top);
                turned.iter_mut().zip(old).for_each(|(t, old)| *t -= share * old);
                if let Some(last) = self.turned.get(j * n..(j + 1) * n) {
                    carried.iter_mut().zip(last).for_each(|(c, last)| *c += share * last);
                }
            }
            numerator += dot(turned, &carried);
            denominator += dot(&carried, &carried);
        }
        self.turned = turned;
        if denominator > 0.0 { (numerator / denominator).clamp(-1.0, 1.0) } else { 0.0 }
    }
}

/// Products taken in a step, and in how many blocks.
struct Spent {
    products: usize,
    passes: usize,
}

fn columns(products: Products<'_>, n: usize) -> impl Iterator<Item = (&[f64], &[f64])> {
    products.x.chunks_exact(n.max(1)).zip(products.ax.chunks_exact(n.max(1)))
}

/// What of `x` lies outside the span of `basis` (orthonormal columns), to unit length; `None` where that
/// is rounding.
fn outside(mut x: Vec<f64>, basis: &[f64], n: usize) -> Option<Vec<f64>> {
    let before = norm(&x);
    for _ in 0..2 {
        let left = match basis.is_empty() {
            true => norm(&x),
            false => orthogonalise(&mut x, basis, n).1,
        };
        if !(left.is_finite() && left > ROUNDING * before) {
            return None;
        }
        // A second pass, since what is left may be little.
        x.iter_mut().for_each(|x| *x /= left);
    }
    Some(x)
}

fn relative(ritz: &Ritz) -> f64 {
    let absolute = norm(&ritz.residual);
    if absolute == 0.0 { 0.0 } else { absolute / ritz.value.abs() }
}

fn check_finite(products: &[f64]) -> Result<()> {
    match products.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(Error::NonFinite { what: "a Hessian-vector product" }),
    }
}
