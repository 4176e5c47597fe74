//! The profiler in a loop that is not the program's, against the program's own loop, and the example.

use std::sync::Arc;

use serde_json::json;
use sharpscope::Error;
use sharpscope::autodiff::Samples;
use sharpscope::config::RunConfig;
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::experiment::{Prepared, prepare};
use sharpscope::optim::{Hyperparameters, OptimizerSpec};
use sharpscope::problem::Supervised;
use sharpscope::profiler::{NextUpdate, Profiler, ProfilerSettings};

use crate::support::{Done, NO_DRIVER, PATIENCE, RUN_FILES, Table, json_file, names_in};
use crate::training::train;

fn settings(optimizer: &str, lr: f64) -> serde_json::Value {
    json!({
        "model": {"kind": "mlp", "hidden": [4]}, "train_size": 40, "validation_size": 0,
        "optimizer": optimizer, "lr": lr, "steps": 6, "precision": "f64", "backend": "cpu",
        "top": 2, "every": 2, "seed": 3
    })
}

fn prepared(settings: serde_json::Value) -> Prepared {
    let settings = serde_json::from_value(settings).unwrap();
    prepare(RunConfig::resolve(settings).unwrap()).unwrap()
}

/// A profiler of what `prepared` trains.
fn profiler(prepared: &Prepared, every: usize) -> Profiler {
    let task = Arc::new(Supervised {
        model: prepared.config.model.clone(),
        data: Arc::clone(&prepared.dataset),
        loss: prepared.config.loss,
    });
    let device = Device::open(BackendChoice::Cpu, Precision::F64).unwrap();
    let settings = ProfilerSettings { top: 2, every, seed: 3, ..ProfilerSettings::default() };
    Profiler::new(task, prepared.split.train.clone(), None, &device, settings).unwrap()
}

/// The same numbers as the program's own loop logs, for a rule with and one without a preconditioner.
#[test]
fn rows_are_those_of_the_programs_own_loop() {
    for (name, lr) in [("momentum", 0.05), ("adam", 0.01)] {
        let expected = train(settings(name, lr)).rows;
        let mut prepared = prepared(settings(name, lr));
        let mut profiler = profiler(&prepared, 2);
        let mut optimizer = prepared.config.optimizer.build();
        let shadow = prepared.config.optimizer.build();
        let objective = &mut prepared.problem.train;
        let mut theta = prepared.theta.clone();
        for expected in &expected {
            objective.set_parameters(&theta).unwrap();
            let gradient = objective.gradient(Samples::All).unwrap().gradient;
            let mut elsewhere = |_: &[f64]| unreachable!("neither asks for a gradient elsewhere");
            let before = theta.clone();
            optimizer.step(lr, &mut theta, &gradient, &mut elsewhere).unwrap();
            let p = optimizer.operator().preconditioner;
            let next = NextUpdate { lr, optimizer: &*shadow, preconditioner: p.as_deref() };
            let row = profiler.step(expected.step, &before, next).unwrap();
            assert_eq!(row.lambda, expected.lambda, "{name}, step {}", row.step);
            assert_eq!(row.preconditioned_sharpness, expected.preconditioned_sharpness);
            assert_eq!(row.threshold, expected.threshold);
            assert_eq!(row.edge_ratio, expected.edge_ratio);
            assert_eq!(row.residual, expected.residual);
            assert_eq!(row.gradient_alignment, expected.gradient_alignment);
            assert_eq!(row.hvps, expected.hvps);
            // At steps that are not measured the loss is left to whoever trains.
            let measured = row.step.is_multiple_of(2);
            assert_eq!(row.train_loss, expected.train_loss.filter(|_| measured));
        }
        let summary = profiler.finish().unwrap();
        assert_eq!(summary.steps, 6);
    }
}

