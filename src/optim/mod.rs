//! Optimizers, each with its update and, beside it, the operator and the threshold that say what
//! curvature the update can bear.
//!
//! An optimizer works on flat host vectors in double precision; the trainer rounds the result to
//! the precision of the run. burn-optim's optimizers keep betas, momentum, epsilon and weight decay
//! in single precision and correct Adam's bias there, which moves an update in double precision by up
//! to 1e-5 of itself (a test measures it); it has no momentum as a mean and no SAM, and AdaGrad's sum
//! cannot be read back. So the equations, otherwise the same, are written out here.
//!
//! A new optimizer is a file here, its `mod` line and a line in [`ENTRIES`]; a new hyperparameter is a
//! line in `hyperparameters.rs`.

mod adafactor;
mod adagrad;
mod adam;
mod ademamix;
mod averaged;
mod basis;
mod blocks;
mod clip;
mod decay;
mod filter;
pub mod help;
mod hyperparameters;
mod kronecker;
mod lamb;
mod lion;
mod momentum;
mod muon;
mod nadam;
mod qhm;
mod rmsprop;
mod rule;
mod sam;
mod schedule;
mod schedule_free;
mod sgd;
mod shampoo;
mod signgd;
mod signum;
mod soap;
mod spec;
mod state;

pub use averaged::{Averaged, SWA, averaged_points};
pub use basis::{Basis, Rotation};
pub use clip::Clipped;
pub use decay::CoupledDecay;
pub use filter::Filter;
pub use hyperparameters::{Hyperparameters, NUMBERS, Number};
pub use rule::{Direction, Rule};
pub use schedule::{Schedule, ScheduleKind};
pub use spec::{Base, Decay, Entry, OptimizerSpec};
pub use state::{Memory, OptimizerState};

/// Defines [`ENTRIES`], and the names under which the rules of each file are known outside.
macro_rules! catalogue {
    ($($file:ident [$($entry:ident),+] $($rule:ident),+;)+) => {
        $(pub use $file::{$($rule),+};)+

        /// Every optimizer, in the order in which they are listed.
        pub const ENTRIES: &[Entry] = &[$($($file::$entry),+),+];
    };
}

catalogue! {
    sgd [ENTRY] Sgd;
    momentum [HEAVY_BALL, NESTEROV, EMA] HeavyBall, Nesterov, EmaMomentum;
    adam [ADAM, ADAMW] Adam, AdamW;
    nadam [ENTRY] NAdam;
    rmsprop [ENTRY] RmsProp;
    adagrad [ENTRY] Adagrad;
    sam [SAM, ASAM] Sam, Ascent;
    qhm [ENTRY] Qhm;
    ademamix [ENTRY] AdEmaMix;
    schedule_free [SGD, ADAMW] ScheduleFree, Averaging;
    adafactor [ENTRY] Adafactor;
    lamb [ENTRY] Lamb;
    shampoo [ENTRY] Shampoo;
    soap [ENTRY] Soap;
    signgd [ENTRY] SignGd;
    signum [ENTRY] Signum;
    lion [ENTRY] Lion;
    muon [ENTRY] Muon;
}

#[cfg(doc)]
use crate::error::Error;
use crate::error::Result;

/// What a stability threshold may depend on, at one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StabilityContext {
    /// The step's learning rate eta.
    pub lr: f64,
    /// Norm of the gradient of the training loss, where it was measured.
    pub grad_norm: Option<f64>,
}

/// The operator whose largest eigenvalue a threshold bounds: P^-1/2 (H + lambda I) P^-1/2.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct StabilityOperator {
    /// The diagonal of P, of length P, all above zero; `None` for the identity.
    pub preconditioner: Option<Vec<f64>>,
    /// The coordinates in which P is diagonal; `None` for the parameters' own.
    pub basis: Option<Basis>,
    /// The weight decay lambda inside.
    pub shift: f64,
}

impl StabilityOperator {
    /// Whether it is the Hessian itself.
    pub fn is_hessian(&self) -> bool {
        self.preconditioner.is_none() && self.shift == 0.0
    }
}

