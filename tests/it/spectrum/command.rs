//! `sharpscope spectrum`, and spectra written by `sharpscope run`: files, numbers and refusals.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Place, Table, json_file, names_in, png_size, read, svg_texts};

/// A run of 310 parameters with checkpoints at 0, 2, 4 and 6, to nearly full precision.
const RUN: &str = "run --backend cpu --precision f64 --model @/relu.json --train-size 60 \
                   --validation-size 0 --steps 6 --lr 0.1 --tolerance 1e-9 --max-iterations 400 \
                   --probes 4 --iterations 25 --out r";
const EVERY_SECOND: &str = "--checkpoint-every 2";

fn place() -> Place {
    let place = Place::new();
    place.file("relu.json", r#"{"kind": "mlp", "hidden": [4], "activation": "relu"}"#);
    place.file("tanh.json", r#"{"kind": "mlp", "hidden": [4], "activation": "tanh"}"#);
    place
}

/// A place with a run made with these flags too.
fn after(flags: &str) -> Place {
    let place = place();
    place.run_well(&format!("{RUN} {flags}"));
    place
}

/// Refused in one line that has these parts, and nothing is changed.
#[track_caller]
fn refused(place: &Place, words: &str, parts: &[&str]) {
    let before = place.snapshot();
    let line = place.run(words).refusal().unwrap_or_else(|wrong| panic!("{words}: {wrong}"));
    for part in parts {
        assert!(line.contains(part), "{words}: no '{part}' in {line}");
    }
    assert!(place.snapshot() == before, "{words}: something was written");
}

/// The table and the numbers of a spectrum, by its name in `spectra`.
fn spectrum(place: &Place, name: &str) -> (Table, Value) {
    let folder = place.made("r").join("spectra");
    let table = Table::read(folder.join(format!("{name}.csv")));
    (table, json_file(folder.join(format!("{name}.json"))))
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance * expected.abs(), "{found} for {expected}");
}

/// Checks a table by itself and against its numbers: the curve from the nodes, sums of weights, moments.
fn check(table: &Table, numbers: &Value) {
    assert_eq!(table.header, "eigenvalue,density,probe,weight");
    let is_curve = |row: usize| !table.cell(row, "density").is_empty();
    let points = (0..table.rows.len()).take_while(|&row| is_curve(row)).count();
    let mut curve = Vec::new();
    for row in 0..points {
        assert_eq!((table.cell(row, "probe"), table.cell(row, "weight")), ("", ""));
        curve.push((table.number(row, "eigenvalue"), table.number(row, "density")));
    }
    let probes = number(&numbers["probes"]) as usize;
    let mut quadratures = vec![Vec::new(); probes];
    for row in points..table.rows.len() {
        assert!(!is_curve(row), "row {row}");
        let probe: usize = table.cell(row, "probe").parse().unwrap();
        quadratures[probe].push((table.number(row, "eigenvalue"), table.number(row, "weight")));
    }
    let longest = quadratures.iter().map(Vec::len).max();
    assert_eq!(numbers["iterations"], json!(longest));
    let (n, sigma) = (number(&numbers["dimension"]), number(&numbers["sigma"]));
    for nodes in &quadratures {
        close(nodes.iter().map(|(_, weight)| weight).sum(), 1.0, 1e-12);
        assert!(nodes.is_sorted_by(|a, b| a.0 <= b.0));
    }
    let mean = |f: &dyn Fn(f64) -> f64| -> f64 {
        let one = |nodes: &Vec<(f64, f64)>| -> f64 {
            nodes.iter().map(|(node, weight)| weight * f(*node)).sum()
        };
        quadratures.iter().map(one).sum::<f64>() / probes as f64
    };
    close(number(&numbers["quadrature_trace"]["value"]), n * mean(&|x| x), 1e-12);
    close(number(&numbers["frobenius"]["value"]), (n * mean(&|x| x * x)).sqrt(), 1e-12);

    assert!(curve.is_sorted_by(|a, b| a.0 < b.0));
    let trapezium = |pair: &[(f64, f64)]| 0.5 * (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1);
    let integral: f64 = curve.windows(2).map(trapezium).sum();
    close(integral, 1.0, 1e-6);
    let height = 1.0 / (sigma * (2.0 * std::f64::consts::PI).sqrt());
    for (at, density) in curve.iter().step_by(37) {
        let expected = mean(&|x| height * (-0.5 * ((at - x) / sigma).powi(2)).exp());
        assert!((density - expected).abs() < 1e-10 * height, "{density} at {at} for {expected}");
    }
}

/// Each checkpoint against the row that describes the same parameters.
#[test]
fn checkpoints_have_the_sharpness_that_their_rows_say() {
    let place = after(EVERY_SECOND);
    let steps = Table::of(place.made("r"));
    for step in [0, 2, 4] {
        let done = place.run_well(&format!("spectrum r --step {step}"));
        assert!(done.out.contains(&format!("step {step} of a matrix of 310 rows")), "{}", done.out);
        let (table, numbers) = spectrum(&place, &format!("step-{step}"));
        check(&table, &numbers);
        assert_eq!(numbers["step"], step);
        close(number(&numbers["ends"]["largest"][0]), steps.number(step, "sharpness"), 1e-8);
    }
}

#[test]
fn the_last_checkpoint_is_measured_and_every_number_written() {
    let place = after(EVERY_SECOND);
    let done = place.run_well("spectrum r");
    let folder = place.made("r").join("spectra");
    assert_eq!(names_in(&folder), ["step-6.csv", "step-6.json", "step-6.png", "step-6.svg"]);
    png_size(folder.join("step-6.png"));
    let texts = svg_texts(&read(folder.join("step-6.svg")));
    assert!(texts.iter().any(|text| text.contains("step 6")), "{texts:?}");
    for word in
        ["largest", "smallest", "threshold", "trace", "effective rank", "negative", "step-6"]
    {
        assert!(done.out.contains(word), "no '{word}' in {}", done.out);
    }
    assert!(done.err.is_empty(), "{}", done.err);

    let (table, numbers) = spectrum(&place, "step-6");
    check(&table, &numbers);
    let text = |key: &str| numbers[key].clone();
    assert_eq!(text("step"), 6);
    assert_eq!((text("matrix"), text("preconditioned")), (json!("hessian"), json!(false)));
    assert_eq!((text("group"), text("dimension")), (Value::Null, json!(310)));
    assert_eq!((text("probes"), text("iterations")), (json!(4), json!(25)), "those of the run");
    assert_eq!((text("layers"), text("flatness")), (json!([]), Value::Null));
    assert_eq!(text("rescaled"), Value::Null);
    close(number(&numbers["threshold"]), 20.0, 1e-12);
    assert_eq!(numbers["ends"]["converged"], true);
    assert_eq!(numbers["ends"]["largest"].as_array().unwrap().len(), 1);
    assert!(number(&numbers["ends"]["residual"]) <= 1e-9);
    assert!(number(&numbers["ends"]["smallest"]) < 0.0);
    let trace = &numbers["trace"];
    let apart = number(&trace["value"]) - number(&numbers["quadrature_trace"]["value"]);
    let errors = number(&trace["standard_error"])
        .hypot(number(&numbers["quadrature_trace"]["standard_error"]));
    assert!(apart.abs() < 6.0 * errors, "{trace} and {}", numbers["quadrature_trace"]);
    let masses = &numbers["masses"];
    let shares = ["negative", "zero", "positive"].map(|key| number(&masses[key]["value"]));
    close(shares.iter().sum(), 1.0, 1e-12);
    close(number(&masses["near_zero"]), 1e-3 * number(&numbers["ends"]["largest"][0]), 1e-9);
    let products = number(&numbers["products"]);
    assert!(products > number(&trace["products"]) + 100.0, "{products}");
    assert!(number(&numbers["effective_rank"]["value"]) > 1.0);
}

#[test]
fn flags_win_over_the_runs_settings() {
    let place = after("");
    place.run_well("spectrum r --probes 3 --iterations 12 --sigma 0.25 --top 3");
    let (table, numbers) = spectrum(&place, "step-6");
    check(&table, &numbers);
    assert_eq!((&numbers["probes"], &numbers["iterations"]), (&json!(3), &json!(12)));
    assert_eq!(numbers["sigma"], 0.25);
    let largest: Vec<f64> =
        numbers["ends"]["largest"].as_array().unwrap().iter().map(number).collect();
    assert!(largest.len() == 3 && largest.is_sorted_by(|a, b| a > b), "{largest:?}");
}

#[test]
fn a_spectrum_that_is_there_is_kept_without_force() {
    let place = after(EVERY_SECOND);
    place.run_well("spectrum r --step 2");
    refused(&place, "spectrum r --step 2 --probes 2", &["step-2.csv", "--force"]);
    // Another matrix has a name of its own.
    place.run_well("spectrum r --step 2 --matrix gauss-newton");
    refused(&place, "spectrum r --step 2 --matrix gauss-newton", &["step-2-gauss-newton.csv"]);
    place.run_well("spectrum r --step 2 --probes 2 --force");
    assert_eq!(spectrum(&place, "step-2").1["probes"], 2);
}

#[test]
fn a_step_without_checkpoint_is_refused_with_those_that_there_are() {
    let place = after(EVERY_SECOND);
    refused(&place, "spectrum r --step 5", &["--step", "5", "give one of 0, 2, 4, 6,"]);
    // The start and the end are always there.
    let place = after("");
    refused(&place, "spectrum r --step 2", &["give one of 0, 6,", "--checkpoint-every"]);
    place.run_well("spectrum r --step 0");
    let (_, numbers) = spectrum(&place, "step-0");
    let steps = Table::of(place.made("r"));
    close(number(&numbers["ends"]["largest"][0]), steps.number(0, "sharpness"), 1e-8);
}

#[test]
fn what_is_no_run_directory_is_refused() {
    let place = after("");
    refused(&place, "spectrum nowhere", &["nowhere", "manifest.json"]);
    refused(&place, "spectrum @", &["manifest.json"]);
    refused(&place, "spectrum r/checkpoints", &["manifest.json"]);
    for content in ["", "{", "[]", "{}", r#"{"config": {}}"#, r#"{"config": {"model": 3}}"#] {
        place.file("broken/manifest.json", content);
        refused(&place, "spectrum @/broken", &["manifest.json"]);
    }
    // Weights that are not the model's.
    let weights = std::fs::read(place.made("r/checkpoints/step-6.safetensors")).unwrap();
    std::fs::write(place.made("r/checkpoints/step-6.safetensors"), &weights[..100]).unwrap();
    refused(&place, "spectrum r", &["step-6.safetensors"]);
}

#[test]
fn wrong_flags_are_refused() {
    let place = after("");
    for (flags, parts) in [
        ("--probes 0", &["--probes"][..]),
        ("--iterations 0", &["--iterations"]),
        ("--top 0", &["--top"]),
        ("--sigma 0", &["--sigma"]),
        ("--sigma -1", &["--sigma"]),
        ("--sigma nan", &["--sigma"]),
        ("--matrix fischer", &["fischer", "did you mean 'fisher'", "gauss-newton"]),
        ("--parameters layers.2", &["layers.2", "layers.1.bias"]),
        ("--parameters layer", &["layer", "layers.0.weight"]),
        ("--backend gpu", &["gpu", "wgpu"]),
        ("--reparametrize 0", &["--reparametrize"]),
        ("--reparametrize -2", &["--reparametrize"]),
        ("--reparametrize nan", &["--reparametrize"]),
        ("--reparametrize inf", &["--reparametrize"]),
    ] {
        refused(&place, &format!("spectrum r {flags}"), parts);
    }
}

#[test]
fn layers_and_every_matrix_by_name() {
    let place = after("");
    let names = ["gauss-newton", "fisher", "sampled-fisher", "empirical-fisher", "residual"];
    let mut largest = Vec::new();
    for name in names {
        let done = place.run_well(&format!("spectrum r --matrix {name} --layers"));
        let (table, numbers) = spectrum(&place, &format!("step-6-{name}"));
        check(&table, &numbers);
        assert_eq!((&numbers["matrix"], &numbers["threshold"]), (&json!(name), &Value::Null));
        largest.push(number(&numbers["ends"]["largest"][0]));
        let layers = numbers["layers"].as_array().unwrap();
        let said: Vec<(&Value, &Value)> =
            layers.iter().map(|layer| (&layer["group"], &layer["parameters"])).collect();
        let (first, second) = ((json!("layers.0"), json!(260)), (json!("layers.1"), json!(50)));
        assert_eq!(said, [(&first.0, &first.1), (&second.0, &second.1)]);
        // A block's largest eigenvalue is none above the whole matrix's, and the traces add up.
        for layer in layers {
            assert!(number(&layer["lambda_max"]) <= largest[largest.len() - 1] * (1.0 + 1e-8));
            assert!(done.out.contains(layer["group"].as_str().unwrap()), "{}", done.out);
        }
        let parts = [&layers[0]["trace"], &layers[1]["trace"], &numbers["trace"]];
        let [a, b, all] = parts.map(|trace| number(&trace["value"]));
        let error: f64 = parts.iter().map(|t| number(&t["standard_error"]).powi(2)).sum();
        assert!(
            (a + b - all).abs() < 5.0 * error.sqrt() + 1e-9 * all.abs(),
            "{name}: {a} {b} {all}"
        );
    }
    // Squared error: the two are the same matrix.
    close(largest[0], largest[1], 1e-8);
    assert!((largest[3] / largest[0] - 1.0).abs() > 1e-3, "{largest:?}");
}

#[test]
fn a_layer_alone_has_a_file_of_its_own_and_no_threshold() {
    let place = after("");
    place.run_well("spectrum r --parameters layers.0");
    place.run_well("spectrum r --parameters layers.1.bias --matrix fisher");
    let (table, numbers) = spectrum(&place, "step-6-layers.0");
    check(&table, &numbers);
    assert_eq!((&numbers["group"], &numbers["dimension"]), (&json!("layers.0"), &json!(260)));
    assert_eq!(numbers["threshold"], Value::Null);
    let (_, numbers) = spectrum(&place, "step-6-fisher-layers.1.bias");
    // Squared error's own Hessian by what the biases are added to.
    assert_eq!(numbers["dimension"], 10);
    close(number(&numbers["ends"]["largest"][0]), 1.0, 1e-10);
    close(number(&numbers["trace"]["value"]), 10.0, 1e-10);
}

#[test]
fn flatness_and_what_rescaling_does_to_it() {
    let place = after("");
    let done = place.run_well("spectrum r --flatness");
    assert!(done.out.contains("relative flatness"), "{}", done.out);
    let (_, numbers) = spectrum(&place, "step-6");
    assert_eq!(numbers["rescaled"], Value::Null);
    let plain = numbers["flatness"].clone();
    let done = place.run_well("spectrum r --reparametrize 3 --force");
    assert!(done.out.contains("rescaled"), "{}", done.out);
    let (_, numbers) = spectrum(&place, "step-6");
    let (before, after) = (&numbers["flatness"], &numbers["rescaled"]);
    assert_eq!(*before, plain);
    let steps = [&before["lambda_max"], &numbers["ends"]["largest"][0]].map(number);
    close(steps[0], steps[1], 1e-8);
    let both = |key: &str| [number(&before[key]), number(&after[key])];
    for (key, tolerance) in [("loss", 1e-12), ("adaptive_rise", 1e-6)] {
        let [before, after] = both(key);
        close(after, before, tolerance);
    }
    let flat = [before, after].map(|flatness| number(&flatness["relative_flatness"]["value"]));
    close(flat[1], flat[0], 1e-9);
    for key in ["lambda_max", "epsilon_sharpness", "sam_rise"] {
        let [before, after] = both(key);
        assert!(before > 0.0 && (after / before - 1.0).abs() > 0.05, "{key}: {before}, {after}");
    }
}

#[test]
fn only_a_relu_perceptron_with_a_hidden_layer_is_rescaled() {
    let place = place();
    for model in ["@/tanh.json", "linear"] {
        let words = RUN.replace("@/relu.json", model);
        place.run_well(&format!("{words} --force"));
        refused(&place, "spectrum r --reparametrize 3", &["--reparametrize", "relu"]);
    }
}

/// The P of a checkpoint is that of the row with its number.
#[test]
fn the_preconditioned_spectrum_of_adam_has_the_rows_sharpness_and_threshold() {
    let place = after(&format!("{EVERY_SECOND} --optimizer adam"));
    let steps = Table::of(place.made("r"));
    for step in [0, 2, 4] {
        place.run_well(&format!("spectrum r --step {step} --preconditioned"));
        let (table, numbers) = spectrum(&place, &format!("step-{step}-preconditioned"));
        check(&table, &numbers);
        assert_eq!(numbers["preconditioned"], true);
        let row = ["preconditioned_sharpness", "threshold"].map(|name| steps.number(step, name));
        close(number(&numbers["ends"]["largest"][0]), row[0], 1e-7);
        close(number(&numbers["threshold"]), row[1], 1e-12);
    }
    // The threshold is not the plain Hessian's.
    place.run_well("spectrum r --step 2");
    let (_, numbers) = spectrum(&place, "step-2");
    assert_eq!((&numbers["preconditioned"], &numbers["threshold"]), (&json!(false), &Value::Null));
    close(number(&numbers["ends"]["largest"][0]), steps.number(2, "sharpness"), 1e-8);
}

/// The P of the last checkpoint too, which is that of the update that a longer run takes from there.
#[test]
fn the_preconditioned_spectrum_at_the_end_is_that_of_the_row_in_a_longer_run() {
    for flags in [
        "--optimizer adam",
        "--optimizer adam --weight-decay 0.2 --solver lanczos",
        "--optimizer adamw --weight-decay 0.2 --batch-size 20 --sharpness-batches 0",
        "--optimizer rmsprop",
        "--optimizer adagrad",
        "--optimizer sam --base adam --weight-decay 0.3",
        "--optimizer asam --base adam --weight-decay 0.3",
    ] {
        let place = place();
        let run = RUN.replace("--lr 0.1", "--lr 0.003");
        place.run_well(&format!("{run} {flags}"));
        let longer = run.replace("--steps 6", "--steps 7").replace("--out r", "--out longer");
        place.run_well(&format!("{longer} {flags}"));
        place.run_well("spectrum r --preconditioned");
        let (_, numbers) = spectrum(&place, "step-6-preconditioned");
        let row = Table::of(place.made("longer"));
        let found = number(&numbers["ends"]["largest"][0]);
        close(found, row.number(6, "preconditioned_sharpness"), 1e-7);
        match row.cell(6, "threshold") {
            "" => assert_eq!(numbers["threshold"], Value::Null, "{flags}"),
            _ => close(number(&numbers["threshold"]), row.number(6, "threshold"), 1e-12),
        }
    }
}

/// SAM's depends on the gradient there, which the command measures.
#[test]
fn the_threshold_of_sam_is_the_rows() {
    let place = after(&format!("{EVERY_SECOND} --optimizer sam"));
    let steps = Table::of(place.made("r"));
    place.run_well("spectrum r --step 4");
    let (_, numbers) = spectrum(&place, "step-4");
    close(number(&numbers["threshold"]), steps.number(4, "threshold"), 1e-9);
}

/// Nothing moves where the learning rate has fallen to zero, whatever the curvature.
#[test]
fn there_is_no_threshold_where_the_learning_rate_is_zero() {
    for flags in ["--schedule cosine", "--schedule linear --optimizer adam --lr 0.01"] {
        let place = place();
        let run = RUN.replace("--lr 0.1", if flags.contains("--lr") { "" } else { "--lr 0.1" });
        place.run_well(&format!("{run} {EVERY_SECOND} {flags}"));
        let (more, name) = match flags.contains("adam") {
            true => (" --preconditioned", "step-6-preconditioned"),
            false => ("", "step-6"),
        };
        let done = place.run_well(&format!("spectrum r{more}"));
        let said = "threshold       none: the learning rate there is 0.0\n";
        assert!(done.out.contains(said), "{}", done.out);
        assert!(!done.out.contains("inf"), "{}", done.out);
        let (_, numbers) = spectrum(&place, name);
        assert_eq!(numbers["threshold"], Value::Null);
        let svg = read(place.made("r").join(format!("spectra/{name}.svg")));
        assert!(!svg_texts(&svg).iter().any(|text| text.contains("/η")), "{flags}");
        // Two steps before, the rate is the schedule's.
        let steps = Table::of(place.made("r"));
        place.run_well(&format!("spectrum r --step 4{more}"));
        let (_, numbers) = spectrum(&place, &name.replace('6', "4"));
        close(number(&numbers["threshold"]), steps.number(4, "threshold"), 1e-12);
    }
}

/// A layer's line is the block that its name stands for, with everything below it: attention has its
/// output projection.
#[test]
fn each_layer_is_what_its_name_selects() {
    let place = Place::new();
    place.file(
        "t.json",
        r#"{"kind": "transformer", "layers": 2, "heads": 2, "width": 8, "context": 6}"#,
    );
    place.run_well(
        "run --backend cpu --precision f64 --dataset shakespeare --model @/t.json --train-size 6 \
         --validation-size 0 --steps 2 --tolerance 1e-9 --max-iterations 400 --probes 2 \
         --iterations 10 --out r",
    );
    place.run_well("spectrum r --layers");
    let layers = spectrum(&place, "step-2").1["layers"].as_array().unwrap().clone();
    let names: Vec<&str> = layers.iter().map(|layer| layer["group"].as_str().unwrap()).collect();
    let block = |n: usize| {
        ["self_attn", "linear1", "linear2", "norm1", "norm2"]
            .map(|part| format!("blocks.{n}.{part}"))
    };
    let mut expected = vec!["embedding".to_string(), "positions".to_string()];
    expected.extend(block(0).into_iter().chain(block(1)));
    expected.extend(["norm".to_string(), "head".to_string()]);
    assert_eq!(names, expected);
    let all: f64 = layers.iter().map(|layer| number(&layer["parameters"])).sum();
    assert_eq!(all, number(&spectrum(&place, "step-2").1["dimension"]));
    for name in ["blocks.0.self_attn", "blocks.1.linear1", "norm"] {
        let line = layers.iter().find(|layer| layer["group"] == name).unwrap();
        place.run_well(&format!("spectrum r --parameters {name}"));
        let (_, alone) = spectrum(&place, &format!("step-2-{name}"));
        assert_eq!(alone["dimension"], line["parameters"], "{name}");
        close(number(&alone["ends"]["largest"][0]), number(&line["lambda_max"]), 1e-9);
        assert_eq!(alone["trace"], line["trace"], "{name}");
    }
    // 8 by 8 weights four times, and as many biases.
    let attention = layers.iter().find(|layer| layer["group"] == "blocks.0.self_attn").unwrap();
    assert_eq!(attention["parameters"], 4 * 64 + 4 * 8);
}

/// Coupled weight decay: the threshold bounds H + lambda I.
#[test]
fn weight_decay_is_the_operator_of_the_threshold() {
    let place = after(&format!("{EVERY_SECOND} --weight-decay 0.5"));
    let steps = Table::of(place.made("r"));
    place.run_well("spectrum r --step 4 --preconditioned");
    place.run_well("spectrum r --step 4");
    let (_, shifted) = spectrum(&place, "step-4-preconditioned");
    let (_, plain) = spectrum(&place, "step-4");
    let [shifted_top, top] = [&shifted, &plain].map(|n| number(&n["ends"]["largest"][0]));
    close(shifted_top, steps.number(4, "preconditioned_sharpness"), 1e-8);
    close(shifted_top - top, 0.5, 1e-6);
    close(number(&shifted["threshold"]), 20.0, 1e-12);
    assert_eq!(plain["threshold"], Value::Null);
}

#[test]
fn a_preconditioner_that_is_not_there_is_said_so() {
    let place = after("");
    refused(&place, "spectrum r --preconditioned", &["--preconditioned", "sgd"]);
    place.run_well(&format!("{} --force --optimizer adam", RUN.replace("--lr 0.1", "--lr 0.003")));
    refused(&place, "spectrum r --step 0 --preconditioned", &["--preconditioned", "step 0"]);
    place.run_well("spectrum r --preconditioned");
}

/// In single precision, as runs are by default: the command finds the very nodes that the run found.
#[test]
fn a_run_writes_spectra_that_the_command_repeats_to_the_last_bit() {
    let place = place();
    place.run_well(
        "run --backend cpu --model @/tanh.json --train-size 60 --steps 7 --spectrum-every 3 \
         --checkpoint-every 3 --probes 3 --iterations 20 --out r",
    );
    let folder = place.made("r").join("spectra");
    let written: Vec<String> = names_in(&folder);
    for step in [0, 3, 6] {
        for kind in ["csv", "json", "svg", "png"] {
            let name = format!("step-{step}.{kind}");
            assert!(written.contains(&name), "no {name} in {written:?}");
        }
    }
    let tables = written.iter().filter(|name| name.ends_with(".csv")).count();
    assert_eq!(tables, 3, "{written:?}");
    assert!(written.contains(&"waterfall.svg".to_string()), "{written:?}");

    let steps = Table::of(place.made("r"));
    for step in [0, 3, 6] {
        let (table, numbers) = spectrum(&place, &format!("step-{step}"));
        check_single(&table, &numbers);
        // Both solve to a residual of 1e-3, of which the error is of second order.
        close(number(&numbers["ends"]["largest"][0]), steps.number(step, "sharpness"), 1e-4);
        close(number(&numbers["threshold"]), steps.number(step, "threshold"), 1e-12);
        let texts = svg_texts(&read(folder.join(format!("step-{step}.svg"))));
        assert!(texts.iter().any(|text| text.starts_with("2/η")), "{texts:?}");
        assert!(steps.number(step, "hvps") > number(&numbers["products"]), "step {step}");
        let path = folder.join(format!("step-{step}.csv"));
        let before = read(&path);
        place.run_well(&format!("spectrum r --step {step} --force"));
        assert!(read(&path) == before, "step {step} differs");
        let (_, again) = spectrum(&place, &format!("step-{step}"));
        assert_eq!(again["ends"], numbers["ends"]);
        assert_eq!(again["trace"], numbers["trace"]);
    }
    let plain = steps.number(1, "hvps");
    assert!(plain < 60.0, "a step without a spectrum takes {plain} products");
}

/// The same in single precision: nodes are in double precision whatever the products are in.
fn check_single(table: &Table, numbers: &Value) {
    check(table, numbers);
    assert_eq!(numbers["probes"], 3);
}

/// Curvature of a fixed subset is measured on the same subset again.
#[test]
fn a_subset_of_samples_is_the_runs_own() {
    let place = after(&format!("{EVERY_SECOND} --samples 25"));
    place.run_well("spectrum r --step 2");
    let (_, numbers) = spectrum(&place, "step-2");
    let steps = Table::of(place.made("r"));
    close(number(&numbers["ends"]["largest"][0]), steps.number(2, "sharpness"), 1e-8);
}

/// The run directory may be anywhere, and is named in what is printed.
#[test]
fn a_run_elsewhere_is_measured_there() {
    let place = place();
    place.run_well(&RUN.replace("--out r", "--out @/runs/mine"));
    let done = place.run_well("spectrum @/runs/mine");
    assert!(done.out.contains("runs/mine"), "{}", done.out);
    let written: &Path = &place.files.path().join("runs/mine/spectra/step-6.csv");
    assert!(written.is_file());
    assert!(names_in(place.cwd.path()).is_empty());
}
