//! Suspicious steps once more, in double precision.
//!
//! The parameters of a step are reached by training again from the nearest complete checkpoint before
//! it, without curvature; the recorded loss tells whether they are the same. There loss, gradient and
//! sharpness on a small batch are evaluated in both precisions.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Finding, Run, Verdict};
use crate::autodiff::{Objective, Precision, Samples};
use crate::backend::{BackendChoice, Device};
use crate::curvature::CurvatureMeter;
use crate::error::{Error, Result};
use crate::linalg::{Lanczos, norm};
use crate::record::{Event, EventKind, StepRow};
use crate::run::{Prepared, supervised};
use crate::task::Supervised;
use crate::train::{Checkpoint, History, Observer, TrainSettings, Trainer, TrainingState};

pub(super) const CHECK: &str = "double_precision";

/// Most steps that are repeated.
const STEPS: usize = 3;
/// Samples of the small batch.
const BATCH: usize = 64;
/// The recorded loss and that of the repeated training agree this well if the steps are the same.
const SAME: f64 = 1e-5;
/// Single precision may differ by this much, relative to the norm.
const ALLOWED: f64 = 1e-3;

/// Repeats the most suspicious steps.
pub(super) fn finding(run: &Run, prepared: Prepared) -> Result<Finding> {
    if prepared.config.precision == Precision::F64 {
        let text = "the run is in double precision itself";
        return Ok(Finding::new(CHECK, Verdict::Pass, 0.0, text));
    }
    let steps = suspicious(run);
    if steps.is_empty() {
        return Ok(Finding::new(CHECK, Verdict::NotKnown, None, "the run has no step"));
    }
    let task = Arc::new(Supervised {
        model: prepared.config.model.clone(),
        data: Arc::clone(&prepared.dataset),
        loss: prepared.config.loss,
    });
    let mut pair = Pair::new(&prepared, &task)?;
    let reached = retrain(run, prepared, &task, &steps)?;
    let (mut texts, mut worst) = (Vec::new(), None::<f64>);
    for (step, why) in &steps {
        let found = reached.iter().find(|(reached, _)| reached == step);
        texts.push(match found {
            Some((_, Some(theta))) => {
                let difference = pair.compare(theta, *step)?;
                worst = Some(worst.unwrap_or(0.0).max(difference.most()));
                format!("step {step} ({why}): {difference}")
            }
            _ => format!("step {step} ({why}) could not be reached again"),
        });
    }
    let text = format!(
        "single against double precision on {} samples: {}",
        pair.samples,
        texts.join("; ")
    );
    Ok(match worst {
        Some(worst) => Finding::judged(CHECK, worst <= ALLOWED, worst, text),
        None => Finding::new(CHECK, Verdict::NotKnown, None, text),
    })
}

/// The steps most worth repeating, with the reason, ascending: those that events suspect, else the one
/// closest to the edge or beyond it.
fn suspicious(run: &Run) -> Vec<(usize, &'static str)> {
    let rank = |event: &Event| match event.kind {
        EventKind::PrecisionSuspect { .. } => Some((0, event.step, "precision suspect")),
        EventKind::CurvatureUnconverged { .. } => Some((1, event.step, "not converged")),
        EventKind::CurvatureRepaired { .. } => Some((2, event.step, "repaired by an audit")),
        EventKind::LossSpike { start, .. } => Some((3, start, "a spike begins")),
        _ => None,
    };
    let mut ranked: Vec<_> = run.events.iter().filter_map(rank).collect();
    ranked.sort_unstable();
    ranked.dedup_by_key(|(_, step, _)| *step);
    ranked.truncate(STEPS);
    let mut steps: Vec<_> = ranked.into_iter().map(|(_, step, why)| (step, why)).collect();
    if steps.is_empty() {
        let ratio = |row: &&StepRow| row.edge_ratio.unwrap_or(f64::NEG_INFINITY);
        let closest = run.rows.iter().max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
        steps.extend(closest.map(|row| (row.step, "nothing suspicious; closest to the edge")));
    }
    steps.sort_unstable();
    steps
}

