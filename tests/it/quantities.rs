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

fn all_of(settings: &serde_json::Value, names: &[&str]) -> Vec<sharpscope::record::StepRow> {
    let mut settings = settings.clone();
    settings["measure"] = json!(names);
    train(settings).rows
}

fn sum(row: &sharpscope::record::StepRow, prefix: &str) -> (f64, usize) {
    let values: Vec<f64> =
        row.measured.iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, x)| *x).collect();
    (values.iter().sum(), values.len())
}

/// Shares of the top eigenvector and of the gradient, and sums over classes, add up to what they are of.
#[test]
fn shares_and_sums_over_classes_add_up() {
    let names = ["layer_shares", "class_curvature", "class_slope", "top_gradient_share"];
    for row in all_of(&settings("adam", &[]), &names) {
        let close = |(found, count): (f64, usize), expected: f64, parts: usize| {
            assert!(
                (found - expected).abs() < 1e-8 * expected.abs().max(1e-3),
                "{found}, {expected}"
            );
            assert_eq!(count, parts, "{row:?}");
        };
        close(sum(&row, "layer_shares."), 1.0, 2);
        close(sum(&row, "class_curvature."), row.sharpness.unwrap(), 10);
        let alignment = row.gradient_alignment.unwrap();
        close(sum(&row, "class_slope."), alignment * row.grad_norm.unwrap(), 10);
        close(sum(&row, "top_gradient_share"), alignment * alignment, 1);
    }
    // More eigenvectors hold more of the gradient.
    let mut three = settings("sgd", &["top_gradient_share"]);
    let one = train(three.clone()).rows;
    three["top"] = json!(3);
    for (one, three) in one.iter().zip(&train(three).rows) {
        let name = "top_gradient_share";
        assert!(three.measured[name] > one.measured[name] && three.measured[name] <= 1.0 + 1e-12);
    }
    let place = Place::new();
    let flags = "run --backend cpu --dataset chebyshev --model linear --steps 1";
    let refusal = place.run(&format!("{flags} --measure class_slope")).refusal().unwrap();
    assert!(refusal.contains("no classes"), "{refusal}");
}

/// The gradient of the sharpness against the change of the largest eigenvalue along the weights, and along
/// random directions: cos(theta, grad S) = theta' grad S / (|theta| |grad S|).
#[test]
fn the_decay_alignment_is_that_of_differences_of_the_sharpness() {
    let settings = settings("sgd", &["decay_alignment"]);
    let row = &train(settings.clone()).rows[0];
    let config = RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap();
    let mut prepared = prepare(config).unwrap();
    let (meter, theta) = (prepared.meter(), prepared.theta.clone());
    let objective = &mut prepared.problem.train;
    let mut sharpness = |point: &[f64]| {
        objective.set_parameters(point).unwrap();
        meter.measure_top(&**objective, 0).unwrap().lambda[0]
    };
    let h = 1e-4;
    let mut slope = |direction: &dyn Fn(usize) -> f64| {
        let mut at = |sign: f64| {
            let moved = |(i, w): (usize, &f64)| w + sign * h * direction(i);
            sharpness(&theta.iter().enumerate().map(moved).collect::<Vec<f64>>())
        };
        (at(1.0) - at(-1.0)) / (2.0 * h)
    };
    let gradient: Vec<f64> =
        (0..theta.len()).map(|k| slope(&|i| if i == k { 1.0 } else { 0.0 })).collect();
    let expected = dot(&theta, &gradient) / norm(&theta) / norm(&gradient);
    let along = slope(&|i| theta[i]);
    assert!((along - dot(&theta, &gradient)).abs() < 1e-4 * along.abs());
    let found = row.measured["decay_alignment"];
    assert!((found - expected).abs() < 2e-4, "{found} against {expected}");
    assert!(found.abs() > 1e-3);
}

