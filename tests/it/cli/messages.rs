//! Help, results and errors: which stream, how many lines, which exit code.

use super::*;

#[test]
fn help_and_version_are_no_errors_and_a_missing_command_is() {
    let place = Place::new();
    let version = place.run_well("--version");
    assert_eq!(version.out, format!("sharpscope {}\n", env!("CARGO_PKG_VERSION")));
    for words in ["--help", "run --help", "compare --help", "devices --help", "help run"] {
        let help = place.run_well(words);
        assert!(help.out.contains("Usage: sharpscope"), "{}", help.out);
        assert_eq!(help.err, "");
    }
    let helps = ["run --help", "compare --help"].map(|words| place.run_well(words).out);
    let manifest = {
        place.run_well(&small("--out r"));
        json_file(place.made("r/manifest.json"))
    };
    for key in manifest["config"].as_object().unwrap().keys() {
        let flag = format!("--{}", key.replace('_', "-"));
        assert!(helps.iter().all(|help| help.contains(&flag)), "{flag} is not in the help");
    }
    assert!(["--seeds", "--jobs"].iter().all(|flag| helps[1].contains(flag)));
    let none = place.run("");
    assert_eq!((none.code, none.out.as_str()), (Some(2), ""));
    for command in ["run", "compare", "devices"] {
        assert!(none.err.contains(command), "{}", none.err);
    }
}

/// Threads whose stack is larger than any address space cannot be started, and the library that runs
/// them panics.
#[test]
#[cfg(target_os = "linux")]
fn a_panic_is_one_line_with_what_to_do_and_leaves_nothing_behind() {
    let place = Place::new();
    let mut program = place.program();
    program.env_remove("RUST_BACKTRACE").env("RUST_MIN_STACK", (1_u64 << 62).to_string());
    let done = Done::of(program.args(place.arguments(&small("--out r"))));
    assert_eq!((done.code, done.out.as_str()), (Some(1), ""), "{}", done.err);
    assert_eq!(done.err.matches('\n').count(), 1, "{}", done.err);
    assert!(done.err.starts_with("error: internal error: "), "{}", done.err);
    assert!(done.err.contains("thread pool"), "the reason is not told: {}", done.err);
    assert!(done.err.contains("set RUST_BACKTRACE=1 and report"), "{}", done.err);
    assert!(names_in(place.cwd.path()).is_empty());
}

#[test]
fn quiet_prints_nothing_and_pipes_get_whole_lines() {
    let place = Place::new();
    let quiet = place.run_well(&small("--quiet --out a"));
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
    let refused = place.run(&small("--quiet --out a"));
    assert!(refused.refusal().unwrap().contains("--force"));

    let lines = |flags: &str, out: &str| {
        let done = place.run_well(&small(&format!("{flags} --out {out}")));
        for text in [&done.out, &done.err] {
            assert!(!text.contains(['\r', '\x1b']), "{text:?}");
            assert!(text.ends_with('\n'), "{text:?}");
        }
        assert!(done.out.contains(&format!("written    {out}")), "{}", done.out);
        done.err.lines().count()
    };
    let normal = lines("", "b");
    assert!(normal >= 3, "the run, its first and its last step");
    assert!(lines("-v", "c") >= normal);
    // One more for each step.
    assert!(lines("-vv", "d") >= normal + 3);
}

/// The last line is a command that can be given as it stands.
#[test]
fn a_run_ends_with_what_to_look_at_next() {
    let place = Place::new();
    let next = |words: &str| {
        let done = place.run(words);
        let line = done.out.lines().last().unwrap().to_string();
        let command = line.strip_prefix("next       sharpscope ").expect("the last line");
        command.split("    ").next().unwrap().to_string()
    };
    assert_eq!(next(&small("--lr 0.01 --out a")), "report a");
    assert_eq!(next(&small("--lr 1e30 --out b")), "events b");
    // One product is too few for an eigenvalue.
    let doctor = next(&small("--lr 0.01 --max-iterations 1 --solver lanczos --out c"));
    assert_eq!(doctor, "doctor c");
    for command in ["report a", "events b", &doctor] {
        place.run_well(command);
    }
    let odd =
        place.program().args(small("--lr 0.01 --out").split(' ')).arg("it's").output().unwrap();
    let out = String::from_utf8(odd.stdout).unwrap();
    assert!(out.contains(r"next       sharpscope report 'it'\''s'    "), "{out}");
}
