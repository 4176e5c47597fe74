//! Degenerate critical points, and matrices of low rank.

use serde_json::{Value, json};

use super::bench::{Bench, at, gradient_factor, last};
use super::dense::{decomposed, zeros};
use super::{Demo, Example, Part};
use crate::curvature::Matrix;
use crate::error::Result;

pub(super) const DEMO: Demo = Demo {
    name: "degeneracy",
    title: "Degeneracy: eigenvalues that are zero",
    definition: "A critical point is degenerate where the Hessian has a zero eigenvalue: to second order the loss does not change \
                 along its direction, and whether it is a minimum only higher orders tell. Networks are: symmetries and more \
                 parameters than the data bind make zeros that can be counted. An eigenvalue that is small is not one of them.",
    examples: &[
        Example {
            name: "valley",
            what: "A curve of minima: one zero eigenvalue along it.",
            settings: r#"{"objective": {"kind": "valley", "offset": 1}, "start": [1, 0.5], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "fourth-order",
            what: "x^4/4 + y^2/2: one minimum, flat to third order, which descent nears as 1/sqrt(t) and no faster.",
            settings: r#"{"objective": {"kind": "expression", "variables": ["x", "y"], "formula": "x^4/4 + y^2/2"}, "start": [1, 1], "lr": 0.1, "steps": 400, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "factors",
            what: "Two vectors with one product: 5 of 6 eigenvalues are zero at a minimum.",
            settings: r#"{"objective": {"kind": "uv", "width": 3, "offset": 1}, "start": [1, 0.5, 0.2, 0.5, 1, 0.3], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
    ],
    non_examples: &[
        Example {
            name: "narrow",
            what: "Ill-conditioned is not degenerate: the eigenvalue 0.001 is small, and descent goes on as its power.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [1, 0.001]}, "start": [1, 1], "lr": 0.5, "steps": 200, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "saddle",
            what: "A strict saddle has eigenvalues -1 and 1, and none that is zero.",
            settings: r#"{"objective": "strict-saddle", "start": [1e-9, 1], "lr": 0.1, "steps": 120, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
    ],
    derivation: "On a set of minima the gradient is zero, and its derivative along the set, Hv, too. With x' = -x^3, 1/x^2 grows by 2 lr \
                 in each step, and by 3 lr^2 x^2 to the next order. At a minimum UV' = M the Hessian is J'J with J(dU, dV) = dU V' + U dV', of rank \
                 mn - (m - rank U)(n - rank V). G = J'(loss'')J of a network has no larger rank than loss'' has: samples times (K - 1) \
                 with a softmax of K classes, whose own matrix diag(p) - pp' has one zero. With many samples it is P less \
                 the symmetries of the outputs, at every point: one for each relu unit (its scale), and for each input \
                 of the last layer and its bias one shift of all logits.",
    column: "lambda_min (--smallest); the whole by spectrum --matrix gauss-newton",
    event: "minimum_suspected",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let found = last(&bench.run("valley")?, |row| row.lambda_min)?;
    bench.check("smallest eigenvalue on the valley", 0.0, found, 1e-6);
    let run = bench.run("fourth-order")?;
    let (lr, steps) = (0.1, 399.0);
    let time = 1.0 + 2.0 * lr * steps;
    let theory = (time + 1.5 * lr * f64::ln(time)).powf(-1.5);
    bench.check(
        "gradient of x^4/4 after 399 steps",
        theory,
        last(&run, |row| row.grad_norm)?,
        1e-3,
    );
    let mut uv = bench.problem(json!({"objective": {"kind": "uv", "width": 3}}))?;
    let run = bench.run("factors")?;
    let theta = run.directory().read_weights(200, uv.problem.train.layout())?;
    at(&mut *uv.problem.train, &theta)?;
    let all = decomposed(&*uv.problem.train, Matrix::Hessian)?.values;
    let below = all.iter().filter(|value| value.abs() < 1e-6 * all[5]).count() as f64;
    bench.check("zero eigenvalues of two vectors of length 3, 2 * 3 - 1", 5.0, below, 0.0);
    // More columns than the matrix has singular values, at U = V = S^(1/2) and zeros.
    let mut wide =
        bench.problem(json!({"objective": {"kind": "matrix-factorization", "rank": 3}}))?;
    let mut theta = vec![0.0; wide.theta.len()];
    for (offset, entries) in [(0, [(0, 0), (1, 1)]), (12, [(0, 0), (1, 1)])] {
        for ((row, column), value) in entries.into_iter().zip([3f64, 2.0]) {
            theta[offset + row * 3 + column] = value.sqrt();
        }
    }
    at(&mut *wide.problem.train, &theta)?;
    let all = decomposed(&*wide.problem.train, Matrix::Hessian)?.values;
    let theory = 21.0 - (12.0 - (4.0 - 2.0) * (3.0 - 2.0));
    bench.check(
        "zero eigenvalues of factors of rank 3 for a matrix of rank 2",
        theory,
        zeros(&all),
        0.0,
    );
    let factor = gradient_factor(&bench.run("narrow")?, 180)?;
    bench.check("factor of the gradient in a step, 1 - 0.5 * 0.001", 0.9995, factor, 1e-7);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let network = |activation: &str, hidden: usize, samples: usize| {
        json!({
            "model": {"kind": "mlp", "hidden": [hidden], "activation": activation},
            "dataset": "blobs", "loss": "ce", "train_size": samples,
        })
    };
    let few = "rank of the Gauss-Newton matrix of 4 samples, 4 (K - 1)";
    rank(bench, few, network("tanh", 8, 4), 8.0)?;
    // P less the shifts of logits, by three units and a bias.
    let tanh = "rank with 300 samples and 3 tanh units, P less 4 shifts of the logits";
    rank(bench, tanh, network("tanh", 3, 300), 21.0 - 4.0)?;
    let relu = "rank with 300 samples and 3 relu units, P less 4 shifts and 3 scales";
    rank(bench, relu, network("relu", 3, 300), 21.0 - 4.0 - 3.0)?;
    bench.on(Part::Transformer);
    let transformer = json!({
        "model": {"kind": "transformer", "layers": 1, "heads": 1, "width": 4, "context": 3},
        "dataset": "shakespeare", "train_size": 1, "validation_size": 1,
    });
    let tokens = bench.problem(transformer.clone())?.dataset.outputs() as f64;
    let what = "rank with one window of 3 tokens, 3 (V - 1)";
    rank(bench, what, transformer, 3.0 * (tokens - 1.0))
}

/// How many eigenvalues of the Gauss-Newton matrix are not zero.
fn rank(bench: &mut Bench, what: &str, settings: Value, theory: f64) -> Result<()> {
    let prepared = bench.problem(settings)?;
    let values = decomposed(&*prepared.problem.train, Matrix::GaussNewton)?.values;
    bench.check(what, theory, values.len() as f64 - zeros(&values), 0.0);
    Ok(())
}
