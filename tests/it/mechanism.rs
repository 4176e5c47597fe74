//! The mechanism at the edge of stability: against closed forms along trajectories computed by hand, against
//! the change of the sharpness, and against what its theory predicts.

use serde_json::{Value, json};
use sharpscope::autodiff::Samples;
use sharpscope::config::RunConfig;
use sharpscope::curvature::{CurvatureMeter, DifferenceStep};
use sharpscope::experiment::prepare;
use sharpscope::linalg::{Lanczos, dot, norm};
use sharpscope::optim::StabilityOperator;
use sharpscope::profile::{Objectives, Realized, Start, StepMeter, Update};
use sharpscope::record::StepRow;

use crate::support::{Place, Table};
use crate::training::train;

type Point = [f64; 2];
type Matrix = [[f64; 2]; 2];

/// A function of two numbers by hand: its gradient, its Hessian and the Hessian's derivatives.
struct ByHand {
    objective: Value,
    gradient: fn(Point) -> Point,
    hessian: fn(Point) -> Matrix,
    changes: fn(Point) -> [Matrix; 2],
}

/// x^2 y^2/2 + (y - 3)^2/2 and (xy - 2)^2/2.
const QUARTIC_AND_PRODUCT: fn() -> [ByHand; 2] = || {
    [
        ByHand {
            objective: json!({"kind": "quartic", "target": 3}),
            gradient: |[x, y]| [x * y * y, x * x * y + y - 3.0],
            hessian: |[x, y]| [[y * y, 2.0 * x * y], [2.0 * x * y, x * x + 1.0]],
            changes: |[x, y]| {
                [[[0.0, 2.0 * y], [2.0 * y, 2.0 * x]], [[2.0 * y, 2.0 * x], [2.0 * x, 0.0]]]
            },
        },
        ByHand {
            objective: json!({"kind": "uv", "target": 2}),
            gradient: |[x, y]| [y * (x * y - 2.0), x * (x * y - 2.0)],
            hessian: |[x, y]| [[y * y, 2.0 * x * y - 2.0], [2.0 * x * y - 2.0, x * x]],
            changes: |[x, y]| {
                [[[0.0, 2.0 * y], [2.0 * y, 2.0 * x]], [[2.0 * y, 2.0 * x], [2.0 * x, 0.0]]]
            },
        },
    ]
};

fn apply(matrix: Matrix, v: Point) -> Point {
    matrix.map(|row| dot(&row, &v))
}

/// The largest eigenvalue and its unit eigenvector.
fn top(hessian: Matrix) -> (f64, Point) {
    let [[a, b], [_, c]] = hessian;
    let largest = 0.5 * (a + c) + (0.25 * (a - c).powi(2) + b * b).sqrt();
    let v =
        if (largest - a).abs() > (largest - c).abs() { [b, largest - a] } else { [largest - c, b] };
    (largest, v.map(|x| x / norm(&v)))
}

fn close(what: &str, found: Option<f64>, expected: f64) {
    let found = found.unwrap_or_else(|| panic!("{what} is not measured"));
    let apart = (found - expected).abs();
    assert!(apart < 1e-6 * expected.abs().max(1e-3), "{what}: {found} against {expected}");
}

