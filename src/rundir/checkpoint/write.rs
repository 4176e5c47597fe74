//! Writing a checkpoint.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::head::lasting;
use super::{
    BASIS, CheckpointState, FOLDER, OPTIMIZER, OptimizerHead, PRECONDITIONER, PREVIOUS,
    RandomState, ScheduleHead, TRACKING, part, state_file,
};
use crate::autodiff::ParameterLayout;
use crate::device::Precision;
use crate::digest::digest;
use crate::error::{Error, Result};
use crate::optim::Schedule;
use crate::profile::Checkpoint;
use crate::rundir::basis::write_basis;
use crate::rundir::weights::{Tensors, write_memory, write_tensors};
use crate::rundir::{Manifest, RunDirectory, TableSums, to_safetensors};

/// Checkpoints that keep what is known of followed eigenvalues, which is many times the weights: the last,
/// and the one before it in case that the last is damaged.
const TRACKED: usize = 2;

/// Writes a checkpoint of the run with that manifest and seed, before which there is that in its tables.
///
/// # Errors
/// [`Error::Io`], or [`Error::Length`] for vectors that are not the layout's.
pub(in crate::rundir) fn write_checkpoint(
    directory: &RunDirectory,
    layout: &ParameterLayout,
    manifest: &Manifest,
    seed: u64,
    checkpoint: Checkpoint<'_>,
    tables: TableSums,
) -> Result<()> {
    let step = checkpoint.state.step;
    directory.make_folder(FOLDER)?;
    let mut files = BTreeMap::new();
    for (of, bytes) in parts(layout, manifest.precision, checkpoint)? {
        let name = part(step, of);
        directory.write(&format!("{FOLDER}/{name}"), &bytes)?;
        files.insert(name, digest(&[&bytes]));
    }
    let head = CheckpointState {
        tables: Some(tables),
        ..head(checkpoint, seed, lasting(&manifest.config), files)
    };
    directory.write(&state_file(step), &head.to_bytes()?)?;
    directory.forget_tracking_before(step)
}

/// The files of a checkpoint but for its head.
fn parts(
    layout: &ParameterLayout,
    precision: Precision,
    Checkpoint { state, operator, .. }: Checkpoint<'_>,
) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let mut parts = vec![("", to_safetensors(layout, &state.theta, precision)?)];
    if let Some(preconditioner) = &operator.preconditioner {
        parts.push((PRECONDITIONER, to_safetensors(layout, preconditioner, Precision::F64)?));
    }
    if let Some(basis) = &operator.basis {
        parts.push((BASIS, write_basis(layout, basis)?));
    }
    if !state.optimizer.accumulators.is_empty() {
        let mut tensors = Tensors::default();
        for (name, values) in &state.optimizer.accumulators {
            match values.len() == layout.len() {
                true => tensors.add(&format!("{name}."), layout, values, Precision::F64)?,
                false => tensors.add_plain(name.clone(), vec![values.len()], values),
            }
        }
        parts.push((OPTIMIZER, write_tensors(&tensors)?));
    }
    if let Some(previous) = &state.previous {
        parts.push((PREVIOUS, to_safetensors(layout, previous, precision)?));
    }
    // Before the first measurement there is nothing to know.
    if let Some(memory) = state.tracking.as_ref().filter(|memory| !memory.reals.is_empty()) {
        parts.push((TRACKING, write_memory(memory)?));
    }
    Ok(parts)
}

fn head(
    Checkpoint { state, schedule, .. }: Checkpoint<'_>,
    seed: u64,
    config: Map<String, Value>,
    files: BTreeMap<String, String>,
) -> CheckpointState {
    let accumulators = state.optimizer.accumulators.iter();
    CheckpointState {
        step: state.step,
        initial_loss: state.initial_loss.filter(|loss| loss.is_finite()),
        optimizer: OptimizerHead {
            steps: state.optimizer.steps,
            accumulators: accumulators.map(|(name, _)| name.clone()).collect(),
        },
        schedule: ScheduleHead {
            schedule: *schedule,
            rate_factor: state.rate_factor,
            next_lr: schedule.rate(state.step) * state.rate_factor,
        },
        random: RandomState { seed, batches: state.batches },
        config,
        files,
        tables: None,
        sha256: None,
    }
}

impl RunDirectory {
    /// Makes a checkpoint that was copied here one of the run with this configuration, which takes its rates
    /// from `schedule` on.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Io`] if it cannot be written.
    pub(crate) fn adopt_checkpoint(
        &self,
        step: usize,
        config: &Value,
        schedule: Schedule,
    ) -> Result<()> {
        let Some(head) = self.checkpoint_state(step)? else { return Ok(()) };
        let rate_factor = head.schedule.rate_factor;
        let next_lr = schedule.rate(step) * rate_factor;
        let head = CheckpointState {
            config: lasting(config),
            schedule: ScheduleHead { schedule, rate_factor, next_lr },
            // Its own may have other columns.
            tables: None,
            ..head
        };
        self.write(&state_file(step), &head.to_bytes()?)
    }

    /// Removes what earlier checkpoints than the last before `step` knew of followed eigenvalues.
    fn forget_tracking_before(&self, step: usize) -> Result<()> {
        let mut steps = self.steps_with(TRACKING);
        steps.retain(|&other| other <= step);
        steps.truncate(steps.len().saturating_sub(TRACKED));
        steps.into_iter().try_for_each(|old| {
            let path = self.file(FOLDER).join(part(old, TRACKING));
            std::fs::remove_file(&path).map_err(|source| Error::Io {
                action: "remove",
                path,
                source,
            })
        })
    }
}
