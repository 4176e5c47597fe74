//! Going on from a checkpoint of a run with something changed, in a run directory of its own.

use std::path::PathBuf;

use serde_json::{Map, Value, json};

use super::resume::{spent, still_true};
use super::start::default_directory;
use super::{Prepared, Started};
use crate::config::{BatchSize, RunConfig, Settings, Values};
use crate::error::{Error, Result};
use crate::optim::{OptimizerState, Schedule};
use crate::problem::Problem;
use crate::profile::{History, TrainingState};
use crate::record::column_names;
use crate::rundir::{RunDirectory, RunWriter, StoredRun};

/// What is the run's own, whatever a branch of it changes: model, data and loss, and the numbers drawn from
/// the seed.
const KEPT: [&str; 21] = [
    "model",
    "objective",
    "dataset",
    "init",
    "loss",
    "train_size",
    "validation_size",
    "validation",
    "test",
    "header",
    "standardize",
    "points",
    "degree",
    "classes",
    "noise",
    "label_noise",
    "target",
    "regression",
    "seed",
    "data_seed",
    "samples",
];

/// What a branch changes.
#[derive(Debug, Clone, Default)]
pub struct Branching {
    /// Settings in the place of the run's.
    pub changes: Settings,
    /// Whether the loss is replaced by its quadratic model about the checkpoint.
    pub quadratic: bool,
}

/// A branch before its folder is made.
pub(super) struct Forked {
    pub prepared: Prepared,
    pub state: TrainingState,
    /// The keys of the configuration that differ, each with `from` and `to`.
    pub differences: Map<String, Value>,
    /// Whether the optimizer goes on with what it remembers.
    pub remembers: bool,
}

impl Branching {
    /// Makes a branch of the run ready, from the checkpoint that was named or its last: the rows before it
    /// are the run's, and what is not changed goes on as the run did. A changed optimizer begins with an
    /// empty memory; another order of minibatches goes on at the same place of the same epoch.
    ///
    /// # Errors
    /// [`Error::Setting`] for a change of what a branch must share with its run, or where no step is left;
    /// [`Error::File`] for what is no run or an incomplete checkpoint; and as [`RunConfig::resolve`].
    pub fn start(&self, stored: &StoredRun) -> Result<Started> {
        let Forked { mut prepared, state, differences, remembers } = self.fork(stored)?;
        let step = state.step;
        if step >= prepared.config.steps {
            let problem = format!("the branch starts after {step} steps");
            let remedy = "give more with --steps behind --, or name an earlier checkpoint";
            return Err(Error::setting("--steps", prepared.config.steps, problem, remedy));
        }
        let mut run = prepared.run_info()?;
        let columns = column_names(&run.columns);
        let mut table = stored.table()?.clone().under(columns);
        table.cells.truncate(step);
        let rows = stored.rows()?.get(..step).map(<[_]>::to_vec);
        let Some(rows) = rows else {
            let path = stored.directory().file("steps.csv");
            let problem = format!("it has no row for each update before step {step}");
            return Err(Error::file(path, None, problem, "name an earlier checkpoint"));
        };
        let events = still_true(stored.events()?, &rows, stored.monitor(None));
        run.first_step = step;
        run.history = History { seconds: spent(&rows), rows, events };
        run.parent = Some(json!({
            "run": std::path::absolute(stored.path()).unwrap_or(stored.path().to_path_buf()),
            "started": stored.head().and_then(|head| head.started.clone()),
            "step": step,
            "changes": differences,
            "optimizer_memory": if remembers { "kept" } else { "empty" },
            "quadratic": self.quadratic,
        }));
        let place = &prepared.config.place;
        let directory = match &place.out {
            Some(out) => RunDirectory::create(out, place.force)?,
            None => default_directory(&format!("{}-branch-{step}", place.name))?,
        };
        let path = directory.path().to_path_buf();
        prepared.config.place.out = Some(path.clone());
        run.config = prepared.config.to_json()?;
        copy_start(stored, &directory, step)?;
        let rates = prepared.config.learning_rate();
        let rates = Schedule { lr: state.sought.unwrap_or(rates.lr), ..rates };
        directory.adopt_checkpoint(step, &run.config, rates)?;
        run.theta.clone_from(&state.theta);
        let writer = RunWriter::resume(directory, None, table, &run.columns);
        let optimizer = prepared.config.build_optimizer(prepared.problem.train.layout());
        let (ending, notices) = (None, Vec::new());
        Ok(Started { prepared, optimizer, writer, directory: path, state, run, ending, notices })
    }