/// The gradient, at other parameters than the step's, of the loss that the step descends: over the
/// same samples.
pub type GradientAt<'a> = dyn FnMut(&[f64]) -> Result<Vec<f64>> + 'a;

/// A factor of growth by the edge ratio.
pub type OscillationGrowth = Box<dyn Fn(f64) -> f64 + Send + Sync>;

/// An update rule with its stability threshold.
pub trait Optimizer: Send {
    /// The rule that this one is around, if it is around one: that answers for it, unless told otherwise.
    fn base(&self) -> Option<&dyn Optimizer> {
        None
    }

    /// Whether it divides by a preconditioner of its own.
    fn is_preconditioned(&self) -> bool {
        self.base().is_some_and(Optimizer::is_preconditioned)
    }

    /// The operator that [`Optimizer::threshold`] belongs to, with the preconditioner that the
    /// latest step divided by (before the first step: the Hessian).
    fn operator(&self) -> StabilityOperator {
        self.base().map(Optimizer::operator).unwrap_or_default()
    }

    /// The largest eigenvalue of [`Optimizer::operator`] at which the update is stable on a
    /// quadratic; `None` where no formula is known, where it needs what was not measured, or where
    /// there is none, the learning rate being zero.
    fn threshold(&self, context: &StabilityContext) -> Option<f64>;

    /// What batch sharpness settles at in training with minibatches, from small ones to the full batch:
    /// 2/(eta F(1)) and 2/(eta F(-1)), F(z) = sum_k f_k z^k, where the step is -eta sum_k f_k g_{t-k} (for
    /// heavy ball 2(1 - beta)/eta and 2(1 + beta)/eta, Andreyev et al. 2026). `None` where it is not
    /// known, and with a preconditioner, by which batch sharpness is not measured.
    fn batch_edges(&self, context: &StabilityContext) -> Option<[f64; 2]> {
        self.base()?.batch_edges(context)
    }

    /// What the latest step's threshold is of that of late steps, where the update's rate is corrected for a
    /// first moment that starts at zero: 1 - beta1^t for Adam. `None` before the first step, and without
    /// such a correction.
    fn early_factor(&self) -> Option<f64> {
        self.base()?.early_factor()
    }

    /// The threshold's formula as shown in figures; `None` where no formula is known.
    fn formula(&self) -> Option<String>;

    /// The factor by which an oscillation along an eigenvector grows in a step, as a function of the edge
    /// ratio; `None` where gradient descent with momentum, of the same threshold, has the same.
    fn growth(&self) -> Option<OscillationGrowth> {
        self.base()?.growth()
    }

    /// The point at which the latest step took the gradient that it descended, where that is not
    /// the point it started from (length P).
    fn perturbed(&self) -> Option<&[f64]> {
        self.base()?.perturbed()
    }

    /// The parameters that the model is to be used with (length P), where those are others than the ones that
    /// are stepped; `None` before the first step.
    fn averaged(&self) -> Option<&[f64]> {
        self.base()?.averaged()
    }

    /// What the gradient that the latest step descended was multiplied by to shorten it, where gradients are
    /// clipped.
    fn clip_factor(&self) -> Option<f64> {
        self.base()?.clip_factor()
    }

    /// What it remembers from step to step; nothing unless told otherwise.
    fn memory(&mut self) -> Memory<'_> {
        Memory::default()
    }

    /// A copy of what it remembers.
    fn state(&mut self) -> OptimizerState {
        self.memory().copy()
    }

    /// Goes on from what an optimizer of the same kind remembered.
    ///
    /// # Errors
    /// [`Error::Length`] or [`Error::State`] if it is of another kind.
    fn restore(&mut self, state: &OptimizerState) -> Result<()> {
        self.memory().overwrite(state)
    }

    /// Takes one step from `theta` with learning rate `lr`. `gradient` is that at `theta`;
    /// `elsewhere` evaluates it at other points.
    ///
    /// # Errors
    /// Those of `elsewhere`.
    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        elsewhere: &mut GradientAt<'_>,
    ) -> Result<()>;
}
