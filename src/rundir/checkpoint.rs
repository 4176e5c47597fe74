//! Checkpoints: where training stood, complete enough to go on from.
//!
//! `step-N.safetensors` has the parameters, `step-N.optimizer.safetensors` the optimizer's
//! accumulators in double precision (`exp_avg.layers.0.weight`), and `step-N.json`, which is written
//! last, the rest: without it a checkpoint is incomplete.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::weights::{Tensors, read_tensors, write_tensors};
use super::{RunDirectory, json, read_safetensors, to_safetensors};
use crate::autodiff::ParameterLayout;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::input;
use crate::optim::{Optimizer, OptimizerState, Schedule};
use crate::profile::{BatchPosition, Checkpoint, TrainingState};

const FOLDER: &str = "checkpoints";
const REMEDY: &str = "name another checkpoint, or run again";

/// The weights after `step` updates, within the run directory.
pub fn checkpoint_file(step: usize) -> String {
    format!("{FOLDER}/step-{step}.safetensors")
}

/// The diagonal of the preconditioner of the update from there, under the parameters' names.
pub fn preconditioner_file(step: usize) -> String {
    format!("{FOLDER}/step-{step}.preconditioner.safetensors")
}

fn optimizer_file(step: usize) -> String {
    format!("{FOLDER}/step-{step}.optimizer.safetensors")
}

/// The parameters before the latest update, where something measures by them.
fn previous_file(step: usize) -> String {
    format!("{FOLDER}/step-{step}.previous.safetensors")
}

fn state_file(step: usize) -> String {
    format!("{FOLDER}/step-{step}.json")
}

/// What a checkpoint holds besides vectors of numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CheckpointState {
    /// Updates taken.
    pub step: usize,
    /// The loss of the first update; null before it, or where it was not finite.
    pub initial_loss: Option<f64>,
    /// The optimizer.
    pub optimizer: OptimizerHead,
    /// The learning rates.
    pub schedule: ScheduleHead,
    /// The random state.
    pub random: RandomState,
}

/// The optimizer's memory but for the accumulators' values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OptimizerHead {
    /// Steps taken, where its update depends on them.
    pub steps: Option<i32>,
    /// Its accumulators.
    pub accumulators: Vec<String>,
}

/// Where the learning rate stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScheduleHead {
    /// The rates of all steps.
    #[serde(flatten)]
    pub schedule: Schedule,
    /// What they are multiplied by.
    pub rate_factor: f64,
    /// The coming update's rate.
    pub next_lr: f64,
}

/// Every random number of a run is drawn from its seed and from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandomState {
    /// The seed.
    pub seed: u64,
    /// The place in the order of minibatches; null with the full batch.
    pub batches: Option<BatchPosition>,
}

/// Writes a checkpoint of a run with this seed.
///
/// # Errors
/// [`Error::Io`], or [`Error::Length`] for vectors that are not the layout's.
pub(super) fn write_checkpoint(
    directory: &RunDirectory,
    layout: &ParameterLayout,
    precision: Precision,
    seed: u64,
    checkpoint: Checkpoint<'_>,
) -> Result<()> {
    let Checkpoint { state, schedule, operator } = checkpoint;
    let step = state.step;
    directory.make_folder(FOLDER)?;
    let parameters = to_safetensors(layout, &state.theta, precision)?;
    directory.write(&checkpoint_file(step), &parameters)?;
    if let Some(preconditioner) = &operator.preconditioner {
        let bytes = to_safetensors(layout, preconditioner, Precision::F64)?;
        directory.write(&preconditioner_file(step), &bytes)?;
    }
    let accumulators = &state.optimizer.accumulators;
    if !accumulators.is_empty() {
        let mut tensors = Tensors::default();
        for (name, values) in accumulators {
            tensors.add(&format!("{name}."), layout, values, Precision::F64)?;
        }
        directory.write(&optimizer_file(step), &write_tensors(&tensors)?)?;
    }
    if let Some(previous) = &state.previous {
        let bytes = to_safetensors(layout, previous, precision)?;
        directory.write(&previous_file(step), &bytes)?;
    }
    let head = CheckpointState {
        step,
        initial_loss: state.initial_loss.filter(|loss| loss.is_finite()),
        optimizer: OptimizerHead {
            steps: state.optimizer.steps,
            accumulators: accumulators.iter().map(|(name, _)| name.clone()).collect(),
        },
        schedule: ScheduleHead {
            schedule: *schedule,
            rate_factor: state.rate_factor,
            next_lr: schedule.rate(step) * state.rate_factor,
        },
        random: RandomState { seed, batches: state.batches },
    };
    directory.write(&state_file(step), &json::to_bytes(&head)?)
}

