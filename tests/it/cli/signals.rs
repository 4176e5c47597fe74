//! Runs that are ended from outside.

use super::*;
use crate::support::running::Running;

const WORDS: &str = "run --backend cpu --train-size 200 --steps 1000000 --out r";

#[test]
fn an_interrupted_run_ends_with_complete_files() {
    for name in ["INT", "TERM"] {
        let place = Place::new();
        let mut running = Running::start(&place, WORDS);
        let seen = running.wait_for_rows(&place.made("r/steps.csv"), 3);
        assert_eq!(running.signal(name).code(), Some(130), "{name}");
        let (table, _, _) = check_end(place.made("r"), "interrupted", 130);
        assert!((seen..1_000_000).contains(&table.rows.len()));
        let last = table.rows.len() - 1;
        assert!(table.number(last, "sharpness") > 0.0 && table.number(last, "step_ms") > 0.0);
    }
}

#[test]
fn a_killed_run_keeps_its_rows_and_can_be_replaced() {
    let place = Place::new();
    let mut running = Running::start(&place, WORDS);
    let seen = running.wait_for_rows(&place.made("r/steps.csv"), 5);
    assert_eq!(running.signal("KILL").code(), None);
    let text = read(place.made("r/steps.csv"));
    let whole = &text[..=text.rfind('\n').unwrap()];
    let table = Table::parse(whole);
    assert!(table.rows.len() >= seen);
    assert!(table.number(table.rows.len() - 1, "sharpness") > 0.0);
    let manifest = json_file(place.made("r/manifest.json"));
    assert_eq!((&manifest["finished"], &manifest["exit_code"]), (&Value::Null, &Value::Null));
    assert!(manifest["started"].is_string());
    assert!(!place.made("r/summary.json").exists());
    place.run_well(&small("--force --out r"));
    check_end(place.made("r"), "completed", 0);
}
