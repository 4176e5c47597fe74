//! The mean of an optimizer's iterates over their oscillation.

use super::complementarity::{complementarity, pair};
use super::point::{Flow, FlowPoint, Oscillation};
use super::top::{Here, TopSettings, TopSpace, scaled};
use super::{Law, stable};
use crate::autodiff::Objective;
use crate::curvature::{DifferenceStep, curvature_gradients};
use crate::error::{Error, Result, check_length};
use crate::linalg::{EigenPair, axpy, dot, symmetric_eigen};

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
/// 2 - P^-1 H at the end of a step of Euler's method is A + B\[X\], and X solves [`complementarity`]. A step of the
/// optimizer is four of those; without a preconditioner U and the gradients of U'HU are those of its beginning, U'HU and
/// g those of each.
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

/// The critical directions of a step of the optimizer, and how their curvatures change: both are followed through its
/// steps of Euler's method.
struct Frame {
    /// u_i (length P each) with U'PU = I at the first of them.
    u: Vec<Vec<f64>>,
    /// grad(u_i'Hu_j) (length P each) by pairs.
    bends: Vec<Vec<f64>>,
}

/// What is known at a step of Euler's method.
struct Local {
    gradient: Vec<f64>,
    /// The diagonal of P^-1/2 (length P).
    root: Vec<f64>,
    /// P u_i and H u_i (length P each).
    pu: Vec<Vec<f64>>,
    hu: Vec<Vec<f64>>,
}

/// What holds the critical directions for a step of Euler's method.
struct Held {
    /// X, k * k.
    x: Vec<f64>,
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

