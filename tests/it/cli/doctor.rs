//! The checklist, on runs of which each answer is known.

use super::*;

/// Findings by check: verdict and number.
fn findings(place: &Place, run: &str) -> BTreeMap<String, (String, Option<f64>)> {
    let found: Value = serde_json::from_str(&place.run_well(&format!("doctor {run} --json")).out)
        .expect("an array of findings");
    let finding = |finding: &Value| {
        let text = |key: &str| finding[key].as_str().unwrap().to_string();
        assert!(!text("text").is_empty());
        (text("check"), (text("verdict"), finding["number"].as_f64()))
    };
    found.as_array().unwrap().iter().map(finding).collect()
}

fn expect(
    findings: &BTreeMap<String, (String, Option<f64>)>,
    check: &str,
    verdict: &str,
    number: Option<f64>,
) {
    let (found, value) = &findings[check];
    assert_eq!(found, verdict, "{check}: {findings:#?}");
    if number.is_some() {
        assert_eq!(*value, number, "{check}");
    }
}

#[test]
fn a_sound_run_passes() {
    let place = Place::new();
    place.run_well(
        "run --backend cpu --train-size 100 --validation-size 60 --lr 0.1 --steps 30 --out r",
    );
    let found = findings(&place, "r");
    for (check, number) in [
        ("ending", Some(30.0)),
        ("batch", Some(100.0)),
        ("objective", Some(0.0)),
        ("metrics", Some(1.0)),
        ("data", Some(DIGITS as f64)),
        ("validation", Some(0.0)),
        ("norms", Some(1.0)),
        ("update_size", None),
        ("raw_curves", Some(30.0)),
        ("eigenvalues", None),
        ("threshold", Some(30.0)),
        ("realized_edge", Some(0.0)),
        ("precision", Some(0.0)),
        ("checkpoint", Some(30.0)),
        ("double_precision", None),
    ] {
        expect(&found, check, "pass", number);
    }
    expect(&found, "seeds", "not_known", Some(1.0));
    expect(&found, "tuning", "not_known", None);
    assert_eq!(found.len(), 17);
    // Single precision rounds, and by little.
    let difference = found["double_precision"].1.unwrap();
    assert!(difference > 1e-9 && difference < 1e-5, "{difference:e}");
    let told = place.run_well("doctor r").out;
    assert!(told.contains("15 pass, 0 warn, 2 not known"), "{told}");
    // It reads, and writes nothing.
    let before = place.snapshot();
    place.run_well("doctor r");
    assert_eq!(place.snapshot(), before);
}

#[test]
fn what_is_wrong_with_a_run_is_said() {
    let place = Place::new();
    let table = (0..12).map(|i| format!("{i},{},{}\n", i % 5, i % 2)).collect::<String>();
    // A sample twice; half of the data validate.
    place.file("d.csv", format!("a,b,class\n{table}0,0,0\n"));
    let flags = "--backend cpu --model linear --dataset @/d.csv --train-size 6 --steps 12";
    place.run_well(&format!(
        "run {flags} --validation-size 7 --batch-size 2 --sharpness-batches 0 --lr 1e-9 \
         --weight-decay 0.01 --max-iterations 1 --out r"
    ));
    let r = place.made("r");
    for name in names_in(r.join("checkpoints")) {
        if name.ends_with(".json") {
            std::fs::remove_file(r.join("checkpoints").join(name)).unwrap();
        }
    }
    let found = findings(&place, "r");
    expect(&found, "batch", "warn", Some(2.0));
    expect(&found, "checkpoint", "warn", Some(12.0));
    expect(&found, "update_size", "warn", None);
    expect(&found, "eigenvalues", "warn", None);
    let norm: f64 = Table::of(&r).number(11, "param_norm");
    let penalty = found["objective"].1.unwrap();
    assert!((penalty / (0.005 * norm * norm) - 1.0).abs() < 1e-12);
    let manifest = json_file(r.join("manifest.json"));
    let held = indices(&manifest, "validation_indices");
    let expected = if held.contains(&0) != held.contains(&12) { 1.0 } else { 0.0 };
    let verdict = if expected > 0.0 { "warn" } else { "pass" };
    expect(&found, "validation", verdict, Some(expected));

    place.run_well(&format!("run {flags} --lr 0.01 --validation-size 0 --out unvalidated"));
    let found = findings(&place, "unvalidated");
    expect(&found, "metrics", "warn", Some(0.0));
    expect(&found, "validation", "not_known", None);
    // The data change under the run.
    place.file("d.csv", format!("a,b,class\n{}", table.replace("3,3,1", "3,4,1")));
    expect(&findings(&place, "unvalidated"), "data", "warn", None);
}

