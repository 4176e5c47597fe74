//! The loop itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::seek::{toward, tuned};
use super::step::{Loop, Step};
use super::{BatchOrder, Seek};
use crate::autodiff::{GradientEvaluation, Objective, Samples, check_determinism};
use crate::curvature::{SpectrumMeter, Tracking};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::optim::{Optimizer, Schedule, StabilityContext, StabilityOperator};
use crate::problem::Problem;
use crate::profile::{
    Checkpoint, Descended, History, Objectives, Observer, Realized, Recorder, RunInfo, Start,
    StepMeter, TrainingState, Update, action_taken, monitor, rate_factor_after, row, threshold,
};
use crate::record::{Event, EventKind, ExitStatus, Summary, WarningAction};
use crate::stability::{Monitor, StabilitySettings};

/// How it is trained and how often it is measured.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainSettings {
    /// Learning rate eta of each update.
    pub schedule: Schedule,
    /// How it is found instead, where it follows curvature.
    pub seek: Option<Seek>,
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

impl TrainSettings {
    /// The monitor of such a run with that optimizer.
    pub fn monitor(&self, optimizer: &dyn Optimizer) -> Monitor {
        let settings = StabilitySettings::at_resolution(self.precision.resolution());
        let tolerance = self.meter.meter.extremes.tolerance;
        monitor(&settings, tolerance, Some(self.schedule), Some(optimizer))
    }
}

