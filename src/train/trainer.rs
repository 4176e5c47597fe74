//! The loop itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::BatchOrder;
use crate::autodiff::{GradientEvaluation, Samples, check_determinism};
use crate::curvature::{SpectrumMeter, Tracking};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::linalg::{TrackerSettings, norm};
use crate::optim::{Optimizer, Schedule, StabilityOperator};
use crate::problem::Problem;
use crate::profile::{
    Checkpoint, History, Objectives, Observer, Start, StepMeter, SummaryBuilder, TrainingState,
    Update, threshold,
};
use crate::record::{Event, EventKind, ExitStatus, StepRow, Summary, WarningAction};
use crate::stability::{Monitor, StabilitySettings, divergence};

/// How it is trained and how often it is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// Learning rate eta of each update.
    pub schedule: Schedule,
    /// Updates to take.
    pub steps: usize,
    /// Samples in a minibatch; `None` for the full batch.
    pub batch_size: Option<usize>,
    /// Curvature is measured at steps divisible by this.
    pub every: usize,
    /// Validation (and, with minibatches, the full training loss and gradient) is evaluated at
    /// steps divisible by this, and wherever curvature is measured.
    pub eval_every: usize,
    /// How curvature is measured.
    pub meter: StepMeter,
    /// How the largest eigenvalues are followed from step to step; `None` solves for them anew each
    /// time.
    pub tracker: Option<TrackerSettings>,
    /// How spectra are measured, and at which steps: those divisible by the number.
    pub spectrum: Option<(usize, SpectrumMeter)>,
    /// A checkpoint is due at steps divisible by this, and after the last update.
    pub checkpoint_every: Option<usize>,
    /// What is done where a loss spike is warned of; `None` for nothing.
    pub on_warning: Option<WarningAction>,
    /// Seed of the minibatches.
    pub seed: u64,
    /// Parameters are rounded to this after each update.
    pub precision: Precision,
}

/// A training run about to start.
pub struct Trainer<'a> {
    /// What is trained.
    pub problem: Problem,
    /// How.
    pub settings: TrainSettings,
    /// The update rule.
    pub optimizer: Box<dyn Optimizer>,
    /// Set from outside to end the run after the row in work.
    pub interrupted: &'a AtomicBool,
}

/// How a run ended.
#[derive(Debug)]
pub struct TrainingEnd {
    /// The run in numbers, with its status.
    pub summary: Summary,
    /// What went wrong, where the status is [`ExitStatus::Failed`].
    pub error: Option<Error>,
}

