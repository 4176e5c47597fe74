//! Going on with runs that were stopped: what comes out is what one run would have written.

use super::*;
use crate::support::running::Running;

/// Problems small enough for a fraction of a second, with every kind of state that a checkpoint holds.
const KINDS: [&str; 7] = [
    "--chunk 100 --samples 40",
    "--optimizer sgd --lr 0.4 --model mlp-relu",
    "--optimizer momentum --warmup 30",
    "--optimizer adam --batch-size 32 --sharpness-batches 2",
    "--optimizer sam --base momentum --lr 0.05 --weight-decay 0.001",
    "--optimizer rmsprop --schedule step --decay-every 8 --chunk 40",
    "--optimizer nesterov --batch-size 30 --every 3 --precision f64",
];

fn command(flags: &str) -> String {
    format!("run --backend cpu --train-size 100 --validation-size 300 {flags}")
}

fn same_run(place: &Place, whole: &str, parts: &str, what: &str) {
    let (whole, parts) = (place.made(whole), place.made(parts));
    let rows = |run: &Path| Table::of(run).untimed().rows;
    assert_eq!(rows(&whole), rows(&parts), "{what}");
    assert_eq!(read(whole.join("events.jsonl")), read(parts.join("events.jsonl")), "{what}");
    for name in names_in(whole.join("checkpoints")) {
        let file = |run: &Path| std::fs::read(run.join("checkpoints").join(&name)).unwrap();
        assert!(file(&whole) == file(&parts), "{what}: {name}");
    }
    let summary = |run: &Path| {
        let mut summary = json_file(run.join("summary.json"));
        for name in ["training_seconds", "curvature_seconds", "total_seconds"] {
            summary.as_object_mut().unwrap().remove(name).unwrap();
        }
        summary
    };
    assert_eq!(summary(&whole), summary(&parts), "{what}");
}

/// Nothing but the manifest says that there were two runs.
#[test]
fn two_runs_write_what_one_would_have() {
    let place = Place::new();
    for (flags, solver) in KINDS.into_iter().zip(["davidson", "lanczos"].into_iter().cycle()) {
        let command = command(&format!("{flags} --solver {solver} --force"));
        place.run_well(&format!("{command} --steps 24 --out whole"));
        place.run_well(&format!("{command} --steps 13 --out parts"));
        let done = place.run_well("run --resume parts --steps 24");
        assert!(done.err.contains("goes on at step 13"), "{}", done.err);
        same_run(&place, "whole", "parts", flags);
        let manifest = json_file(place.made("parts").join("manifest.json"));
        assert_eq!(manifest["resumed"][0]["step"], 13);
        assert_eq!(manifest["config"]["steps"], 24);
        assert_eq!(manifest["exit_code"], 0);
    }
}

/// What further optimizers remember, laid out as the parameters are or not, and rates that follow curvature.
#[test]
fn every_kind_of_memory_is_gone_on_from() {
    let place = Place::new();
    for flags in [
        "--optimizer schedule-free-adamw --every 4 --warmup 3",
        "--optimizer adafactor --every 4",
        "--optimizer lamb --every 4 --batch-size 16 --sharpness-batches 0",
        "--optimizer shampoo --refresh 3 --every 4",
        "--optimizer soap --refresh 2 --every 4",
        "--optimizer muon --every 4 --model mlp-relu",
        "--optimizer ademamix --every 4 --clip-norm 0.1",
        "--schedule edge --edge-target 0.7",
        "--optimizer momentum --schedule cdat",
    ] {
        let command = format!(
            "run --backend cpu --train-size 40 --validation-size 50 --model linear --loss ce --solver lanczos \
             --force {flags}"
        );
        let command = match flags.contains("--model") {
            true => command.replace("--model linear", ""),
            false => command,
        };
        place.run_well(&format!("{command} --steps 7 --out whole"));
        place.run_well(&format!("{command} --steps 4 --out parts"));
        place.run_well("run --resume parts --steps 7");
        same_run(&place, "whole", "parts", flags);
    }
}

