//! The profiler in a loop that is not the program's, against the program's own loop, and the example.

use std::sync::{Arc, Mutex};

use serde_json::json;
use sharpscope::Error;
use sharpscope::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use sharpscope::config::RunConfig;
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::experiment::{Prepared, prepare};
use sharpscope::optim::{Hyperparameters, OptimizerSpec};
use sharpscope::problem::Supervised;
use sharpscope::profile::Observer;
use sharpscope::profiler::{NextUpdate, Profiler, ProfilerSettings};
use sharpscope::record::{Event, ExitStatus, StepRow, Summary};

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
    let settings = ProfilerSettings { top: 2, every, seed: 3, ..ProfilerSettings::default() };
    profiler_with(prepared, settings)
}

fn profiler_with(prepared: &Prepared, settings: ProfilerSettings) -> Profiler {
    let task = Arc::new(Supervised {
        model: prepared.config.model.clone(),
        data: Arc::clone(&prepared.dataset),
        loss: prepared.config.loss,
    });
    let device = Device::open(BackendChoice::Cpu, Precision::F64).unwrap();
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
            // The one with the update comes with the next row.
            assert_eq!(row.hvps + usize::from(expected.realized_ratio.is_some()), expected.hvps);
            // At steps that are not measured the loss is left to whoever trains.
            let measured = row.step.is_multiple_of(2);
            assert_eq!(row.train_loss, expected.train_loss.filter(|_| measured));
        }
        let summary = profiler.finish().unwrap();
        assert_eq!(summary.steps, 6);
    }
}

/// What is measured at midpoints, which are known with the next step.
#[test]
fn midpoints_are_those_of_the_programs_own_loop() {
    for (name, lr, every) in [("sgd", 0.3, 1), ("adam", 0.01, 2)] {
        let mut settings = settings(name, lr);
        (settings["mechanism"], settings["every"]) = (json!(true), json!(every));
        let expected = train(settings.clone()).rows;
        let mut prepared = prepared(settings);
        let folder = tempfile::TempDir::new().unwrap();
        let run = folder.path().join("run");
        let asked =
            ProfilerSettings { top: 2, every, seed: 3, mechanism: true, ..Default::default() };
        let mut profiler =
            profiler_with(&prepared, asked).with_run_directory(&run, "midpoints").unwrap();
        let mut optimizer = prepared.config.optimizer.build();
        let shadow = prepared.config.optimizer.build();
        let objective = &mut prepared.problem.train;
        let mut theta = prepared.theta.clone();
        for at in 0..expected.len() {
            objective.set_parameters(&theta).unwrap();
            let gradient = objective.gradient(Samples::All).unwrap().gradient;
            let mut elsewhere = |_: &[f64]| unreachable!("neither asks for a gradient elsewhere");
            let before = theta.clone();
            optimizer.step(lr, &mut theta, &gradient, &mut elsewhere).unwrap();
            let p = optimizer.operator().preconditioner;
            let next = NextUpdate { lr, optimizer: &*shadow, preconditioner: p.as_deref() };
            profiler.step(at, &before, next).unwrap();
            let Some(row) = profiler.completed() else { continue };
            let other = &expected[at - 1];
            assert_eq!(row.alpha.is_some(), at > 1 && (at - 1) % every == 0, "{name}, {at}");
            assert_eq!(row.midpoint_lambda, other.midpoint_lambda, "{name}, {at}");
            assert_eq!(row.hvps, other.hvps, "{name}, {at}");
            for number in [
                |row: &StepRow| row.midpoint_sharpness,
                |row: &StepRow| row.midpoint_preconditioned_sharpness,
                |row: &StepRow| row.alpha,
                |row: &StepRow| row.beta,
                |row: &StepRow| row.predicted_variance,
                |row: &StepRow| row.measured_variance,
                |row: &StepRow| row.curvature_length,
                |row: &StepRow| row.flatness_force_share,
                |row: &StepRow| row.sharpness_alignment,
                |row: &StepRow| row.gauss_newton_share,
                |row: &StepRow| row.sharpness_gradient_error,
                |row: &StepRow| row.residual,
            ] {
                assert_eq!(number(row), number(other), "{name}, {at}");
            }
        }
        profiler.finish().unwrap();
        let table = Table::of(&run);
        assert_eq!(table.number(2, "alpha"), expected[2].alpha.unwrap());
        assert_eq!(json_file(run.join("manifest.json"))["config"]["mechanism"], true);
    }
}

