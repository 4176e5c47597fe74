//! Negative curvature.

use serde_json::json;

use super::bench::{Bench, above, at, first, last};
use super::dense::{decomposed, decomposed_operator};
use super::{Demo, Example, Part};
use crate::autodiff::Objective;
use crate::curvature::{Block, CurvatureOperator, Hessian, Matrix, named_group};
use crate::error::Result;
use crate::landscape::second_difference;
use crate::linalg::{Lanczos, random_unit_vectors};
use crate::rng::{self, Stream};

pub(super) const DEMO: Demo = Demo {
    name: "negative-curvature",
    title: "Negative curvature: directions along which the slope grows",
    definition: "A direction v has negative curvature where v'Hv < 0: along it, to both sides, the loss lies below its \
                 tangent. It may be met anywhere, at slopes and plateaus as well as at saddles; at a minimum it is not. The smallest \
                 eigenvalue of the Hessian tells whether there is any.",
    examples: &[
        Example {
            name: "slope",
            what: "On the slope of a plateau, far from any critical point.",
            settings: r#"{"objective": "plateau", "start": [1.5, 1], "lr": 0.1, "steps": 60, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "monkey",
            what: "Beside a monkey saddle, at which itself the Hessian is zero: -6x + cx^2 across.",
            settings: r#"{"objective": "monkey-saddle", "start": [0.2, 0], "lr": 0.05, "steps": 60, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "saddle",
            what: "At a strict saddle, which descent leaves along that direction.",
            settings: r#"{"objective": "strict-saddle", "start": [1e-4, 1], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("saddle"),
        },
    ],
    non_examples: &[
        Example {
            name: "convex",
            what: "Logistic regression with a ridge is convex: no eigenvalue is below the ridge, 0.01.",
            settings: r#"{"objective": "logistic", "start": [3, -3], "lr": 1, "steps": 60, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "cycle",
            what: "The loss goes up and down at the edge of stability, and both eigenvalues are above 0.",
            settings: r#"{"objective": "quartic", "start": [0.01, 1], "lr": 0.25, "steps": 600, "smallest": true}"#,
            event: Some("saddle"),
        },
    ],
    derivation: "(L(x + rv) + L(x - rv))/2 - L(x) = r^2/2 v'Hv to fourth order, which takes no Hessian: for tanh(x)^2/(2P), \
                 (1 - t^2)(1 - 3t^2)/P with t = tanh x, below 0 from t = 1/sqrt 3 on. The Hessian of a network is G + R, G = \
                 J'(loss'')J without negative eigenvalues and R the curvature of the network itself. A block of H by a \
                 layer that enters the outputs linearly, a last one or one before relu units, has R = 0: negative \
                 curvature is between layers.",
    column: "lambda_min (--smallest)",
    event: "saddle, where the loss stands still",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let curved = |x: f64| 0.5 * (1.0 - x.tanh().powi(2)) * (1.0 - 3.0 * x.tanh().powi(2));
    let found = first(&bench.run("slope")?, |row| row.lambda_min)?;
    let theory = curved(1.5).min(curved(1.0));
    bench.check("smallest eigenvalue at (1.5, 1) of the plateau", theory, found, 1e-6);
    let mut plateau = bench.problem(json!({"objective": "plateau"}))?;
    let objective = &mut *plateau.problem.train;
    let difference = second_difference(objective, &[1.5, 1.0], &[1.0, 0.0], 1e-3)?;
    bench.check("second difference of the loss along the first", curved(1.5), difference, 1e-6);
    let found = first(&bench.run("monkey")?, |row| row.lambda_min)?;
    bench.check("smallest eigenvalue at (0.2, 0) beside the monkey saddle", -1.08, found, 1e-6);
    let found = first(&bench.run("saddle")?, |row| row.lambda_min)?;
    bench.check("smallest eigenvalue at the saddle, 3 (1e-4)^2 - 1", 3e-8 - 1.0, found, 1e-6);
    let rows = bench.run("convex")?;
    let measured = rows.rows()?.iter().filter_map(|row| row.lambda_min);
    let least = measured.reduce(f64::min).unwrap_or(f64::NAN);
    bench.check("eigenvalue below the ridge", 0.0, above(0.01, least), 1e-9);
    let y = 8f64.sqrt();
    let square = (3.0 - y) / y;
    let (trace, determinant) = (y * y + square + 1.0, y * y * (1.0 - 3.0 * square));
    let theory = 0.5 * (trace - (trace * trace - 4.0 * determinant).sqrt());
    let found = last(&bench.run("cycle")?, |row| row.lambda_min)?;
    bench.check("smallest eigenvalue on the cycle", theory, found, 1e-4);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let mut softmax = bench.softmax("tanh")?;
    let theta = softmax.theta.clone();
    let objective = &mut *softmax.problem.train;
    at(objective, &theta)?;
    let hessian = decomposed(objective, Matrix::Hessian)?;
    let (value, vector) = (hessian.values[0], hessian.vector(0).to_vec());
    along(bench, objective, &theta, value, &vector)?;
    let least = decomposed(objective, Matrix::GaussNewton)?.values[0];
    bench.check("eigenvalue of the Gauss-Newton matrix below 0", 0.0, above(0.0, least), 1e-12);
    let mut relu = bench.softmax("relu")?;
    let theta = relu.theta.clone();
    let objective = &mut *relu.problem.train;
    at(objective, &theta)?;
    let whole = decomposed(objective, Matrix::Hessian)?.values[0];
    let sign = if whole < 0.0 { -1.0 } else { 1.0 };
    bench.check("sign of the smallest eigenvalue with relu units", -1.0, sign, 0.0);
    let mut worst = f64::INFINITY;
    for layer in ["layers.0", "layers.1"] {
        let coordinates = named_group(objective.layout(), layer)?.coordinates;
        let mut block = Block::new(Hessian::new(objective), coordinates)?;
        worst = worst.min(decomposed_operator(&mut block)?.values[0]);
    }
    bench.check("eigenvalue of one layer's block below 0", 0.0, above(0.0, worst), 1e-12);
    bench.on(Part::Transformer);
    let mut transformer = bench.transformer()?;
    let theta = transformer.theta.clone();
    let objective = &mut *transformer.problem.train;
    at(objective, &theta)?;
    let (value, vector) = smallest(objective)?;
    along(bench, objective, &theta, value, &vector)
}