/// Each number of each row, of gradient descent with and without weight decay.
#[test]
fn on_formulas_it_is_that_of_their_derivatives() {
    for by_hand in QUARTIC_AND_PRODUCT() {
        for decay in [0.0, 0.1] {
            let (lr, steps, start) = (0.24, 8, [0.3, 2.6]);
            let rows = train(json!({
                "objective": by_hand.objective, "start": start, "lr": lr, "steps": steps,
                "weight_decay": decay, "mechanism": true, "top": 2, "tolerance": 1e-10,
                "precision": "f64", "solver": "lanczos",
            }))
            .rows;
            let force = |p: Point| {
                let g = (by_hand.gradient)(p);
                [g[0] + decay * p[0], g[1] + decay * p[1]]
            };
            let mut path = vec![start];
            for t in 0..steps {
                let (p, g) = (path[t], force(path[t]));
                path.push([p[0] - lr * g[0], p[1] - lr * g[1]]);
            }
            assert_eq!((rows[0].alpha, rows[0].midpoint_sharpness), (None, None));
            for t in 1..steps {
                let weigh = |a: f64, b: f64, c: f64| {
                    [0, 1].map(|i| (a * path[t - 1][i] + b * path[t][i] + c * path[t + 1][i]) / 4.0)
                };
                let (middle, swing) = (weigh(1.0, 2.0, 1.0), weigh(1.0, -2.0, 1.0));
                let (lambda, u) = top((by_hand.hessian)(middle));
                let slope = (by_hand.changes)(middle).map(|change| dot(&u, &apply(change, u)));
                let row = &rows[t];
                let (alpha, beta) = (-dot(&force(middle), &slope), dot(&slope, &slope));
                let variance = dot(&u, &swing).powi(2);
                close("midpoint sharpness", row.midpoint_sharpness, lambda);
                close("alpha", row.alpha, alpha);
                close("beta", row.beta, beta);
                close("predicted", row.predicted_variance, (2.0 * alpha / beta).max(0.0));
                close("measured", row.measured_variance, variance);
                close("length", row.curvature_length, (lambda + decay) / beta.sqrt());
                let share = variance * beta.sqrt() / 2.0 / norm(&force(middle));
                close("share", row.flatness_force_share, share);
                let cosine = dot(&middle, &slope) / norm(&middle) / beta.sqrt();
                close("alignment", row.sharpness_alignment, cosine);
                // A formula has no outputs before the loss.
                assert_eq!(row.gauss_newton_share, None);
                assert!(row.sharpness_gradient_error.unwrap() < 1e-5, "{row:?}");
                let [first, second] = row.midpoint_lambda[..] else { panic!("{row:?}") };
                let trace = (by_hand.hessian)(middle);
                close("the eigenvalues' sum", Some(first + second), trace[0][0] + trace[1][1]);
                assert_eq!(Some(first), row.midpoint_sharpness);
                let decayed = (decay != 0.0).then_some(first + decay);
                assert_eq!(row.midpoint_preconditioned_sharpness, decayed);
                assert_eq!((row.top_gradient_variance, row.predicted_gap), (None, None));
            }
        }
    }
}

/// Gradient descent on the quartic ends in the cycle y^2 = 2/eta, x = +-sqrt((3 - y)/y): the variance that is
/// predicted is that of the cycle, and the sharpness at its midpoint the threshold, while it is more at both ends.
#[test]
fn in_a_cycle_the_variance_is_the_predicted_one_and_the_midpoint_is_at_the_edge() {
    let lr = 0.25;
    let rows = train(json!({
        "objective": "quartic", "start": [0.01, 1.0], "lr": lr, "steps": 1502, "every": 1500,
        "mechanism": true, "precision": "f64", "tolerance": 1e-9,
    }))
    .rows;
    let y = (2.0_f64 / lr).sqrt();
    let row = &rows[1500];
    let variance = (3.0 - y) / y;
    for (what, found) in
        [("predicted", row.predicted_variance), ("measured", row.measured_variance)]
    {
        let found = found.unwrap();
        assert!((found / variance - 1.0).abs() < 1e-5, "{what} {found}, not {variance}");
    }
    let edge = row.midpoint_sharpness.unwrap() * lr / 2.0;
    assert!((edge - 1.0).abs() < 1e-6, "{edge}");
    assert!(row.edge_ratio.unwrap() > 1.02, "{row:?}");
}

