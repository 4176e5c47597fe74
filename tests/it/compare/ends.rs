//! Runs that do not end well: the others are done all the same.

use super::tables::check_tables;
use super::*;

fn statuses(manifest: &Value) -> Vec<&str> {
    listed(manifest, "members", "status")
}

#[test]
fn a_run_that_diverges_is_a_result_and_not_in_the_means() {
    let place = Place::new();
    let done = place.run_well(&small("--lr 50,0.1 --seeds 2 --steps 40 --every 20 --out c"));
    assert!(done.err.contains("sgd η=50 seed 1: diverged"), "{}", done.err);
    assert!(done.out.contains("0 of 2") && done.out.contains("2 of 2"), "{}", done.out);
    let comparison = place.made("c");
    let manifest = manifest(&comparison);
    assert_eq!(statuses(&manifest), ["diverged", "diverged", "completed", "completed"]);
    assert_eq!(manifest["exit_code"], 0);
    check_tables(&comparison);
    let own = json_file(comparison.join("sgd-lr-50/seed-0/manifest.json"));
    assert_eq!(own["exit_code"], 3);
    let summary = Table::read(comparison.join("summary.csv"));
    assert_eq!(["completed", "diverged"].map(|name| summary.number(0, name)), [0.0, 2.0]);
    assert_eq!(summary.cell(0, "final_train_loss_mean"), "");
    assert!(summary.number(1, "final_train_loss_mean") < 1.0);
    // What is known of the divergence is in the long table.
    let long = Table::read(comparison.join("compare.csv"));
    let diverged = long.rows.iter().filter(|row| row["status"] == "diverged").count();
    assert!((4..40).contains(&diverged), "{diverged} rows");
}

/// One seed of a setting diverged, by its files: the other's numbers are the mean.
#[test]
fn a_seed_that_diverged_is_left_out_of_its_settings_mean() {
    let place = Place::new();
    let words = small("--seeds 3 --out c");
    place.run_well(&words);
    let run = place.made("c/sgd-lr-0.2/seed-1");
    let change = |name: &str, key: &str, value: Value| {
        let mut file = json_file(run.join(name));
        file[key] = value;
        std::fs::write(run.join(name), file.to_string()).unwrap();
    };
    change("summary.json", "status", json!("diverged"));
    change("manifest.json", "exit_code", json!(3));
    place.run_well(&words);
    assert_eq!(statuses(&manifest(place.made("c"))), ["completed", "diverged", "completed"]);
    check_tables(&place.made("c"));
    let summary = Table::read(place.made("c/summary.csv"));
    assert_eq!(summary.number(0, "final_train_loss_n"), 2.0);
}

#[test]
fn a_run_that_fails_is_named_and_the_others_are_done() {
    let place = Place::new();
    place.run_well(&small("--lr 0.1,0.2 --out c"));
    let comparison = place.made("c");
    let before = content(&comparison, "sgd-lr-0.1/seed-0");
    // A file where a run's folder should be: not even root can make one there.
    let blocked = comparison.join("sgd-lr-0.1/seed-1");
    std::fs::write(&blocked, "mine").unwrap();
    let words = small("--lr 0.1,0.2 --seeds 3 --out c");
    let done = place.run(&words);
    assert_eq!(done.code, Some(1), "{}", done.err);
    assert!(done.err.contains("sgd η=0.1 seed 1: failed"), "{}", done.err);
    assert!(done.out.contains("2 of 3") && done.out.contains("3 of 3"), "{}", done.out);

    let failed = manifest(&comparison);
    let (good, bad) = ("completed", "failed");
    assert_eq!(statuses(&failed), [good, bad, good, good, good, good]);
    assert_eq!(failed["exit_code"], 1);
    let errors: Vec<&Value> =
        failed["members"].as_array().unwrap().iter().map(|member| &member["error"]).collect();
    assert!(errors[1].as_str().unwrap().contains("sgd-lr-0.1/seed-1"), "{errors:?}");
    assert!(errors.iter().enumerate().all(|(i, error)| i == 1 || error.is_null()), "{errors:?}");
    check_tables(&comparison);
    assert_eq!(read(&blocked), "mine");

    // Out of the way, it is done, and the rest is found.
    std::fs::remove_file(&blocked).unwrap();
    let others = content(&comparison, "sgd-lr-0.2/seed-2");
    let again = place.run_well(&words);
    assert_eq!(again.err.matches("found on disk").count(), 5, "{}", again.err);
    assert_eq!(statuses(&manifest(&comparison)), [good; 6]);
    check_tables(&comparison);
    assert_eq!(content(&comparison, "sgd-lr-0.1/seed-0"), before);
    assert_eq!(content(&comparison, "sgd-lr-0.2/seed-2"), others);
}

#[test]
fn whoever_watches_is_told_of_every_row_and_every_end() {
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("c");
    let settings = settings(json!({"lr": [50, 0.1], "seeds": 2, "steps": 30, "out": out}));
    let watch = Watch::default();
    let end = watch.run(&settings);
    assert_eq!((end.exit_code(), end.interrupted), (0, false));
    let told = watch.ended.into_inner().unwrap();
    let rows = watch.rows.into_inner().unwrap();
    assert_eq!(told.len(), 4);
    for ((run, status), kept) in told.iter().zip(&end.statuses) {
        assert_eq!(status, kept);
        let MemberStatus::Done { summary, resumed: false } = status else {
            panic!("{run}: {status:?}")
        };
        let table = Table::of(out.join(run));
        assert_eq!((summary.steps, rows[run]), (table.rows.len(), table.rows.len()), "{run}");
        assert_eq!(status.name() == "diverged", run.starts_with("sgd-lr-50"), "{run}");
    }
}
