//! Sharpness.

use super::bench::{Bench, above, at, ends};
use super::{Demo, Example, Part};
use crate::error::Result;
use crate::experiment::Prepared;
use crate::landscape::{moved, second_difference};
use crate::linalg::dot;

pub(super) const DEMO: Demo = Demo {
    name: "sharpness",
    title: "Sharpness: the largest curvature",
    definition: "The sharpness is the largest eigenvalue of the Hessian: the largest second derivative of the loss along \
                 any direction of length 1. It is a property of a point and of the parametrization, not of the function that a \
                 network computes.",
    examples: &[
        Example {
            name: "sharp",
            what: "The sharp one of two minima, with sharpness 8.",
            settings: r#"{"objective": {"kind": "two-basins", "offset": 1}, "start": [0.5, 1], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "flat",
            what: "The flat one, with sharpness 2 and the same loss.",
            settings: r#"{"objective": {"kind": "two-basins", "offset": 1}, "start": [-0.5, 1], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "sharpening",
            what: "Progressive sharpening: descent along x = 0 raises the sharpness to t^2 = 9.",
            settings: r#"{"objective": "quartic", "start": [0, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: None,
        },
    ],
    non_examples: &[
        Example {
            name: "steep",
            what: "Steep is not sharp: the gradient is large, and the curvature 1.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [1, 1]}, "start": [50, 50], "lr": 0.1, "steps": 5, "smallest": true}"#,
            event: Some("edge_entered"),
        },
        Example {
            name: "negative",
            what: "The largest magnitude is not the sharpness: eigenvalues 1 and -5.",
            settings: r#"{"objective": {"kind": "saddle", "spectrum": [1, -5]}, "start": [1, 0], "lr": 0.1, "steps": 5, "smallest": true}"#,
            event: Some("edge_entered"),
        },
    ],
    derivation: "To second order L(x + r u) = L + r g'u + r^2/2 u'Hu, and u'Hu is largest, over u of length 1, for the \
                 eigenvector of the largest eigenvalue l, where it is l: second differences of the loss along it, which \
                 take no Hessian, are l. For no other direction are they more.",
    column: "sharpness",
    event: "edge_entered, where it reaches the threshold",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    for (name, theory) in [("sharp", 8.0), ("flat", 2.0), ("sharpening", 9.0), ("negative", 1.0)] {
        let run = bench.run(name)?;
        let last = run.rows()?.last().and_then(|row| row.sharpness).unwrap_or(f64::NAN);
        bench.check(format!("sharpness at the end of '{name}'"), theory, last, 1e-4);
    }
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    let softmax = bench.softmax("tanh")?;
    bench.on(Part::Softmax);
    along_eigenvector(bench, softmax)?;
    let transformer = bench.transformer()?;
    bench.on(Part::Transformer);
    along_eigenvector(bench, transformer)
}

fn along_eigenvector(bench: &mut Bench, mut prepared: Prepared) -> Result<()> {
    let theta = prepared.theta.clone();
    let objective = &mut *prepared.problem.train;
    at(objective, &theta)?;
    let found = ends(objective, 1)?;
    let (sharpness, vector) = (found.lambda[0], found.top_vector);
    let difference = second_difference(objective, &theta, &vector, 1e-3)?;
    bench.check("second difference of the loss along the eigenvector", sharpness, difference, 1e-4);
    // Of directions that are not it, the gradient's among them, none is curved more.
    let gradient = at(objective, &theta)?.gradient;
    let mixed = moved(&gradient, &[(0.5, &vector)]);
    let mut worst = f64::NEG_INFINITY;
    for direction in [&gradient, &mixed] {
        let curved = dot(direction, &objective.hvp(direction)?) / dot(direction, direction);
        worst = worst.max(curved);
    }
    let over = above(worst, sharpness);
    bench.check("curvature along other directions above the sharpness", 0.0, over, 1e-10);
    Ok(())
}
