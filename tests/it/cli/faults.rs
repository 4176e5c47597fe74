//! What happens to a run, and to what is beside it: files of somebody else, a folder that goes, pictures that
//! cannot be written, signals that were ignored, output that cannot be written.

use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::support::{NO_DRIVER, PATIENCE};

const LONG: &str =
    "run --backend cpu --model linear --train-size 100 --lr 0.05 --steps 10000000 --out r";

/// A run that goes on until something ends it, in a shell that says `before`.
fn started(place: &Place, before: &str) -> Child {
    let program = assert_cmd::cargo::cargo_bin!("sharpscope");
    // Whatever was ignored where the tests were started.
    let heeded = match (cfg!(target_os = "linux"), before.is_empty()) {
        (true, true) => "--default-signal=HUP,INT,TERM",
        _ => "",
    };
    let child = Command::new("sh")
        .arg("-c")
        .arg(format!("{before} exec env {heeded} '{}' {LONG}", program.display()))
        .current_dir(place.cwd.path())
        .envs(NO_DRIVER)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_for_rows(place, 5);
    child
}

fn rows(place: &Place) -> usize {
    let text = std::fs::read_to_string(place.made("r/steps.csv")).unwrap_or_default();
    text.matches('\n').count().saturating_sub(1)
}

fn wait_for_rows(place: &Place, more: usize) {
    let clock = Instant::now();
    let wanted = rows(place) + more;
    while rows(place) < wanted {
        assert!(clock.elapsed() < PATIENCE, "no rows");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn send(child: &Child, signal: &str) {
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

/// How it ended, and what it said, though nobody sent a signal.
fn ended(mut child: Child) -> (Option<i32>, String, String) {
    let clock = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if clock.elapsed() > PATIENCE {
            child.kill().unwrap();
            panic!("it goes on");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

#[test]
fn files_of_somebody_else_outlive_a_run_that_is_replaced_or_gone_on_with() {
    let place = Place::new();
    place.run_well(&small(
        "--out r --steps 4 --checkpoint-every 2 --spectrum-every 2 --probes 1 --iterations 4",
    ));
    let others = [
        "checkpoints/model.pt",
        "checkpoints/step-9.pt",
        "checkpoints/step-9-best.json",
        "checkpoints/step-09.safetensors",
        "spectra/notes.txt",
        "spectra/step-9-mine.csv",
        "sharpness.pdf",
    ];
    for other in others {
        std::fs::write(place.made("r").join(other), other).unwrap();
    }
    place.run_well("run --resume r --steps 6");
    place.run_well(&small("--out r --force --steps 2"));
    for other in others {
        assert_eq!(read(place.made("r").join(other)), other);
    }
    let kept = names_in(place.made("r/checkpoints"));
    assert!(!kept.contains(&"step-6.safetensors".to_string()), "{kept:?}");
    assert!(names_in(place.made("r/spectra")).iter().all(|name| !name.starts_with("step-0")));
}

#[test]
fn a_folder_with_files_of_such_names_is_no_run() {
    let manifest = r#"{"name": "app", "version": "1.0", "schema_version": 2, "config": {}}"#;
    for (name, content) in [
        ("manifest.json", manifest),
        ("manifest.json", "{}"),
        ("manifest.json", "not JSON"),
        ("steps.csv", "step,what\n1,open the box\n"),
    ] {
        let place = Place::new();
        std::fs::create_dir_all(place.made("r/checkpoints")).unwrap();
        std::fs::write(place.made("r").join(name), content).unwrap();
        std::fs::write(place.made("r/checkpoints/step-3.safetensors"), "mine").unwrap();
        let before = place.snapshot();
        let line = place.run(&small("--out r --force")).refusal().unwrap();
        assert!(line.contains("something else than a run"), "{line}");
        assert_eq!(place.snapshot(), before);
    }
    let place = Place::new();
    std::fs::create_dir(place.made("c")).unwrap();
    std::fs::write(place.made("c/comparison.json"), r#"{"members": 2}"#).unwrap();
    std::fs::write(place.made("c/summary.csv"), "mine").unwrap();
    let before = place.snapshot();
    let words = small("--out c --force").replace("run ", "compare ");
    let line = place.run(&format!("{words} --optimizer sgd,momentum")).refusal().unwrap();
    assert!(line.contains("something else than a comparison"), "{line}");
    assert_eq!(place.snapshot(), before);
}

#[test]
fn runs_of_earlier_versions_are_known_and_replaced() {
    let goldens = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/goldens");
    for golden in ["gd", "adam", "diverged", "resumed", "spectra"] {
        let place = Place::new();
        std::fs::create_dir(place.made("r")).unwrap();
        for (path, content) in crate::support::snapshot(goldens.join(golden)) {
            let to = place.made("r").join(path.strip_prefix(goldens.join(golden)).unwrap());
            match content {
                None => std::fs::create_dir_all(to).unwrap(),
                Some(content) => {
                    std::fs::create_dir_all(to.parent().unwrap()).unwrap();
                    std::fs::write(to, content).unwrap();
                }
            }
        }
        place.run_well(&small("--out r --force"));
        check_end(place.made("r"), "completed", 0);
    }
}

#[test]
fn a_run_has_an_id_and_keeps_it() {
    let place = Place::new();
    let id = |run: &str| json_file(place.made(run).join("manifest.json"))["id"].clone();
    place.run_well(&small("--out a"));
    place.run_well(&small("--out b"));
    let first = id("a");
    assert!(first.as_str().unwrap().starts_with("sharpscope-") && first != id("b"));
    place.run_well("run --resume a --steps 5");
    assert_eq!(id("a"), first);
}

type Harm = fn(&Path);

#[test]
fn a_record_that_goes_while_a_run_goes_on_ends_it() {
    let cases: [(&str, Harm); 5] = [
        ("removed", |run| std::fs::remove_file(run.join("steps.csv")).unwrap()),
        ("moved", |run| std::fs::rename(run, run.with_file_name("elsewhere")).unwrap()),
        ("removed", |run| std::fs::remove_dir_all(run).unwrap()),
        ("replaced", |run| {
            std::fs::write(run.join("mine.csv"), "step\n1\n").unwrap();
            std::fs::rename(run.join("mine.csv"), run.join("steps.csv")).unwrap();
        }),
        ("removed", |run| std::fs::remove_file(run.join("events.jsonl")).unwrap()),
    ];
    for (what, harm) in cases {
        let place = Place::new();
        let child = started(&place, "");
        harm(&place.made("r"));
        let (code, out, err) = ended(child);
        assert_eq!(code, Some(1), "{what}: {err}");
        let last = err.lines().last().unwrap();
        assert!(last.starts_with("error: ") && last.contains(what), "{what}: {err}");
        assert!(!out.contains("written"), "{out}");
        assert!(!place.made("r/summary.json").exists(), "{what}");
    }
}

#[test]
fn a_table_is_written_at_its_end() {
    let place = Place::new();
    let child = started(&place, "");
    // What somebody else adds stays, where it was put.
    let mut table =
        std::fs::OpenOptions::new().append(true).open(place.made("r/steps.csv")).unwrap();
    table.write_all(b"# mine\n").unwrap();
    wait_for_rows(&place, 5);
    send(&child, "-TERM");
    assert_eq!(ended(child).0, Some(130));
    assert_eq!(read(place.made("r/steps.csv")).matches("# mine\n").count(), 1);
}

#[test]
fn pictures_are_made_without_a_folder_for_temporary_files() {
    let place = Place::new();
    let words = small("--out r --spectrum-every 2 --probes 1 --iterations 4");
    let done =
        Done::of(place.program().args(place.arguments(&words)).env("TMPDIR", "/nonexistent"));
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(png_size(place.made("r/sharpness.png")), (1600, 1200));
    assert_eq!(png_size(place.made("r/spectra/step-2.png")), (1600, 1200));
}

#[test]
fn a_picture_that_cannot_be_written_is_a_warning() {
    let place = Place::new();
    let child = started(&place, "");
    std::fs::create_dir_all(place.made("r/sharpness.svg/taken")).unwrap();
    send(&child, "-INT");
    let (code, out, err) = ended(child);
    assert_eq!(code, Some(130), "{err}");
    assert!(err.contains("warning: ") && err.contains("sharpness.svg"), "{err}");
    assert!(out.contains("written"), "{out}");
    assert_eq!(json_file(place.made("r/manifest.json"))["exit_code"], 130);
}

#[cfg(target_os = "linux")]
#[test]
fn signals_that_were_ignored_at_the_start_are_left_alone() {
    let place = Place::new();
    let child = started(&place, "trap '' HUP INT;");
    for signal in ["-HUP", "-INT"] {
        send(&child, signal);
        wait_for_rows(&place, 5);
    }
    send(&child, "-TERM");
    assert_eq!(ended(child).0, Some(130));
    check_end(place.made("r"), "interrupted", 130);
    let place = Place::new();
    let child = started(&place, "");
    send(&child, "-HUP");
    assert_eq!(ended(child).0, Some(130));
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_an_error() {
    let place = Place::new();
    place.run_well(&small("--out r"));
    // It has an event to print.
    assert_eq!(place.run(&small("--out d --steps 60 --lr 50")).code, Some(3));
    let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
    let run = |words: &str, lose_errors: bool| {
        let mut command = Command::new(assert_cmd::cargo::cargo_bin!("sharpscope"));
        command.current_dir(place.cwd.path()).args(words.split_whitespace()).envs(NO_DRIVER);
        command.stdout(full()).stderr(Stdio::piped());
        if lose_errors {
            command.stderr(full());
        }
        let Output { status, stderr, .. } = command.output().unwrap();
        (status.code(), String::from_utf8(stderr).unwrap())
    };
    let small = small("--out n");
    for words in ["list", "devices", "doctor r", "events d", "--help", "list --json", &small] {
        let (code, err) = run(words, false);
        assert_eq!(code, Some(1), "{words}: {err}");
        let last = err.lines().last().unwrap();
        assert_eq!(
            last, "error: standard output cannot be written: No space left on device",
            "{words}"
        );
    }
    // What was written down is there all the same.
    check_end(place.made("n"), "completed", 0);
    assert_eq!(run("run --lrr 1", true).0, Some(2));
    assert_eq!(run("run --lr -1 --backend cpu", true).0, Some(2));
    assert_eq!(run(&small.replace("--out n", "--out m"), true).0, Some(1));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new();
    let program = assert_cmd::cargo::cargo_bin!("sharpscope");
    let line = format!("'{}' list | true; '{0}' list --json | head -c 1", program.display());
    let done =
        Command::new("sh").args(["-c", &line]).current_dir(place.cwd.path()).output().unwrap();
    assert_eq!(String::from_utf8(done.stderr).unwrap(), "");
}

/// The table's file may have 24 blocks of 512 bytes.
#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_told_once_and_first() {
    let place = Place::new();
    let child = Command::new("sh")
        .arg("-c")
        .arg(format!(
            "trap '' XFSZ; ulimit -f 24; exec '{}' {LONG}",
            assert_cmd::cargo::cargo_bin!("sharpscope").display()
        ))
        .current_dir(place.cwd.path())
        .envs(NO_DRIVER)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (code, out, err) = ended(child);
    assert_eq!(code, Some(1), "{err}");
    let last = err.lines().last().unwrap();
    assert_eq!(
        last, "error: cannot write r/steps.csv: File too large; make room there first",
        "{err}"
    );
    assert!(!out.contains("written"), "{out}");
}

#[cfg(unix)]
#[test]
fn a_folder_whose_name_is_no_text_is_refused_and_not_made() {
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new();
    let name = std::ffi::OsStr::from_bytes(b"r\xff");
    for command in ["run", "compare"] {
        let words = small("").replace("run ", &format!("{command} "));
        let mut program = place.program();
        let output = program.args(place.arguments(&words)).arg("--out").arg(name).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{command}: {err}");
        assert!(err.contains("UTF-8"), "{err}");
        assert!(names_in(place.cwd.path()).is_empty());
    }
}

/// H has the eigenvalue 6: at the rate 0.34 the loss grows by 1.04² a step, from 1e-15, and a million times
/// that is still nothing beside 0.5, the loss of outputs that are all zero.
#[test]
fn a_run_that_starts_fitted_is_not_judged_by_its_first_loss() {
    let place = Place::new();
    place.file("one.csv", "1,2,0\n");
    let words = "run --backend cpu --model linear --dataset @/one.csv --every 10";
    place.run_well(&format!("{words} --lr 0.1 --steps 100 --out fit"));
    let weights = "--init fit/checkpoints/step-100.safetensors --precision f64";
    place.run_well(&format!("{words} --lr 0.34 --steps 380 {weights} --out on"));
    let (table, ..) = check_end(place.made("on"), "completed", 0);
    let growth = table.number(379, "train_loss") / table.number(0, "train_loss");
    assert!(growth > 1e7, "{growth:e}");
    let done = place.run(&format!("{words} --lr 0.34 --steps 2000 {weights} --out off"));
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(done.err.contains("times that of outputs that are all zero"), "{}", done.err);
    let (table, ..) = check_end(place.made("off"), "diverged", 3);
    let last = table.number(table.rows.len() - 1, "train_loss");
    assert!((500.0..600.0).contains(&last), "{last}");
    // The event is read off the stored run as well.
    assert_eq!(place.run_well("events off").out.matches("divergence").count(), 1);
    assert_eq!(place.run_well("events on").out.matches("divergence").count(), 0);
}

#[test]
fn what_of_a_schedule_lies_beyond_the_end_is_said() {
    let place = Place::new();
    let said = |flags: &str| place.run_well(&small(&format!("{flags} --out r --force"))).err;
    assert!(said("--steps 4 --warmup 40 --lr 0.2").contains("its last learning rate is 0.02"));
    assert!(!said("--steps 4 --warmup 2").contains("warm-up"));
    // Three equal parts, or a shorter last one: never a fourth.
    said("--steps 8 --schedule step --lr 0.1 --decay-factor 0.5");
    let rates = Table::of(place.made("r")).column("lr");
    assert_eq!(rates, [0.1, 0.1, 0.1, 0.05, 0.05, 0.05, 0.025, 0.025]);
}
