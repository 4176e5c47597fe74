//! What the screen knows of a run.

use std::time::Instant;

use serde_json::Value;

use crate::config::{RunConfig, Settings};
use crate::profile::RunInfo;
use crate::record::{Event, Phase, StepRow};

/// Events that are kept for the screen.
const KEPT_EVENTS: usize = 500;
/// The speed is that of so many rows.
const SPEED_ROWS: usize = 100;

/// What is drawn of a row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Point {
    pub step: usize,
    pub loss: Option<f64>,
    /// Of the operator that the threshold bounds.
    pub sharpness: Option<f64>,
    pub threshold: Option<f64>,
    pub ratio: Option<f64>,
    /// Wall-clock time, in milliseconds.
    ms: f64,
}

/// How a run stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has no row yet.
    Waiting,
    /// It has rows, and has not ended as far as its manifest tells.
    UnderWay,
    /// It has ended, in words ("done", "diverged").
    Ended(String),
}

/// A run as far as it has come.
#[derive(Debug)]
pub(super) struct Watched {
    pub name: String,
    /// Problem and optimizer, in a line.
    pub what: String,
    /// How the threshold goes ("2/η"); `None` where none is known.
    pub formula: Option<String>,
    /// Where it ends by itself, if that is known.
    pub steps: Option<usize>,
    pub points: Vec<Point>,
    /// Rows whose eigenvalues did not converge.
    pub unconverged: usize,
    pub phase: Option<Phase>,
    /// Whether the latest measurement converged.
    pub converged: bool,
    pub val_loss: Option<f64>,
    pub standing: Standing,
    /// Steps and sentences, the latest last.
    pub events: Vec<(usize, String)>,
    /// How many there were.
    pub event_count: usize,
    /// When the last row came.
    pub changed: Instant,
}

impl Watched {
    /// A run of which nothing is known but where it is.
    pub fn named(name: String) -> Self {
        Self {
            name,
            what: String::new(),
            formula: None,
            steps: None,
            points: Vec::new(),
            unconverged: 0,
            phase: None,
            converged: true,
            val_loss: None,
            standing: Standing::Waiting,
            events: Vec::new(),
            event_count: 0,
            changed: Instant::now(),
        }
    }

    /// The run that is about to begin or to go on.
    pub fn of(run: &RunInfo) -> Self {
        let name = run.config["name"].as_str().unwrap_or_default();
        let mut watched = Self::named(name.to_string());
        watched.describe(&run.config);
        watched.formula = run.formula.clone();
        watched.steps = run.steps;
        run.history.rows.iter().for_each(|row| watched.row(row));
        run.history.events.iter().for_each(|event| watched.event(event));
        watched
    }

    /// Takes what a manifest's `config` says.
    pub fn describe(&mut self, config: &Value) {
        self.steps = config["steps"].as_u64().map(|steps| steps as usize);
        let resolved = Settings::of_manifest(config).ok();
        if let Some(config) = resolved.and_then(|settings| RunConfig::resolve(settings).ok()) {
            self.formula = config.optimizer.build().formula();
            self.what = config.in_words();
        }
    }

    /// Takes a row.
    pub fn row(&mut self, row: &StepRow) {
        let sharpness = row.operator_sharpness();
        self.points.push(Point {
            step: row.step,
            loss: row.train_loss,
            sharpness,
            // There is none where nothing moves.
            threshold: row.threshold.filter(|_| row.lr > 0.0),
            ratio: row.edge_ratio,
            ms: row.step_ms + row.curvature_ms.unwrap_or(0.0),
        });
        if sharpness.is_some() {
            self.converged = row.converged != Some(false);
        }
        self.unconverged += usize::from(row.converged == Some(false));
        self.phase = row.phase.or(self.phase);
        self.val_loss = row.val_loss.or(self.val_loss);
        self.changed = Instant::now();
        if self.standing == Standing::Waiting {
            self.standing = Standing::UnderWay;
        }
    }

    /// Takes an event.
    pub fn event(&mut self, event: &Event) {
        if self.events.len() >= 2 * KEPT_EVENTS {
            self.events.drain(..KEPT_EVENTS);
        }
        let formula = self.formula.as_deref().unwrap_or("threshold");
        self.events.push((event.step, event.kind.sentence(formula)));
        self.event_count += 1;
    }

    /// The latest of a number that is not measured in each row.
    pub fn latest(&self, value: impl Fn(&Point) -> Option<f64>) -> Option<f64> {
        self.points.iter().rev().find_map(value)
    }

    /// Updates taken.
    pub fn taken(&self) -> usize {
        self.points.last().map_or(0, |last| last.step + 1)
    }

    /// Steps a second, by the time that the latest rows say they took.
    pub fn speed(&self) -> Option<f64> {
        let latest = &self.points[self.points.len().saturating_sub(SPEED_ROWS)..];
        let ms: f64 = latest.iter().map(|point| point.ms).sum();
        (ms > 0.0).then(|| 1e3 * latest.len() as f64 / ms)
    }

    /// Seconds to its last step at that speed.
    pub fn seconds_left(&self) -> Option<f64> {
        let left = self.steps?.saturating_sub(self.taken());
        Some(left as f64 / self.speed()?)
    }
}
