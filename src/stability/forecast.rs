//! When the edge will be reached, from where the edge ratio is going.

use serde::{Deserialize, Serialize};

use super::checks::{at_least, positive};
use super::trend::{Line, Trend};
use crate::error::Result;
use crate::record::EventKind;

/// How the edge is forecast.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct ForecastSettings {
    /// Measurements that a forecast of the edge is drawn from ...
    pub forecast_rows: usize,
    /// ... and how many times their span it may look ahead.
    pub forecast_spans: f64,
    /// The forecast's slope has to exceed so many of its standard errors; its interval reaches to
    /// slopes that differ from it by as many.
    pub forecast_errors: f64,
}

impl Default for ForecastSettings {
    fn default() -> Self {
        Self { forecast_rows: 16, forecast_spans: 1.0, forecast_errors: 2.0 }
    }
}

/// By which shares of a forecast's distance its interval reaches beyond the present line.
struct Reach {
    /// Whichever way the rows bend.
    always: f64,
    /// Besides where their slope grows ...
    steepening: f64,
    /// ... and where it falls, in proportion up to [`FULL_BEND`].
    flattening: f64,
}

/// Fitted on runs (docs/warnings.md), so that 5 of 6 intervals hold there.
const EARLIER: Reach = Reach { always: 0.15, steepening: 0.55, flattening: 0.25 };
const LATER: Reach = Reach { always: 0.35, steepening: 0.25, flattening: 0.1 };
/// The bend, as twice what the slope of the later half of the rows differs from that of the earlier by over
/// itself, at which the interval is at its widest.
const FULL_BEND: f64 = 0.6;
/// The bend below which the rows are a line, and are taken at their word the more the less they bend.
const NO_BEND: f64 = 0.01;

impl Reach {
    /// The share for rows of this bend.
    fn at(&self, bend: f64) -> f64 {
        let full = (bend.abs() / FULL_BEND).min(1.0);
        let turn = if bend > 0.0 { self.steepening } else { self.flattening };
        (self.always + turn * full) * doubt(bend)
    }
}

/// How much rows of this bend are doubted to go on as a line.
fn doubt(bend: f64) -> f64 {
    (bend.abs() / NO_BEND).min(1.0)
}

impl ForecastSettings {
    /// Checks that the constants can be used.
    ///
    /// # Errors
    /// [`crate::error::Error::Setting`] naming the first that cannot.
    pub fn validate(&self) -> Result<()> {
        // Three points make a line with a scatter about it, and there is one through each half.
        at_least("forecast_rows", self.forecast_rows, 6)?;
        positive("forecast_spans", self.forecast_spans)?;
        positive("forecast_errors", self.forecast_errors)
    }
}

/// Says when the edge will be reached, and again when that does not hold any more.
#[derive(Debug, Clone)]
pub(super) struct Forecast {
    settings: ForecastSettings,
    ratios: Trend,
    latest: Option<Told>,
}

/// A forecast that was told: its interval, and when it was made.
#[derive(Debug, Clone, Copy)]
struct Told {
    earliest: f64,
    latest: Option<f64>,
    step: f64,
}

/// How far the edge ratio is from the edge, and how it is moving.
struct Course {
    /// What the ratio lacks.
    missing: f64,
    /// The line through all rows.
    whole: Line,
    /// The present line: that through the later half of them.
    line: Line,
    /// By how much it is steeper than that through the earlier half, per step.
    bend: f64,
    /// Steps from one row to the next.
    spacing: f64,
}

impl Forecast {
    pub fn new(settings: &ForecastSettings) -> Self {
        let ratios = Trend::new(settings.forecast_rows);
        Self { settings: settings.clone(), ratios, latest: None }
    }

    /// Forgets everything: earlier ratios say nothing of later ones.
    pub fn clear(&mut self) {
        self.ratios.clear();
        self.latest = None;
    }

    /// Forgets what was forecast, for the edge has been reached.
    pub fn fulfil(&mut self) {
        self.latest = None;
    }

