//! Runs on disk as every command opens them: `RUN@STEP`, files of later versions, runs that were moved away
//! from.

use super::*;

fn with_checkpoints(flags: &str) -> Place {
    let place = Place::new();
    place.run_well(&small(&format!("--steps 12 --checkpoint-every 4 --out r {flags}")));
    place
}

fn edit(path: impl AsRef<Path>, change: impl FnOnce(&mut Value)) {
    let mut value = json_file(&path);
    change(&mut value);
    std::fs::write(path, value.to_string()).unwrap();
}

/// Each command sees the run as it stood after so many updates.
#[test]
fn a_checkpoint_is_named_behind_the_run() {
    let place = Place::new();
    place.run_well(&small("--steps 6 --checkpoint-every 2 --out r --lr 0.5 --optimizer adam"));
    let named = place.run_well("spectrum r@2 --probes 2 --iterations 5");
    assert!(named.out.starts_with("step 2 "), "{}", named.out);
    let flag = place.run("spectrum r --step 2 --probes 2 --iterations 5");
    assert!(flag.err.contains("step-2.csv is there already"), "{}", flag.err);
    let both = place.run("spectrum r@2 --step 4");
    assert!(both.refusal().unwrap().contains("--step = 4: the run is named at step 2"));

    let until = |run: &str| -> Vec<Value> {
        let lines = place.run_well(&format!("events {run}")).out;
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let early: Vec<Value> =
        until("r").into_iter().filter(|event| event["step"].as_u64() < Some(2)).collect();
    assert!(!early.is_empty() && early.len() < until("r").len(), "{early:?}");
    assert_eq!(until("r@2"), early);

    let doctor = place.run_well("doctor r@2").out;
    assert!(doctor.contains("logged at 2 of 2 steps"), "{doctor}");
}

#[test]
fn a_step_without_a_checkpoint_is_refused_by_every_command() {
    let place = with_checkpoints("");
    for command in ["spectrum", "events", "doctor", "run --resume"] {
        let refusal = place.run(&format!("{command} r@5")).refusal().unwrap();
        assert!(refusal.contains("= 5: the run has no checkpoint there"), "{command}: {refusal}");
        assert!(refusal.contains("0, 4, 8, 12"), "{command}: {refusal}");
    }
    // A folder of that name is that folder.
    std::fs::rename(place.made("r"), place.made("r@5")).unwrap();
    place.run_well("events r@5");
}

#[test]
fn a_run_goes_on_from_an_earlier_checkpoint_only_with_force() {
    let flags = "--optimizer adam --batch-size 30 --sharpness-batches 2 --solver lanczos";
    let place = with_checkpoints(flags);
    let before = place.snapshot();
    let refusal = place.run("run --resume r@4 --steps 14").refusal().unwrap();
    assert!(refusal.contains("2 checkpoints after step 4 would be lost"), "{refusal}");
    assert!(place.snapshot() == before, "a refusal wrote something");

    let done = place.run_well("run --resume r@4 --steps 14 --force");
    assert!(done.err.contains("goes on at step 4"), "{}", done.err);
    place.run_well(&small(&format!("--steps 14 --checkpoint-every 4 --out whole {flags}")));
    let rows = |run| Table::of(place.made(run)).untimed().rows;
    assert_eq!(rows("r"), rows("whole"));
    assert_eq!(names_in(place.made("r/checkpoints")), names_in(place.made("whole/checkpoints")));
}

#[test]
fn files_of_a_later_layout_are_refused() {
    let place = with_checkpoints("");
    edit(place.made("r/manifest.json"), |manifest| manifest["schema_version"] = json!(3));
    for command in ["spectrum", "events", "doctor", "run --steps 14 --resume"] {
        let refusal = place.run(&format!("{command} r")).refusal().unwrap();
        for part in ["manifest.json", "schema_version = 3", "later sharpscope"] {
            assert!(refusal.contains(part), "{command}: {refusal}");
        }
    }
}

/// A later version that has more to say, in the same layout.
#[test]
fn settings_events_and_columns_that_are_not_known_are_left_alone() {
    let place = with_checkpoints("--lr 0.5 --optimizer adam");
    edit(place.made("r/manifest.json"), |manifest| {
        manifest["weather"] = json!("fine");
        manifest["config"]["clip"] = json!(0.5);
    });
    // Its checksums are of what it wrote.
    for name in names_in(place.made("r/checkpoints")).iter().filter(|name| name.ends_with(".json"))
    {
        edit(place.made("r/checkpoints").join(name), |head| {
            head.as_object_mut().unwrap().retain(|key, _| key != "tables" && key != "sha256");
        });
    }
    let line = r#"{"step":2,"kind":"oscillation","period":2.5,"assumes":"nothing"}"#;
    let events = place.made("r/events.jsonl");
    std::fs::write(&events, format!("{line}\n{}", read(&events))).unwrap();
    let table = place.made("r/steps.csv");
    let widened: Vec<String> = read(&table)
        .lines()
        .enumerate()
        .map(|(i, row)| format!("{row},{}", if i == 0 { "clip_factor" } else { "0.5" }))
        .collect();
    std::fs::write(&table, widened.join("\n") + "\n").unwrap();

    place.run_well("events r");
    place.run_well("doctor r");
    place.run_well("spectrum r --probes 2 --iterations 5");
    place.run_well("run --resume r --steps 14");
    assert!(read(&events).starts_with(&format!("{line}\n")), "{}", read(&events));
    let table = Table::of(place.made("r"));
    assert_eq!((table.cell(11, "clip_factor"), table.cell(12, "clip_factor")), ("0.5", ""));
    assert_eq!(table.rows.len(), 14);
    // What is known must be whole.
    std::fs::write(&events, "{\"step\":2,\"kind\":\"divergence\"}\n").unwrap();
    let refusal = place.run("doctor r").refusal().unwrap();
    assert!(refusal.contains("events.jsonl:1") && refusal.contains("reason"), "{refusal}");
}

/// The data are named as they are seen from the folder that the run was started in.
#[test]
fn a_run_is_read_from_another_folder() {
    let place = Place::new();
    let rows: String = (0..40).map(|i| format!("{},{},{}\n", i % 7, i % 5, i % 2)).collect();
    let write = |name: &str, rows: &str| {
        let path = place.made(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, format!("a,b,label\n{rows}")).unwrap();
    };
    let others = rows.replace("3,", "4,");
    write("here/base.csv", &rows);
    write("there/base.csv", &others);
    let run_in = |folder: &str, words: &str| {
        let mut program = place.program();
        Done::of(program.current_dir(place.made(folder)).args(place.arguments(words)))
    };
    let words = small("--dataset base.csv --train-size 20 --steps 4 --out ../r");
    let made = run_in("here", &words.replace("--train-size 100", ""));
    assert_eq!(made.code, Some(0), "{}", made.err);
    for words in
        ["spectrum ../r --probes 2 --iterations 5", "doctor ../r", "run --resume ../r --steps 6"]
    {
        let done = run_in("there", words);
        assert_eq!(done.code, Some(0), "{words}: {}", done.err);
    }
    let manifest = json_file(place.made("r/manifest.json"));
    assert_eq!(manifest["config"]["dataset"], "base.csv");
    assert_eq!(Table::of(place.made("r")).rows.len(), 6);

    // Changed since, its curvature would be another's.
    write("here/base.csv", &others);
    let refusal = run_in("there", "spectrum ../r --step 0").refusal().unwrap();
    assert!(refusal.contains("the dataset has changed since"), "{refusal}");
}

/// None at all is none when it is read back, whatever the default is.
#[test]
fn a_run_without_batch_sharpness_goes_on_without() {
    let place = Place::new();
    place.run_well(&small("--batch-size 20 --sharpness-batches 0 --steps 4 --out r"));
    place.run_well("run --resume r --steps 6");
    let table = Table::of(place.made("r"));
    assert_eq!(table.rows.len(), 6);
    assert!(!table.header.contains("batch_sharpness_se"));
}

/// What is measured of a checkpoint is of the data, samples and precision that the run had there: its largest
/// eigenvalue is that of the row, whichever setting the run differs from others by.
#[test]
fn a_spectrum_is_of_the_run_with_all_its_settings() {
    let place = Place::new();
    let rows: String =
        (0..60).map(|i| format!("{},{},{}\n", i % 3, i * 7 % 11, i * i % 13)).collect();
    place.file("d.csv", format!("y,a,b\n{rows}"));
    let digits = "--model linear --train-size 60";
    for (number, flags) in [
        format!("{digits} --loss ce --label-noise 0.4 --seed 5"),
        format!("{digits} --samples 15 --precision f64 --batch-size 20 --sharpness-batches 0"),
        format!("{digits} --standardize --lr 0.01 --loss ce"),
        "--dataset @/d.csv --target y --model linear --train-size 40 --lr 0.01".to_string(),
        "--dataset @/d.csv --regression --model mlp-relu --train-size 40 --lr 0.001".to_string(),
    ]
    .into_iter()
    .enumerate()
    {
        place.run_well(&format!(
            "run --backend cpu --quiet --steps 5 --checkpoint-every 3 --out {number} {flags}"
        ));
        place.run_well(&format!("spectrum {number}@3 --probes 1 --iterations 4 --quiet"));
        let spectrum = json_file(place.made(&format!("{number}/spectra/step-3.json")));
        let found = spectrum["ends"]["largest"][0].as_f64().unwrap();
        let expected = Table::of(place.made(&number.to_string())).number(3, "sharpness");
        assert!((found / expected - 1.0).abs() < 3e-3, "{flags}: {found}, not {expected}");
    }
}

#[test]
fn what_is_no_run_is_not_blamed_on_its_step() {
    let place = Place::new();
    for command in ["spectrum", "events", "doctor", "run --steps 9 --resume"] {
        let refusal = place.run(&format!("{command} nothing@4")).refusal().unwrap();
        assert!(refusal.contains("manifest.json: there is none"), "{command}: {refusal}");
    }
}

/// The rows of later steps are not lost either, where no checkpoint marks them.
#[test]
fn a_run_is_not_begun_anew_by_naming_its_start() {
    let place = with_checkpoints("");
    std::fs::remove_dir_all(place.made("r/checkpoints")).unwrap();
    let refusal = place.run("run --resume r@0 --steps 14").refusal().unwrap();
    assert!(refusal.contains("r@0: 12 rows after step 0 would be lost"), "{refusal}");
}

/// A run that was told to halve its rate when it went on, and was killed before its next checkpoint.
#[test]
fn a_halving_that_no_checkpoint_has_is_not_forgotten() {
    let place = Place::new();
    let run = "run --backend cpu --train-size 100 --validation-size 0 --lr 0.4 --every 2";
    place.run_well(&format!("{run} --steps 50 --out r"));
    assert!(read(place.made("r/events.jsonl")).contains("spike_warning"), "the test needs one");
    place.run_well("run --resume r --steps 60 --on-warning halve-lr");
    let halved = Table::of(place.made("r")).number(50, "lr");
    assert_eq!(halved, 0.2);
    std::fs::remove_file(place.made("r/summary.json")).unwrap();
    edit(place.made("r/manifest.json"), |manifest| manifest["exit_code"] = Value::Null);
    for name in names_in(place.made("r/checkpoints")).iter().filter(|name| name.contains("60")) {
        std::fs::remove_file(place.made("r/checkpoints").join(name)).unwrap();
    }
    let done = place.run_well("run --resume r --steps 60");
    assert!(done.err.contains("goes on at step 50"), "{}", done.err);
    assert_eq!(Table::of(place.made("r")).number(50, "lr"), halved);
}

#[cfg(target_os = "linux")]
#[test]
fn a_folder_that_json_cannot_name_is_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let place = Place::new();
    let mut program = place.program();
    program.args(place.arguments(&small("--out"))).arg(OsStr::from_bytes(b"r\xff"));
    let refusal = Done::of(&mut program).refusal().unwrap();
    assert!(refusal.contains("--out") && refusal.contains("UTF-8"), "{refusal}");
    // Where the folder that it is run in has such a name, the manifest does not say.
    let folder = place.made("").join(OsStr::from_bytes(b"f\xff"));
    std::fs::create_dir(&folder).unwrap();
    let mut program = place.program();
    let done = Done::of(program.current_dir(&folder).args(place.arguments(&small("--out r"))));
    assert_eq!(done.code, Some(0), "{}", done.err);
    assert_eq!(json_file(folder.join("r/manifest.json"))["working_directory"], Value::Null);
}