/// The parameters at each of the steps (ascending); `None` where the recorded loss is not met.
fn retrain(
    run: &Run,
    prepared: Prepared,
    task: &Arc<Supervised>,
    steps: &[(usize, &'static str)],
) -> Result<Vec<(usize, Option<Vec<f64>>)>> {
    let last = steps.last().map_or(0, |(step, _)| *step);
    let layout = prepared.problem.train.layout().clone();
    let mut optimizer = prepared.config.optimizer.build();
    let first = steps.first().map_or(0, |(step, _)| *step);
    let complete = |&step: &usize| step <= first && run.directory.checkpoint_is_complete(step);
    let from = run.directory.checkpoints().into_iter().rev().find(complete).unwrap_or(0);
    let state = run.directory.training_state(from, &layout, &mut *optimizer)?;
    // No measurement, and a checkpoint at each step, of which the wanted ones are kept.
    let settings = TrainSettings {
        steps: last,
        every: usize::MAX,
        eval_every: usize::MAX,
        tracker: None,
        spectrum: None,
        on_warning: None,
        checkpoint_every: Some(1),
        ..prepared.train_settings()
    };
    let wanted: Vec<usize> = steps.iter().map(|(step, _)| *step).collect();
    let mut reached = Reached { wanted, found: Vec::new() };
    let mut problem = prepared.problem;
    problem.validation = None;
    problem.curvature = None;
    let (device, train) = (prepared.device.clone(), prepared.split.train.clone());
    let chunk = prepared.config.chunk.unwrap_or_else(|| device.default_chunk(train.len()));
    let trainer = Trainer { problem, settings, optimizer, interrupted: &AtomicBool::new(false) };
    let end = trainer.run(state, &History::default(), &mut [&mut reached]);
    if let Some(error) = end.error {
        return Err(error);
    }
    let mut objective = supervised(&device, task, train, chunk)?;
    let mut same = |step: usize, theta: Vec<f64>| -> Result<(usize, Option<Vec<f64>>)> {
        objective.set_parameters(&theta)?;
        let recorded = run.rows.get(step).and_then(|row| row.train_loss);
        let loss = objective.evaluate()?.loss;
        let met = recorded.is_none_or(|recorded| (loss / recorded - 1.0).abs() <= SAME);
        Ok((step, met.then_some(theta)))
    };
    reached.found.into_iter().map(|(step, theta)| same(step, theta)).collect()
}

/// Keeps the parameters of some steps.
struct Reached {
    wanted: Vec<usize>,
    found: Vec<(usize, Vec<f64>)>,
}

impl Observer for Reached {
    fn row(&mut self, _row: &StepRow) -> Result<()> {
        Ok(())
    }

    fn event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        let TrainingState { step, theta, .. } = checkpoint.state;
        if self.wanted.contains(step) && self.found.iter().all(|(found, _)| found != step) {
            self.found.push((*step, theta.clone()));
        }
        Ok(())
    }
}

/// The loss over a small batch in both precisions.
struct Pair {
    samples: usize,
    single: Box<dyn Objective>,
    double: Box<dyn Objective>,
    meter: CurvatureMeter,
}

/// Relative differences of single from double precision.
#[derive(Debug, Clone, Copy)]
struct Difference {
    loss: f64,
    gradient: f64,
    sharpness: f64,
}

impl Pair {
    fn new(prepared: &Prepared, task: &Arc<Supervised>) -> Result<Self> {
        let batch: Vec<usize> = prepared.split.train.iter().copied().take(BATCH).collect();
        let objective = |precision| {
            let device = Device::open(BackendChoice::Cpu, precision)?;
            supervised(&device, task, batch.clone(), batch.len())
        };
        let lanczos = Lanczos { largest: 1, smallest: 0, tolerance: 1e-4, max_iterations: 200 };
        Ok(Self {
            samples: batch.len(),
            single: objective(Precision::F32)?,
            double: objective(Precision::F64)?,
            meter: CurvatureMeter { lanczos, seed: prepared.config.seed },
        })
    }

    fn compare(&mut self, theta: &[f64], step: usize) -> Result<Difference> {
        let meter = self.meter;
        let measure = |objective: &mut dyn Objective| {
            objective.set_parameters(theta)?;
            let found = objective.gradient(Samples::All)?;
            let top = meter.measure(objective, step)?.lambda.first().copied();
            Ok::<_, Error>((found.evaluation.loss, found.gradient, top.unwrap_or(0.0)))
        };
        let (single, double) = (measure(&mut *self.single)?, measure(&mut *self.double)?);
        let change: Vec<f64> = single.1.iter().zip(&double.1).map(|(a, b)| a - b).collect();
        let relative = |a: f64, b: f64| if a == b { 0.0 } else { (a - b).abs() / b.abs() };
        Ok(Difference {
            loss: relative(single.0, double.0),
            gradient: norm(&change) / norm(&double.1).max(f64::MIN_POSITIVE),
            sharpness: relative(single.2, double.2),
        })
    }
}

impl Difference {
    fn most(&self) -> f64 {
        self.loss.max(self.gradient).max(self.sharpness)
    }
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { loss, gradient, sharpness } = self;
        write!(f, "loss {loss:.0e}, gradient {gradient:.0e}, sharpness {sharpness:.0e} apart")
    }
}