/// Every file of a checkpoint, P among them, is the same whether the run went on from there, ended
/// there, or was ended there by a limit on its steps that was raised later.
#[test]
fn a_checkpoint_says_the_same_whether_or_not_the_run_went_on() {
    let place = Place::new();
    for flags in [
        "--optimizer adam",
        "--optimizer adam --weight-decay 0.01 --batch-size 32 --sharpness-batches 0",
        "--optimizer adamw --batch-size 30 --sharpness-batches 0",
        "--optimizer rmsprop --lr 0.0003 --chunk 40",
        "--optimizer adagrad --model mlp-relu",
        "--optimizer sam --base adam --lr 0.001",
        "--optimizer asam --base adam --lr 0.001 --batch-size 64 --sharpness-batches 0",
        "--optimizer sam --base momentum --lr 0.01",
        "--lr 0.1 --weight-decay 0.1",
    ] {
        let command = command(&format!("{flags} --solver lanczos --every 20 --force"));
        place.run_well(&format!("{command} --steps 7 --out ends"));
        place.run_well(&format!("{command} --steps 9 --checkpoint-every 7 --out goes-on"));
        let (ends, goes_on) = (place.made("ends/checkpoints"), place.made("goes-on/checkpoints"));
        let there = |folder: &Path| -> Vec<String> {
            let names = names_in(folder).into_iter();
            names.filter(|name| name.starts_with("step-7.")).collect()
        };
        assert_eq!(there(&ends), there(&goes_on), "{flags}");
        assert_eq!(
            there(&ends).iter().any(|name| name.contains("preconditioner")),
            ["ad", "rms"].iter().any(|part| flags.contains(part)),
            "{flags}"
        );
        for name in there(&ends) {
            let file = |folder: &Path| std::fs::read(folder.join(&name)).unwrap();
            if name.ends_with(".json") {
                // The length of the run is in the schedule, and with it in the checksum.
                let state = |folder: &Path| {
                    let mut state = json_file(folder.join(&name));
                    state["schedule"].as_object_mut().unwrap().remove("steps").unwrap();
                    state.as_object_mut().unwrap().remove("sha256").unwrap();
                    state
                };
                assert_eq!(state(&ends), state(&goes_on), "{flags}: {name}");
            } else {
                assert!(file(&ends) == file(&goes_on), "{flags}: {name}");
            }
        }
    }
}

/// Where what was known of followed eigenvalues was not kept, they begin anew: the path is the same, and they
/// are within their residuals.
#[test]
fn followed_eigenvalues_agree_where_the_run_goes_on() {
    let place = Place::new();
    place.run_well(&command("--steps 30 --out whole"));
    place.run_well(&command("--steps 17 --out parts"));
    std::fs::remove_file(place.made("parts/checkpoints/step-17.tracking.safetensors")).unwrap();
    let done = place.run_well("run --resume parts --steps 30");
    assert!(done.err.contains("followed eigenvalues begin anew"), "{}", done.err);
    let (whole, parts) = (Table::of(place.made("whole")), Table::of(place.made("parts")));
    for (a, b) in whole.rows.iter().zip(&parts.rows) {
        for name in ["step", "lr", "train_loss", "val_loss", "grad_norm", "update_norm"] {
            assert_eq!(a[name], b[name], "{name} at step {}", a["step"]);
        }
        let value = |row: &BTreeMap<String, String>| row["sharpness"].parse::<f64>().unwrap();
        assert!((value(a) / value(b) - 1.0).abs() < 1e-5, "step {}", a["step"]);
    }
}

/// A run that was killed has a half-written line, no summary, and rows after its last checkpoint.
#[test]
fn a_killed_run_goes_on_from_its_last_checkpoint() {
    let place = Place::new();
    let flags = "--solver lanczos --optimizer adam --lr 0.01 --checkpoint-every 10 --steps 40";
    place.run_well(&command(&format!("{flags} --out whole")));
    place.run_well(&command(&format!("{flags} --out killed")));
    let killed = place.made("killed");
    let table = read(killed.join("steps.csv"));
    let cut = table.match_indices('\n').nth(27).unwrap().0 + 9;
    std::fs::write(killed.join("steps.csv"), &table[..cut]).unwrap();
    let mut told: String = events(&killed)
        .iter()
        .filter(|event| event["step"].as_u64().unwrap() <= 26)
        .map(|event| format!("{event}\n"))
        .collect();
    told += "{\"step\": 27, \"ki";
    std::fs::write(killed.join("events.jsonl"), told).unwrap();
    std::fs::remove_file(killed.join("summary.json")).unwrap();
    for name in names_in(killed.join("checkpoints")) {
        if name.contains("-30") || name.contains("-40") {
            std::fs::remove_file(killed.join("checkpoints").join(name)).unwrap();
        }
    }
    // The kill came between the parts of a checkpoint.
    std::fs::copy(
        killed.join("checkpoints/step-20.safetensors"),
        killed.join("checkpoints/step-25.safetensors"),
    )
    .unwrap();
    let done = place.run_well("run --resume killed");
    assert!(done.err.contains("goes on at step 20"), "{}", done.err);
    same_run(&place, "whole", "killed", "killed");
}

