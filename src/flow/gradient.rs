//! Gradient flow.

use super::phi::phi;
use super::point::{Flow, FlowPoint};
use super::stable::point;
use super::top::{Here, TopSettings, TopSpace};
use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result, check_length};
use crate::linalg::{EigenPair, axpy, dot, norm};

/// How exactly gradient flow is followed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tolerance {
    /// Error of a step of the method by the way that it goes.
    pub relative: f64,
    /// Error of a step that is always allowed, by the norm of the parameters: what rounding leaves of it.
    pub rounding: f64,
}

/// Gradient flow dw/dt = -eta grad L, eta being the rate of a step of the optimizer.
///
/// Stiffness is taken out exactly: with J = -eta sum_i lambda_i v_i v_i' over the largest eigenpairs that are
/// followed, and N(w) = -eta grad L(w) - J w, the exponential Runge-Kutta method of order 3 of Cox and Matthews (J.
/// Comput. Phys. 176, 2002, ETD3RK), whose first two stages are one of order 2 too. The difference of the two is the
/// error that the step is chosen by. phi functions of J are their value at zero, but for the directions v_i. The
/// order is that whatever J is: eigenpairs that are a little old cost steps and no digits.
pub struct GradientFlow {
    theta: Vec<f64>,
    top: TopSpace,
    tolerance: Tolerance,
    /// The step to try next, in steps of the optimizer.
    length: f64,
    spent: usize,
}

/// J, by its eigenpairs.
struct Stiff<'a>(&'a [EigenPair]);

impl Stiff<'_> {
    /// of(h J) x, `of` being a function of a number.
    fn apply(&self, h: f64, x: &[f64], of: impl Fn(f64) -> f64) -> Vec<f64> {
        let rest = of(0.0);
        let mut y: Vec<f64> = x.iter().map(|x| rest * x).collect();
        for EigenPair { value, vector, .. } in self.0 {
            axpy(&mut y, (of(-h * value) - rest) * dot(vector, x), vector);
        }
        y
    }
}

impl GradientFlow {
    /// From `theta` (length P).
    pub fn new(theta: Vec<f64>, settings: TopSettings, tolerance: Tolerance) -> Self {
        Self { theta, top: TopSpace::new(settings), tolerance, length: 0.25, spent: 0 }
    }

    /// Tries a step of length `h` from where the slope is `f`: where it leads, and its error.
    fn attempt(
        &mut self,
        objective: &mut dyn Objective,
        stiff: &Stiff<'_>,
        lr: f64,
        h: f64,
        f: &[f64],
    ) -> Result<(Vec<f64>, f64)> {
        let way = |by: &[f64], factor: f64| -> Vec<f64> { by.iter().map(|x| factor * x).collect() };
        // What N is more at a point so far away than here.
        let mut bend = |moved: &[f64]| -> Result<Vec<f64>> {
            let ahead: Vec<f64> = self.theta.iter().zip(moved).map(|(w, d)| w + d).collect();
            objective.set_parameters(&ahead)?;
            let gradient = objective.gradient(Samples::All)?.gradient;
            let linear = stiff.apply(1.0, moved, |z| z);
            let slopes = gradient.iter().zip(f).zip(&linear);
            Ok(slopes.map(|((g, f), j)| -lr * g - f - j).collect())
        };
        let half = way(&stiff.apply(0.5 * h, f, |z| phi(1, z)), 0.5 * h);
        let middle = bend(&half)?;
        let mut inner = f.to_vec();
        axpy(&mut inner, 2.0, &middle);
        let end = bend(&way(&stiff.apply(h, &inner, |z| phi(1, z)), h))?;
        self.spent += 2;
        let mut moved = way(&stiff.apply(h, f, |z| phi(1, z)), h);
        axpy(&mut moved, h, &stiff.apply(h, &middle, |z| 4.0 * phi(2, z) - 8.0 * phi(3, z)));
        let last = stiff.apply(h, &end, |z| 4.0 * phi(3, z) - phi(2, z));
        axpy(&mut moved, h, &last);
        // Of order 2: h phi_1 f + 2 h phi_2 N(a).
        let mut error = stiff.apply(h, &middle, |z| 2.0 * phi(2, z) - 8.0 * phi(3, z));
        axpy(&mut error, 1.0, &last);
        Ok((moved, h * norm(&error)))
    }

    /// Goes on for a unit of time.
    fn go(&mut self, objective: &mut dyn Objective, here: &Here, lr: f64) -> Result<()> {
        const LEAST: f64 = 1e-7;
        let stiff = Stiff(&here.pairs);
        let mut f: Vec<f64> = here.at.gradient.iter().map(|g| -lr * g).collect();
        let mut left = 1.0;
        while left > 0.0 {
            // None that is much shorter than the others at the end.
            let h = match left / self.length {
                ratio if ratio <= 1.0 => left,
                ratio if ratio < 2.0 => 0.5 * left,
                _ => self.length,
            };
            let (moved, error) = self.attempt(objective, &stiff, lr, h, &f)?;
            let Tolerance { relative, rounding } = self.tolerance;
            let allowed = relative * norm(&moved) + rounding * norm(&self.theta);
            let ratio = if allowed > 0.0 { error / allowed } else { f64::from(error > 0.0) };
            if ratio.is_nan() && h < LEAST {
                return Err(Error::NonFinite { what: "the loss along the flow" });
            }
            // By the way that is gone, the error of a step is of order 2.
            let factor = if ratio.is_nan() { 0.1 } else { (0.9 / ratio.sqrt()).clamp(0.2, 4.0) };
            // One that was short because little was left says nothing against longer ones.
            let longer = ratio <= 1.0 && h < self.length;
            self.length = if longer { self.length.max(h * factor) } else { h * factor };
            if ratio > 1.0 || ratio.is_nan() {
                if self.length < LEAST {
                    let reason = "its steps have become too small".to_string();
                    return Err(Error::Numerical { what: "following gradient flow", reason });
                }
                continue;
            }
            axpy(&mut self.theta, 1.0, &moved);
            left -= h;
            if left > 0.0 {
                objective.set_parameters(&self.theta)?;
                let gradient = objective.gradient(Samples::All)?.gradient;
                self.spent += 1;
                f = gradient.iter().map(|g| -lr * g).collect();
            }
        }
        Ok(())
    }
}

impl Flow for GradientFlow {
    fn step(&mut self, objective: &mut dyn Objective, lr: f64) -> Result<FlowPoint> {
        check_length("parameter vector", self.theta.len(), objective.dim())?;
        let root = vec![lr.sqrt(); self.theta.len()];
        let here = self.top.measure(objective, &self.theta, &root)?;
        let mut point = point(&self.theta, &here, Vec::new());
        point.products = std::mem::take(&mut self.spent) + here.products + 1;
        self.go(objective, &here, lr)?;
        Ok(point)
    }
}