#[test]
fn without_its_preconditioner_an_adaptive_rules_threshold_stands_alone() {
    let prepared = prepared(settings("adam", 0.01));
    let mut profiler = profiler(&prepared, 1);
    let adam = OptimizerSpec::resolve("adam", Hyperparameters::NONE).unwrap().build();
    let next = NextUpdate { lr: 0.01, optimizer: &*adam, preconditioner: None };
    let row = profiler.step(0, &prepared.theta, next).unwrap();
    assert!((row.threshold.unwrap() / 3800.0 - 1.0).abs() < 1e-12);
    assert!(row.sharpness.is_some());
    assert_eq!((row.preconditioned_sharpness, row.edge_ratio), (None, None));
}

#[test]
fn where_training_diverges_row_and_event_are_kept_and_the_loop_goes_on() {
    let prepared = prepared(settings("sgd", 0.1));
    let folder = tempfile::TempDir::new().unwrap();
    let run = folder.path().join("run");
    let mut profiler = profiler(&prepared, 1).with_run_directory(&run, "diverges").unwrap();
    let sgd = OptimizerSpec::resolve("sgd", Hyperparameters::NONE).unwrap().build();
    let next = NextUpdate { lr: 0.1, optimizer: &*sgd, preconditioner: None };
    let lost = vec![f64::NAN; prepared.theta.len()];
    for (step, theta) in [&prepared.theta, &lost, &prepared.theta].into_iter().enumerate() {
        let row = profiler.step(step, theta, next).unwrap();
        assert_eq!(row.sharpness.is_some(), step != 1, "{row:?}");
    }
    let kinds: Vec<&str> = profiler.take_events().iter().map(|event| event.kind.name()).collect();
    assert!(kinds.contains(&"curvature_non_finite"), "{kinds:?}");
    profiler.finish().unwrap();
    assert_eq!(Table::of(&run).column("step"), [0.0, 1.0, 2.0]);
    assert!(crate::support::read(run.join("events.jsonl")).contains("curvature_non_finite"));
}

#[test]
fn a_vector_of_another_length_is_refused() {
    let prepared = prepared(settings("sgd", 0.1));
    let mut profiler = profiler(&prepared, 1);
    let sgd = OptimizerSpec::resolve("sgd", Hyperparameters::NONE).unwrap().build();
    let next = NextUpdate { lr: 0.1, optimizer: &*sgd, preconditioner: None };
    assert!(matches!(profiler.step(0, &[1.0], next), Err(Error::Length { .. })));
}

/// An example, hidden from graphics drivers; `cargo test` builds the examples beside the tests.
fn example(name: &str) -> assert_cmd::Command {
    let test = std::env::current_exe().unwrap();
    let path = test.ancestors().nth(2).unwrap().join("examples").join(name);
    let mut command = assert_cmd::Command::new(path);
    command.timeout(PATIENCE).envs(NO_DRIVER);
    command
}

#[test]
fn the_example_profiles_its_own_module_and_writes_a_run_directory() {
    let folder = tempfile::TempDir::new().unwrap();
    let run = folder.path().join("sine");
    let done = Done::of(example("custom_module").arg(&run));
    assert_eq!(done.code, Some(0), "{}{}", done.out, done.err);
    assert_eq!(names_in(&run), RUN_FILES);
    let table = Table::of(&run);
    assert_eq!(table.column("step").len(), 200);
    let threshold = 2.0 * 1.9 / 0.02;
    assert!((table.number(0, "threshold") / threshold - 1.0).abs() < 1e-12);
    // burn's heavy ball takes the update that the next row's parameters show.
    assert!(table.number(0, "update_norm") > 0.0);
    let summary = json_file(run.join("summary.json"));
    let losses = [table.number(0, "train_loss"), table.number(195, "train_loss")];
    assert!(losses[1] < 0.5 * losses[0], "{losses:?}");
    assert!(summary["final_sharpness"].as_f64().unwrap() > 0.0);
    assert_eq!(json_file(run.join("manifest.json"))["parameters"], 96);
    // A folder that is in use is left alone.
    let again = Done::of(example("custom_module").arg(&run));
    assert!(again.code.is_some_and(|code| code != 0), "{:?}", again.code);
}
