//! `step-N.json`: what a checkpoint holds besides vectors of numbers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::digest::digest;
use crate::error::{Error, Result};
use crate::optim::{Memory, Schedule};
use crate::profile::BatchPosition;
use crate::rundir::{TableSums, json};

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
    /// What the run computes, by the keys of the manifest's `config`, but for those that may change where a
    /// run goes on. (Of an earlier version there is none, here and below.)
    #[serde(default)]
    pub config: Map<String, Value>,
    /// SHA-256 of each of the checkpoint's other files, by its name.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// Checksums of the tables' rows before it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tables: Option<TableSums>,
    /// SHA-256 of all that stands above.
    #[serde(default)]
    pub sha256: Option<String>,
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

impl ScheduleHead {
    /// The rate that was found for the coming update, where rates follow curvature: the schedule from there has
    /// it.
    pub(super) fn sought(&self) -> Option<f64> {
        self.schedule.kind.seeks().then_some(self.schedule.lr)
    }
}

/// Every random number of a run is drawn from its seed and from where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RandomState {
    /// The seed.
    pub seed: u64,
    /// The place in the order of minibatches; null with the full batch.
    pub batches: Option<BatchPosition>,
}

/// What a run's settings say of its checkpoints.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunFacts {
    /// The learning rates of all steps.
    pub schedule: Schedule,
    /// The seed.
    pub seed: u64,
    /// Training samples, and how many of them are in a minibatch; `None` with the full batch.
    pub minibatches: Option<(usize, usize)>,
}

/// Keys of `config` that a run may go on with other values of: how long it is, where it is written, what
/// is done on the way, and how much is computed at a time, which another device may lower.
const CHANGEABLE: [&str; 10] = [
    "steps",
    "checkpoint_every",
    "on_warning",
    "out",
    "resume",
    "name",
    "force",
    "chunk",
    "memory",
    "tensorboard",
];

/// What of a manifest's `config` no going on changes.
pub(super) fn lasting(config: &Value) -> Map<String, Value> {
    let keys = config.as_object().cloned().unwrap_or_default().into_iter();
    keys.filter(|(key, _)| !CHANGEABLE.contains(&key.as_str())).collect()
}

/// The key of the checksum over a head's other keys.
const SUM: &str = "sha256";

impl CheckpointState {
    /// As it is written, with its checksum.
    pub(super) fn to_bytes(&self) -> Result<Vec<u8>> {
        let failed = |e: serde_json::Error| Error::Encode { what: "JSON", reason: e.to_string() };
        let mut head = serde_json::to_value(self).map_err(failed)?;
        let sum = sum_of(&head);
        if let Some(keys) = head.as_object_mut() {
            keys.insert(SUM.to_string(), Value::String(sum));
        }
        json::to_bytes(&head)
    }

    /// Whether the checksum in a head, as it was read, is that of its other keys; a head of an earlier
    /// version has none.
    pub(super) fn is_whole(head: &Value) -> bool {
        head.get(SUM).is_none_or(|sum| sum.as_str() == Some(&sum_of(head)))
    }

    /// What of the state after `step` updates cannot be, if anything, with its key: for an optimizer with
    /// that memory, in a run of which that is known.
    ///
    /// # Errors
    /// The words for the first.
    pub(super) fn check(
        &self,
        step: usize,
        memory: &Memory<'_>,
        run: Option<&RunFacts>,
    ) -> std::result::Result<(), String> {
        if self.step != step {
            return Err(format!("step = {}: it is of another step than its name says", self.step));
        }
        self.optimizer.check(step, memory)?;
        let Some(run) = run else { return Ok(()) };
        self.schedule.check(step, &run.schedule)?;
        self.random.check(step, run)
    }

