//! Mistakes that are easily made, and what tells of each.

use std::path::PathBuf;

use rand::RngExt;
use rand::seq::SliceRandom;
use serde_json::{Value, json};

use super::bench::{Bench, first, last};
use super::{Demo, Example, Part};
use crate::curvature::Matrix;
use crate::error::{Error, Result};
use crate::experiment::landscape::Compared;
use crate::experiment::landscape::align::{Aligned, Alignment, write as write_alignment};
use crate::experiment::landscape::average::{AverageKind, Request as Averages};
use crate::experiment::landscape::slice::{Along, Request as Slice, write as write_slice};
use crate::experiment::spectrum::{Request as Spectrum, measure};
use crate::landscape::align::{MatchSettings, Symmetry};
use crate::rng::{self, Stream};

pub(super) const DEMO: Demo = Demo {
    name: "mistakes",
    title: "Ten mistakes, and what tells of them",
    definition: "A number is right and what is concluded from it is wrong. Each example is a run with one such mistake, each that is not an \
                 example the same without it; an event, a line of doctor, another column or a refusal tells the two \
                 apart. The table has 1 where that is told, and 0 where it is not.",
    examples: &[
        Example {
            name: "at-saddle",
            what: "1. 'The loss stands still and the gradient is next to nothing: a minimum.' It is a saddle, which the smallest \
                   eigenvalue (--smallest) tells, and the event saddle.",
            settings: r#"{"objective": "strict-saddle", "start": [1e-7, 1], "lr": 0.1, "steps": 100, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "two-over-lr",
            what: "2. 'The sharpness 10 is above 2/lr = 8: unstable.' With momentum 0.9 the threshold is 15.2; take the column \
                   edge_ratio, which is 0.66.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 1], "rotation": null}, "start": [1, 1], "optimizer": "momentum", "momentum": 0.9, "lr": 0.25, "steps": 100, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "unconverged",
            what: "3. 'The column says 7, so that is the sharpness.' It is 10; the eigensolver was given three products: the event \
                   curvature_unconverged, the column converged, and doctor's eigenvalues say so.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 9.7, 9.3, 9, 8.6, 8, 7, 6, 5, 4, 3, 2, 1, 0.5], "rotation": 1}, "start": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "lr": 0.05, "steps": 10, "solver": "lanczos", "max_iterations": 3}"#,
            event: Some("curvature_unconverged"),
        },
        Example {
            name: "lost-updates",
            what: "4. 'The weights do not move: a minimum.' In single precision an update of 1e-8 of a weight is lost in its rounding: the event \
                   precision_suspect, and doctor's update_size.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [2, 1], "rotation": null, "offset": 1}, "start": [1, 1], "lr": 1e-8, "steps": 20, "precision": "f32"}"#,
            event: Some("precision_suspect"),
        },
        Example {
            name: "strangers",
            what: "5. 'The mean of two good models is a good model.' These two, with 'others', are from separate starts, and their mean \
                   is on a ridge: landscape average refuses it, with the barrier between them.",
            settings: r#"{"objective": "two-basins", "start": [-0.5, 1], "lr": 0.1, "steps": 60, "smallest": true}"#,
            event: None,
        },
    ],
    non_examples: &[
        Example {
            name: "at-minimum",
            what: "1. Here it is one: minimum_suspected, and no saddle.",
            settings: r#"{"objective": {"kind": "strict-saddle", "offset": 1}, "start": [0.6, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: Some("saddle"),
        },
        Example {
            name: "plain-descent",
            what: "2. Of gradient descent the threshold is 2/lr.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 1], "rotation": null}, "start": [1, 1], "lr": 0.19, "steps": 100, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "converged",
            what: "3. With the products that it takes, the sharpness is 10.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 9.7, 9.3, 9, 8.6, 8, 7, 6, 5, 4, 3, 2, 1, 0.5], "rotation": 1}, "start": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "lr": 0.05, "steps": 10, "solver": "lanczos"}"#,
            event: Some("curvature_unconverged"),
        },
        Example {
            name: "kept-updates",
            what: "4. Updates that single precision can hold.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [2, 1], "rotation": null, "offset": 1}, "start": [1, 1], "lr": 0.01, "steps": 20, "precision": "f32"}"#,
            event: Some("precision_suspect"),
        },
        Example {
            name: "others",
            what: "5. The mean of this run's own step 30 and its end is taken: they have an ancestor in common.",
            settings: r#"{"objective": "two-basins", "start": [0.5, 1], "lr": 0.1, "steps": 60, "checkpoint_every": 30, "smallest": true}"#,
            event: None,
        },
    ],
    derivation: "Thresholds: 2/lr, and 2 (1 + b)/lr with momentum b. A network whose units changed places is the same network at another point: \
                 aligned, the distance to itself is 0. Scaling layers of a relu network by a and 1/a changes the sharpness and \
                 not the function; measures that scale with the weights do not change. An eigenvalue is the second difference \
                 of the loss along its eigenvector where the loss is smooth over the differences' step; across the kinks of \
                 relu units it is not.",
    column: "converged, residual, edge_ratio, relative_update",
    event: "saddle, curvature_unconverged, precision_suspect",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    for (name, theory) in [("two-over-lr", 15.2), ("plain-descent", 2.0 / 0.19)] {
        let run = bench.run(name)?;
        let found = last(&run, |row| row.threshold)?;
        bench.check(format!("threshold of '{name}'"), theory, found, 1e-12);
        let ratio = last(&run, |row| row.edge_ratio)?;
        bench.check(format!("sharpness over threshold of '{name}'"), 10.0 / theory, ratio, 1e-6);
    }
    let found = first(&bench.run("converged")?, |row| row.sharpness)?;
    bench.check("sharpness of 'converged'", 10.0, found, 1e-4);
    bench.doctor("unconverged", "eigenvalues", true)?;
    bench.doctor("converged", "eigenvalues", false)?;
    bench.doctor("lost-updates", "update_size", true)?;
    bench.doctor("kept-updates", "update_size", false)?;
    mean_of(bench, ["strangers", "others"], true)?;
    mean_of(bench, ["others@30", "others"], false)
}

