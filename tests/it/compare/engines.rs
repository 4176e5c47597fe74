//! Comparisons on the engines that people have, for real: a Slurm of two nodes and GNU parallel. Where they are not
//! installed, the tests say so and do nothing; `scripts/test.sh` installs them.

use std::process::Command;

use super::tables::check_tables;
use super::*;

/// Twelve cells, each of half a second or more.
const FLAGS: &str =
    "--optimizer sgd,momentum,adam --lr 0.05,0.1 --seeds 2 --steps 800 --every 4 --name c";

/// Whether all these programs are there.
fn there(what: &str, programs: &[&str]) -> bool {
    let missing = programs.iter().find(|program| {
        let found = Command::new("sh").args(["-c", &format!("command -v {program}")]).output();
        !found.is_ok_and(|output| output.status.success())
    });
    if let Some(program) = missing {
        eprintln!("skipped: {what} needs {program}");
    }
    missing.is_none()
}

/// Runs a script of `tests/sweeps` on the comparison, and holds what it leaves against a single process.
fn check(script: &str) {
    let place = Place::new();
    place.run_well(&small(&format!("{FLAGS} --out whole")));
    let expected = Results::of(place.made("whole"));
    let folder = place.made("");
    let folder = folder.canonicalize().unwrap();
    let script = format!("{}/tests/sweeps/{script}.sh", env!("CARGO_MANIFEST_DIR"));
    let words = small(FLAGS);
    // A name of its own, by which the script finds its processes and no others.
    let program = folder.join("sharpscope-of-this-test");
    std::os::unix::fs::symlink(assert_cmd::cargo::cargo_bin!("sharpscope"), &program).unwrap();
    let done = Command::new("bash")
        .args([script.as_str(), program.to_str().unwrap(), folder.to_str().unwrap()])
        .args(words.split_whitespace().skip(1))
        .env("RAYON_NUM_THREADS", "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&done.stdout);
    eprintln!("{told}{}", String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success());
    let sweep = place.made("sweep");
    assert_eq!(Results::of(&sweep), expected);
    check_tables(&sweep);
    for member in manifest(&sweep)["members"].as_array().unwrap() {
        let run = member["folder"].as_str().unwrap();
        let steps = |folder: &str| Table::of(place.made(folder).join(run)).untimed();
        assert_eq!(steps("sweep").rows, steps("whole").rows, "{run}");
        let events = |folder: &str| read(place.made(folder).join(run).join("events.jsonl"));
        assert_eq!(events("sweep"), events("whole"), "{run}");
    }
    // Two of the cells at least were not done in one go.
    let logs = names_in(sweep.join("logs"));
    let log = |name: &String| read(sweep.join("logs").join(name));
    let again = logs.iter().filter(|name| log(name).contains("taken up again")).count();
    assert!(again >= 2, "{again} of {} cells were taken up again", logs.len());
}

#[test]
fn slurm_with_a_node_that_dies_leaves_what_one_process_leaves() {
    let programs = ["slurmctld", "slurmd", "sbatch", "munged", "pgrep"];
    if there("the test of Slurm", &programs) {
        check("slurm");
    }
}

#[test]
fn gnu_parallel_that_is_killed_and_resumed_leaves_what_one_process_leaves() {
    if there("the test of GNU parallel", &["parallel", "setsid", "pgrep"]) {
        check("parallel");
    }
}
