//! Whether stated errors cover: how often the exact value lies within two of them.
//!
//! Matrices with known eigenvalues, and networks of some hundred parameters whose matrices are formed
//! whole, both drawn at random. For each stated quantity: trials, the share within two standard errors
//! (95 of 100 are meant), the share within two of the textbook's, sample deviation over sqrt(n), the
//! median of the standard error over the actual error (about 1.5 for a normal deviate; larger is
//! wasteful), and the share without a stated error. A table in Markdown:
//!
//! ```sh
//! cargo run --release --example coverage -- --matrices 60 --networks 16 --seed 0
//! ```

use std::collections::BTreeMap;

use anyhow::Result;
use clap::Parser;
use faer::Mat;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde_json::json;
use sharpscope::autodiff::{Objective, ParameterLayout, Samples};
use sharpscope::config::RunConfig;
use sharpscope::curvature::{
    BatchSharpness, CurvatureMeter, CurvatureOperator, FlatnessSettings, Matrix, Spectrum,
    SpectrumMeter, flatness,
};
use sharpscope::experiment::prepare;
use sharpscope::linalg::{
    DenseOperator, Estimate, HutchPlusPlus, Hutchinson, Lanczos, SpectralDensity,
    StochasticLanczos, SymmetricOperator, dot, symmetric_eigen,
};
use sharpscope::optim::StabilityOperator;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// Matrices of each kind
    #[arg(long, default_value_t = 60)]
    matrices: u64,
    #[arg(long, default_value_t = 16)]
    networks: u64,
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Trials of one quantity in one setting.
#[derive(Default)]
struct Tally {
    trials: usize,
    within: usize,
    textbook: Option<usize>,
    unstated: usize,
    ratios: Vec<f64>,
}

/// By what is measured and how.
#[derive(Default)]
struct Table(BTreeMap<(String, String), Tally>);

impl Table {
    fn add(&mut self, what: &str, how: &str, found: Estimate, plain: Option<Estimate>, exact: f64) {
        // What rounding leaves.
        let rounding = 1e-10 * exact.abs().max(found.value.abs()) + 1e-12;
        let within = |estimate: Estimate| {
            let error = estimate.standard_error.unwrap_or(f64::INFINITY);
            (estimate.value - exact).abs() <= 2.0 * error + rounding
        };
        let tally = self.0.entry((what.to_string(), how.to_string())).or_default();
        tally.trials += 1;
        let Some(error) = found.standard_error else {
            tally.unstated += 1;
            return;
        };
        tally.within += usize::from(within(found));
        if let Some(plain) = plain {
            *tally.textbook.get_or_insert(0) += usize::from(within(plain));
        }
        let actual = (found.value - exact).abs();
        if actual > rounding {
            tally.ratios.push(error / actual);
        }
    }

    fn print(mut self) {
        println!(
            "| quantity | setting | trials | within two | textbook's | median error ratio | unstated |"
        );
        println!("|---|---|---|---|---|---|---|");
        for ((what, how), tally) in &mut self.0 {
            let stated = tally.trials - tally.unstated;
            let share = |count: usize| format!("{:.3}", count as f64 / stated.max(1) as f64);
            tally.ratios.sort_by(f64::total_cmp);
            let median = tally.ratios.get(tally.ratios.len() / 2);
            println!(
                "| {what} | {how} | {} | {} | {} | {} | {:.2} |",
                tally.trials,
                share(tally.within),
                tally.textbook.map_or(String::new(), share),
                median.map_or("exact".to_string(), |ratio| format!("{ratio:.1}")),
                tally.unstated as f64 / tally.trials as f64
            );
        }
    }
}

/// What is exact of a spectrum.
struct Exact {
    near: f64,
    shares: [f64; 3],
    trace: f64,
    norm: f64,
    rank: f64,
}

