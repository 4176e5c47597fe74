//! Going on: what is done is not done again, and what comes out is what a single go gives.

use super::tables::check_tables;
use super::*;
use crate::support::refused;

/// The runs that were found on disk; all others were done to their end.
fn resumed(watch: &Watch) -> Vec<String> {
    let told = watch.ended.lock().unwrap();
    let found = told.iter().filter(|(_, status)| match status {
        MemberStatus::Done { resumed, .. } => *resumed,
        other => panic!("{other:?}"),
    });
    found.map(|(run, _)| run.clone()).collect()
}

const RUNS: [&str; 4] =
    ["sgd-lr-0.2/seed-0", "sgd-lr-0.2/seed-1", "sam-lr-0.2/seed-0", "sam-lr-0.2/seed-1"];

fn four_runs(out: &Path) -> CompareSettings {
    settings(json!({"optimizer": ["sgd", "sam"], "seeds": 2, "steps": 4, "name": "c", "out": out}))
}

/// Stopped in each run, at its first, a middle or its last step; with cold solves, so that eigenvalues do
/// not depend on where they were followed from.
#[test]
fn a_comparison_that_was_stopped_anywhere_ends_as_one_in_a_single_go() {
    let parent = tempfile::tempdir().unwrap();
    let whole = parent.path().join("whole");
    let cold = |out: &Path| {
        let mut settings = four_runs(out);
        settings.settings.solver = Some(Solver::Lanczos);
        settings
    };
    run(&cold(&whole));
    let expected = Results::of(&whole);
    for (number, step) in [(0, 0), (1, 2), (2, 1), (3, 3)] {
        let out = parent.path().join(format!("stopped-{number}"));
        let watch = Watch::stopping_at(RUNS[number], step);
        let end = watch.run(&cold(&out));
        assert_eq!((end.exit_code(), end.interrupted), (130, true));
        for (index, status) in end.statuses.iter().enumerate() {
            let expected = if index < number { "completed" } else { "unfinished" };
            assert_eq!(status.name(), expected, "run {index}, stopped in {number}");
        }
        let stopped = manifest(&out);
        assert_eq!(stopped["exit_code"], 130);
        check_tables(&out);
        let cut = Table::of(out.join(RUNS[number]));
        assert_eq!(cut.rows.len(), step + 1);
        let before: Vec<_> = RUNS[..number].iter().map(|run| content(&out, run)).collect();

        let watch = Watch::default();
        let end = watch.run(&cold(&out));
        assert_eq!((end.exit_code(), end.interrupted), (0, false));
        assert_eq!(resumed(&watch), RUNS[..number]);
        let after: Vec<_> = RUNS[..number].iter().map(|run| content(&out, run)).collect();
        assert!(before == after, "a run was done again, stopped in {number}");
        assert_eq!(Results::of(&out), expected, "stopped in {number}");
    }
    // All there: nothing is done.
    let watch = Watch::default();
    assert_eq!(watch.run(&cold(&whole)).exit_code(), 0);
    assert_eq!(resumed(&watch), RUNS);
    assert!(watch.rows.lock().unwrap().is_empty());
    assert_eq!(Results::of(&whole), expected);
}

/// What a member that was stopped on the way has done is kept, to the byte, and not done again.
#[test]
fn a_member_that_was_stopped_goes_on_from_its_checkpoint() {
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("c");
    let watch = Watch::stopping_at(RUNS[1], 1);
    assert_eq!(watch.run(&four_runs(&out)).exit_code(), 130);
    let member = out.join(RUNS[1]);
    let done = read(member.join("steps.csv"));
    assert_eq!(done.lines().count(), 3, "{done}");

    let watch = Watch::default();
    assert_eq!(watch.run(&four_runs(&out)).exit_code(), 0);
    assert!(read(member.join("steps.csv")).starts_with(&done), "its rows were taken again");
    let manifest = json_file(member.join("manifest.json"));
    assert_eq!(manifest["resumed"][0]["step"], 2);
    assert_eq!(watch.rows.lock().unwrap()[RUNS[1]], 2, "of its four steps two were left");
    // The updates are the same; eigenvalues that are followed begin with an audit.
    let whole = parent.path().join("whole");
    run(&four_runs(&whole));
    let [stopped, whole] = [&out, &whole].map(|folder| Table::of(folder.join(RUNS[1])));
    for step in 0..4 {
        assert_eq!(stopped.cell(step, "train_loss"), whole.cell(step, "train_loss"));
        let [a, b] = [&stopped, &whole].map(|table| table.number(step, "sharpness"));
        assert!((a / b - 1.0).abs() < 1e-5, "step {step}: {a} against {b}");
    }
    // A comparison that is given once more finds the member done.
    let watch = Watch::default();
    watch.run(&four_runs(&out));
    assert_eq!(resumed(&watch), RUNS);
}

