//! A comparison by several processes: what they leave is what one leaves, whoever dies on the way.

use std::fs;
use std::path::PathBuf;

use super::tables::check_tables;
use super::*;
use crate::support::{Case, all, refused};

/// Twelve cells that take a fraction of a second.
const FLAGS: &str = "--optimizer sgd,momentum --lr 0.1,0.2 --seeds 3 --name c";

fn whole(place: &Place, flags: &str) -> Results {
    place.run_well(&small(&format!("{flags} --out whole")));
    Results::of(place.made("whole"))
}

fn in_folder(flags: &str, part: &str) -> String {
    small(&format!("{flags} --out c {part}"))
}

/// A file of a cell's log or lock.
fn file(place: &Place, name: &str) -> PathBuf {
    place.made("c").join(name)
}

#[test]
fn cells_and_shards_leave_what_one_process_leaves() {
    let place = Place::new();
    let expected = whole(&place, FLAGS);
    let list = place.run_well(&in_folder(FLAGS, "--list")).out;
    assert!(!place.made("c").exists(), "a list writes nothing");
    let lines: Vec<&str> = list.lines().collect();
    assert_eq!(lines.len(), 12);
    assert!(lines[1].ends_with(" --out c --cell 2  # sgd η=0.1 seed 1"), "{}", lines[1]);
    // As a shell does it.
    let done = std::process::Command::new("sh")
        .args(["-c", lines[1]])
        .current_dir(place.made(""))
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    for shard in ["3/5", "1/5", "5/5", "2/5", "4/5"] {
        place.run_well(&in_folder(FLAGS, &format!("--shard {shard} --jobs 2")));
    }
    // There is none left for it.
    place.run_well(&in_folder(FLAGS, "--shard 13/13"));
    let told = place.run_well(&in_folder(FLAGS, "--collect"));
    assert!(told.out.contains("cells    12 completed of 12"), "{}", told.out);
    assert_eq!(Results::of(place.made("c")), expected);
    check_tables(&place.made("c"));
    let mut names = names_in(place.made("whole"));
    names.extend(["logs", "sweep.json"].map(str::to_string));
    names.sort();
    assert_eq!(names_in(place.made("c")), names, "and no lock");
    for run in ["sgd-lr-0.1/seed-1", "momentum-lr-0.2/seed-2"] {
        let steps = |folder: &str| Table::of(place.made(folder).join(run)).untimed();
        assert_eq!(steps("c").rows, steps("whole").rows);
    }
    // One process that does all of it finds all of it.
    let again = place.run_well(&in_folder(FLAGS, ""));
    assert_eq!(again.err.matches("found on disk").count(), 12, "{}", again.err);
    assert_eq!(Results::of(place.made("c")), expected);
}

/// What logs say of how cells were begun.
fn begun(place: &Place, cells: usize, word: &str) -> Vec<usize> {
    let log = |cell| read(file(place, &format!("logs/{cell}.log")));
    (1..=cells).map(|cell| log(cell).matches(&format!(": {word}")).count()).collect()
}

#[cfg(unix)]
#[test]
fn two_processes_that_race_for_each_cell_do_each_once() {
    use crate::support::running::Running;

    let place = Place::new();
    let expected = whole(&place, FLAGS);
    let words = in_folder(FLAGS, "--shard 1/1");
    let mut racing: Vec<Running> = (0..3).map(|_| Running::start(&place, &words)).collect();
    for process in &mut racing {
        assert_eq!(process.wait().code(), Some(0));
    }
    assert_eq!(begun(&place, 12, "begun"), [1; 12]);
    assert_eq!(begun(&place, 12, "taken up again"), [0; 12]);
    place.run_well(&in_folder(FLAGS, "--collect"));
    assert_eq!(Results::of(place.made("c")), expected);
}

#[cfg(unix)]
#[test]
fn a_stopped_or_killed_cell_is_gone_on_with_and_not_done_again() {
    use crate::support::running::Running;

    let place = Place::new();
    let flags = "--seeds 2 --lr 0.02 --steps 900 --every 3 --name c";
    let expected = whole(&place, flags);
    let run = "c/sgd-lr-0.02/seed-1";
    // Schedulers are asked to put it in their queue again, but not by who presses Ctrl-C.
    for (signal, code, lock) in [
        ("TERM", Some(99), "stopped"),
        ("USR1", Some(99), "stopped"),
        ("INT", Some(130), "stopped"),
        ("KILL", None, "running"),
    ] {
        let mut running = Running::start(&place, &in_folder(flags, "--cell 2"));
        let before = fs::read_to_string(place.made(run).join("steps.csv")).unwrap_or_default();
        running.wait_for_rows(&place.made(run).join("steps.csv"), before.lines().count() + 20);
        assert_eq!(running.signal(signal).code(), code, "{signal}");
        let locks = names_in(file(&place, "locks"));
        let last = json_file(file(&place, "locks").join(locks.last().unwrap()));
        assert_eq!(last["state"], lock, "{signal}");
        let after = read(place.made(run).join("steps.csv"));
        if signal != "TERM" {
            assert!(after.starts_with(before.trim_end()), "{signal}: rows were taken again");
        }
    }
    // Not done, and nobody is at it.
    let told = place.run_well(&in_folder(flags, "--collect")).out;
    assert!(told.contains("1 unfinished, 1 missing of 2"), "{told}");
    assert!(told.contains("unfinished 2: sgd seed 1 (c/logs/2.log)"), "{told}");
    let manifest = manifest(place.made("c"));
    assert_eq!((&manifest["finished"], &manifest["exit_code"]), (&json!(null), &json!(null)));

    place.run_well(&in_folder(flags, "--shard 1/1"));
    assert_eq!(
        json_file(place.made(run).join("manifest.json"))["resumed"].as_array().unwrap().len(),
        4
    );
    place.run_well(&in_folder(flags, "--collect"));
    assert_eq!(Results::of(place.made("c")), expected);
}

