//! Runs that an earlier version has written: every command that takes a run reads them, and the
//! commands that made them make them again.
//!
//! `tests/goldens` holds them, with the commands in `commands.txt`. Later versions add to them and go
//! on reading these.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::{Place, Table, json_file, names_in, read};

/// What numbers may differ by, relatively: other processors round otherwise.
const ROUNDING: f64 = 1e-9;
/// Runs by themselves; a comparison holds more.
const RUNS: [&str; 8] =
    ["gd", "adam", "sam", "transformer", "spectra", "resumed", "diverged", "mechanism"];

fn goldens() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens")
}

/// A place with the models that the commands name.
fn place() -> Place {
    let place = Place::new();
    for name in names_in(goldens()).iter().filter(|name| name.ends_with(".json")) {
        place.file(name, read(goldens().join(name)));
    }
    place
}

/// A place with a copy of these folders.
fn with_copies(names: &[&str]) -> Place {
    let place = place();
    for name in names {
        copy(&goldens().join(name), &place.made(name));
    }
    place
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for name in names_in(from) {
        let (from, to) = (from.join(&name), to.join(&name));
        match from.is_dir() {
            true => copy(&from, &to),
            false => std::fs::copy(&from, &to).map(drop).unwrap(),
        }
    }
}

/// The folders below `folder` that hold a run, `folder` among them.
fn runs_in(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        folder.join("steps.csv").is_file().then(|| folder.to_path_buf()).into_iter().collect();
    for name in names_in(folder) {
        let inner = folder.join(name);
        if inner.is_dir() {
            found.extend(runs_in(&inner));
        }
    }
    found
}

/// Kinds and steps of the events in lines of JSON.
fn events(lines: &str) -> Vec<(u64, String)> {
    let event = |line: &str| {
        let event: Value = serde_json::from_str(line).unwrap();
        (event["step"].as_u64().unwrap(), event["kind"].as_str().unwrap().to_string())
    };
    lines.lines().map(event).collect()
}

/// Runs of the linear model in squared error: each eigenvalue comes once for every output, so that which
/// vector of the top eigenspace a solve gives, and how the gradient lies to it, is up to rounding.
const REPEATED: [&str; 3] = ["spectra", "diverged", "comparison"];

/// A table of layout 1, whose batch sharpness was the ratio of means, under the names of layout 2.
fn since_version_2(mut golden: Table) -> Table {
    for row in &mut golden.rows {
        for end in ["", "_se"] {
            let name = format!("batch_sharpness{end}");
            if row.get(&name).is_some_and(|cell| !cell.is_empty()) {
                let cell = row.remove(&name).unwrap();
                row.insert(format!("batch_sharpness_ratio_of_means{end}"), cell);
            }
        }
    }
    golden
}

/// Events of kinds that the goldens' version did not know.
const LATER: [&str; 3] = ["realized_edge_entered", "realized_edge_left", "too_few_followed"];

/// The models behind it are fitted anew from time to time: it is told at other steps.
const FITTED: &str = "spike_warning";

/// Products of a row that the goldens' version did not take: with the update, and across each two of the eight
/// minibatches of batch sharpness.
fn later_products(found: &BTreeMap<String, String>) -> f64 {
    let there = |name: &str| found.get(name).is_some_and(|cell| !cell.is_empty());
    let one = if there("realized_ratio") { 1.0 } else { 0.0 };
    one + if there("noise_interaction") { 4.0 } else { 0.0 }
}

fn same_table(found: &Path, golden: &Path) {
    let repeated = REPEATED.iter().any(|run| golden.starts_with(goldens().join(run)));
    let (found, golden) =
        (Table::read(found).untimed(), since_version_2(Table::read(golden).untimed()));
    assert_eq!(found.rows.len(), golden.rows.len());
    for (step, (found, golden)) in found.rows.iter().zip(&golden.rows).enumerate() {
        // The last is estimated from what rounding leaves of gradients.
        let determined = |name: &str| {
            !(repeated && name == "gradient_alignment") && name != "sharpness_gradient_error"
        };
        for (name, expected) in golden.iter().filter(|(name, _)| determined(name)) {
            let cell = found.get(name).unwrap_or_else(|| panic!("no column {name}"));
            let more = if name == "hvps" { later_products(found) } else { 0.0 };
            let expected =
                expected.parse().map_or(expected.clone(), |x: f64| (x + more).to_string());
            let near = match (cell.parse::<f64>(), expected.parse::<f64>()) {
                (Ok(cell), Ok(expected)) => {
                    (cell - expected).abs() <= ROUNDING * expected.abs().max(1e-3)
                }
                _ => *cell == expected,
            };
            assert!(near, "step {step}: {name} = {cell}, not {expected}");
        }
    }
}

