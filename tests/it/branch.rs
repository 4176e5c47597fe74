//! Branches of runs: nothing changed is the run itself, and what is changed is all that differs.

use std::path::Path;

use serde_json::json;

use crate::support::{Place, Table, json_file, names_in, read};

/// Every kind of state that a checkpoint holds.
const KINDS: [&str; 4] = [
    "--chunk 100 --samples 40",
    "--optimizer adam --batch-size 32 --sharpness-batches 2",
    "--optimizer sam --base momentum --lr 0.05 --weight-decay 0.001",
    "--optimizer nesterov --batch-size 30 --every 3 --precision f64 --schedule cosine",
];

fn command(flags: &str) -> String {
    format!(
        "run --backend cpu --model linear --train-size 100 --validation-size 300 --solver lanczos \
         --steps 24 --checkpoint-every 6 {flags}"
    )
}

fn table(place: &Place, run: &str) -> Table {
    Table::of(place.made(run)).untimed()
}

#[test]
fn a_branch_with_nothing_changed_is_the_run_byte_for_byte() {
    let place = Place::new();
    for (i, flags) in KINDS.iter().enumerate() {
        let [run, twin] = ["run", "twin"].map(|name| format!("{name}{i}"));
        place.run_well(&format!("{} --out {run}", command(flags)));
        place.run_well(&format!("branch {run}@12 -- --out {twin}"));
        let (whole, branch) = (table(&place, &run), table(&place, &twin));
        assert_eq!(whole.rows, branch.rows, "{flags}");
        let [whole, branch] = [&run, &twin].map(|name| place.made(name));
        assert_eq!(read(whole.join("events.jsonl")), read(branch.join("events.jsonl")), "{flags}");
        let file = |run: &Path, name: &str| std::fs::read(run.join(name)).unwrap();
        assert_eq!(file(&whole, "init.safetensors"), file(&branch, "init.safetensors"));
        let late = |name: &String| !name.starts_with("step-0.") && !name.starts_with("step-6.");
        for name in names_in(whole.join("checkpoints")).into_iter().filter(late) {
            let name = format!("checkpoints/{name}");
            assert!(file(&whole, &name) == file(&branch, &name), "{flags}: {name}");
        }
        let parent = &json_file(branch.join("manifest.json"))["parent"];
        assert_eq!(parent["changes"], json!({}), "{flags}");
        assert_eq!((&parent["step"], &parent["quadratic"]), (&json!(12), &json!(false)));
        assert!(parent["run"].as_str().unwrap().ends_with(&run));
        assert!(branch.join("branch.svg").is_file() && branch.join("branch.png").is_file());
    }
    // A branch can be branched and gone on with.
    place.run_well("branch twin1@18 -- --out again");
    assert_eq!(table(&place, "again").rows, table(&place, "run1").rows);
    place.run_well("run --resume again --steps 30");
    assert_eq!(json_file(place.made("again/manifest.json"))["parent"]["step"], 18);
}

#[test]
fn what_is_changed_changes_the_steps_from_there_on_and_stands_in_the_manifest() {
    let place = Place::new();
    place.run_well(&format!("{} --out run", command("--optimizer momentum --batch-size 20")));
    let whole = table(&place, "run");
    for (i, (flags, key)) in [
        ("--lr 0.01", "lr"),
        ("--order-seed 9", "order_seed"),
        ("--momentum 0.5", "momentum"),
        ("--optimizer adam --lr 0.01", "optimizer"),
        ("--batch-size 50", "batch_size"),
        ("--batch-size full", "batch_size"),
        ("--schedule cosine", "schedule"),
        ("--precision f64", "precision"),
    ]
    .into_iter()
    .enumerate()
    {
        let out = format!("branch{i}");
        place.run_well(&format!("branch run@12 -- {flags} --out {out}"));
        let branch = table(&place, &out);
        let losses = |table: &Table| table.column("train_loss");
        let (before, after) = (losses(&whole), losses(&branch));
        assert_eq!(before[..12], after[..12], "{flags}");
        assert_ne!(before[14..], after[14..], "{flags}");
        let changes = &json_file(place.made(&out).join("manifest.json"))["parent"]["changes"];
        assert!(changes.get(key).is_some(), "{flags}: {changes}");
    }
}