/// Whether the mean of two runs is refused.
fn mean_of(bench: &mut Bench, runs: [&str; 2], refused: bool) -> Result<()> {
    let paths: Vec<PathBuf> = runs.iter().map(|run| bench.folder().join(run)).collect();
    let asked = Averages {
        kinds: vec![AverageKind::Uniform],
        start: None,
        every: None,
        last: 10,
        decay: 0.9,
        top: 0,
        strangers: false,
    };
    let seen = match asked.measure(&mut Compared::open(&paths, None)?) {
        Ok(_) => 0.0,
        Err(refusal @ Error::Setting { .. }) => {
            bench.note(runs[0], format!("landscape average: {refusal}"));
            1.0
        }
        Err(other) => return Err(other),
    };
    let what = format!("means of '{}' and '{}' refused", runs[0], runs[1]);
    bench.check(what, if refused { 1.0 } else { 0.0 }, seen, 0.0);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    subsets(bench)?;
    noise(bench)?;
    reparametrized(bench)?;
    permuted(bench)?;
    kinks(bench)
}

/// A perceptron on points in the plane with further settings.
fn perceptron(activation: &str, more: Value) -> Value {
    let mut settings = json!({
        "model": {"kind": "mlp", "hidden": [8], "activation": activation}, "dataset": "blobs", "loss": "ce",
        "train_size": 100, "validation_size": 50, "lr": 0.2, "steps": 40, "every": 10,
    });
    if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
        settings.extend(more);
    }
    settings
}

fn subsets(bench: &mut Bench) -> Result<()> {
    let what = "6. 'The column has the sharpness of the loss.' It is that of 10 samples of 100: doctor's curvature_samples.";
    bench.network("ten-samples", what, perceptron("tanh", json!({ "samples": 10 })))?;
    bench.network("all-samples", "6. That of all of them.", perceptron("tanh", json!({})))?;
    bench.doctor("ten-samples", "curvature_samples", true)?;
    bench.doctor("all-samples", "curvature_samples", false)
}

fn noise(bench: &mut Bench) -> Result<()> {
    let what = "7. 'The sharpness is far below 2/lr and the loss goes up and down: the theory is wrong.' With minibatches their own \
                curvature counts, and it was not measured: doctor's batch.";
    let settings = json!({ "batch_size": 5, "sharpness_batches": 0 });
    bench.network("unmeasured-batches", what, perceptron("tanh", settings))?;
    let what = "7. Batch sharpness stands beside it.";
    bench.network("batches", what, perceptron("tanh", json!({ "batch_size": 5 })))?;
    bench.doctor("unmeasured-batches", "batch", true)?;
    bench.doctor("batches", "batch", false)
}

