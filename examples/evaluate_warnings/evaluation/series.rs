//! A run's rows with what was said at each of them, and what came after.

use sharpscope::record::StepRow;
use sharpscope::stability::{Replay, SpikeDetector, StabilitySettings};

use super::truth::Truth;

/// A run that was watched: its rows, what the monitor said of them, and what happened.
#[derive(Debug, Clone)]
pub struct Watched<'a> {
    /// The run's name.
    pub name: &'a str,
    /// What kind of run it is.
    pub kind: &'a str,
    /// Its rows.
    pub rows: &'a [StepRow],
    /// What the monitor said, with ...
    pub replay: Replay,
    /// ... these constants.
    pub settings: &'a StabilitySettings,
    /// Whether a spike was seen to be under way at each row, by the detector that sees the past alone. Nothing
    /// warns then.
    pub in_spike: Vec<bool>,
    /// What happened.
    pub truth: &'a Truth,
}

impl<'a> Watched<'a> {
    /// The rows of a run of that name and kind, with what a monitor of these constants said of them.
    pub fn new(
        (name, kind): (&'a str, &'a str),
        rows: &'a [StepRow],
        truth: &'a Truth,
        replay: Replay,
        settings: &'a StabilitySettings,
    ) -> Self {
        let mut detector = SpikeDetector::new(&settings.spikes);
        let seen = |row: &StepRow| {
            if let Some(loss) = row.train_loss {
                detector.observe(row.step, loss);
            }
            detector.started().is_some()
        };
        let in_spike = rows.iter().map(seen).collect();
        Self { name, kind, rows, replay, settings, in_spike, truth }
    }

    /// Steps that a warning stands for.
    pub fn horizon(&self) -> usize {
        self.settings.warning.warning_horizon
    }

    /// Whether the learning rate rises somewhere.
    pub fn rate_rises(&self) -> bool {
        self.rows.windows(2).any(|pair| pair[1].lr > pair[0].lr)
    }

    /// A score for each row that has one.
    pub fn scored(&self, scores: impl IntoIterator<Item = Option<f64>>) -> ScoredRun {
        let rows = self.rows.iter().zip(&self.in_spike).zip(scores);
        let rows = rows.filter_map(|((row, &in_spike), score)| {
            let score = score.filter(|score| !score.is_nan())?;
            Some(ScoredRow { step: row.step, score, in_spike })
        });
        ScoredRun { kind: self.kind.to_string(), rows: rows.collect(), truth: self.truth.clone() }
    }
}

/// The loss curve: the steps at which the training loss was evaluated, each with it.
pub fn losses(rows: &[StepRow]) -> Vec<(usize, f64)> {
    rows.iter().filter_map(|row| Some((row.step, row.train_loss?))).collect()
}

/// A row's score.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredRow {
    /// The step.
    pub step: usize,
    /// Higher is more likely to spike.
    pub score: f64,
    /// Whether a spike was seen to be under way.
    pub in_spike: bool,
}

/// The scores of a run, and what happened.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScoredRun {
    /// What kind of run it is.
    pub kind: String,
    /// Of rows that have what the method needs.
    pub rows: Vec<ScoredRow>,
    /// What happened.
    pub truth: Truth,
}

impl ScoredRun {
    /// The same rows with 1 where this score or `other` reaches its bar, else 0.
    pub fn joined(&self, bar: f64, other: &ScoredRun, other_bar: f64) -> Self {
        let join = |(a, b): (&ScoredRow, &ScoredRow)| ScoredRow {
            score: if a.score >= bar || b.score >= other_bar { 1.0 } else { 0.0 },
            ..*a
        };
        Self { rows: self.rows.iter().zip(&other.rows).map(join).collect(), ..self.clone() }
    }
}
