//! Whether probabilities are what they say.

use serde::Serialize;

use super::score::share;

/// Where bins of probabilities begin and end: narrow where most rows are.
const EDGES: [f64; 10] = [0.0, 0.01, 0.03, 0.1, 0.2, 0.4, 0.6, 0.8, 0.9, 1.0];

/// Rows with about the same probability.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// From this probability on ...
    pub from: f64,
    /// ... to below this one (the last bin: and of it).
    pub to: f64,
    /// Rows in it.
    pub rows: usize,
    /// Their mean probability.
    pub predicted: Option<f64>,
    /// The share of them that a spike followed.
    pub observed: Option<f64>,
}

/// How good probabilities are.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Calibration {
    /// Rows with a probability.
    pub rows: usize,
    /// The share of them that a spike followed.
    pub base_rate: f64,
    /// Mean square of probability less outcome (Brier 1950).
    pub brier: f64,
    /// The same of saying the base rate at each row.
    pub brier_of_base_rate: f64,
    /// By what share the first is below the second; `None` where no row or each was followed by a spike.
    pub skill: Option<f64>,
    /// Rows by their probability.
    pub bins: Vec<Bin>,
}

impl Calibration {
    /// Of probabilities with their outcomes; `None` of nothing.
    pub fn of(judged: &[(f64, bool)]) -> Option<Self> {
        let base_rate = share(judged.iter().filter(|row| row.1).count(), judged.len())?;
        let mean = |loss: &dyn Fn(f64, f64) -> f64| {
            let losses = judged.iter().map(|&(p, outcome)| loss(p, f64::from(u8::from(outcome))));
            losses.sum::<f64>() / judged.len() as f64
        };
        let brier = mean(&|p, outcome| (p - outcome).powi(2));
        let brier_of_base_rate = mean(&|_, outcome| (base_rate - outcome).powi(2));
        let skill = (brier_of_base_rate > 0.0).then(|| 1.0 - brier / brier_of_base_rate);
        let bins = EDGES.windows(2).map(|edges| bin(judged, edges[0], edges[1])).collect();
        Some(Self { rows: judged.len(), base_rate, brier, brier_of_base_rate, skill, bins })
    }
}

fn bin(judged: &[(f64, bool)], from: f64, to: f64) -> Bin {
    let last = to == 1.0;
    let within = |p: f64| from <= p && (p < to || (last && p <= to));
    let inside: Vec<_> = judged.iter().filter(|row| within(row.0)).collect();
    let rows = inside.len();
    let predicted = (rows > 0).then(|| inside.iter().map(|row| row.0).sum::<f64>() / rows as f64);
    let observed = share(inside.iter().filter(|row| row.1).count(), rows);
    Bin { from, to, rows, predicted, observed }
}
