//! The mean of an optimizer's iterates over their oscillation.

use super::complementarity::{complementarity, pair, pairs};
use super::point::{Flow, FlowPoint, Oscillation};
use super::top::{Here, TopSettings, TopSpace, scaled};
use super::{Law, stable};
use crate::autodiff::Objective;
use crate::curvature::{DifferenceStep, curvature_gradients};
use crate::error::{Error, Result, check_length};
use crate::linalg::{dot, symmetric_eigen};

/// Steps of Euler's method to a step of the optimizer.
const SUBSTEPS: usize = 4;

/// Directions above this, of 2 at the edge, may oscillate.
const CRITICAL: f64 = 1.95;

/// A start above this is no stable one: what brings it down is no flow.
const STABLE_START: f64 = 2.1;

/// After so many differences their length is chosen anew.
const LENGTH_FOR: usize = 40;

/// The central flow (Cohen, Damian, Talwalkar, Kolter & Lee 2024, arXiv:2410.24206) of gradient descent and of
/// RMSProp:
///
/// ```text
/// dw/dt = -P^-1 (g + 1/2 grad <H(w), Sigma>)
/// d nu/dt = (1 - beta2)/beta2 (g^2 + diag(H Sigma H) - nu)
/// ```
///
/// Sigma is the covariance of the oscillation: the only one with Sigma >= 0, P^-1 H <= 2 and Sigma nothing but where
/// P^-1 H is at 2, that keeps it there. Sigma = U X U' over the critical eigenvectors U, U'PU = I, where the slack
/// 2 - P^-1 H at the end of a step of Euler's method is A + B\[X\], and X solves [`complementarity`].
pub struct CentralFlow {
    law: Law,
    theta: Vec<f64>,
    nu: Vec<f64>,
    top: TopSpace,
    resolution: f64,
    /// The length of differences, and how many of them it has served.
    length: Option<(f64, usize)>,
    started: bool,
    spent: usize,
}

/// What holds the critical directions for a step of Euler's method.
struct Held {
    /// Their number k.
    count: usize,
    x: Vec<f64>,
    /// P^-1/2 grad <H, Sigma>/2 (length P).
    force: Vec<f64>,
    violation: f64,
}

impl CentralFlow {
    /// From `theta` (length P), with `nu` (length P) where the law follows one and none else. `resolution` is the unit
    /// roundoff of the objective's arithmetic.
    pub fn new(
        law: Law,
        theta: Vec<f64>,
        nu: Vec<f64>,
        settings: TopSettings,
        resolution: f64,
    ) -> Self {
        let top = TopSpace::new(settings);
        Self { law, theta, nu, top, resolution, length: None, started: false, spent: 0 }
    }

    /// Finds the X that holds those critical at `here` for a time `dt`.
    fn hold(
        &mut self,
        objective: &mut dyn Objective,
        here: &Here,
        root: &[f64],
        lr: f64,
        dt: f64,
    ) -> Result<Held> {
        let count = here.pairs.iter().filter(|pair| pair.value > CRITICAL).count();
        if count == 0 {
            let force = vec![0.0; root.len()];
            return Ok(Held { count, x: Vec::new(), force, violation: 0.0 });
        }
        let bends = self.bends(objective, here, root, count)?;
        let (a, b) = self.slack(here, &bends, root, lr, dt, count);
        let solved = complementarity(count, &a, &b)?;
        let mut force = vec![0.0; root.len()];
        for j in 0..count {
            for i in 0..=j {
                // Off the diagonal an entry counts twice.
                let weight = if i == j { 0.5 } else { 1.0 } * solved.x[i * count + j];
                add(&mut force, weight, &bends[pair(i, j)]);
            }
        }
        Ok(Held { count, x: solved.x, force, violation: solved.violation })
    }

    /// P^-1/2 grad(u_i'Hu_j) (length P each) by pairs, for u = P^-1/2 times the critical eigenvectors.
    fn bends(
        &mut self,
        objective: &mut dyn Objective,
        here: &Here,
        root: &[f64],
        count: usize,
    ) -> Result<Vec<Vec<f64>>> {
        let vectors = here.pairs[..count].iter();
        let directions: Vec<Vec<f64>> = vectors.map(|pair| scaled(&pair.vector, root)).collect();
        let known = self.length.filter(|(_, served)| *served < LENGTH_FOR);
        let options = DifferenceStep {
            length: known.map(|(length, _)| length),
            ..DifferenceStep::at_resolution(self.resolution)
        };
        let found = curvature_gradients(objective, &self.theta, &directions, &options)?;
        self.spent += found.products + 2 * count + 1;
        self.length = Some((found.step, known.map_or(1, |(_, served)| served + 1)));
        Ok(found.gradients.iter().map(|gradient| scaled(gradient, root)).collect())
    }

    /// A and B of the slack after a time `dt`: what 2 U'PU - U'HU is then, to first order.
    fn slack(
        &self,
        here: &Here,
        bends: &[Vec<f64>],
        root: &[f64],
        lr: f64,
        dt: f64,
        k: usize,
    ) -> (Vec<f64>, Vec<f64>) {
        let m = pairs(k);
        let gradient = scaled(&here.at.gradient, root);
        let mut a = vec![0.0; k * k];
        for j in 0..k {
            for i in 0..k {
                a[i * k + j] = dt * dot(&bends[pair(i, j)], &gradient);
            }
            a[j * k + j] += 2.0 - here.pairs[j].value;
        }
        let mut b = vec![0.0; m * m];
        for p in 0..m {
            for q in 0..m {
                b[p * m + q] = 0.5 * dt * dot(&bends[p], &bends[q]);
            }
        }
        if self.law.is_preconditioned() {
            self.add_preconditioner(here, root, lr, dt, k, (&mut a, &mut b));
        }
        (a, b)
    }

