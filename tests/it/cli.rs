//! The command line as its user sees it: the program is run in folders of its own, and what it
//! prints, writes and returns is held against the documented names, columns and exit codes. Numbers
//! in its files are recomputed from other cells and other files.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{
    Done, NO_DRIVER, Place, TIMES, Table, json_file, names_in, png_size, read, svg_texts,
};

mod config_files;
mod doctor;
mod eigenvalues;
mod events;
mod list;
mod optimizers;
mod refusals;
mod resume;
mod solvers;
mod warnings;

/// What is in the folder of a run that ended, besides its checkpoints.
const FILES: [&str; 7] = [
    "events.jsonl",
    "init.safetensors",
    "manifest.json",
    "sharpness.png",
    "sharpness.svg",
    "steps.csv",
    "summary.json",
];

/// A run that takes a fraction of a second, of 3 steps unless the flags say otherwise.
fn small(flags: &str) -> String {
    let steps = if flags.contains("--steps") { "" } else { "--steps 3" };
    format!("run --backend cpu --model linear --train-size 100 {steps} {flags}")
}

/// The columns of `steps.csv`: before the eigenvalues, the first of them, and after them.
const COLUMNS: [&str; 3] = [
    "step,lr,train_loss,train_accuracy,val_loss,val_accuracy,grad_norm,update_norm,param_norm,\
     relative_update,sharpness,preconditioned_sharpness,batch_sharpness,threshold,edge_ratio,\
     residual,converged",
    "lambda_1",
    "lambda_min,gradient_alignment,hvps,phase,step_ms,curvature_ms",
];

/// What a run's configuration holds where it was not asked for, or where neither data, optimizer nor
/// schedule takes it.
fn not_taken() -> Value {
    json!({
        "spectrum_every": null, "sigma": null, "checkpoint_every": null, "audit_every": null,
        "on_warning": null, "resume": null, "init": null, "points": null, "degree": null, "classes": null, "noise": null,
        "label_noise": null, "target": null, "regression": null,
        "base": null, "momentum": null, "beta1": null, "beta2": null, "eps": null, "rho": null,
        "final_lr": null, "decay_factor": null, "decay_every": null, "sharpness_batches": null
    })
}

/// The object `base` with the keys of `over`.
fn with(base: &Value, over: &Value) -> Value {
    let mut merged = base.clone();
    for (key, value) in over.as_object().unwrap() {
        merged[key] = value.clone();
    }
    merged
}

/// SHA-256 of `datasets/digits.csv.gz`, by `sha256sum`.
const DIGITS_SHA256: &str = "09f66e6debdee2cd2b5ae59e0d6abbb73fc2b0e0185d2e1957e9ebb51e23aa22";
const DIGITS: usize = 1797;

fn indices(manifest: &Value, key: &str) -> BTreeSet<u64> {
    let list = manifest[key].as_array().unwrap();
    let set: BTreeSet<u64> = list.iter().map(|i| i.as_u64().unwrap()).collect();
    assert_eq!(set.len(), list.len(), "{key} repeats an index");
    set
}