    /// Takes a row's edge ratio in.
    pub fn push(&mut self, step: usize, edge_ratio: f64) {
        self.ratios.push(step, edge_ratio);
    }

    /// A forecast of when the ratio reaches `edge`, where there is none yet or the trend has left the
    /// latest one's interval.
    pub fn draw(&mut self, step: usize, edge_ratio: f64, edge: f64) -> Option<EventKind> {
        let s = &self.settings;
        let course = self.course(edge)?;
        let Course { missing, whole, line, .. } = course;
        let ahead = straight(missing, line.slope)?;
        let scatter_alone = line.slope <= s.forecast_errors * line.slope_error;
        if scatter_alone || ahead > s.forecast_spans * whole.span {
            return None;
        }
        let now = step as f64;
        let at_step = now + ahead;
        if self.latest.is_some_and(|told| told.stands(now, at_step, whole.span)) {
            return None;
        }
        let (earliest, latest) = course.interval(now, ahead, s.forecast_errors);
        self.latest = Some(Told { earliest, latest, step: now });
        Some(EventKind::EdgeForecast { edge_ratio, slope: line.slope, at_step, earliest, latest })
    }

    /// Where the rows lead, once there are enough of them.
    fn course(&self, edge: f64) -> Option<Course> {
        if self.ratios.values().count() < self.settings.forecast_rows {
            return None;
        }
        let (whole, (line, bend)) = (self.ratios.line()?, self.ratios.bend()?);
        let spacing = whole.span / (self.settings.forecast_rows - 1) as f64;
        Some(Course { missing: (edge - line.now).max(0.0), whole, line, bend, spacing })
    }
}

impl Told {
    /// Whether it holds still, or is too young to be told anew: a trend is known anew only when its
    /// rows, which reach over `span` steps, are new.
    fn stands(&self, now: f64, at_step: f64, span: f64) -> bool {
        let holds = at_step >= self.earliest && self.latest.is_none_or(|latest| at_step <= latest);
        holds || now < self.step + span
    }
}

impl Course {
    /// The earliest and the latest step at which the edge may be reached: along the present line, in
    /// `ahead` steps, along lines whose slopes are `errors` standard errors away, where the whole of
    /// the rows leads, and where their bend does; and beyond that by what rows of such a bend have
    /// been seen to do. No latest where one of them never gets there.
    fn interval(&self, now: f64, ahead: f64, errors: f64) -> (f64, Option<f64>) {
        let Self { missing, line, bend, .. } = *self;
        let error = errors * line.slope_error;
        // The later half's slope is that at its middle.
        let steeper = line.slope + bend * line.span / 2.0;
        let relative = bend * self.whole.span / line.slope;
        let later = ahead * (1.0 + LATER.at(relative)) + self.spacing * doubt(relative);
        let others = [
            straight(missing, line.slope + error),
            straight(missing, line.slope - error),
            straight(missing, self.whole.slope),
            bent(missing, steeper, bend),
            Some(ahead * (1.0 - EARLIER.at(relative)).max(0.0)),
            Some(later),
        ];
        let earliest = now + others.iter().flatten().fold(ahead, |least, &n| least.min(n));
        let latest = others.into_iter().try_fold(ahead, |most, steps| Some(most.max(steps?)));
        (earliest, latest.map(|steps| now + steps))
    }
}

/// Steps in which a line of this slope rises by `missing`.
fn straight(missing: f64, slope: f64) -> Option<f64> {
    (slope > 0.0).then(|| missing / slope).filter(|steps| steps.is_finite())
}

/// Steps in which a parabola that starts with this slope and changes it by `bend` a step does.
fn bent(missing: f64, slope: f64, bend: f64) -> Option<f64> {
    if bend == 0.0 {
        return straight(missing, slope);
    }
    let root = (slope * slope + 2.0 * bend * missing).sqrt();
    // The form of the quadratic's root that keeps its digits.
    let steps = 2.0 * missing / (slope + root);
    (steps.is_finite() && steps >= 0.0).then_some(steps)
}
