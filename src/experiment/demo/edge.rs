//! The edge of stability.

use serde_json::json;

use super::bench::{Bench, last};
use super::{Demo, Example, Part};
use crate::error::Result;

pub(super) const DEMO: Demo = Demo {
    name: "edge",
    title: "The edge of stability: sharpness at 2/lr",
    definition: "Gradient descent with the rate lr is stable along directions of curvature below 2/lr. At the edge of stability the \
                 sharpness stays near 2/lr while the loss goes on falling, though not in each step (Cohen et al. \
                 2021): what would sharpen further makes it oscillate, and the oscillation flattens.",
    examples: &[
        Example {
            name: "two-variables",
            what: "x^2 y^2/2 + (y - 3)^2/2 sharpens to 9, but lr = 0.25 bears 8: a cycle at the edge.",
            settings: r#"{"objective": "quartic", "start": [0.01, 1], "lr": 0.25, "steps": 1500, "smallest": true, "checkpoint_every": 13}"#,
            event: Some("edge_entered"),
        },
        Example {
            name: "factors",
            what: "Two factors from an unbalanced start: descent crosses to where it is flatter than 2/lr (a catapult).",
            settings: r#"{"objective": "uv", "start": [3, 0.4], "lr": 0.25, "steps": 200, "smallest": true}"#,
            event: Some("edge_entered"),
        },
        Example {
            name: "momentum",
            what: "With momentum 0.2 the threshold is 2.4/lr = 8.",
            settings: r#"{"objective": "quartic", "start": [0.01, 1], "optimizer": "momentum", "momentum": 0.2, "lr": 0.3, "steps": 1500, "smallest": true}"#,
            event: Some("edge_entered"),
        },
    ],
    non_examples: &[
        Example {
            name: "below",
            what: "A quadratic below 2/lr: the loss falls in each step.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 1]}, "start": [1, 1], "lr": 0.19, "steps": 100, "smallest": true}"#,
            event: Some("edge_entered"),
        },
        Example {
            name: "small-rate",
            what: "The same quartic with a rate that bears its minimum: no edge is met.",
            settings: r#"{"objective": "quartic", "start": [0.01, 1], "lr": 0.1, "steps": 300, "smallest": true}"#,
            event: Some("edge_entered"),
        },
    ],
    derivation: "On a quadratic a step multiplies the part along an eigenvector by 1 - lr l, whose size is below 1 for \
                 0 < l < 2/lr. For x^2 y^2/2 + (y - t)^2/2 with lr > 2/t^2 the pair y = sqrt(2/lr), x = +-sqrt((t - y)/y) is \
                 a cycle of two steps: x becomes x (1 - lr y^2) = -x, and y stays since x^2 y + y - t = 0. The \
                 sharpness there is the larger eigenvalue of [[y^2, 2xy], [2xy, x^2 + 1]].",
    column: "edge_ratio (sharpness over threshold)",
    event: "edge_entered",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let y = 8f64.sqrt();
    let square = (3.0 - y) / y;
    let (trace, determinant) =
        (y * y + square + 1.0, y * y * (square + 1.0) - 4.0 * square * y * y);
    let theory = 0.5 * (trace + (trace * trace - 4.0 * determinant).sqrt());
    let run = bench.run("two-variables")?;
    bench.check("sharpness of the cycle", theory, last(&run, |row| row.sharpness)?, 1e-5);
    let loss = 0.5 * square * y * y + 0.5 * (y - 3.0).powi(2);
    bench.check("loss of the cycle", loss, last(&run, |row| row.train_loss)?, 1e-5);
    bench.check(
        "realized edge ratio on the cycle",
        1.0,
        last(&run, |row| row.realized_ratio)?,
        1e-5,
    );
    let run = bench.run("below")?;
    let norms: Vec<f64> = run.rows()?.iter().filter_map(|row| row.grad_norm).collect();
    let what = "factor of the gradient in a step below the edge, |1 - 0.19 * 10|";
    bench.check(what, 0.9, norms[90] / norms[89], 1e-6);
    let run = bench.run("momentum")?;
    bench.check(
        "threshold with momentum, 2 (1 + 0.2)/lr",
        8.0,
        last(&run, |row| row.threshold)?,
        1e-12,
    );
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    // With wrong labels the loss stays high, and the sharpness with it.
    let softmax = json!({
        "model": {"kind": "mlp", "hidden": [32], "activation": "tanh"}, "dataset": "digits", "loss": "ce",
        "train_size": 200, "validation_size": 0, "lr": 0.5, "steps": 400, "label_noise": 0.25, "precision": "f32",
    });
    at_edge(
        bench,
        "network",
        "A perceptron on digits of which a quarter have wrong labels.",
        softmax,
    )?;
    bench.on(Part::Transformer);
    let transformer = json!({
        "model": {"kind": "transformer", "layers": 1, "heads": 2, "width": 16, "context": 16},
        "dataset": "shakespeare", "train_size": 16, "validation_size": 16, "lr": 0.5, "steps": 200, "precision": "f32",
    });
    at_edge(bench, "transformer", "A block of a transformer on text.", transformer)
}

/// The mean of the edge ratio over the last third.
fn at_edge(bench: &mut Bench, name: &str, what: &str, settings: serde_json::Value) -> Result<()> {
    let run = bench.network(name, what, settings)?;
    let ratios: Vec<f64> = run.rows()?.iter().filter_map(|row| row.edge_ratio).collect();
    let late = &ratios[2 * ratios.len() / 3..];
    let mean = late.iter().sum::<f64>() / late.len() as f64;
    bench.check("sharpness over 2/lr in the last third of the run, on average", 1.0, mean, 0.15);
    Ok(())
}
