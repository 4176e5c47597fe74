//! What demonstrations are made with: runs in their folder, problems to measure on, checks.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use serde_json::{Map, Value, json};

use super::{Check, Example, Part};
use crate::autodiff::{GradientEvaluation, Objective, ParameterLayout, Samples};
use crate::config::{RunConfig, Settings};
use crate::curvature::{Curvature, CurvatureMeter};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::experiment::doctor::{Finding, Verdict, examine};
use crate::experiment::landscape::slice::{Along, Request, write as write_slice};
use crate::experiment::landscape::{Compared, Output};
use crate::experiment::{Prepared, prepare};
use crate::linalg::{AUDIT_EVERY, Extremes, Solver};
use crate::names::choices;
use crate::record::StepRow;
use crate::rundir::{StoredRun, to_safetensors};

/// The bench of a demonstration.
pub struct Bench {
    folder: PathBuf,
    part: Part,
    checks: Vec<Check>,
    made: Vec<Made>,
    views: Vec<View>,
    /// What is in the folder beside the page and its table: runs and results by their folders, settings.
    written: Vec<String>,
}

choices! {
    /// What a run is for.
    pub enum Role ("role") {
        /// It shows the concept.
        Example = "example",
        /// It looks like that and is not.
        NonExample = "non-example",
        /// A network on which the relation is measured.
        Network = "network",
    }
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
    /// What it is for.
    pub role: Role,
    /// The kinds of its events, each once.
    pub events: Vec<String>,
    /// What else tells of it.
    pub notes: Vec<String>,
}

/// A result of `landscape` that was made of the runs.
#[derive(Debug, Clone)]
pub struct View {
    /// Its folder within the demonstration's.
    pub folder: String,
    /// The command that makes it.
    pub command: String,
    /// What is to be seen.
    pub what: String,
    /// The picture in its folder.
    pub picture: String,
    /// The run that it is about, where that is one.
    pub of: Option<String>,
}

/// Checkpoints of a run in two variables, which are drawn as its path.
const CHECKPOINTS: usize = 25;
/// Shorter runs stand at a point, and have no path.
const SHORT: usize = 10;
/// Points on each side of such a picture.
const GRID: usize = 21;

impl Bench {
    pub(super) fn new(folder: PathBuf) -> Self {
        let (checks, made) = (Vec::new(), Vec::new());
        Self { folder, part: Part::Small, checks, made, views: Vec::new(), written: Vec::new() }
    }

    pub(super) fn views(&self) -> &[View] {
        &self.views
    }