impl Exact {
    fn of(values: &[f64]) -> Self {
        let magnitude = values.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        let (near, n) = (1e-3 * magnitude, values.len() as f64);
        let share = |inside: &dyn Fn(f64) -> bool| {
            values.iter().filter(|&&value| inside(value)).count() as f64 / n
        };
        let trace: f64 = values.iter().sum();
        let squares: f64 = values.iter().map(|value| value * value).sum();
        Self {
            near,
            shares: [share(&|x| x < -near), share(&|x| x.abs() <= near), share(&|x| x > near)],
            trace,
            norm: squares.sqrt(),
            rank: trace * trace / squares,
        }
    }

    /// The readings of a density, beside the textbook's.
    fn compare(&self, table: &mut Table, how: &str, density: &SpectralDensity) -> Result<()> {
        let names = ["mass below zero", "mass near zero", "mass above zero"];
        let (shares, plain) = (density.shares(self.near)?, density.masses(self.near));
        for i in 0..3 {
            table.add(names[i], how, shares[i].estimate, Some(plain[i]), self.shares[i]);
        }
        table.add("trace, quadrature", how, density.trace(), Some(density.sum(|x| x)), self.trace);
        let squares = density.sum(|x| x * x);
        let norm = squares.value.sqrt();
        let standard_error = squares.standard_error.map(|error| error / (2.0 * norm));
        let plain = Estimate { value: norm, standard_error };
        table.add("Frobenius norm", how, density.frobenius(0.0), Some(plain), self.norm);
        let plain = Some(density.effective_rank());
        table.add("effective rank", how, density.rank(), plain, self.rank);
        Ok(())
    }
}

/// A cluster at zero with small eigenvalues of both signs, a third of full rank, few large ones and a
/// bulk, a power law of both signs, one that dominates, a bulk about its mean.
fn spectrum(kind: usize, n: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    let few = (n / 40).max(3);
    let z = |rng: &mut ChaCha8Rng| -> f64 { StandardNormal.sample(rng) };
    (0..n)
        .map(|i| match kind {
            0 if i < n / 8 => 0.0,
            0 if i < n / 8 + few => 20.0 * 0.8f64.powi((i - n / 8) as i32),
            0 => 0.02 * z(rng).signum() * (1.5 * z(rng)).exp(),
            1 if i < 2 * n / 3 => 0.0,
            1 => (2.0 * z(rng) - 2.0).exp(),
            2 if i < few => 20.0 * 0.7f64.powi(i as i32),
            2 => 0.2 * z(rng),
            3 => 10.0 * (1.0 + i as f64).powf(-1.2) * if i % 5 == 4 { -1.0 } else { 1.0 },
            4 if i == 0 => 20.0,
            4 => 0.3 * z(rng),
            _ => 0.5 + z(rng),
        })
        .collect()
}

/// Q diag(values) Q' for a random orthogonal Q.
fn rotated(values: &[f64], rng: &mut ChaCha8Rng) -> Result<DenseOperator> {
    let n = values.len();
    let draws: Vec<f64> = StandardNormal.sample_iter(rng).take(n * n).collect();
    let q = Mat::from_fn(n, n, |i, j| draws[i * n + j]).qr().compute_Q();
    let scaled = Mat::from_fn(n, n, |i, j| q[(i, j)] * values[j]);
    let a = &scaled * q.transpose();
    let entry = |i: usize, j: usize| 0.5 * (a[(i, j)] + a[(j, i)]);
    Ok(DenseOperator::new(n, (0..n * n).map(|ij| entry(ij / n, ij % n)).collect())?)
}

fn matrices(table: &mut Table, count: u64, rng: &mut ChaCha8Rng) -> Result<()> {
    for kind in (0..count).flat_map(|_| 0..6) {
        let values = spectrum(kind, rng.random_range(130..260), rng);
        let mut operator = rotated(&values, rng)?;
        let exact = Exact::of(&values);
        for (probes, iterations) in [(3, 20), (5, 40), (10, 80), (24, 40)] {
            let density = StochasticLanczos { probes, iterations }.run(&mut operator, rng)?;
            let how = format!("matrices, {probes} probes × {iterations}");
            exact.compare(table, &how, &density)?;
        }
        for products in [15, 60, 120] {
            let rest = Hutchinson { least_probes: 10, most_probes: products / 3, accuracy: 0.02 };
            let found = HutchPlusPlus { rank: products / 3, rest }.estimate(&mut operator, rng)?;
            let how = format!("matrices, {products} products");
            table.add("trace, Hutch++", &how, found.estimate, None, exact.trace);
        }
    }
    Ok(())
}

