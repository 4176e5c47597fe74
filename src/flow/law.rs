//! What of an optimizer its flows are made of.

/// The preconditioner of an update and what it follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Law {
    /// Gradient descent: P = I/eta.
    Descent,
    /// RMSProp: P = diag(sqrt(nu) + eps)/eta, with
    ///
    /// ```text
    /// d nu/dt = (1 - beta2)/beta2 (E[g^2] - nu)
    /// ```
    ///
    /// nu being that of the step which is about to be taken, its gradient included: nu' - nu = (1 - beta2)(g^2 - nu)
    /// is (1 - beta2)/beta2 (g^2 - nu') too.
    RmsProp {
        /// Decay of nu, above 0.
        beta2: f64,
        /// eps, above 0.
        eps: f64,
    },
}

/// How an update remembers gradients: m' = beta m + share g, w' = w - P^-1 (through m' + direct g).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Momentum {
    /// What is kept of m, from 0 and below 1.
    pub beta: f64,
    /// What g adds to it.
    pub share: f64,
    /// What the step takes of m'.
    pub through: f64,
    /// What it takes of g besides.
    pub direct: f64,
}

impl Momentum {
    /// v' = beta v + g, w' = w - eta v'.
    pub fn heavy_ball(beta: f64) -> Self {
        Self { beta, share: 1.0, through: 1.0, direct: 0.0 }
    }

    /// v' = beta v + g, w' = w - eta (g + beta v').
    pub fn nesterov(beta: f64) -> Self {
        Self { beta, share: 1.0, through: beta, direct: 1.0 }
    }

    /// m' = beta m + (1 - beta) g, w' = w - eta m'.
    pub fn mean(beta: f64) -> Self {
        Self { beta, share: 1.0 - beta, through: 1.0, direct: 0.0 }
    }
}

impl Law {
    /// Whether nu is followed.
    pub fn is_preconditioned(&self) -> bool {
        matches!(self, Self::RmsProp { .. })
    }

    /// The diagonal of P^-1/2 (length P) at a rate and, where it is followed, `nu` (length P).
    pub(super) fn inverse_root(&self, lr: f64, nu: &[f64], dim: usize) -> Vec<f64> {
        match self {
            Self::Descent => vec![lr.sqrt(); dim],
            Self::RmsProp { eps, .. } => {
                nu.iter().map(|nu| (lr / (nu.max(0.0).sqrt() + eps)).sqrt()).collect()
            }
        }
    }

    /// What a square at a coordinate adds to nu there in a unit of time: (1 - beta2)/beta2, and 0 where none is
    /// followed.
    pub(super) fn speed(&self) -> f64 {
        match self {
            Self::Descent => 0.0,
            Self::RmsProp { beta2, .. } => (1.0 - beta2) / beta2,
        }
    }

    /// dP/d nu at each coordinate, times the rate: 1/(2 sqrt(nu)), and 0 where nu is.
    pub(super) fn slope(nu: f64) -> f64 {
        if nu > 0.0 { 0.5 / nu.sqrt() } else { 0.0 }
    }

    /// nu after a time `dt` in which the square of the gradient is `square`, exactly: never below zero.
    pub(super) fn follow(&self, nu: &mut [f64], dt: f64, square: impl Fn(usize) -> f64) {
        let kept = (-self.speed() * dt).exp();
        nu.iter_mut().enumerate().for_each(|(i, nu)| *nu = kept * *nu + (1.0 - kept) * square(i));
    }
}
