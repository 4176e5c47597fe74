//! Suspicious steps once more, in double precision.
//!
//! The parameters of a step are reached by training again from the nearest complete checkpoint before
//! it; the recorded loss tells whether they are the same. There loss, gradient and
//! sharpness on a small batch are evaluated in both precisions.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::{Finding, Run, Verdict};
use crate::autodiff::{Objective, Samples};
use crate::curvature::CurvatureMeter;
use crate::device::{BackendChoice, Device, Precision};
use crate::error::{Error, Result};
use crate::experiment::Prepared;
use crate::linalg::{Lanczos, norm};
use crate::problem::{Problem, Supervised, supervised};
use crate::profile::{Checkpoint, History, Observer, TrainingState, rate_factor_after};
use crate::record::{Event, EventKind, StepRow};
use crate::train::{Seek, TrainSettings, Trainer};

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
pub(super) fn finding(run: &Run<'_>, prepared: Prepared) -> Result<Finding> {
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
    let (mut texts, mut worst) = (Vec::new(), None::<f64>);
    let mut path = Path::new(run, prepared, task);
    for (step, why) in &steps {
        let compared = path.reach(*step)?.map(|theta| pair.compare(&theta, *step)).transpose();
        let text = match compared {
            Ok(Some(difference)) => {
                worst = Some(worst.unwrap_or(0.0).max(difference.most()));
                difference.to_string()
            }
            Ok(None) => "trained again, it is not what was recorded".to_string(),
            Err(error) => format!("cannot be measured ({error})"),
        };
        texts.push(format!("step {step} ({why}): {text}"));
    }
    let text = format!(
        "single against double precision{}: {}",
        match run.config.as_ref().is_ok_and(|config| config.objective().is_some()) {
            true => String::new(),
            false => format!(" on {} samples", pair.samples),
        },
        texts.join("; ")
    );
    Ok(match worst {
        Some(worst) => Finding::judged(CHECK, worst <= ALLOWED, worst, text),
        None => Finding::new(CHECK, Verdict::NotKnown, None, text),
    })
}

/// The steps most worth repeating, with the reason, ascending: those that events suspect, else the one
/// closest to the edge or beyond it.
fn suspicious(run: &Run<'_>) -> Vec<(usize, &'static str)> {
    let rank = |event: &Event| match event.kind {
        EventKind::PrecisionSuspect { .. } => Some((0, event.step, "precision suspect")),
        EventKind::CurvatureUnconverged { .. } => Some((1, event.step, "not converged")),
        EventKind::CurvatureRepaired { .. } => Some((2, event.step, "repaired by an audit")),
        EventKind::LossSpike { start, .. } => Some((3, start, "a spike begins")),
        _ => None,
    };
    let mut ranked: Vec<_> = run.events.iter().filter_map(rank).collect();
    ranked.sort_unstable();
    let mut seen = BTreeSet::new();
    ranked.retain(|(_, step, _)| seen.insert(*step));
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

/// The run's path, trained again piece by piece.
struct Path<'a> {
    run: &'a Run<'a>,
    prepared: Prepared,
    task: Arc<Supervised>,
    at: Option<TrainingState>,
}

impl<'a> Path<'a> {
    fn new(run: &'a Run<'a>, prepared: Prepared, task: Arc<Supervised>) -> Self {
        Self { run, prepared, task, at: None }
    }

    /// The parameters at `step`, no earlier than the step before; `None` where the row's loss, or the
    /// parameters' norm where it has none, is not met.
    fn reach(&mut self, step: usize) -> Result<Option<Vec<f64>>> {
        let stored = self.run.stored;
        let nearest = stored.complete_before(step);
        let mut at = match self.at.take() {
            Some(at) if at.step >= nearest => at,
            _ => {
                let layout = self.prepared.problem.train.layout();
                let mut optimizer = self.prepared.config.build_optimizer(layout);
                stored.state(nearest, layout, &mut *optimizer)?
            }
        };
        // Where a warning changed the learning rate, it is changed again.
        for (next, factor) in stored.rate_changes(at.step, step)? {
            at = self.train(at, next)?;
            at.rate_factor = rate_factor_after(at.rate_factor, factor);
        }
        at = self.train(at, step)?;
        let same = self.is_recorded(&at)?;
        let theta = same.then(|| at.theta.clone());
        self.at = Some(at);
        Ok(theta)
    }

    /// Takes the updates up to `step`, without measurements but for those of the first.
    fn train(&self, at: TrainingState, step: usize) -> Result<TrainingState> {
        if at.step == step {
            return Ok(at);
        }
        let settings = TrainSettings {
            steps: step,
            every: usize::MAX,
            eval_every: usize::MAX,
            spectrum: None,
            on_warning: None,
            checkpoint_every: None,
            seek: self.recorded_rates()?,
            ..self.prepared.train_settings()
        };
        let layout = self.prepared.problem.train.layout();
        let optimizer = self.prepared.config.build_optimizer(layout);
        let problem =
            Problem { train: self.objective()?, validation: None, test: None, curvature: None };
        let trainer =
            Trainer { problem, settings, optimizer, interrupted: &AtomicBool::new(false) };
        let mut last = Last(None);
        let end = trainer.run(at, &History::default(), &mut [&mut last])?;
        match (end.error, last.0) {
            (Some(error), _) => Err(error),
            (None, Some(state)) => Ok(state),
            (None, None) => {
                let reason = format!("training ended before step {step}");
                Err(Error::State { what: "training again", reason })
            }
        }
    }

    /// The rates of the run, where they followed its curvature.
    fn recorded_rates(&self) -> Result<Option<Seek>> {
        if !self.prepared.config.schedule.seeks() {
            return Ok(None);
        }
        let rates = self.run.stored.rows()?.iter().map(|row| row.lr).collect();
        Ok(Some(Seek::Recorded(rates)))
    }

    fn objective(&self) -> Result<Box<dyn Objective>> {
        let Prepared { device, split, config, .. } = &self.prepared;
        let chunk = device.chunk(&*self.task, split.train.len(), config.chunk)?;
        supervised(device, &self.task, split.train.clone(), chunk)
    }

    fn is_recorded(&self, at: &TrainingState) -> Result<bool> {
        let Some(row) = self.run.row(at.step) else { return Ok(false) };
        let (recorded, found) = match row.train_loss {
            Some(loss) => {
                let mut objective = self.objective()?;
                objective.set_parameters(&at.theta)?;
                (loss, objective.evaluate()?.loss)
            }
            None => (row.param_norm.unwrap_or(f64::NAN), norm(&at.theta)),
        };
        Ok(found == recorded || (found / recorded - 1.0).abs() <= SAME)
    }
}

/// Keeps the last state.
struct Last(Option<TrainingState>);

impl Observer for Last {
    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        self.0 = Some(checkpoint.state.clone());
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
            meter: CurvatureMeter::lanczos(lanczos, prepared.config.seed),
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