/// A lock as a process of another machine writes it.
fn foreign(beat: u64) -> String {
    let holder = json!({"host": "elsewhere", "process": 7, "boot": "b", "space": "s", "began": 1});
    json!({"state": "running", "holder": holder, "beat": beat, "every": 0.05, "error": null})
        .to_string()
}

/// Nobody compares the times of files with a clock of its own: they may be off by years.
#[test]
fn a_cell_of_a_machine_that_died_is_taken_over_whatever_its_clock_said() {
    let flags = "--seeds 2 --name c";
    for (number, years) in [-30_i64, 30].into_iter().enumerate() {
        let place = Place::new();
        place.run_well(&in_folder(flags, "--cell 1"));
        let lock = file(&place, "locks/2.1");
        fs::write(&lock, foreign(number as u64)).unwrap();
        let year = std::time::Duration::from_secs(365 * 86_400);
        let now = std::time::SystemTime::now();
        let then = match years {
            ..0 => now - year * 30,
            _ => now + year * 30,
        };
        fs::File::options().write(true).open(&lock).unwrap().set_modified(then).unwrap();
        let begun = std::time::Instant::now();
        let done = place.run_well(&in_folder(flags, "--cell 2 --take-over-after 0.6"));
        assert!(begun.elapsed().as_secs_f64() > 0.6);
        assert!(done.err.contains("being run by process 7 on elsewhere; waits"), "{}", done.err);
        assert!(read(file(&place, "logs/2.log")).contains("taken up again"));
        assert_eq!(names_in(file(&place, "locks")), ["1.1", "2.1", "2.2"]);
    }
}

#[test]
fn a_cell_whose_holder_gives_signs_is_waited_for() {
    let place = Place::new();
    let flags = "--seeds 2 --name c";
    place.run_well(&in_folder(flags, "--cell 1"));
    let lock = file(&place, "locks/2.1");
    fs::write(&lock, foreign(0)).unwrap();
    let told = place.run_well(&in_folder(flags, "--collect --take-over-after 3600")).out;
    assert!(told.contains("1 completed, 1 running of 2"), "{told}");
    assert!(told.contains("running 2: sgd seed 1, by process 7 on elsewhere"), "{told}");
    let lasts = std::time::Duration::from_millis(1500);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let begun = std::time::Instant::now();
            for beat in 1.. {
                if begun.elapsed() > lasts {
                    break;
                }
                fs::write(&lock, foreign(beat)).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
        });
        let begun = std::time::Instant::now();
        place.run_well(&in_folder(flags, "--cell 2 --take-over-after 0.3"));
        assert!(begun.elapsed() > lasts, "it was taken from who was at it");
    });
    let told = place.run_well(&in_folder(flags, "--collect")).out;
    assert!(told.contains("2 completed of 2"), "{told}");
}

#[test]
fn a_folder_that_still_grows_is_read_and_what_is_not_done_is_named() {
    let place = Place::new();
    let flags = "--lr 50,0.1 --seeds 3 --steps 40 --every 20 --name c";
    let expected = place.run(&in_folder(flags, "--collect")).refusal().unwrap();
    assert!(expected.contains("none of the comparison's cells is there"), "{expected}");
    for cell in [1, 4] {
        place.run_well(&in_folder(flags, &format!("--cell {cell}")));
    }
    // A file where a run's folder should be: not even root can make one there.
    fs::write(place.made("c/sgd-lr-0.1/seed-1"), "mine").unwrap();
    let failed = place.run(&in_folder(flags, "--cell 5"));
    assert_eq!(failed.code, Some(1), "{}", failed.err);
    let told = place.run(&in_folder(flags, "--collect"));
    assert_eq!(told.code, Some(1));
    let counts = "cells    1 completed, 1 diverged, 1 failed, 3 missing of 6";
    assert!(told.out.contains(counts), "{}", told.out);
    for line in [
        "diverged 1: sgd η=50 seed 0 (c/logs/1.log)",
        "failed 5: sgd η=0.1 seed 1: ",
        "missing 6: ",
    ] {
        assert!(told.out.contains(line), "no '{line}' in: {}", told.out);
    }
    let statuses = manifest(place.made("c"));
    let statuses = listed(&statuses, "members", "status");
    assert_eq!(statuses, ["diverged", "missing", "missing", "completed", "failed", "missing"]);
    let summary = Table::read(place.made("c/summary.csv"));
    let counts = ["completed", "diverged", "failed", "unfinished"];
    assert_eq!(counts.map(|name| summary.number(0, name)), [0.0, 1.0, 0.0, 2.0]);
    assert_eq!(counts.map(|name| summary.number(1, name)), [1.0, 0.0, 1.0, 1.0]);
    assert!(read(place.made("c/loss.svg")).contains("c: 2 of 6 runs"));
    place.run_well("report c --out page.html");
    let page = read(place.made("page.html"));
    assert!(page.contains("sgd η=50, seed 0") && page.contains("sgd η=0.1, seed 0"));
    assert!(read(file(&place, "logs/5.log")).contains(": failed: "));

    fs::remove_file(place.made("c/sgd-lr-0.1/seed-1")).unwrap();
    place.run_well(&in_folder(flags, "--shard 1/1"));
    place.run_well(&in_folder(flags, "--collect"));
    assert_eq!(Results::of(place.made("c")), whole(&place, flags));
}

