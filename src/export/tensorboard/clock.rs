//! When the steps of a stored run were taken.

use serde_json::Value;

/// Seconds since 1970, from when a run started or was gone on with and what its steps took.
pub(super) struct Clock {
    now: f64,
    /// When it was gone on with, and the first step then; the latest last.
    resumed: Vec<(usize, f64)>,
}

impl Clock {
    /// Of a run with this manifest, at its start; from 0 where that does not say.
    pub fn of(manifest: &Value) -> Self {
        let resumed = manifest["resumed"].as_array().into_iter().flatten();
        let resumption = |r: &Value| Some((r["step"].as_u64()? as usize, seconds(&r["time"])?));
        Self {
            now: seconds(&manifest["started"]).unwrap_or(0.0),
            resumed: resumed.filter_map(resumption).collect(),
        }
    }

    /// The time.
    pub fn now(&self) -> f64 {
        self.now
    }

    /// A step was taken in so many milliseconds, of which it was gone on with last.
    pub fn take(&mut self, step: usize, step_ms: Option<f64>, curvature_ms: Option<f64>) {
        let again = self.resumed.iter().filter(|(first, _)| *first == step).map(|(_, time)| *time);
        self.now = again.fold(self.now, f64::max);
        let spent = step_ms.unwrap_or(0.0) + curvature_ms.unwrap_or(0.0);
        if spent.is_finite() {
            self.now += spent / 1000.0;
        }
    }
}

fn seconds(time: &Value) -> Option<f64> {
    let time: jiff::Timestamp = time.as_str()?.parse().ok()?;
    Some(time.as_millisecond() as f64 / 1000.0)
}
