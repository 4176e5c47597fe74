//! The flow and the run side by side, step by step.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Request;
use super::findings::{Findings, smoothed};
use super::law::{Start, Taken, step};
use super::replay::{Iterate, Replay, midpoint};
use crate::autodiff::Objective;
use crate::error::{Error, Result};
use crate::experiment::Prepared;
use crate::flow::{Decayed, FlowPoint, TopSettings, TopSpace};
use crate::linalg::{dot, norm};
use crate::rundir::StoredRun;

/// A step of the flow beside the run's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FlowRow {
    /// Updates taken.
    pub step: usize,
    /// The run's learning rate.
    pub lr: f64,
    /// The training loss where the flow stands.
    pub train_loss: f64,
    /// The training accuracy there.
    pub train_accuracy: Option<f64>,
    /// The norm of the training loss's gradient there.
    pub grad_norm: f64,
    /// The largest eigenvalue there of the operator that the threshold bounds.
    pub sharpness: Option<f64>,
    /// What the optimizer can bear.
    pub threshold: Option<f64>,
    /// The loss that is expected of the oscillating iterates.
    pub predicted_loss: Option<f64>,
    /// The root of the square that is expected of their gradient's norm.
    pub predicted_grad_norm: Option<f64>,
    /// The variance along each direction of the oscillation, by size.
    pub variance: Vec<f64>,
    /// The iterates' along the same directions, a mean over the steps around this one.
    pub run_variance: Vec<Option<f64>>,
    /// From the flow to the mean of the run's oscillation.
    pub distance: Option<f64>,
    /// That by how far the run has gone from the flow's start.
    pub relative_distance: Option<f64>,
    /// The run's training loss.
    pub run_train_loss: Option<f64>,
    /// Its mean over the steps around this one.
    pub run_mean_loss: Option<f64>,
    /// The run's sharpness as it was recorded.
    pub run_sharpness: Option<f64>,
    /// The sharpness at the mean of the run's oscillation.
    pub run_midpoint_sharpness: Option<f64>,
    /// Gradients and Hessian-vector products of the flow since the row before.
    pub products: usize,
    /// How far the conditions of the oscillation were from being met.
    pub violation: Option<f64>,
}

/// A flow that was followed.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// Its steps.
    pub rows: Vec<FlowRow>,
    /// Why it ended before the last step that was asked for, if it did.
    pub ended: Option<String>,
    /// Whether it was interrupted.
    pub interrupted: bool,
    /// Whether the operator that the threshold bounds is the Hessian.
    pub of_hessian: bool,
    /// The threshold's formula.
    pub formula: Option<String>,
    /// What they say.
    pub findings: Findings,
}

/// Follows the flow beside the run; `told` is told of each row.
///
/// # Errors
/// As [`Request::check`] and [`StoredRun::problem`]; [`Error::State`] where the flow cannot start; or if the device
/// reports failure.
pub fn follow(
    run: &StoredRun,
    request: &Request,
    prepared: &mut Prepared,
    interrupted: &AtomicBool,
    mut told: impl FnMut(&FlowRow),
) -> Result<Followed> {
    let mut beside = Beside::open(run, request, prepared)?;
    let steps = request.count(run)?;
    let (mut rows, mut ended) = (Vec::new(), None);
    while rows.len() < steps && !interrupted.load(Ordering::SeqCst) {
        match beside.row(&mut *prepared.problem.train) {
            Ok(row) => {
                told(&row);
                rows.push(row);
            }
            Err(
                error @ (Error::NonFinite { .. } | Error::Numerical { .. } | Error::State { .. }),
            ) if !rows.is_empty() => {
                ended = Some(error.to_string());
                break;
            }
            Err(error) => return Err(error),
        }
    }
    smooth(&mut rows);
    let spent = beside.spent;
    let findings = Findings::of(&rows, request.share, spent, run.rows()?);
    Ok(Followed {
        ended,
        interrupted: rows.len() < steps && interrupted.load(Ordering::SeqCst),
        of_hessian: beside.taken.bounds_hessian(),
        formula: prepared.config.optimizer.build().formula(),
        findings,
        rows,
    })
}