/// One whose checkpoint is damaged is begun anew, and does not stay failed.
#[test]
fn a_member_that_cannot_be_gone_on_with_is_done_again() {
    let parent = tempfile::tempdir().unwrap();
    let out = parent.path().join("c");
    Watch::stopping_at(RUNS[1], 1).run(&four_runs(&out));
    std::fs::write(out.join(RUNS[1]).join("checkpoints/step-2.safetensors"), b"").unwrap();
    let end = Watch::default().run(&four_runs(&out));
    assert_eq!(end.exit_code(), 0, "{:?}", end.statuses);
    assert_eq!(Table::of(out.join(RUNS[1])).rows.len(), 4);
}

#[cfg(unix)]
#[test]
fn interrupted_or_killed_the_same_command_goes_on() {
    use crate::support::running::Running;

    let place = Place::new();
    let words = |out: &str| {
        small(&format!(
            "--optimizer sgd,momentum --seeds 2 --steps 400 --every 4 --solver lanczos --name c \
             --out {out}"
        ))
    };
    place.run_well(&words("whole"));
    let expected = Results::of(place.made("whole"));
    for (signal, code) in [("INT", Some(130)), ("KILL", None)] {
        let out = place.made(signal);
        let mut running = Running::start(&place, &words(signal));
        running.wait_for_rows(&out.join("sgd-lr-0.2/seed-1/steps.csv"), 10);
        assert_eq!(running.signal(signal).code(), code);
        let stopped = manifest(&out);
        assert_eq!(stopped["exit_code"], json!(code));
        assert_eq!(stopped["finished"].is_string(), code.is_some());
        let first = content(&out, "sgd-lr-0.2/seed-0");

        let done = place.run_well(&words(signal));
        assert!(done.err.contains("sgd η=0.2 seed 0: found on disk"), "{}", done.err);
        let found = done.err.matches("found on disk").count();
        assert!(found < 4, "it was stopped too late");
        assert!(content(&out, "sgd-lr-0.2/seed-0") == first, "it was done again");
        assert_eq!(Results::of(&out), expected, "{signal}");
    }
}

#[test]
fn two_at_a_time_write_what_one_at_a_time_writes() {
    let place = Place::new();
    let words = |jobs, out: &str| {
        small(&format!(
            "--optimizer sgd,adam --batch-size full,10 --seeds 2 --name c --jobs {jobs} --out {out}"
        ))
    };
    place.run_well(&words(1, "one"));
    place.run_well(&words(2, "two"));
    assert_eq!(Results::of(place.made("one")), Results::of(place.made("two")));
    // More at a time than there are runs, of which most are there.
    let watch = Watch::default();
    let end = watch.run(&settings(json!({
        "optimizer": ["sgd", "adam"], "batch_size": ["full", 10], "seeds": 3, "name": "c",
        "jobs": 20, "out": place.made("two")
    })));
    assert_eq!((end.exit_code(), end.statuses.len()), (0, 12));
    assert_eq!(resumed(&watch).len(), 8);
    assert_eq!(watch.ended.lock().unwrap().len(), 12);
    check_tables(&place.made("two"));
}

#[test]
fn seeds_and_settings_that_are_added_leave_those_there_alone() {
    let place = Place::new();
    place.run_well(&small("--seeds 2 --out c"));
    let runs = ["sgd-lr-0.2/seed-0", "sgd-lr-0.2/seed-1"];
    let before = runs.map(|run| content(place.made("c"), run));
    let done = place.run_well(&small("--seeds 4 --lr 0.2,0.1 --out c"));
    assert_eq!(done.err.matches("found on disk").count(), 2, "{}", done.err);
    assert_eq!(runs.map(|run| content(place.made("c"), run)), before);
    assert_eq!(names_in(place.made("c/sgd-lr-0.2")), ["seed-0", "seed-1", "seed-2", "seed-3"]);
    place.run_well(&small("--seeds 4 --lr 0.2,0.1 --out fresh"));
    assert_eq!(Results::of(place.made("c")), Results::of(place.made("fresh")));
    // Fewer than there are: the tables are of what was asked for, and nothing is removed.
    place.run_well(&small("--seeds 2,3 --out c"));
    assert_eq!(manifest(place.made("c"))["members"].as_array().unwrap().len(), 2);
    assert_eq!(Table::read(place.made("c/compare.csv")).rows.len(), 2 * 3);
    assert_eq!(runs.map(|run| content(place.made("c"), run)), before);
}

