//! Events: moments of a run worth a line of their own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::names::choices;

/// One line of `events.jsonl`: the step, the kind with its numbers, and `assumes`, the assumption
/// that the event rests on (see [`EventKind::assumes`]).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(into = "Line")]
pub struct Event {
    /// The step at which it was seen.
    pub step: usize,
    /// What happened, with the numbers that decided it.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// An event as it is written.
#[derive(Serialize)]
struct Line {
    step: usize,
    #[serde(flatten)]
    kind: EventKind,
    assumes: Cow<'static, str>,
}

impl From<Event> for Line {
    fn from(Event { step, kind }: Event) -> Self {
        let assumes = kind.assumes().into();
        Self { step, kind, assumes }
    }
}

/// What happened, and the numbers that decided it. "Sharpness" is that of the operator that the
/// threshold bounds, unless said otherwise.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum EventKind {
    /// The sharpness reached the stability threshold, from below.
    EdgeEntered {
        /// Sharpness of the operator that the threshold belongs to.
        sharpness: f64,
        /// The threshold.
        threshold: f64,
        /// Their ratio.
        edge_ratio: f64,
    },
    /// The sharpness has been clearly below the threshold for some measurements.
    EdgeLeft {
        /// Sharpness now.
        sharpness: f64,
        /// The threshold now.
        threshold: f64,
        /// Their ratio.
        edge_ratio: f64,
        /// The step at which the edge had been entered.
        entered: usize,
    },
    /// Where the present trend of the edge ratio meets 1.
    EdgeForecast {
        /// The ratio now.
        edge_ratio: f64,
        /// Its slope over the latest measurements, per step.
        slope: f64,
        /// The step at which that line meets 1.
        at_step: f64,
        /// The earliest such step, of this line, of slopes two standard errors away, of the line
        /// through more measurements and of the parabola that bends as they do.
        earliest: f64,
        /// The latest such step; absent where one of them never meets 1.
        latest: Option<f64>,
    },
    /// The loss is likely to rise steeply within the coming steps.
    SpikeWarning {
        /// Probability of a spike that starts within `horizon` steps.
        probability: f64,
        /// The steps that the probability speaks of.
        horizon: usize,
        /// Whether it was seen at the last steps rather than from afar.
        imminent: bool,
        /// Steps until the oscillation's share of the loss is visible, if its growth goes on;
        /// absent where it does not get there.
        in_steps: Option<usize>,
        /// The edge ratio now.
        edge_ratio: f64,
        /// Its slope, per step.
        slope: f64,
        /// Factor by which the gradient along the top eigenvector grows in a step, by the ratio.
        growth: f64,
        /// The same factor as measured over the latest rows.
        measured_growth: Option<f64>,
        /// c^2/(2 lambda_1) over the loss, c the gradient's component along the top eigenvector.
        energy_share: f64,
        /// |c| over the norm of the gradient.
        gradient_alignment: f64,
        /// Batch sharpness over the threshold.
        batch_ratio: Option<f64>,
    },
    /// A spike of the loss has ended, or the run has, or it has lasted too long to be one.
    LossSpike {
        /// The first step above the baseline's band.
        start: usize,
        /// The step of the largest loss.
        peak: usize,
        /// The largest loss; absent where it is not finite.
        peak_loss: Option<f64>,
        /// The baseline: median of the losses before.
        baseline: f64,
        /// `peak_loss` over `baseline`.
        height: Option<f64>,
        /// The first step of the calm after it; absent where there was none.
        end: Option<usize>,
        /// Whether the loss came back to the baseline.
        recovered: bool,
    },
    /// A spike after which the sharpness is lower.
    Catapult {
        /// The spike's first step.
        start: usize,
        /// The first step of the calm after it.
        end: usize,
        /// The spike's height over its baseline.
        height: Option<f64>,
        /// Sharpness before: the median of the latest measurements.
        sharpness_before: f64,
        /// Sharpness after.
        sharpness_after: f64,
    },
    /// The loss stands still.
    Plateau {
        /// The loss.
        train_loss: f64,
        /// Its largest relative change over the latest rows.
        relative_change: f64,
        /// How many rows.
        rows: usize,
    },
    /// The loss stands still, the gradient is small and some direction curves clearly downwards.
    Saddle {
        /// Smallest eigenvalue of the Hessian.
        lambda_min: f64,
        /// The largest.
        lambda_max: f64,
        /// ||g||^2/(2 lambda_1) over the loss.
        gradient_share: f64,
    },
    /// The loss stands still, the gradient is small and no direction curves clearly downwards.
    MinimumSuspected {
        /// Smallest eigenvalue of the Hessian.
        lambda_min: f64,
        /// The largest.
        lambda_max: f64,
        /// ||g||^2/(2 lambda_1) over the loss.
        gradient_share: f64,
    },
    /// A logged eigenvalue did not meet the residual tolerance.
    CurvatureUnconverged {
        /// The largest relative residual of the row.
        residual: f64,
        /// The tolerance asked for.
        tolerance: f64,
    },
    /// The numbers are near what the precision can tell apart, or contradict each other.
    PrecisionSuspect {
        /// What was seen.
        reason: PrecisionReason,
        /// The number that decided it.
        value: f64,
        /// The bound that it passed.
        bound: f64,
    },
    /// An audit of the eigenvalues that were followed found another largest one.
    CurvatureRepaired {
        /// The largest eigenvalue as it was followed.
        followed: f64,
        /// The largest eigenvalue that the audit found.
        found: f64,
    },
    /// A warning was acted on.
    ActionTaken {
        /// What was done.
        action: WarningAction,
        /// The first step that it changes, or whose state was saved.
        next_step: usize,
        /// The learning rate of that step.
        lr: f64,
    },
    /// Curvature could not be measured, because a Hessian-vector product was not finite.
    CurvatureNonFinite {
        /// The training loss at that step.
        train_loss: Option<f64>,
    },
    /// Training diverged; the run ends here.
    Divergence {
        /// The training loss at that step, absent where it is not finite.
        train_loss: Option<f64>,
        /// What was seen.
        reason: String,
    },
}