/// The smallest eigenvalue and its vector, by Lanczos' method.
fn smallest(objective: &dyn Objective) -> Result<(f64, Vec<f64>)> {
    let n = objective.dim();
    let lanczos = Lanczos { largest: 0, smallest: 1, tolerance: 1e-6, max_iterations: n };
    let mut rng = rng::stream(0, Stream::Krylov { step: 0 });
    let start = random_unit_vectors(n, lanczos.starts(), &mut rng);
    let mut hessian = CurvatureOperator::new(objective, Matrix::Hessian, 0);
    let found = lanczos.solve(&mut hessian, &start)?.smallest.into_iter().next();
    Ok(found.map_or((f64::NAN, vec![0.0; n]), |pair| (pair.value, pair.vector)))
}

/// That the loss lies below its tangent by what the eigenvalue says.
fn along(
    bench: &mut Bench,
    objective: &mut dyn Objective,
    theta: &[f64],
    value: f64,
    vector: &[f64],
) -> Result<()> {
    let difference = second_difference(objective, theta, vector, 1e-3)?;
    bench.check(
        "second difference of the loss along the lowest eigenvector",
        value,
        difference,
        1e-4,
    );
    let sign = if difference < 0.0 { -1.0 } else { 1.0 };
    bench.check("its sign", -1.0, sign, 0.0);
    Ok(())
}
