//! A user's own data, from the file to the manifest: what is said of them, files that validate and test, and
//! limits on what is asked for.

use std::fmt::Write;

use serde_json::json;

use crate::support::{Place, Table, all, all_flags_refused, json_file, refused};

const RUN: &str = "run --backend cpu --model linear --loss ce --steps 3";

/// Rows of two features and a class, those from `first` on.
fn rows(first: usize, count: usize) -> String {
    (first..first + count).fold(String::new(), |mut text, i| {
        let (a, b) = ((7.0 * i as f64).sin(), (11.0 * i as f64).cos());
        let _ = writeln!(text, "{a:.3},{b:.3},{}", ["no", "yes"][usize::from(a + b > 0.0)]);
        text
    })
}

fn table(first: usize, count: usize) -> String {
    format!("x1,x2,y\n{}", rows(first, count))
}

#[test]
fn what_was_made_of_the_data_is_said_at_the_start_and_kept() {
    let place = Place::new();
    place.file("d.csv", table(0, 60));
    let numbered = table(0, 60).replace("no\n", "1\n").replace("yes\n", "2\n");
    let lines = numbered.lines().enumerate();
    let numbered: String = lines.fold(String::new(), |mut text, (i, line)| {
        let number = i.checked_sub(1).map(|i| i.to_string()).unwrap_or_default();
        let _ = writeln!(text, "{number},{line}");
        text
    });
    place.file("i.csv", numbered);
    let done = place.run_well(&format!("{RUN} --dataset @/d.csv --out d"));
    let first = done.err.lines().next().unwrap();
    assert_eq!(first, "data: 60 rows, 2 features, 2 classes (no, yes), a header");
    let done = place.run_well(&format!("{RUN} --dataset @/i.csv --out i"));
    let expected = "data: 60 rows, 2 features, 2 classes (1, 2), a header, left out: column 1 (no \
                    name, numbers the rows)";
    assert_eq!(done.err.lines().next().unwrap(), expected);
    // The same numbers, in spite of the column and of the classes' names.
    assert_eq!(
        Table::of(place.made("d")).untimed().rows,
        Table::of(place.made("i")).untimed().rows
    );
    let manifest = json_file(place.made("i/manifest.json"));
    assert_eq!(manifest["parameters"], 6);
    assert_eq!(
        manifest["data"],
        json!({
            "samples": 60, "inputs": "2 features", "outputs": 2, "class_names": ["1", "2"],
            "header": true, "left_out": ["column 1 (no name, numbers the rows)"], "remarks": []
        })
    );
    let compared = place.run_well(
        "compare --optimizers sgd --backend cpu --model linear --steps 1 --dataset @/d.csv --out c",
    );
    assert!(compared.err.starts_with("data: 60 rows"), "{}", compared.err);
    for command in ["spectrum d --probes 1 --iterations 2", "run --resume i --steps 4", "doctor i"]
    {
        place.run_well(command);
    }
}

/// Line 7, column 2 has a number that is none in single precision, as it stands and not as it is scaled.
#[test]
fn numbers_that_the_precision_does_not_hold_are_refused_by_line_and_column() {
    let text = format!("x1,x2,y\n{}0.1,1e39,no\n{}", rows(0, 5), rows(5, 20));
    let words = "run --loss ce --model linear --backend cpu --steps 2 --out new --dataset @/big.csv \
                 --train-size 24";
    let parts = &["@/big.csv:7", "1e39 in column 2", "f32", "--precision f64"];
    all([refused(&[("big.csv", &text)], words, parts)]);
    let place = Place::new();
    place.file("big.csv", &text);
    place.run_well(&format!("{RUN} --dataset @/big.csv --train-size 24 --standardize --out s"));
}

/// Squares of the numbers are not finite, though they are.
#[test]
fn a_loss_that_is_not_finite_at_the_start_is_divergence_and_no_dropout() {
    let place = Place::new();
    let rows = (0..20).map(|i| format!("{i}.5,1e30,{}\n", i % 2));
    place.file("d.csv", rows.collect::<String>());
    let done = place.run("run --backend cpu --model linear --steps 2 --dataset @/d.csv --out r");
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert!(!done.err.contains("dropout"), "{}", done.err);
}

