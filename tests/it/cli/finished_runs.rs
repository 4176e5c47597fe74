//! What a run that ended has written: every file, every cell, and that they agree with each other.

use super::*;

#[test]
fn the_main_job_writes_every_file_and_a_manifest_with_every_default_resolved() {
    let place = Place::new();
    let done = place.run_well("run --backend cpu --steps 5 --out DIR");
    assert_eq!(names_in(place.cwd.path()), ["DIR"]);
    assert!(done.out.contains("DIR"), "the result does not say where it is: {}", done.out);
    let run = place.made("DIR");
    let (table, _, manifest) = check_end(&run, "completed", 0);
    assert_eq!(table.header, COLUMNS.join(","));
    assert_eq!(table.rows.len(), 5);

    let config = json!({
        "model": {"kind": "mlp", "hidden": [64, 64], "activation": "tanh", "bias": true,
                  "init": "pytorch"},
        "dataset": "digits", "loss": "mse", "train_size": 1000, "validation_size": 797,
        "standardize": false, "label_noise": 0.0, "optimizer": "sgd", "weight_decay": 0.0,
        "lr": 0.2, "schedule": "constant", "warmup": 0, "batch_size": "full", "steps": 5,
        "seed": 0, "eval_every": 1, "top": 1, "smallest": false, "every": 1,
        "tolerance": 1e-3, "max_iterations": 100, "solver": "davidson", "audit_every": 50,
        "hvp": "forward", "samples": 1000,
        "realized": "step", "perturbed_sharpness": false, "probes": 10, "iterations": 80, "backend": "cpu",
        "precision": "f32", "chunk": 250, "out": "DIR", "name": "mlp-digits-sgd", "force": false
    });
    assert_eq!(manifest["config"], with(&not_taken(), &config));
    assert_eq!(manifest["parameters"], 8970);
    assert_eq!(manifest["backend"], "cpu");
    assert_eq!(manifest["precision"], "f32");
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(manifest["dataset_sha256"], DIGITS_SHA256);
    assert!(!manifest["adapter"].as_str().unwrap().is_empty());
    assert_eq!(manifest["error"], Value::Null);

    let (train, validation) =
        (indices(&manifest, "train_indices"), indices(&manifest, "validation_indices"));
    assert_eq!((train.len(), validation.len()), (1000, 797));
    assert!(train.is_disjoint(&validation));
    assert!(train.union(&validation).all(|&i| i < DIGITS as u64));

    let shapes = [("0.weight", vec![64, 64]), ("0.bias", vec![64]), ("1.weight", vec![64, 64])];
    let ends = [("1.bias", vec![64]), ("2.weight", vec![10, 64]), ("2.bias", vec![10])];
    let norm = check_weights(&run, safetensors::Dtype::F32, shapes.into_iter().chain(ends));
    // Sums of the same squares, taken in another order.
    let param_norm = table.number(0, "param_norm");
    assert!((norm - param_norm).abs() <= 8970.0 * f64::EPSILON * param_norm);

    let title = "mlp-digits-sgd: 1000 samples, sgd full batch, lr 0.2, seed 0";
    assert!(svg_texts(&read(run.join("sharpness.svg"))).contains(&title.to_string()));
}

