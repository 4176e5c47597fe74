//! Events: moments of a run worth a line of their own.

use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::{Map, Value};

use super::event_field::{Field, read};
use crate::names::choices;

/// The keys of a line of `events.jsonl` that are not numbers of its kind.
const STEP: &str = "step";
const KIND: &str = "kind";
const ASSUMES: &str = "assumes";

/// One line of `events.jsonl`: the step, the kind with its numbers, and `assumes`, the assumption
/// that the event rests on (see [`EventKind::assumes`]).
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(into = "Map<String, Value>")]
pub struct Event {
    /// The step at which it was seen.
    pub step: usize,
    /// What happened, with the numbers that decided it.
    pub kind: EventKind,
}

impl From<Event> for Map<String, Value> {
    fn from(Event { step, kind }: Event) -> Self {
        let known = !matches!(kind, EventKind::Other(_));
        let assumes = known.then(|| (ASSUMES.to_string(), Value::from(kind.assumes())));
        let step = (STEP.to_string(), Value::from(step));
        std::iter::once(step).chain(kind.fields()).chain(assumes).collect()
    }
}

impl<'de> Deserialize<'de> for Event {
    /// A kind that is not known is kept as it is; one that is known must have its numbers.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut event = Map::deserialize(deserializer)?;
        let step = event.shift_remove(STEP).ok_or_else(|| de::Error::missing_field(STEP))?;
        let step = usize::deserialize(step).map_err(de::Error::custom)?;
        let name = event.get(KIND).and_then(Value::as_str).map(str::to_string);
        let name = name.ok_or_else(|| de::Error::missing_field(KIND))?;
        let kind = EventKind::of(&name, event).map_err(de::Error::custom)?;
        Ok(Self { step, kind })
    }
}