fn events(run: impl AsRef<Path>) -> Vec<Value> {
    let text = read(run.as_ref().join("events.jsonl"));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Checks the files that every ended run has, and that they agree on how it ended.
fn check_end(run: impl AsRef<Path>, status: &str, code: u8) -> (Table, Value, Value) {
    let run = run.as_ref();
    let (table, summary) = (Table::of(run), json_file(run.join("summary.json")));
    let manifest = json_file(run.join("manifest.json"));
    assert_eq!(summary["status"], status);
    assert_eq!(summary["steps"], table.rows.len());
    assert_eq!(manifest["exit_code"], code);
    for (number, row) in table.rows.iter().enumerate() {
        assert_eq!(row["step"], number.to_string());
    }
    let mut names = names_in(run);
    // From where training diverged, there is nothing to go on with.
    if status != "diverged" {
        names.retain(|name| name != "checkpoints");
        let last = |ending: &str| format!("step-{}.{ending}", table.rows.len());
        let mut checkpoints = names_in(run.join("checkpoints"));
        // An optimizer's own files are there where it has any.
        let own = [last("preconditioner.safetensors"), last("optimizer.safetensors")];
        checkpoints.retain(|name| !own.contains(name));
        assert_eq!(checkpoints, [last("json"), last("safetensors")]);
    }
    assert_eq!(names, FILES);
    let time = |key: &str| -> jiff::Timestamp { manifest[key].as_str().unwrap().parse().unwrap() };
    assert!(time("started") <= time("finished"));
    check_pictures(run);
    (table, summary, manifest)
}

fn check_pictures(run: &Path) {
    assert_eq!(png_size(run.join("sharpness.png")), (1600, 1200));
    let texts = svg_texts(&read(run.join("sharpness.svg")));
    assert!(texts.iter().any(|text| text.contains("sharpness")), "{texts:?}");
}

mod finished_runs {
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
            "perturbed_sharpness": false, "probes": 10, "iterations": 80, "backend": "cpu",
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
        let shapes =
            [("0.weight", vec![5, 64]), ("1.weight", vec![3, 5]), ("2.weight", vec![10, 3])];
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
        let columns = [COLUMNS[0], "lambda_1,lambda_2,lambda_3", COLUMNS[2]];
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
        assert_eq!(
            summary["max_residual"],
            table.column("residual").into_iter().fold(0.0, f64::max)
        );
        assert_eq!(summary["curvature_rows"], sharpness.len());
        assert_eq!(summary["unconverged_rows"], 0);
        assert_eq!(summary["hvps"], table.column("hvps").iter().sum::<f64>() as u64);
        for (total, column) in
            [("training_seconds", "step_ms"), ("curvature_seconds", "curvature_ms")]
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
        program.args(place.arguments(&small(""))).args([
            "--out",
            "r",
            "--name",
            "a<b> & \"c\" 'd'",
        ]);
        assert_eq!(Done::of(&mut program).code, Some(0));
        let title = "a<b> & \"c\" 'd': 100 samples, sgd full batch, lr 0.2, seed 0";
        assert!(svg_texts(&read(place.made("r/sharpness.svg"))).contains(&title.to_string()));
    }
}

mod repetition {
    use super::*;

    fn table(
        place: &Place,
        flags: &str,
        threads: &str,
        out: &str,
    ) -> Vec<BTreeMap<String, String>> {
        let words = format!("run --backend cpu --steps 4 --train-size 600 {flags} --out {out}");
        let mut program = place.program();
        program.env("RAYON_NUM_THREADS", threads).args(place.arguments(&words));
        assert_eq!(Done::of(&mut program).code, Some(0), "{words}");
        Table::of(place.made(out)).untimed().rows
    }

    fn check_repeats(flags: &str) {
        let place = Place::new();
        let first = table(&place, flags, "2", "first");
        assert_eq!(first, table(&place, flags, "2", "again"), "{flags}");
        assert_eq!(first, table(&place, flags, "1", "alone"), "{flags} on one thread");
        let other = table(&place, &format!("{flags} --seed 1"), "2", "other");
        for (row, other) in first.iter().zip(&other) {
            for name in ["train_loss", "val_loss", "sharpness", "param_norm"] {
                assert_ne!(row[name], other[name], "{name} is the same for another seed");
            }
        }
    }

    #[test]
    fn a_full_batch_run_repeats_to_the_last_digit() {
        check_repeats("--top 2");
    }

    #[test]
    fn a_minibatch_run_repeats_to_the_last_digit() {
        check_repeats("--batch-size 250");
    }

    #[test]
    fn an_adam_run_repeats_to_the_last_digit() {
        check_repeats("--optimizer adam --lr 0.01 --warmup 2");
    }