#[test]
fn files_validate_and_test_and_never_train() {
    let place = Place::new();
    place.file("d.csv", table(0, 60)).file("v.csv", table(100, 20)).file("t.csv", table(200, 30));
    place.file("other.csv", table(300, 30)).file("bad.csv", "x1,x2,y\n1,2,maybe\n");
    let files = "--dataset @/d.csv --validation @/v.csv";
    let done = place.run_well(&format!("{RUN} {files} --test @/t.csv --out a"));
    assert!(done.err.starts_with("data: 60 rows, "), "{}", done.err);
    let manifest = json_file(place.made("a/manifest.json"));
    let numbers = |key: &str| {
        let mut numbers: Vec<u64> =
            manifest[key].as_array().unwrap().iter().map(|i| i.as_u64().unwrap()).collect();
        numbers.sort_unstable();
        numbers
    };
    assert_eq!(numbers("train_indices"), (0..60).collect::<Vec<_>>());
    assert_eq!(numbers("validation_indices"), (60..80).collect::<Vec<_>>());
    assert_eq!(numbers("test_indices"), (80..110).collect::<Vec<_>>());
    let summary = json_file(place.made("a/summary.json"));
    let (loss, accuracy) = (&summary["test_loss"], &summary["test_accuracy"]);
    assert!(loss.as_f64().unwrap() > 0.0 && (0.0..=1.0).contains(&accuracy.as_f64().unwrap()));

    // Another test changes no row; the same rows as a validation give the numbers of the test.
    place.run_well(&format!("{RUN} {files} --test @/other.csv --out b"));
    let rows = |run: &str| Table::of(place.made(run)).untimed().rows;
    assert_eq!(rows("a"), rows("b"));
    assert_ne!(json_file(place.made("b/summary.json"))["test_loss"], *loss);
    let longer = RUN.replace("--steps 3", "--steps 4");
    place.run_well(&format!("{longer} --dataset @/d.csv --validation @/t.csv --out c"));
    let last = Table::of(place.made("c"));
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-6 * b.abs(), "{a} beside {b}");
    close(loss.as_f64().unwrap(), last.number(3, "val_loss"));
    close(accuracy.as_f64().unwrap(), last.number(3, "val_accuracy"));

    // Resuming tests anew, of the same files.
    let shorter = RUN.replace("--steps 3", "--steps 2");
    place.run_well(&format!("{shorter} {files} --test @/t.csv --out d"));
    place.run_well("run --resume d --steps 3");
    assert_eq!(json_file(place.made("d/summary.json"))["test_loss"], *loss);
    std::fs::write(place.files.path().join("t.csv"), table(201, 30)).unwrap();
    let line = place.run("run --resume d --steps 4").refusal().unwrap();
    assert!(line.contains("dataset has changed"), "{line}");

    for (flags, parts) in [
        ("--validation @/bad.csv", ["bad.csv", "no class 'maybe'"]),
        ("--test @/none.csv", ["none.csv", "cannot be read"]),
        ("--validation @/v.csv --validation-size 21", ["--validation-size = 21", "20 samples"]),
        ("--test 1.5", ["--test", "share above 0"]),
        ("--test 0.99 --train-size 5", ["--train-size = 5", "has 1 samples"]),
    ] {
        let done = place.run(&format!("{RUN} --dataset @/d.csv --out new {flags}"));
        let line = done.refusal().unwrap();
        assert!(parts.iter().all(|part| line.contains(part)), "{line}");
        assert!(!place.made("new").exists());
    }
}

