//! Training curves and bands with the project's optimizers and schedules.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{Connection, Method};
use crate::autodiff::ParameterLayout;
use crate::config::{BatchSize, RunConfig, Settings, Values};
use crate::error::{Error, Result};
use crate::experiment::landscape::Compared;
use crate::landscape::curve::{
    Band, BandSettings, Curve, CurveKind, CurveTraining, Descent, insert_pivots, relax, train_curve,
};
use crate::optim::{Hyperparameters, NUMBERS, OptimizerSpec, Schedule};
use crate::train::BatchOrder;

/// Points between two pivots at which is looked for a place for another.
const BETWEEN: usize = 9;
/// Pivots inserted at a time, at most.
const INSERTED: usize = 2;

/// How control points descend.
#[derive(Debug, Clone, PartialEq)]
pub struct Descending {
    /// The update rule, whose weight decay is [`Descending::decay`].
    pub optimizer: OptimizerSpec,
    /// Weight decay of the curve's own weights.
    pub decay: f64,
    /// The learning rate of each update.
    pub schedule: Schedule,
    /// Updates.
    pub steps: usize,
    /// Samples in a minibatch; all of them otherwise.
    pub batch_size: BatchSize,
    /// Seed of positions and minibatches.
    pub seed: u64,
}

/// An update of a curve or a band.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TrainedStep {
    /// Its number, from 0.
    pub step: usize,
    /// Its learning rate.
    pub lr: f64,
    /// Position on the curve; none of a band, whose pivots all move.
    pub t: Option<f64>,
    /// Free control points.
    pub bends: usize,
    /// The loss there; of a band, the largest at a pivot.
    pub loss: f64,
    /// The mean loss of a band's inner pivots.
    pub mean_loss: Option<f64>,
    /// Norm of the gradient that was descended.
    pub grad_norm: f64,
}

/// The training of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Trained {
    /// Its updates.
    pub steps: Vec<TrainedStep>,
    /// How it ended.
    pub end: Descent,
}

impl Descending {
    /// What the given settings say; what they leave out: Adam at 0.005 falling to zero along half a cosine
    /// over full-batch updates, 2000 of a curve and 1000 of a band, each of which takes a gradient at each pivot.
    ///
    /// # Errors
    /// [`Error::Setting`] for a setting that says something else than how a curve is trained, and as
    /// [`RunConfig::resolve`].
    pub fn of(given: Settings, method: Method) -> Result<Self> {
        let own = Settings {
            optimizer: given.optimizer.clone(),
            base: given.base.clone(),
            numbers: given.numbers.clone(),
            lr: given.lr.clone(),
            schedule: given.schedule.clone(),
            warmup: given.warmup.clone(),
            final_lr: given.final_lr,
            decay_factor: given.decay_factor,
            decay_every: given.decay_every,
            batch_size: given.batch_size.clone(),
            steps: given.steps,
            seed: given.seed,
            ..Settings::default()
        };
        if own != given {
            let problem = "they say more than how the curve is trained";
            let remedy = "give flags of the optimizer and the learning rate, --batch-size, --steps and \
                          --seed alone";
            return Err(Error::setting("--", "FLAGS", problem, remedy));
        }
        let adam = own.optimizer.is_none().then(|| Values(vec!["adam".to_string()]));
        let lr = (adam.is_some() && own.lr.is_none()).then(|| Values(vec![0.005]));
        let falls =
            own.schedule.is_none().then(|| Values(vec![crate::optim::ScheduleKind::Cosine]));
        let steps = if method == Method::Neb { 1000 } else { 2000 };
        let defaults = Settings {
            optimizer: adam,
            lr,
            schedule: falls,
            steps: Some(steps),
            ..Settings::default()
        };
        let config = RunConfig::resolve(own.or(defaults))?;
        let schedule = config.learning_rate();
        let RunConfig { mut optimizer, steps, batch_size, seed, .. } = config;
        let decay = optimizer.hyperparameters.weight_decay.unwrap_or(0.0);
        optimizer.hyperparameters = without_decay(optimizer.hyperparameters);
        Ok(Self { optimizer, decay, schedule, steps, batch_size, seed })
    }

    /// Refuses minibatches of more samples than there are.
    pub(super) fn check_samples(&self, samples: usize) -> Result<()> {
        if let Some(size) = self.batch_size.0.filter(|&size| size > samples) {
            let problem = format!("there are {samples} training samples");
            let remedy = format!("give at most {samples}");
            return Err(Error::setting("--batch-size", size, problem, remedy));
        }
        Ok(())
    }

