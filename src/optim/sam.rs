//! Sharpness-aware minimisation: any base optimizer, fed the gradient at a point up the slope.

use super::{
    Base, Decay, Entry, GradientAt, Hyperparameters, Memory, Optimizer, StabilityContext,
    StabilityOperator,
};
use crate::error::Result;
use crate::linalg::norm;

pub(super) const SAM: Entry = Entry {
    name: "sam",
    update: "the base's step along the gradient at w + ρ g/‖g‖",
    remark: None,
    lr: 0.2,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        base: Some(Base::Sgd),
        rho: Some(0.05),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| Box::new(Sam::new(h.base().build(h, layout), Ascent::Euclidean, h.rho())),
};

pub(super) const ASAM: Entry = Entry {
    name: "asam",
    update: "the base's step along the gradient at w + ρ T² g/‖T g‖, T = |w| + 0.01",
    remark: None,
    lr: 0.2,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        base: Some(Base::Sgd),
        rho: Some(0.5),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, layout| Box::new(Sam::new(h.base().build(h, layout), Ascent::Adaptive, h.rho())),
};

/// How the point up the slope is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ascent {
    /// SAM (Foret et al. 2021): rho g / ||g||.
    Euclidean,
    /// ASAM (Kwon et al. 2021), element-wise: rho T^2 g / ||T g|| with T = diag(|w| + 0.01), the
    /// constant being the paper's.
    Adaptive,
}

impl Ascent {
    /// What is added to each weight so that weights near zero are perturbed too.
    const LEAST_SCALE: f64 = 0.01;

    /// The point to which one ascends from `theta` (the same point where the gradient is zero).
    fn point(self, rho: f64, theta: &[f64], gradient: &[f64]) -> Vec<f64> {
        let scale = |w: f64| match self {
            Ascent::Euclidean => 1.0,
            Ascent::Adaptive => w.abs() + Self::LEAST_SCALE,
        };
        let pairs = || theta.iter().zip(gradient);
        let length = norm(&pairs().map(|(&w, g)| scale(w) * g).collect::<Vec<_>>());
        if length == 0.0 {
            return theta.to_vec();
        }
        pairs().map(|(&w, g)| w + rho * scale(w).powi(2) * g / length).collect()
    }
}

/// SAM or ASAM with ascent radius rho over a base optimizer.
///
/// Along an eigenvector of curvature lambda of a quadratic, the base is fed
/// lambda (1 + rho lambda/||g||) w instead of lambda w, so that a base that is stable up to tau
/// stays so up to lambda = (||g||/(2 rho)) (sqrt(1 + 4 rho tau/||g||) - 1); for gradient descent,
/// tau = 2/eta, this is Long and Bartlett's (2023) edge. A coupled weight decay in the base takes
/// its lambda off tau. For ASAM, and over a base with a preconditioner, no formula is known; the
/// decay is then in the operator, P^-1/2 (H + lambda I) P^-1/2.
pub struct Sam {
    base: Box<dyn Optimizer>,
    ascent: Ascent,
    rho: f64,
    point: Vec<f64>,
}

impl Sam {
    /// Over `base`, with ascent radius `rho`, at least 0.
    pub fn new(base: Box<dyn Optimizer>, ascent: Ascent, rho: f64) -> Self {
        Self { base, ascent, rho, point: Vec::new() }
    }

    /// Whether a formula of its own is known, which has the base's decay in it: the operator then
    /// does not have it too.
    fn has_own_edge(&self) -> bool {
        self.rho != 0.0 && self.ascent == Ascent::Euclidean && !self.base.is_preconditioned()
    }
}

impl Optimizer for Sam {
    fn is_preconditioned(&self) -> bool {
        self.base.is_preconditioned()
    }

    fn operator(&self) -> StabilityOperator {
        let operator = self.base.operator();
        let shift = if self.has_own_edge() { 0.0 } else { operator.shift };
        StabilityOperator { shift, ..operator }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        if self.rho == 0.0 {
            return self.base.threshold(context);
        }
        if !self.has_own_edge() {
            return None;
        }
        let tau = self.base.threshold(context)?;
        let tau = tau - self.base.operator().shift;
        let scale = context.grad_norm? / self.rho;
        // The quotient's other form, which keeps its digits where rho is small.
        let edge = 2.0 * tau / (1.0 + (1.0 + 4.0 * tau / scale).sqrt());
        edge.is_finite().then_some(edge)
    }

    fn early_factor(&self) -> Option<f64> {
        self.base.early_factor()
    }

    fn formula(&self) -> Option<String> {
        if self.rho == 0.0 {
            return self.base.formula();
        }
        self.has_own_edge().then(|| "SAM edge".to_string())
    }

    fn perturbed(&self) -> Option<&[f64]> {
        (!self.point.is_empty()).then_some(&self.point)
    }

    fn memory(&mut self) -> Memory<'_> {
        self.base.memory()
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        self.point = self.ascent.point(self.rho, theta, gradient);
        let gradient = elsewhere(&self.point)?;
        self.base.step(lr, theta, &gradient, elsewhere)
    }
}
