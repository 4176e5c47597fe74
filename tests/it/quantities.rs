//! Further quantities of a step, against finite differences and against each other.

use serde_json::json;
use sharpscope::autodiff::Samples;
use sharpscope::config::RunConfig;
use sharpscope::experiment::prepare;
use sharpscope::linalg::{dot, norm};

use crate::support::{Place, Table};
use crate::training::train;

fn settings(optimizer: &str, measure: &[&str]) -> serde_json::Value {
    json!({
        "model": {"kind": "mlp", "hidden": [5]}, "train_size": 30, "validation_size": 0,
        "optimizer": optimizer, "lr": 0.05, "steps": 3, "precision": "f64", "backend": "cpu",
        "smallest": true, "solver": "lanczos", "tolerance": 1e-9, "seed": 4, "measure": measure
    })
}

/// v'Hv/||v||^2 at theta, by central differences of the gradient.
fn curvature_along(settings: serde_json::Value, theta: &[f64], v: &[f64]) -> f64 {
    let config = RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap();
    let mut problem = prepare(config).unwrap().problem;
    let step = 1e-4 / norm(v);
    let mut gradient = |sign: f64| {
        let point: Vec<f64> = theta.iter().zip(v).map(|(w, v)| w + sign * step * v).collect();
        problem.train.set_parameters(&point).unwrap();
        problem.train.gradient(Samples::All).unwrap().gradient
    };
    let (up, down) = (gradient(1.0), gradient(-1.0));
    (dot(&up, v) - dot(&down, v)) / (2.0 * step * dot(v, v))
}

fn initial_gradient(settings: serde_json::Value) -> (Vec<f64>, Vec<f64>) {
    let config = RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap();
    let mut prepared = prepare(config).unwrap();
    prepared.problem.train.set_parameters(&prepared.theta).unwrap();
    let gradient = prepared.problem.train.gradient(Samples::All).unwrap().gradient;
    (prepared.theta, gradient)
}

#[test]
fn the_curvature_along_the_update_is_that_of_finite_differences() {
    // Adam's first step is along the gradient's signs, which is another direction than the gradient's.
    for optimizer in ["sgd", "adam"] {
        let settings = settings(optimizer, &["update_sharpness"]);
        let (theta, gradient) = initial_gradient(settings.clone());
        let direction: Vec<f64> = match optimizer {
            "adam" => gradient.iter().map(|g| g / (g.abs() + 1e-8)).collect(),
            _ => gradient,
        };
        let expected = curvature_along(settings.clone(), &theta, &direction);
        let rows = train(settings).rows;
        let found = rows[0].measured["update_sharpness"];
        assert!((found / expected - 1.0).abs() < 1e-5, "{optimizer}: {found} against {expected}");
        for row in &rows {
            let along = row.measured["update_sharpness"];
            assert!(along <= row.sharpness.unwrap() * (1.0 + 1e-9), "{row:?}");
            assert!(along >= row.lambda_min.unwrap() - 1e-9, "{row:?}");
        }
    }
}

#[test]
fn the_curvature_along_the_gradient_is_that_of_finite_differences() {
    let settings = settings("adam", &["update_sharpness", "directional_sharpness"]);
    let (theta, gradient) = initial_gradient(settings.clone());
    let expected = curvature_along(settings.clone(), &theta, &gradient);
    let rows = train(settings).rows;
    let found = rows[0].measured["directional_sharpness"];
    assert!((found / expected - 1.0).abs() < 1e-6, "{found} against {expected}");
    let other = rows[0].measured["update_sharpness"];
    assert!((found / other - 1.0).abs() > 1e-3, "Adam's update is another direction");
    // Gradient descent's is the same.
    for row in train(self::settings("sgd", &["update_sharpness", "directional_sharpness"])).rows {
        let [along, gradient] =
            ["update_sharpness", "directional_sharpness"].map(|name| row.measured[name]);
        assert!((along / gradient - 1.0).abs() < 1e-9, "{row:?}");
    }
}

#[test]
fn quantities_have_columns_of_their_own_and_their_products_are_counted() {
    let place = Place::new();
    let run =
        "run --backend cpu --model linear --train-size 50 --steps 4 --every 2 --solver lanczos";
    place.run_well(&format!("{run} --out without"));
    place.run_well(&format!("{run} --out with --measure update_sharpness"));
    let (with, without) = (Table::of(place.made("with")), Table::of(place.made("without")));
    assert_eq!(with.header, format!("{},update_sharpness", without.header));
    for step in 0..4 {
        assert_eq!(with.cell(step, "update_sharpness").is_empty(), step % 2 == 1, "step {step}");
        let more = with.number(step, "hvps") - without.number(step, "hvps");
        assert_eq!(more, if step % 2 == 0 { 1.0 } else { 0.0 }, "step {step}");
        assert_eq!(with.cell(step, "sharpness"), without.cell(step, "sharpness"));
    }
    // A run that goes on has them too.
    place.run_well("run --resume with --steps 6");
    assert!(!Table::of(place.made("with")).cell(4, "update_sharpness").is_empty());

    let unknown = place.run(&format!("{run} --measure update_sharpnes")).refusal().unwrap();
    for part in ["--measure", "unknown quantity", "did you mean 'update_sharpness'"] {
        assert!(unknown.contains(part), "{unknown}");
    }
    let words = "--measure update_sharpness,update_sharpness";
    let twice = place.run(&format!("{run} {words}")).refusal().unwrap();
    assert!(twice.contains("named twice"), "{twice}");
}
