//! The program on objectives: each command that takes a run.

use serde_json::Value;

use crate::support::{Place, read};

const FAST: &str = "--backend cpu --precision f64";

fn json(path: std::path::PathBuf) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

#[test]
fn every_objective_runs_and_says_what_it_was() {
    let place = Place::new();
    place.file("own.json", r#"{"kind": "expression", "variables": ["x", "y"], "formula": "x^2 + y^4", "half_width": 1}"#);
    for name in sharpscope::objective::NAMES {
        let objective = if *name == "expression" { "@/own.json" } else { name };
        place.run_well(&format!(
            "run {FAST} --objective {objective} --lr 0.01 --steps 3 --smallest --out {name}"
        ));
        let manifest = json(place.made(name).join("manifest.json"));
        let config = &manifest["config"];
        assert_eq!(config["objective"]["kind"], *name);
        for key in ["model", "dataset", "loss", "batch_size", "train_size", "samples", "chunk"] {
            assert_eq!(config.get(key), None, "{name}: {key}");
        }
        assert_eq!(manifest["train_indices"], serde_json::json!([]));
        assert_eq!(manifest["data"], Value::Null);
        assert_eq!(manifest["dataset_sha256"], "");
        let table = read(place.made(name).join("steps.csv"));
        let header: Vec<&str> = table.lines().next().unwrap().split(',').collect();
        let first: Vec<&str> = table.lines().nth(1).unwrap().split(',').collect();
        let cell = |column: &str| first[header.iter().position(|name| *name == column).unwrap()];
        for column in ["train_accuracy", "val_loss", "val_accuracy"] {
            assert_eq!(cell(column), "", "{name}: {column}");
        }
        for column in ["train_loss", "sharpness", "lambda_min", "threshold", "edge_ratio"] {
            assert!(cell(column).parse::<f64>().is_ok(), "{name}: {column} = {}", cell(column));
        }
    }
}

#[test]
fn every_optimizer_descends_an_objective() {
    let place = Place::new();
    for entry in sharpscope::optim::ENTRIES {
        let name = entry.name;
        place.run_well(&format!(
            "run {FAST} --objective matrix-factorization --optimizer {name} --lr 0.003 --steps 60 \
             --every 20 --out {name}"
        ));
        let summary = json(place.made(name).join("summary.json"));
        let [first, last] =
            ["initial_train_loss", "final_train_loss"].map(|key| summary[key].as_f64());
        let table = read(place.made(name).join("steps.csv"));
        let loss = |line: usize| {
            table.lines().nth(line).unwrap().split(',').nth(2).unwrap().parse::<f64>()
        };
        let first = first.or(loss(1).ok()).unwrap();
        assert!(last.unwrap() < first, "{name}: {first} to {last:?}");
    }
}

#[test]
fn a_saddle_is_told_of_and_left() {
    let place = Place::new();
    place.file("raised.json", r#"{"kind": "strict-saddle", "offset": 1}"#);
    place.run_well(&format!(
        "run {FAST} --objective @/raised.json --start 1e-4,1 --lr 0.1 --steps 200 --smallest --out run"
    ));
    let events = read(place.made("run/events.jsonl"));
    let kinds: Vec<String> = events
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["kind"].as_str().unwrap().to_string()
        })
        .collect();
    let place_of = |kind: &str| kinds.iter().position(|other| other == kind);
    let (saddle, minimum) = (place_of("saddle"), place_of("minimum_suspected"));
    assert!(saddle.is_some() && saddle < minimum, "{kinds:?}");
    // The same seed draws the same start, another another.
    let started = |seed: u64, out: &str| {
        place.run_well(&format!(
            "run {FAST} --objective strict-saddle --seed {seed} --steps 1 --out {out}"
        ));
        std::fs::read(place.made(out).join("init.safetensors")).unwrap()
    };
    let (a, b, c) = (started(5, "a"), started(5, "b"), started(6, "c"));
    assert!(a == b && a != c);
}

#[test]
fn commands_take_runs_of_objectives() {
    let place = Place::new();
    let out = |words: &str| place.run_well(words);
    out(&format!(
        "run {FAST} --objective two-basins --start 0.4,1 --lr 0.05 --steps 40 --checkpoint-every 10 --out a"
    ));
    out(&format!(
        "run {FAST} --objective two-basins --init a/init.safetensors --lr 0.05 --steps 20 --out b"
    ));
    out("run --resume b --steps 40");
    let losses = |run: &str| -> Vec<String> {
        read(place.made(run).join("steps.csv"))
            .lines()
            .map(|line| line.split(',').nth(2).unwrap().to_string())
            .collect()
    };
    assert_eq!(losses("a"), losses("b"));
    out(&format!("run {FAST} --objective two-basins --start -0.4,1 --lr 0.05 --steps 40 --out c"));
    out("branch a@20 -- --lr 0.1 --steps 40 --out d");
    let line = place.run("branch a@20 -- --start 1,1 --out e").refusal().unwrap();
    assert!(line.contains("--objective"), "{line}");
    for words in [
        "spectrum a@20",
        "spectrum a --layers --flatness --force",
        "events a",
        "doctor a --json",
        "report a b d --doctor --out page.html",
        "landscape interpolate a c --out line",
        "landscape slice a --which 1,2 --points 5 --out eigen",
        "landscape slice a --along trajectory --points 5 --out pca",
        "landscape slice a --along coordinates --points 5 --out own",
        "landscape average a --out average",
        "landscape connect a c --curve bezier --out curve",
        "compare --objective uv --optimizer sgd,adam --seeds 2 --steps 5 --backend cpu --out cmp",
    ] {
        out(words);
    }
    let doctor: Value = serde_json::from_str(&out("doctor a --json").out).unwrap();
    assert!(doctor.to_string().contains("an objective has no samples"), "{doctor}");
    // The path lies on the contours as it was taken.
    let points = read(place.made("own/points.csv"));
    let first: Vec<&str> = points.lines().nth(1).unwrap().split(',').collect();
    assert_eq!(first[2..4], ["0.4", "1.0"], "{points}");
    let line = place.run("landscape align a c --out x").refusal().unwrap();
    assert!(line.contains("hidden units"), "{line}");
    let line = place.run("landscape interpolate a cmp/sgd-lr0.1/seed-0 --out x");
    assert_eq!(line.code, Some(2), "{}", line.err);
}