    /// What is known where the flow stands, and the directions that are critical there.
    fn open(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<(Here, Frame, Local)> {
        let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
        let here = self.top.measure(objective, &self.theta, &root)?;
        self.spent += here.products + 1;
        self.check_start(&here)?;
        let frame = self.frame(objective, &here, &root)?;
        // H u = lambda P u.
        let pu = weighted(&frame.u, &root);
        let times = |(pu, pair): (&Vec<f64>, &EigenPair)| -> Vec<f64> {
            pu.iter().map(|x| pair.value * x).collect()
        };
        let hu = pu.iter().zip(&here.pairs).map(times).collect();
        let local = Local { gradient: here.at.gradient.clone(), root, pu, hu };
        Ok((here, frame, local))
    }

    /// The directions that are critical at `here`.
    fn frame(&mut self, objective: &mut dyn Objective, here: &Here, root: &[f64]) -> Result<Frame> {
        let critical = here.pairs.iter().filter(|pair| pair.value > CRITICAL);
        let u: Vec<Vec<f64>> = critical.map(|pair| scaled(&pair.vector, root)).collect();
        if u.is_empty() {
            return Ok(Frame { u, bends: Vec::new() });
        }
        let known = self.length.filter(|(_, served)| *served < LENGTH_FOR);
        let options = DifferenceStep {
            length: known.map(|(length, _)| length),
            ..DifferenceStep::at_resolution(self.resolution)
        };
        let found = curvature_gradients(objective, &self.theta, &u, &options)?;
        self.spent += found.products + 2 * u.len() + 1;
        self.length = Some((found.step, known.map_or(1, |(_, served)| served + 1)));
        Ok(Frame { u, bends: found.gradients })
    }

    /// Where a later step of Euler's method begins.
    fn later(&mut self, objective: &mut dyn Objective, frame: &Frame, lr: f64) -> Result<Local> {
        let root = self.law.inverse_root(lr, &self.nu, self.theta.len());
        objective.set_parameters(&self.theta)?;
        let (at, products) = objective.gradient_and_hvps(&frame.u.concat())?;
        if !at.gradient.iter().chain(&products).all(|x| x.is_finite()) {
            return Err(Error::NonFinite { what: "the loss along the flow" });
        }
        self.spent += 1 + frame.u.len();
        let hu = products.chunks(self.theta.len()).map(<[f64]>::to_vec).collect();
        Ok(Local { gradient: at.gradient, pu: weighted(&frame.u, &root), hu, root })
    }

    /// Finds the X that holds the critical directions for a time `dt`.
    fn hold(&self, frame: &Frame, local: &Local, lr: f64, dt: f64) -> Result<Held> {
        let k = frame.u.len();
        if k == 0 {
            return Ok(Held { x: Vec::new(), violation: 0.0 });
        }
        let (a, b) = self.slack(frame, local, lr, dt);
        let solved = complementarity(k, &a, &b)?;
        Ok(Held { x: solved.x, violation: solved.violation })
    }

    /// A and B of the slack after a time `dt`: what 2 U'PU - U'HU is then, to first order.
    fn slack(&self, frame: &Frame, local: &Local, lr: f64, dt: f64) -> (Vec<f64>, Vec<f64>) {
        let (k, m) = (frame.u.len(), frame.bends.len());
        let gradient = scaled(&local.gradient, &local.root);
        let bends: Vec<Vec<f64>> =
            frame.bends.iter().map(|bend| scaled(bend, &local.root)).collect();
        let mut a = vec![0.0; k * k];
        for i in 0..k {
            for j in 0..k {
                let (by_p, by_h) = (dot(&frame.u[i], &local.pu[j]), dot(&frame.u[i], &local.hu[j]));
                a[i * k + j] = 2.0 * by_p - by_h + dt * dot(&bends[pair(i, j)], &gradient);
            }
        }
        let inner = |at: usize| 0.5 * dt * dot(&bends[at / m], &bends[at % m]);
        let mut b: Vec<f64> = (0..m * m).map(inner).collect();
        if self.law.is_preconditioned() {
            self.add_preconditioner(frame, local, lr, dt, (&mut a, &mut b));
        }
        (a, b)
    }

    /// What the change of P adds to the slack: 2 u_i' dP u_j for dP = dP/d nu d nu.
    fn add_preconditioner(
        &self,
        frame: &Frame,
        local: &Local,
        lr: f64,
        dt: f64,
        (a, b): (&mut [f64], &mut [f64]),
    ) {
        let (k, m) = (frame.u.len(), frame.bends.len());
        let speed = dt * self.law.speed();
        let slopes: Vec<f64> = self.nu.iter().map(|nu| 2.0 / lr * Law::slope(*nu)).collect();
        let missing: Vec<f64> =
            local.gradient.iter().zip(&self.nu).map(|(g, nu)| g * g - nu).collect();
        let list: Vec<(usize, usize)> = (0..k).flat_map(|j| (0..=j).map(move |i| (i, j))).collect();
        let product =
            |x: &[f64], y: &[f64]| -> Vec<f64> { x.iter().zip(y).map(|(x, y)| x * y).collect() };
        let squares: Vec<Vec<f64>> =
            list.iter().map(|&(i, j)| product(&local.hu[i], &local.hu[j])).collect();
        for (p, &(i, j)) in list.iter().enumerate() {
            let weight = product(&product(&frame.u[i], &frame.u[j]), &slopes);
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
    fn go(&mut self, frame: &Frame, local: &Local, held: &Held, dt: f64) {
        let k = frame.u.len();
        let mut force = local.gradient.clone();
        let mut squares: Vec<f64> = match self.law.is_preconditioned() {
            true => local.gradient.iter().map(|g| g * g).collect(),
            false => Vec::new(),
        };
        for j in 0..k {
            for i in 0..=j {
                // Off the diagonal an entry counts twice.
                let weight = if i == j { 1.0 } else { 2.0 } * held.x[i * k + j];
                axpy(&mut force, 0.5 * weight, &frame.bends[pair(i, j)]);
                let of = squares.iter_mut().zip(&local.hu[i]).zip(&local.hu[j]);
                of.for_each(|((s, x), y)| *s += weight * x * y);
            }
        }
        let moves = self.theta.iter_mut().zip(&force).zip(&local.root);
        moves.for_each(|((w, f), d)| *w -= dt * d * d * f);
        if self.law.is_preconditioned() {
            self.law.follow(&mut self.nu, dt, |i| squares[i].max(0.0));
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
        let (here, mut frame, mut local) = self.open(objective, lr)?;
        let mut held = self.hold(&frame, &local, lr, dt)?;
        let mut point = stable::point(&self.theta, &here, oscillations(&here, &held, &local)?);
        point.violation = held.violation;
        for substep in 0..SUBSTEPS {
            if substep > 0 {
                // P may turn the eigenvectors within a step.
                if self.law.is_preconditioned() {
                    (_, frame, local) = self.open(objective, lr)?;
                } else {
                    local = self.later(objective, &frame, lr)?;
                }
                held = self.hold(&frame, &local, lr, dt)?;
                point.violation = point.violation.max(held.violation);
            }
            self.go(&frame, &local, &held, dt);
        }
        Ok(FlowPoint { products: std::mem::take(&mut self.spent), ..point })
    }
}

/// The directions of Sigma: the eigenvectors of X.
fn oscillations(here: &Here, held: &Held, local: &Local) -> Result<Vec<Oscillation>> {
    let k = local.pu.len();
    if k == 0 {
        return Ok(Vec::new());
    }
    let eigen = symmetric_eigen(k, &held.x)?;
    let of = |at: usize| {
        let q = eigen.vector(at);
        let mut covector = vec![0.0; local.root.len()];
        q.iter().zip(&local.pu).for_each(|(q, pu)| axpy(&mut covector, *q, pu));
        let curvature = q.iter().zip(&here.pairs).map(|(q, pair)| q * q * pair.value).sum();
        Oscillation { variance: eigen.values[at].max(0.0), covector, curvature }
    };
    Ok((0..k).rev().map(of).collect())
}

/// P times each vector.
fn weighted(vectors: &[Vec<f64>], root: &[f64]) -> Vec<Vec<f64>> {
    vectors.iter().map(|u| u.iter().zip(root).map(|(u, d)| u / (d * d)).collect()).collect()
}
