//! Scores along a run, by our method and by simpler ones.

use std::collections::VecDeque;

use serde::Serialize;
use sharpscope::record::StepRow;
use sharpscope::stability::{
    FEATURES, Replay, Signal, Spike, SpikeDetector, SpikeSettings, StabilitySettings, median,
    robust_deviation, spikes,
};

/// What gives a score to a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// What our warnings go by: see [`Signal::score`].
    Ours,
    /// The early model's probability alone.
    EarlyAlone,
    /// The imminent model's probability alone.
    ImminentAlone,
    /// Its forecast alone: fewer steps until the oscillation is visible score higher.
    ForecastAlone,
    /// How many robust standard deviations the loss is above the median of those before.
    LossDeviation,
    /// The same for the norm of the gradient.
    GradientDeviation,
    /// The edge ratio.
    EdgeRatio,
}

impl Method {
    /// All of them.
    pub const ALL: [Method; 7] = [
        Method::Ours,
        Method::EarlyAlone,
        Method::ImminentAlone,
        Method::ForecastAlone,
        Method::LossDeviation,
        Method::GradientDeviation,
        Method::EdgeRatio,
    ];

    /// In words.
    pub fn name(self) -> &'static str {
        match self {
            Method::Ours => "spike models",
            Method::EarlyAlone => "early alone",
            Method::ImminentAlone => "imminent alone",
            Method::ForecastAlone => "forecast alone",
            Method::LossDeviation => "loss deviation",
            Method::GradientDeviation => "gradient deviation",
            Method::EdgeRatio => "edge ratio",
        }
    }
}

/// A row's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredRow {
    /// The step.
    pub step: usize,
    /// Higher is more likely to spike.
    pub score: f64,
    /// Whether a spike was under way.
    pub in_spike: bool,
}

/// The scores of a run and its labels.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoredRun {
    /// Of rows that have what the method needs.
    pub rows: Vec<ScoredRow>,
    /// The spikes of the loss curve.
    pub spikes: Vec<Spike>,
    /// The last step.
    pub last: usize,
}

impl ScoredRun {
    /// By `method`; `replay` is that of the same rows.
    pub fn new(
        method: Method,
        rows: &[StepRow],
        replay: &Replay,
        settings: &StabilitySettings,
    ) -> Self {
        let of_spikes = &settings.spikes;
        let scored = match method {
            Method::Ours => from_signals(replay, |signal| signal.score(&settings.warning)),
            Method::EarlyAlone => from_signals(replay, |signal| signal.early),
            Method::ImminentAlone => from_signals(replay, |signal| signal.imminent),
            Method::ForecastAlone => from_signals(replay, |signal| {
                signal.in_steps.map_or(f64::NEG_INFINITY, |steps| -(steps as f64))
            }),
            Method::LossDeviation => deviations(rows, |row| row.train_loss, of_spikes),
            Method::GradientDeviation => deviations(rows, |row| row.grad_norm, of_spikes),
            Method::EdgeRatio => with_spikes(rows, |row| row.edge_ratio, of_spikes),
        };
        let last = rows.last().map_or(0, |row| row.step);
        Self { rows: scored, spikes: spikes(&losses(rows), of_spikes), last }
    }

    /// The same rows with 1 where this score or `other` reaches its bar, else 0.
    pub fn joined(&self, bar: f64, other: &ScoredRun, other_bar: f64) -> Self {
        let join = |(a, b): (&ScoredRow, &ScoredRow)| ScoredRow {
            score: if a.score >= bar || b.score >= other_bar { 1.0 } else { 0.0 },
            ..*a
        };
        Self { rows: self.rows.iter().zip(&other.rows).map(join).collect(), ..self.clone() }
    }
}

/// A row with what came after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledRow {
    /// The row's step.
    pub step: usize,
    /// Its features.
    pub features: [f64; FEATURES.len()],
    /// The first step of the next spike, if one starts within the horizon.
    pub spike: Option<usize>,
}

impl LabelledRow {
    /// Steps to the spike.
    pub fn lead(&self) -> Option<usize> {
        self.spike.map(|start| start - self.step)
    }
}

/// The rows of a run that are in no spike, for fitting. Those that the run ends too early for to tell
/// what comes after them are left out.
pub fn labelled(
    replay: &Replay,
    spikes: &[Spike],
    last: usize,
    horizon: usize,
) -> Vec<LabelledRow> {
    let usable = replay.signals.iter().filter(|signal| !signal.in_spike);
    usable
        .filter_map(|signal| {
            let step = signal.step;
            let after = spikes.iter().map(|spike| spike.start).filter(|&start| start > step);
            let spike = after.min().filter(|&start| start <= step + horizon);
            let known = spike.is_some() || step + horizon <= last;
            known.then_some(LabelledRow { step, features: signal.features, spike })
        })
        .collect()
}

/// The loss curve: the steps at which the training loss was evaluated, each with it.
pub fn losses(rows: &[StepRow]) -> Vec<(usize, f64)> {
    rows.iter().filter_map(|row| Some((row.step, row.train_loss?))).collect()
}

fn from_signals(replay: &Replay, score: impl Fn(&Signal) -> f64) -> Vec<ScoredRow> {
    let row = |signal: &Signal| ScoredRow {
        step: signal.step,
        score: score(signal),
        in_spike: signal.in_spike,
    };
    replay.signals.iter().map(row).collect()
}

fn with_spikes(
    rows: &[StepRow],
    mut score: impl FnMut(&StepRow) -> Option<f64>,
    settings: &SpikeSettings,
) -> Vec<ScoredRow> {
    let mut detector = SpikeDetector::new(settings);
    let mut scored = Vec::new();
    for row in rows {
        if let Some(loss) = row.train_loss {
            detector.observe(row.step, loss);
        }
        let in_spike = detector.started().is_some();
        if let Some(score) = score(row) {
            scored.push(ScoredRow { step: row.step, score, in_spike });
        }
    }
    scored
}

/// Robust deviations above the median of the window before.
fn deviations(
    rows: &[StepRow],
    value: impl Fn(&StepRow) -> Option<f64>,
    settings: &SpikeSettings,
) -> Vec<ScoredRow> {
    let mut window: VecDeque<f64> = VecDeque::new();
    let deviation = |row: &StepRow| {
        let value = value(row).filter(|value| value.is_finite())?;
        let before: Vec<f64> = window.iter().copied().collect();
        if window.len() == settings.spike_window {
            window.pop_front();
        }
        window.push_back(value);
        let centre = median(before.iter().copied())?;
        let score = (value - centre) / robust_deviation(&before, centre);
        (before.len() >= 3 && !score.is_nan()).then_some(score)
    };
    with_spikes(rows, deviation, settings)
}
