//! What following the largest eigenvalues from step to step costs, and how far off they are.
//!
//! Trains in single precision as `sharpscope run` does, keeps the parameters of every so many steps,
//! and solves there from nothing, in double precision, to a residual of 1e-8. Prints products a step
//! (guard and audits counted) and relative errors, below the edge of stability and at it:
//!
//! ```sh
//! cargo run --release --example tracking -- --steps 500 --seeds 3 --every 5
//! ```

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result, bail};
use clap::Parser;
use serde_json::{Value, json};
use sharpscope::autodiff::Objective;
use sharpscope::config::{RunConfig, Settings};
use sharpscope::curvature::CurvatureMeter;
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::experiment::prepare;
use sharpscope::linalg::Lanczos;
use sharpscope::problem::{Supervised, supervised};
use sharpscope::profile::{Checkpoint, History, Observer, TrainingState};
use sharpscope::record::{Event, StepRow};
use sharpscope::stability::at_edge;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// mse, ce or lm, separated by commas
    #[arg(long, default_value = "mse,ce,lm", value_delimiter = ',')]
    cases: Vec<String>,
    /// How many of the largest eigenvalues are followed
    #[arg(long, default_value = "1,3", value_delimiter = ',')]
    top: Vec<usize>,
    #[arg(long, default_value_t = 500)]
    steps: usize,
    #[arg(long, default_value_t = 3)]
    seeds: u64,
    /// Steps from one reference to the next
    #[arg(long, default_value_t = 5)]
    every: usize,
    #[arg(long, default_value_t = 1e-3)]
    tolerance: f64,
}

/// What is trained: digits with squared error; digits with cross-entropy, relu and a quarter of the
/// labels at random; a one-block transformer on text.
fn problem(case: &str) -> Result<Value> {
    Ok(match case {
        "mse" => json!({"loss": "mse", "lr": 0.2}),
        "ce" => json!({"loss": "ce", "model": "mlp-relu", "label_noise": 0.25, "lr": 0.3}),
        "lm" => json!({"model": "transformer-tiny", "dataset": "shakespeare", "train_size": 32,
                       "validation_size": 4, "lr": 0.5}),
        other => bail!("no case '{other}'; known: mse, ce, lm"),
    })
}

/// Keeps rows, and the parameters of checkpoints.
#[derive(Default)]
struct Kept {
    rows: Vec<StepRow>,
    points: Vec<(usize, Vec<f64>)>,
}

impl Observer for Kept {
    fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
        self.rows.push(row.clone());
        Ok(())
    }

    fn event(&mut self, _event: &Event) -> sharpscope::Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> sharpscope::Result<()> {
        let TrainingState { step, theta, .. } = checkpoint.state;
        self.points.push((*step, theta.clone()));
        Ok(())
    }
}

/// Products and relative errors of one kind of step.
#[derive(Default)]
struct Tally {
    products: Vec<f64>,
    errors: Vec<f64>,
    misses: usize,
}

impl Tally {
    fn describe(&mut self) -> String {
        let quantile = |values: &mut Vec<f64>, share: f64| {
            values.sort_by(f64::total_cmp);
            let last = values.len().checked_sub(1);
            last.map_or(f64::NAN, |last| values[(share * last as f64).round() as usize])
        };
        let (products, errors) = (&mut self.products, &mut self.errors);
        format!(
            "{} steps, products {:.0} / {:.0}, {} errors: 95% {:.0e}, most {:.0e}, {} above 1%",
            products.len(),
            quantile(products, 0.5),
            quantile(products, 0.95),
            errors.len(),
            quantile(errors, 0.95),
            quantile(errors, 1.0),
            self.misses
        )
    }
}

/// Trains with one seed and adds to the tallies below the edge and at it.
fn run(case: &str, top: usize, seed: u64, a: &Arguments, tallies: &mut [Tally; 2]) -> Result<()> {
    let mut settings = problem(case)?;
    let more = json!({"backend": "cpu", "steps": a.steps, "seed": seed, "top": top,
                      "tolerance": a.tolerance, "checkpoint_every": a.every});
    let more = more.as_object().context("an object")?.clone();
    settings.as_object_mut().context("an object")?.extend(more);
    let settings: Settings = serde_json::from_value(settings)?;
    let prepared = prepare(RunConfig::resolve(settings)?)?;
    let task = Arc::new(Supervised {
        model: prepared.config.model.clone(),
        data: Arc::clone(&prepared.dataset),
        loss: prepared.config.loss,
    });
    let device = Device::open(BackendChoice::Cpu, Precision::F64)?;
    let (samples, chunk) = (prepared.split.train.clone(), prepared.config.chunk.unwrap_or(256));
    let mut double: Box<dyn Objective> = supervised(&device, &task, samples, chunk)?;

    let mut kept = Kept::default();
    let never = AtomicBool::new(false);
    let (trainer, start) = prepared.trainer(&never);
    if let Some(error) = trainer.run(start, &History::default(), &mut [&mut kept])?.error {
        return Err(error.into());
    }
    let tally = |row: &StepRow| usize::from(row.edge_ratio.is_some_and(at_edge));
    // The first step knows nothing yet.
    for row in &kept.rows[1..] {
        tallies[tally(row)].products.push(row.hvps as f64);
    }
    let lanczos = Lanczos { largest: top, smallest: 0, tolerance: 1e-8, max_iterations: 400 };
    let meter = CurvatureMeter::lanczos(lanczos, seed + 1000);
    for (step, theta) in &kept.points {
        let Some(row) = kept.rows.get(*step) else { continue };
        double.set_parameters(theta)?;
        let reference = meter.measure(&*double, *step)?;
        if !reference.converged {
            eprintln!("{case}, seed {seed}, step {step}: the reference has not converged");
        }
        let tally = &mut tallies[tally(row)];
        let errors = row.lambda.iter().zip(&reference.lambda).map(|(x, y)| (x / y - 1.0).abs());
        tally.errors.extend(errors.clone());
        tally.misses += usize::from(errors.clone().next().is_some_and(|error| error > 0.01));
        if errors.clone().any(|error| error > 0.01) {
            println!(
                "{case}, seed {seed}, step {step}: {:?}, not {:?}",
                row.lambda, reference.lambda
            );
        }
    }
    Ok(())
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for case in &arguments.cases {
        for &top in &arguments.top {
            let mut tallies = <[Tally; 2]>::default();
            for seed in 0..arguments.seeds {
                run(case, top, seed, &arguments, &mut tallies)?;
            }
            for (name, tally) in ["below the edge", "at the edge"].into_iter().zip(&mut tallies) {
                println!("{case}, {top} eigenvalues, {name}: {}", tally.describe());
            }
        }
    }
    Ok(())
}
