//! The run's updates once more, one after the other.

use crate::autodiff::{Evaluation, Objective, Samples};
use crate::device::Precision;
use crate::error::Result;
use crate::linalg::norm;
use crate::optim::{Optimizer, Schedule, StabilityContext};
use crate::profile::TrainingState;
use crate::record::StepRow;

/// The updates of a full-batch run from a state on, at the rates of its rows.
pub(super) struct Replay<'a> {
    optimizer: Box<dyn Optimizer>,
    precision: Precision,
    rows: &'a [StepRow],
    schedule: Schedule,
    factor: f64,
    step: usize,
    theta: Vec<f64>,
    /// Whether what the optimizer remembers is told.
    pub remembers: bool,
}

/// A step of the run.
#[derive(Debug, Clone)]
pub(super) struct Iterate {
    pub step: usize,
    pub lr: f64,
    /// The parameters before the update (length P).
    pub theta: Vec<f64>,
    pub evaluation: Evaluation,
    /// The preconditioner that the update divided by (length P), where there is one.
    pub preconditioner: Option<Vec<f64>>,
    pub threshold: Option<f64>,
    /// What the optimizer remembered of gradients before the update (length P), where that is asked for.
    pub remembered: Vec<f64>,
}

impl<'a> Replay<'a> {
    /// From `state`; `rows` are all of the run's.
    pub fn new(
        mut optimizer: Box<dyn Optimizer>,
        state: TrainingState,
        rows: &'a [StepRow],
        schedule: Schedule,
        precision: Precision,
    ) -> Result<Self> {
        optimizer.restore(&state.optimizer)?;
        let TrainingState { step, theta, rate_factor: factor, .. } = state;
        Ok(Self { optimizer, precision, rows, schedule, factor, step, theta, remembers: false })
    }

    /// Takes an update.
    pub fn next(&mut self, objective: &mut dyn Objective) -> Result<Iterate> {
        let (step, theta) = (self.step, self.theta.clone());
        let lr = match self.rows.get(step) {
            Some(row) => row.lr,
            None => self.schedule.rate(step) * self.factor,
        };
        objective.set_parameters(&theta)?;
        let at = objective.gradient(Samples::All)?;
        let mut elsewhere = |point: &[f64]| {
            objective.set_parameters(point)?;
            Ok(objective.gradient(Samples::All)?.gradient)
        };
        let remembered = if self.remembers { self.memory() } else { Vec::new() };
        self.optimizer.step(lr, &mut self.theta, &at.gradient, &mut elsewhere)?;
        self.theta.iter_mut().for_each(|w| *w = self.precision.round(*w));
        self.step += 1;
        let context = StabilityContext { lr, grad_norm: Some(norm(&at.gradient)) };
        Ok(Iterate {
            step,
            lr,
            theta,
            evaluation: at.evaluation,
            preconditioner: self.optimizer.operator().preconditioner,
            threshold: self.optimizer.threshold(&context),
            remembered,
        })
    }

    /// The optimizer's momentum, which is 0 before its first step.
    fn memory(&mut self) -> Vec<f64> {
        const NAMES: [&str; 2] = ["momentum_buffer", "exp_avg"];
        let state = self.optimizer.state();
        let found = state.accumulators.into_iter().find(|(name, _)| NAMES.contains(&name.as_str()));
        found
            .map(|(_, values)| values)
            .filter(|values| !values.is_empty())
            .unwrap_or_else(|| vec![0.0; self.theta.len()])
    }
}

/// (a + 2 b + c)/4: what is left of b without an oscillation from step to step.
pub(super) fn midpoint(a: &[f64], b: &[f64], c: &[f64]) -> Vec<f64> {
    a.iter().zip(b).zip(c).map(|((a, b), c)| 0.25 * (a + 2.0 * b + c)).collect()
}
