//! When does a run commit? Copies branch off, differ in their noise alone, and train on; the straight line
//! between their ends has a barrier, or none (Frankle, Dziugaite, Roy & Carbin 2020, arXiv:1912.05671).

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};

use super::{Compared, Output};
use crate::config::Settings;
use crate::error::{Error, Result};
use crate::experiment::Branching;
use crate::experiment::branch::Forked;
use crate::experiment::csv_table::Table;
use crate::figure::{PathCurve, PathFigure, PathPanel, Scale, Stroke, paths_png, paths_svg};
use crate::landscape::{Barriers, along, barriers, distance, evenly, line};
use crate::linalg::{norm, random_unit_vector};
use crate::profile::{Checkpoint, History, Observer, StepMeter};
use crate::record::{EventKind, ExitStatus, optional};
use crate::rng::{self, Stream};
use crate::rundir::StoredRun;
use crate::train::{TrainSettings, Trainer};

/// An error barrier below this is none (Frankle et al. 2020).
const STABLE: f64 = 0.02;

/// What is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Instability {
    /// Steps at which copies branch off.
    pub at: Vec<usize>,
    /// Copies at each.
    pub orders: usize,
    /// Beside another order of minibatches, each copy is moved this far in a random direction, by the norm of the
    /// weights; `None` for the order alone.
    pub perturb: Option<f64>,
    /// Points on each line.
    pub points: usize,
}

/// Two copies from one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Barriers over the training samples.
    pub train: Barriers,
    /// Barriers over the validation samples, where there are any.
    pub validation: Option<Barriers>,
    /// How far apart they ended.
    pub distance: f64,
}

/// The copies from one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Branched {
    /// The step.
    pub step: usize,
    /// Each two of them that did not diverge.
    pub pairs: Vec<Pair>,
    /// How far they went from there, on average.
    pub travelled: f64,
    /// Copies that diverged.
    pub diverged: usize,
}

/// What a run shows of itself.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Landmarks {
    /// When it entered the edge of stability first.
    pub edge_entered: Option<usize>,
    /// When its loss spikes began.
    pub spikes: Vec<usize>,
}