    /// What the change of P adds to the slack: 2 u_i' dP u_j for dP = dP/d nu d nu.
    fn add_preconditioner(
        &self,
        here: &Here,
        root: &[f64],
        lr: f64,
        dt: f64,
        k: usize,
        (a, b): (&mut [f64], &mut [f64]),
    ) {
        let m = pairs(k);
        let speed = dt * self.law.speed();
        let vector = |i: usize| &here.pairs[i].vector;
        let list: Vec<(usize, usize)> = (0..k).flat_map(|j| (0..=j).map(move |i| (i, j))).collect();
        // u_i u_j, and Hu_i Hu_j with Hu = lambda P u, at each coordinate.
        let product = |(i, j): (usize, usize), inverse: bool| -> Vec<f64> {
            let entries = vector(i).iter().zip(vector(j)).zip(root);
            let (by_i, by_j) = (here.pairs[i].value, here.pairs[j].value);
            entries
                .map(
                    |((x, y), d)| {
                        if inverse { by_i * by_j * x * y / (d * d) } else { x * y * d * d }
                    },
                )
                .collect()
        };
        let slopes: Vec<f64> = self.nu.iter().map(|nu| 2.0 / lr * Law::slope(*nu)).collect();
        let missing: Vec<f64> =
            here.at.gradient.iter().zip(&self.nu).map(|(g, nu)| g * g - nu).collect();
        let squares: Vec<Vec<f64>> = list.iter().map(|&at| product(at, true)).collect();
        for (p, &(i, j)) in list.iter().enumerate() {
            let weight: Vec<f64> =
                product((i, j), false).iter().zip(&slopes).map(|(u, s)| u * s).collect();
            let own = speed * dot(&weight, &missing);
            a[i * k + j] += own;
            if i != j {
                a[j * k + i] += own;
            }
            for (q, square) in squares.iter().enumerate() {
                b[p * m + q] += speed * dot(&weight, square);
            }
        }
    }

    /// Goes on for a time `dt`.
    fn go(&mut self, here: &Here, held: &Held, root: &[f64], dt: f64) {
        let moves = self.theta.iter_mut().zip(&here.at.gradient).zip(root).zip(&held.force);
        moves.for_each(|(((w, g), d), f)| *w -= dt * d * (d * g + f));
        if self.law.is_preconditioned() {
            let mut squares: Vec<f64> = here.at.gradient.iter().map(|g| g * g).collect();
            for o in oscillations(here, held, root).unwrap_or_default() {
                let weight = o.variance * o.curvature * o.curvature;
                squares.iter_mut().zip(&o.covector).for_each(|(s, c)| *s += weight * c * c);
            }
            self.law.follow(&mut self.nu, dt, |i| squares[i]);
        }
    }

    fn check_start(&mut self, here: &Here) -> Result<()> {
        let top = here.pairs.first().map_or(0.0, |pair| pair.value);
        if !self.started && top > STABLE_START {
            let reason = format!(
                "the sharpness is {:.2} times the threshold where it starts, and what follows is no oscillation \
                 about a path; start at a later checkpoint, or warm up",
                top / 2.0
            );
            return Err(Error::State { what: "starting the central flow", reason });
        }
        self.started = true;
        Ok(())
    }
}

impl Flow for CentralFlow {
    fn step(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<FlowPoint> {
        check_length("parameter vector", self.theta.len(), objective.dim())?;
        let dt = 1.0 / SUBSTEPS as f64;
        let mut point = None;
        let mut violation: f64 = 0.0;
        for _ in 0..SUBSTEPS {
            let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
            let here = self.top.measure(objective, &self.theta, &root)?;
            self.spent += here.products + 1;
            self.check_start(&here)?;
            let held = self.hold(objective, &here, &root, lr, dt)?;
            violation = violation.max(held.violation);
            if point.is_none() {
                let oscillations = oscillations(&here, &held, &root)?;
                point = Some(stable::point(&self.theta, &here, oscillations));
            }
            self.go(&here, &held, &root, dt);
        }
        let Some(point) = point else { unreachable!("there are substeps") };
        Ok(FlowPoint { violation, products: std::mem::take(&mut self.spent), ..point })
    }
}

/// The directions of Sigma: the eigenvectors of X.
fn oscillations(here: &Here, held: &Held, root: &[f64]) -> Result<Vec<Oscillation>> {
    let k = held.count;
    if k == 0 {
        return Ok(Vec::new());
    }
    let eigen = symmetric_eigen(k, &held.x)?;
    let of = |at: usize| {
        let q = eigen.vector(at);
        let mut covector = vec![0.0; root.len()];
        let mut curvature = 0.0;
        for (pair, q) in here.pairs.iter().zip(q) {
            add(&mut covector, *q, &pair.vector);
            curvature += q * q * pair.value;
        }
        covector.iter_mut().zip(root).for_each(|(c, d)| *c /= d);
        Oscillation { variance: eigen.values[at].max(0.0), covector, curvature }
    };
    Ok((0..k).rev().map(of).collect())
}

/// x += factor y.
pub(super) fn add(x: &mut [f64], factor: f64, y: &[f64]) {
    x.iter_mut().zip(y).for_each(|(x, y)| *x += factor * y);
}
