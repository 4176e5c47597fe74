//! Momentum as a linear filter of gradients, and the curvature that it bears.

use super::OscillationGrowth;
use super::rule::over_rate;
use crate::linalg::spectral_radius;

/// What a step makes of the gradients so far: it moves against
/// direct g_t + sum_i weight_i sum_k decay_i^k g_(t-k).
///
/// With a preconditioner P that is held, in the coordinates P^1/2 w and along an eigenvector of
/// P^-1/2 H P^-1/2 of eigenvalue h, w' = (1 - eta lambda) w - eta F(h w): lambda is a decay beside the step,
/// F(z) = direct + sum_i weight_i/(1 - decay_i/z) the filter. Its modes are the roots z of
///
/// ```text
/// z - (1 - eta lambda) + eta h F(z) = 0
/// ```
///
/// With weights of at least zero, decays in [0, 1) and eta lambda up to 1 a root can leave the unit circle
/// nowhere but at -1. At z = exp(i phi) let c_i = eta h weight_i/|1 - decay_i/z|^2, and c_0 = eta h direct
/// with a decay of 0. The equation's imaginary part over sin(phi) is sum_i c_i decay_i = 1; its real part is
/// then sum_i c_i = 1 - eta lambda, which is less than it must be: above sum_i c_i decay_i, for decays are
/// below 1. So sin(phi) = 0, and at z = 1 nothing but h = -lambda/F(1) fits. A root is at -1 where h is
///
/// ```text
/// (2 - eta lambda)/(eta F(-1)),   F(-1) = direct + sum_i weight_i/(1 + decay_i)
/// ```
///
/// and that is the threshold of every optimizer whose momentum is such a filter: Cohen et al.'s (2021,
/// 2022) of gradient descent, heavy ball, Nesterov and Adam among them.
#[derive(Debug, Clone, PartialEq)]
pub struct Filter {
    /// Weight of the present gradient besides, at least 0.
    direct: f64,
    /// Weight (at least 0) and decay (in [0, 1)) of each sum.
    sums: Vec<(f64, f64)>,
}

impl Filter {
    /// The gradient itself.
    pub fn gradient() -> Self {
        Self { direct: 1.0, sums: Vec::new() }
    }

    /// `weight` sum_k decay^k g_(t-k).
    pub fn sum(weight: f64, decay: f64) -> Self {
        Self { direct: 0.0, sums: vec![(weight, decay)] }
    }

    /// The mean m = decay m + (1 - decay) g.
    pub fn mean(decay: f64) -> Self {
        Self::sum(1.0 - decay, decay)
    }

    /// This one, `factor` (at least 0) times.
    pub fn times(mut self, factor: f64) -> Self {
        self.direct *= factor;
        self.sums.iter_mut().for_each(|(weight, _)| *weight *= factor);
        self
    }

    /// The two added up.
    pub fn plus(mut self, other: Self) -> Self {
        self.direct += other.direct;
        self.sums.extend(other.sums);
        self
    }

    /// The largest eigenvalue of P^-1/2 H P^-1/2 at which a step with rate `lr` and decay `decay` beside it
    /// is stable; `None` where there is none, the rate being zero, or the weights are all zero.
    pub fn threshold(&self, lr: f64, decay: f64) -> Option<f64> {
        let threshold = self.two_over(-1.0, lr)?;
        Some(if decay == 0.0 { threshold } else { threshold * (1.0 - lr * decay / 2.0) })
    }

    /// What batch sharpness settles at with rate `lr`, from small batches to the full one: 2/(eta F(1)) and
    /// 2/(eta F(-1)), see [`Optimizer::batch_edges`](super::Optimizer::batch_edges).
    pub fn batch_edges(&self, lr: f64) -> Option<[f64; 2]> {
        Some([self.two_over(1.0, lr)?, self.two_over(-1.0, lr)?])
    }

    /// 2/(eta F(z)) for z = 1 or -1, F(z) as a quotient, which rounds least.
    fn two_over(&self, z: f64, lr: f64) -> Option<f64> {
        let (mut numerator, mut denominator) = (self.direct, 1.0);
        for (weight, decay) in &self.sums {
            let own = 1.0 - decay * z;
            numerator = numerator * own + weight * denominator;
            denominator *= own;
        }
        over_rate(2.0 * denominator, numerator * lr)
    }

    /// The factor by which the largest mode grows in a step, by the edge ratio and without a decay.
    pub fn growth(self) -> OscillationGrowth {
        let edge = self.threshold(1.0, 0.0).unwrap_or(0.0);
        Box::new(move |edge_ratio| self.largest_mode(edge_ratio * edge))
    }

    /// The largest modulus of a mode at eta h = `curvature`: of the map of w and each sum.
    fn largest_mode(&self, curvature: f64) -> f64 {
        let n = self.sums.len() + 1;
        let mut map = vec![0.0; n * n];
        map[0] = 1.0 - curvature * self.direct;
        for (i, (weight, decay)) in self.sums.iter().enumerate() {
            // Column after column. The sum takes the gradient in, then the weight moves along it.
            map[i + 1] = curvature;
            map[(i + 1) * n + i + 1] = *decay;
            map[0] -= weight * curvature;
            map[(i + 1) * n] = -weight * decay;
        }
        spectral_radius(n, &map)
    }
}