/// Checks names, shapes and type of the initial weights, and returns their norm.
fn check_weights(
    run: &Path,
    dtype: safetensors::Dtype,
    shapes: impl IntoIterator<Item = (&'static str, Vec<usize>)>,
) -> f64 {
    let bytes = std::fs::read(run.join("init.safetensors")).unwrap();
    let weights = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut squares = 0.0;
    let mut found = BTreeMap::new();
    for (name, tensor) in weights.tensors() {
        assert_eq!(tensor.dtype(), dtype, "{name}");
        let data = tensor.data();
        let values: Vec<f64> = match dtype {
            safetensors::Dtype::F64 => {
                data.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
            }
            _ => data
                .chunks(4)
                .map(|b| f64::from(f32::from_le_bytes(b.try_into().unwrap())))
                .collect(),
        };
        assert_eq!(values.len(), tensor.shape().iter().product::<usize>(), "{name}");
        squares += values.iter().map(|x| x * x).sum::<f64>();
        found.insert(name, tensor.shape().to_vec());
    }
    let expected = shapes.into_iter().map(|(name, shape)| (format!("layers.{name}"), shape));
    assert_eq!(found, expected.collect());
    squares.sqrt()
}

#[test]
fn weights_of_unequal_layers_lie_as_out_by_in() {
    let place = Place::new();
    place.file("m.json", r#"{"kind": "mlp", "hidden": [5, 3], "bias": false}"#);
    place.run_well(
        "run --backend cpu --precision f64 --model @/m.json --train-size 50 --steps 2 --out r",
    );
    let shapes = [("0.weight", vec![5, 64]), ("1.weight", vec![3, 5]), ("2.weight", vec![10, 3])];
    let norm = check_weights(&place.made("r"), safetensors::Dtype::F64, shapes);
    let (table, _, manifest) = check_end(place.made("r"), "completed", 0);
    assert_eq!(manifest["parameters"], 5 * 64 + 3 * 5 + 10 * 3);
    assert_eq!(manifest["config"]["model"]["bias"], false);
    let param_norm = table.number(0, "param_norm");
    assert!((norm - param_norm).abs() <= 365.0 * f64::EPSILON * param_norm);
}

#[test]
fn every_cell_reads_back_as_written_and_rows_agree_with_themselves_and_the_summary() {
    let place = Place::new();
    place.run_well("run --backend cpu --steps 6 --train-size 200 --top 3 --lr 0.7 --out r");
    let (table, summary, _) = check_end(place.made("r"), "completed", 0);
    let three = |name: &str| format!("{name}_1,{name}_2,{name}_3");
    let mut last = COLUMNS[2].to_string();
    for name in ["gradient_component", "step_component"] {
        last = last.replace(&format!("{name}_1"), &three(name));
    }
    let columns = [COLUMNS[0], &three("lambda"), &last];
    assert_eq!(table.header, columns.join(","));
    for row in 0..6 {
        check_cells(&table, row);
        check_identities(&table, row);
    }
    check_summary(&table, &summary);
    // 2 / 0.7 is below the sharpness at the start, which is near 7.
    assert_eq!(summary["first_step_at_edge"], 0);
    assert_eq!(summary["events"]["edge_entered"], 1);
    let events = events(place.made("r"));
    assert_eq!((&events[0]["step"], &events[0]["kind"]), (&json!(0), &json!("edge_entered")));
    assert_eq!(events[0]["edge_ratio"], table.number(0, "edge_ratio"));
}

fn check_cells(table: &Table, row: usize) {
    let empty = ["preconditioned_sharpness", "batch_sharpness", "lambda_min"];
    for (name, cell) in &table.rows[row] {
        match name.as_str() {
            name if empty.contains(&name) => assert_eq!(cell, "", "{name}"),
            "step" | "hvps" => {
                assert_eq!(cell.parse::<usize>().unwrap().to_string(), *cell, "{name}")
            }
            "converged" => assert_eq!(cell, "true"),
            "step_is_ascent" => assert_eq!(cell, "false"),
            "phase" => assert!(
                ["sharpening", "edge", "unstable", "stable", "flat"].contains(&&cell[..]),
                "{cell}"
            ),
            name if TIMES.contains(&name) => {
                assert_eq!(format!("{:.3}", table.number(row, name)), *cell, "{name}")
            }
            name => assert_eq!(format!("{:?}", table.number(row, name)), *cell, "{name}"),
        }
    }
}

fn check_identities(table: &Table, row: usize) {
    let value = |name: &str| table.number(row, name);
    // Both sides divide the same two numbers, so that they agree to the last bit if the cells
    // hold exactly what was computed with.
    assert_eq!(value("relative_update"), value("update_norm") / value("param_norm"));
    assert_eq!(value("edge_ratio"), value("sharpness") / value("threshold"));
    assert_eq!(value("lr"), 0.7);
    assert_eq!(value("threshold"), 2.0 / value("lr"));
    assert_eq!(value("lambda_1"), value("sharpness"));
    assert!(value("lambda_1") >= value("lambda_2") && value("lambda_2") >= value("lambda_3"));
    assert!(value("residual") <= 1e-3);
    assert!((0.0..=1.0 + 1e-12).contains(&value("gradient_alignment")));
    assert!(value("hvps") >= 3.0, "three eigenvalues need three products");
    // The update is lr times the gradient, rounded to f32 where it lands.
    let rounding = f64::from(f32::EPSILON) * (value("param_norm") + value("update_norm"));
    assert!((value("update_norm") - 0.7 * value("grad_norm")).abs() <= rounding);
    for share in ["train_accuracy", "val_accuracy"] {
        assert!((0.0..=1.0).contains(&value(share)), "{share}");
    }
}

fn check_summary(table: &Table, summary: &Value) {
    let finals = ["train_loss", "train_accuracy", "val_loss", "val_accuracy", "sharpness"];
    for name in finals.iter().chain(&["threshold", "edge_ratio"]) {
        let last = *table.column(name).last().unwrap();
        assert_eq!(summary[format!("final_{name}")], last, "{name}");
    }
    let least = table.column("train_loss").into_iter().fold(f64::INFINITY, f64::min);
    assert_eq!(summary["min_train_loss"], least);
    let sharpness = table.column("sharpness");
    assert_eq!(summary["initial_sharpness"], sharpness[0]);
    let peak = sharpness.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(summary["peak_sharpness"], peak);
    let at = sharpness.iter().position(|&s| s == peak).unwrap();
    assert_eq!(summary["peak_sharpness_step"], at);
    assert_eq!(summary["max_residual"], table.column("residual").into_iter().fold(0.0, f64::max));
    assert_eq!(summary["curvature_rows"], sharpness.len());
    assert_eq!(summary["unconverged_rows"], 0);
    assert_eq!(summary["hvps"], table.column("hvps").iter().sum::<f64>() as u64);
    for (total, column) in [("training_seconds", "step_ms"), ("curvature_seconds", "curvature_ms")]
    {
        // Cells are rounded to a microsecond.
        let seconds = table.column(column).iter().sum::<f64>() / 1e3;
        let allowed = 1e-6 * table.rows.len() as f64;
        assert!((summary[total].as_f64().unwrap() - seconds).abs() <= allowed, "{total}");
    }
}

#[test]
fn cells_are_empty_where_nothing_was_measured() {
    let place = Place::new();
    place.run_well(
        "run --backend cpu --model linear --train-size 100 --steps 7 --batch-size 30 --top 2 \
         --smallest --every 3 --eval-every 2 --out r",
    );
    let (table, summary, _) = check_end(place.made("r"), "completed", 0);
    let curvature = "sharpness edge_ratio residual converged lambda_1 lambda_2 lambda_min \
                     gradient_alignment curvature_ms batch_sharpness batch_sharpness_se";
    let evaluation = "train_loss train_accuracy val_loss val_accuracy grad_norm";
    let always = "lr update_norm param_norm relative_update threshold hvps step_ms";
    for row in 0..7 {
        let measures = row % 3 == 0;
        let groups = [(curvature, measures), (evaluation, measures || row % 2 == 0)];
        for (names, expected) in groups.into_iter().chain([(always, true)]) {
            for name in names.split_whitespace() {
                assert_eq!(!table.cell(row, name).is_empty(), expected, "{name} in row {row}");
            }
        }
        assert_eq!(table.number(row, "hvps") > 0.0, measures);
        if measures {
            // The Hessian of a linear model under mse is positive semidefinite, and single
            // precision knows its least eigenvalue up to rounding of the largest.
            let largest = table.number(row, "lambda_1");
            assert!(largest >= table.number(row, "lambda_2"));
            assert!(table.number(row, "lambda_min").abs() <= 1e-3 * largest);
        }
    }
    assert_eq!(summary["curvature_rows"], 3);
}

#[test]
fn sizes_that_are_asked_for_are_the_sizes_that_are_used() {
    let place = Place::new();
    place.run_well(&small("--samples 40 --validation-size 30 --chunk 7 --out a"));
    place.run_well(&small("--validation-size 0 --out b"));
    let (_, _, manifest) = check_end(place.made("a"), "completed", 0);
    let train = indices(&manifest, "train_indices");
    let curvature = indices(&manifest, "curvature_indices");
    assert_eq!((train.len(), curvature.len()), (100, 40));
    assert!(curvature.is_subset(&train));
    assert_eq!(indices(&manifest, "validation_indices").len(), 30);
    let sizes = ["train_size", "validation_size", "samples", "chunk"];
    assert_eq!(sizes.map(|key| manifest["config"][key].as_u64()), [100, 30, 40, 7].map(Some));

    let (table, summary, manifest) = check_end(place.made("b"), "completed", 0);
    assert!(indices(&manifest, "validation_indices").is_empty());
    assert_eq!(manifest["config"]["validation_size"], 0);
    assert_eq!(summary["final_val_loss"], Value::Null);
    assert!(table.rows.iter().all(|row| row["val_loss"].is_empty()));
}

#[test]
fn double_precision_meets_a_tolerance_that_single_precision_cannot() {
    let place = Place::new();
    place.run_well(&small("--out single"));
    place.run_well(&small("--precision f64 --tolerance 1e-10 --out double"));
    let (single, _, _) = check_end(place.made("single"), "completed", 0);
    let (double, _, manifest) = check_end(place.made("double"), "completed", 0);
    assert_eq!(manifest["precision"], "f64");
    for row in 0..3 {
        assert!(double.number(row, "residual") <= 1e-10);
        // An eigenvalue is no farther from a Ritz value than its residual.
        let (one, two) = (single.number(row, "sharpness"), double.number(row, "sharpness"));
        assert!((one - two).abs() <= (1e-3 + 1e-5) * two, "{one} and {two}");
    }
}

#[test]
fn the_figure_shows_a_name_with_special_characters() {
    let place = Place::new();
    let mut program = place.program();
    program.args(place.arguments(&small(""))).args(["--out", "r", "--name", "a<b> & \"c\" 'd'"]);
    assert_eq!(Done::of(&mut program).code, Some(0));
    let title = "a<b> & \"c\" 'd': 100 samples, sgd full batch, lr 0.2, seed 0";
    assert!(svg_texts(&read(place.made("r/sharpness.svg"))).contains(&title.to_string()));
}