impl Trainer<'_> {
    /// Trains from `state` on, as [`Trainer::record`] does, a run of which nothing is known but what
    /// it has behind it.
    ///
    /// # Errors
    /// As [`Trainer::record`].
    pub fn run(
        self,
        state: TrainingState,
        history: &History,
        observers: &mut [&mut dyn Observer],
    ) -> Result<TrainingEnd> {
        let layout = self.problem.train.layout();
        let run = RunInfo {
            first_step: state.step,
            steps: Some(self.settings.steps),
            history: history.clone(),
            ..RunInfo::of(layout, &state.theta, self.settings.precision)
        };
        let observers =
            observers.iter_mut().map(|observer| Box::new(observer) as Box<dyn Observer>);
        self.record(state, observers.collect(), &run)
    }

    /// Trains from `state` on, telling the observers of `run` and of each new row and event.
    ///
    /// # Errors
    /// Those of observers at the beginning and at the end; what goes wrong between them is
    /// [`TrainingEnd::error`].
    pub fn record(
        mut self,
        state: TrainingState,
        observers: Vec<Box<dyn Observer + '_>>,
        run: &RunInfo,
    ) -> Result<TrainingEnd> {
        let monitor = self.settings.monitor(&*self.optimizer);
        let monitor = monitor.with_zero_output_loss(run.zero_output_loss);
        let mut recorder = Recorder::start(monitor, observers, run)?;
        let (status, error) = match self.steps(state, run.zero_output_loss, &mut recorder) {
            Ok(status) => (status, None),
            Err(error) => (ExitStatus::Failed, Some(error)),
        };
        let (summary, told) = recorder.close(status, error.as_ref());
        // What went wrong first is what is to be known: a full disk, say, is full at the end as well.
        if error.is_none() {
            told?;
        }
        Ok(TrainingEnd { summary, error })
    }

    /// Tells the observers of the end of a run that has its rows behind it and ended so; of divergence
    /// `reason`, unless the rows show it.
    ///
    /// # Errors
    /// Those of observers.
    pub fn close(
        self,
        status: ExitStatus,
        reason: String,
        observers: Vec<Box<dyn Observer + '_>>,
        run: &RunInfo,
    ) -> Result<TrainingEnd> {
        let mut recorder =
            Recorder::start(self.settings.monitor(&*self.optimizer), observers, run)?;
        match run.history.rows.last() {
            Some(row) if status == ExitStatus::Diverged => recorder.diverged(row, reason)?,
            _ => drop(recorder.end()?),
        }
        let summary = recorder.finish(status, None)?;
        Ok(TrainingEnd { summary, error: None })
    }

    fn steps(
        &mut self,
        start: TrainingState,
        zero_output_loss: Option<f64>,
        recorder: &mut Recorder<'_>,
    ) -> Result<ExitStatus> {
        let mut at = self.begin(start)?;
        for number in at.step..self.settings.steps {
            let mut step = self.open(number, &mut at)?;
            self.evaluate(&mut step, at.tracking.as_ref())?;
            if let Some(reason) = step.divergence(&mut at, zero_output_loss) {
                step.row.step_ms = step.milliseconds();
                recorder.row(&mut step.row, None)?;
                recorder.diverged(&step.row, reason)?;
                return Ok(ExitStatus::Diverged);
            }
            self.update(&mut step, &mut at)?;
            self.save(&step, recorder)?;
            self.measure(&mut step, at.tracking.as_mut(), recorder)?;
            if let Some(Seek::Edge(target)) = self.settings.seek {
                self.seek(toward(&step.row, target), number, &mut at);
            }
            if let Some(status) = self.tell(step, &mut at, recorder)? {
                return Ok(status);
            }
        }
        recorder.end()?;
        self.save_ahead(&at, self.settings.steps.max(at.step), recorder)?;
        self.test(&at, recorder)?;
        Ok(ExitStatus::Completed)
    }

    /// Takes up a state.
    fn begin(&mut self, start: TrainingState) -> Result<Loop> {
        let TrainingState { step, theta, optimizer, batches, rate_factor, sought, .. } = start;
        let mut tracking = self.settings.meter.tracking();
        if let (Some(tracking), Some(memory)) = (&mut tracking, &start.tracking) {
            tracking.restore(theta.len(), memory)?;
        }
        self.optimizer.restore(&optimizer)?;
        let (samples, seed) = (self.problem.train.samples(), self.settings.seed);
        let order = |size| match batches {
            Some(position) => BatchOrder::at(samples, size, seed, position),
            None => BatchOrder::new(samples, size, seed),
        };
        let batches = self.settings.batch_size.map(order);
        self.move_to(&theta, true)?;
        if step == 0 {
            check_determinism(&*self.problem.train, self.settings.precision)?;
        }
        let (previous, initial_loss) = (start.previous, start.initial_loss);
        Ok(Loop { step, theta, batches, rate_factor, tracking, sought, previous, initial_loss })
    }

    /// What training stands at before update `step`.
    fn state(&mut self, at: &Loop, step: usize) -> TrainingState {
        TrainingState {
            step,
            theta: at.theta.clone(),
            optimizer: self.optimizer.state(),
            batches: at.batches.as_ref().map(BatchOrder::position),
            rate_factor: at.rate_factor,
            sought: at.sought,
            previous: at.previous.clone(),
            initial_loss: at.initial_loss,
            tracking: at.tracking.as_ref().map(Tracking::memory),
        }
    }

    /// Step `number`, with what is due at it: objectives stand at its parameters, its state is kept if a
    /// checkpoint is due, its minibatch is drawn.
    fn open(&mut self, number: usize, at: &mut Loop) -> Result<Step> {
        let clock = Instant::now();
        let settings = &self.settings;
        let due = |every: usize| number.is_multiple_of(every);
        let measures = due(settings.every);
        let evaluates = measures || due(settings.eval_every);
        let saves = settings.checkpoint_every.is_some_and(due);
        let spectrum = settings.spectrum.as_ref().is_some_and(|(every, _)| due(*every));
        let lr = match &settings.seek {
            Some(Seek::Recorded(rates)) if number < rates.len() => rates[number],
            _ => self.planned(at.sought).rate(number) * at.rate_factor,
        };
        self.move_to(&at.theta, evaluates)?;
        let state = saves.then(|| self.state(at, number));
        let batch = at.batches.as_mut().map(|order| order.next_batch().to_vec());
        Ok(Step {
            clock,
            measures,
            evaluates,
            spectrum,
            state,
            row: row::begin(number, lr, &at.theta),
            before: at.theta.clone(),
            previous: at.previous.take(),
            change: Vec::new(),
            batch,
            full: None,
            products: None,
            minibatch: None,
            remark: None,
        })
    }

    /// The schedule with the rate that was found for the coming update, where one was.
    fn planned(&self, sought: Option<f64>) -> Schedule {
        let schedule = self.settings.schedule;
        Schedule { lr: sought.unwrap_or(schedule.lr), ..schedule }
    }

    /// Keeps the rate that was found at step `number` for the next; in the warm-up none is.
    fn seek(&self, found: f64, number: usize, at: &mut Loop) {
        if number + 1 >= self.settings.schedule.warmup {
            at.sought = Some(found);
        }
    }

    /// Finds the rate of this step from a trial of its update.
    fn tune(&mut self, step: &mut Step, at: &mut Loop, target: f64) -> Result<()> {
        let number = step.row.step;
        if number < self.settings.schedule.warmup {
            return Ok(());
        }
        let lr = self.settings.schedule.rate(number);
        let gradient = &step.descended().gradient;
        let state = self.optimizer.state();
        let mut theta = step.before.clone();
        let taken = self.descend(lr, &mut theta, gradient, step.samples());
        self.optimizer.restore(&state)?;
        taken?;
        let s: Vec<f64> = theta.iter().zip(&step.before).map(|(a, b)| a - b).collect();
        self.problem.train.set_parameters(&step.before)?;
        let product = self.problem.train.hvp_over(step.samples(), &s)?;
        let found = tuned(lr, target, -dot(gradient, &s), dot(&s, &product));
        step.row.hvps += 1;
        at.sought = Some(found);
        step.row.lr = found * at.rate_factor;
        step.row.threshold = threshold(&step.row, &*self.optimizer);
        Ok(())
    }

    /// The full gradient, where it is the update's or this step evaluates, the minibatch's gradient, and
    /// the validation loss.
    fn evaluate(&self, step: &mut Step, tracking: Option<&Tracking>) -> Result<()> {
        let train = &self.problem.train;
        if step.measures && self.problem.curvature.is_none() {
            // The first products of the eigenvalues that are followed come with the gradient, and others
            // share its pass.
            let probe = tracking.map(Tracking::probe);
            let (full, products) = train.gradient_and_hvps(probe.as_deref().unwrap_or_default())?;
            (step.full, step.products) = (Some(full), probe.map(|_| products));
        } else if step.batch.is_none() || step.evaluates {
            let multiplies = step.batch.is_none() && self.multiplies_update(step);
            step.full = Some(gradient(&**train, Samples::All, multiplies)?);
        }
        if let Some(batch) = &step.batch {
            let multiplies = self.multiplies_update(step);
            step.minibatch = Some(gradient(&**train, Samples::Batch(batch), multiplies)?);
        }
        if let Some(full) = &step.full {
            row::enter_evaluation(&mut step.row, full);
        }
        if step.minibatch.is_some() {
            step.row.batch_grad_norm = Some(norm(&step.descended().gradient));
        }
        step.row.threshold = threshold(&step.row, &*self.optimizer);
        Ok(())
    }

    /// Whether the Hessian that belongs to the update's gradient will be multiplied with the update. SAM
    /// leaves the parameters for another gradient, and with them what could be repeated.
    fn multiplies_update(&self, step: &Step) -> bool {
        let realized = self.settings.meter.realized != Realized::Off;
        step.measures && realized && self.optimizer.perturbed().is_none()
    }

    /// Validates, takes the optimizer's step in the precision of the run, and records its norms. The
    /// training objective may be left at the point that SAM ascended to.
    fn update(&mut self, step: &mut Step, at: &mut Loop) -> Result<()> {
        if let (true, Some(validation)) = (step.evaluates, &mut self.problem.validation) {
            if let Some(averaged) = self.optimizer.averaged() {
                validation.set_parameters(averaged)?;
            }
            let evaluation = validation.evaluate()?;
            step.row.val_loss = Some(evaluation.loss);
            step.row.val_accuracy = evaluation.accuracy;
        }
        if let Some(Seek::Cdat(target)) = self.settings.seek {
            self.tune(step, at, target)?;
        }
        let gradient = &step.descended().gradient;
        self.descend(step.row.lr, &mut at.theta, gradient, step.samples())?;
        step.row.clip_factor = self.optimizer.clip_factor();
        at.theta.iter_mut().for_each(|w| *w = self.settings.precision.round(*w));
        step.change = row::enter_update(&mut step.row, &step.before, &at.theta);
        if self.settings.meter.looks_back() {
            at.previous = Some(step.before.clone());
        }
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

    /// The checkpoint that is due: the state of before the update with the operator of the update.
    fn save(&self, step: &Step, recorder: &mut Recorder<'_>) -> Result<()> {
        let Some(state) = &step.state else { return Ok(()) };
        let operator = &self.optimizer.operator();
        let schedule = &self.planned(state.sought);
        recorder.checkpoint(Checkpoint { state, schedule, operator })
    }

    /// A checkpoint where training stands, before update `step` and whether or not it is taken.
    fn save_ahead(&mut self, at: &Loop, step: usize, recorder: &mut Recorder<'_>) -> Result<()> {
        let state = &self.state(at, step);
        let operator = &self.operator_ahead(at, state)?;
        let schedule = &self.planned(state.sought);
        recorder.checkpoint(Checkpoint { state, schedule, operator })
    }

    /// The test of the weights where training ended.
    fn test(&mut self, at: &Loop, recorder: &mut Recorder<'_>) -> Result<()> {
        let Some(test) = &mut self.problem.test else { return Ok(()) };
        test.set_parameters(&at.theta)?;
        let evaluation = test.evaluate()?;
        recorder.tested(evaluation.loss, evaluation.accuracy);
        Ok(())
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
        let lr = self.planned(state.sought).rate(state.step) * state.rate_factor;
        let taken = self.descend(lr, &mut state.theta.clone(), &gradient, samples);
        let mut operator = self.optimizer.operator();
        self.optimizer.restore(&state.optimizer)?;
        taken?;
        operator.preconditioner =
            operator.preconditioner.filter(|p| p.iter().all(|p| p.is_finite()));
        operator.basis = operator.basis.filter(|_| operator.preconditioner.is_some());
        Ok(operator)
    }

    /// Measures the spectrum and the curvature that are due where the optimizer has just stepped from.
    fn measure(
        &mut self,
        step: &mut Step,
        tracking: Option<&mut Tracking>,
        recorder: &mut Recorder<'_>,
    ) -> Result<()> {
        let clock = Instant::now();
        if step.spectrum {
            step.row.hvps += self.spectrum(step, recorder)?;
        }
        if step.measures {
            step.remark = self.curvature(step, tracking)?;
        }
        if step.spectrum || step.measures {
            step.row.curvature_ms = Some(clock.elapsed().as_secs_f64() * 1e3);
        }
        step.row.step_ms = step.milliseconds() - step.row.curvature_ms.unwrap_or(0.0);
        Ok(())
    }

    /// Measures a spectrum and returns the products that it took.
    fn spectrum(&mut self, step: &Step, recorder: &mut Recorder<'_>) -> Result<usize> {
        let Some((_, meter)) = &self.settings.spectrum else { return Ok(0) };
        let objective = self.problem.curvature.as_mut().unwrap_or(&mut self.problem.train);
        objective.set_parameters(&step.before)?;
        let mut spectrum = match meter.measure(&**objective, step.row.step) {
            Ok(spectrum) => spectrum,
            // The coming steps will show whether training diverges.
            Err(Error::NonFinite { .. }) => return Ok(0),
            Err(error) => return Err(error),
        };
        // The spectrum is the Hessian's; with another operator it is not what the threshold bounds.
        let bounds = meter.operator.is_hessian()
            && self.optimizer.operator().is_hessian()
            && !self.optimizer.is_preconditioned();
        spectrum.threshold = step.row.threshold.filter(|_| bounds);
        recorder.spectrum(&spectrum)?;
        Ok(spectrum.products)
    }

    /// Completes the row with its curvature. Returns what is to be told of it besides: an audit's
    /// finding, or that a product was not finite.
    fn curvature(
        &mut self,
        step: &mut Step,
        tracking: Option<&mut Tracking>,
    ) -> Result<Option<EventKind>> {
        let perturbed = self.optimizer.perturbed();
        if perturbed.is_some() {
            self.problem.train.set_parameters(&step.before)?;
        }
        let samples = step.batch.as_deref().map_or(Samples::All, Samples::Batch);
        let descended = step.minibatch.as_ref().or(step.full.as_ref());
        let start = Start {
            theta: &step.before,
            previous: step.previous.as_deref(),
            update: Some(&step.change),
            descended: descended.map(|of| Descended { samples, gradient: &of.gradient }),
            gradient: step.full.as_ref().map(|full| &full.gradient[..]),
            products: step.products.as_deref(),
        };
        let objectives = Objectives {
            train: &mut *self.problem.train,
            curvature: self.problem.curvature.as_mut().map(|other| &mut **other as _),
        };
        let context = StabilityContext { lr: step.row.lr, grad_norm: step.row.grad_norm };
        let batch_edges = self.optimizer.batch_edges(&context);
        let operator = &self.optimizer.operator();
        let early_factor = self.optimizer.early_factor();
        let update = Update { operator, perturbed, batch_edges, early_factor };
        let measured =
            self.settings.meter.measure(&mut step.row, objectives, start, update, tracking)?;
        Ok(measured.remark)
    }

    /// Tells of the row and does what is to be done where it warns of a spike. Returns how the run
    /// ends, where it ends after this step.
    fn tell(
        &mut self,
        mut step: Step,
        at: &mut Loop,
        recorder: &mut Recorder<'_>,
    ) -> Result<Option<ExitStatus>> {
        let events = recorder.row(&mut step.row, step.remark.take())?;
        let warning = events.iter().find_map(|event| match event.kind {
            EventKind::SpikeWarning { bearable, .. } => Some(bearable),
            _ => None,
        });
        let action = self.settings.on_warning.filter(|_| warning.is_some());
        if let Some(action) = action {
            let factor = action.factor_for(warning.flatten());
            self.act(action, factor, step.row.step, at, recorder)?;
        }
        if self.settings.on_warning == Some(WarningAction::LowerLr) {
            self.give_back(&events, step.row.step, at, recorder)?;
        }
        let status = if action == Some(WarningAction::Stop) {
            ExitStatus::StoppedOnWarning
        } else if self.interrupted.load(Ordering::SeqCst) {
            ExitStatus::Interrupted
        } else {
            return Ok(None);
        };
        recorder.end()?;
        self.save_ahead(at, step.row.step + 1, recorder)?;
        self.test(at, recorder)?;
        Ok(Some(status))
    }

    /// Does what is to be done where step `step` warned of a spike; it takes effect with the next
    /// update.
    fn act(
        &mut self,
        action: WarningAction,
        factor: f64,
        step: usize,
        at: &mut Loop,
        recorder: &mut Recorder<'_>,
    ) -> Result<()> {
        at.rate_factor = rate_factor_after(at.rate_factor, factor);
        // A run that goes on from the checkpoint keeps the events of before it.
        let factors = [factor, at.rate_factor];
        let kind = action_taken(action, step + 1, &self.planned(at.sought), factors);
        recorder.event(&Event { step, kind })?;
        if action == WarningAction::Checkpoint {
            self.save_ahead(at, step + 1, recorder)?;
        }
        Ok(())
    }

    /// Gives of the learning rate back what the coming steps bear, where the row says so.
    fn give_back(
        &mut self,
        events: &[Event],
        step: usize,
        at: &mut Loop,
        recorder: &mut Recorder<'_>,
    ) -> Result<()> {
        let lifted = events.iter().find_map(|event| match event.kind {
            EventKind::WarningLifted { bearable, .. } => Some(bearable),
            _ => None,
        });
        match lifted.map(|bearable| bearable.min(1.0 / at.rate_factor)) {
            Some(factor) if factor > 1.0 => {
                self.act(WarningAction::LowerLr, factor, step, at, recorder)
            }
            _ => Ok(()),
        }
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

/// The gradient over these samples; where products with their Hessian follow, so that these repeat it.
fn gradient(
    objective: &dyn Objective,
    samples: Samples<'_>,
    multiplies: bool,
) -> Result<GradientEvaluation> {
    match multiplies {
        true => Ok(objective.gradient_and_hvps_over(samples, &[])?.0),
        false => objective.gradient(samples),
    }
}