/// Means over the steps around each.
fn smooth(rows: &mut [FlowRow]) {
    let losses = smoothed(rows, |row| row.run_train_loss);
    let most = rows.iter().map(|row| row.variance.len()).max().unwrap_or(0);
    let variances: Vec<_> =
        (0..most).map(|k| smoothed(rows, |row| row.run_variance.get(k).copied()?)).collect();
    for (at, row) in rows.iter_mut().enumerate() {
        row.run_mean_loss = losses[at];
        for (k, cell) in row.run_variance.iter_mut().enumerate() {
            *cell = variances[k][at];
        }
    }
}

/// Where flow and run stand.
struct Beside<'a> {
    taken: Taken,
    flow: Box<dyn crate::flow::Flow>,
    replay: Replay<'a>,
    /// The iterates before, at and after the step of the coming row.
    before: Option<Iterate>,
    here: Iterate,
    after: Iterate,
    /// Where the run stood when the flow started.
    origin: Vec<f64>,
    midpoints: TopSpace,
    halves: bool,
    run: &'a StoredRun,
    spent: Spent,
}

/// Seconds that went by.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Spent {
    /// With the flow.
    pub flow: Duration,
    /// With the run beside it.
    pub beside: Duration,
}

impl<'a> Beside<'a> {
    /// At the run's start the flow starts there; at a checkpoint, where iterates may oscillate, at their mean about the
    /// step after it.
    fn open(run: &'a StoredRun, request: &Request, prepared: &mut Prepared) -> Result<Self> {
        let taken = Taken::of(&prepared.config, request.kind);
        let objective = &mut *prepared.problem.train;
        let layout = objective.layout().clone();
        let mut optimizer = prepared.config.build_optimizer(&layout);
        let start = request.start(run)?;
        let mut state = run.state(start, &layout, &mut *optimizer)?;
        let precision = prepared.device.precision();
        state.theta.iter_mut().for_each(|w| *w = precision.round(*w));
        let rows = run.rows()?;
        let schedule = prepared.config.learning_rate();
        let mut replay = Replay::new(optimizer, state, rows, schedule, precision)?;
        replay.remembers = taken.momentum.is_some();
        let mut before = None;
        let mut here = replay.next(objective)?;
        let mut after = replay.next(objective)?;
        if start > 0 {
            before = Some(here);
            here = after;
            after = replay.next(objective)?;
        }
        let nu = taken.nu(here.preconditioner.as_deref());
        let theta = mean(before.as_ref(), &here, &after);
        let (iterate, next) = (here.theta.clone(), after.theta.clone());
        let remembered = [here.remembered.clone(), after.remembered.clone()];
        let start = Start { theta: theta.clone(), iterate, next, nu, remembered };
        let flow = taken.flow(request.kind, start);
        let top = TopSettings { above: f64::INFINITY, ..taken.top_settings() };
        Ok(Self {
            taken,
            flow,
            replay,
            before,
            here,
            after,
            origin: theta,
            midpoints: TopSpace::new(top),
            halves: request.kind == super::FlowKind::Rod,
            run,
            spent: Spent::default(),
        })
    }

    /// The row where both stand; both go on.
    fn row(&mut self, objective: &mut dyn Objective) -> Result<FlowRow> {
        let clock = Instant::now();
        let rate = self.here.lr * self.taken.gain;
        let point = step(&mut *self.flow, objective, self.taken.decay, rate)?;
        self.spent.flow += clock.elapsed();
        let clock = Instant::now();
        let mut row = self.of_flow(&point, rate);
        self.compare(&mut row, &point, objective)?;
        let next = self.replay.next(objective)?;
        let here = std::mem::replace(&mut self.after, next);
        self.before = Some(std::mem::replace(&mut self.here, here));
        self.spent.beside += clock.elapsed();
        Ok(row)
    }