fn reparametrized(bench: &mut Bench) -> Result<()> {
    let what = "8. 'It is flatter, so it generalizes better.' spectrum --reparametrize 3 has the sharpness of the same function at other \
                weights, beside measures that do not change.";
    let settings = perceptron("relu", json!({}));
    let run = bench.network("rescaled", what, settings)?;
    let request = Spectrum {
        step: None,
        probes: Some(4),
        iterations: Some(10),
        sigma: None,
        matrix: Matrix::Hessian,
        preconditioned: false,
        parameters: None,
        top: 1,
        layers: false,
        flatness: true,
        reparametrize: Some(3.0),
        backend: None,
    };
    let measured = measure(&run, &request)?;
    let (Some(before), Some(after)) = (measured.flatness, measured.rescaled) else {
        let reason = "flatness was not measured".to_string();
        return Err(Error::Numerical { what: "flatness", reason });
    };
    bench.check("loss of the rescaled network", before.loss, after.loss, 1e-12);
    let moved = (after.lambda_max / before.lambda_max - 1.0).abs();
    let changes = if moved > 0.1 { 1.0 } else { 0.0 };
    bench.check("whether its sharpness is another by a tenth", 1.0, changes, 0.0);
    let [before, after] = [before.adaptive_rise, after.adaptive_rise];
    bench.check("its rise within a ball in units of the weights", before, after, 1e-2);
    Ok(())
}

/// A network, and the same with its units in another order: both are trained alike from there.
fn permuted(bench: &mut Bench) -> Result<()> {
    let base = perceptron("tanh", json!({}));
    let start = bench.problem(base.clone())?;
    let layout = start.problem.train.layout();
    let symmetry = Symmetry::new(layout, &start.config.model.unit_groups())?;
    let mut moves = symmetry.identity();
    let rng = &mut rng::stream(1, Stream::Alignment { start: 0 });
    for unit_move in &mut moves.moves {
        unit_move.from.shuffle(rng);
        unit_move.factors.iter_mut().for_each(|f| *f = if rng.random() { -1.0 } else { 1.0 });
    }
    let theta = symmetry.apply(&moves, &start.theta)?;
    let file = bench.weights("other-order", layout, &theta)?;
    let what = "9. 'The line between two runs has a barrier: they found different minima.' The second is the first with its units in \
                another order and of other signs: landscape align says so.";
    bench.network("one-order", what, base.clone())?;
    let mut settings = base;
    settings["init"] = json!(file);
    let what = "9. The same network in another order.";
    bench.network("other-order", what, settings)?;
    let found = align(bench)?;
    let [before, after] = [found.lines[0].train.loss.value, found.lines[1].train.loss.value];
    let seen = if before > 1e-3 { 1.0 } else { 0.0 };
    bench.check("whether the line between the two has a barrier", 1.0, seen, 0.0);
    bench.check(
        "distance after alignment, of that before",
        0.0,
        found.distances[1] / found.distances[0],
        1e-8,
    );
    bench.check("barrier after alignment", 0.0, after.abs(), 1e-12);
    Ok(())
}

fn align(bench: &mut Bench) -> Result<Aligned> {
    let asked = Alignment { matching: MatchSettings::default(), repair: false, points: 11, top: 0 };
    let runs = ["one-order", "other-order"];
    let flags = "align one-order other-order --points 11 --top 0";
    let what = "9. The line between the two before and after alignment.";
    bench.view("aligned", flags, &runs, what, |compared, output| {
        let found = asked.find(compared)?;
        write_alignment(output, compared, &asked, &found)?;
        Ok(found)
    })
}

/// The second difference along the top eigenvector beside its eigenvalue, with and without kinks.
fn kinks(bench: &mut Bench) -> Result<()> {
    let with = "10. 'The eigenvalue says how the loss curves around here.' Between the kinks of relu units, and not across them: landscape slice has \
                the loss' own second difference beside each eigenvalue.";
    let without = "10. With tanh units both are the same.";
    for (name, activation, what, kinked) in
        [("kinks", "relu", with, 1.0), ("smooth", "tanh", without, 0.0)]
    {
        bench.network(name, what, perceptron(activation, json!({})))?;
        let asked = Slice {
            along: Along::Eigenvectors,
            dimensions: 1,
            which: vec![1],
            points: Some(101),
            range: Some(0.2),
            rise: None,
            seed: None,
        };
        let flags = format!("slice {name} --dimensions 1 --which 1 --points 101 --range 0.2");
        let shown =
            format!("10. The loss along the top eigenvector of '{name}', and the quadratic.");
        let measured =
            bench.view(&format!("{name}-slice"), &flags, &[name], &shown, |compared, output| {
                let measured = asked.measure(compared, |_| {})?;
                write_slice(output, &measured, &asked)?;
                Ok(measured)
            })?;
        let axis = &measured.slice.axes[0];
        let both = axis.eigenvalue.zip(axis.second_difference);
        let apart = both.map_or(f64::NAN, |(value, difference)| (difference / value - 1.0).abs());
        let seen = match apart > 0.01 {
            true => 1.0,
            false if apart.is_nan() => f64::NAN,
            false => 0.0,
        };
        let what =
            format!("whether differences say another curvature than the eigenvalue of '{name}'");
        bench.check(what, kinked, seen, 0.0);
    }
    Ok(())
}