    #[test]
    fn a_sam_run_repeats_to_the_last_digit() {
        check_repeats("--optimizer sam --perturbed-sharpness --batch-size 250");
    }

    #[test]
    fn a_double_precision_run_repeats_to_the_last_digit() {
        check_repeats("--model linear --precision f64");
    }
}

mod devices {
    use super::*;

    /// The program with this machine's graphics drivers, and a folder that Mesa's layers look for.
    fn seeing_drivers(place: &Place) -> assert_cmd::Command {
        let mut program = place.program();
        program.env("XDG_RUNTIME_DIR", place.files.path());
        for (key, _) in NO_DRIVER {
            program.env_remove(key);
        }
        program
    }

    fn listed(program: &mut assert_cmd::Command) -> Value {
        let done = Done::of(program.args(["devices", "--json"]));
        assert_eq!(done.code, Some(0), "{}", done.err);
        serde_json::from_str(&done.out).unwrap()
    }

    #[test]
    fn devices_lists_adapters_and_what_auto_takes() {
        let place = Place::new();
        let list = listed(&mut seeing_drivers(&place));
        let gpus = ["discrete_gpu", "integrated_gpu", "virtual_gpu"];
        let adapters = list["adapters"].as_array().unwrap();
        for adapter in adapters {
            assert!(!adapter["name"].as_str().unwrap().is_empty());
            assert!(!adapter["api"].as_str().unwrap().is_empty());
            assert!(adapter["max_buffer_bytes"].as_u64().unwrap() > 0);
        }
        let gpu = adapters.iter().find(|adapter| gpus.iter().any(|kind| adapter["kind"] == *kind));
        match gpu {
            Some(gpu) if list["auto"]["backend"] == "wgpu" => {
                assert_eq!(list["auto"]["adapter"], gpu["name"]);
            }
            _ => assert_eq!(list["auto"]["backend"], "cpu"),
        }
        let text = Done::of(seeing_drivers(&place).arg("devices"));
        assert_eq!(text.code, Some(0));
        for adapter in adapters {
            assert!(text.out.contains(adapter["name"].as_str().unwrap()), "{}", text.out);
        }
        let auto = format!("auto takes: {}", list["auto"]["backend"].as_str().unwrap());
        assert!(text.out.contains(&auto), "{}", text.out);
        assert!(names_in(place.cwd.path()).is_empty());
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn without_a_driver_the_list_is_empty_and_auto_takes_the_cpu() {
        let place = Place::new();
        let list = listed(&mut place.program());
        assert_eq!(list["adapters"], json!([]));
        assert_eq!(list["auto"]["backend"], "cpu");
        let done = place.run_well("devices");
        assert!(done.out.contains("no wgpu adapters"), "{}", done.out);
        assert_eq!(done.err, "");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn without_a_driver_auto_runs_on_the_cpu_and_says_so_and_wgpu_is_refused() {
        let place = Place::new();
        let done = place.run_well(&small("--out r").replace("cpu", "auto"));
        assert!(done.err.contains("running on the CPU"), "{}", done.err);
        let (_, _, manifest) = check_end(place.made("r"), "completed", 0);
        assert_eq!(manifest["backend"], "cpu");
        assert_eq!(manifest["config"]["backend"], "auto");

        for flags in ["--precision f32 --out new", "--precision f64 --out new"] {
            let line = place.run(&small(flags).replace("cpu", "wgpu")).refusal().unwrap();
            assert!(line.contains("--backend wgpu") && line.contains("--backend cpu"), "{line}");
        }
        assert_eq!(names_in(place.cwd.path()), ["r"]);
    }

    #[test]
    fn double_precision_on_a_gpu_is_refused() {
        let place = Place::new();
        let mut program = seeing_drivers(&place);
        program.args(place.arguments("run --backend wgpu --precision f64 --out new"));
        let line = Done::of(&mut program).refusal().unwrap();
        assert!(line.contains("--backend cpu"), "{line}");
        let none = listed(&mut seeing_drivers(&place))["adapters"] == json!([]);
        assert!(none || (line.contains("--precision f64") && line.contains("f32")), "{line}");
        assert!(names_in(place.cwd.path()).is_empty());
    }

    /// Mesa's layers complain on standard error where there is no desktop session.
    #[test]
    fn drivers_do_not_write_between_the_lines() {
        let place = Place::new();
        let mut program = seeing_drivers(&place);
        let words = small("--quiet").replace("cpu", "auto");
        program.env_remove("XDG_RUNTIME_DIR").args(place.arguments(&words));
        let done = Done::of(&mut program);
        assert_eq!((done.code, done.err.as_str()), (Some(0), ""));
    }
}

mod folders {
    use super::*;

    #[test]
    fn force_replaces_an_earlier_run_and_keeps_what_is_not_its_own() {
        let place = Place::new();
        place.run_well(&small("--out r"));
        std::fs::write(place.made("r/notes.txt"), "mine").unwrap();
        for left in ["checkpoints/step-0.safetensors", "spectra/step-0.csv"] {
            let path = place.made("r").join(left);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "old").unwrap();
        }
        // Without the edge, there is no event.
        place.run_well(&small("--steps 2 --lr 0.01 --force --out r"));
        assert_eq!(read(place.made("r/notes.txt")), "mine");
        std::fs::remove_file(place.made("r/notes.txt")).unwrap();
        let (table, summary, manifest) = check_end(place.made("r"), "completed", 0);
        assert_eq!(table.rows.len(), 2);
        assert_eq!(summary["first_step_at_edge"], Value::Null);
        assert_eq!(manifest["config"]["force"], true);
        assert!(events(place.made("r")).is_empty());
    }

    #[test]
    fn force_is_no_hindrance_where_nothing_is() {
        let place = Place::new();
        place.run_well(&small("--force --out new/below"));
        std::fs::create_dir(place.made("empty")).unwrap();
        place.run_well(&small("--force --out empty"));
        place.run_well(&small("--out new/beside"));
        for run in ["new/below", "empty", "new/beside"] {
            check_end(place.made(run), "completed", 0);
        }
    }

    /// Checks that a name is `<date>-<time>-linear-digits-sgd`, perhaps with a number behind it.
    fn check_default_name(name: &str) {
        let digits = |text: &str, n| text.len() == n && text.bytes().all(|b| b.is_ascii_digit());
        let parts: Vec<&str> = name.splitn(3, '-').collect();
        assert!(digits(parts[0], 8) && digits(parts[1], 6), "{name}");
        let number = parts[2].strip_prefix("linear-digits-sgd").unwrap();
        assert!(number.is_empty() || number.strip_prefix('-').unwrap().parse::<u8>().is_ok());
    }

    #[test]
    fn default_folders_have_time_and_name_and_do_not_collide() {
        let place = Place::new();
        let mut said = BTreeSet::new();
        for _ in 0..4 {
            let out = place.run_well(&small("")).out;
            let path = out.lines().find_map(|line| line.strip_prefix("written")).unwrap();
            said.insert(path.trim().to_string());
        }
        assert_eq!(names_in(place.cwd.path()), ["runs"]);
        let names = names_in(place.made("runs"));
        names.iter().for_each(|name| check_default_name(name));
        let found: BTreeSet<String> = names.iter().map(|name| format!("runs/{name}")).collect();
        assert_eq!((found.len(), found), (4, said));
        for name in names {
            let (_, _, manifest) = check_end(place.made("runs").join(&name), "completed", 0);
            assert_eq!(manifest["config"]["out"], format!("runs/{name}"));
        }
    }

    #[test]
    fn runs_that_start_at_once_take_different_folders() {
        let place = Place::new();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| place.run_well(&small("--validation-size 0 --steps 1")));
            }
        });
        let names = names_in(place.made("runs"));
        assert_eq!(names.len(), 8, "{names:?}");
    }

    #[test]
    fn a_csv_file_with_a_header_trains_whether_gzipped_or_not() {
        use sha2::Digest;

        let mut csv = "height,width,depth,class\n".to_string();
        for i in 0..30 {
            let (x, class) = (f64::from(i) / 30.0, i % 3);
            csv += &format!("{x},{},{},{class}\n", x * x - 0.5, f64::from(class) * 0.3);
        }
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), Default::default());
        gzip.write_all(csv.as_bytes()).unwrap();
        let gzip = gzip.finish().unwrap();
        let place = Place::new();
        place.file("points.csv", &csv).file("points.csv.gz", &gzip);
        let run = |name: &str, out: &str, bytes: &[u8]| {
            place.run_well(&format!(
                "run --backend cpu --model linear --steps 3 --dataset @/{name} --out {out}"
            ));
            let (table, _, manifest) = check_end(place.made(out), "completed", 0);
            assert_eq!(manifest["parameters"], 3 * 3 + 3);
            assert_eq!(manifest["config"]["name"], "linear-points-sgd");
            assert_eq!(manifest["config"]["train_size"], 24);
            let (train, validation) =
                (indices(&manifest, "train_indices"), indices(&manifest, "validation_indices"));
            let all: BTreeSet<u64> = train.union(&validation).copied().collect();
            assert_eq!((train.len(), validation.len(), all), (24, 6, (0..30).collect()));
            let digest = sha2::Sha256::digest(bytes);
            let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(manifest["dataset_sha256"], hex);
            table.untimed().rows
        };
        assert_eq!(run("points.csv", "plain", csv.as_bytes()), run("points.csv.gz", "zip", &gzip));
    }
}