#[test]
fn a_share_is_kept_for_a_test() {
    let place = Place::new();
    place.run_well("run --backend cpu --model linear --train-size 50 --validation-size 9 --test 0.1 --steps 1 --out r");
    let manifest = json_file(place.made("r/manifest.json"));
    let of = |key: &str| manifest[key].as_array().unwrap().clone();
    let (train, validation, test) =
        (of("train_indices"), of("validation_indices"), of("test_indices"));
    assert_eq!([train.len(), validation.len(), test.len()], [50, 9, 180]);
    assert!(test.iter().all(|i| !train.contains(i) && !validation.contains(i)));
    assert_eq!(manifest["config"]["test"], 0.1);
    place.file("t.txt", "to be or not to be, that is the question\n".repeat(20));
    place.file(
        "m.json",
        r#"{"kind": "transformer", "layers": 1, "heads": 1, "width": 4, "context": 8}"#,
    );
    place.file("v.txt", "whether 'tis nobler in the mind\n".repeat(3));
    place.run_well(
        "run --backend cpu --model @/m.json --dataset @/t.txt --validation @/v.txt --test 0.2 --steps 1 \
         --train-size 20 --out t",
    );
    let manifest = json_file(place.made("t/manifest.json"));
    let windows = (20 * 41 - 1) / 8;
    let test = (0.2 * windows as f64).round() as usize;
    assert_eq!(manifest["test_indices"].as_array().unwrap().len(), test);
    assert_eq!(manifest["validation_indices"][0], windows + 1, "the one between is no window");
    assert_eq!(manifest["config"]["loss"], "ce");
    assert!(json_file(place.made("t/summary.json"))["test_loss"].as_f64().unwrap() > 0.0);
}

#[test]
fn more_than_can_be_meant_is_refused_at_once() {
    all_flags_refused(
        "run",
        &[
            ("--probes 1000000000", &["--probes = 1000000000", "at most 1000"]),
            ("--iterations 18446744073709551615", &["--iterations", "at most 1000"]),
            ("--sigma 1e308", &["--sigma = 1e308", "1e-30 to 1e30"]),
            ("--sigma 1e-308", &["--sigma = 1e-308", "1e-30 to 1e30"]),
            ("--top 1000000000", &["--top", "at most 1000"]),
            ("--max-iterations 1000000000000", &["--max-iterations", "at most 1000000"]),
            ("--batch-size 9 --sharpness-batches 1000000000", &["--sharpness-batches", "at most"]),
            ("--dataset moons --points 1000000000000", &["--points", "2 to 1000000"]),
        ],
    );
    let many = vec!["1"; 1_000_000].join(",");
    let (hidden, layers) = (
        format!(r#"{{"kind": "mlp", "hidden": [{many}]}}"#),
        r#"{"kind": "transformer", "layers": 1000000000000000000}"#,
    );
    let (context, wide) = (
        r#"{"kind": "transformer", "context": 1000000000000000000}"#,
        r#"{"kind": "cnn", "channels": [9000000000000000000]}"#,
    );
    let model = "run --out new --backend cpu --model @/m.json";
    let rates = format!("compare --out new --lr {} --beta1 {}", number_list(200), number_list(200));
    all([
        refused(&[("m.json", &hidden)], model, &["1000000 layers", "1000 layers"]),
        refused(&[("m.json", layers)], &format!("{model} --dataset shakespeare"), &["layers"]),
        refused(&[("m.json", context)], &format!("{model} --dataset shakespeare"), &["context"]),
        refused(&[("m.json", wide)], model, &["model.channels", "parameters"]),
        refused(
            &[],
            &format!("{rates} --optimizers adam"),
            &["40000 combinations", "at most 10000"],
        ),
        refused(&[], "compare --out new --jobs 1000000000000", &["--jobs", "at most"]),
        refused(&[], "compare --out new --seeds 1000000000000", &["--seeds", "at most"]),
    ]);
}

/// So many different numbers below 1.
fn number_list(count: usize) -> String {
    (1..=count).map(|i| format!("0.{i:04}")).collect::<Vec<_>>().join(",")
}

#[test]
#[cfg(unix)]
fn devices_are_no_files() {
    let place = Place::new();
    for words in [
        "run --out new --dataset /dev/zero",
        "run --out new --config /dev/zero",
        "run --out new --model /dev/zero",
        "run --out new --init /dev/urandom",
        "run --out new --dataset /dev/null",
    ] {
        let line = place.run(words).refusal().unwrap();
        assert!(line.contains("a device and no file"), "{line}");
    }
    // As large as a file may be said to be, and empty.
    let sparse = std::fs::File::create(place.files.path().join("d.csv")).unwrap();
    sparse.set_len(1 << 43).unwrap();
    let line = place.run("run --out new --dataset @/d.csv").refusal().unwrap();
    assert!(line.contains("d.csv") && line.contains("4096 MiB"), "{line}");
    assert!(!place.made("new").exists());
}