#[test]
fn what_does_not_go_with_cells_is_refused() {
    let cases: [Case; 12] = [
        ("--shard 0/0", &["--shard = 0/0", "shard of none", "I/N"]),
        ("--shard 5/4", &["--shard = 5/4", "fewer shards", "4/4"]),
        ("--shard 0/4", &["--shard = 0/4", "from 1"]),
        ("--shard two", &["--shard = two", "I/N"]),
        ("--cell 0", &["--cell = 0", "from 1 to 1", "--list"]),
        ("--cell 2", &["--cell = 2", "from 1 to 1", "--list"]),
        ("--cell x", &["'x'", "--cell"]),
        ("--cell 1 --shard 1/1", &["--cell", "--shard"]),
        ("--list --collect", &["--list", "--collect"]),
        ("--cell 1 --force", &["--force", "--cell", "begun anew"]),
        ("--cell 1 --take-over-after 0", &["--take-over-after = 0", "more than 0"]),
        ("--collect", &["none of the comparison's cells", "--shard"]),
    ];
    crate::support::all_flags_refused(&small(""), &cases);
    let parts = ["--out", "--cell needs it", "name the comparison's folder"];
    refused(&[], &small("--cell 1"), &parts).unwrap();
    all(["c/notes.txt", "c/manifest.json"].map(|file| {
        let parts = ["@/c", "something else than a comparison", "--out"];
        refused(&[(file, "{}")], &small("--out @/c --cell 1"), &parts)
    }));
}

#[test]
fn other_settings_or_another_version_are_kept_out() {
    let place = Place::new();
    place.run_well(&in_folder("--seeds 2", "--cell 2"));
    let before = place.snapshot();
    for (flags, part) in [
        ("--seeds 3", "it has 2 cells, not 3"),
        ("--seeds 4,1", "its cells have seed = 0, not 4"),
        ("--seeds 0,2", "its 2 cells have other settings or seeds"),
        ("--seeds 2 --steps 4", "its cells have steps = 3, not 4"),
        ("--seeds 2 --lr 0.1", "its cells have lr = 0.2, not 0.1"),
    ] {
        for which in ["--cell 1", "--shard 1/1", "--collect", ""] {
            let line = place.run(&in_folder(flags, which)).refusal().unwrap();
            assert!(line.contains(part), "no '{part}' in: {line}");
            assert!(place.snapshot() == before, "something was written for {flags} {which}");
        }
    }
    // The folder's cells, or those of one run, by another version.
    for name in ["sweep.json", "sgd-lr-0.2/seed-1/manifest.json"] {
        let path = file(&place, name);
        let own = read(&path);
        let mut other: Value = serde_json::from_str(&own).unwrap();
        other["version"] = json!("0.0.9");
        fs::write(&path, other.to_string()).unwrap();
        for which in ["--cell 2", "--shard 1/1", "--collect"] {
            let line = place.run(&in_folder("--seeds 2", which)).refusal().unwrap();
            assert!(line.contains("sharpscope 0.0.9, and this is"), "{line}");
            assert!(line.contains("use one version for all cells"), "{line}");
        }
        fs::write(&path, own).unwrap();
    }
    place.run_well(&in_folder("--seeds 2", "--shard 1/1"));
}

/// Far more than anyone draws one by one.
#[test]
fn ten_thousand_cells_are_listed() {
    let numbers = |from: f64| {
        let value = |i: u32| format!("{}", from + f64::from(i) / 1000.0);
        (0..50).map(value).collect::<Vec<_>>().join(",")
    };
    let place = Place::new();
    let flags =
        format!("--optimizer momentum --lr {} --momentum {} --seeds 4", numbers(0.1), numbers(0.5));
    let list = place.run_well(&in_folder(&flags, "--list")).out;
    assert_eq!(list.lines().count(), 10_000);
    assert!(list.lines().last().unwrap().contains("--cell 10000  # "));
}