/// A small network with its training samples, after some steps of gradient descent.
fn network(rng: &mut ChaCha8Rng, seed: u64) -> Result<(Box<dyn Objective>, Vec<f64>)> {
    let activation = ["tanh", "relu", "silu", "gelu"][rng.random_range(0..4)];
    let hidden = [rng.random_range(2..5), rng.random_range(3..6)];
    let model = match rng.random_range(0..3) {
        0 => json!({"kind": "cnn", "channels": [3, 4], "activation": activation, "pooling": "max"}),
        1 => json!({"kind": "mlp", "hidden": [hidden[0]], "activation": activation}),
        _ => json!({"kind": "mlp", "hidden": hidden, "activation": activation}),
    };
    let loss = ["mse", "ce"][rng.random_range(0..2)];
    let settings = json!({
        "model": model, "dataset": "digits", "train_size": rng.random_range(40..90),
        "validation_size": 0, "loss": loss, "seed": seed,
        "precision": "f64", "backend": "cpu"
    });
    let prepared = prepare(RunConfig::resolve(serde_json::from_value(settings)?)?)?;
    let (mut objective, mut theta) = (prepared.problem.train, prepared.theta);
    objective.set_parameters(&theta)?;
    for _ in 0..[0, 30, 300][rng.random_range(0..3)] {
        let gradient = objective.gradient(Samples::All)?.gradient;
        theta.iter_mut().zip(&gradient).for_each(|(w, g)| *w -= 0.2 * g);
        objective.set_parameters(&theta)?;
    }
    Ok((objective, theta))
}

fn dense(objective: &dyn Objective, matrix: Matrix) -> Result<Vec<f64>> {
    let n = objective.dim();
    let mut entries = vec![0.0; n * n];
    let mut unit = vec![0.0; n];
    let mut operator = CurvatureOperator::new(objective, matrix, 0);
    for (i, row) in entries.chunks_exact_mut(n).enumerate() {
        unit[i] = 1.0;
        operator.apply(&unit, row)?;
        unit[i] = 0.0;
    }
    Ok(entries)
}

fn meter(matrix: Matrix, probes: usize, iterations: usize, seed: u64) -> SpectrumMeter {
    SpectrumMeter {
        quadrature: StochasticLanczos { probes, iterations },
        sigma: None,
        matrix,
        operator: StabilityOperator::default(),
        group: None,
        top: 1,
        tolerance: 1e-3,
        max_iterations: 200,
        trace_accuracy: 0.02,
        trace_products: 120,
        seed,
    }
}

/// sum over layers of sum_{s,s'} <w_s, w_s'> tr(H_{s,s'}).
fn relative_flatness(layout: &ParameterLayout, theta: &[f64], hessian: &[f64]) -> f64 {
    let n = theta.len();
    let mut total = 0.0;
    for entry in layout.entries().iter().filter(|entry| entry.shape.len() > 1) {
        let (rows, columns) = (entry.shape[0], entry.len / entry.shape[0]);
        let start = |row: usize| entry.offset + row * columns;
        for (s, r) in (0..rows).flat_map(|s| (0..rows).map(move |r| (s, r))) {
            let weights = |row: usize| &theta[start(row)..start(row) + columns];
            let block = (0..columns).map(|k| hessian[(start(s) + k) * n + start(r) + k]);
            total += dot(weights(s), weights(r)) * block.sum::<f64>();
        }
    }
    total
}

