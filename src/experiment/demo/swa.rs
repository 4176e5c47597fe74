//! Averages of weights.

use serde_json::json;

use super::bench::{Bench, above, at, last};
use super::{Demo, Example, Part};
use crate::error::Result;
use crate::experiment::landscape::average::{AverageKind, Measured, Request, write};
use crate::landscape::mean;
use crate::linalg::dot;
use crate::rundir::{StoredRun, read_safetensors};

pub(super) const DEMO: Demo = Demo {
    name: "swa",
    title: "Averages of weights: what oscillates is taken out",
    definition: "Stochastic weight averaging takes the mean of the points that a run passes through from a step on (Izmailov et al. \
                 2018). Where the run oscillates about something better than itself, at the edge of stability or by noise, \
                 the mean is nearer to it. Where the run goes on, or the points are of different basins, it is not.",
    examples: &[
        Example {
            name: "oscillating",
            what: "Below the edge, with 1 - lr l = -0.9 along the sharp direction: the mean of 21 points has it taken out.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 1], "rotation": null}, "start": [1, 1], "lr": 0.19, "steps": 40, "swa_start": 20, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "cycle",
            what: "At the edge of stability x goes to and fro; the mean has x = 0.",
            settings: r#"{"objective": "quartic", "start": [0.01, 1], "lr": 0.25, "steps": 700, "swa_start": 601, "smallest": true}"#,
            event: Some("edge_entered"),
        },
        Example {
            name: "signs",
            what: "Sign descent cannot come nearer than its step: it goes between 0.02 and -0.08, and the mean is between.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [1, 1], "rotation": null}, "start": [0.52, 0.52], "optimizer": "signgd", "lr": 0.1, "steps": 40, "swa_start": 21}"#,
            event: None,
        },
    ],
    non_examples: &[
        Example {
            name: "under-way",
            what: "A run that is under way: the mean lies back where it was.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [1, 0.1], "rotation": null}, "start": [1, 1], "lr": 0.2, "steps": 60, "swa_start": 20, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "left",
            what: "The flat one of two minima,",
            settings: r#"{"objective": "two-basins", "start": [-1, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "right",
            what: "and the sharp one: their mean is on the ridge between.",
            settings: r#"{"objective": "two-basins", "start": [1, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
    ],
    derivation: "On a quadratic each part is x0 r^t with r = 1 - lr l: the mean from t = s on of n points is x0 r^s (1 - r^n)/(n (1 - r)), \
                 small for r below 0, and above the last point for r near 1. On the cycle of x^2 y^2/2 + (y - t)^2/2 it is (0, y), \
                 with the loss (y - t)^2/2. In general, d_i being the points less their mean, the mean of the losses is that of \
                 the mean and half the mean of d_i'Hd_i, since the d_i sum to 0; a convex loss is never higher at the mean (Jensen).",
    column: "swa.safetensors (--swa-start); train_loss of average.csv",
    event: "edge_entered",
    small,
    large,
};

/// Averages of runs, measured and written as a command does.
fn average(
    bench: &mut Bench,
    folder: &str,
    runs: &[&str],
    kind: AverageKind,
    what: &str,
) -> Result<Measured> {
    let asked = Request {
        kinds: vec![kind],
        start: None,
        every: None,
        last: 10,
        decay: 0.9,
        top: 1,
        strangers: kind.is_soup(),
    };
    let strangers = if kind.is_soup() { " --strangers" } else { "" };
    let flags = format!("average {} --kind {kind}{strangers}", runs.join(" "));
    bench.view(folder, &flags, runs, what, |compared, output| {
        let measured = asked.measure(compared)?;
        write(output, compared, &measured, &asked)?;
        Ok(measured)
    })
}

/// The mean of n points x0 r^t from t = s on.
fn geometric(r: f64, s: i32, n: i32) -> f64 {
    r.powi(s) * (1.0 - r.powi(n)) / (f64::from(n) * (1.0 - r))
}

fn loss(measured: &Measured) -> f64 {
    measured.averages.first().map_or(f64::NAN, |average| average.values.train.loss)
}

fn small(bench: &mut Bench) -> Result<()> {
    let what = "The loss of the mean beside those of the run's checkpoints.";
    let found = average(bench, "mean-oscillating", &["oscillating"], AverageKind::Swa, what)?;
    let [sharp, flat] = [geometric(-0.9, 20, 21), geometric(0.81, 20, 21)];
    let theta = found.averages.first().map(|average| average.theta.clone()).unwrap_or_default();
    bench.check("mean along the sharp direction", sharp, theta[0], 1e-9);
    bench.check("mean along the flat direction", flat, theta[1], 1e-9);
    let theory = 5.0 * sharp * sharp + 0.5 * flat * flat;
    bench.check("loss of the mean of an oscillation", theory, loss(&found), 1e-9);
    let found = average(bench, "mean-cycle", &["cycle"], AverageKind::Swa, what)?;
    let theory = 0.5 * (8f64.sqrt() - 3.0).powi(2);
    bench.check("loss of the mean of a cycle at the edge", theory, loss(&found), 1e-4);
    let found = average(bench, "mean-signs", &["signs"], AverageKind::Swa, what)?;
    bench.check("loss of the mean of sign descent, 0.03^2", 9e-4, loss(&found), 1e-9);
    let found = average(bench, "mean-under-way", &["under-way"], AverageKind::Swa, what)?;
    let [first, second] = [geometric(0.8, 20, 41), geometric(0.98, 20, 41)];
    let theory = 0.5 * first * first + 0.05 * second * second;
    bench.check("loss of the mean of a run under way", theory, loss(&found), 1e-9);
    let end = 0.5 * 0.8f64.powi(118) + 0.05 * 0.98f64.powi(118);
    let run = last(&bench.run("under-way")?, |row| row.train_loss)?;
    bench.check("loss of its last row, which is less", end, run, 1e-9);
    let what = "The mean of two minima, and each of them.";
    let runs = ["left", "right"];
    let found = average(bench, "strangers", &runs, AverageKind::Uniform, what)?;
    bench.check("loss of the mean of two minima, s/4", 0.5, loss(&found), 1e-12);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let softmax = json!({
        "model": "linear", "dataset": "blobs", "loss": "ce", "train_size": 100, "validation_size": 0, "batch_size": 10,
        "lr": 0.5, "steps": 80, "every": 10, "sharpness_batches": 0, "swa_start": 60, "checkpoint_every": 1,
    });
    let run = bench.network("regression", "Softmax regression on minibatches of 10.", softmax)?;
    let over = noisy(bench, &run, 80)?;
    bench.check("loss of the mean above the mean of the losses", 0.0, above(over, 0.0), 0.0);
    bench.on(Part::Transformer);
    let transformer = json!({
        "model": {"kind": "transformer", "layers": 1, "heads": 2, "width": 8, "context": 8}, "dataset": "shakespeare",
        "train_size": 32, "validation_size": 8, "batch_size": 4, "lr": 0.1, "steps": 40, "every": 20,
        "sharpness_batches": 0, "swa_start": 20, "checkpoint_every": 1,
    });
    let run = bench.network(
        "transformer",
        "A block of a transformer on minibatches of 4 windows.",
        transformer,
    )?;
    noisy(bench, &run, 40)?;
    Ok(())
}

/// The mean that a run kept beside that of its checkpoints, and how far noise lifts the loss over that of the mean.
/// Returns the loss of the mean less the mean of the losses.
fn noisy(bench: &mut Bench, run: &StoredRun, steps: usize) -> Result<f64> {
    let mut prepared = run.problem(None)?;
    let objective = &mut *prepared.problem.train;
    let points: Vec<Vec<f64>> = (steps - 20..=steps)
        .map(|step| run.directory().read_weights(step, objective.layout()))
        .collect::<Result<_>>()?;
    let middle = mean(&points.iter().map(|point| &point[..]).collect::<Vec<_>>())?;
    let kept = read_safetensors(&run.directory().file("swa.safetensors"), objective.layout())?;
    let apart = kept.iter().zip(&middle).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    bench.check("mean kept while training less that of 21 checkpoints", 0.0, apart, 1e-13);
    let (mut losses, mut lifted) = (0.0, 0.0);
    for point in &points {
        losses += at(objective, point)?.evaluation.loss / points.len() as f64;
    }
    let there = at(objective, &middle)?.evaluation.loss;
    for point in &points {
        let d: Vec<f64> = point.iter().zip(&middle).map(|(point, mean)| point - mean).collect();
        lifted += 0.5 * dot(&d, &objective.hvp(&d)?) / points.len() as f64;
    }
    bench.check(
        "mean of the losses less the loss of the mean, mean d'Hd/2",
        lifted,
        losses - there,
        0.1,
    );
    Ok(there - losses)
}
