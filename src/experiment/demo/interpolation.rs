//! Straight lines between points of parameter space.

use serde_json::json;

use super::bench::{Bench, above, at};
use super::{Demo, Example, Part};
use crate::autodiff::ParameterLayout;
use crate::curvature::named_group;
use crate::error::Result;
use crate::experiment::Prepared;
use crate::experiment::landscape::interpolate::{Interpolation, MeasuredLine, write};
use crate::landscape::{Barriers, along, barriers, evenly, line};
use crate::linalg::dot;

pub(super) const DEMO: Demo = Demo {
    name: "interpolation",
    title: "Interpolation: the loss on a straight line",
    definition: "Between two points a and b of parameter space the line (1 - t) a + t b has a loss. Its barrier is the most \
                 that this is above the line between the losses of the ends. It is a property of that line, not of what \
                 lies between the two: a barrier does not separate minima, and the same network may stand at both ends of one.",
    examples: &[
        Example {
            name: "left",
            what: "The flat one of two minima.",
            settings: r#"{"objective": "two-basins", "start": [-0.5, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "right",
            what: "The sharp one: between the two there is a ridge, and the line goes over it.",
            settings: r#"{"objective": "two-basins", "start": [0.5, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "bowl",
            what: "From its start to its end the loss of a quadratic only falls, as (1 - t)^2.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [4, 1], "rotation": null}, "start": [1, 1], "lr": 0.2, "steps": 100, "smallest": true}"#,
            event: None,
        },
    ],
    non_examples: &[
        Example {
            name: "valley-left",
            what: "A minimum on a curved valley.",
            settings: r#"{"objective": "valley", "start": [-1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "valley-right",
            what: "Another one: the line between them has a barrier of 1/2, and along the valley there is none.",
            settings: r#"{"objective": "valley", "start": [1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
    ],
    derivation: "Between the minima (-1, 0) and (1, 0) of s/4 (x^2 - 1)^2 exp(bx) the loss is that formula itself, largest at the root \
                 of bx^2 + 4x - b = 0. On a quadratic L(t) lies t(1 - t)/2 d'Hd below the line of its ends, d = b - a; convex \
                 losses lie below it too. On (x_2 - x^2)^2/2 the line from (-1, 1) to (1, 1) has (1 - x^2)^2/2. With tanh units and \
                 no biases the network of -w is that of w, and half-way between them all logits are 0: the loss is ln K, \
                 whatever it is at the ends. The slope at t = 0 is g'd.",
    column: "train_loss of interpolate.csv",
    event: "minimum_suspected at both ends",
    small,
    large,
};

/// The lines between some runs, measured and written.
fn lines(
    bench: &mut Bench,
    folder: &str,
    runs: [&str; 2],
    (flags, from_start): (&str, bool),
    what: &str,
) -> Result<MeasuredLine> {
    let asked = Interpolation { points: 201, top: 1, audit_every: 4, from_start };
    let flags = format!("interpolate {flags} --points {}", asked.points);
    let mut lines = bench.view(folder, &flags, &runs, what, |compared, output| {
        let lines = asked.measure(compared, |_, _| {})?;
        let names: Vec<String> = compared.members.iter().map(|m| m.name.clone()).collect();
        write(output, &names, &lines, asked)?;
        Ok(lines)
    })?;
    Ok(lines.remove(0))
}

fn small(bench: &mut Bench) -> Result<()> {
    let what = "From the flat minimum over the ridge to the sharp one.";
    let over = lines(bench, "ridge", ["left", "right"], ("left right", false), what)?;
    let b = 2f64.ln();
    let x = ((4.0 + b * b).sqrt() - 2.0) / b;
    let height = 0.5 * (x * x - 1.0).powi(2) * (b * x).exp();
    bench.check("barrier between the two minima", height, over.train.loss.value, 1e-3);
    bench.check("where it is, (1 + x)/2", 0.5 * (1.0 + x), over.train.loss.t, 1e-2);
    let what = "From start to end of a run.";
    let down = lines(bench, "down", ["bowl@0", "bowl"], ("--init-to-final bowl", true), what)?;
    bench.check("largest rise of the loss on the way down a bowl", 0.0, down.monotone().1, 1e-12);
    let [start, middle] = [0, 100].map(|at: usize| down.points[at].values.train.loss);
    bench.check("loss half-way, of that at the start", 0.25, middle / start, 1e-6);
    // The line's own curvature: d'Hd/8 = (4 + 1)/8 with d = (1, 1).
    let last = down.points[200].values.train.loss;
    let sag = middle - 0.5 * (start + last);
    bench.check("sag of a quadratic half-way, -d'Hd/8", -0.625, sag, 1e-6);
    let what = "From one side of a curved valley to the other, over the hill between them.";
    let runs = ["valley-left", "valley-right"];
    let hill = lines(bench, "hill", runs, ("valley-left valley-right", false), what)?;
    bench.check("barrier of the line across a curved valley", 0.5, hill.train.loss.value, 1e-12);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let mut tanh = bench.problem(json!({
        "model": {"kind": "mlp", "hidden": [8], "activation": "tanh", "bias": false},
        "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    let theta = tanh.theta.clone();
    let negated: Vec<f64> = theta.iter().map(|w| -w).collect();
    let classes = tanh.dataset.outputs() as f64;
    let (losses, _) = measured(&mut tanh, &theta, &negated)?;
    bench.check("loss of the network with all signs changed", losses[0], losses[8], 1e-14);
    bench.check("loss half-way to it, ln K", classes.ln(), losses[4], 1e-12);
    slope(bench, &mut tanh, &theta, &negated)?;
    let mut convex = bench.problem(json!({
        "model": "linear", "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    let theta = convex.theta.clone();
    let other: Vec<f64> = theta.iter().enumerate().map(|(i, w)| 2.0 - i as f64 - w).collect();
    let (_, found) = measured(&mut convex, &theta, &other)?;
    bench.check(
        "barrier of a softmax regression, which is convex",
        0.0,
        above(found.loss.value, 0.0),
        0.0,
    );
    bench.on(Part::Transformer);
    let mut transformer = bench.transformer()?;
    let theta = transformer.theta.clone();
    let layout = transformer.problem.train.layout().clone();
    let mut negated = theta.clone();
    let mut without = theta.clone();
    for name in ["in_proj_weight", "in_proj_bias"] {
        let values = values(&layout, name)?;
        negated[values.clone()].iter_mut().for_each(|w| *w = -*w);
        without[values].fill(0.0);
    }
    let out = named_group(&layout, "blocks.0.self_attn.out_proj.weight")?.coordinates[0].clone();
    negated[out].iter_mut().for_each(|w| *w = -*w);
    let (losses, _) = measured(&mut transformer, &theta, &negated)?;
    bench.check("loss with values and their readers negated", losses[0], losses[8], 1e-14);
    let alone = at(&mut *transformer.problem.train, &without)?.evaluation.loss;
    bench.check("loss half-way, that of no attention", alone, losses[4], 1e-13);
    slope(bench, &mut transformer, &theta, &negated)
}

/// Where the values' part of a projection is.
fn values(layout: &ParameterLayout, name: &str) -> Result<std::ops::Range<usize>> {
    let name = format!("blocks.0.self_attn.{name}");
    let all = named_group(layout, &name)?.coordinates[0].clone();
    Ok(all.start + 2 * all.len() / 3..all.end)
}

/// The losses at nine points of a line, and its barriers.
fn measured(prepared: &mut Prepared, a: &[f64], b: &[f64]) -> Result<(Vec<f64>, Barriers)> {
    let mut surface = prepared.problem.surface();
    let points = along(&mut surface, &evenly(9), line(a, b)?, None, |_| Ok(()))?;
    let (Some(found), _) = barriers(&points) else { unreachable!("a path has points") };
    Ok((points.iter().map(|point| point.values.train.loss).collect(), found))
}

/// The slope where a line begins, by differences of the loss beside the gradient.
fn slope(bench: &mut Bench, prepared: &mut Prepared, a: &[f64], b: &[f64]) -> Result<()> {
    let objective = &mut *prepared.problem.train;
    let gradient = at(objective, a)?.gradient;
    let d: Vec<f64> = a.iter().zip(b).map(|(a, b)| b - a).collect();
    let (path, h) = (line(a, b)?, 1e-4);
    let mut loss = |t: f64| Ok::<_, crate::Error>(at(objective, &path(t))?.evaluation.loss);
    let difference = (loss(h)? - loss(-h)?) / (2.0 * h);
    bench.check("slope of the line where it begins, g'd", dot(&gradient, &d), difference, 1e-5);
    Ok(())
}