/// Writes out [`EventKind`] from its entries: what an event is, how it is named, what it assumes and which
/// numbers it has are said in one place.
macro_rules! event_kinds {
    ($(
        $(#[doc = $about:literal])*
        $kind:ident = $name:literal, assumes $assumes:literal {
            $($(#[$what:meta])* $field:ident: $type:ty,)*
        }
    )*) => {
        /// What happened, and the numbers that decided it. "Sharpness" is that of the operator that the
        /// threshold bounds, unless said otherwise.
        #[derive(Debug, Clone, PartialEq)]
        #[non_exhaustive]
        pub enum EventKind {
            $(
                $(#[doc = $about])*
                $kind { $($(#[$what])* $field: $type,)* },
            )*
            /// An event of a kind that only a later version knows, as it was read.
            Other(Map<String, Value>),
        }

        impl EventKind {
            /// The names of all kinds, as they are written in `events.jsonl`.
            pub const NAMES: &'static [&'static str] = &[$($name),*];

            /// The kind's name as written in `events.jsonl`; `other` for one that is not known here.
            pub fn name(&self) -> &'static str {
                match self {
                    $(EventKind::$kind { .. } => $name,)*
                    EventKind::Other(_) => "other",
                }
            }

            /// What an event of this kind is, in a sentence.
            pub fn about(&self) -> &'static str {
                match self {
                    $(EventKind::$kind { .. } => concat!($($about),*).trim_ascii(),)*
                    EventKind::Other(_) => "An event of a kind that a later version knows.",
                }
            }

            /// The assumption that the event rests on, in a few words.
            pub fn assumes(&self) -> &'static str {
                match self {
                    $(EventKind::$kind { .. } => $assumes,)*
                    EventKind::Other(_) => "what a later version says",
                }
            }

            /// Its kind and its numbers, by key.
            fn fields(self) -> Map<String, Value> {
                let name = self.name();
                match self {
                    $(EventKind::$kind { $($field),* } => {
                        let kind = (KIND.to_string(), Value::from(name));
                        let fields = [$((stringify!($field).to_string(), $field.written())),*];
                        std::iter::once(kind).chain(fields).collect()
                    })*
                    EventKind::Other(event) => event,
                }
            }

            /// The event of a kind with these keys; those that it does not know are left alone. One of a kind
            /// that is not known is kept as it is.
            fn of(name: &str, fields: Map<String, Value>) -> Result<Self, String> {
                match name {
                    $($name => Ok(EventKind::$kind {
                        $($field: read(&fields, stringify!($field))?,)*
                    }),)*
                    _ => Ok(EventKind::Other(fields)),
                }
            }
        }
    };
}

event_kinds! {
    /// The sharpness reached the stability threshold, from below.
    EdgeEntered = "edge_entered", assumes "the optimizer's threshold holds as on a local quadratic" {
        /// Sharpness of the operator that the threshold belongs to.
        sharpness: f64,
        /// The threshold.
        threshold: f64,
        /// Their ratio.
        edge_ratio: f64,
    }

    /// The sharpness has been clearly below the threshold for some measurements.
    EdgeLeft = "edge_left", assumes "the optimizer's threshold holds as on a local quadratic" {
        /// Sharpness now.
        sharpness: f64,
        /// The threshold now.
        threshold: f64,
        /// Their ratio.
        edge_ratio: f64,
        /// The step at which the edge had been entered.
        entered: usize,
    }

    /// The realized ratio reached 1, from below: on a local quadratic the update raises the loss of the
    /// samples that it was taken from.
    RealizedEdgeEntered = "realized_edge_entered", assumes "the loss is a quadratic along the update" {
        /// s'Hs / (-2 g's), s being the update.
        realized_ratio: f64,
        /// The edge ratio at that row.
        edge_ratio: Option<f64>,
    }

    /// The realized ratio has been clearly below 1 for some measurements.
    RealizedEdgeLeft = "realized_edge_left", assumes "the loss is a quadratic along the update" {
        /// The ratio now.
        realized_ratio: f64,
        /// The edge ratio at that row.
        edge_ratio: Option<f64>,
        /// The step at which it had reached 1.
        entered: usize,
    }

    /// Where the present trend of the edge ratio meets 1.
    EdgeForecast = "edge_forecast", assumes "the edge ratio goes on along its present line" {
        /// The ratio now.
        edge_ratio: f64,
        /// Its slope over the latest measurements, per step.
        slope: f64,
        /// The step at which that line meets 1.
        at_step: f64,
        /// The earliest such step, of this line, of slopes two standard errors away, of the line
        /// through more measurements and of the parabola that bends as they do, or as much earlier as rows
        /// that bend so have been seen to meet it.
        earliest: f64,
        /// The latest, likewise; absent where one of them never meets 1.
        latest: Option<f64>,
    }

    /// The loss is likely to rise steeply within the coming steps.
    SpikeWarning = "spike_warning", assumes
        "the gradient along the top eigenvector grows as on a local quadratic, and runs are like \
         those that the probability was fitted on"
    {
        /// Probability of a spike that starts within `horizon` steps.
        probability: f64,
        /// The steps that the probability speaks of.
        horizon: usize,
        /// Whether it was seen at the last steps rather than from afar.
        imminent: bool,
        /// Steps until the oscillation's share of the loss is visible, if its growth goes on;
        /// absent where it does not get there.
        in_steps: Option<usize>,
        /// The edge ratio now; absent, as what follows from it, of an optimizer without a threshold.
        edge_ratio: Option<f64>,
        /// Its slope, per step.
        slope: Option<f64>,
        /// Factor by which the gradient along the top eigenvector grows in a step, by the ratio.
        growth: Option<f64>,
        /// The same factor as measured over the latest rows.
        measured_growth: Option<f64>,
        /// c^2/(2 lambda_1) over the loss, c the gradient's component along the top eigenvector.
        energy_share: Option<f64>,
        /// |c| over the norm of the gradient.
        gradient_alignment: Option<f64>,
        /// Batch sharpness (its ratio of means) over what it settles at, 1 between small batches' and
        /// large ones'.
        batch_ratio: Option<f64>,
        /// The largest loss within the coming 20 steps, by the growth of the modes and by what came of such growth in runs
        /// that warnings were tuned on: half of them stayed below this, ...
        predicted_loss: Option<f64>,
        /// ... one in ten below this ...
        predicted_least: Option<f64>,
        /// ... and nine in ten below this.
        predicted_most: Option<f64>,
        /// The largest multiple of the learning rates to come at which nine scenarios in ten stay below a spike.
        bearable: Option<f64>,
    }

    /// The oscillation that was warned of has died away: training bears a larger learning rate than it was left
    /// with.
    WarningLifted = "warning_lifted", assumes "the modes that are followed grow as on a local quadratic" {
        /// The largest multiple of the learning rates to come at which nine scenarios in ten stay below a spike.
        bearable: f64,
        /// What the schedule's rates are multiplied by now.
        rate_factor: f64,
    }

    /// A spike of the loss has ended, or the run has, or it has lasted too long to be one.
    LossSpike = "loss_spike", assumes "the median of the losses before is what training was at" {
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
    }

    /// A spike after which the sharpness is lower.
    Catapult = "catapult", assumes "the sharpness fell because of the spike" {
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
    }

    /// The loss stands still.
    Plateau = "plateau", assumes "the loss of the latest rows tells that of the coming ones" {
        /// The loss.
        train_loss: f64,
        /// Its largest relative change over the latest rows.
        relative_change: f64,
        /// How many rows.
        rows: usize,
    }

    /// The loss stands still, the gradient is small and some direction curves clearly downwards.
    Saddle = "saddle", assumes "the extreme eigenvalues were found, and the loss is at least zero" {
        /// Smallest eigenvalue of the Hessian.
        lambda_min: f64,
        /// The largest.
        lambda_max: f64,
        /// ||g||^2/(2 lambda_1) over the loss.
        gradient_share: f64,
    }

    /// The loss stands still, the gradient is small and no direction curves clearly downwards.
    MinimumSuspected = "minimum_suspected", assumes "the extreme eigenvalues were found, and the loss is at least zero" {
        /// Smallest eigenvalue of the Hessian.
        lambda_min: f64,
        /// The largest.
        lambda_max: f64,
        /// ||g||^2/(2 lambda_1) over the loss.
        gradient_share: f64,
    }

    /// A logged eigenvalue did not meet the residual tolerance.
    CurvatureUnconverged = "curvature_unconverged", assumes "the residual bounds the distance to some eigenvalue" {
        /// The largest relative residual of the row.
        residual: f64,
        /// The tolerance asked for.
        tolerance: f64,
    }

    /// The numbers are near what the precision can tell apart, or contradict each other.
    PrecisionSuspect = "precision_suspect", assumes "the run's precision is the one that the resolution is set for" {
        /// What was seen.
        reason: PrecisionReason,
        /// The number that decided it.
        value: f64,
        /// The bound that it passed.
        bound: f64,
    }

    /// Updates raise the loss along directions that are not among the modes that are followed: `--top` is too small to
    /// see what training does.
    TooFewFollowed = "too_few_followed", assumes "the loss is a quadratic along the update" {
        /// How many modes are followed.
        followed: usize,
        /// The share of the curvature along the update that they hold.
        followed_share: f64,
        /// s'Hs / (-2 g's), s being the update.
        realized_ratio: f64,
    }

    /// An audit of the eigenvalues that were followed found another largest one.
    CurvatureRepaired = "curvature_repaired", assumes "a solve from nothing finds the largest eigenvalue" {
        /// The largest eigenvalue as it was followed.
        followed: f64,
        /// The largest eigenvalue that the audit found.
        found: f64,
    }

    /// A warning was acted on.
    ActionTaken = "action_taken", assumes "the warning at this step was right" {
        /// What was done.
        action: WarningAction,
        /// The first step that it changes, or whose state was saved.
        next_step: usize,
        /// The learning rate of that step.
        lr: f64,
        /// What the learning rates from there on are multiplied by.
        factor: Option<f64>,
    }

    /// Curvature could not be measured, because a Hessian-vector product was not finite.
    CurvatureNonFinite = "curvature_non_finite", assumes "none: a product was not finite" {
        /// The training loss at that step.
        train_loss: Option<f64>,
    }

    /// Training diverged; the run ends here.
    Divergence = "divergence", assumes "a loss this far above the initial one does not return" {
        /// The training loss at that step, absent where it is not finite.
        train_loss: Option<f64>,
        /// What was seen.
        reason: String,
    }
}

choices! {
    /// What is done where a loss spike is warned of.
    pub enum WarningAction ("action on a warning") {
        /// The run ends, with a checkpoint.
        Stop = "stop",
        /// The learning rate is halved, from the next update to the end.
        HalveLr = "halve-lr",
        /// The learning rate is lowered to what the coming steps bear, and given back when they bear it.
        LowerLr = "lower-lr",
        /// A checkpoint is written.
        Checkpoint = "checkpoint",
    }
}

impl WarningAction {
    /// What it multiplies the coming learning rates by, where the warning does not say what they bear.
    pub fn rate_factor(self) -> f64 {
        match self {
            WarningAction::HalveLr | WarningAction::LowerLr => 0.5,
            WarningAction::Stop | WarningAction::Checkpoint => 1.0,
        }
    }

    /// What it did multiply them by, from what its event says; those of earlier versions say nothing.
    pub fn taken_factor(self, said: Option<f64>) -> f64 {
        said.unwrap_or(self.rate_factor())
    }

    /// What it multiplies them by where the warning says that training bears `bearable` times them.
    pub fn factor_for(self, bearable: Option<f64>) -> f64 {
        /// At most and at least: a cut that is none helps nobody, and one by more is a stop.
        const CUTS: (f64, f64) = (0.1, 0.9);
        match (self, bearable) {
            (WarningAction::LowerLr, Some(bearable)) => bearable.clamp(CUTS.0, CUTS.1),
            _ => self.rate_factor(),
        }
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