choices! {
    /// What is done where a loss spike is warned of.
    pub enum WarningAction ("action on a warning") {
        /// The run ends, with a checkpoint.
        Stop = "stop",
        /// The learning rate is halved, from the next update to the end.
        HalveLr = "halve-lr",
        /// A checkpoint is written.
        Checkpoint = "checkpoint",
    }
}

/// Why numbers are suspect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrecisionReason {
    /// Updates are below the spacing of the parameters: `value` is the relative update.
    UpdateBelowResolution,
    /// A sharpness far below both its neighbours', which a small step cannot do: `value` is it over
    /// the lower neighbour. The eigensolver has probably missed the top eigenvalue.
    MeasurementsDisagree,
    /// A residual that did not converge is about as small as the precision allows: `value` is it.
    ResidualFloor,
}

impl EventKind {
    /// The kind's name as written in `events.jsonl`.
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::EdgeEntered { .. } => "edge_entered",
            EventKind::EdgeLeft { .. } => "edge_left",
            EventKind::EdgeForecast { .. } => "edge_forecast",
            EventKind::SpikeWarning { .. } => "spike_warning",
            EventKind::LossSpike { .. } => "loss_spike",
            EventKind::Catapult { .. } => "catapult",
            EventKind::Plateau { .. } => "plateau",
            EventKind::Saddle { .. } => "saddle",
            EventKind::MinimumSuspected { .. } => "minimum_suspected",
            EventKind::CurvatureUnconverged { .. } => "curvature_unconverged",
            EventKind::PrecisionSuspect { .. } => "precision_suspect",
            EventKind::CurvatureRepaired { .. } => "curvature_repaired",
            EventKind::ActionTaken { .. } => "action_taken",
            EventKind::CurvatureNonFinite { .. } => "curvature_non_finite",
            EventKind::Divergence { .. } => "divergence",
        }
    }

    /// The assumption that the event rests on, in a few words.
    pub fn assumes(&self) -> &'static str {
        match self {
            EventKind::EdgeEntered { .. } | EventKind::EdgeLeft { .. } => {
                "the optimizer's threshold holds as on a local quadratic"
            }
            EventKind::EdgeForecast { .. } => "the edge ratio goes on along its present line",
            EventKind::SpikeWarning { .. } => {
                "the gradient along the top eigenvector grows as on a local quadratic, and runs are \
                 like those that the probability was fitted on"
            }
            EventKind::LossSpike { .. } => {
                "the median of the losses before is what training was at"
            }
            EventKind::Catapult { .. } => "the sharpness fell because of the spike",
            EventKind::Plateau { .. } => {
                "the loss of the latest rows tells that of the coming ones"
            }
            EventKind::Saddle { .. } | EventKind::MinimumSuspected { .. } => {
                "the extreme eigenvalues were found, and the loss is at least zero"
            }
            EventKind::CurvatureUnconverged { .. } => {
                "the residual bounds the distance to some eigenvalue"
            }
            EventKind::PrecisionSuspect { .. } => {
                "the run's precision is the one that the resolution is set for"
            }
            EventKind::CurvatureRepaired { .. } => {
                "a solve from nothing finds the largest eigenvalue"
            }
            EventKind::ActionTaken { .. } => "the warning at this step was right",
            EventKind::CurvatureNonFinite { .. } => "none: a product was not finite",
            EventKind::Divergence { .. } => "a loss this far above the initial one does not return",
        }
    }
}
