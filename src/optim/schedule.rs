//! Learning rates over the steps.

use std::f64::consts::PI;

use serde::{Deserialize, Serialize};

use crate::names::choices;

choices! {
    /// What the rate does after the warm-up.
    #[derive(Default)]
    pub enum ScheduleKind ("schedule") {
        /// Stays.
        #[default]
        Constant = "constant",
        /// Falls to the final rate along half a cosine.
        Cosine = "cosine",
        /// Falls to the final rate along a line.
        Linear = "linear",
        /// Is multiplied by a factor every so many steps.
        Step = "step",
        /// Follows the curvature, so that the edge ratio keeps a target.
        Edge = "edge",
        /// Follows the curvature along each update (CDAT).
        Cdat = "cdat",
        /// Falls to the final rate along a line and rises again, in each cycle.
        Cyclic = "cyclic",
        /// Stays for half of the way to where weights are averaged, and is at the final rate by nine tenths.
        Swa = "swa",
    }
}

impl ScheduleKind {
    /// Whether its rates are found from curvature: those of a [`Schedule`] are then what it starts with.
    pub fn seeks(self) -> bool {
        matches!(self, ScheduleKind::Edge | ScheduleKind::Cdat)
    }

    /// Whether it has a final rate, or one that it comes to in each cycle.
    pub fn has_final(self) -> bool {
        self.falls() || self == ScheduleKind::Cyclic
    }

    /// Whether its rates are over something that comes again after so many steps.
    pub fn repeats(self) -> bool {
        matches!(self, ScheduleKind::Step | ScheduleKind::Cyclic)
    }

    /// Whether it goes to a final rate at the end of the run.
    pub fn falls(self) -> bool {
        matches!(self, ScheduleKind::Cosine | ScheduleKind::Linear)
    }
}

/// A learning rate for each step of a run.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// What it does after the warm-up.
    pub kind: ScheduleKind,
    /// The rate eta_0 that the warm-up reaches.
    pub lr: f64,
    /// Steps W of linear warm-up: eta_0 (t + 1)/W at step t < W, which is never zero.
    pub warmup: usize,
    /// Steps T of the run; of `swa`, those before weights are averaged.
    pub steps: usize,
    /// The rate eta_1 that cosine and linear reach at step T, one after the last, `swa` at 0.9 T and `cyclic` in the
    /// middle of each cycle.
    pub final_lr: f64,
    /// What `step` multiplies by.
    pub decay_factor: f64,
    /// After how many steps it does; of `cyclic`, the steps of a cycle.
    pub decay_every: usize,
}

impl Schedule {
    /// A constant rate.
    pub fn constant(lr: f64) -> Self {
        let kind = ScheduleKind::Constant;
        Self { kind, lr, warmup: 0, steps: 0, final_lr: 0.0, decay_factor: 1.0, decay_every: 1 }
    }

    /// What of it lies beyond the run's end, if anything does, in words.
    pub fn remark(&self) -> Option<String> {
        let Self { kind, warmup, steps, decay_every, .. } = *self;
        if steps > 0 && warmup >= steps {
            let last = self.rate(steps - 1);
            let then = if kind == ScheduleKind::Constant { "" } else { ", and never falls" };
            return Some(format!(
                "the warm-up of {warmup} steps takes all {steps} of the run: its last learning rate is \
                 {last}{then}"
            ));
        }
        if kind == ScheduleKind::Step && warmup.saturating_add(decay_every) >= steps {
            return Some(format!(
                "the learning rate never falls: it would first at step {}, and the run has {steps}",
                warmup.saturating_add(decay_every)
            ));
        }
        None
    }

    /// The rate of update `step`, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        let Some(after) = step.checked_sub(self.warmup) else {
            return self.lr * ((step + 1) as f64 / self.warmup as f64);
        };
        let span = self.steps.saturating_sub(self.warmup).max(1);
        let progress = after as f64 / span as f64;
        let between = |share: f64| self.final_lr + (self.lr - self.final_lr) * share;
        match self.kind {
            ScheduleKind::Constant | ScheduleKind::Edge | ScheduleKind::Cdat => self.lr,
            ScheduleKind::Cosine => between((1.0 + (PI * progress).cos()) / 2.0),
            ScheduleKind::Linear => between(1.0 - progress),
            // As Garipov et al. (2018, 1802.10026) explore around a minimum.
            ScheduleKind::Cyclic => {
                let cycle = self.decay_every.max(1);
                let part = (after % cycle) as f64 / cycle as f64;
                between((2.0 * part - 1.0).abs())
            }
            // As Izmailov et al. (2018) lead over to averaging.
            ScheduleKind::Swa => between(1.0 - ((progress - 0.5) / 0.4).clamp(0.0, 1.0)),
            ScheduleKind::Step => {
                let times = after / self.decay_every.max(1);
                self.lr * self.decay_factor.powi(times as i32)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_end_is_said() {
        let of = |kind, warmup, decay_every| {
            let schedule =
                Schedule { kind, warmup, decay_every, steps: 100, ..Schedule::constant(0.5) };
            schedule.remark().unwrap_or_default()
        };
        assert!(of(ScheduleKind::Constant, 1000, 1).contains("last learning rate is 0.05"));
        assert!(of(ScheduleKind::Cosine, 100, 1).contains("never falls"));
        assert!(of(ScheduleKind::Step, 50, 50).contains("first at step 100"));
        for (kind, warmup, every) in [
            (ScheduleKind::Constant, 99, 1),
            (ScheduleKind::Cosine, 10, 1),
            (ScheduleKind::Step, 50, 49),
        ] {
            assert_eq!(of(kind, warmup, every), "", "{kind} {warmup} {every}");
        }
        assert_eq!(Schedule::constant(0.1).remark(), None);
    }
}