/// The edge of Adam's early steps, which its bias correction lowers.
#[test]
fn adams_early_edge_ratio_has_its_factor() {
    for (step, row) in all_of(&settings("adam", &[]), &["early_edge_ratio"]).iter().enumerate() {
        let expected = row.edge_ratio.unwrap() / (1.0 - 0.9_f64.powi(step as i32 + 1));
        let found = row.measured["early_edge_ratio"];
        assert!((found / expected - 1.0).abs() < 1e-12, "step {step}");
    }
    let rows = all_of(&settings("momentum", &[]), &["early_edge_ratio"]);
    assert!(rows.iter().all(|row| row.measured.is_empty()), "momentum corrects nothing");
}

/// Beyond what the gradient's own corner of the ball has, and not above what the largest eigenvalue allows.
#[test]
fn generalized_sharpnesses_lie_between_their_bounds() {
    let settings = settings("sgd", &["sign_sharpness", "spectral_sharpness"]);
    let (theta, gradient) = initial_gradient(settings.clone());
    let row = &train(settings).rows[0];
    let largest = row.sharpness.unwrap();
    let sign = row.measured["sign_sharpness"];
    assert!(sign > largest && sign <= theta.len() as f64 * largest, "{sign}");
    // Singular values of at most 1: of 64 x 5 and 5 x 10 entries, and two columns.
    let spectral = row.measured["spectral_sharpness"];
    assert!(spectral > largest && spectral <= 12.0 * largest && spectral < sign, "{spectral}");
    let edge = row.measured["sign_sharpness_edge"];
    let sum: f64 = gradient.iter().map(|g| g.abs()).sum();
    assert!((edge / (2.0 * sum / 0.05) - 1.0).abs() < 1e-12);
    let nuclear = row.measured["spectral_sharpness_edge"] * 0.05 / 2.0;
    assert!(nuclear >= norm(&gradient) && nuclear < sum, "{nuclear}");
}

/// Along an eigenvector gradient descent moves by -eta times the gradient there, and so does RMSProp in the
/// metric of its preconditioner; all eigenvectors together make up gradient, step and curvature.
#[test]
fn modes_are_where_the_gradient_stands_along_eigenvectors_and_move_by_the_step() {
    let settings = |optimizer: &str, decay: f64| {
        json!({
            "objective": {"kind": "quadratic", "spectrum": [8.0, 3.0, 0.5], "rotation": 1},
            "optimizer": optimizer, "lr": 0.05, "steps": 4, "top": 3, "precision": "f64",
            "backend": "cpu", "solver": "lanczos", "tolerance": 1e-9, "weight_decay": decay
        })
    };
    let near = |a: f64, b: f64| (a - b).abs() < 1e-7 * b.abs().max(1e-3);
    for row in train(settings("sgd", 0.0)).rows {
        let (along, step) = (&row.gradient_component, &row.step_component);
        assert_eq!((along.len(), step.len()), (3, 3));
        assert!(near(norm(along), row.grad_norm.unwrap()), "{row:?}");
        assert!(near(norm(step), row.update_norm.unwrap()), "{row:?}");
        let curvature: f64 = row.lambda.iter().zip(step).map(|(l, s)| l * s * s).sum();
        assert!(near(curvature, row.step_curvature.unwrap()), "{row:?}");
        // On a quadratic with its minimum at a loss of 0 the modes' energies are the loss.
        let energy: f64 = row.lambda.iter().zip(along).map(|(l, c)| c * c / (2.0 * l)).sum();
        assert!(near(energy, row.train_loss.unwrap()), "{row:?}");
    }
    for (optimizer, decay) in [("sgd", 0.0), ("sgd", 0.2), ("rmsprop", 0.0)] {
        for row in train(settings(optimizer, decay)).rows {
            let modes = row.gradient_component.iter().zip(&row.step_component);
            for (along, step) in modes {
                assert!(near(*step, -0.05 * along), "{optimizer}, {decay}: {row:?}");
            }
            let known = if optimizer == "sgd" { 3 } else { 1 };
            assert_eq!(row.gradient_component.len(), known, "{optimizer}");
        }
    }
}
