//! What of a run's optimizer its flows are made of.

use super::FlowKind;
use crate::autodiff::Objective;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::flow::{
    CentralFlow, Flow, GradientFlow, Law, Momentum, RodFlow, StableFlow, Tolerance, TopSettings,
};
use crate::names::all_of;
use crate::optim::OptimizerSpec;

/// Rods that are held.
const RODS: usize = 3;

/// Optimizers that each flow is known of.
fn known(kind: FlowKind) -> &'static [&'static str] {
    match kind {
        FlowKind::Gradient => &["sgd", "momentum", "nesterov", "ema-momentum"],
        FlowKind::Stable => &["sgd", "momentum", "nesterov", "ema-momentum", "rmsprop"],
        FlowKind::Central => &["sgd", "rmsprop"],
        FlowKind::Rod => &["sgd", "momentum", "nesterov", "ema-momentum", "rmsprop"],
    }
}

/// Optimizers with a rod flow that is published and not among these.
const PUBLISHED_RODS: [&str; 2] = ["adam", "nadam"];

/// Refuses a run that this flow is not known of.
pub(super) fn check(config: &RunConfig, kind: FlowKind) -> Result<()> {
    let refused = |value: String, problem: String, remedy: &str| {
        Err(Error::setting("--kind", value, problem, remedy.to_string()))
    };
    let OptimizerSpec { name, hyperparameters, clip_norm } = &config.optimizer;
    if let Some(size) = config.batch_size.0 {
        let problem = format!(
            "the run's gradients are over minibatches of {size}, and a flow is of the full batch"
        );
        return refused(kind.to_string(), problem, "give a run with --batch-size full");
    }
    if !known(kind).contains(name) {
        let kinds = FlowKind::ALL.into_iter().filter(|kind| known(*kind).contains(name));
        let kinds: Vec<_> = kinds.collect();
        let problem = match kind {
            FlowKind::Rod if PUBLISHED_RODS.contains(name) => {
                format!("the rod flow of {name} (arXiv:2605.06821) is not built here")
            }
            _ => format!("no {kind} flow of {name} is known"),
        };
        let remedy = match kinds.is_empty() {
            true => format!("give a run of {}", all_of(known(kind))),
            false => format!(
                "give a run of {}, or of this one --kind {}",
                all_of(known(kind)),
                all_of(&kinds)
            ),
        };
        return refused(kind.to_string(), problem, &remedy);
    }
    if let Some(most) = clip_norm {
        let problem = format!("the run shortens gradients to {most:?}, which no flow knows of");
        return refused(kind.to_string(), problem, "give a run without --clip-norm");
    }
    if *name == "rmsprop" && hyperparameters.beta2 == Some(0.0) {
        let problem = "the run has --beta2 0, so that its preconditioner is no slow quantity";
        return refused(kind.to_string(), problem.to_string(), "give a run with a larger one");
    }
    Ok(())
}

/// The optimizer as a flow takes it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Taken {
    pub law: Law,
    /// How the optimizer remembers gradients, for a flow that has that beside the parameters.
    pub momentum: Option<Momentum>,
    /// What the rate is multiplied by: how far a constant gradient moves in the long run, by the rate.
    pub gain: f64,
    /// The weight decay that is a term of the loss.
    pub decay: f64,
    pub resolution: f64,
    pub seed: u64,
}

impl Taken {
    pub fn of(config: &RunConfig, kind: FlowKind) -> Self {
        let h = &config.optimizer.hyperparameters;
        let law = match config.optimizer.name {
            "rmsprop" => {
                Law::RmsProp { beta2: h.beta2.unwrap_or_default(), eps: h.eps.unwrap_or_default() }
            }
            _ => Law::Descent,
        };
        let beta = h.momentum.unwrap_or_default();
        let momentum = match config.optimizer.name {
            "momentum" => Some(Momentum::heavy_ball(beta)),
            "nesterov" => Some(Momentum::nesterov(beta)),
            "ema-momentum" => Some(Momentum::mean(beta)),
            _ => None,
        };
        let momentum = momentum.filter(|_| kind == FlowKind::Rod);
        let gain = match config.optimizer.name {
            "momentum" | "nesterov" if momentum.is_none() => 1.0 / (1.0 - beta),
            _ => 1.0,
        };
        let decay = h.weight_decay.unwrap_or(0.0);
        let resolution = config.precision.resolution();
        Self { law, momentum, gain, decay, resolution, seed: config.seed }
    }

    /// Whether the operator that the threshold bounds is the Hessian itself.
    pub fn bounds_hessian(&self) -> bool {
        !self.law.is_preconditioned() && self.decay == 0.0
    }

    pub fn top_settings(&self) -> TopSettings {
        TopSettings { seed: self.seed, ..TopSettings::default() }
    }

    /// The flow from a point, `next` being the iterate that follows on it.
    pub fn flow(&self, kind: FlowKind, start: Start) -> Box<dyn Flow> {
        let (law, top) = (self.law, self.top_settings());
        let Start { theta, iterate, next, nu, remembered } = start;
        match kind {
            FlowKind::Gradient => {
                let tolerance = Tolerance { relative: 1e-2, rounding: 4.0 * self.resolution };
                Box::new(GradientFlow::new(theta, top, tolerance))
            }
            FlowKind::Stable => Box::new(StableFlow::new(law, theta, nu, top)),
            FlowKind::Central => Box::new(CentralFlow::new(law, theta, nu, top, self.resolution)),
            FlowKind::Rod => {
                let flow = RodFlow::new(law, &iterate, &next, nu, RODS, top);
                let [here, next] = remembered;
                Box::new(match self.momentum {
                    Some(momentum) => flow.with_momentum(momentum, &here, &next),
                    None => flow,
                })
            }
        }
    }

    /// nu of a preconditioner sqrt(nu) + eps.
    pub fn nu(&self, preconditioner: Option<&[f64]>) -> Vec<f64> {
        match (self.law, preconditioner) {
            (Law::RmsProp { eps, .. }, Some(p)) => {
                p.iter().map(|p| (p - eps).max(0.0).powi(2)).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Where a flow starts (all of length P).
pub(super) struct Start {
    /// The mean of the oscillation there.
    pub theta: Vec<f64>,
    /// The iterate.
    pub iterate: Vec<f64>,
    /// The one that follows.
    pub next: Vec<f64>,
    /// What the optimizer's preconditioner is made of; none without one.
    pub nu: Vec<f64>,
    /// What the optimizer remembered before its steps from these two iterates; none where that is not asked for.
    pub remembered: [Vec<f64>; 2],
}

/// The flow's step on what the optimizer descends.
pub(super) fn step(
    flow: &mut dyn Flow,
    objective: &mut dyn Objective,
    decay: f64,
    lr: f64,
) -> Result<crate::flow::FlowPoint> {
    match decay {
        0.0 => flow.step(objective, lr),
        lambda => flow.step(&mut crate::flow::Decayed::new(objective, lambda), lr),
    }
}