#[test]
fn without_its_preconditioner_an_adaptive_rules_mechanism_is_not_measured() {
    let prepared = prepared(settings("adam", 0.01));
    let asked = ProfilerSettings { mechanism: true, ..ProfilerSettings::default() };
    let mut profiler = profiler_with(&prepared, asked);
    let adam = OptimizerSpec::resolve("adam", Hyperparameters::NONE).unwrap().build();
    for step in 0..3 {
        let theta: Vec<f64> = prepared.theta.iter().map(|w| w * 0.99_f64.powi(step)).collect();
        let next = NextUpdate { lr: 0.01, optimizer: &*adam, preconditioner: None };
        profiler.step(step as usize, &theta, next).unwrap();
    }
    let row = profiler.completed().unwrap();
    assert!(row.midpoint_sharpness.is_some() && row.alpha.is_none(), "{row:?}");
}

/// One pipeline: the program's loop and one of somebody else's tell the same rows and the same events, up to
/// the step at which training diverges, where the program's ends before it measures.
#[test]
fn rows_and_events_are_those_of_the_programs_own_loop_until_it_diverges() {
    let settings = json!({
        "model": {"kind": "mlp", "hidden": [4], "activation": "relu"}, "train_size": 40,
        "validation_size": 0, "optimizer": "sgd", "lr": 4.0, "loss": "mse", "steps": 400,
        "precision": "f64", "backend": "cpu", "top": 2, "seed": 3
    });
    let expected = train(settings.clone());
    assert_eq!(expected.summary.status, ExitStatus::Diverged, "{:?}", expected.summary);
    let mut prepared = prepared(settings);
    let (told, schedule) = (Arc::new(Mutex::new(Told::default())), prepared.config.learning_rate());
    let mut profiler =
        profiler(&prepared, 1).with_schedule(schedule).with_observer(Telling(told.clone()));
    let mut sgd = prepared.config.optimizer.build();
    let shadow = prepared.config.optimizer.build();
    let mut theta = prepared.theta.clone();
    for step in 0..expected.rows.len() {
        let objective = &mut prepared.problem.train;
        objective.set_parameters(&theta).unwrap();
        let gradient = objective.gradient(Samples::All).unwrap().gradient;
        let next = NextUpdate { lr: 4.0, optimizer: &*shadow, preconditioner: None };
        profiler.step(step, &theta, next).unwrap();
        let mut elsewhere = |_: &[f64]| unreachable!("it asks for no gradient elsewhere");
        sgd.step(4.0, &mut theta, &gradient, &mut elsewhere).unwrap();
    }
    assert_eq!(profiler.finish().unwrap().status, ExitStatus::Diverged);
    let told = told.lock().unwrap();
    let untimed = |rows: &[StepRow]| -> Vec<StepRow> {
        let untimed = |row: &StepRow| StepRow { step_ms: 0.0, curvature_ms: None, ..row.clone() };
        rows.iter().map(untimed).collect()
    };
    let last = expected.rows.len() - 1;
    assert!(last > 3, "it is to train for a while");
    assert_eq!(untimed(&told.rows[..last]), untimed(&expected.rows[..last]));
    let before = |events: &[Event]| -> Vec<Event> {
        events.iter().filter(|event| event.step < last).cloned().collect()
    };
    assert!(!before(&expected.events).is_empty());
    assert_eq!(before(&told.events), before(&expected.events));
    let diverged = |events: &[Event]| events.iter().any(|e| e.kind.name() == "divergence");
    assert!(diverged(&told.events) && diverged(&expected.events));
    assert_eq!(told.ends, 1);
}

/// Rows and events, as an observer is told of them.
#[derive(Default)]
struct Told {
    rows: Vec<StepRow>,
    events: Vec<Event>,
    ends: usize,
}

struct Telling(Arc<Mutex<Told>>);

