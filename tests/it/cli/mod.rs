//! The command line as its user sees it: the program is run in folders of its own, and what it
//! prints, writes and returns is held against the documented names, columns and exit codes. Numbers
//! in its files are recomputed from other cells and other files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    Done, Place, RUN_FILES, TIMES, Table, json_file, names_in, png_size, read, svg_texts,
};

mod config_files;
mod damage;
mod devices;
mod doctor;
mod early_ends;
mod eigenvalues;
mod events;
mod export;
#[cfg(unix)]
mod faults;
mod finished_runs;
mod folders;
#[cfg(target_os = "linux")]
mod kills;
mod list;
mod messages;
mod optimizers;
mod ordinary_states;
mod own_data;
mod refusals;
mod repetition;
mod report;
mod resume;
mod seeking;
#[cfg(unix)]
mod signals;
mod solvers;
mod stored_runs;
mod warnings;
mod ways;

/// A run that takes a fraction of a second, of 3 steps unless the flags say otherwise.
fn small(flags: &str) -> String {
    let steps = if flags.contains("--steps") { "" } else { "--steps 3" };
    format!("run --backend cpu --model linear --train-size 100 {steps} {flags}")
}

/// The columns of `steps.csv`: before the eigenvalues, the first of them, and after them.
const COLUMNS: [&str; 3] = [
    "step,lr,train_loss,train_accuracy,val_loss,val_accuracy,grad_norm,update_norm,param_norm,\
     relative_update,sharpness,preconditioned_sharpness,batch_sharpness,threshold,edge_ratio,\
     residual,converged",
    "lambda_1",
    "lambda_min,gradient_alignment,hvps,phase,step_ms,curvature_ms,realized_ratio,step_is_ascent,\
     step_curvature,gradient_component_1,step_component_1",
];

/// What a run's configuration holds where it was not asked for, or where neither data, optimizer nor
/// schedule takes it.
fn not_taken() -> Value {
    json!({
        "spectrum_every": null, "sigma": null, "checkpoint_every": null, "audit_every": null,
        "on_warning": null, "resume": null, "init": null, "points": null, "degree": null, "classes": null, "noise": null,
        "label_noise": null, "header": null, "validation": null, "test": null, "target": null,
        "regression": null, "base": null, "momentum": null, "beta1": null, "beta2": null,
        "beta3": null, "alpha": null, "nu": null, "refresh": null, "eps": null, "rho": null,
        "measure": null, "sharpness_error": null, "final_lr": null, "decay_factor": null, "decay_every": null, "sharpness_batches": null
    })
}

/// The object `base` with the keys of `over`.
fn with(base: &Value, over: &Value) -> Value {
    let mut merged = base.clone();
    for (key, value) in over.as_object().unwrap() {
        merged[key] = value.clone();
    }
    merged
}

/// SHA-256 of `datasets/digits.csv.gz`, by `sha256sum`.
const DIGITS_SHA256: &str = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22";
const DIGITS: usize = 1797;

fn indices(manifest: &Value, key: &str) -> BTreeSet<u64> {
    let list = manifest[key].as_array().unwrap();
    let set: BTreeSet<u64> = list.iter().map(|i| i.as_u64().unwrap()).collect();
    assert_eq!(set.len(), list.len(), "{key} repeats an index");
    set
}

fn events(run: impl AsRef<Path>) -> Vec<Value> {
    let text = read(run.as_ref().join("events.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks the files that every ended run has, and that they agree on how it ended.
fn check_end(run: impl AsRef<Path>, status: &str, code: u8) -> (Table, Value, Value) {
    let run = run.as_ref();
    let (table, summary) = (Table::of(run), json_file(run.join("summary.json")));
    let manifest = json_file(run.join("manifest.json"));
    assert_eq!(summary["status"], status);
    assert_eq!(summary["steps"], table.rows.len());
    assert_eq!(manifest["exit_code"], code);
    for (number, row) in table.rows.iter().enumerate() {
        assert_eq!(row["step"], number.to_string());
    }
    let mut names = names_in(run);
    // From where training diverged, there is nothing to go on with.
    if status != "diverged" {
        names.retain(|name| name != "checkpoints");
        let last = |ending: &str| format!("step-{}.{ending}", table.rows.len());
        let mut checkpoints = names_in(run.join("checkpoints"));
        // An optimizer's own files are there where it has any.
        let own = ["preconditioner", "basis", "optimizer", "tracking"];
        let own = own.map(|part| last(&format!("{part}.safetensors")));
        checkpoints.retain(|name| !own.contains(name));
        assert_eq!(checkpoints, [last("json"), last("safetensors")]);
    }
    assert_eq!(names, RUN_FILES);
    let time = |key: &str| -> jiff::Timestamp { manifest[key].as_str().unwrap().parse().unwrap() };
    assert!(time("started") <= time("finished"));
    check_pictures(run);
    (table, summary, manifest)
}

fn check_pictures(run: &Path) {
    assert_eq!(png_size(run.join("sharpness.png")), (1600, 1200));
    let texts = svg_texts(&read(run.join("sharpness.svg")));
    assert!(texts.iter().any(|text| text.contains("sharpness")), "{texts:?}");
}
