//! JSON on standard output, completions, man pages.

use std::process::{Command, Stdio};

use super::*;

fn json(place: &Place, words: &str) -> Value {
    // A branch's flags of its own end at its changes.
    let words = if words.contains("--json") {
        words.to_string()
    } else {
        format!("{words} --json --quiet")
    };
    let out = place.run_well(&words).out;
    serde_json::from_str(&out).unwrap_or_else(|e| panic!("{words}: {e}: {out}"))
}

#[test]
fn what_prints_a_table_prints_json() {
    let place = Place::new();
    place.run_well(&small("--checkpoint-every 1 --lr 0.4 --out r"));
    place.run_well(&small("--seed 1 --out s --data-seed 0"));
    let branch = json(&place, "branch r@1 --json -- --out b");
    assert_eq!((&branch["status"], &branch["written"]), (&json!("completed"), &json!("b")));
    let mut summary = json_file(place.made("b/summary.json"));
    summary["written"] = json!("b");
    assert_eq!(branch, summary);
    assert_eq!(json(&place, &small("--steps 1 --out q"))["steps"], 1);
    assert_eq!(json(&place, "events r"), Value::Array(events(place.made("r"))));
    assert!(
        json(&place, "doctor r")
            .as_array()
            .unwrap()
            .iter()
            .all(|finding| finding["check"].is_string())
    );
    assert!(
        json(&place, "list")["models"].is_array() && json(&place, "devices")["auto"].is_object()
    );
    let spectrum = json(&place, "spectrum r --probes 2 --iterations 6");
    assert!(
        spectrum["trace"]["estimate"]["value"].is_f64() || spectrum["trace"]["value"].is_f64(),
        "{spectrum}"
    );
    assert_eq!(spectrum["written"], "r/spectra/step-3");
    for (words, table) in [
        ("landscape interpolate r s --points 3 --top 0", "interpolate"),
        ("landscape slice r --along random --points 3", "slice"),
        ("landscape average r --top 0", "average"),
    ] {
        let printed = json(&place, &format!("{words} --out {table}"));
        let stored = Table::read(place.made(table).join(format!("{table}.csv")));
        let rows = printed["tables"][table]["data"].as_array().unwrap();
        assert_eq!(rows.len(), stored.rows.len(), "{table}");
        let losses: Vec<f64> = rows.iter().map(|row| row["train_loss"].as_f64().unwrap()).collect();
        assert_eq!(losses, stored.column("train_loss"), "{table}");
        assert_eq!(printed["source"]["path"], *table);
    }
}

/// A shell's own words for what comes next.
#[cfg(unix)]
#[test]
fn bash_completes_commands_and_flags() {
    let place = Place::new();
    let script = place.run_well("completions bash").out;
    place.file("complete.sh", &script);
    let ask = |words: &str| {
        let line = format!(
            "source '{}'; COMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); \
             _sharpscope sharpscope \"${{COMP_WORDS[COMP_CWORD]}}\" \"${{COMP_WORDS[COMP_CWORD-1]}}\"; \
             printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            place.files.path().join("complete.sh").display()
        );
        let done = Command::new("bash").args(["--norc", "-c", &line]).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    };
    assert_eq!(ask("sharpscope expo"), "export\n");
    assert!(ask("sharpscope run --tensor").contains("--tensorboard"));
    assert!(ask("sharpscope landscape inter").contains("interpolate"));
}

#[test]
fn each_shell_has_its_script() {
    let place = Place::new();
    for (shell, part) in [
        ("zsh", "#compdef sharpscope"),
        ("fish", "complete -c sharpscope"),
        ("powershell", "Register-ArgumentCompleter"),
        ("elvish", "edit:completion"),
    ] {
        let script = place.run_well(&format!("completions {shell}")).out;
        assert!(script.contains(part) && script.contains("tensorboard"), "{shell}");
    }
    let line = place.run("completions tcsh").refusal().unwrap();
    assert!(line.contains("bash"), "{line}");
}

#[test]
fn each_command_has_its_man_page() {
    let place = Place::new();
    let page = place.run_well("man").out;
    assert!(page.contains(".TH sharpscope 1"), "{page}");
    place.run_well("man --out m");
    let names = names_in(place.made("m"));
    for name in
        ["sharpscope.1", "sharpscope-run.1", "sharpscope-landscape-slice.1", "sharpscope-export.1"]
    {
        assert!(names.contains(&name.to_string()), "{name} in {names:?}");
    }
    let line = place.run("man --out m").refusal().unwrap();
    assert!(line.contains("--force"), "{line}");
    place.run_well("man --out m --force");
    let rendered = Command::new("man")
        .args(["-l", place.made("m/sharpscope-run.1").to_str().unwrap()])
        .envs([("MANPAGER", "cat"), ("MANWIDTH", "100")])
        .stderr(Stdio::null())
        .output();
    match rendered {
        Ok(done) if done.status.success() => {
            let text = String::from_utf8_lossy(&done.stdout);
            assert!(text.contains("--learning") || text.contains("tensorboard"), "{text}");
        }
        _ => eprintln!("skipped: there is no man"),
    }
}
