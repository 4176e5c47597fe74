//! The reparametrization caveat.

use serde_json::json;

use super::bench::{Bench, above, at, ends};
use super::{Demo, Example, Part};
use crate::curvature::named_group;
use crate::error::Result;
use crate::experiment::Prepared;
use crate::linalg::norm;

pub(super) const DEMO: Demo = Demo {
    name: "reparametrization",
    title: "Reparametrization: one function, any sharpness",
    definition: "Where the same function has several parameters, as with two layers that can be scaled against each other, the \
                 sharpness differs between them while nothing that the function does is changed. So sharpness by itself says \
                 nothing of generalization (Dinh et al. 2017); it does say what a learning rate can bear.",
    examples: &[
        Example {
            name: "balanced",
            what: "u = v = 1: the flattest of the minima uv = 1, with sharpness 2.",
            settings: r#"{"objective": "uv", "start": [1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "scaled",
            what: "u = 4, v = 1/4: the same function, with sharpness 16.06.",
            settings: r#"{"objective": "uv", "start": [4, 0.25], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "unstable",
            what: "The scaled minimum is not stable at a rate at which the balanced one is: descent leaves it for a flatter one.",
            settings: r#"{"objective": "uv", "start": [4, 0.26], "lr": 0.2, "steps": 200, "smallest": true}"#,
            event: Some("edge_entered"),
        },
    ],
    non_examples: &[Example {
        name: "basins",
        what: "Two minima of one value that are two functions: no scaling leads from one to the other.",
        settings: r#"{"objective": "two-basins", "start": [0.5, 1], "lr": 0.1, "steps": 60, "smallest": true}"#,
        event: Some("edge_entered"),
    }],
    derivation: "If W1 is replaced by a W1 and W2 by W2/a, the loss is the same function f(A w) of scaled weights: its gradient by \
                 W1 is 1/a and that by W2 a times what it was, and the block of its Hessian by W2 is a^2 times. For (uv - \
                 t)^2/2 at uv = t the sharpness u^2 + v^2 becomes a^2 u^2 + v^2/a^2.",
    column: "sharpness beside layer_shares (--measure layer_shares)",
    event: "edge_entered",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    for (name, theory) in [("balanced", 2.0), ("scaled", 16.0625)] {
        let run = bench.run(name)?;
        let row = run.rows()?.first().cloned();
        let number = |value: Option<f64>| value.unwrap_or(f64::NAN);
        let loss = number(row.as_ref().and_then(|row| row.train_loss));
        let sharpness = number(row.and_then(|row| row.sharpness));
        bench.check(format!("loss of '{name}'"), 0.0, loss, 1e-15);
        bench.check(format!("sharpness of '{name}', u^2 + v^2"), theory, sharpness, 1e-8);
    }
    // What is left is flatter than 2/lr = 10.
    let run = bench.run("unstable")?;
    let last = run.rows()?.last().and_then(|row| row.sharpness).unwrap_or(f64::NAN);
    bench.check("sharpness above 2/lr where descent ended", 0.0, above(last, 10.0), 0.0);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let softmax = bench.problem(json!({
        "model": {"kind": "mlp", "hidden": [8], "activation": "relu", "bias": false},
        "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    let pair = [("layers.0.weight", 0.0, 1.0), ("layers.1.weight", 0.0, 1.0)];
    scaled(bench, softmax, pair)?;
    bench.on(Part::Transformer);
    let transformer = bench.transformer()?;
    let entry = |end: &str| {
        let entries = transformer.problem.train.layout().entries().iter();
        entries.map(|entry| entry.name.clone()).find(|name| name.ends_with(end)).unwrap_or_default()
    };
    let (weight, bias) = (entry("self_attn.in_proj_weight"), entry("self_attn.in_proj_bias"));
    queries(bench, transformer, &[weight, bias])
}

/// Two layers scaled against each other.
fn scaled(bench: &mut Bench, mut prepared: Prepared, pair: [(&str, f64, f64); 2]) -> Result<()> {
    let a = 3.0;
    let layout = prepared.problem.train.layout().clone();
    let of = |name: &str| {
        let group = named_group(&layout, name)?;
        Ok::<_, crate::Error>(group.coordinates[0].clone())
    };
    let (first, second) = (of(pair[0].0)?, of(pair[1].0)?);
    let mut moved = prepared.theta.clone();
    moved[first].iter_mut().for_each(|w| *w *= a);
    moved[second.clone()].iter_mut().for_each(|w| *w /= a);
    let theta = prepared.theta.clone();
    let objective = &mut *prepared.problem.train;
    let before = at(objective, &theta)?;
    let flat = ends(objective, 1)?.lambda[0];
    let after = at(objective, &moved)?;
    let sharp = ends(objective, 1)?.lambda[0];
    let loss = before.evaluation.loss;
    bench.check("loss after scaling by 3 and 1/3", loss, after.evaluation.loss, 1e-13);
    let by = |gradient: &[f64]| norm(&gradient[second.clone()]);
    let ratio = by(&after.gradient) / by(&before.gradient);
    bench.check("growth of the gradient by the second layer, a", a, ratio, 1e-10);
    // At least that of the second layer's block, which is 9 times what it was.
    bench.check("sharpness that did not grow", 0.0, above(flat, sharp), 0.0);
    Ok(())
}

/// Queries scaled against keys.
fn queries(bench: &mut Bench, mut prepared: Prepared, names: &[String]) -> Result<()> {
    let a = 3.0;
    let layout = prepared.problem.train.layout().clone();
    let theta = prepared.theta.clone();
    let mut moved = theta.clone();
    let mut keys = Vec::new();
    for name in names {
        let range = named_group(&layout, name)?.coordinates[0].clone();
        let third = range.len() / 3;
        moved[range.start..range.start + third].iter_mut().for_each(|w| *w *= a);
        let of_keys = range.start + third..range.start + 2 * third;
        moved[of_keys.clone()].iter_mut().for_each(|w| *w /= a);
        keys.push(of_keys);
    }
    let objective = &mut *prepared.problem.train;
    let before = at(objective, &theta)?;
    let after = at(objective, &moved)?;
    let loss = before.evaluation.loss;
    bench.check("loss with queries by 3 and keys by 1/3", loss, after.evaluation.loss, 1e-13);
    let by = |gradient: &[f64]| {
        let parts: Vec<f64> =
            keys.iter().flat_map(|part| gradient[part.clone()].to_vec()).collect();
        norm(&parts)
    };
    let ratio = by(&after.gradient) / by(&before.gradient);
    bench.check("growth of the gradient by the keys, a", a, ratio, 1e-10);
    Ok(())
}
