//! Whole training runs through the library, against numbers made by PyTorch and SciPy in double
//! precision (`scripts/pytorch/reference.py`) and against what the field knows of the edge of
//! stability.

use std::sync::atomic::AtomicBool;

use serde_json::Value;
use sharpscope::Result;
use sharpscope::config::{RunConfig, Settings};
use sharpscope::device::BackendChoice;
use sharpscope::experiment::prepare;
use sharpscope::profile::{History, Observer};
use sharpscope::record::{Event, EventKind, ExitStatus, StepRow, Summary};

#[derive(Default)]
struct Collector {
    rows: Vec<StepRow>,
    events: Vec<Event>,
}

impl Observer for Collector {
    fn row(&mut self, row: &StepRow) -> Result<()> {
        self.rows.push(row.clone());
        Ok(())
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        self.events.push(event.clone());
        Ok(())
    }
}

pub struct Trained {
    pub initial: Vec<f64>,
    pub rows: Vec<StepRow>,
    pub events: Vec<Event>,
    pub summary: Summary,
}

/// Trains on the CPU without writing anything; `settings` is a JSON object of settings.
pub fn train(settings: Value) -> Trained {
    let mut settings: Settings = serde_json::from_value(settings).unwrap();
    settings.backend = Some(BackendChoice::Cpu);
    let prepared = prepare(RunConfig::resolve(settings).unwrap()).unwrap();
    let mut collector = Collector::default();
    let initial = prepared.theta.clone();
    let never = AtomicBool::new(false);
    let (trainer, start) = prepared.trainer(&never);
    let end = trainer.run(start, &History::default(), &mut [&mut collector]).unwrap();
    assert!(end.error.is_none(), "{:?}", end.error);
    Trained { initial, rows: collector.rows, events: collector.events, summary: end.summary }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect()
}

fn assert_close(what: &str, step: usize, found: f64, expected: f64, relative: f64) {
    let error = (found / expected - 1.0).abs();
    assert!(
        error <= relative,
        "{what} at step {step}: {found} against {expected}, relative error {error:.1e}"
    );
}

/// Trains as the reference says and compares losses and norms for `steps` steps, and the top three
/// eigenvalues wherever the reference has them.
fn compare_with_pytorch(reference: &str, precision: &str, steps: usize, tolerance: f64) {
    let reference: Value = serde_json::from_str(reference).unwrap();
    let config = &reference["config"];
    let trained = train(serde_json::json!({
        "model": config["model"],
        "loss": config["loss"],
        "lr": config["lr"],
        "seed": config["seed"],
        "precision": precision,
        "steps": steps + 1,
        "every": 100,
        "eval_every": 1,
        "top": 3,
        "tolerance": if precision == "f64" { 1e-8 } else { 1e-4 },
    }));

    let initial_sum = reference["initial_parameter_sum"].as_f64().unwrap();
    let rounding = if precision == "f64" { 1e-13 } else { 1e-5 };
    assert_close("weight sum", 0, trained.initial.iter().sum(), initial_sum, rounding);

    let columns = [
        ("train_loss", Vec::from_iter(trained.rows.iter().map(|row| row.train_loss))),
        ("val_loss", Vec::from_iter(trained.rows.iter().map(|row| row.val_loss))),
        ("grad_norm", Vec::from_iter(trained.rows.iter().map(|row| row.grad_norm))),
    ];
    for (name, found) in columns {
        let expected = numbers(&reference[name]);
        for step in 0..=steps {
            assert_close(name, step, found[step].unwrap(), expected[step], tolerance);
        }
    }
    let mut compared = 0;
    for row in trained.rows.iter().filter(|row| row.sharpness.is_some()) {
        let expected = numbers(&reference["sharpness"][row.step.to_string()]);
        for (found, expected) in row.lambda.iter().zip(expected) {
            assert_close("eigenvalue", row.step, *found, expected, tolerance);
            compared += 1;
        }
    }
    assert_eq!(compared, 3 * (steps / 100 + 1));
}

/// Past step 64 this run is at the edge of stability, where the distance between two trajectories
/// grows at each step: PyTorch's own, started 1e-16 apart, are up to 1e-4 apart by step 200.
#[test]
fn the_default_problem_agrees_with_pytorch_for_200_steps_in_double_precision() {
    compare_with_pytorch(include_str!("../data/digits_mse.json"), "f64", 200, 1e-3);
}

#[test]
fn the_default_problem_agrees_with_pytorch_up_to_the_edge_in_single_precision() {
    compare_with_pytorch(include_str!("../data/digits_mse.json"), "f32", 100, 2e-5);
}

/// Well below the edge nothing amplifies rounding.
#[test]
fn cross_entropy_agrees_with_pytorch_for_200_steps() {
    compare_with_pytorch(include_str!("../data/digits_ce_relu.json"), "f64", 200, 1e-10);
    compare_with_pytorch(include_str!("../data/digits_ce_relu.json"), "f32", 200, 1e-4);
}