impl Trainer<'_> {
    /// Trains from `state` on, with `history` behind it, telling the observers of each new row and
    /// event.
    pub fn run(
        mut self,
        state: TrainingState,
        history: &History,
        observers: &mut [&mut dyn Observer],
    ) -> TrainingEnd {
        let started = Instant::now();
        let mut summary = SummaryBuilder::default();
        history.rows.iter().for_each(|row| summary.row(row));
        history.events.iter().for_each(|event| summary.event(event));
        let mut log = Log { observers, summary };
        let (status, error) = match self.steps(state, &history.rows, &mut log) {
            Ok(status) => (status, None),
            Err(error) => (ExitStatus::Failed, Some(error)),
        };
        let total = started.elapsed().as_secs_f64() + history.seconds;
        TrainingEnd { summary: log.summary.finish(status, total), error }
    }

    fn steps(
        &mut self,
        start: TrainingState,
        rows: &[StepRow],
        log: &mut Log<'_, '_>,
    ) -> Result<ExitStatus> {
        let settings = self.settings.clone();
        let mut at = self.begin(start)?;
        let mut monitor = self.monitor(rows);
        let mut tracking = settings.tracker.map(Tracking::new);
        self.move_to(&at.theta, true)?;
        if at.step == 0 {
            check_determinism(&*self.problem.train, settings.precision)?;
        }

        for step in at.step..settings.steps {
            let clock = Instant::now();
            let measures = step % settings.every == 0;
            let evaluates = measures || step % settings.eval_every == 0;
            self.move_to(&at.theta, evaluates)?;
            let mut row = StepRow {
                step,
                lr: settings.schedule.rate(step) * at.rate_factor,
                param_norm: Some(norm(&at.theta)),
                ..StepRow::default()
            };
            let due_here = due(settings.checkpoint_every, step);
            let checkpoint = due_here.then(|| self.state(&at, step));

            let batch = at.batches.as_mut().map(BatchOrder::next_batch);
            // The first products of the eigenvalues that are followed come with the gradient.
            let probe = tracking.as_ref().filter(|_| measures && self.problem.curvature.is_none());
            let probe = probe.map(Tracking::probe);
            let (full, products, update) = self.gradients(batch, evaluates, probe)?;
            if let Some(full) = &full {
                row.train_loss = Some(full.evaluation.loss);
                row.train_accuracy = full.evaluation.accuracy;
                row.grad_norm = Some(norm(&full.gradient));
            }
            row.threshold = threshold(&row, &*self.optimizer);

            let update = update.as_ref().or(full.as_ref());
            let Some(update) = update else {
                unreachable!("without minibatches the full gradient is evaluated at each step")
            };
            let loss = update.evaluation.loss;
            let initial_loss = *at.initial_loss.get_or_insert(loss);
            if let Some(reason) = divergence(loss, norm(&update.gradient), initial_loss) {
                row.step_ms = milliseconds(clock);
                log.observed(&mut monitor, &mut row)?;
                log.end(&mut monitor)?;
                // A minibatch may show it before the rows do.
                if !monitor.has_diverged() {
                    let kind = EventKind::Divergence { train_loss: row.train_loss, reason };
                    log.event(&Event { step, kind })?;
                }
                return Ok(ExitStatus::Diverged);
            }

            if let (true, Some(validation)) = (evaluates, &self.problem.validation) {
                let evaluation = validation.evaluate()?;
                row.val_loss = Some(evaluation.loss);
                row.val_accuracy = evaluation.accuracy;
            }
            let before = at.theta.clone();
            self.update(&before, &mut at.theta, &update.gradient, batch, &mut row)?;
            if let Some(state) = &checkpoint {
                self.checkpoint(state, &self.optimizer.operator(), log)?;
            }
            if let Some((every, meter)) = &settings.spectrum
                && due(Some(*every), step)
            {
                let clock = Instant::now();
                row.hvps += self.spectrum(meter, &row, &before, log)?;
                row.curvature_ms = Some(milliseconds(clock));
            }
            let remark = match measures {
                true => {
                    let start = Start {
                        theta: &before,
                        gradient: full.as_ref().map(|full| &full.gradient[..]),
                        products: products.as_deref(),
                    };
                    self.measure(start, &mut row, tracking.as_mut())?
                }
                false => None,
            };
            row.step_ms = milliseconds(clock) - row.curvature_ms.unwrap_or(0.0);

            let warned = log.observed(&mut monitor, &mut row)?;
            if let Some(kind) = remark {
                log.event(&Event { step, kind })?;
            }
            let action = settings.on_warning.filter(|_| warned);
            if let Some(action) = action {
                self.act(action, step, &mut at, log)?;
            }
            let stopped = action == Some(WarningAction::Stop);
            let interrupted = self.interrupted.load(Ordering::SeqCst);
            if interrupted || stopped {
                log.end(&mut monitor)?;
                self.checkpoint_ahead(&at, step + 1, log)?;
                return Ok(match stopped {
                    true => ExitStatus::StoppedOnWarning,
                    false => ExitStatus::Interrupted,
                });
            }
        }
        log.end(&mut monitor)?;
        self.checkpoint_ahead(&at, settings.steps.max(at.step), log)?;
        Ok(ExitStatus::Completed)
    }

    /// Takes up a state.
    fn begin(&mut self, start: TrainingState) -> Result<Loop> {
        let TrainingState { step, theta, optimizer, batches, rate_factor, initial_loss } = start;
        self.optimizer.restore(&optimizer)?;
        let (samples, seed) = (self.problem.train.samples(), self.settings.seed);
        let order = |size| match batches {
            Some(position) => BatchOrder::at(samples, size, seed, position),
            None => BatchOrder::new(samples, size, seed),
        };
        let batches = self.settings.batch_size.map(order);
        Ok(Loop { step, theta, batches, rate_factor, initial_loss })
    }

    /// What training stands at before update `step`.
    fn state(&mut self, at: &Loop, step: usize) -> TrainingState {
        TrainingState {
            step,
            theta: at.theta.clone(),
            optimizer: self.optimizer.state(),
            batches: at.batches.as_ref().map(BatchOrder::position),
            rate_factor: at.rate_factor,
            initial_loss: at.initial_loss,
        }
    }

    /// A monitor that has seen `rows`.
    fn monitor(&self, rows: &[StepRow]) -> Monitor {
        let TrainSettings { meter, precision, schedule, .. } = &self.settings;
        let stability = StabilitySettings::at_resolution(precision.resolution());
        let tolerance = meter.meter.lanczos.tolerance;
        let mut monitor = Monitor::new(&stability, tolerance).with_schedule(*schedule);
        for row in rows {
            monitor.observe(row);
        }
        monitor
    }

    /// Does what is to be done where step `step` warned of a spike; it takes effect with the next
    /// update.
    fn act(
        &mut self,
        action: WarningAction,
        step: usize,
        at: &mut Loop,
        log: &mut Log<'_, '_>,
    ) -> Result<()> {
        match action {
            WarningAction::Stop => {}
            WarningAction::HalveLr => at.rate_factor /= 2.0,
            WarningAction::Checkpoint => self.checkpoint_ahead(at, step + 1, log)?,
        }
        let lr = self.settings.schedule.rate(step + 1) * at.rate_factor;
        let kind = EventKind::ActionTaken { action, next_step: step + 1, lr };
        log.event(&Event { step, kind })
    }

    /// The full gradient, where it is the update's or this step evaluates, with the Hessian's products
    /// with the vectors of `probe`, and the minibatch's gradient.
    fn gradients(
        &self,
        batch: Option<&[usize]>,
        evaluates: bool,
        probe: Option<Vec<f64>>,
    ) -> Result<Gradients> {
        let train = &self.problem.train;
        let (full, products) = match probe {
            Some(probe) => {
                let (full, products) = train.gradient_and_hvps(&probe)?;
                (Some(full), Some(products))
            }
            None if batch.is_none() || evaluates => (Some(train.gradient(Samples::All)?), None),
            None => (None, None),
        };
        let minibatch = batch.map(|batch| train.gradient(Samples::Batch(batch))).transpose()?;
        Ok((full, products, minibatch))
    }

    /// Takes the optimizer's step from `before`, which `theta` holds too, in the precision of the run,
    /// and records its norms. The training objective may be left at the point that SAM ascended to.
    fn update(
        &mut self,
        before: &[f64],
        theta: &mut [f64],
        gradient: &[f64],
        batch: Option<&[usize]>,
        row: &mut StepRow,
    ) -> Result<()> {
        self.descend(row.lr, theta, gradient, batch.map_or(Samples::All, Samples::Batch))?;
        theta.iter_mut().for_each(|w| *w = self.settings.precision.round(*w));
        let change: Vec<f64> = theta.iter().zip(before).map(|(a, b)| a - b).collect();
        row.update_norm = Some(norm(&change));
        row.relative_update = ratio(row.update_norm, row.param_norm);
        Ok(())
    }

    /// The optimizer's step, along gradients over `samples`.
    fn descend(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        samples: Samples<'_>,
    ) -> Result<()> {
        let train = &mut self.problem.train;
        let mut elsewhere = |point: &[f64]| {
            train.set_parameters(point)?;
            Ok(train.gradient(samples)?.gradient)
        };
        self.optimizer.step(lr, theta, gradient, &mut elsewhere)
    }

    fn checkpoint(
        &self,
        state: &TrainingState,
        operator: &StabilityOperator,
        log: &mut Log<'_, '_>,
    ) -> Result<()> {
        let checkpoint = Checkpoint { state, schedule: &self.settings.schedule, operator };
        log.observers.iter_mut().try_for_each(|observer| observer.checkpoint(checkpoint))
    }

    /// A checkpoint where training stands, before update `step` and whether or not it is taken.
    fn checkpoint_ahead(&mut self, at: &Loop, step: usize, log: &mut Log<'_, '_>) -> Result<()> {
        let state = self.state(at, step);
        let operator = self.operator_ahead(at, &state)?;
        self.checkpoint(&state, &operator, log)
    }

    /// The operator that the update from `state`, where training stands, will have: that update is
    /// taken with a copy of the weights, and the optimizer and the order of minibatches are left as
    /// they were. Without a preconditioner where that would not be finite.
    fn operator_ahead(&mut self, at: &Loop, state: &TrainingState) -> Result<StabilityOperator> {
        if !self.optimizer.is_preconditioned() {
            return Ok(self.optimizer.operator());
        }
        let mut batches = at.batches.clone();
        let samples = batches.as_mut().map_or(Samples::All, |b| Samples::Batch(b.next_batch()));
        self.problem.train.set_parameters(&state.theta)?;
        let gradient = self.problem.train.gradient(samples)?.gradient;
        let lr = self.settings.schedule.rate(state.step) * state.rate_factor;
        let taken = self.descend(lr, &mut state.theta.clone(), &gradient, samples);
        let mut operator = self.optimizer.operator();
        self.optimizer.restore(&state.optimizer)?;
        taken?;
        operator.preconditioner =
            operator.preconditioner.filter(|p| p.iter().all(|p| p.is_finite()));
        Ok(operator)
    }

    /// Measures a spectrum at `theta` and returns the products that it took.
    fn spectrum(
        &mut self,
        meter: &SpectrumMeter,
        row: &StepRow,
        theta: &[f64],
        log: &mut Log<'_, '_>,
    ) -> Result<usize> {
        let objective = self.problem.curvature.as_mut().unwrap_or(&mut self.problem.train);
        objective.set_parameters(theta)?;
        let mut spectrum = match meter.measure(&**objective, row.step) {
            Ok(spectrum) => spectrum,
            // The coming steps will show whether training diverges.
            Err(Error::NonFinite { .. }) => return Ok(0),
            Err(error) => return Err(error),
        };
        // The spectrum is the Hessian's; with another operator it is not what the threshold bounds.
        let bounds = meter.operator.is_hessian()
            && self.optimizer.operator().is_hessian()
            && !self.optimizer.is_preconditioned();
        spectrum.threshold = row.threshold.filter(|_| bounds);
        log.observers.iter_mut().try_for_each(|observer| observer.spectrum(&spectrum))?;
        Ok(spectrum.products)
    }

    /// Measures curvature where the optimizer has just stepped from, into `row`. Returns what is to be
    /// told of it besides: an audit's finding, or that a product was not finite.
    fn measure(
        &mut self,
        start: Start<'_>,
        row: &mut StepRow,
        tracking: Option<&mut Tracking>,
    ) -> Result<Option<EventKind>> {
        let clock = Instant::now();
        let perturbed = self.optimizer.perturbed();
        if perturbed.is_some() {
            self.problem.train.set_parameters(start.theta)?;
        }
        let operator = self.optimizer.operator();
        let objectives = Objectives {
            train: &mut *self.problem.train,
            curvature: self.problem.curvature.as_mut().map(|other| &mut **other as _),
        };
        let update = Update { operator: &operator, perturbed };
        let measured = self.settings.meter.measure(row, objectives, start, update, tracking);
        row.curvature_ms = Some(row.curvature_ms.unwrap_or(0.0) + milliseconds(clock));
        measured
    }

    /// Moves the objectives that this step evaluates to `theta`.
    fn move_to(&mut self, theta: &[f64], evaluates: bool) -> Result<()> {
        self.problem.train.set_parameters(theta)?;
        if evaluates {
            let others = [&mut self.problem.validation, &mut self.problem.curvature];
            for objective in others.into_iter().flatten() {
                objective.set_parameters(theta)?;
            }
        }
        Ok(())
    }
}