#[test]
fn a_run_of_other_settings_is_refused_and_done_again_only_with_force() {
    let place = Place::new();
    place.run_well(&small("--seeds 2 --out c"));
    std::fs::write(place.made("c/sgd-lr-0.2/seed-0/notes.txt"), "mine").unwrap();
    let before = place.snapshot();
    for (flags, parts) in [
        ("--steps 4", ["steps = 3, not 4", "sgd-lr-0.2/seed-0"]),
        ("--loss ce", ["loss = \"mse\", not \"ce\"", "sgd-lr-0.2/seed-0"]),
        ("--top 2 --lr 0.1,0.2", ["top = 1, not 2", "sgd-lr-0.2/seed-0"]),
    ] {
        let line = place.run(&small(&format!("{flags} --out c"))).refusal().unwrap();
        for part in parts.iter().chain(&["--force", "--out"]) {
            assert!(line.contains(part), "no '{part}' in: {line}");
        }
        assert!(place.snapshot() == before, "something was written for {flags}");
    }
    let done = place.run_well(&small("--steps 4 --force --out c"));
    assert!(!done.err.contains("found on disk"), "{}", done.err);
    assert_eq!(Table::of(place.made("c/sgd-lr-0.2/seed-0")).rows.len(), 4);
    assert_eq!(read(place.made("c/sgd-lr-0.2/seed-0/notes.txt")), "mine");
    // The other seed was not asked for.
    assert_eq!(Table::of(place.made("c/sgd-lr-0.2/seed-1")).rows.len(), 3);
}

/// Where a run was written and under which name is no setting of it.
#[test]
fn a_run_that_was_named_and_moved_is_found() {
    let place = Place::new();
    place.run_well(&small("--out c"));
    let path = place.made("c/sgd-lr-0.2/seed-0/manifest.json");
    let mut manifest = crate::support::json_file(&path);
    for (key, value) in [("name", "mine"), ("out", "there"), ("resume", "elsewhere")] {
        manifest["config"][key] = json!(value);
    }
    manifest["config"]["force"] = json!(true);
    std::fs::write(&path, manifest.to_string()).unwrap();
    let done = place.run_well(&small("--out c"));
    assert_eq!(done.err.matches("found on disk").count(), 1, "{}", done.err);
    assert_eq!(crate::support::json_file(&path), manifest);
}

#[test]
fn a_run_without_its_summary_is_done_again() {
    let place = Place::new();
    place.run_well(&small("--seeds 2 --out c"));
    let (expected, kept) =
        (Results::of(place.made("c")), content(place.made("c"), "sgd-lr-0.2/seed-1"));
    std::fs::write(place.made("c/sgd-lr-0.2/seed-0/summary.json"), "{").unwrap();
    let done = place.run_well(&small("--seeds 2 --out c"));
    assert_eq!(done.err.matches("found on disk").count(), 1, "{}", done.err);
    assert_eq!(Results::of(place.made("c")), expected);
    assert_eq!(content(place.made("c"), "sgd-lr-0.2/seed-1"), kept);
}

#[test]
fn a_folder_that_holds_something_else_is_refused_even_with_force() {
    for file in ["c/notes.txt", "c/manifest.json", "c/sgd-lr-0.2/seed-0/manifest.json"] {
        for force in ["", "--force"] {
            let words = small(&format!("{force} --out @/c"));
            let parts = ["@/c", "something else than a comparison", "--out"];
            refused(&[(file, "{}")], &words, &parts).unwrap();
        }
    }
    refused(&[("c", "mine")], &small("--out @/c"), &["@/c", "--out"]).unwrap();
    refused(&[("c", "mine")], &small("--out @/c/below"), &["@/c/below", "--out"]).unwrap();
    let place = Place::new();
    std::fs::create_dir(place.made("empty")).unwrap();
    place.run_well(&small("--steps 1 --out empty"));
    place.run_well(&small("--steps 1 --force --out empty/below/deep"));
}

/// Runs of the data as they were stand beside none of the data as they are.
#[test]
fn a_comparison_is_not_taken_up_with_other_data() {
    let place = crate::support::Place::new();
    let rows = "1,2,0\n2,1,1\n3,5,0\n4,4,1\n0,1,0\n";
    place.file("d.csv", format!("a,b,class\n{rows}"));
    let words = "compare --backend cpu --model linear --dataset @/d.csv --train-size 4 --steps 2 \
                 --optimizer sgd,momentum --out c";
    place.run_well(words);
    place.file("d.csv", format!("a,b,class\n{}", rows.replace("3,5,0", "3,6,0")));
    let refusal = place.run(words).refusal().unwrap();
    assert!(refusal.contains("d.csv has changed since"), "{refusal}");
    place.run_well(&format!("{words} --force"));
}