    fn of_flow(&self, point: &FlowPoint, rate: f64) -> FlowRow {
        let Iterate { step, lr, threshold, .. } = self.here;
        let decay = self.taken.decay;
        let own = point.evaluation.loss - 0.5 * decay * dot(&point.theta, &point.theta);
        let plain: Vec<f64> =
            point.gradient.iter().zip(&point.theta).map(|(g, w)| g - decay * w).collect();
        let grad_norm = norm(&plain);
        let more = point.expected_square() - norm(&point.gradient).powi(2);
        let oscillates =
            !point.oscillations.is_empty() || point.expected_loss != point.evaluation.loss;
        FlowRow {
            step,
            lr,
            train_loss: own,
            train_accuracy: point.evaluation.accuracy,
            grad_norm,
            sharpness: point.curvatures.first().map(|value| value / rate),
            threshold,
            predicted_loss: oscillates.then_some(own + point.expected_loss - point.evaluation.loss),
            predicted_grad_norm: oscillates.then_some((grad_norm * grad_norm + more).sqrt()),
            variance: point.oscillations.iter().map(|o| o.variance).collect(),
            products: point.products,
            violation: (!point.oscillations.is_empty()).then_some(point.violation),
            ..FlowRow::default()
        }
    }

    /// What the run was at the same step. Of a run that has diverged nothing is known.
    fn compare(
        &mut self,
        row: &mut FlowRow,
        point: &FlowPoint,
        objective: &mut dyn Objective,
    ) -> Result<()> {
        let recorded = self.run.rows()?.get(row.step);
        row.run_sharpness = recorded.and_then(|row| row.operator_sharpness());
        let whole = self.here.theta.iter().chain(&self.after.theta).all(|w| w.is_finite());
        if !(whole && self.here.evaluation.loss.is_finite()) {
            return Ok(());
        }
        row.run_train_loss = Some(self.here.evaluation.loss);
        let mean = mean(self.before.as_ref(), &self.here, &self.after);
        let centre: Vec<f64> = match self.halves {
            true => {
                self.here.theta.iter().zip(&self.after.theta).map(|(a, b)| 0.5 * (a + b)).collect()
            }
            false => mean.clone(),
        };
        let swing: Vec<f64> = match self.halves {
            true => {
                self.here.theta.iter().zip(&self.after.theta).map(|(a, b)| 0.5 * (b - a)).collect()
            }
            false => self.here.theta.iter().zip(&mean).map(|(a, b)| a - b).collect(),
        };
        row.run_variance =
            point.oscillations.iter().map(|o| Some(dot(&o.covector, &swing).powi(2))).collect();
        let distance = apart(&point.theta, &centre);
        let travelled = apart(&mean, &self.origin);
        row.distance = Some(distance);
        row.relative_distance = (travelled > 0.0).then(|| distance / travelled);
        let rate = self.here.lr * self.taken.gain;
        let root: Vec<f64> = match &self.here.preconditioner {
            Some(p) => p.iter().map(|p| (rate / p).sqrt()).collect(),
            None => vec![rate.sqrt(); mean.len()],
        };
        let found = match self.taken.decay {
            0.0 => self.midpoints.measure(objective, &mean, &root),
            lambda => self.midpoints.measure(&mut Decayed::new(objective, lambda), &mean, &root),
        };
        row.run_midpoint_sharpness = match found {
            Ok(found) => found.pairs.first().map(|pair| pair.value / rate),
            Err(Error::NonFinite { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(())
    }
}

/// The iterates' mean about a step; the first is its own.
fn mean(before: Option<&Iterate>, here: &Iterate, after: &Iterate) -> Vec<f64> {
    match before {
        Some(before) => midpoint(&before.theta, &here.theta, &after.theta),
        None => here.theta.clone(),
    }
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    norm(&a.iter().zip(b).map(|(a, b)| a - b).collect::<Vec<_>>())
}
