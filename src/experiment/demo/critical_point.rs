//! Critical points.

use super::bench::{Bench, at, ends};
use super::{Demo, Example, Part};
use crate::error::Result;
use crate::experiment::Prepared;
use crate::landscape::moved;
use crate::linalg::dot;

pub(super) const DEMO: Demo = Demo {
    name: "critical-point",
    title: "Critical points: where the gradient is zero",
    definition: "A critical point is one where the gradient is zero. It is a minimum where all eigenvalues of the \
                 Hessian are above zero, a saddle where some are above and some below, and degenerate where one is \
                 zero. That the loss stands still is not enough.",
    examples: &[
        Example {
            name: "minimum",
            what: "Gradient descent ends at the minimum (1, 0), where the eigenvalues are 4 and 2.",
            settings: r#"{"objective": {"kind": "strict-saddle", "offset": 1}, "start": [0.6, 1], "lr": 0.1, "steps": 120, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "ridge",
            what: "Logistic regression is convex: one critical point, its minimum.",
            settings: r#"{"objective": "logistic", "start": [0, 0], "lr": 1, "steps": 300, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "valley",
            what: "A whole curve of critical points: the smallest eigenvalue is 0 on it.",
            settings: r#"{"objective": {"kind": "valley", "offset": 1}, "start": [1, 0.5], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
    ],
    non_examples: &[
        Example {
            name: "plateau",
            what: "The loss stands still, and the gradient is small and not zero: a plateau.",
            settings: r#"{"objective": "plateau", "start": [4, 4], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "cycle",
            what: "The loss stands still because gradient descent goes to and fro at the edge of stability.",
            settings: r#"{"objective": "quartic", "start": [0.01, 1], "lr": 0.25, "steps": 400, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
    ],
    derivation: "Near a minimum g = H(x - x*), so that a step x - lr g makes the gradient (1 - lr H) g: each part of it \
                 along an eigenvector shrinks by 1 - lr l, and in the end its norm by the largest |1 - lr l| in each \
                 step, that of the flattest direction where lr is small. Away from critical points a small step changes the loss by \
                 -lr |g|^2 + lr^2/2 g'Hg (the descent lemma has lr^2 L/2 |g|^2 as a bound for the second term), so \
                 that a loss which no step can lower at first order has g = 0.",
    column: "grad_norm",
    event: "minimum_suspected",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let run = bench.run("minimum")?;
    let norms: Vec<f64> = run.rows()?.iter().filter_map(|row| row.grad_norm).collect();
    let ratio = norms[100] / norms[99];
    bench.check("factor of the gradient's norm in a step, 1 - 0.1 * 2", 0.8, ratio, 1e-6);
    let last = run.rows()?.last().and_then(|row| row.lambda_min).unwrap_or(f64::NAN);
    bench.check("smallest eigenvalue at (1, 0)", 2.0, last, 1e-6);
    let rows = bench.run("valley")?;
    let last = rows.rows()?.last().and_then(|row| row.lambda_min).unwrap_or(f64::NAN);
    bench.check("smallest eigenvalue on the valley", 0.0, last, 1e-6);
    Ok(())
}

/// The change of the loss by a small step.
fn large(bench: &mut Bench) -> Result<()> {
    let softmax = bench.softmax("tanh")?;
    bench.on(Part::Softmax);
    descent(bench, softmax)?;
    // The softmax regression's minimum, by the slowest part of its gradient.
    let mut ridge = bench.problem(serde_json::json!({ "objective": "logistic", "lr": 1 }))?;
    let run = bench.run("ridge")?;
    let norms: Vec<f64> = run.rows()?.iter().filter_map(|row| row.grad_norm).collect();
    let theta = run.directory().read_weights(300, ridge.problem.train.layout())?;
    at(&mut *ridge.problem.train, &theta)?;
    let flattest = ends(&*ridge.problem.train, 1)?.lambda_min.unwrap_or(f64::NAN);
    let what = "factor of the gradient's norm in a step of logistic regression, 1 - lr l_min";
    bench.check(what, 1.0 - flattest, norms[100] / norms[99], 1e-2);
    let transformer = bench.transformer()?;
    bench.on(Part::Transformer);
    descent(bench, transformer)
}

fn descent(bench: &mut Bench, mut prepared: Prepared) -> Result<()> {
    let (theta, lr) = (prepared.theta.clone(), 1e-4);
    let objective = &mut *prepared.problem.train;
    let here = at(objective, &theta)?;
    let g = here.gradient;
    let curved = dot(&g, &objective.hvp(&g)?);
    let theory = -lr * dot(&g, &g) + 0.5 * lr * lr * curved;
    let there = at(objective, &moved(&theta, &[(-lr, &g)]))?;
    let change = there.evaluation.loss - here.evaluation.loss;
    bench.check("change of the loss by a step, -lr |g|^2 + lr^2/2 g'Hg", theory, change, 1e-4);
    Ok(())
}
