//! Means of independent draws, with what they leave open.

use statrs::statistics::Statistics;

/// A mean over independent draws.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Estimate {
    /// The mean.
    pub value: f64,
    /// Its standard error; `None` from a single draw.
    pub standard_error: Option<f64>,
}

impl Estimate {
    /// The mean of the draws and its standard error, the sample deviation over sqrt(n).
    pub fn of(draws: &[f64]) -> Self {
        let n = draws.len() as f64;
        let standard_error = (draws.len() > 1).then(|| draws.iter().std_dev() / n.sqrt());
        Self { value: draws.iter().mean(), standard_error }
    }
}