    /// The first key whose value in `config`, that of a manifest, is not what it was when this was
    /// written, with both.
    pub(in crate::rundir) fn difference<'a>(
        &'a self,
        config: &'a Value,
    ) -> Option<(&'a str, String, String)> {
        let shown = |value: Option<&Value>| value.unwrap_or(&Value::Null).to_string();
        let differs = |(key, then): (&'a String, &'a Value)| {
            let now = config.get(key);
            (now != Some(then)).then(|| (key.as_str(), shown(now), then.to_string()))
        };
        self.config.iter().find_map(differs)
    }
}

fn sum_of(head: &Value) -> String {
    let mut head = head.clone();
    if let Some(keys) = head.as_object_mut() {
        keys.shift_remove(SUM);
    }
    digest(&[head.to_string().as_bytes()])
}

impl OptimizerHead {
    /// Accumulators are there from the first update on, and steps are counted from the start.
    fn check(&self, step: usize, memory: &Memory<'_>) -> std::result::Result<(), String> {
        let all: Vec<&str> = memory.accumulators.iter().map(|(name, _)| *name).collect();
        let own = if step == 0 { &[][..] } else { &all[..] };
        if self.accumulators != own {
            let found = self.accumulators.join(", ");
            let own = own.join(", ");
            return Err(format!(
                "optimizer.accumulators = [{found}]: it is of another optimizer, the run's has [{own}]"
            ));
        }
        let counted = memory.steps.is_some().then_some(step);
        let found = self.steps.map(|steps| usize::try_from(steps).unwrap_or(usize::MAX));
        if found != counted {
            let shown = self.steps.map_or_else(|| "null".to_string(), |steps| steps.to_string());
            return Err(format!("optimizer.steps = {shown} after {step} updates"));
        }
        Ok(())
    }
}

impl ScheduleHead {
    fn check(&self, step: usize, schedule: &Schedule) -> std::result::Result<(), String> {
        // A run may go on for longer, but not along a schedule that its length is part of.
        let steps = if schedule.kind.falls() { schedule.steps } else { self.schedule.steps };
        // Where it follows curvature, the rate is that which was found.
        let lr = self.sought().unwrap_or(schedule.lr);
        if !(lr.is_finite() && lr >= 0.0) {
            return Err(format!("schedule.lr = {lr:?} is no rate"));
        }
        if self.schedule != (Schedule { steps, lr, ..*schedule }) {
            return Err("schedule: it is not that of the manifest".to_string());
        }
        let factor = self.rate_factor;
        if !(factor > 0.0 && factor <= 1.0) {
            return Err(format!("schedule.rate_factor = {factor:?} is not above 0 and at most 1"));
        }
        let rate = self.schedule.rate(step) * factor;
        let same = (self.next_lr - rate).abs() <= 1e-6 * rate.abs();
        match same {
            true => Ok(()),
            false => Err(format!("schedule.next_lr = {:?}, where it is {rate:?}", self.next_lr)),
        }
    }
}

impl RandomState {
    fn check(&self, step: usize, run: &RunFacts) -> std::result::Result<(), String> {
        if self.seed != run.seed {
            return Err(format!("random.seed = {}, but the run's is {}", self.seed, run.seed));
        }
        let key = "random.batches";
        match (self.batches, run.minibatches) {
            (None, None) => Ok(()),
            (Some(_), None) => Err(format!("{key} is not null, and the run has the full batch")),
            (None, Some(_)) => {
                Err(format!("{key} = null does not say where the minibatches stood"))
            }
            (Some(BatchPosition { epoch, next }), Some((samples, size))) => {
                let (size, epoch) = (size.max(1), epoch as usize);
                let full = epoch.saturating_mul(samples.div_ceil(size));
                let taken = full.saturating_add(next.div_ceil(size));
                let between = next % size == 0 || next == samples;
                if taken == step && next <= samples && between {
                    return Ok(());
                }
                Err(format!(
                    "{key} = epoch {epoch}, next {next} is not where {step} minibatches of {size} out \
                     of {samples} end"
                ))
            }
        }
    }
}
