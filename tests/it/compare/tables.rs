//! `compare.csv`, `summary.csv` and the figures, recomputed from the run directories.

use super::*;
use crate::support::{png_size, svg_texts};

const SETTING_COLUMNS: [&str; 17] = [
    "setting",
    "optimizer",
    "base",
    "base_lr",
    "momentum",
    "beta1",
    "beta2",
    "beta3",
    "alpha",
    "nu",
    "refresh",
    "eps",
    "rho",
    "weight_decay",
    "batch_size",
    "schedule",
    "warmup",
];

/// Metrics of `summary.csv` that are a number of `summary.json`, under that name.
const PLAIN: [&str; 11] = [
    "final_sharpness",
    "peak_sharpness",
    "final_preconditioned_sharpness",
    "peak_preconditioned_sharpness",
    "first_step_at_edge",
    "share_at_edge",
    "final_train_loss",
    "final_val_loss",
    "final_train_accuracy",
    "final_val_accuracy",
    "hvps",
];

/// Every metric, from a run's summary.
fn metrics(summary: &Value) -> Vec<(String, Option<f64>)> {
    let value = |key: &str| summary[key].as_f64();
    let difference = |a, b| Some(value(a)? - value(b)?);
    let plain = PLAIN.iter().map(|key| (key.to_string(), value(key)));
    let derived = [
        ("loss_gap", difference("final_val_loss", "final_train_loss")),
        ("accuracy_gap", difference("final_train_accuracy", "final_val_accuracy")),
        ("seconds", value("total_seconds")),
        ("final_realized_ratio", value("final_realized_ratio")),
        ("share_realized_above", value("share_realized_above")),
        ("ascents", value("share_realized_above").and(value("ascents"))),
    ];
    plain.chain(derived.map(|(key, value)| (key.to_string(), value))).collect()
}

/// Checks a setting's cells against the configuration of one of its runs.
fn check_setting(row: &BTreeMap<String, String>, label: &str, config: &Value) {
    assert_eq!(row["setting"], label);
    for column in &SETTING_COLUMNS[1..] {
        let (cell, key) = (&row[*column], if *column == "base_lr" { "lr" } else { column });
        match &config[key] {
            Value::Null => assert_eq!(cell, "", "{column}"),
            Value::String(text) => assert_eq!(cell, text, "{column}"),
            number => assert_eq!(cell.parse::<f64>().ok(), number.as_f64(), "{column}"),
        }
    }
}

/// Checks both tables of a comparison against its run directories. Members that are neither
/// completed nor diverged have no rows.
pub fn check_tables(comparison: &Path) {
    let manifest = manifest(comparison);
    let long = Table::read(comparison.join("compare.csv"));
    let names: Vec<&str> = long.header.split(',').collect();
    assert_eq!(names.len(), long.rows.first().map_or(names.len(), BTreeMap::len), "repeated names");
    assert_eq!(names[..19], [&SETTING_COLUMNS[..], &["seed", "status"]].concat());

    let mut rows = long.rows.iter();
    for member in manifest["members"].as_array().unwrap() {
        let status = member["status"].as_str().unwrap();
        if !["completed", "diverged"].contains(&status) {
            continue;
        }
        let run = comparison.join(member["folder"].as_str().unwrap());
        let config = &json_file(run.join("manifest.json"))["config"];
        for step in Table::of(&run).rows {
            let row = rows.next().expect("a row is missing");
            check_setting(row, member["setting"].as_str().unwrap(), config);
            assert_eq!(
                (&row["seed"], row["status"].as_str()),
                (&member["seed"].to_string(), status)
            );
            assert!(step.keys().all(|name| names.contains(&name.as_str())));
            for name in &names[19..] {
                assert_eq!(&row[*name], step.get(*name).map_or("", String::as_str), "{name}");
            }
        }
    }
    assert_eq!(rows.next(), None, "a row too many");
    check_summary(comparison, &manifest);
}

const STATUSES: [&str; 4] = ["completed", "diverged", "failed", "unfinished"];

fn check_summary(comparison: &Path, manifest: &Value) {
    let table = Table::read(comparison.join("summary.csv"));
    let labels = listed(manifest, "settings", "label");
    assert_eq!(table.rows.len(), labels.len());
    for (number, label) in labels.into_iter().enumerate() {
        let all = manifest["members"].as_array().unwrap();
        let members: Vec<&Value> = all.iter().filter(|m| m["setting"] == label).collect();
        for status in STATUSES {
            let count = members.iter().filter(|member| member["status"] == status).count();
            assert_eq!(table.number(number, status), count as f64, "{status} of {label}");
        }
        let completed = members.iter().filter(|member| member["status"] == "completed");
        let runs: Vec<_> =
            completed.map(|member| comparison.join(member["folder"].as_str().unwrap())).collect();
        if let Some(run) = runs.first() {
            let config = &json_file(run.join("manifest.json"))["config"];
            check_setting(&table.rows[number], label, config);
        }
        let summaries: Vec<_> =
            runs.iter().map(|run| metrics(&json_file(run.join("summary.json")))).collect();
        let names = metrics(&Value::Null).into_iter().map(|(name, _)| name);
        for (index, name) in names.enumerate() {
            let values: Vec<f64> = summaries.iter().filter_map(|all| all[index].1).collect();
            check_metric(&table, number, &name, &values);
        }
    }
}

