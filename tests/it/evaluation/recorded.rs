//! What warnings are worth on recorded runs, so that a change of a detector shows.
//!
//! `scripts/recorded_warnings.py` made them, of runs of the part `test`. They are too few to say how good warnings
//! are (`docs/warnings.md` says that of all runs); they bound it from below.

use std::fs::File;
use std::path::Path;

use flate2::read::GzDecoder;
use sharpscope::stability::StabilitySettings;
use tempfile::TempDir;

use super::scoring::agreement::Agreement;
use super::scoring::methods::OURS;
use super::scoring::runs::{Part, Run, read_runs};
use super::scoring::score::counts;
use super::scoring::scorecard::{Scorecard, watched};
use super::scoring::series::ScoredRun;
use super::scoring::tables;
use crate::support::names_in;

/// The recorded runs, unpacked; their part in the names is `part`.
fn unpack(part: &str, into: &TempDir) {
    let stored = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/warnings");
    for name in names_in(&stored) {
        let folder = into.path().join(name.replacen("test", part, 1));
        std::fs::create_dir(&folder).unwrap();
        let from = stored.join(&name);
        std::fs::copy(from.join("manifest.json"), folder.join("manifest.json")).unwrap();
        let mut packed = GzDecoder::new(File::open(from.join("steps.csv.gz")).unwrap());
        std::io::copy(&mut packed, &mut File::create(folder.join("steps.csv")).unwrap()).unwrap();
    }
}

fn recorded(folder: &TempDir) -> Vec<Run> {
    read_runs(folder.path()).unwrap()
}

/// When these bounds were set 14 of the 23 spikes were warned of, with 2 false alarms, and `loss_spike` told of 22 of
/// them in 25 events, 21 of which were right. Two spikes fewer, and two false alarms more, are let pass.
#[test]
fn warnings_of_recorded_runs_are_no_worse_than_they_were() {
    let folder = TempDir::new().unwrap();
    unpack("test", &folder);
    let runs = recorded(&folder);
    let settings = StabilitySettings::default();
    let test = watched(&runs, Part::Test, &settings);
    let scored: Vec<ScoredRun> = test.iter().map(OURS.scored).collect();
    let report = counts(&scored, 0.0, settings.warning.warning_horizon).report();
    assert_eq!(report.spikes, 26, "the rule for spikes in hindsight has changed");
    assert!(report.warned >= 14 - 2, "{report:#?}");
    assert!(report.false_alarms <= 2 + 2, "{report:#?}");

    let mut agreement = Agreement::default();
    test.iter().for_each(|run| agreement.add(run));
    assert!(agreement.found >= 22 - 2, "{agreement:#?}");
    assert!(agreement.events - agreement.right <= 4 + 2, "{agreement:#?}");
}

#[test]
fn recorded_runs_are_quiet_and_not_and_of_several_kinds() {
    let folder = TempDir::new().unwrap();
    unpack("test", &folder);
    let runs = recorded(&folder);
    let quiet = runs.iter().filter(|run| run.truth.spikes.is_empty()).count();
    assert!(runs.len() >= 10 && quiet >= 3 && runs.len() - quiet >= 6, "{quiet} of {}", runs.len());
    let mut kinds: Vec<&str> = runs.iter().map(|run| run.kind.as_str()).collect();
    kinds.dedup();
    assert!(kinds.len() >= 8, "{kinds:?}");
    assert!(runs.iter().any(|run| run.diverged));
}

#[test]
fn a_scorecard_of_recorded_runs_has_all_its_tables() {
    let folder = TempDir::new().unwrap();
    unpack("test", &folder);
    unpack("choose", &folder);
    let settings = StabilitySettings::default();
    let card = Scorecard::of(&recorded(&folder), &settings).unwrap();
    // The bars were chosen on the same rows.
    for method in &card.methods[1..] {
        assert_eq!(method.choose, method.test, "{}", method.name);
        assert!(method.test.false_alarms_per_1000.unwrap() <= 2.0, "{}", method.name);
    }
    let kinds = card.kinds.values().map(|kind| kind.methods["this one"].spikes);
    assert_eq!(kinds.sum::<usize>(), card.methods[0].test.spikes);
    let tables = tables::in_markdown(&card);
    for line in tables.lines().filter(|line| line.starts_with('|')) {
        assert!(line.ends_with('|'), "{line}");
    }
    let words =
        ["CUSUM of the loss", "skill", "`loss_spike`", "`edge_forecast`", "whose rate rises"];
    assert!(words.iter().all(|word| tables.contains(word)), "{tables}");
    assert!(serde_json::to_string(&card).unwrap().len() > tables.len());
}
