//! Two layers of one output, f = u'v with loss f^2/2: the model in which Lewkowycz et al. 2020 (arXiv:2003.02218) found
//! the catapult. Gradient descent of it is exactly
//!
//! ```text
//! f' = f (1 - eta l + eta^2 f^2),  l' = l + eta f^2 (eta l - 4),  l = |u|^2 + |v|^2
//! ```
//!
//! so that l, the sharpness where f is 0, falls as long as eta l is below 4. (Theirs has f = u'v/sqrt(n).)

use serde_json::{Value, json};
use sharpscope::record::{ExitStatus, StepRow};

use crate::training::train;

/// Its loss is f^2/2 and its squared norm l, in the program's own words.
fn settings(lr: f64, steps: usize, problem: &Value) -> Value {
    let mut settings = json!({ "lr": lr, "steps": steps, "precision": "f64", "backend": "cpu", "tolerance": 1e-8 });
    settings.as_object_mut().unwrap().extend(problem.as_object().unwrap().clone());
    settings
}

fn state(row: &StepRow) -> (f64, f64) {
    ((2.0 * row.train_loss.unwrap()).sqrt(), row.param_norm.unwrap().powi(2))
}

/// The problem as a formula, and as a network of 16 linear units on one sample.
fn problems(folder: &std::path::Path) -> [Value; 2] {
    let data = folder.join("one.csv");
    std::fs::write(&data, "1,0\n1,0\n").unwrap();
    let network = json!({
        "model": {"kind": "mlp", "hidden": [16], "activation": "identity", "bias": false},
        "dataset": data, "regression": true, "train_size": 1, "validation_size": 0, "seed": 4,
    });
    let start = [0.9, -1.2, 0.3, 1.1, 0.02, 0.01, -0.03, 0.02];
    [json!({"objective": {"kind": "uv", "width": 4, "target": 0.0}, "start": start}), network]
}

#[test]
fn gradient_descent_follows_the_recursion() {
    let folder = tempfile::TempDir::new().unwrap();
    for problem in problems(folder.path()) {
        let first = train(settings(1e-3, 1, &problem)).rows;
        let (_, l) = state(&first[0]);
        for share in [1.5, 3.0, 3.7] {
            let lr = share / l;
            let rows = train(settings(lr, 40, &problem)).rows;
            let most = rows.iter().map(|row| state(row).0).fold(0.0, f64::max);
            for pair in rows.windows(2) {
                let ((f, l), (f_next, l_next)) = (state(&pair[0]), state(&pair[1]));
                let expected = (f * (1.0 - lr * l + (lr * f).powi(2))).abs();
                assert!((f_next - expected).abs() < 1e-12 * most, "{share}: {f_next}, {expected}");
                let expected = l + lr * f * f * (lr * l - 4.0);
                assert!((l_next / expected - 1.0).abs() < 1e-13, "{share}: {l_next}, {expected}");
            }
        }
    }
}

/// Between 2/l and 4/l the loss rises first, and the sharpness ends below the threshold; above 4/l nothing holds.
#[test]
fn the_catapult_lowers_the_sharpness_below_the_threshold() {
    let folder = tempfile::TempDir::new().unwrap();
    for problem in problems(folder.path()) {
        let first = train(settings(1e-3, 1, &problem)).rows;
        let (_, before) = state(&first[0]);
        let run = |share: f64| train(settings(share / before, 600, &problem));
        let peak =
            |rows: &[StepRow]| rows.iter().filter_map(|row| row.train_loss).fold(0.0, f64::max);
        for (share, rises) in [(1.5, false), (2.5, true), (3.3, true)] {
            let done = run(share);
            assert_eq!(done.summary.status, ExitStatus::Completed, "{share}");
            let last = done.rows.last().unwrap();
            let (f, after) = state(last);
            assert!(f < 1e-6, "{share}: {f}");
            let (first, most) = (done.rows[0].train_loss.unwrap(), peak(&done.rows));
            assert_eq!(most > 1.5 * first, rises, "{share}: {first} to {most}");
            // What the program calls sharpness and edge.
            assert!((last.sharpness.unwrap() / after - 1.0).abs() < 1e-6, "{share}: {last:?}");
            assert!(last.edge_ratio.unwrap() < 1.0, "{share}: {last:?}");
            assert_eq!(after < 0.9 * before, rises, "{share}: {before} to {after}");
        }
        assert_eq!(run(4.2).summary.status, ExitStatus::Diverged);
    }
}