fn small(more: Value) -> Value {
    let mut settings = json!({
        "model": {"kind": "mlp", "hidden": [6], "activation": "tanh"}, "train_size": 40,
        "validation_size": 0, "backend": "cpu", "precision": "f64", "seed": 2,
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    settings
}

/// While the loss sharpens without oscillation, the sharpness rises by eta alpha a step.
#[test]
fn the_sharpness_rises_by_alpha() {
    let lr = 0.003;
    let settings =
        json!({"lr": lr, "steps": 14, "mechanism": true, "tolerance": 1e-9, "solver": "lanczos"});
    let rows = train(small(settings)).rows;
    let mut sizes = 0.0_f64;
    for pair in rows[1..].windows(2) {
        let [before, after] = [&pair[0], &pair[1]];
        let rise = after.midpoint_sharpness.unwrap() - before.midpoint_sharpness.unwrap();
        let expected = lr * 0.5 * (after.alpha.unwrap() + before.alpha.unwrap());
        sizes = sizes.max(expected.abs());
        assert!((rise - expected).abs() < 0.03 * sizes, "{rise} against {expected}");
        // The parameters hardly oscillate, and the midpoint is where they are.
        let apart = after.midpoint_sharpness.unwrap() - after.sharpness.unwrap();
        assert!(apart.abs() < 0.1 * sizes, "{apart}");
    }
    assert!(sizes > 1e-3);
}

/// What of the sharpness is the Gauss-Newton matrix's is all of it for a linear model, and else that of a
/// product with that matrix.
#[test]
fn the_share_of_the_gauss_newton_matrix() {
    let steps = json!({"lr": 0.05, "steps": 3, "mechanism": true, "tolerance": 1e-9});
    let mut linear = small(steps.clone());
    linear["model"] = json!("linear");
    for row in &train(linear).rows[1..] {
        close("of a linear model", row.gauss_newton_share, 1.0);
        // The Hessian stays what it is.
        assert!(row.beta.unwrap() < 1e-12, "{row:?}");
    }
    for row in &train(small(steps)).rows[1..] {
        let share = row.gauss_newton_share.unwrap();
        assert!(share > 0.3 && (share - 1.0).abs() > 1e-4, "{share}");
    }
}

/// Measures at one point by the library, with an operator of one's own.
fn measured_with(operator: &StabilityOperator) -> StepRow {
    let config = RunConfig::resolve(serde_json::from_value(small(json!({}))).unwrap()).unwrap();
    let mut prepared = prepare(config).unwrap();
    let theta = prepared.theta.clone();
    let objective = &mut prepared.problem.train;
    objective.set_parameters(&theta).unwrap();
    let gradient = objective.gradient(Samples::All).unwrap().gradient;
    let lanczos = Lanczos { largest: 1, smallest: 0, tolerance: 1e-10, max_iterations: 300 };
    let meter = StepMeter {
        meter: CurvatureMeter::lanczos(lanczos, 0),
        batch_sharpness: None,
        realized: Realized::Off,
        perturbed_sharpness: false,
        midpoint_sharpness: true,
        mechanism: Some(DifferenceStep { resolution: f64::EPSILON, length: Some(1e-4) }),
        quantities: Vec::new(),
        classes: Vec::new(),
    };
    let change: Vec<f64> = gradient.iter().map(|g| -0.3 * g).collect();
    let previous: Vec<f64> = theta.iter().zip(&change).map(|(w, s)| w + 0.7 * s).collect();
    let start = Start {
        theta: &theta,
        previous: Some(&previous),
        update: Some(&change),
        descended: None,
        gradient: Some(&gradient),
        products: None,
    };
    let mut row = StepRow::default();
    let objectives = Objectives { train: &mut **objective, curvature: None };
    let update = Update { operator, perturbed: None, batch_edges: None, early_factor: None };
    let measured = meter.measure(&mut row, objectives, start, update, None).unwrap();
    assert_eq!(measured.remark, None);
    row
}

/// In the metric of a preconditioner that is the same p everywhere, the sharpness is S/p, its gradient in that
/// metric p^-3/2 grad S, and lengths are sqrt(p) times what they were.
#[test]
fn in_the_metric_of_a_preconditioner_the_numbers_scale() {
    let p = 4.0;
    let plain = measured_with(&StabilityOperator::default());
    let dim = plain_dimension();
    let scaled = measured_with(&StabilityOperator {
        preconditioner: Some(vec![p; dim]),
        ..StabilityOperator::default()
    });
    let factor = |of: fn(&StepRow) -> Option<f64>, factor: f64| {
        let (scaled, plain) = (of(&scaled).unwrap(), of(&plain).unwrap());
        assert!((scaled / plain / factor - 1.0).abs() < 1e-6, "{scaled}, {plain}, {factor}");
    };
    factor(|row| row.midpoint_preconditioned_sharpness.or(row.midpoint_sharpness), 1.0 / p);
    factor(|row| row.midpoint_sharpness, 1.0);
    factor(|row| row.alpha, p.powi(-2));
    factor(|row| row.beta, p.powi(-3));
    for row in [&plain, &scaled] {
        let predicted = (2.0 * row.alpha.unwrap() / row.beta.unwrap()).max(0.0);
        assert_eq!(row.predicted_variance, Some(predicted));
    }
    factor(|row| row.measured_variance, p);
    factor(|row| row.curvature_length, p.sqrt());
    for same in [
        |row: &StepRow| row.flatness_force_share,
        |row: &StepRow| row.sharpness_alignment,
        |row: &StepRow| row.gauss_newton_share,
    ] {
        factor(same, 1.0);
    }
}

fn plain_dimension() -> usize {
    let config = RunConfig::resolve(serde_json::from_value(small(json!({}))).unwrap()).unwrap();
    prepare(config).unwrap().theta.len()
}

/// Over batches of one the variance along the top eigenvector is the mean over samples, and the gap is its
/// formula of the row's numbers.
#[test]
fn noise_keeps_a_gap() {
    let settings = small(json!({
        "lr": 0.05, "steps": 2, "batch_size": 1, "sharpness_batches": 600, "mechanism": true,
        "train_size": 12, "tolerance": 1e-9,
    }));
    let rows = train(settings.clone()).rows;
    let config = RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap();
    let mut prepared = prepare(config).unwrap();
    let theta = prepared.theta.clone();
    let objective = &mut prepared.problem.train;
    objective.set_parameters(&theta).unwrap();
    let lanczos = Lanczos { largest: 1, smallest: 0, tolerance: 1e-10, max_iterations: 300 };
    let u = CurvatureMeter::lanczos(lanczos, 0).measure(&**objective, 0).unwrap().top_vector;
    let along = |samples: Samples<'_>| dot(&u, &objective.gradient(samples).unwrap().gradient);
    let full = along(Samples::All);
    let squares: f64 = (0..12).map(|i| (along(Samples::Batch(&[i])) - full).powi(2)).sum();
    let row = &rows[0];
    let (found, error) =
        (row.top_gradient_variance.unwrap(), row.top_gradient_variance_se.unwrap());
    assert!((found - squares / 12.0).abs() < 3.0 * error && error < 0.2 * found, "{row:?}");
    assert_eq!(row.predicted_gap, None, "there is no midpoint yet");
    let row = &rows[1];
    let alpha = row.alpha.unwrap();
    let per = 0.05 * row.beta.unwrap() / (4.0 * alpha);
    if alpha > 0.0 {
        close("gap", row.predicted_gap, per * row.top_gradient_variance.unwrap());
        close("its error", row.predicted_gap_se, per * row.top_gradient_variance_se.unwrap());
    } else {
        assert_eq!(row.predicted_gap, None);
    }
    // With momentum the formula is another one.
    let rows = train(small(json!({
        "lr": 0.05, "steps": 2, "batch_size": 4, "optimizer": "momentum", "mechanism": true,
    })))
    .rows;
    assert!(rows[1].top_gradient_variance.is_some() && rows[1].predicted_gap.is_none());
}

#[test]
fn its_columns_and_products_are_beside_those_of_every_run() {
    let place = Place::new();
    let run = "run --backend cpu --model mlp --train-size 30 --steps 7 --lr 0.1 --precision f64";
    place.run_well(&format!("{run} --out without"));
    place.run_well(&format!("{run} --every 2 --midpoint-sharpness --out midpoint"));
    place.run_well(&format!("{run} --mechanism --checkpoint-every 3 --out with"));
    let table = |name: &str| Table::of(place.made(name));
    let (without, with, midpoint) = (table("without"), table("with"), table("midpoint"));
    assert!(!without.header.contains("midpoint"));
    let more = with.header.strip_prefix(&without.header).unwrap();
    assert!(more.starts_with(",midpoint_sharpness,midpoint_preconditioned_sharpness"), "{more}");
    for step in 0..7 {
        for column in ["train_loss", "sharpness", "residual", "realized_ratio"] {
            let same = with.cell(step, column) == without.cell(step, column);
            assert!(same || column == "residual", "step {step}: {column}");
        }
        assert_eq!(with.cell(step, "alpha").is_empty(), step == 0);
        let products = with.number(step, "hvps") - without.number(step, "hvps");
        // A product at least at the midpoint, two for the gradient of the sharpness and one for the share.
        assert!(if step == 0 { products == 0.0 } else { products >= 4.0 }, "{products}");
        let measured = step % 2 == 0 && step > 0;
        assert_eq!(midpoint.cell(step, "midpoint_sharpness").is_empty(), !measured, "{step}");
    }
    assert!(!midpoint.header.contains("alpha"));
    let words = "run --backend cpu --config @/config.json --out new";
    place.file("config.json", r#"{"mechanism": true, "midpoint_sharpness": false}"#);
    let refusal = place.run(words).refusal().unwrap();
    for part in ["--midpoint-sharpness", "--mechanism is measured at midpoints", "leave one"] {
        assert!(refusal.contains(part), "{refusal}");
    }
}
