//! Basins of attraction.

use serde_json::json;

use super::bench::{Bench, above, at, last};
use super::{Demo, Example, Part};
use crate::autodiff::Objective;
use crate::curvature::named_group;
use crate::error::Result;
use crate::experiment::landscape::basins::{Map, Mapped, Sharing, write_map, write_shared};
use crate::landscape::{along, barriers, evenly, line};

pub(super) const DEMO: Demo = Demo {
    name: "basin",
    title: "Basins: which starts lead where",
    definition: "The basin of a minimum is the set of starts from which gradient descent ends in it. It belongs to the descent as well as to \
                 the loss: a large rate jumps over ridges. Of networks, whose starts no map can show, two ends \
                 are said to share a basin where the loss does not rise on the straight line between them.",
    examples: &[
        Example {
            name: "left",
            what: "Left of the ridge, at x = 0.168: to the flat minimum.",
            settings: r#"{"objective": {"kind": "two-basins", "offset": 1}, "start": [0.16, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "right",
            what: "Right of it: to the sharp one.",
            settings: r#"{"objective": {"kind": "two-basins", "offset": 1}, "start": [0.18, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
        Example {
            name: "monkey",
            what: "Three basins about a monkey saddle, a third of a turn each.",
            settings: r#"{"objective": {"kind": "monkey-saddle", "offset": 1}, "start": [-0.3, 0.2], "lr": 0.05, "steps": 200, "smallest": true}"#,
            event: Some("minimum_suspected"),
        },
    ],
    non_examples: &[
        Example {
            name: "jump",
            what: "On the sharp side, and not in its basin: the first step jumps over both minima's ridge.",
            settings: r#"{"objective": {"kind": "two-basins", "offset": 1}, "start": [1.7, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "valley",
            what: "A curve of minima: none of its points has a basin of its own.",
            settings: r#"{"objective": {"kind": "valley", "offset": 1}, "start": [0.5, 1.5], "lr": 0.1, "steps": 200, "smallest": true}"#,
            event: Some("saddle"),
        },
    ],
    derivation: "The variables of s/4 (x^2 - 1)^2 exp(bx) + y^2/2 descend apart from each other, so that for small rates the basins meet at \
                 the ridge between the minima, the root of bx^2 + 4x - b = 0 in between. The monkey saddle is the same \
                 after a third of a turn and after reflections, whose axes descent does not cross: the basin of the minimum at the left is |y| < sqrt(3) |x|, \
                 x < 0. A convex loss lies below the line of its ends: softmax regression has one basin. With tanh units and no \
                 biases the network of -w is that of w, and half-way to it the loss is ln K: two basins, and one function.",
    column: "minimum of basins.csv",
    event: "minimum_suspected",
    small,
    large,
};

/// A map of starts that is made as a command does.
fn map(bench: &mut Bench, folder: &str, run: &str, points: usize, what: &str) -> Result<Mapped> {
    let asked =
        Map { which: vec![1, 2], points, center: Vec::new(), half_width: None, steps: None };
    let flags = format!("basins {run} --points {points}");
    bench.view(folder, &flags, &[run], what, |compared, output| {
        asked.check(compared)?;
        let mapped = asked.make(compared)?;
        write_map(output, run, &mapped, &asked)?;
        Ok(mapped)
    })
}

/// Starts of a map for which that holds.
fn starts(mapped: &Mapped, holds: impl Fn(f64, f64) -> bool) -> f64 {
    let all = mapped.ys.iter().flat_map(|&y| mapped.xs.iter().map(move |&x| (x, y)));
    all.filter(|&(x, y)| holds(x, y)).count() as f64
}

/// Starts that were led to the minimum nearest to a point.
fn led_to(mapped: &Mapped, near: [f64; 2]) -> f64 {
    let apart = |at: &[f64]| (at[0] - near[0]).hypot(at[1] - near[1]);
    let nearest = mapped.minima.iter().min_by(|a, b| apart(&a.at).total_cmp(&apart(&b.at)));
    nearest.map_or(f64::NAN, |minimum| minimum.starts as f64)
}

fn ridge() -> f64 {
    let b = 2f64.ln();
    ((4.0 + b * b).sqrt() - 2.0) / b
}

fn small(bench: &mut Bench) -> Result<()> {
    let what = "Where each start leads: to the flat minimum or to the sharp one.";
    let two = map(bench, "two", "left", 8, what)?;
    let theory = starts(&two, |x, _| x > ridge());
    bench.check("starts that lead to the sharp minimum", theory, led_to(&two, [1.0, 0.0]), 0.0);
    let what = "Where each start leads about a monkey saddle.";
    let three = map(bench, "three", "monkey", 8, what)?;
    let theory = starts(&three, |x, y| x < 0.0 && y.abs() < 3f64.sqrt() * x.abs());
    bench.check(
        "starts that lead to the left one of three",
        theory,
        led_to(&three, [-1.0, 0.0]),
        0.0,
    );
    let mut problem = bench.problem(json!({"objective": "two-basins"}))?;
    let found = boundary(&mut *problem.problem.train)?;
    bench.check("where the basins meet, by halving", ridge(), found, 1e-6);
    for (name, theory) in [("left", 2.0), ("right", 8.0), ("jump", 2.0)] {
        let found = last(&bench.run(name)?, |row| row.sharpness)?;
        bench.check(format!("sharpness where '{name}' ends"), theory, found, 1e-4);
    }
    let found = last(&bench.run("valley")?, |row| row.lambda_min)?;
    bench.check("smallest eigenvalue where 'valley' ends", 0.0, found, 1e-6);
    Ok(())
}

/// Halves the interval of starts of which one end leads left and the other right.
fn boundary(objective: &mut dyn Objective) -> Result<f64> {
    let (mut low, mut high) = (-0.5_f64, 0.5_f64);
    for _ in 0..24 {
        let middle = 0.5 * (low + high);
        let mut theta = vec![middle, 0.0];
        for _ in 0..400 {
            if theta[0].abs() > 0.9 {
                break;
            }
            let gradient = at(objective, &theta)?.gradient;
            theta.iter_mut().zip(&gradient).for_each(|(x, g)| *x -= 0.1 * g);
        }
        if theta[0] > ridge() { high = middle } else { low = middle }
    }
    Ok(0.5 * (low + high))
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    for (name, seed) in [("regression", 0), ("another", 1)] {
        let settings = json!({
            "model": "linear", "dataset": "blobs", "loss": "ce", "train_size": 100, "validation_size": 0,
            "lr": 1, "steps": 200, "every": 20, "seed": seed, "data_seed": 0,
        });
        bench.network(name, "Softmax regression, from another start each.", settings)?;
    }
    let asked = Sharing { points: 11, barrier: 0.02 };
    let runs = ["regression", "another"];
    let what = "Two softmax regressions in one basin.";
    let found = bench.view(
        "shared",
        "basins regression another --points 11",
        &runs,
        what,
        |compared, output| {
            let found = asked.find(compared)?;
            let names: Vec<String> = compared.members.iter().map(|m| m.name.clone()).collect();
            write_shared(output, &names, &found, asked)?;
            Ok(found)
        },
    )?;
    bench.check("basins of two softmax regressions", 1.0, found.groups.len() as f64, 0.0);
    let barrier = above(found.pairs[0].loss_barrier, 0.0);
    bench.check("loss barrier between them", 0.0, barrier, 0.0);
    let mut tanh = bench.problem(json!({
        "model": {"kind": "mlp", "hidden": [8], "activation": "tanh", "bias": false},
        "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    let theta = descended(&mut *tanh.problem.train, tanh.theta.clone(), 1.0, 100)?;
    let negated: Vec<f64> = theta.iter().map(|w| -w).collect();
    let classes = tanh.dataset.outputs() as f64;
    let mut surface = tanh.problem.surface();
    let points = along(&mut surface, &evenly(9), line(&theta, &negated)?, None, |_| Ok(()))?;
    let (Some(between), _) = barriers(&points) else { unreachable!("a path has points") };
    let theory = classes.ln() - points[0].values.train.loss;
    bench.check(
        "barrier to the network with all signs changed, ln K - L",
        theory,
        between.loss.value,
        1e-12,
    );
    bench.on(Part::Transformer);
    transformer(bench)
}

/// Transformers that differ in the head alone: the loss is convex in what enters the logits linearly.
fn transformer(bench: &mut Bench) -> Result<()> {
    let mut transformer = bench.transformer()?;
    let theta = transformer.theta.clone();
    let head = named_group(transformer.problem.train.layout(), "head")?.coordinates[0].clone();
    let mut other = theta.clone();
    for (i, at) in head.clone().enumerate() {
        other[at] = ((i * 7 % 11) as f64 - 5.0) * 0.1;
    }
    let mut surface = transformer.problem.surface();
    let points = along(&mut surface, &evenly(9), line(&theta, &other)?, None, |_| Ok(()))?;
    let (Some(between), _) = barriers(&points) else { unreachable!("a path has points") };
    let above = above(between.loss.value, 0.0);
    bench.check("barrier between transformers of other heads", 0.0, above, 0.0);
    Ok(())
}

/// Gradient descent.
fn descended(
    objective: &mut dyn Objective,
    mut theta: Vec<f64>,
    lr: f64,
    steps: usize,
) -> Result<Vec<f64>> {
    for _ in 0..steps {
        let gradient = at(objective, &theta)?.gradient;
        theta.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= lr * g);
    }
    Ok(theta)
}