/// The quadratic model of a linear network under squared loss is the network.
#[test]
fn on_the_quadratic_model_a_linear_network_takes_the_same_steps() {
    let place = Place::new();
    let flags = "--precision f64 --loss mse --batch-size 20 --sharpness-batches 2";
    place.run_well(&format!("{} --out run", command(flags)));
    place.run_well("branch run@12 --quadratic -- --out model");
    let (whole, model) = (table(&place, "run"), table(&place, "model"));
    for name in ["train_loss", "val_loss", "sharpness", "param_norm", "batch_sharpness"] {
        for (a, b) in whole.column(name).iter().zip(model.column(name)) {
            assert!((a - b).abs() < 1e-9 * a.abs(), "{name}: {a} and {b}");
        }
    }
    let accuracy = |row: usize| model.cell(row, "train_accuracy").to_string();
    assert!(!accuracy(11).is_empty() && accuracy(12).is_empty());
    // A deep one is another function, whose curvature moves; its model's does not.
    place.file("m.json", r#"{"kind": "mlp", "hidden": [5], "activation": "tanh"}"#);
    let deep = command("--precision f64 --lr 0.1").replace("--model linear", "--model @/m.json");
    place.run_well(&format!("{deep} --out deep"));
    place.run_well("branch deep@12 --quadratic -- --out deep-model");
    let spread = |run: &str| {
        let sharpness = table(&place, run).column("sharpness")[12..].to_vec();
        let of = |f: fn(f64, f64) -> f64| sharpness.iter().copied().reduce(f).unwrap();
        (of(f64::max) - of(f64::min)) / of(f64::max)
    };
    assert!(spread("deep") > 1e-3 && spread("deep-model") < 1e-3);
    // What reads the branch sees the model too.
    place.run_well("run --resume deep-model --steps 30");
    assert!(spread("deep-model") < 1e-3);
}

#[test]
fn what_a_branch_cannot_change_is_refused() {
    let place = Place::new();
    place.run_well(&format!("{} --out run", command("")));
    for (words, part) in [
        ("run@12 -- --seed 3", "--order-seed"),
        ("run@12 -- --model mlp", "model"),
        ("run@12 -- --train-size 50", "--train-size"),
        ("run@12 -- --order-seed 3", "full-batch"),
        ("run@13 -- --lr 0.1", "0, 6, 12"),
        ("run@24 -- --lr 0.1", "--steps"),
        ("run@12 -- --lrr 1", "--lrr"),
        ("nothing@3", "manifest.json"),
        ("run@12 -- --out run", "exists already"),
    ] {
        let done = place.run(&format!("branch {words}"));
        assert_eq!(done.code, Some(2), "{words}: {}", done.err);
        assert!(done.err.contains(part), "{words}: {}", done.err);
        assert_eq!(done.err.lines().count(), 1, "{words}: {}", done.err);
    }
}

#[test]
fn copies_from_later_steps_end_nearer_to_each_other() {
    let place = Place::new();
    place.file("m.json", r#"{"kind": "mlp", "hidden": [6], "activation": "tanh"}"#);
    let run = "run --backend cpu --dataset moons --points 80 --model @/m.json --lr 0.3 \
               --batch-size 10 --sharpness-batches 0 --every 10 --steps 80 --checkpoint-every 20";
    place.run_well(&format!("{run} --out run"));
    place.run_well("landscape instability run --at 0,60 --orders 3 --points 5 --out found");
    let table = Table::read(place.made("found/instability.csv"));
    assert_eq!((table.number(0, "step"), table.number(1, "step")), (0.0, 60.0));
    assert_eq!(table.column("pairs"), [3.0, 3.0]);
    assert!(table.number(1, "distance") < table.number(0, "distance"));
    assert!(table.number(0, "train_loss_barrier").is_finite());
    let result = json_file(place.made("found/instability.json"));
    assert!(result.get("onset").is_some() && result["landmarks"].get("edge_entered").is_some());
    assert!(place.made("found/instability.svg").is_file());
    // The full batch has no order.
    place.run_well(&format!(
        "{} --out full",
        run.replace("--batch-size 10 --sharpness-batches 0", "")
    ));
    place.run_well("landscape instability full --at 20 --perturb 0.01 --points 5 --out moved");
    for (words, part) in [
        ("full --at 20", "--perturb"),
        ("run --at 30", "0, 20, 40, 60"),
        ("run --at 80", "ended"),
        ("run --at 20 --orders 1", "--orders = 1"),
        ("run --at 20 --points 2", "--points = 2"),
        ("run --at 20 --perturb 0", "--perturb"),
    ] {
        let line =
            place.run(&format!("landscape instability {words} --out new")).refusal().unwrap();
        assert!(line.contains(part), "{words}: {line}");
        assert!(!place.made("new").exists());
    }
}
