//! What demonstrations are made with: runs in their folder, problems to measure on, checks.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value, json};

use super::{Check, Example, Part};
use crate::autodiff::{GradientEvaluation, Objective, Samples};
use crate::config::{RunConfig, Settings};
use crate::curvature::{Curvature, CurvatureMeter};
use crate::error::{Error, Result};
use crate::experiment::{Prepared, prepare};
use crate::linalg::{AUDIT_EVERY, Extremes, Solver};
use crate::rundir::StoredRun;

/// The bench of a demonstration.
pub struct Bench {
    folder: PathBuf,
    part: Part,
    checks: Vec<Check>,
    made: Vec<Made>,
}

/// A run that was made.
#[derive(Debug, Clone)]
pub struct Made {
    /// Its folder within the demonstration's.
    pub name: String,
    /// What is to be seen.
    pub what: String,
    /// Its settings.
    pub settings: Value,
    /// Whether it shows the concept.
    pub shows: bool,
    /// The kinds of its events, each once.
    pub events: Vec<String>,
}

impl Bench {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, part: Part::Small, checks: Vec::new(), made: Vec::new() }
    }

    pub(super) fn checks(&self) -> &[Check] {
        &self.checks
    }

    pub(super) fn into_checks(self) -> Vec<Check> {
        self.checks
    }

    pub(super) fn made(&self) -> &[Made] {
        &self.made
    }

    /// Further checks are on that.
    pub(super) fn on(&mut self, part: Part) {
        self.part = part;
    }

    /// A number beside that of theory.
    pub(super) fn check(
        &mut self,
        what: impl Into<String>,
        theory: f64,
        measured: f64,
        tolerance: f64,
    ) {
        let (part, what) = (self.part, what.into());
        self.checks.push(Check { part, what, theory, measured, tolerance });
    }

    /// Makes the run of an example, and checks its event.
    pub(super) fn example(&mut self, example: &Example, shows: bool) -> Result<()> {
        let settings: Value = serde_json::from_str(example.settings).map_err(|e| encode(&e))?;
        let run = self.train(example.name, settings.clone())?;
        let mut events: Vec<String> = Vec::new();
        for event in run.events()? {
            let name = event.kind.name().to_string();
            if !events.contains(&name) {
                events.push(name);
            }
        }
        if let Some(event) = example.event {
            let seen = if events.iter().any(|name| name == event) { 1.0 } else { 0.0 };
            let what = format!("runs of '{}' with the event {event}", example.name);
            self.check(what, if shows { 1.0 } else { 0.0 }, seen, 0.0);
        }
        let (name, what) = (example.name.to_string(), example.what.to_string());
        self.made.push(Made { name, what, settings, shows, events });
        Ok(())
    }

    /// Makes a run: on the CPU in double precision unless told otherwise.
    pub(super) fn train(&self, name: &str, settings: Value) -> Result<StoredRun> {
        let folder = self.folder.join(name);
        let all = with_usual(settings);
        let file = self.folder.join(format!("{name}.json"));
        let text = serde_json::to_vec_pretty(&all).map_err(|e| encode(&e))?;
        let write = |source| Error::Io { action: "write", path: file.clone(), source };
        std::fs::write(&file, text).map_err(write)?;
        let settings: Settings =
            serde_json::from_value(Value::Object(all)).map_err(|e| encode(&e))?;
        let settings = Settings { out: Some(folder.clone()), force: Some(true), ..settings };
        let started = prepare(RunConfig::resolve(settings)?)?.start()?;
        let finished = started.train(Vec::new(), &AtomicBool::new(false))?;
        match finished.error {
            Some(error) => Err(error),
            None => StoredRun::open(&folder),
        }
    }

    /// The run of an example.
    pub(super) fn run(&self, name: &str) -> Result<StoredRun> {
        StoredRun::open(&self.folder.join(name))
    }

    /// A problem to measure on, at its start.
    pub(super) fn problem(&self, settings: Value) -> Result<Prepared> {
        let all = Value::Object(with_usual(settings));
        let settings = serde_json::from_value(all).map_err(|e| encode(&e))?;
        let mut prepared = prepare(RunConfig::resolve(settings)?)?;
        prepared.problem.train.set_parameters(&prepared.theta)?;
        Ok(prepared)
    }

    /// The softmax of the demonstrations: classes of points in the plane by a perceptron with one hidden layer.
    pub(super) fn softmax(&self, activation: &str) -> Result<Prepared> {
        self.problem(json!({
            "model": {"kind": "mlp", "hidden": [8], "activation": activation},
            "dataset": "blobs", "loss": "ce", "train_size": 100,
        }))
    }

    /// The transformer of the demonstrations: one small block on text.
    pub(super) fn transformer(&self) -> Result<Prepared> {
        self.problem(json!({
            "model": {"kind": "transformer", "layers": 1, "heads": 2, "width": 8, "context": 8},
            "dataset": "shakespeare", "train_size": 16, "validation_size": 16,
        }))
    }
}

/// Settings with those of all demonstrations, where they do not say otherwise.
fn with_usual(settings: Value) -> Map<String, Value> {
    let objects = [json!({ "backend": "cpu", "precision": "f64" }), settings];
    objects
        .iter()
        .filter_map(Value::as_object)
        .flatten()
        .map(|(k, v)| (k.clone(), v.clone()))
        .collect()
}

fn encode(error: &serde_json::Error) -> Error {
    Error::Encode { what: "settings", reason: error.to_string() }
}

/// Loss and gradient at a point.
pub(super) fn at(objective: &mut dyn Objective, theta: &[f64]) -> Result<GradientEvaluation> {
    objective.set_parameters(theta)?;
    objective.gradient(Samples::All)
}

/// The largest eigenvalues and the smallest where the objective is, found from nothing to a residual of 1e-8.
pub(super) fn ends(objective: &dyn Objective, largest: usize) -> Result<Curvature> {
    let largest = largest.min(objective.dim());
    let smallest = usize::from(largest < objective.dim());
    let extremes =
        Extremes { largest, smallest, tolerance: 1e-8, max_products: 400 * (largest + 1) };
    let (solver, audit_every) = (Solver::Lanczos, AUDIT_EVERY);
    CurvatureMeter { extremes, solver, audit_every, seed: 0 }.measure(objective, 0)
}