/// Where the loop is.
struct Loop {
    /// The first step.
    step: usize,
    theta: Vec<f64>,
    batches: Option<BatchOrder>,
    rate_factor: f64,
    initial_loss: Option<f64>,
}

/// The full gradient, products that came with it, and the minibatch's gradient.
type Gradients = (Option<GradientEvaluation>, Option<Vec<f64>>, Option<GradientEvaluation>);

/// numerator / denominator, where both were measured and the quotient is defined.
fn ratio(numerator: Option<f64>, denominator: Option<f64>) -> Option<f64> {
    let (numerator, denominator) = (numerator?, denominator?);
    (denominator != 0.0).then(|| numerator / denominator)
}

fn due(every: Option<usize>, step: usize) -> bool {
    every.is_some_and(|every| step.is_multiple_of(every))
}

fn milliseconds(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e3
}

struct Log<'a, 'b> {
    observers: &'a mut [&'b mut dyn Observer],
    summary: SummaryBuilder,
}

impl Log<'_, '_> {
    fn row(&mut self, row: &StepRow) -> Result<()> {
        self.summary.row(row);
        self.observers.iter_mut().try_for_each(|observer| observer.row(row))
    }

    /// Names the row's phase, and tells of it and of what the monitor sees in it. Returns whether
    /// that warns of a spike.
    fn observed(&mut self, monitor: &mut Monitor, row: &mut StepRow) -> Result<bool> {
        let events = monitor.judge(row);
        self.row(row)?;
        events.iter().try_for_each(|event| self.event(event))?;
        Ok(events.iter().any(|event| matches!(event.kind, EventKind::SpikeWarning { .. })))
    }

    /// What the monitor has left to say at the end.
    fn end(&mut self, monitor: &mut Monitor) -> Result<()> {
        monitor.finish().iter().try_for_each(|event| self.event(event))
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.summary.event(event);
        self.observers.iter_mut().try_for_each(|observer| observer.event(event))
    }
}