impl RunDirectory {
    /// Steps whose weights are in `checkpoints`, ascending.
    pub fn checkpoints(&self) -> Vec<usize> {
        let step = |entry: std::fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            name.strip_prefix("step-")?.strip_suffix(".safetensors")?.parse().ok()
        };
        let entries = std::fs::read_dir(self.file(FOLDER)).into_iter().flatten().flatten();
        let mut steps: Vec<usize> = entries.filter_map(step).collect();
        steps.sort_unstable();
        steps
    }

    /// The weights after `step` updates; those at step 0 are there without a checkpoint.
    pub fn weights(&self, step: usize) -> PathBuf {
        let checkpoint = self.file(&checkpoint_file(step));
        match step == 0 && !checkpoint.is_file() {
            true => self.file("init.safetensors"),
            false => checkpoint,
        }
    }

    /// What a checkpoint says of where training stood; `None` where it does not.
    ///
    /// # Errors
    /// [`Error::File`] if what is there cannot be read.
    pub fn checkpoint_state(&self, step: usize) -> Result<Option<CheckpointState>> {
        let path = self.file(&state_file(step));
        if !path.is_file() {
            return Ok(None);
        }
        input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY).map(Some)
    }

    /// Where training stood at a checkpoint, for an optimizer of the run's kind. Step 0 is there
    /// without one.
    ///
    /// # Errors
    /// [`Error::File`] if the checkpoint is incomplete or not this model's or optimizer's.
    pub fn training_state(
        &self,
        step: usize,
        layout: &ParameterLayout,
        optimizer: &mut dyn Optimizer,
    ) -> Result<TrainingState> {
        let theta = read_safetensors(&self.weights(step), layout)?;
        let Some(head) = self.checkpoint_state(step)? else {
            if step == 0 {
                return Ok(TrainingState::initial(theta));
            }
            let problem = "the checkpoint lacks it: it has the weights only";
            return Err(Error::file(self.file(&state_file(step)), None, problem, REMEDY));
        };
        let wrong =
            |problem: &str| Err(Error::file(self.file(&state_file(step)), None, problem, REMEDY));
        if head.step != step {
            return wrong("it is of another step than its name says");
        }
        let mut accumulators = Vec::new();
        if !head.optimizer.accumulators.is_empty() {
            let path = self.file(&optimizer_file(step));
            let memory = optimizer.memory();
            let own: Vec<&str> = memory.accumulators.iter().map(|(name, _)| *name).collect();
            if head.optimizer.accumulators != own {
                return wrong("it is of another optimizer");
            }
            for (name, _) in memory.accumulators {
                let values = read_tensors(&path, &format!("{name}."), layout)?;
                accumulators.push((name.to_string(), values));
            }
        }
        let previous = self.file(&previous_file(step));
        let previous = match previous.is_file() {
            true => Some(read_safetensors(&previous, layout)?),
            false => None,
        };
        Ok(TrainingState {
            step: head.step,
            theta,
            optimizer: OptimizerState { steps: head.optimizer.steps, accumulators },
            batches: head.random.batches,
            rate_factor: head.schedule.rate_factor,
            previous,
            initial_loss: head.initial_loss,
        })
    }

    /// The latest checkpoint that can be gone on from, where there are so many rows; the start, where
    /// there is none.
    pub fn resumable(&self, rows: usize) -> Option<usize> {
        self.last_complete(rows).or((rows == 0).then_some(0))
    }

    /// The latest complete checkpoint at or before `step`.
    pub(super) fn last_complete(&self, step: usize) -> Option<usize> {
        let complete = |&other: &usize| other <= step && self.checkpoint_is_complete(other);
        self.checkpoints().into_iter().rev().find(complete)
    }

    /// Removes checkpoints and spectra of later steps, which the run will come to again.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub(super) fn remove_after(&self, step: usize) -> Result<()> {
        for folder in [FOLDER, "spectra"] {
            for entry in std::fs::read_dir(self.file(folder)).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let number = name
                    .strip_prefix("step-")
                    .map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
                let later =
                    number.and_then(|number| number.parse().ok()).is_some_and(|n: usize| n > step);
                if later {
                    let path = entry.path();
                    std::fs::remove_file(&path).map_err(|source| Error::Io {
                        action: "remove",
                        path,
                        source,
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Whether everything that a checkpoint needs to be gone on from is there.
    pub fn checkpoint_is_complete(&self, step: usize) -> bool {
        let complete = |head: CheckpointState| {
            self.weights(step).is_file()
                && (head.optimizer.accumulators.is_empty()
                    || self.file(&optimizer_file(step)).is_file())
        };
        self.checkpoint_state(step).ok().flatten().is_some_and(complete)
    }
}