impl Instability {
    /// Refuses what cannot be asked of that run.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, run: &StoredRun) -> Result<()> {
        let wrong = |flag: &str, value: &dyn std::fmt::Display, problem: &str, remedy: &str| {
            Err(Error::setting(flag, value, problem, remedy))
        };
        if self.at.is_empty() {
            return wrong("--at", &"", "no step is given", "give steps with checkpoints, as 0,50");
        }
        if self.orders < 2 {
            return wrong("--orders", &self.orders, "a line has two ends", "give 2 or more");
        }
        if self.points < 3 {
            let problem = "a barrier lies between two ends";
            return wrong("--points", &self.points, problem, "give 3 or more");
        }
        if let Some(far) = self.perturb.filter(|far| !(far.is_finite() && *far > 0.0)) {
            let remedy = "give a finite number above 0, such as 1e-3";
            return wrong("--perturb", &far, "not a distance", remedy);
        }
        let config = run.config()?;
        if config.batch_size.0.is_none() && self.perturb.is_none() {
            let problem = "the run is full-batch: no order of samples tells two copies apart";
            let remedy = "name other noise with --perturb, or give a run with minibatches";
            return wrong("--orders", &self.orders, problem, remedy);
        }
        for &step in &self.at {
            self.opened(run, step)?;
            if step >= config.steps {
                let remedy = format!("give steps below {}", config.steps);
                return wrong("--at", &step, "the run has ended there", &remedy);
            }
        }
        Ok(())
    }

    fn opened(&self, run: &StoredRun, step: usize) -> Result<StoredRun> {
        let stored = StoredRun::open(&PathBuf::from(format!("{}@{step}", run.path().display())))?;
        if step > 0 && !run.directory().checkpoint_is_complete(step) {
            let problem = "the checkpoint lacks some of its parts";
            return Err(Error::setting("--at", step, problem, "name another"));
        }
        Ok(stored)
    }

    /// Trains the copies from each step to the run's end, and measures the lines between them. `told` is told of
    /// each step that is done.
    ///
    /// # Errors
    /// As [`Branching::start`]; [`Error::State`] where `interrupted` is set.
    pub fn measure(
        &self,
        run: &StoredRun,
        compared: &mut Compared,
        interrupted: &AtomicBool,
        mut told: impl FnMut(&Branched),
    ) -> Result<Vec<Branched>> {
        let mut all = Vec::new();
        for &step in &self.at {
            let stored = self.opened(run, step)?;
            let mut ends = Vec::new();
            let mut travelled = 0.0;
            for copy in 0..self.orders {
                let Some((start, end)) = self.copy(&stored, copy, interrupted)? else { continue };
                travelled += distance(&start, &end)?;
                ends.push(end);
            }
            let mut pairs = Vec::new();
            for (i, a) in ends.iter().enumerate() {
                for b in &ends[i + 1..] {
                    pairs.push(self.pair(compared, a, b)?);
                }
            }
            let branched = Branched {
                step,
                pairs,
                travelled: travelled / ends.len().max(1) as f64,
                diverged: self.orders - ends.len(),
            };
            told(&branched);
            all.push(branched);
        }
        Ok(all)
    }

    /// Where a copy started and where it ended; `None` where it diverged.
    fn copy(
        &self,
        stored: &StoredRun,
        copy: usize,
        interrupted: &AtomicBool,
    ) -> Result<Option<(Vec<f64>, Vec<f64>)>> {
        let config = stored.config()?;
        let own = config.order_seed.unwrap_or(config.seed);
        let order_seed = config.batch_size.0.is_some().then(|| own.wrapping_add(copy as u64 + 1));
        let changes = Settings { order_seed, ..Settings::default() };
        let fork = Branching { changes, quadratic: false }.fork(stored)?;
        let Forked { prepared, mut state, .. } = fork;
        if let Some(far) = self.perturb {
            let mut rng = rng::stream(config.seed, Stream::Perturbation { copy: copy as u32 });
            let direction = random_unit_vector(state.theta.len(), &mut rng);
            let far = far * norm(&state.theta);
            let precision = prepared.device.precision();
            let moves = state.theta.iter_mut().zip(direction);
            moves.for_each(|(w, u)| *w = precision.round(*w + far * u));
        }
        let start = state.theta.clone();
        let settings = prepared.train_settings();
        // Nothing but the updates.
        let settings = TrainSettings {
            every: usize::MAX,
            eval_every: usize::MAX,
            spectrum: None,
            checkpoint_every: None,
            on_warning: None,
            meter: StepMeter { batch_sharpness: None, ..settings.meter },
            ..settings
        };
        let optimizer = prepared.config.build_optimizer(prepared.problem.train.layout());
        let trainer = Trainer { problem: prepared.problem, settings, optimizer, interrupted };
        let mut last = Last(None);
        let end = trainer.run(state, &History::default(), &mut [&mut last])?;
        match (end.error, end.summary.status) {
            (Some(error), _) => Err(error),
            (None, ExitStatus::Interrupted) => Err(Error::State {
                what: "training the copies",
                reason: "it was interrupted".to_string(),
            }),
            _ => Ok(last.0.map(|end| (start, end))),
        }
    }

    fn pair(&self, compared: &mut Compared, a: &[f64], b: &[f64]) -> Result<Pair> {
        let mut surface = compared.surface();
        let points = along(&mut surface, &evenly(self.points), line(a, b)?, None, |_| Ok(()))?;
        let (Some(train), validation) = barriers(&points) else {
            unreachable!("a line has points")
        };
        Ok(Pair { train, validation, distance: distance(a, b)? })
    }
}

/// Keeps the weights of the last checkpoint.
struct Last(Option<Vec<f64>>);

impl Observer for Last {
    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        self.0 = Some(checkpoint.state.theta.clone());
        Ok(())
    }
}

impl Branched {
    /// The mean over the pairs; `None` without pairs, or where one does not have it.
    pub fn mean(&self, of: impl Fn(&Pair) -> Option<f64>) -> Option<f64> {
        let values: Vec<f64> = self.pairs.iter().map(of).collect::<Option<_>>()?;
        let count = values.len() as f64;
        (count > 0.0).then(|| values.iter().sum::<f64>() / count)
    }

    /// The mean error barrier over the validation samples, or, without them, the training samples.
    pub fn error_barrier(&self) -> Option<f64> {
        let of = |pair: &Pair| {
            let barriers = pair.validation.unwrap_or(pair.train);
            barriers.error.map(|barrier| barrier.value)
        };
        self.mean(of)
    }
}

/// The first of the steps from which on, of those that were tried, no error barrier is left; `None` where the
/// last still has one, or errors are not counted.
pub fn onset(branched: &[Branched]) -> Option<usize> {
    let stable = |b: &&Branched| b.error_barrier().is_some_and(|barrier| barrier < STABLE);
    branched.iter().rev().take_while(stable).last().map(|b| b.step)
}

impl Landmarks {
    /// Those of a run.
    ///
    /// # Errors
    /// As [`StoredRun::events`].
    pub fn of(run: &StoredRun) -> Result<Self> {
        let events = run.events()?;
        let entered = events.iter().find(|e| matches!(e.kind, EventKind::EdgeEntered { .. }));
        let spike = |kind: &EventKind| match kind {
            EventKind::LossSpike { start, .. } => Some(*start),
            _ => None,
        };
        Ok(Self {
            edge_entered: entered.map(|event| event.step),
            spikes: events.iter().filter_map(|event| spike(&event.kind)).collect(),
        })
    }
}