    /// The files of runs and results, from the demonstration's folder on.
    pub(super) fn files(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for name in &self.written {
            files_below(&self.folder, name, &mut found)?;
        }
        Ok(found)
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

    /// Makes the run of an example, checks its event, and draws its path where it has two variables.
    pub(super) fn example(&mut self, example: &Example, role: Role) -> Result<()> {
        let mut settings: Value = serde_json::from_str(example.settings).map_err(|e| encode(&e))?;
        let plane = variables(&settings)? == Some(2);
        let steps = settings["steps"].as_u64().unwrap_or(0) as usize;
        if plane && settings.get("checkpoint_every").is_none() {
            // An odd number, by which a cycle of two steps is seen on both sides.
            settings["checkpoint_every"] = json!((steps / CHECKPOINTS) | 1);
        }
        let run = self.made_as(example.name, example.what, settings, role)?;
        if let Some(event) = example.event {
            let seen = if run.1.iter().any(|name| name == event) { 1.0 } else { 0.0 };
            let what = format!("runs of '{}' with the event {event}", example.name);
            self.check(what, if role == Role::Example { 1.0 } else { 0.0 }, seen, 0.0);
        }
        if plane && steps >= SHORT { self.path(example.name) } else { Ok(()) }
    }

    /// Makes the run of a network, to be shown beside the examples.
    pub(super) fn network(&mut self, name: &str, what: &str, settings: Value) -> Result<StoredRun> {
        Ok(self.made_as(name, what, settings, Role::Network)?.0)
    }

    fn made_as(
        &mut self,
        name: &str,
        what: &str,
        settings: Value,
        role: Role,
    ) -> Result<(StoredRun, Vec<String>)> {
        let run = self.train(name, settings.clone())?;
        let mut events: Vec<String> = Vec::new();
        for event in run.events()? {
            let name = event.kind.name().to_string();
            if !events.contains(&name) {
                events.push(name);
            }
        }
        let (name, what) = (name.to_string(), what.to_string());
        let notes = Vec::new();
        self.made.push(Made { name, what, settings, role, events: events.clone(), notes });
        Ok((run, events))
    }

    /// The loss over the two variables of a run, with its checkpoints on it.
    fn path(&mut self, run: &str) -> Result<()> {
        let request = Request {
            along: Along::Coordinates,
            dimensions: 2,
            which: vec![1, 2],
            points: Some(GRID),
            range: None,
            rise: None,
            seed: None,
        };
        let folder = format!("{run}-path");
        let flags = format!("slice {run} --along coordinates --points {GRID}");
        let what = "The loss over both variables, and the run's checkpoints.";
        self.view(&folder, &flags, &[run], what, |compared, output| {
            let measured = request.measure(compared, |_| {})?;
            write_slice(output, &measured, &request)
        })?;
        if let Some(view) = self.views.last_mut() {
            view.of = Some(run.to_string());
        }
        Ok(())
    }

    /// Makes a result of `landscape` of some runs in a folder of its own, whose picture is called as the command;
    /// `flags` are the command and what stands behind it.
    pub(super) fn view<T>(
        &mut self,
        folder: &str,
        flags: &str,
        runs: &[&str],
        what: &str,
        make: impl FnOnce(&mut Compared, &mut Output) -> Result<T>,
    ) -> Result<T> {
        let command = flags.split(' ').next().unwrap_or(flags);
        let paths: Vec<PathBuf> = runs.iter().map(|run| self.folder.join(run)).collect();
        let mut compared = Compared::open(&paths, None)?;
        let described = compared.described()?;
        let out = self.folder.join(folder);
        let mut output = Output::create(Some(&out), true, command, &described)?;
        let made = make(&mut compared, &mut output)?;
        output.finish()?;
        self.written.push(folder.to_string());
        self.views.push(View {
            folder: folder.to_string(),
            command: format!("sharpscope landscape {flags}"),
            what: what.to_string(),
            picture: format!("{command}.svg"),
            of: None,
        });
        Ok(made)
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A line below a run that was made.
    pub(super) fn note(&mut self, run: &str, note: String) {
        if let Some(made) = self.made.iter_mut().find(|made| made.name == run) {
            made.notes.push(note);
        }
    }

    /// Whether doctor warns of a run by that check; the line is shown below the run.
    pub(super) fn doctor(&mut self, run: &str, check: &str, warns: bool) -> Result<()> {
        let findings = examine(&self.run(run)?)?;
        let found = findings.iter().find(|finding| finding.check == check);
        let seen = found.is_some_and(|finding| finding.verdict == Verdict::Warn);
        if let Some(Finding { verdict, text, .. }) = found {
            self.note(run, format!("doctor: {}: {check}: {text}", verdict.name()));
        }
        let [theory, seen] = [warns, seen].map(|warns| if warns { 1.0 } else { 0.0 });
        self.check(format!("warnings of doctor's {check} for '{run}'"), theory, seen, 0.0);
        Ok(())
    }

    /// Writes weights to start a run from; the file's path.
    pub(super) fn weights(
        &mut self,
        name: &str,
        layout: &ParameterLayout,
        theta: &[f64],
    ) -> Result<PathBuf> {
        let name = format!("{name}-start.safetensors");
        let path = self.folder.join(&name);
        let bytes = to_safetensors(layout, theta, Precision::F64)?;
        let write = |source| Error::Io { action: "write", path: path.clone(), source };
        std::fs::write(&path, bytes).map_err(write)?;
        self.written.push(name);
        Ok(path)
    }

    /// Shows a spectrum that was written into a run at its start; `stem` is its file's name without its ending.
    pub(super) fn spectrum(&mut self, run: &str, stem: &str, what: &str) {
        self.views.push(View {
            folder: run.to_string(),
            command: format!("sharpscope spectrum {run} --step 0"),
            what: what.to_string(),
            picture: format!("{stem}.svg"),
            of: Some(run.to_string()),
        });
    }

    /// Makes a run: on the CPU in double precision unless told otherwise.
    pub(super) fn train(&mut self, name: &str, settings: Value) -> Result<StoredRun> {
        let folder = self.folder.join(name);
        let all = with_usual(settings);
        let file = self.folder.join(format!("{name}.json"));
        let text = serde_json::to_vec_pretty(&all).map_err(|e| encode(&e))?;
        let write = |source| Error::Io { action: "write", path: file.clone(), source };
        std::fs::write(&file, text).map_err(write)?;
        self.written.extend([format!("{name}.json"), name.to_string()]);
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

/// The variables of the objective of a run; none of a network.
fn variables(settings: &Value) -> Result<Option<usize>> {
    let settings = serde_json::from_value(Value::Object(with_usual(settings.clone())));
    let config = RunConfig::resolve(settings.map_err(|e| encode(&e))?)?;
    Ok(config.objective().map(|objective| objective.facts().dimension()))
}

/// The files of a folder and of those in it, or the file itself, as they are called from `root` on.
fn files_below(root: &Path, name: &str, found: &mut Vec<String>) -> Result<()> {
    let path = root.join(name);
    if !path.is_dir() {
        found.push(name.to_string());
        return Ok(());
    }
    let read = |source| Error::Io { action: "read", path: path.clone(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&path).map_err(read)? {
        names.push(entry.map_err(read)?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    names.iter().try_for_each(|below| files_below(root, &format!("{name}/{below}"), found))
}

/// How far a number is above another, 0 where it is not; not a number where either is none.
pub(super) fn above(number: f64, most: f64) -> f64 {
    if number <= most { 0.0 } else { number - most }
}

/// A number of a run's last row; not a number where it was not measured.
pub(super) fn last(run: &StoredRun, of: fn(&StepRow) -> Option<f64>) -> Result<f64> {
    Ok(run.rows()?.last().and_then(of).unwrap_or(f64::NAN))
}

/// A number of a run's first row.
pub(super) fn first(run: &StoredRun, of: fn(&StepRow) -> Option<f64>) -> Result<f64> {
    Ok(run.rows()?.first().and_then(of).unwrap_or(f64::NAN))
}

/// The gradient's norm by that at the step before, at a step.
pub(super) fn gradient_factor(run: &StoredRun, step: usize) -> Result<f64> {
    let rows = run.rows()?;
    let norm = |step: usize| rows.get(step).and_then(|row| row.grad_norm).unwrap_or(f64::NAN);
    Ok(norm(step) / norm(step - 1))
}

/// The first step at which the training loss is below that.
pub(super) fn steps_to(run: &StoredRun, loss: f64) -> Result<f64> {
    let below = |row: &StepRow| row.train_loss.is_some_and(|there| there < loss);
    Ok(run.rows()?.iter().position(below).map_or(f64::NAN, |step| step as f64))
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
