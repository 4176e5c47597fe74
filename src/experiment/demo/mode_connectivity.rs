//! Curves of low loss between minima.

use std::sync::atomic::AtomicBool;

use serde_json::json;

use super::bench::{Bench, above, at};
use super::{Demo, Example, Part};
use crate::config::{Settings, Values};
use crate::curvature::named_group;
use crate::error::Result;
use crate::experiment::Prepared;
use crate::experiment::landscape::connect::{Connected, Connection, Descending, Method, write};
use crate::landscape::{along, evenly, line};

pub(super) const DEMO: Demo = Demo {
    name: "mode-connectivity",
    title: "Mode connectivity: ways round a barrier",
    definition: "Two minima are connected where a path leads from one to the other on which the loss is nowhere above that of the \
                 ends. The straight line may have a barrier all the same (Garipov et al. 2018, Draxler et al. 2018). \
                 That a curve was found shows it; that none was found shows nothing, unless a ridge that every path \
                 crosses is known.",
    examples: &[
        Example {
            name: "valley-left",
            what: "A minimum on a curved valley, and its counterpart:",
            settings: r#"{"objective": "valley", "start": [-1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "valley-right",
            what: "the line between them has a barrier of 1/2, and x_2 = x_1^2 is a Bezier curve with none.",
            settings: r#"{"objective": "valley", "start": [1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "pair",
            what: "Two vectors with product 1, and the same after a rotation by 170 degrees:",
            settings: r#"{"objective": {"kind": "uv", "width": 2}, "start": [1, 0, 1, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "turned",
            what: "a second variable in each factor makes a way round the origin.",
            settings: r#"{"objective": {"kind": "uv", "width": 2}, "start": [-0.984807753012208, 0.17364817766693033, -0.984807753012208, 0.17364817766693033], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
    ],
    non_examples: &[
        Example {
            name: "plus",
            what: "With one variable in each factor u = v = 1",
            settings: r#"{"objective": "uv", "start": [1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "minus",
            what: "and u = v = -1 are not connected: u passes 0, where the loss is 1/2.",
            settings: r#"{"objective": "uv", "start": [-1, -1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "flat",
            what: "Of two basins the flat",
            settings: r#"{"objective": "two-basins", "start": [-1, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "sharp",
            what: "and the sharp minimum: every path crosses the ridge, and the best is as high as the saddle.",
            settings: r#"{"objective": "two-basins", "start": [1, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
    ],
    derivation: "The quadratic Bezier curve from (-1, 1) over (0, -1) to (1, 1) is x = 2t - 1, y = (2t - 1)^2, the valley \
                 itself: its free point, trained to lower the mean loss along the curve, ends at (0, -1). A path that has to cross a \
                 ridge is at least as high as the lowest point of it: 1/2 for (uv - 1)^2/2 from one sign to the other, and the loss at the root of \
                 bx^2 + 4x - b = 0 for two basins. Scales of relu layers, a^s and a^-s, and those of queries and keys, \
                 make a path of one function, on which the loss does not change at all.",
    column: "train_loss of connect.csv",
    event: "minimum_suspected at both ends",
    small,
    large,
};

/// How a curve is looked for.
struct Search<'a> {
    folder: &'a str,
    runs: [&'a str; 2],
    method: Method,
    bends: usize,
    steps: usize,
    what: &'a str,
}

/// A curve between two runs, found and written as a command does.
fn connect(bench: &mut Bench, search: &Search<'_>) -> Result<Connected> {
    let Search { folder, runs, method, bends, steps, what } = *search;
    let lr = 0.05;
    let own = Settings { lr: Some(Values(vec![lr])), steps: Some(steps), ..Settings::default() };
    let own = Settings { optimizer: Some(Values(vec!["adam".to_string()])), ..own };
    let descending = Descending::of(own, method)?;
    let asked = Connection { method, bends, cycles: 2, points: 61, top: 1, descending };
    let flags = format!(
        "connect {} {} --curve {method} --bends {bends} --cycles 2 -- --optimizer adam --lr {lr} --steps {steps}",
        runs[0], runs[1]
    );
    bench.view(folder, &flags, &runs, what, |compared, output| {
        asked.check(compared.members.len())?;
        asked.check_samples(compared)?;
        let found = asked.find(compared, &AtomicBool::new(false), &mut |_| {})?;
        write(output, compared, &asked, &found)?;
        Ok(found)
    })
}

fn small(bench: &mut Bench) -> Result<()> {
    round(bench)?;
    apart(bench)
}

/// Along a curved valley, and round the origin.
fn round(bench: &mut Bench) -> Result<()> {
    let search = Search {
        folder: "valley",
        runs: ["valley-left", "valley-right"],
        method: Method::Bezier,
        bends: 1,
        steps: 800,
        what: "Along the valley.",
    };
    let valley = connect(bench, &search)?;
    let free = valley.curve.free();
    bench.check("barrier of the line across the valley", 0.5, valley.line.train.loss.value, 1e-12);
    bench.check("free point of the curve, x", 0.0, free[0], 1e-3);
    bench.check("free point of the curve, y", -1.0, free[1], 1e-3);
    bench.check("largest loss on the curve", 0.0, valley.path.measures.max_loss, 1e-6);
    let search = Search {
        folder: "round",
        runs: ["pair", "turned"],
        bends: 3,
        steps: 1500,
        what: "Round the origin.",
        ..search
    };
    let turned = connect(bench, &search)?;
    // Half-way the vectors are cos 85 degrees long.
    let length = 85f64.to_radians().cos();
    let theory = 0.5 * (1.0 - length * length).powi(2);
    let found = turned.line.measures.max_loss;
    bench.check("loss half-way on the line to the turned pair", theory, found, 1e-9);
    let found = turned.path.measures.max_loss;
    bench.check("largest loss on the curve round the origin", 0.0, found, 5e-3);
    Ok(())
}

/// Where a ridge is between the ends.
fn apart(bench: &mut Bench) -> Result<()> {
    let search = Search {
        folder: "signs",
        runs: ["plus", "minus"],
        method: Method::Bezier,
        bends: 2,
        steps: 300,
        what: "What the same search finds where there is no way.",
    };
    let signs = connect(bench, &search)?;
    let found = signs.path.measures.max_loss;
    bench.check("largest loss from u = v = 1 to -1, 1/2", 0.5, found, 2e-2);
    let search = Search {
        folder: "ridge",
        runs: ["flat", "sharp"],
        method: Method::Neb,
        bends: 5,
        steps: 200,
        what: "Over the ridge, by a nudged elastic band.",
    };
    let ridge = connect(bench, &search)?;
    let b = 2f64.ln();
    let x = ((4.0 + b * b).sqrt() - 2.0) / b;
    let saddle = 0.5 * (x * x - 1.0).powi(2) * (b * x).exp();
    let found = ridge.path.measures.max_loss;
    bench.check("largest loss between two basins, that of the saddle", saddle, found, 1e-2);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let relu = bench.problem(json!({
        "model": {"kind": "mlp", "hidden": [8], "activation": "relu", "bias": false},
        "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    let layout = relu.problem.train.layout().clone();
    let whole =
        |name: &str| Ok::<_, crate::Error>(named_group(&layout, name)?.coordinates[0].clone());
    let scales = [whole("layers.0.weight")?, whole("layers.1.weight")?];
    one_function(
        bench,
        relu,
        &[(scales[0].clone(), 1.0), (scales[1].clone(), -1.0)],
        "relu layers",
    )?;
    seeds(bench)?;
    bench.on(Part::Transformer);
    let transformer = bench.transformer()?;
    let layout = transformer.problem.train.layout().clone();
    let mut parts = Vec::new();
    for name in ["blocks.0.self_attn.in_proj_weight", "blocks.0.self_attn.in_proj_bias"] {
        let all = named_group(&layout, name)?.coordinates[0].clone();
        let third = all.len() / 3;
        parts.push((all.start..all.start + third, 1.0));
        parts.push((all.start + third..all.start + 2 * third, -1.0));
    }
    one_function(bench, transformer, &parts, "queries and keys")
}

/// A curve between networks of two seeds.
fn seeds(bench: &mut Bench) -> Result<()> {
    for (name, seed) in [("seed-0", 0), ("seed-1", 1)] {
        let settings = json!({
            "model": {"kind": "mlp", "hidden": [8], "activation": "tanh"}, "dataset": "blobs", "loss": "ce",
            "train_size": 100, "validation_size": 0, "lr": 0.5, "steps": 150, "every": 10, "seed": seed, "data_seed": 0,
        });
        bench.network(name, "A perceptron from another start each.", settings)?;
    }
    let found = connect(
        bench,
        &Search {
            folder: "seeds",
            runs: ["seed-0", "seed-1"],
            method: Method::Bezier,
            bends: 1,
            steps: 300,
            what: "Between networks of two seeds.",
        },
    )?;
    let over = above(found.path.measures.over_ends, 1.2);
    bench.check(
        "loss on the curve between two seeds, above 1.2 of the worse end's",
        0.0,
        over,
        0.0,
    );
    let line = &found.line.measures;
    let over = above(found.path.measures.max_loss, line.max_loss);
    bench.check("largest loss on the curve above that on the line", 0.0, over, 0.0);
    Ok(())
}

/// The path a^s, s from 0 to 1, of scales that undo each other, and the line between its ends.
fn one_function(
    bench: &mut Bench,
    mut prepared: Prepared,
    parts: &[(std::ops::Range<usize>, f64)],
    what: &str,
) -> Result<()> {
    let a = 4f64;
    let theta = prepared.theta.clone();
    let scaled = |s: f64| {
        let mut moved = theta.clone();
        for (range, power) in parts {
            moved[range.clone()].iter_mut().for_each(|w| *w *= a.powf(power * s));
        }
        moved
    };
    let loss = at(&mut *prepared.problem.train, &theta)?.evaluation.loss;
    let mut surface = prepared.problem.surface();
    let mut farthest = |path: &dyn Fn(f64) -> Vec<f64>| -> Result<f64> {
        let points = along(&mut surface, &evenly(11), path, None, |_| Ok(()))?;
        let apart = points.iter().map(|point| (point.values.train.loss - loss).abs());
        Ok(apart.fold(0.0, f64::max))
    };
    let on_path = farthest(&scaled)?;
    bench.check(format!("change of the loss on the path of scaled {what}"), 0.0, on_path, 1e-13);
    let end = scaled(1.0);
    let on_line = farthest(&line(&theta, &end)?)?;
    let changes = if on_line > 1e-6 { 1.0 } else { 0.0 };
    bench.check("whether it changes on the line between its ends", 1.0, changes, 0.0);
    Ok(())
}