fn networks(table: &mut Table, count: u64, rng: &mut ChaCha8Rng) -> Result<()> {
    const SEEDS: u64 = 4;
    for number in 0..count {
        let (mut objective, theta) = network(rng, number)?;
        let n = objective.dim();
        for matrix in [Matrix::Hessian, Matrix::GaussNewton, Matrix::Residual] {
            let values = symmetric_eigen(n, &dense(&*objective, matrix)?)?.values;
            let exact = Exact::of(&values);
            for ((probes, iterations), seed) in
                [(3, 20), (10, 80)].into_iter().flat_map(|s| (0..SEEDS).map(move |k| (s, k)))
            {
                let seed = 100 * number + seed;
                let meter = meter(matrix, probes, iterations, seed);
                let Spectrum { density, trace, .. } = meter.measure(&*objective, 0)?;
                let how = format!("networks, {probes} probes × {iterations}");
                exact.compare(table, &how, &density)?;
                let how = "networks, 120 products";
                table.add("trace, Hutch++", how, trace.estimate, None, exact.trace);
            }
        }
        let fisher = dense(&*objective, Matrix::Fisher)?;
        let exact: f64 = (0..n).map(|i| fisher[i * n + i]).sum();
        for seed in 0..5 * SEEDS {
            let meter = meter(Matrix::SampledFisher, 10, 20, 100 * number + seed);
            let Spectrum { quadrature_trace, trace, .. } = meter.measure(&*objective, 0)?;
            table.add(
                "trace of the Fisher matrix",
                "its targets drawn",
                trace.estimate,
                None,
                exact,
            );
            let how = "its targets drawn, quadrature";
            table.add("trace of the Fisher matrix", how, quadrature_trace, None, exact);
        }
        flat(table, &mut *objective, &theta, number, rng)?;
        batches(table, &*objective, number)?;
    }
    Ok(())
}

fn flat<R: Rng>(
    table: &mut Table,
    objective: &mut dyn Objective,
    theta: &[f64],
    number: u64,
    rng: &mut R,
) -> Result<()> {
    let hessian = dense(objective, Matrix::Hessian)?;
    let n = theta.len();
    let exact = relative_flatness(&objective.layout().clone(), theta, &hessian);
    let trace: f64 = (0..n).map(|i| hessian[i * n + i]).sum();
    let lanczos = Lanczos { largest: 1, smallest: 0, tolerance: 1e-2, max_iterations: 60 };
    for seed in 0..20 {
        let settings = FlatnessSettings {
            meter: CurvatureMeter::lanczos(lanczos, 100 * number + seed),
            step: 0,
            epsilon: 1e-3,
            rho: 0.05,
            adaptive_rho: 0.5,
            ascent_steps: 1,
            probes: 60,
        };
        let found = flatness(objective, theta, &settings, rng)?;
        table.add("relative flatness", "60 probes", found.relative_flatness, None, exact);
        table.add("trace beside flatness", "60 probes", found.trace.estimate, None, trace);
    }
    Ok(())
}

/// Against the mean over very many batches.
fn batches(table: &mut Table, objective: &dyn Objective, number: u64) -> Result<()> {
    for batch_size in [4, 16] {
        let measure = |batches: usize, seed: u64| {
            let drawn = BatchSharpness { batches, batch_size, accuracy: None, seed };
            drawn.measure(objective, None, 0)
        };
        let Some(exact) = measure(3000, u64::MAX - number)? else { continue };
        for drawn in [4, 8, 16, 40] {
            for seed in 0..15 {
                if let Some(found) = measure(drawn, 1000 * number + seed)? {
                    let how = format!("{drawn} batches of {batch_size}");
                    let (mean, ratio) = (found.mean_of_ratios, found.ratio_of_means);
                    table.add("batch sharpness", &how, mean, None, exact.mean_of_ratios.value);
                    let exact = exact.ratio_of_means.value;
                    table.add("its ratio of means", &how, ratio, None, exact);
                }
            }
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut table = Table::default();
    let mut rng = ChaCha8Rng::seed_from_u64(arguments.seed);
    matrices(&mut table, arguments.matrices, &mut rng)?;
    networks(&mut table, arguments.networks, &mut rng)?;
    table.print();
    Ok(())
}