    fn batches(&self, samples: usize) -> Result<impl FnMut() -> Option<Vec<usize>>> {
        self.check_samples(samples)?;
        let mut order = self.batch_size.0.map(|size| BatchOrder::new(samples, size, self.seed));
        Ok(move || order.as_mut().map(|order| order.next_batch().to_vec()))
    }
}

/// Taken where it is, with nothing.
fn without_decay(numbers: Hyperparameters) -> Hyperparameters {
    let decay = NUMBERS.iter().find(|number| number.name == "weight_decay");
    match (decay, numbers.weight_decay) {
        (Some(decay), Some(_)) => numbers.with(decay, Some(0.0)),
        _ => numbers,
    }
}

/// The layout of that many points, one after the other.
fn repeated(layout: &ParameterLayout, times: usize) -> ParameterLayout {
    let named = |point: usize| {
        let entries = layout.entries().iter();
        entries.map(move |entry| (format!("{point}.{}", entry.name), entry.shape.clone()))
    };
    ParameterLayout::new((0..times).flat_map(named))
}

impl Connection {
    /// Trains what is asked for between `ends`.
    pub(super) fn train(
        &self,
        compared: &mut Compared,
        [a, b]: [&[f64]; 2],
        interrupted: &AtomicBool,
        told: &mut dyn FnMut(&TrainedStep),
    ) -> Result<(Curve, Trained)> {
        let mut steps = Vec::new();
        let mut tell = |step: TrainedStep| {
            told(&step);
            steps.push(step);
            Ok(!interrupted.load(Ordering::SeqCst))
        };
        let kind = match self.method {
            Method::Bezier => CurveKind::Bezier,
            Method::Polychain => CurveKind::Polychain,
            Method::Neb => {
                let (curve, end) = self.relax(compared, [a, b], &mut tell)?;
                return Ok((curve, Trained { steps, end }));
            }
        };
        let mut curve = Curve::straight(kind, a, b, self.bends)?;
        let Descending { schedule, decay, steps: count, seed, .. } = self.descending;
        let precision = compared.prepared.device.precision();
        let train = &mut compared.prepared.problem.train;
        let layout = repeated(train.layout(), self.bends);
        let training = CurveTraining {
            optimizer: &mut *self.descending.optimizer.build_for(&layout),
            rate: &|step| schedule.rate(step),
            steps: count,
            decay,
            seed,
            batch: &mut self.descending.batches(train.samples())?,
            round: &|w| precision.round(w),
        };
        let bends = self.bends;
        let end = train_curve(&mut curve, &mut **train, training, |step| {
            let (t, mean_loss) = (Some(step.t), None);
            let (loss, grad_norm) = (step.loss, step.grad_norm);
            tell(TrainedStep { step: step.step, lr: step.lr, t, bends, loss, mean_loss, grad_norm })
        })?;
        Ok((curve, Trained { steps, end }))
    }

    fn relax(
        &self,
        compared: &mut Compared,
        [a, b]: [&[f64]; 2],
        tell: &mut dyn FnMut(TrainedStep) -> Result<bool>,
    ) -> Result<(Curve, Descent)> {
        let mut band = Band::straight(a, b, self.bends)?;
        let Descending { schedule, decay, steps, .. } = self.descending;
        let precision = compared.prepared.device.precision();
        let train = &mut compared.prepared.problem.train;
        let mut batches = self.descending.batches(train.samples())?;
        let mut end = Descent::Completed;
        for cycle in 0..self.cycles {
            if cycle > 0 {
                insert_pivots(&mut band, &mut **train, BETWEEN, INSERTED)?;
            }
            let layout = repeated(train.layout(), band.chain.free().len() / a.len().max(1));
            let settings = BandSettings {
                optimizer: &mut *self.descending.optimizer.build_for(&layout),
                rate: &|step| schedule.rate(step),
                steps: steps * cycle / self.cycles..steps * (cycle + 1) / self.cycles,
                decay,
                batch: &mut batches,
                round: &|w| precision.round(w),
            };
            end = relax(&mut band, &mut **train, settings, |step| {
                let (t, mean_loss) = (None, Some(step.mean_loss));
                let (bends, loss, grad_norm) = (step.pivots, step.max_loss, step.grad_norm);
                tell(TrainedStep {
                    step: step.step,
                    lr: step.lr,
                    t,
                    bends,
                    loss,
                    mean_loss,
                    grad_norm,
                })
            })?;
            if end != Descent::Completed {
                break;
            }
        }
        Ok((band.chain, end))
    }
}
