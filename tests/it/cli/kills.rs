//! Runs that are killed at system calls, by `scripts/kills.py`; here at a few, for some of the ways of running. Without
//! arguments the script goes through all of them.

use std::path::Path;
use std::process::Command;

#[test]
fn a_run_killed_at_a_system_call_goes_on_as_if_it_had_not_been() {
    let there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    if !there("strace") || !there("python3") {
        eprintln!("strace or python3 was not found: no run was killed");
        return;
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/kills.py");
    let program = assert_cmd::cargo::cargo_bin!("sharpscope");
    for (optimizer, more) in [("adam", "--batch-size 8 --sharpness-batches 0"), ("sgd", "")] {
        let flags = format!(
            "--model linear --train-size 20 --validation-size 5 --steps 3 --checkpoint-every 1 {more}"
        );
        let done = Command::new("python3")
            .arg(&script)
            .arg(program)
            .args(["--sample", "6", "--solvers", "davidson", "--optimizers", optimizer])
            .args(["--flags", &flags])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success(), "{told}{}", String::from_utf8_lossy(&done.stderr));
        assert!(told.contains("6 kills"), "{told}");
    }
}