    /// The branch's problem and where it starts.
    pub(super) fn fork(&self, stored: &StoredRun) -> Result<Forked> {
        let (step, _) = stored.checkpoint(None)?;
        let parent = stored.settings()?;
        let before = RunConfig::resolve(Settings { init: None, ..parent.clone() })?;
        let init = parent.init.clone();
        let settings = self.changes.clone().or(inherited(parent, &self.changes));
        let config = RunConfig::resolve(Settings { init: None, ..settings })?;
        let differences = differences(&before, &config)?;
        let mut prepared = stored.prepare(config)?;
        prepared.config.init = init;
        stored.check_same_problem(&prepared.run_info()?)?;
        let layout = prepared.problem.train.layout();
        let mut state = stored.state(step, layout, &mut *before.build_optimizer(layout))?;
        let remembers = before.optimizer.slug() == prepared.config.optimizer.slug();
        if !remembers {
            state.optimizer = OptimizerState::default();
        }
        if prepared.config.batch_size.0.is_none() {
            state.batches = None;
        }
        let precision = prepared.device.precision();
        state.theta.iter_mut().for_each(|w| *w = precision.round(*w));
        if self.quadratic {
            prepared.problem = quadratic(prepared.problem, &state.theta)?;
        }
        Ok(Forked { prepared, state, differences, remembers })
    }
}

/// The run's settings but for those that a change makes meaningless.
fn inherited(parent: Settings, changes: &Settings) -> Settings {
    let differs = |changed: bool, parent: Settings, without: fn(Settings) -> Settings| {
        if changed { without(parent) } else { parent }
    };
    let parent =
        Settings { name: None, on_warning: changes.on_warning.or(parent.on_warning), ..parent };
    let other = changes.optimizer.is_some() && changes.optimizer != parent.optimizer;
    let parent = differs(other, parent, |parent| Settings {
        base: None,
        numbers: Default::default(),
        perturbed_sharpness: None,
        ..parent
    });
    let other = changes.schedule.is_some() && changes.schedule != parent.schedule;
    let parent = differs(other, parent, |parent| Settings {
        final_lr: None,
        decay_factor: None,
        decay_every: None,
        edge_target: None,
        swa_start: None,
        swa_every: None,
        swa_lr: None,
        ..parent
    });
    let other = changes.batch_size.is_some() && changes.batch_size != parent.batch_size;
    let parent = differs(other, parent, |parent| Settings { sharpness_batches: None, ..parent });
    let full = |sizes: &Values<BatchSize>| sizes.0.iter().all(|size| size.0.is_none());
    let full = changes.batch_size.as_ref().is_some_and(full);
    differs(full, parent, |parent| Settings { order_seed: None, ..parent })
}

/// The keys of the two configurations that differ.
fn differences(before: &RunConfig, after: &RunConfig) -> Result<Map<String, Value>> {
    let (before, after) = (before.what()?, after.what()?);
    let mut differences = Map::new();
    let keys = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key)));
    for key in keys {
        let [from, to] = [&before, &after].map(|what| what.get(key).unwrap_or(&Value::Null));
        if from == to {
            continue;
        }
        if KEPT.contains(&key.as_str()) {
            let problem = format!("a branch shares it with its run, where it is {from}");
            let remedy = match key.as_str() {
                "seed" => "leave it out; --order-seed changes the order of minibatches",
                _ => "leave it out",
            };
            return Err(Error::setting(crate::error::flag(key), to, problem, remedy));
        }
        differences.insert(key.clone(), json!({ "from": from, "to": to }));
    }
    Ok(differences)
}

/// The problem with each loss replaced by its quadratic model about `centre` (length P).
///
/// # Errors
/// As [`crate::autodiff::QuadraticModel::new`].
pub(super) fn quadratic(problem: Problem, centre: &[f64]) -> Result<Problem> {
    use crate::autodiff::{Objective, QuadraticModel};

    let model = |objective: Box<dyn Objective>| -> Result<Box<dyn Objective>> {
        Ok(Box::new(QuadraticModel::new(objective, centre)?))
    };
    Ok(Problem {
        train: model(problem.train)?,
        validation: problem.validation.map(model).transpose()?,
        test: problem.test.map(model).transpose()?,
        curvature: problem.curvature.map(model).transpose()?,
    })
}

/// Copies what the branch's files build on: the initial weights, and the checkpoint that it starts from.
fn copy_start(stored: &StoredRun, directory: &RunDirectory, step: usize) -> Result<()> {
    let copy = |from: PathBuf, name: &str| {
        let bytes = std::fs::read(&from).map_err(|source| Error::Io {
            action: "read",
            path: from,
            source,
        })?;
        directory.write(name, &bytes)
    };
    copy(stored.directory().file("init.safetensors"), "init.safetensors")?;
    directory.make_folder("checkpoints")?;
    let folder = stored.directory().file("checkpoints");
    let own = format!("step-{step}.");
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&own) {
            copy(entry.path(), &format!("checkpoints/{name}"))?;
        }
    }
    Ok(())
}