/// The version that wrote them began followed eigenvalues anew where a run goes on.
fn forget_tracking(run: &Path) {
    let folder = run.join("checkpoints");
    for name in names_in(&folder).iter().filter(|name| name.contains(".tracking.")) {
        std::fs::remove_file(folder.join(name)).unwrap();
    }
}

#[test]
fn the_commands_make_them_again() {
    let place = place();
    for line in read(goldens().join("commands.txt")).lines().filter(|line| !line.starts_with('#')) {
        let (code, words) = line.split_once(' ').unwrap();
        if let Some((_, run)) = words.split_once("--resume ") {
            forget_tracking(&place.made(run.split(' ').next().unwrap()));
        }
        let done = place.run(words);
        assert_eq!(done.code, Some(code.parse().unwrap()), "{words}: {}", done.err);
    }
    let found = runs_in(&goldens());
    assert_eq!(found.len(), RUNS.len() + 4);
    for golden in found {
        let made = place.made(golden.strip_prefix(goldens()).unwrap().to_str().unwrap());
        same_table(&made.join("steps.csv"), &golden.join("steps.csv"));
        let [mut made, mut golden] =
            [made, golden].map(|run| events(&read(run.join("events.jsonl"))));
        made.retain(|(_, kind)| !LATER.contains(&&kind[..]) && kind != FITTED);
        golden.retain(|(_, kind)| kind != FITTED);
        assert_eq!(made, golden);
    }
    let spectrum = "spectra/spectra/step-3.csv";
    let nodes = |run: PathBuf| read(run).lines().count();
    assert_eq!(nodes(place.made(spectrum)), nodes(goldens().join(spectrum)));
}

#[test]
fn their_events_are_read_anew() {
    let place = with_copies(&RUNS);
    for run in RUNS {
        let mut found = events(&place.run_well(&format!("events {run}")).out);
        found.retain(|(_, kind)| kind != FITTED);
        let mut stored = events(&read(goldens().join(run).join("events.jsonl")));
        // What happened to the program, and not to the loss, is not in the rows.
        let of_the_program = ["curvature_repaired", "curvature_non_finite", FITTED];
        stored.retain(|(_, kind)| !of_the_program.contains(&&kind[..]));
        assert_eq!(found, stored, "{run}");
    }
}

#[test]
fn doctor_goes_through_them() {
    let place = with_copies(&RUNS);
    for run in RUNS {
        let report: Value =
            serde_json::from_str(&place.run_well(&format!("doctor {run} --json")).out).unwrap();
        assert!(!report.to_string().contains("\"unreadable\""), "{run}: {report}");
    }
}

#[test]
fn their_spectra_are_measured() {
    let place = with_copies(&["gd", "adam", "sam", "transformer", "resumed"]);
    for run in ["gd", "adam", "sam", "transformer", "resumed"] {
        place.run_well(&format!("spectrum {run} --probes 1 --iterations 8 --quiet"));
        let step = json_file(place.made(run).join("summary.json"))["steps"].as_u64().unwrap();
        let written = place.made(&format!("{run}/spectra/step-{step}.csv"));
        assert!(written.is_file(), "{}", written.display());
    }
}

#[test]
fn they_go_on() {
    let place = with_copies(&["gd", "adam", "sam", "transformer", "spectra", "resumed"]);
    for run in ["gd", "adam", "sam", "transformer", "spectra", "resumed"] {
        let before = Table::of(goldens().join(run)).rows.len();
        place.run_well(&format!("run --resume {run} --steps {} --quiet", before + 2));
        let table = Table::of(place.made(run));
        assert_eq!(table.rows.len(), before + 2, "{run}");
    }
}

#[test]
fn a_comparison_is_taken_up_and_nothing_is_left_to_do() {
    let place = with_copies(&["comparison"]);
    let commands = read(goldens().join("commands.txt"));
    let line = commands.lines().find(|line| line.contains(" compare ")).unwrap();
    let words = line.split_once(' ').unwrap().1;
    let tables = |place: &Place| {
        let path = |run: &Path| place.made("comparison").join(run).join("steps.csv");
        let golden = goldens().join("comparison");
        let runs = runs_in(&golden);
        assert_eq!(runs.len(), 4);
        let of = |run: &PathBuf| read(path(run.strip_prefix(&golden).unwrap()));
        runs.iter().map(of).collect::<Vec<_>>()
    };
    let before = tables(&place);
    place.run_well(words);
    assert_eq!(tables(&place), before);
}