#[test]
fn a_run_that_diverged_or_was_killed_is_told_from_one_that_ended() {
    let place = Place::new();
    let done = place.run(
        "run --backend cpu --model deep-linear --train-size 50 --lr 50 --steps 40 --out diverged",
    );
    assert_eq!(done.code, Some(3));
    expect(&findings(&place, "diverged"), "ending", "warn", None);
    place.run_well(&small("--out killed"));
    let path = place.made("killed").join("manifest.json");
    let manifest = with(&json_file(&path), &json!({"exit_code": null, "finished": null}));
    std::fs::write(&path, manifest.to_string()).unwrap();
    std::fs::remove_file(place.made("killed").join("summary.json")).unwrap();
    expect(&findings(&place, "killed"), "ending", "warn", Some(3.0));
    // Without a manifest there are still the rows.
    std::fs::remove_file(&path).unwrap();
    let found = findings(&place, "killed");
    expect(&found, "batch", "not_known", None);
    expect(&found, "double_precision", "not_known", None);
    expect(&found, "eigenvalues", "pass", None);
}

#[test]
fn an_end_that_is_none_and_a_table_that_was_cut_are_noticed() {
    let place = Place::new();
    place.run_well(&small("--steps 9 --checkpoint-every 4 --out r"));
    let path = place.made("r").join("steps.csv");
    let table = read(&path);
    let row = |n: usize| table.match_indices('\n').nth(n).unwrap().0 + 1;
    std::fs::write(&path, &table[..row(6)]).unwrap();
    let found = findings(&place, "r");
    expect(&found, "ending", "warn", Some(6.0));
    // The last one is of a row that is not there.
    expect(&found, "checkpoint", "warn", Some(4.0));
    expect(&found, "raw_curves", "pass", Some(6.0));
    std::fs::write(&path, format!("{}{}", &table[..row(0)], &table[row(2)..])).unwrap();
    let found = findings(&place, "r");
    expect(&found, "raw_curves", "warn", None);
    std::fs::write(&path, &table[..row(0)]).unwrap();
    expect(&findings(&place, "r"), "raw_curves", "not_known", None);
    // Without weights to train again from, the other checks are made all the same.
    std::fs::write(&path, &table).unwrap();
    std::fs::remove_file(place.made("r").join("init.safetensors")).unwrap();
    std::fs::remove_dir_all(place.made("r").join("checkpoints")).unwrap();
    let found = findings(&place, "r");
    expect(&found, "double_precision", "not_known", None);
    expect(&found, "ending", "pass", Some(9.0));
}

#[test]
fn decay_is_in_the_objective_or_beside_it() {
    let place = Place::new();
    for (optimizer, part) in [("adamw", "shrink"), ("adam", "is not in it")] {
        place.run_well(&small(&format!(
            "--optimizer {optimizer} --weight-decay 0.01 --force --out r"
        )));
        let told = place.run_well("doctor r").out;
        let line = told.lines().find(|line| line.contains("objective")).unwrap();
        assert!(line.contains(part), "{line}");
        let penalty = findings(&place, "r")["objective"].1.unwrap();
        assert_eq!(penalty == 0.0, optimizer == "adamw");
    }
}

