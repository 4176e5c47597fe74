//! A run that was killed and goes on writes what it would have written in one go, to the last bit, for every
//! optimizer and every way that eigenvalues are found.

use std::path::Path;
use std::sync::atomic::AtomicBool;

use serde_json::{Value, json};
use sharpscope::config::{RunConfig, Settings};
use sharpscope::curvature::Spectrum;
use sharpscope::experiment::{prepare, resume};
use sharpscope::optim::ENTRIES;
use sharpscope::profile::{Checkpoint, Observer, RunInfo};
use sharpscope::record::{Event, StepRow};
use sharpscope::rundir::{RunDirectory, RunWriter, StoredRun};
use sharpscope::{Error, Result};
use tempfile::TempDir;

use crate::support::{Table, names_in, read};

const STEPS: usize = 14;

/// Hands everything on until a row is due, and then nothing: not even the end.
struct Killed {
    writer: RunWriter,
    at: usize,
}

impl Observer for Killed {
    fn started(&mut self, run: &RunInfo) -> Result<()> {
        self.writer.started(run)
    }

    fn row(&mut self, row: &StepRow) -> Result<()> {
        match row.step < self.at {
            true => self.writer.row(row),
            false => Err(Error::State { what: "the run", reason: "killed".to_string() }),
        }
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.writer.event(event)
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        self.writer.checkpoint(checkpoint)
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        self.writer.spectrum(spectrum)
    }
}

/// Trains into `folder`, up to row `at`; pictures, which take most of the time, are not drawn.
fn train(settings: &Value, folder: &Path, at: usize) {
    let mut all = json!({
        "model": {"kind": "mlp", "hidden": [5], "activation": "tanh", "bias": true, "init": "pytorch"},
        "backend": "cpu", "train_size": 30, "validation_size": 10, "steps": STEPS, "checkpoint_every": 4,
        "out": folder,
    });
    all.as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    let settings: Settings = serde_json::from_value(all).unwrap();
    let prepared = prepare(RunConfig::resolve(settings).unwrap()).unwrap();
    let run = prepared.run_info().unwrap();
    let writer = RunWriter::new(RunDirectory::create(folder, false).unwrap());
    let never = AtomicBool::new(false);
    let (trainer, start) = prepared.trainer(&never);
    let end = trainer.record(start, vec![Box::new(Killed { writer, at })], &run).unwrap();
    assert_eq!(end.error.is_none(), at >= STEPS, "{:?}", end.error);
}

/// The files in `checkpoints`, with their bytes.
fn checkpoints(run: &Path) -> Vec<(String, Vec<u8>)> {
    let folder = run.join("checkpoints");
    let names = names_in(&folder).into_iter();
    names.map(|name| (name.clone(), std::fs::read(folder.join(&name)).unwrap())).collect()
}

fn goes_on_as_in_one_go(settings: &Value, at: usize) -> std::result::Result<(), String> {
    let folder = TempDir::new().unwrap();
    let (whole, parts) = (folder.path().join("whole"), folder.path().join("parts"));
    train(settings, &whole, STEPS);
    train(settings, &parts, at);
    let started = resume(&StoredRun::open(&parts).unwrap(), Settings::default()).unwrap();
    // The checkpoint of a row that was not written is there.
    assert_eq!(started.first_step(), at / 4 * 4);
    assert!(started.notices().is_empty(), "{:?}", started.notices());
    started.train(Vec::new(), &AtomicBool::new(false)).unwrap();
    let wrong = |what: &str| Err(format!("{settings}, killed before row {at}: {what} differ"));
    let rows = |run: &Path| Table::of(run).untimed().rows;
    if rows(&whole) != rows(&parts) {
        return wrong("rows");
    }
    if read(whole.join("events.jsonl")) != read(parts.join("events.jsonl")) {
        return wrong("events");
    }
    match checkpoints(&whole) == checkpoints(&parts) {
        true => Ok(()),
        false => wrong("checkpoints"),
    }
}

#[test]
fn for_every_optimizer_and_both_solvers() {
    let mut wrong = Vec::new();
    for (index, optimizer) in ENTRIES.iter().map(|entry| entry.name).enumerate() {
        for solver in ["davidson", "lanczos"] {
            let settings = json!({"optimizer": optimizer, "solver": solver});
            wrong.extend(goes_on_as_in_one_go(&settings, 6 + index % 6).err());
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What else is carried from step to step, or is counted along.
#[test]
fn for_every_kind_of_state() {
    let minibatches = json!({"batch_size": 7, "sharpness_batches": 2, "every": 2});
    let cases = [
        (minibatches, 7),
        (json!({"batch_size": 10, "sharpness_batches": 0, "optimizer": "adam"}), 3),
        (json!({"top": 3, "audit_every": 3, "samples": 20}), 9),
        (json!({"top": 2, "audit_every": 4, "optimizer": "rmsprop", "samples": 12}), 11),
        (json!({"optimizer": "adam", "weight_decay": 0.01, "measure": ["update_sharpness"]}), 10),
        (json!({"optimizer": "sam", "base": "adam", "perturbed_sharpness": true}), 9),
        (json!({"schedule": "cosine", "warmup": 3, "precision": "f64"}), 9),
        (json!({"lr": 0.4, "on_warning": "halve-lr"}), 12),
        (json!({"lr": 0.4, "on_warning": "lower-lr"}), 12),
        (json!({"realized": "midpoint", "optimizer": "momentum"}), 10),
        (json!({"mechanism": true, "optimizer": "adam", "audit_every": 3, "samples": 20}), 9),
        (json!({"midpoint_sharpness": true, "solver": "lanczos", "batch_size": 7, "every": 2}), 7),
        (json!({"spectrum_every": 5, "probes": 1, "iterations": 3}), 10),
    ];
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(settings, at)| goes_on_as_in_one_go(settings, *at).err())
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
