//! Checkpoints: where training stood, complete enough to go on from.
//!
//! `step-N.safetensors` has the parameters, `step-N.optimizer.safetensors` the optimizer's
//! accumulators in double precision (`exp_avg.layers.0.weight`), `step-N.tracking.safetensors` what is
//! known of followed eigenvalues, and `step-N.json`, which is written last, the rest with the checksums of
//! the others: without it a checkpoint is incomplete.

mod head;
mod write;

use std::path::PathBuf;

use serde_json::Value;

use super::weights::{Plain, read_memory, read_plain, read_vector};
use super::weights_in::tensors_of;
use super::{RunDirectory, parse_safetensors};
use crate::autodiff::ParameterLayout;
use crate::digest::digest;
use crate::error::{Error, Result};
use crate::input;
use crate::linalg::FollowMemory;
use crate::optim::{Optimizer, OptimizerState};
use crate::profile::TrainingState;

pub use head::{CheckpointState, OptimizerHead, RandomState, RunFacts, ScheduleHead};
pub(super) use write::write_checkpoint;

const FOLDER: &str = "checkpoints";
const REMEDY: &str = "name another checkpoint, or run again";

/// The weights after `step` updates, within the run directory.
pub fn checkpoint_file(step: usize) -> String {
    format!("{FOLDER}/{}", part(step, ""))
}

/// The diagonal of the preconditioner of the update from there, under the parameters' names.
pub fn preconditioner_file(step: usize) -> String {
    format!("{FOLDER}/{}", part(step, PRECONDITIONER))
}

const PRECONDITIONER: &str = ".preconditioner";
/// The coordinates in which that preconditioner is diagonal, where they are not the parameters' own.
const BASIS: &str = ".basis";
const OPTIMIZER: &str = ".optimizer";
/// The parameters before the latest update, where something measures by them.
const PREVIOUS: &str = ".previous";
const TRACKING: &str = ".tracking";

/// The name of a part of a checkpoint in its folder.
fn part(step: usize, part: &str) -> String {
    format!("step-{step}{part}.safetensors")
}

fn state_file(step: usize) -> String {
    format!("{FOLDER}/step-{step}.json")
}

/// The step of the file of a checkpoint that ends so, if it is one.
fn step_of(name: &str, end: &str) -> Option<usize> {
    let digits = name.strip_prefix("step-")?.strip_suffix(end)?;
    // As it is written: no sign, no zeros before it.
    digits.parse().ok().filter(|step: &usize| step.to_string() == digits)
}

impl RunDirectory {
    /// Steps whose weights are in `checkpoints`, ascending.
    pub fn checkpoints(&self) -> Vec<usize> {
        self.steps_with("")
    }