#[test]
fn the_default_run_reaches_the_edge_of_stability_and_stays() {
    let trained = train(serde_json::json!({}));
    assert_eq!(trained.rows.len(), 1000);
    assert_eq!(trained.summary.status, ExitStatus::Completed);
    assert_eq!(trained.summary.unconverged_rows, 0);

    let threshold = 2.0 / 0.2;
    let initial = trained.rows[0].sharpness.unwrap();
    assert!((6.0..9.0).contains(&initial), "initial sharpness {initial}");
    let first = trained.summary.first_step_at_edge.unwrap();
    assert!(first < 250, "the edge was reached at step {first}");
    let crossing = trained.rows.iter().find(|row| row.sharpness.unwrap() >= threshold).unwrap();
    assert_eq!(crossing.step, first);
    let is_entry = |event: &&Event| matches!(event.kind, EventKind::EdgeEntered { .. });
    assert_eq!(trained.events.iter().filter(is_entry).count(), 1);

    let late = &trained.rows[400..];
    let at_edge = late
        .iter()
        .filter(|row| (0.95..=1.35).contains(&(row.sharpness.unwrap() / threshold)))
        .count();
    assert!(at_edge * 10 >= late.len() * 9, "{at_edge} of {} steps at the edge", late.len());

    // Progressive sharpening comes first, and the loss is lower at the end than at the edge.
    assert!(trained.rows[60].sharpness > trained.rows[20].sharpness);
    let last_loss = trained.summary.final_train_loss.unwrap();
    assert!(last_loss < crossing.train_loss.unwrap());
    let accuracy = trained.summary.final_val_accuracy.unwrap();
    assert!(accuracy > 0.9, "validation accuracy {accuracy}");
}

/// On a quadratic (linear model, squared error) the threshold is exact: gradient descent converges
/// just below it and diverges just above.
#[test]
fn gradient_descent_on_a_quadratic_is_stable_up_to_two_over_eta() {
    let settings = |lr: f64, steps: usize| {
        serde_json::json!({
            "model": "linear", "train_size": 200, "validation_size": 0, "lr": lr, "steps": steps,
            "precision": "f64", "every": steps, "tolerance": 1e-9,
        })
    };
    let sharpness = train(settings(0.01, 1)).rows[0].sharpness.unwrap();
    let below = train(settings(1.98 / sharpness, 400));
    let losses: Vec<f64> = below.rows.iter().map(|row| row.train_loss.unwrap()).collect();
    assert!(losses.windows(2).all(|pair| pair[1] <= pair[0]), "the loss rose below the threshold");

    let above = train(settings(2.02 / sharpness, 1200));
    assert_eq!(above.summary.status, ExitStatus::Diverged);
    assert!((above.rows[0].edge_ratio.unwrap() - 1.01).abs() < 1e-6);
}

#[test]
fn a_run_that_blows_up_ends_as_diverged_with_its_rows_kept() {
    let trained = train(serde_json::json!({
        "model": "linear", "train_size": 100, "validation_size": 0, "lr": 50.0, "steps": 500,
    }));
    assert_eq!(trained.summary.status, ExitStatus::Diverged);
    assert!(trained.rows.len() > 2 && trained.rows.len() < 500);
    let last = trained.events.last().unwrap();
    assert!(matches!(last.kind, EventKind::Divergence { .. }));
    assert_eq!(last.step, trained.rows.last().unwrap().step);
}

/// With minibatches the row still describes the whole training set, and the update is the
/// minibatch's.
#[test]
fn minibatch_rows_measure_the_whole_training_set_where_they_measure_it() {
    let trained = train(serde_json::json!({
        "train_size": 200, "batch_size": 32, "lr": 0.1, "steps": 15, "every": 5, "eval_every": 2,
        "precision": "f64",
    }));
    let full = train(serde_json::json!({
        "train_size": 200, "lr": 0.1, "steps": 1, "precision": "f64",
    }));
    assert_eq!(trained.rows[0].train_loss, full.rows[0].train_loss);
    assert_eq!(trained.rows[0].grad_norm, full.rows[0].grad_norm);
    assert_eq!(trained.rows[0].sharpness, full.rows[0].sharpness);
    assert_ne!(trained.rows[0].update_norm, full.rows[0].update_norm);
    for row in &trained.rows {
        let evaluated = row.step % 5 == 0 || row.step % 2 == 0;
        assert_eq!(row.train_loss.is_some(), evaluated, "step {}", row.step);
        assert_eq!(row.val_loss.is_some(), evaluated, "step {}", row.step);
        assert_eq!(row.sharpness.is_some(), row.step % 5 == 0, "step {}", row.step);
        assert!(row.update_norm.unwrap() > 0.0);
    }
}

/// The norms of a step, recomputed from two neighbouring steps of plain gradient descent.
#[test]
fn norms_are_those_of_the_update_taken() {
    let trained =
        train(serde_json::json!({ "train_size": 100, "steps": 3, "lr": 0.3, "precision": "f64" }));
    let norm = |v: &[f64]| v.iter().map(|x| x * x).sum::<f64>().sqrt();
    let first = &trained.rows[0];
    assert_close("param_norm", 0, first.param_norm.unwrap(), norm(&trained.initial), 1e-14);
    for row in &trained.rows {
        let (update, gradient) = (row.update_norm.unwrap(), row.grad_norm.unwrap());
        assert_close("update_norm", row.step, update, 0.3 * gradient, 1e-12);
        let relative = update / row.param_norm.unwrap();
        assert_close("relative_update", row.step, row.relative_update.unwrap(), relative, 1e-14);
        assert!((0.0..=1.0 + 1e-12).contains(&row.gradient_alignment.unwrap()));
    }
}

#[test]
fn curvature_on_a_subset_of_all_samples_is_curvature_on_all() {
    let subset = |samples: usize| {
        train(serde_json::json!({
            "train_size": 120, "steps": 1, "samples": samples, "precision": "f64",
        }))
    };
    let all = subset(120).rows[0].sharpness.unwrap();
    let half = subset(60).rows[0].sharpness.unwrap();
    assert_ne!(all, half);
    assert!((0.7..1.4).contains(&(half / all)), "{half} against {all}");
}