mod early_ends {
    use super::*;

    #[test]
    fn divergence_keeps_every_row_and_says_so() {
        let place = Place::new();
        for model in ["linear", "mlp-relu"] {
            let done = place.run(&format!(
                "run --backend cpu --train-size 100 --steps 500 --lr 50 --every 50 --model {model} \
                 --out {model}"
            ));
            assert_eq!(done.code, Some(3), "{}", done.err);
            assert!(done.err.contains("diverged"), "{}", done.err);
            let (table, summary, _) = check_end(place.made(model), "diverged", 3);
            let last = table.rows.len() - 1;
            assert!((1..499).contains(&last));
            let events = events(place.made(model));
            let end = events.last().unwrap();
            assert_eq!(end["kind"], "divergence");
            assert_eq!(end["step"], last);
            assert_eq!(end["train_loss"], table.number(last, "train_loss"));
            assert_eq!(summary["events"]["divergence"], 1);
            let loss = table.number(last, "train_loss");
            assert!(loss > 1e6 * table.number(0, "train_loss"), "{loss} is no divergence");
            assert!(table.number(last - 1, "train_loss") <= 1e6 * table.number(0, "train_loss"));
            assert_eq!(table.cell(last, "update_norm"), "", "no update was taken from it");
        }
    }

    #[test]
    fn an_infinite_loss_ends_the_run_with_files_that_can_be_read() {
        let place = Place::new();
        let done = place.run(&small("--lr 1e30 --out r"));
        assert_eq!(done.code, Some(3), "{}", done.err);
        let (table, summary, _) = check_end(place.made("r"), "diverged", 3);
        let last = table.rows.len() - 1;
        assert!(!table.number(last, "train_loss").is_finite());
        assert_eq!(summary["final_train_loss"], Value::Null);
        assert_eq!(events(place.made("r")).last().unwrap()["train_loss"], Value::Null);
    }
}