fn check_metric(table: &Table, row: usize, name: &str, values: &[f64]) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0);
    assert_eq!(table.number(row, &format!("{name}_n")), n, "{name}");
    // Sums of a few numbers, rounded in another order.
    let allowed = 1e-12 * values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    for (what, least, expected) in [("mean", 1.0, mean), ("sd", 2.0, square.sqrt())] {
        let column = format!("{name}_{what}");
        if n < least {
            assert_eq!(table.cell(row, &column), "", "{column}");
        } else {
            let written = table.number(row, &column);
            assert!((written - expected).abs() <= allowed, "{column}: {written}, not {expected}");
        }
    }
}

#[test]
fn the_tables_hold_every_step_and_the_means_over_seeds() {
    let place = Place::new();
    place.run_well(&small(
        "--optimizer sgd,sam,adam --batch-size full,10 --sharpness-batches 2 --seeds 3 --steps 5 \
         --perturbed-sharpness --every 2 --eval-every 3 --top 2 --out c",
    ));
    let comparison = place.made("c");
    check_tables(&comparison);
    let long = Table::read(comparison.join("compare.csv"));
    assert_eq!(long.rows.len(), 3 * 2 * 3 * 5);
    // Some runs have these columns, others have not.
    for name in ["batch_sharpness_se", "perturbed_sharpness", "preconditioned_sharpness"] {
        assert!((1..long.rows.len()).contains(&long.column(name).len()), "{name}");
    }
    let summary = Table::read(comparison.join("summary.csv"));
    let metrics = metrics(&Value::Null).into_iter().map(|(name, _)| name);
    // As the file orders them: what is derived stands before what was spent.
    let mut order: Vec<String> = metrics.collect();
    let hvps = order.remove(PLAIN.len() - 1);
    order.insert(order.len() - 4, hvps);
    let columns = order.iter().flat_map(|name| ["mean", "sd", "n"].map(|w| format!("{name}_{w}")));
    let before = SETTING_COLUMNS.into_iter().chain(STATUSES).map(str::to_string);
    assert_eq!(summary.header, before.chain(columns).collect::<Vec<_>>().join(","));
    // Only adam has a preconditioner, and not all reach the edge.
    let n = |name: &str| (0..6).map(|row| summary.number(row, &format!("{name}_n"))).collect();
    let counts: Vec<f64> = n("final_preconditioned_sharpness");
    assert_eq!(counts, [0.0, 0.0, 0.0, 0.0, 3.0, 3.0]);
}

#[test]
fn one_seed_has_a_mean_and_no_deviation() {
    let place = Place::new();
    place.run_well(
        &small("--lr 0.1,0.2 --steps 1 --validation-size 0 --out c")
            .replace("--validation-size 40", ""),
    );
    let comparison = place.made("c");
    check_tables(&comparison);
    let summary = Table::read(comparison.join("summary.csv"));
    assert_eq!(summary.column("final_sharpness_mean").len(), 2);
    assert!(summary.column("final_sharpness_sd").is_empty());
    assert!(summary.column("final_val_loss_mean").is_empty());
}

#[test]
fn the_terminal_shows_each_setting_with_its_means() {
    let place = Place::new();
    let done = place.run_well(&small("--lr 0.1,0.2 --seeds 2 --out c"));
    let lines: Vec<&str> = done.out.lines().collect();
    assert_eq!(lines.len(), 4, "{}", done.out);
    let summary = Table::read(place.made("c/summary.csv"));
    for (row, label) in ["sgd η=0.1", "sgd η=0.2"].into_iter().enumerate() {
        let rest = lines[row + 1].strip_prefix(label).expect(&done.out);
        let rest = rest.trim().strip_prefix("2 of 2").expect(&done.out);
        let shown: Vec<f64> = rest.split_whitespace().map(|cell| cell.parse().unwrap()).collect();
        let columns = ["final_sharpness", "peak_sharpness", "share_at_edge", "final_train_loss"];
        let columns = columns.iter().chain(&["final_val_loss", "final_val_accuracy"]);
        for (shown, name) in shown.into_iter().zip(columns) {
            let mean = summary.number(row, &format!("{name}_mean"));
            assert!((shown - mean).abs() <= 1e-3 * mean.abs(), "{name}: {shown}, not {mean}");
        }
    }
    assert!(lines[3].starts_with("written") && lines[3].ends_with('c'), "{}", done.out);
    assert!(!done.err.contains(['\r', '\x1b']), "{:?}", done.err);
    for seed in 0..2 {
        assert!(done.err.contains(&format!("sgd η=0.2 seed {seed}: completed")), "{}", done.err);
    }
    let quiet = place.run_well(&small("--lr 0.1,0.2 --seeds 2 --quiet --out c"));
    assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
}

#[test]
fn figures_name_every_setting() {
    let place = Place::new();
    place.run_well(&small("--optimizer sgd,adam --lr 0.1,0.01 --seeds 2 --name a&b --out c"));
    let comparison = place.made("c");
    let labels = ["sgd η=0.1", "sgd η=0.01", "adam η=0.1", "adam η=0.01"];
    for name in FIGURES {
        let texts = svg_texts(&read(comparison.join(format!("{name}.svg"))));
        for label in labels {
            assert!(texts.iter().any(|text| text.contains(label)), "{label} in {name}: {texts:?}");
        }
        assert!(texts.iter().any(|text| text.contains("a&b")), "{name}: {texts:?}");
        let (width, height) = png_size(comparison.join(format!("{name}.png")));
        assert!(width >= 800 && height >= 600, "{name}: {width} x {height}");
    }
}
