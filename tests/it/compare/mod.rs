//! `compare`: what is run, what is written of it, and that neither an interruption nor the number of
//! runs at a time changes that.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};
use sharpscope::config::{CompareSettings, Solver};
use sharpscope::experiment::compare::{
    Comparison, ComparisonEnd, ComparisonObserver, Member, MemberStatus,
};
use sharpscope::record::StepRow;

use crate::support::{Place, Table, json_file, names_in, read, snapshot};

mod cells;
mod ends;
#[cfg(target_os = "linux")]
mod engines;
mod plan;
mod refusals;
mod resume;
mod tables;

/// A comparison whose runs take a fraction of a second, of 3 steps unless the flags say otherwise.
fn small(flags: &str) -> String {
    let steps = if flags.contains("--steps") { "" } else { "--steps 3" };
    format!(
        "compare --backend cpu --model linear --train-size 50 --validation-size 40 {steps} {flags}"
    )
}

/// The same as settings, with these on top.
fn settings(over: Value) -> CompareSettings {
    let mut all = json!({
        "backend": "cpu", "model": "linear", "train_size": 50, "validation_size": 40, "steps": 3
    });
    for (key, value) in over.as_object().unwrap() {
        all[key] = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

/// `comparison.json`.
fn manifest(folder: impl AsRef<Path>) -> Value {
    json_file(folder.as_ref().join("comparison.json"))
}

/// One key of each object in a list.
fn listed<'a>(manifest: &'a Value, list: &str, key: &str) -> Vec<&'a str> {
    let objects = manifest[list].as_array().unwrap();
    objects.iter().map(|object| object[key].as_str().unwrap()).collect()
}

const FIGURES: [&str; 4] = ["edge_ratio", "loss", "sharpness", "sharpness_accuracy"];

/// What a comparison wrote of its runs, without wall-clock times.
#[derive(Debug, PartialEq)]
struct Results {
    tables: Vec<(String, Vec<BTreeMap<String, String>>)>,
    manifest: Value,
    figures: Vec<String>,
}

impl Results {
    fn of(folder: impl AsRef<Path>) -> Self {
        let folder = folder.as_ref();
        let table = |name| {
            let mut table = Table::read(folder.join(name)).untimed();
            for row in &mut table.rows {
                row.retain(|name, _| !name.starts_with("seconds_"));
            }
            (table.header, table.rows)
        };
        let mut manifest = manifest(folder);
        for key in ["started", "finished"] {
            assert!(manifest[key].take().is_string(), "{key}");
        }
        let svg = |name| read(folder.join(format!("{name}.svg")));
        Self {
            tables: vec![table("compare.csv"), table("summary.csv")],
            manifest,
            figures: FIGURES.map(svg).to_vec(),
        }
    }
}

/// Stops a comparison after a certain row of a certain run, and keeps what it is told.
#[derive(Default)]
struct Watch {
    stop_at: Option<(String, usize)>,
    interrupted: AtomicBool,
    rows: Mutex<BTreeMap<String, usize>>,
    ended: Mutex<Vec<(String, MemberStatus)>>,
}

/// A run's folder within the comparison's.
fn folder(member: &Member) -> String {
    let folder = member.directory.iter().rev().take(2).collect::<Vec<_>>();
    format!("{}/{}", folder[1].to_str().unwrap(), folder[0].to_str().unwrap())
}

impl ComparisonObserver for Watch {
    fn row(&self, member: &Member, row: &StepRow) {
        *self.rows.lock().unwrap().entry(folder(member)).or_default() += 1;
        if self.stop_at == Some((folder(member), row.step)) {
            self.interrupted.store(true, Ordering::SeqCst);
        }
    }

    fn ended(&self, member: &Member, status: &MemberStatus) {
        self.ended.lock().unwrap().push((folder(member), status.clone()));
    }
}

impl Watch {
    fn stopping_at(folder: &str, step: usize) -> Self {
        Self { stop_at: Some((folder.to_string(), step)), ..Self::default() }
    }

    fn run(&self, settings: &CompareSettings) -> ComparisonEnd {
        let comparison = Comparison::plan(settings.clone()).unwrap();
        let end = comparison.run(self, &self.interrupted).unwrap();
        assert_eq!(end.statuses.len(), comparison.members.len());
        end
    }
}

/// Runs a comparison without watching it.
fn run(settings: &CompareSettings) -> ComparisonEnd {
    Watch::default().run(settings)
}

/// Everything in a run's folder, so that a run that is done again is seen: its manifest has the time.
fn content(comparison: impl AsRef<Path>, run: &str) -> crate::support::Snapshot {
    let content = snapshot(comparison.as_ref().join(run));
    assert!(!content.is_empty());
    content
}