mod messages {
    use super::*;

    #[test]
    fn help_and_version_are_no_errors_and_a_missing_command_is() {
        let place = Place::new();
        let version = place.run_well("--version");
        assert_eq!(version.out, format!("sharpscope {}\n", env!("CARGO_PKG_VERSION")));
        for words in ["--help", "run --help", "compare --help", "devices --help", "help run"] {
            let help = place.run_well(words);
            assert!(help.out.contains("Usage: sharpscope"), "{}", help.out);
            assert_eq!(help.err, "");
        }
        let helps = ["run --help", "compare --help"].map(|words| place.run_well(words).out);
        let manifest = {
            place.run_well(&small("--out r"));
            json_file(place.made("r/manifest.json"))
        };
        for key in manifest["config"].as_object().unwrap().keys() {
            let flag = format!("--{}", key.replace('_', "-"));
            assert!(helps.iter().all(|help| help.contains(&flag)), "{flag} is not in the help");
        }
        assert!(["--seeds", "--jobs"].iter().all(|flag| helps[1].contains(flag)));
        let none = place.run("");
        assert_eq!((none.code, none.out.as_str()), (Some(2), ""));
        for command in ["run", "compare", "devices"] {
            assert!(none.err.contains(command), "{}", none.err);
        }
    }

    #[test]
    fn quiet_prints_nothing_and_pipes_get_whole_lines() {
        let place = Place::new();
        let quiet = place.run_well(&small("--quiet --out a"));
        assert_eq!((quiet.out.as_str(), quiet.err.as_str()), ("", ""));
        let refused = place.run(&small("--quiet --out a"));
        assert!(refused.refusal().unwrap().contains("--force"));

        let lines = |flags: &str, out: &str| {
            let done = place.run_well(&small(&format!("{flags} --out {out}")));
            for text in [&done.out, &done.err] {
                assert!(!text.contains(['\r', '\x1b']), "{text:?}");
                assert!(text.ends_with('\n'), "{text:?}");
            }
            assert!(done.out.contains(&format!("written    {out}")), "{}", done.out);
            done.err.lines().count()
        };
        let normal = lines("", "b");
        assert!(normal >= 3, "the run, its first and its last step");
        assert!(lines("-v", "c") >= normal);
        // One more for each step.
        assert!(lines("-vv", "d") >= normal + 3);
    }
}