/// Writes `instability.csv`, `.json`, `.svg` and `.png`.
///
/// # Errors
/// [`Error::Io`], [`Error::Encode`], [`Error::Draw`]; as [`StoredRun::rows`].
pub fn write(
    output: &mut Output,
    run: &StoredRun,
    name: &str,
    branched: &[Branched],
    landmarks: &Landmarks,
) -> Result<()> {
    output.write("instability.csv", &table(branched)?)?;
    let row = |b: &Branched| {
        json!({
            "step": b.step,
            "error_barrier": b.error_barrier(),
            "train_loss_barrier": b.mean(|p| Some(p.train.loss.value)),
            "diverged": b.diverged,
        })
    };
    let numbers = json!({
        "onset": onset(branched),
        "stable_below": STABLE,
        "landmarks": landmarks,
        "steps": branched.iter().map(row).collect::<Vec<Value>>(),
    });
    output.json("instability", &numbers)?;
    let figure = figure(run, name, branched, landmarks)?;
    output.picture("instability", &paths_svg(&figure)?, &paths_png(&figure)?)
}

/// The columns of `instability.csv` behind `step`: means over the pairs.
type Mean = (&'static str, fn(&Branched) -> Option<f64>);

const MEANS: [Mean; 8] = [
    ("train_error_barrier", |b| b.mean(|p| Some(p.train.error?.value))),
    ("val_error_barrier", |b| b.mean(|p| Some(p.validation?.error?.value))),
    ("train_loss_barrier", |b| b.mean(|p| Some(p.train.loss.value))),
    ("val_loss_barrier", |b| b.mean(|p| Some(p.validation?.loss.value))),
    ("train_over_worse_end", |b| b.mean(|p| Some(p.train.over_worse_end.value))),
    ("distance", |b| b.mean(|p| Some(p.distance))),
    ("travelled", |b| Some(b.travelled)),
    ("distance_by_travelled", |b| Some(b.mean(|p| Some(p.distance))? / b.travelled)),
];

fn table(branched: &[Branched]) -> Result<Vec<u8>> {
    let header = ["step", "pairs", "diverged"].into_iter().chain(MEANS.iter().map(|m| m.0));
    let mut table = Table::new(header)?;
    for b in branched {
        let counts = [b.step, b.pairs.len(), b.diverged].map(|count| count.to_string());
        let means = MEANS.iter().map(|(_, of)| optional(of(b)));
        let cells: Vec<String> = counts.into_iter().chain(means).collect();
        table.write(cells.iter().map(String::as_str))?;
    }
    table.finish()
}

fn figure(
    run: &StoredRun,
    name: &str,
    branched: &[Branched],
    landmarks: &Landmarks,
) -> Result<PathFigure> {
    let over = |label: &str, color, stroke, of: &dyn Fn(&Branched) -> Option<f64>| PathCurve {
        label: label.to_string(),
        color,
        stroke,
        points: branched.iter().filter_map(|b| Some((b.step as f64, of(b)?))).collect(),
    };
    let [train_error, val_error, train_loss, val_loss, ..] = MEANS.map(|(_, of)| of);
    let pair = |train: fn(&Branched) -> Option<f64>, validation: fn(&Branched) -> Option<f64>| {
        vec![
            over("training", 0, Stroke::Solid, &train),
            over("validation", 1, Stroke::Dashed, &validation),
        ]
    };
    let last = branched.iter().map(|b| b.step).max().unwrap_or(0);
    let rows = run.rows()?.iter().filter(|row| row.step <= last);
    let edge = rows.filter_map(|row| Some((row.step as f64, row.edge_ratio?))).collect();
    let entered = landmarks
        .edge_entered
        .map_or("edge not entered".to_string(), |step| format!("edge entered at step {step}"));
    let edge = PathCurve { label: entered, color: 2, stroke: Stroke::Solid, points: edge };
    let panel = |name, scale, curves| PathPanel { name, scale, key: Vec::new(), curves };
    Ok(PathFigure {
        title: format!("Barriers between copies of {name} by the step at which they part"),
        across: "step",
        whole: true,
        paths: Vec::new(),
        panels: vec![
            panel("error barrier", Scale::Share, pair(train_error, val_error)),
            panel("loss barrier", Scale::Share, pair(train_loss, val_loss)),
            panel("edge ratio of the run", Scale::Curvature, vec![edge]),
        ],
    })
}
