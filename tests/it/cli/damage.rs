//! Files of a run that were damaged, edited or lost: what they say is not believed, and what is whole is gone
//! on from.

use std::path::PathBuf;

use super::*;

const RUN: &str = "run --backend cpu --model linear --train-size 40 --validation-size 10 --optimizer adam \
                   --batch-size 16 --sharpness-batches 0 --checkpoint-every 4 --quiet";

/// Two runs of twelve steps: `whole`, and `r`, which stopped after nine.
fn stopped() -> Place {
    let place = Place::new();
    place.run_well(&format!("{RUN} --steps 12 --out whole"));
    place.run_well(&format!("{RUN} --steps 9 --out r"));
    place
}

fn copy(place: &Place, to: &str) -> PathBuf {
    let (from, to) = (place.made("r"), place.made(to));
    std::fs::create_dir_all(to.join("checkpoints")).unwrap();
    for folder in ["", "checkpoints"] {
        for name in names_in(from.join(folder)) {
            let file = from.join(folder).join(&name);
            if file.is_file() {
                std::fs::copy(file, to.join(folder).join(&name)).unwrap();
            }
        }
    }
    to
}

fn edit(path: impl AsRef<Path>, change: impl FnOnce(&mut Value)) {
    let mut value = json_file(&path);
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

/// The lowest bit of a byte near the end, where the numbers are.
fn flip(path: impl AsRef<Path>) {
    let mut bytes = std::fs::read(&path).unwrap();
    let at = bytes.len() - 4;
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn the_checkpoint_before_is_gone_on_from_where_a_part_of_the_last_is_damaged() {
    let place = stopped();
    let rows = |run: &str| Table::of(place.made(run)).untimed().rows;
    for part in ["safetensors", "optimizer.safetensors", "tracking.safetensors", "json"] {
        let run = part.replace('.', "-");
        let damaged = copy(&place, &run).join(format!("checkpoints/step-9.{part}"));
        match part {
            "json" => edit(&damaged, |state| state["initial_loss"] = json!(0.25)),
            _ => flip(&damaged),
        }
        let done = place.run_well(&format!("run --resume {run} --steps 12"));
        let told: Vec<&str> =
            done.err.lines().filter(|line| line.contains("cannot be used")).collect();
        assert_eq!(told.len(), 1, "{part}: {}", done.err);
        for words in ["step 9", &format!("step-9.{part}"), "checksum"] {
            assert!(told[0].contains(words), "{part}: {}", told[0]);
        }
        assert!(done.err.contains("goes on at step 8"), "{part}: {}", done.err);
        assert_eq!(rows(&run), rows("whole"), "{part}");
    }
}

/// Weights, P and initial weights are not measured either where they are not what was written.
#[test]
fn spectra_are_measured_of_what_was_written() {
    let place = stopped();
    let run = copy(&place, "d");
    flip(run.join("checkpoints/step-9.safetensors"));
    flip(run.join("checkpoints/step-8.preconditioner.safetensors"));
    for (words, file) in [("d", "step-9.safetensors"), ("d@8 --preconditioned", "step-8.precond")] {
        let refusal = place.run(&format!("spectrum {words}")).refusal().unwrap();
        assert!(refusal.contains(file) && refusal.contains("checksum"), "{refusal}");
    }
    for name in names_in(run.join("checkpoints")).iter().filter(|name| name.starts_with("step-0")) {
        std::fs::remove_file(run.join("checkpoints").join(name)).unwrap();
    }
    flip(run.join("init.safetensors"));
    let refusal = place.run("spectrum d@0").refusal().unwrap();
    assert!(refusal.contains("init.safetensors") && refusal.contains("checksum"), "{refusal}");
}

/// What cannot be is refused by its key, whether or not there is a checksum.
#[test]
fn a_checkpoint_that_says_what_cannot_be_is_refused_by_its_key() {
    let place = stopped();
    let path = place.made("r/checkpoints/step-9.json");
    let sound = json_file(&path);
    let cases: [(&str, Value, &[&str]); 14] = [
        ("/step", json!(8), &["step = 8", "another step"]),
        ("/step", json!(-1), &["step", "-1"]),
        ("/optimizer/steps", json!("two"), &["optimizer.steps: invalid type"]),
        ("/random/batches/next", json!([1]), &["random.batches.next: invalid type"]),
        ("/optimizer/accumulators", json!([]), &["optimizer.accumulators", "exp_avg, exp_avg_sq"]),
        ("/optimizer/steps", json!(-3), &["optimizer.steps = -3"]),
        ("/optimizer/steps", Value::Null, &["optimizer.steps = null"]),
        ("/schedule/rate_factor", json!(0.0), &["schedule.rate_factor = 0.0"]),
        ("/schedule/rate_factor", json!(2.0), &["schedule.rate_factor = 2.0"]),
        ("/schedule/next_lr", json!(0.7), &["schedule.next_lr = 0.7"]),
        ("/schedule/lr", json!(0.7), &["schedule"]),
        ("/random/seed", json!(5), &["random.seed = 5"]),
        ("/random/batches/next", json!(15), &["random.batches", "next 15"]),
        ("/random/batches/epoch", json!(4), &["random.batches", "epoch 4"]),
    ];
    for (key, value, parts) in cases {
        let mut state = sound.clone();
        *state.pointer_mut(key).unwrap() = value;
        // As an earlier version wrote it.
        for key in ["files", "sha256", "config"] {
            state.as_object_mut().unwrap().remove(key);
        }
        std::fs::write(&path, state.to_string()).unwrap();
        let refusal = place.run("run --resume r@9 --steps 12 --force").refusal().unwrap();
        for part in [&["step-9.json"][..], parts].concat() {
            assert!(refusal.contains(part), "{key}: no {part} in {refusal}");
        }
    }
}

#[test]
fn rows_that_are_missing_doubled_or_swapped_are_refused() {
    let place = stopped();
    let path = place.made("r/steps.csv");
    let sound = read(&path);
    let lines: Vec<&str> = sound.lines().collect();
    let with =
        |order: &[usize]| order.iter().map(|&i| lines[i]).collect::<Vec<_>>().join("\n") + "\n";
    for (order, parts) in [
        (&[0, 1, 2, 4, 5][..], ["steps.csv:4", "step = 3 where 2 should be"]),
        (&[0, 1, 2, 2, 3], ["steps.csv:4", "step = 1 where 2 should be"]),
        (&[0, 1, 3, 2, 4], ["steps.csv:3", "step = 2 where 1 should be"]),
        (&[0, 2, 3], ["steps.csv:2", "step = 1 where 0 should be"]),
    ] {
        std::fs::write(&path, with(order)).unwrap();
        for command in ["run --resume r --steps 12", "events r"] {
            let refusal = place.run(command).refusal().unwrap();
            for part in parts {
                assert!(refusal.contains(part), "{command}: {refusal}");
            }
        }
    }
}

/// A digit of a loss is another one. What a run goes on from has the rows before it as they were written.
#[test]
fn a_changed_cell_is_noticed_by_every_command_that_reads_rows() {
    let place = stopped();
    let path = place.made("r/steps.csv");
    let sound = read(&path);
    let with = |row: usize, column: &str| {
        let mut lines: Vec<Vec<&str>> =
            sound.lines().map(|line| line.split(',').collect()).collect();
        let at = lines[0].iter().position(|name| *name == column).unwrap();
        let cell = lines[row + 1][at];
        let digit = if cell.ends_with('1') { "2" } else { "1" };
        let changed = format!("{}{digit}", &cell[..cell.len() - 1]);
        lines[row + 1][at] = &changed;
        lines.iter().map(|cells| cells.join(",") + "\n").collect::<String>()
    };
    std::fs::write(&path, with(8, "train_loss")).unwrap();
    for command in ["events r", "report r --out r.html", "branch r@9 -- --lr 0.01 --steps 12"] {
        let refusal = place.run(command).refusal().unwrap();
        for part in ["steps.csv", "9 rows before step 9", "checksum"] {
            assert!(refusal.contains(part), "{command}: {refusal}");
        }
    }
    let judged = place.run("doctor r");
    assert!(judged.out.contains("9 rows before step 9 are not what was written"), "{}", judged.out);
    let done = place.run_well("run --resume r --steps 12");
    assert!(done.err.contains("the checkpoint at step 9 cannot be used"), "{}", done.err);
    assert!(done.err.contains("goes on at step 8"), "{}", done.err);
    let rows = |run: &str| Table::of(place.made(run)).untimed().rows;
    assert_eq!(rows("r"), rows("whole"));
    // Nothing is left to go on from where the first rows are others.
    let again = read(&path);
    std::fs::write(&path, with(0, "train_loss")).unwrap();
    let refusal = place.run("run --resume r --steps 13").refusal().unwrap();
    assert!(refusal.contains("steps.csv") && refusal.contains("checksum"), "{refusal}");
    // Times are nobody's business.
    std::fs::write(&path, again).unwrap();
    place.run_well("events r");
    place.run_well(&format!("{RUN} --steps 9 --out t"));
    std::fs::write(place.made("t/steps.csv"), with(3, "step_ms")).unwrap();
    place.run_well("events t");
}

#[test]
fn a_changed_event_is_noticed() {
    let place = Place::new();
    let run =
        "run --backend cpu --model linear --train-size 40 --validation-size 10 --lr 1 --quiet";
    place.run_well(&format!("{run} --steps 9 --out r"));
    let path = place.made("r/events.jsonl");
    let sound = read(&path);
    assert!(sound.contains("\"step\":0"), "{sound}");
    std::fs::write(&path, sound.replacen("\"step\":0", "\"step\":1", 1)).unwrap();
    for command in ["report r --out r.html", "run --resume r --steps 12"] {
        let refusal = place.run(command).refusal().unwrap();
        for part in ["events.jsonl", "before step 9", "checksum"] {
            assert!(refusal.contains(part), "{command}: {refusal}");
        }
    }
}

#[test]
fn an_edited_setting_is_noticed_by_every_command_that_uses_it() {
    let place = stopped();
    let path = place.made("r/manifest.json");
    let sound = read(&path);
    for (key, value) in
        [("lr", json!(0.002)), ("batch_size", json!(8)), ("seed", json!(1)), ("beta2", json!(0.99))]
    {
        edit(&path, |manifest| manifest["config"][key] = value.clone());
        for command in ["run --steps 12 --resume r", "spectrum r", "events r"] {
            let refusal = place.run(command).refusal().unwrap();
            let part = format!("config.{key} = {value}, but it was ");
            assert!(refusal.contains(&part), "{command}: {refusal}");
        }
        std::fs::write(&path, &sound).unwrap();
    }
    for (version, part) in [(json!(0), "schema_version = 0"), (json!(3), "later sharpscope")] {
        edit(&path, |manifest| manifest["schema_version"] = version);
        for command in ["run --steps 12 --resume r", "spectrum r", "events r", "doctor r"] {
            let refusal = place.run(command).refusal().unwrap();
            assert!(refusal.contains(part), "{command}: {refusal}");
        }
        std::fs::write(&path, &sound).unwrap();
    }
}

/// Killed in the midst of its last files, with some of them there, and temporary ones beside them.
#[test]
fn a_run_that_was_killed_while_closing_gets_its_last_files() {
    let place = Place::new();
    let diverges = RUN.replace("adam", "sgd").replace(" --batch-size 16", " --lr 50");
    let diverged =
        place.run(&format!("{diverges} --steps 30 --out r").replace(" --sharpness-batches 0", ""));
    assert_eq!(diverged.code, Some(3), "{}", diverged.err);
    place.run_well(&format!("{RUN} --steps 6 --out s"));
    for (run, code) in [("r", 3), ("s", 0)] {
        let folder = place.made(run);
        let untimed = || {
            let mut summary = json_file(folder.join("summary.json"));
            summary.as_object_mut().unwrap().retain(|key, _| !key.ends_with("_seconds"));
            (summary, read(folder.join("events.jsonl")), read(folder.join("steps.csv")))
        };
        let before = untimed();
        for gone in [&["sharpness.png"][..], &["sharpness.svg", "sharpness.png", "summary.json"]] {
            gone.iter().for_each(|name| std::fs::remove_file(folder.join(name)).unwrap());
            edit(folder.join("manifest.json"), |manifest| {
                manifest["exit_code"] = Value::Null;
                manifest["finished"] = Value::Null;
            });
            std::fs::write(folder.join(".sharpscope-a1B2c3.tmp"), "half").unwrap();
            std::fs::write(folder.join("checkpoints/.sharpscope-a1B2c3.tmp"), "half").unwrap();
            std::fs::write(folder.join(".tmpMINE"), "not the program's").unwrap();
            let done = place.run(&format!("run --resume {run}"));
            assert_eq!(done.code, Some(code), "{run}: {}", done.err);
            assert!(done.err.contains("no step is left"), "{run}: {}", done.err);
            assert_eq!(untimed(), before, "{run}");
            assert_eq!(json_file(folder.join("manifest.json"))["exit_code"], code);
            let hidden = |folder: PathBuf| -> Vec<String> {
                names_in(folder).into_iter().filter(|name| name.starts_with('.')).collect()
            };
            assert_eq!(hidden(folder.clone()), [".tmpMINE"]);
            assert!(hidden(folder.join("checkpoints")).is_empty());
            assert!(
                folder.join("sharpness.png").is_file() && folder.join("sharpness.svg").is_file()
            );
        }
    }
    let refusal = place.run("run --resume s").refusal().unwrap();
    assert!(refusal.contains("6 steps already"), "{refusal}");
}

/// A run that was killed at its very beginning begins.
#[test]
fn what_little_there_is_of_a_run_is_gone_on_with() {
    let place = Place::new();
    place.run_well(&format!("{RUN} --steps 3 --out whole"));
    let rows = |run: &str| Table::of(place.made(run)).untimed().rows;
    let manifest = place.made("whole/manifest.json");
    // Nothing but what was to become its first file: the same command takes the folder.
    std::fs::create_dir(place.made("r")).unwrap();
    std::fs::write(place.made("r/.sharpscope-a1B2c3.tmp"), "{").unwrap();
    place.run_well(&format!("{RUN} --steps 3 --out r"));
    assert_eq!(rows("r"), rows("whole"));
    assert!(!place.made("r/.sharpscope-a1B2c3.tmp").exists());
    let left: [(&str, &[&str]); 3] =
        [("a", &[]), ("b", &["init.safetensors"]), ("c", &["events.jsonl"])];
    for (run, files) in left {
        let folder = place.made(run);
        std::fs::create_dir(&folder).unwrap();
        std::fs::copy(&manifest, folder.join("manifest.json")).unwrap();
        edit(folder.join("manifest.json"), |manifest| manifest["exit_code"] = Value::Null);
        for name in files {
            std::fs::copy(place.made("whole").join(name), folder.join(name)).unwrap();
        }
        if run == "c" {
            std::fs::write(folder.join("steps.csv"), "step,lr,tra").unwrap();
        }
        place.run_well(&format!("run --resume {run} --quiet"));
        assert_eq!(rows(run), rows("whole"), "{run}");
        let init = |run: &str| std::fs::read(place.made(run).join("init.safetensors")).unwrap();
        assert!(init(run) == init("whole"), "{run}");
    }
}

/// With minibatches, between the checkpoint at the start and the next.
#[test]
fn a_run_goes_on_from_the_checkpoint_at_its_start() {
    let place = Place::new();
    place.run_well(&format!("{RUN} --steps 6 --out whole"));
    place.run_well(&format!("{RUN} --steps 6 --out r"));
    let folder = place.made("r");
    let table = read(folder.join("steps.csv"));
    let cut = table.match_indices('\n').nth(3).unwrap().0 + 1;
    std::fs::write(folder.join("steps.csv"), &table[..cut]).unwrap();
    for name in names_in(folder.join("checkpoints")).iter().filter(|name| !name.contains("-0.")) {
        std::fs::remove_file(folder.join("checkpoints").join(name)).unwrap();
    }
    let done = place.run_well("run --resume r");
    assert!(done.err.contains("goes on at step 0"), "{}", done.err);
    let rows = |run: &str| Table::of(place.made(run)).untimed().rows;
    assert_eq!(rows("r"), rows("whole"));
}

/// What a run goes on with is not advised to be changed.
#[test]
fn a_run_of_a_gpu_is_not_told_to_go_on_with_another_device() {
    let place = stopped();
    edit(place.made("r/manifest.json"), |manifest| manifest["backend"] = json!("wgpu"));
    let refusal = place.run("run --resume r --steps 12").refusal().unwrap();
    assert!(refusal.contains("no adapter found"), "{refusal}");
    assert!(!refusal.contains("--backend cpu") && refusal.contains("began on"), "{refusal}");
}