/// Runs that are ended from outside.
#[cfg(unix)]
mod signals {
    use super::*;
    use crate::support::running::Running;

    const WORDS: &str = "run --backend cpu --train-size 200 --steps 1000000 --out r";

    #[test]
    fn an_interrupted_run_ends_with_complete_files() {
        for name in ["INT", "TERM"] {
            let place = Place::new();
            let mut running = Running::start(&place, WORDS);
            let seen = running.wait_for_rows(&place.made("r/steps.csv"), 3);
            assert_eq!(running.signal(name).code(), Some(130), "{name}");
            let (table, _, _) = check_end(place.made("r"), "interrupted", 130);
            assert!((seen..1_000_000).contains(&table.rows.len()));
            let last = table.rows.len() - 1;
            assert!(table.number(last, "sharpness") > 0.0 && table.number(last, "step_ms") > 0.0);
        }
    }

    #[test]
    fn a_killed_run_keeps_its_rows_and_can_be_replaced() {
        let place = Place::new();
        let mut running = Running::start(&place, WORDS);
        let seen = running.wait_for_rows(&place.made("r/steps.csv"), 5);
        assert_eq!(running.signal("KILL").code(), None);
        let text = read(place.made("r/steps.csv"));
        let whole = &text[..=text.rfind('\n').unwrap()];
        let table = Table::parse(whole);
        assert!(table.rows.len() >= seen);
        assert!(table.number(table.rows.len() - 1, "sharpness") > 0.0);
        let manifest = json_file(place.made("r/manifest.json"));
        assert_eq!((&manifest["finished"], &manifest["exit_code"]), (&Value::Null, &Value::Null));
        assert!(manifest["started"].is_string());
        assert!(!place.made("r/summary.json").exists());
        place.run_well(&small("--force --out r"));
        check_end(place.made("r"), "completed", 0);
    }
}
