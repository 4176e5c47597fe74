//! How often stated intervals hold.

use serde::Serialize;
use serde_json::{Map, Value};
use sharpscope::record::{Event, EventKind};

use super::score::share;
use super::series::{Watched, losses};

/// Of some intervals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Coverage {
    /// Intervals that were stated.
    pub told: usize,
    /// Those that held what came.
    pub held: usize,
    /// What came was below them ...
    pub below: usize,
    /// ... or above.
    pub above: usize,
    /// Their share; `None` of nothing.
    pub share: Option<f64>,
}

impl Coverage {
    /// Takes in an interval and what came; `high` may be infinite.
    pub fn add(&mut self, (low, high): (f64, f64), came: f64) {
        self.told += 1;
        match came {
            _ if low <= came && came <= high => self.held += 1,
            _ if came < low => self.below += 1,
            _ => self.above += 1,
        }
        self.share = share(self.held, self.told);
    }
}

/// Of the forecasts of the edge. One holds if the edge is entered within its interval; in a run that never
/// comes there it fails if its interval has passed, and is left out if the run ends before.
pub fn of_forecasts(run: &Watched<'_>, coverage: &mut Coverage) {
    let events = &run.replay.events;
    let entered = |event: &&Event| matches!(event.kind, EventKind::EdgeEntered { .. });
    let last = run.rows.last().map_or(0, |row| row.step) as f64;
    for event in events {
        let EventKind::EdgeForecast { earliest, latest, .. } = event.kind else { continue };
        let entry = events.iter().filter(entered).find(|entry| entry.step > event.step);
        let latest = latest.unwrap_or(f64::INFINITY);
        match entry {
            Some(entry) => coverage.add((earliest, latest), entry.step as f64),
            None if latest <= last => coverage.add((earliest, latest), f64::INFINITY),
            None => {}
        }
    }
}

/// Of the losses that warnings predict, where they do (`predicted_least` and `predicted_most`): an interval holds
/// if the largest loss within the warning's horizon is in it.
pub fn of_losses(run: &Watched<'_>, coverage: &mut Coverage) {
    let losses = losses(run.rows);
    for event in &run.replay.events {
        let fields = Map::<String, Value>::from(event.clone());
        if fields.get("kind").and_then(Value::as_str) != Some("spike_warning") {
            continue;
        }
        let number = |key: &str| fields.get(key).and_then(Value::as_f64);
        let (Some(low), Some(high)) = (number("predicted_least"), number("predicted_most")) else {
            continue;
        };
        let until = event.step + run.horizon();
        let coming = losses.iter().filter(|(step, _)| (event.step + 1..=until).contains(step));
        let largest = coming.map(|loss| loss.1).map(|loss| match loss.is_finite() {
            true => loss,
            false => f64::INFINITY,
        });
        let largest = largest.fold(f64::NEG_INFINITY, f64::max);
        // The run may end before it can be said, unless it ends in that.
        if run.truth.last >= until || largest > high {
            coverage.add((low, high), largest);
        }
    }
}