#[test]
fn what_needs_the_data_is_not_known_where_they_are_gone() {
    let place = Place::new();
    place.file("d.csv", "a,b,class\n1,2,0\n2,1,1\n3,5,0\n4,4,1\n0,1,0\n");
    place.run_well(
        "run --backend cpu --model linear --dataset @/d.csv --train-size 3 --steps 2 --lr 0.01 \
         --out r",
    );
    std::fs::remove_file(place.files.path().join("d.csv")).unwrap();
    let found = findings(&place, "r");
    expect(&found, "batch", "pass", Some(3.0));
    for check in ["data", "validation", "double_precision"] {
        expect(&found, check, "not_known", None);
    }
    assert!(place.run_well("doctor r").out.contains("d.csv"));
}

#[test]
fn the_seeds_of_a_comparison_are_counted() {
    let place = Place::new();
    let flags = "--backend cpu --model linear --train-size 50 --steps 2 --lr 0.1,0.2";
    place.run_well(&format!("compare {flags} --seeds 3 --out three"));
    place.run_well(&format!("compare {flags} --seeds 2 --out two"));
    for (name, verdict, seeds) in [("three", "pass", 3.0), ("two", "warn", 2.0)] {
        let setting = names_in(place.made(name))
            .into_iter()
            .find(|entry| place.made(name).join(entry).is_dir())
            .unwrap();
        let found = findings(&place, &format!("{name}/{setting}/seed-1"));
        expect(&found, "seeds", verdict, Some(seeds));
    }
}

/// The step that events suspect is reached again by training, from a checkpoint where there is one.
#[test]
fn suspicious_steps_are_repeated_where_they_happened() {
    let place = Place::new();
    let flags = "--train-size 150 --validation-size 20 --lr 0.1 --schedule step --decay-factor 4 \
                 --decay-every 30 --steps 55 --every 2 --eval-every 1";
    for more in [
        "",
        "--checkpoint-every 10",
        "--batch-size 50",
        "--on-warning halve-lr",
        "--on-warning lower-lr",
    ] {
        place.run_well(&format!("run --backend cpu --force --out r {flags} {more}"));
        let told = place.run_well("doctor r").out;
        let line = told.lines().find(|line| line.contains("double precision")).unwrap();
        assert!(line.starts_with("pass"), "{line}");
        assert!(!line.contains("not what was recorded"), "{line}");
        let spike = events(place.made("r")).into_iter().find(|e| e["kind"] == "loss_spike");
        if more != "--batch-size 50" && !more.contains("--on-warning") {
            let start = spike.expect("a spike")["start"].as_u64().unwrap();
            assert!(line.contains(&format!("step {start} (a spike begins)")), "{line}");
        }
    }
    // Another path than the recorded one is not passed off as the same.
    let path = place.made("r").join("steps.csv");
    let table = Table::of(place.made("r"));
    let rows = table.rows.len();
    let cut: Vec<String> = read(&path)
        .lines()
        .enumerate()
        .map(|(index, line)| match index {
            0 => line.to_string(),
            index => {
                let loss = table.cell(index - 1, "train_loss");
                if loss.is_empty() { line.to_string() } else { line.replacen(loss, "0.5", 1) }
            }
        })
        .collect();
    assert_eq!(cut.len(), rows + 1);
    std::fs::write(&path, cut.join("\n") + "\n").unwrap();
    let found = findings(&place, "r");
    expect(&found, "double_precision", "not_known", None);
}

#[test]
fn what_is_no_run_is_refused() {
    let place = Place::new();
    let refused = place.run("doctor nowhere");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("steps.csv"), "{}", refused.err);
    place.run_well(&small("--out r"));
    std::fs::write(place.made("r").join("events.jsonl"), "{\"step\": 1}\n").unwrap();
    let refused = place.run("doctor r");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("events.jsonl:1"), "{}", refused.err);
}