#[test]
fn what_cannot_go_on_is_refused_and_left_alone() {
    let place = Place::new();
    place.run_well(&command("--steps 6 --schedule cosine --out done"));
    place.run_well(&command("--steps 6 --out own"));
    std::fs::remove_dir_all(place.made("own").join("checkpoints")).unwrap();
    place.file("c.json", r#"{"resume": "done", "lr": 0.1}"#);
    let before = place.snapshot();
    for (flags, parts) in [
        ("--resume done", &["--resume", "done", "6 steps already", "--steps"][..]),
        ("--resume done --steps 9", &["--steps", "9", "schedule"]),
        ("--resume done --lr 0.1", &["--resume", "done", "own settings", "--on-warning"]),
        ("--resume done --out other", &["--resume", "own settings"]),
        ("--resume nowhere", &["nowhere", "manifest.json"]),
        ("--resume own --steps 9", &["checkpoints", "--init", "--out"]),
        ("--config @/c.json", &["--resume", "own settings"]),
    ] {
        let refused = place.run(&format!("run {flags}"));
        assert_eq!(refused.code, Some(2), "{flags}: {}", refused.err);
        for part in parts {
            assert!(refused.err.contains(part), "{flags}: {}", refused.err);
        }
        assert_eq!(place.snapshot(), before, "{flags}");
    }
}

#[test]
fn another_dataset_under_the_same_name_is_noticed() {
    let place = Place::new();
    let rows = "1,2,0\n2,1,1\n3,5,0\n4,4,1\n0,1,0\n7,2,1\n5,5,0\n";
    place.file("d.csv", format!("a,b,class\n{rows}"));
    place.run_well("run --backend cpu --dataset @/d.csv --train-size 4 --steps 5 --out r");
    place.file("d.csv", format!("a,b,class\n{}", rows.replace("7,2,1", "7,3,1")));
    let refused = place.run("run --resume r --steps 9");
    assert_eq!(refused.code, Some(2), "{}", refused.err);
    assert!(refused.err.contains("dataset has changed"), "{}", refused.err);
}

/// A checkpoint whose parts are not of one step, run or optimizer is not gone on from.
#[test]
fn mixed_up_checkpoints_are_refused() {
    let place = Place::new();
    let command = command("--model linear --optimizer adam --batch-size 20 --steps 4 --out r");
    place.run_well(&command);
    let path = place.made("r/checkpoints/step-4.json");
    let state = json_file(&path);
    let optimizer = |names: Value| json!({"optimizer": {"steps": 4, "accumulators": names}});
    for (change, part) in [
        (json!({"step": 3}), "another step"),
        (optimizer(json!(["momentum_buffer"])), "another optimizer"),
        (json!({"random": {"seed": 0, "batches": null}}), "minibatches"),
    ] {
        std::fs::write(&path, with(&state, &change).to_string()).unwrap();
        let refused = place.run("run --resume r --steps 9");
        assert_eq!(refused.code, Some(2), "{}", refused.err);
        assert!(refused.err.contains(part), "{}", refused.err);
    }
    std::fs::write(&path, state.to_string()).unwrap();
    place.run_well("run --resume r --steps 9");
}

/// What is left of a run that went further, and of its end, is not taken for the run that goes on.
#[test]
fn later_checkpoints_and_an_earlier_end_are_removed() {
    let place = Place::new();
    place.run_well(&command(
        "--model linear --steps 12 --checkpoint-every 4 --spectrum-every 6 --probes 2 \
         --iterations 5 --out r",
    ));
    let r = place.made("r");
    let total = |summary: Value| summary["total_seconds"].as_f64().unwrap();
    let first = total(json_file(r.join("summary.json")));
    let table = read(r.join("steps.csv"));
    let cut = table.match_indices('\n').nth(5).unwrap().0 + 1;
    std::fs::write(r.join("steps.csv"), &table[..cut]).unwrap();
    place.run_well("run --resume r --steps 5");
    let steps = |folder: &str| -> BTreeSet<String> {
        let names = names_in(r.join(folder)).into_iter();
        names.map(|name| name.split('.').next().unwrap().to_string()).collect()
    };
    assert_eq!(steps("checkpoints"), ["step-0", "step-4", "step-5"].map(String::from).into());
    assert!(!steps("spectra").contains("step-6"), "{:?}", steps("spectra"));
    assert!(total(json_file(r.join("summary.json"))) > first);
}

/// A loss that is not finite when a run goes on is divergence, as it is in one run.
#[test]
fn divergence_is_told_where_a_run_goes_on_as_well() {
    let place = Place::new();
    place.run_well(&command("--lr 1e38 --steps 1 --out r"));
    let done = place.run("run --resume r --steps 4");
    assert_eq!(done.code, Some(3), "{}", done.err);
}

/// One process writes a folder at a time.
#[test]
fn a_run_under_way_is_left_alone() {
    let place = Place::new();
    // At a rate at which it does not diverge meanwhile.
    let words =
        command("--model linear --lr 0.01 --steps 2000000 --checkpoint-every 10 --quiet --out r");
    let mut long = Running::start(&place, &words);
    long.wait_for_file(&place.made("r/checkpoints/step-10.json"));
    for words in ["run --resume r --steps 3000000", &small("--force --out r")] {
        let refused = place.run(words);
        assert_eq!(refused.code, Some(2), "{words}: {}", refused.err);
        assert!(refused.err.contains("another sharpscope"), "{}", refused.err);
    }
    drop(long);
    place.run_well(&small("--force --out r"));
}