impl Observer for Telling {
    fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
        self.0.lock().unwrap().rows.push(row.clone());
        Ok(())
    }

    fn event(&mut self, event: &Event) -> sharpscope::Result<()> {
        self.0.lock().unwrap().events.push(event.clone());
        Ok(())
    }

    fn finished(&mut self, _: &Summary, error: Option<&Error>) -> sharpscope::Result<()> {
        assert!(error.is_none());
        self.0.lock().unwrap().ends += 1;
        Ok(())
    }
}

#[test]
fn a_run_without_a_step_ends_well_and_writes_nothing() {
    let prepared = prepared(settings("sgd", 0.1));
    let folder = tempfile::TempDir::new().unwrap();
    let run = folder.path().join("run");
    let profiler = profiler(&prepared, 1).with_run_directory(&run, "nothing").unwrap();
    let summary = profiler.finish().unwrap();
    assert_eq!((summary.status, summary.steps), (ExitStatus::Completed, 0));
    assert!(names_in(&run).is_empty());
}

/// theta' diag(curvatures) theta / 2, computed by hand.
struct Quadratic {
    layout: ParameterLayout,
    curvatures: Vec<f64>,
    theta: Vec<f64>,
}

impl Quadratic {
    fn times(&self, v: &[f64]) -> Vec<f64> {
        v.iter().zip(&self.curvatures).map(|(v, c)| c * v).collect()
    }
}

impl Objective for Quadratic {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &[0]
    }

    fn set_parameters(&mut self, theta: &[f64]) -> sharpscope::Result<()> {
        self.theta = theta.to_vec();
        Ok(())
    }

    fn evaluate(&self) -> sharpscope::Result<Evaluation> {
        let loss = self.times(&self.theta).iter().zip(&self.theta).map(|(g, w)| g * w / 2.0).sum();
        Ok(Evaluation { loss, accuracy: None })
    }

    fn gradient(&self, _: Samples<'_>) -> sharpscope::Result<GradientEvaluation> {
        Ok(GradientEvaluation { evaluation: self.evaluate()?, gradient: self.times(&self.theta) })
    }

    fn hvp_over(&self, _: Samples<'_>, v: &[f64]) -> sharpscope::Result<Vec<f64>> {
        Ok(self.times(v))
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> sharpscope::Result<Vec<f64>> {
        unreachable!("nobody asks for it")
    }
}

/// Any loss that can be differentiated twice will do, whatever computes it.
#[test]
fn an_objective_of_ones_own_is_profiled() {
    let curvatures: Vec<f64> = (1..=12).map(f64::from).collect();
    let layout = ParameterLayout::new([("first.weight", vec![3, 3]), ("first.bias", vec![3])]);
    let theta = vec![1.0; 12];
    let quadratic = Quadratic { layout, curvatures, theta: theta.clone() };
    let folder = tempfile::TempDir::new().unwrap();
    let run = folder.path().join("run");
    let settings = ProfilerSettings { top: 3, smallest: true, ..ProfilerSettings::default() };
    let mut profiler = Profiler::over(Box::new(quadratic), Precision::F64, settings)
        .unwrap()
        .with_run_directory(&run, "quadratic")
        .unwrap();
    let rule = OptimizerSpec::resolve("sgd", Hyperparameters::NONE).unwrap().build();
    for step in 0..2 {
        let next = NextUpdate { lr: 0.1, optimizer: &*rule, preconditioner: None };
        let row = profiler.step(step, &theta, next).unwrap();
        assert!((row.train_loss.unwrap() - 39.0).abs() < 1e-12);
        for (found, right) in row.lambda.iter().zip([12.0, 11.0, 10.0]) {
            assert!((found / right - 1.0).abs() < 1e-6, "{found} against {right}");
        }
        assert!((row.lambda_min.unwrap() - 1.0).abs() < 1e-4);
        assert!((row.edge_ratio.unwrap() - 0.6).abs() < 1e-6);
    }
    assert_eq!(profiler.finish().unwrap().steps, 2);
    let manifest = json_file(run.join("manifest.json"));
    assert_eq!((&manifest["backend"], &manifest["parameters"]), (&json!("own"), &json!(12)));
    assert_eq!(Table::of(&run).rows.len(), 2);
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