    /// Steps of which that part is there, ascending.
    fn steps_with(&self, part: &str) -> Vec<usize> {
        let end = format!("{part}.safetensors");
        let entries = std::fs::read_dir(self.file(FOLDER)).into_iter().flatten().flatten();
        let mut steps: Vec<usize> =
            entries.filter_map(|entry| step_of(entry.file_name().to_str()?, &end)).collect();
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

    /// Whether a checkpoint's last part is there.
    pub fn has_head(&self, step: usize) -> bool {
        self.file(&state_file(step)).is_file()
    }

    /// What a checkpoint says of where training stood; `None` where it does not.
    ///
    /// # Errors
    /// [`Error::File`] if what is there cannot be read.
    pub fn checkpoint_state(&self, step: usize) -> Result<Option<CheckpointState>> {
        Ok(self.read_head(step)?.map(|(head, _)| head))
    }

    /// The same, where it can be read and its checksum is right.
    pub(super) fn sound_head(&self, step: usize) -> Option<CheckpointState> {
        let (head, whole) = self.read_head(step).ok().flatten()?;
        whole.then_some(head)
    }

    /// The same, with whether its checksum is right.
    fn read_head(&self, step: usize) -> Result<Option<(CheckpointState, bool)>> {
        let path = self.file(&state_file(step));
        if !path.is_file() {
            return Ok(None);
        }
        let text = input::read_text(&path, REMEDY)?;
        let head: CheckpointState = input::parse_json(&text, &path, REMEDY)?;
        let whole =
            serde_json::from_str::<Value>(&text).is_ok_and(|h| CheckpointState::is_whole(&h));
        Ok(Some((head, whole)))
    }

    /// Checks what a checkpoint says of itself, for an optimizer of the run's kind, in a run of which that
    /// is known. `None` where it says nothing.
    fn checked_head(
        &self,
        step: usize,
        optimizer: &mut dyn Optimizer,
        run: Option<&RunFacts>,
    ) -> Result<Option<CheckpointState>> {
        let path = self.file(&state_file(step));
        let wrong = |problem: String| Error::file(&path, None, problem, REMEDY);
        let Some((head, whole)) = self.read_head(step)? else { return Ok(None) };
        head.check(step, &optimizer.memory(), run).map_err(wrong)?;
        match whole {
            true => Ok(Some(head)),
            false => Err(wrong("sha256: it is not what was written, by its checksum".to_string())),
        }
    }

    /// The bytes of a part of a checkpoint, which must have the checksum that its head says, if it says one;
    /// of the initial weights that of the manifest.
    fn checked_bytes(
        &self,
        step: usize,
        of: &str,
        head: Option<&CheckpointState>,
    ) -> Result<Vec<u8>> {
        let name = part(step, of);
        let mut path = self.file(FOLDER).join(&name);
        let mut sum = head.and_then(|head| head.files.get(&name).cloned());
        if of.is_empty() && step == 0 && !path.is_file() {
            path = self.weights(0);
            sum = self.manifest_head()?.and_then(|manifest| manifest.init_sha256);
        }
        let bytes = input::read(&path, REMEDY)?;
        if sum.is_some_and(|sum| sum != digest(&[&bytes])) {
            let problem = "it is not what was written, by its checksum";
            return Err(Error::file(path, None, problem, REMEDY));
        }
        Ok(bytes)
    }

    /// The parameters (length P) after `step` updates, or at the start.
    ///
    /// # Errors
    /// [`Error::File`] for what is not this model's, or not what was written.
    pub fn read_weights(&self, step: usize, layout: &ParameterLayout) -> Result<Vec<f64>> {
        let head = self.checkpoint_state(step)?;
        let bytes = self.checked_bytes(step, "", head.as_ref())?;
        parse_safetensors(&bytes, &self.weights(step), layout)
    }

    /// The diagonal (length P) of the preconditioner of the update from a checkpoint.
    ///
    /// # Errors
    /// As [`RunDirectory::read_weights`].
    pub fn read_preconditioner(&self, step: usize, layout: &ParameterLayout) -> Result<Vec<f64>> {
        let head = self.checkpoint_state(step)?;
        let bytes = self.checked_bytes(step, PRECONDITIONER, head.as_ref())?;
        parse_safetensors(&bytes, &self.file(&preconditioner_file(step)), layout)
    }

    /// The tensors of the coordinates in which that preconditioner is diagonal, and their file; `None` for the
    /// parameters' own.
    pub(super) fn read_basis(&self, step: usize) -> Result<Option<(PathBuf, Vec<Plain>)>> {
        let path = self.file(FOLDER).join(part(step, BASIS));
        let head = self.checkpoint_state(step)?;
        let listed = head.as_ref().is_some_and(|head| head.files.contains_key(&part(step, BASIS)));
        if !listed && !path.is_file() {
            return Ok(None);
        }
        let bytes = self.checked_bytes(step, BASIS, head.as_ref())?;
        let tensors = read_plain(&tensors_of(&bytes, &path)?, &path)?;
        Ok(Some((path, tensors)))
    }

    /// Where training stood at a checkpoint, for an optimizer of the run's kind, in a run of which `run` is
    /// known. Step 0 is there without one.
    ///
    /// # Errors
    /// [`Error::File`] if the checkpoint is incomplete, not this model's or optimizer's, says what cannot be,
    /// or is not what was written.
    pub fn training_state(
        &self,
        step: usize,
        layout: &ParameterLayout,
        optimizer: &mut dyn Optimizer,
        run: Option<&RunFacts>,
    ) -> Result<TrainingState> {
        let Some(head) = self.checked_head(step, optimizer, run)? else {
            if step == 0 {
                return Ok(TrainingState::initial(self.read_weights(step, layout)?));
            }
            let problem = "the checkpoint lacks it: it has the weights only";
            return Err(Error::file(self.file(&state_file(step)), None, problem, REMEDY));
        };
        let weights = self.checked_bytes(step, "", Some(&head))?;
        let theta = parse_safetensors(&weights, &self.weights(step), layout)?;
        let mut accumulators = Vec::new();
        if !head.optimizer.accumulators.is_empty() {
            let bytes = self.checked_bytes(step, OPTIMIZER, Some(&head))?;
            let path = self.file(FOLDER).join(part(step, OPTIMIZER));
            let tensors = tensors_of(&bytes, &path)?;
            for name in &head.optimizer.accumulators {
                let values = read_vector(&tensors, &path, name, layout)?;
                accumulators.push((name.clone(), values));
            }
        }
        Ok(TrainingState {
            step: head.step,
            theta,
            optimizer: OptimizerState { steps: head.optimizer.steps, accumulators },
            batches: head.random.batches,
            rate_factor: head.schedule.rate_factor,
            sought: head.schedule.sought(),
            previous: self.previous(step, &head, layout)?,
            initial_loss: head.initial_loss,
            tracking: self.tracking(step, &head)?,
        })
    }

    /// The parameters before the latest update; `None` where nothing measures by them.
    fn previous(
        &self,
        step: usize,
        head: &CheckpointState,
        layout: &ParameterLayout,
    ) -> Result<Option<Vec<f64>>> {
        let name = part(step, PREVIOUS);
        let path = self.file(FOLDER).join(&name);
        if !head.files.contains_key(&name) && !path.is_file() {
            return Ok(None);
        }
        let bytes = self.checked_bytes(step, PREVIOUS, Some(head))?;
        parse_safetensors(&bytes, &path, layout).map(Some)
    }

    /// What was known of followed eigenvalues; `None` where it was not kept.
    fn tracking(&self, step: usize, head: &CheckpointState) -> Result<Option<FollowMemory>> {
        let name = part(step, TRACKING);
        let path = self.file(FOLDER).join(&name);
        if !head.files.contains_key(&name) || !path.is_file() {
            return Ok(None);
        }
        let bytes = self.checked_bytes(step, TRACKING, Some(head))?;
        read_memory(&bytes, &path).map(Some)
    }

    /// Whether followed eigenvalues begin anew where a run goes on from a checkpoint, since what was known
    /// of them was not kept.
    pub fn tracking_is_gone(&self, step: usize) -> bool {
        let name = part(step, TRACKING);
        let head = self.checkpoint_state(step).ok().flatten();
        let there = self.file(FOLDER).join(&name).is_file();
        head.is_some_and(|head| head.files.contains_key(&name)) && !there
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

    /// Whether everything that a checkpoint needs to be gone on from is there, as it was written.
    pub fn checkpoint_is_complete(&self, step: usize) -> bool {
        let complete = |head: &CheckpointState| {
            let mut parts = vec![""];
            parts.extend((!head.optimizer.accumulators.is_empty()).then_some(OPTIMIZER));
            parts.extend((!self.tracking_is_gone(step)).then_some(TRACKING));
            parts.extend([PREVIOUS, PRECONDITIONER, BASIS]);
            // The last four are there only where the head says so.
            let needed = |of: &&str| {
                let listed = head.files.contains_key(&part(step, of));
                listed || of.is_empty() || *of == OPTIMIZER
            };
            let is_there = |of: &str| self.checked_bytes(step, of, Some(head)).is_ok();
            parts.into_iter().filter(needed).all(is_there)
        };
        match self.read_head(step) {
            Ok(Some((head, true))) => head.step == step && complete(&head),
            _ => false,
        }
    }
}
