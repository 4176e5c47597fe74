//! Whole spectra.

use serde_json::json;

use super::bench::{Bench, above, at};
use super::dense::{decomposed, decomposed_operator};
use super::{Demo, Example, Part};
use crate::curvature::{Block, Hessian, Matrix, Spectrum, named_group};
use crate::error::Result;
use crate::experiment::spectrum::{Request, measure};
use crate::linalg::symmetric_eigen;
use crate::rundir::write_spectrum;

pub(super) const DEMO: Demo = Demo {
    name: "spectrum",
    title: "Spectra: all eigenvalues, not the largest alone",
    definition: "The spectrum of the Hessian is all of its eigenvalues: its largest is the sharpness, its sum the trace, the shares \
                 below, at and above zero its masses, and (sum l)^2/sum l^2 the effective rank, how many directions \
                 share the curvature. Of networks it is estimated by products with random vectors, each number with a standard error.",
    examples: &[
        Example {
            name: "bulk",
            what: "One eigenvalue of 10 and nine of 0.1.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]}, "start": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "mixed",
            what: "Three of five below zero, at the saddle of a quadratic.",
            settings: r#"{"objective": {"kind": "saddle", "spectrum": [4, 2, -1, -1, -2]}, "start": [1, 1, 0, 0, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "logistic",
            what: "Logistic regression at 0, where the Hessian is that of the features: mean xx'/4 and a ridge.",
            settings: r#"{"objective": {"kind": "logistic", "dimension": 3, "points": 50}, "start": [0, 0, 0], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
    ],
    non_examples: &[
        Example {
            name: "round",
            what: "Ten eigenvalues of 10: the sharpness of 'bulk', and nine times its trace.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 10, 10, 10, 10, 10, 10, 10, 10, 10]}, "start": [1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
        Example {
            name: "diagonal",
            what: "Second derivatives by the variables are not eigenvalues: those of a rotated quadratic lie in between.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [10, 0.1], "rotation": 3}, "start": [1, 1], "lr": 0.1, "steps": 3, "smallest": true}"#,
            event: None,
        },
    ],
    derivation: "Trace and squares of a known spectrum are sums. The Hessian of softmax regression at 0 is (I - 11'/K)/K \
                 times, in each pair of classes, mean xx' with x prolonged by 1: its eigenvalues are those of mean xx' over K, K - 1 times \
                 each, and one zero for each entry of x. Where the head of a transformer is 0 all tokens are as likely: the block of the Hessian by \
                 the head is (I - 11'/V)/V times mean hh', and since a LayerNorm without scales makes |h|^2 the width D, its trace is (1 - 1/V) \
                 D. With a softmax the Fisher matrix is the Gauss-Newton matrix.",
    column: "spectra/step-N.csv (--spectrum-every)",
    event: "edge_entered, by the largest alone",
    small,
    large,
};

/// The spectrum of a run at its start, written as a command does.
fn of(bench: &mut Bench, name: &str) -> Result<Spectrum> {
    let run = bench.run(name)?;
    let request = Request {
        step: Some(0),
        probes: Some(400),
        iterations: Some(20),
        sigma: None,
        matrix: Matrix::Hessian,
        preconditioned: false,
        parameters: None,
        top: 1,
        layers: false,
        flatness: false,
        reparametrize: None,
        backend: None,
    };
    let measured = measure(&run, &request)?;
    let label = measured.formula.as_deref().unwrap_or("threshold");
    write_spectrum(run.directory(), &measured.spectrum, label, &json!({}))?;
    let what = format!("The spectrum of '{name}' at its start.");
    bench.spectrum(name, &request.stem(&run)?, &what);
    Ok(measured.spectrum)
}

fn small(bench: &mut Bench) -> Result<()> {
    let bulk = of(bench, "bulk")?;
    bench.check("trace of 'bulk'", 10.9, bulk.trace.estimate.value, 1e-9);
    let rank = 10.9f64.powi(2) / 100.09;
    bench.check(
        "effective rank of 'bulk', (sum l)^2/sum l^2",
        rank,
        bulk.effective_rank.value,
        0.1,
    );
    let mixed = of(bench, "mixed")?;
    bench.check(
        "share of eigenvalues below zero in 'mixed'",
        0.6,
        mixed.masses.negative.value,
        0.1,
    );
    bench.check(
        "smallest eigenvalue of 'mixed'",
        -2.0,
        mixed.ends.smallest.unwrap_or(f64::NAN),
        1e-3,
    );
    bench.check("trace of 'mixed'", 2.0, mixed.trace.estimate.value, 1e-9);
    let logistic = of(bench, "logistic")?;
    let prepared =
        bench.problem(json!({"objective": {"kind": "logistic", "dimension": 3, "points": 50}}))?;
    let points = prepared.config.objective().map(|objective| objective.facts().constants());
    let squares: f64 = points.unwrap_or_default().iter().map(|x| x * x).sum();
    bench.check(
        "trace at 0, mean |x|^2/4 and three ridges",
        squares / 200.0 + 0.03,
        logistic.trace.estimate.value,
        1e-9,
    );
    let round = of(bench, "round")?;
    let apart = (round.ends.largest[0] - bulk.ends.largest[0]).abs();
    bench.check("sharpness of 'round' less that of 'bulk'", 0.0, apart, 1e-6);
    bench.check("trace of 'round'", 100.0, round.trace.estimate.value, 1e-9);
    let mut diagonal = bench.problem(
        json!({"objective": {"kind": "quadratic", "spectrum": [10, 0.1], "rotation": 3}}),
    )?;
    let objective = &mut *diagonal.problem.train;
    at(objective, &[1.0, 1.0])?;
    let [first, second] = [objective.hvp(&[1.0, 0.0])?, objective.hvp(&[0.0, 1.0])?];
    bench.check("sum of the second derivatives, the trace", 10.1, first[0] + second[1], 1e-12);
    let outside = above(first[0].max(second[1]), 10.0);
    bench.check("second derivative above the sharpness", 0.0, outside, 0.0);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let mut linear = bench.problem(json!({
        "model": "linear", "dataset": "blobs", "loss": "ce", "train_size": 100,
    }))?;
    let zero = vec![0.0; linear.theta.len()];
    at(&mut *linear.problem.train, &zero)?;
    let found = decomposed(&*linear.problem.train, Matrix::Hessian)?.values;
    let (data, train) = (&linear.dataset, &linear.split.train);
    let (k, n) = (data.outputs(), data.input_shape().len() + 1);
    let mut moments = vec![0.0; n * n];
    for &sample in train {
        let x: Vec<f64> = data.features(sample).iter().copied().chain([1.0]).collect();
        moments
            .iter_mut()
            .enumerate()
            .for_each(|(at, m)| *m += x[at / n] * x[at % n] / train.len() as f64);
    }
    let of_data = symmetric_eigen(n, &moments)?.values;
    let repeated = |value: &f64| vec![value / k as f64; k - 1];
    let theory: Vec<f64> =
        vec![0.0; n].into_iter().chain(of_data.iter().flat_map(repeated)).collect();
    let apart = theory.iter().zip(&found).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    bench.check(
        "largest eigenvalue of a softmax regression at 0",
        theory[k * n - 1],
        found[k * n - 1],
        1e-12,
    );
    bench.check("any of its eigenvalues less that of theory", 0.0, apart, 1e-12);
    let mut softmax = bench.softmax("tanh")?;
    let theta = softmax.theta.clone();
    at(&mut *softmax.problem.train, &theta)?;
    let [newton, fisher] = [Matrix::GaussNewton, Matrix::Fisher]
        .map(|matrix| decomposed(&*softmax.problem.train, matrix).map(|found| found.values));
    let (newton, fisher) = (newton?, fisher?);
    let apart = newton.iter().zip(&fisher).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    bench.check(
        "any eigenvalue of the Fisher less that of the Gauss-Newton matrix",
        0.0,
        apart,
        1e-12,
    );
    bench.on(Part::Transformer);
    let mut transformer = bench.transformer()?;
    let mut theta = transformer.theta.clone();
    let layout = transformer.problem.train.layout().clone();
    let head = named_group(&layout, "head")?.coordinates;
    theta[head[0].clone()].fill(0.0);
    at(&mut *transformer.problem.train, &theta)?;
    let objective = &*transformer.problem.train;
    let mut block = Block::new(Hessian::new(objective), head)?;
    let found = decomposed_operator(&mut block)?.values;
    let v = transformer.dataset.outputs() as f64;
    let width = found.len() as f64 / v;
    // LayerNorm adds 1e-5 to the variance.
    let what = "trace of the head's block where the head is 0, (1 - 1/V) D";
    bench.check(what, (1.0 - 1.0 / v) * width, found.iter().sum(), 5e-2);
    Ok(())
}
