//! Whether logged eigenvalues are right: random runs, each logged value beside the dense Hessian's.
//!
//! Draws runs of small networks over all optimizers, both solvers, full batches and minibatches, with and
//! without weight decay. At each logged step the Hessian is formed in double precision at the same
//! parameters and samples, and so is the operator that the optimizer's threshold bounds, with the
//! preconditioner that the step divided by; their eigenvalues are compared with the row's, index by
//! index. Prints each value that is off by more than 1%, then tables of counts. From the repository's
//! root, since models are read from there:
//!
//! ```sh
//! cargo run --release --example eigenvalue_scan -- --jobs 2 --out runs/scan.jsonl
//! cargo run --release --example eigenvalue_scan -- --fixed
//! cargo run --release --example eigenvalue_scan -- --cold --runs 28
//! cargo run --release --example eigenvalue_scan -- -- --optimizer adagrad --lr 0.02 --steps 100
//! ```
//!
//! With `--out`, runs that are in the file already are not made again.

mod measure;
mod plan;
mod reference;
mod store;
mod table;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;

use measure::{Probe, products_of_default_run};
use plan::Run;
use store::Store;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Parser)]
struct Arguments {
    /// Random runs
    #[arg(long, default_value_t = 112)]
    runs: usize,
    /// Seed of the settings that are drawn
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Logged steps from one reference to the next [default: 1, or 4 for convolutions; the fixed runs' own]
    #[arg(long)]
    every: Option<usize>,
    /// The fixed runs instead of random ones
    #[arg(long)]
    fixed: bool,
    /// Runs of these names only, separated by commas
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// Solves from nothing at each step, of 1 and of 6 eigenvalues, instead of what training logs
    #[arg(long)]
    cold: bool,
    /// Runs at a time
    #[arg(long, default_value_t = 2)]
    jobs: usize,
    /// JSON lines, one a run, written as runs end and read at the start
    #[arg(long)]
    out: Option<PathBuf>,
    /// Print the runs and do nothing
    #[arg(long)]
    list: bool,
    /// Flags of one run, instead of all those
    #[arg(last = true)]
    flags: Vec<String>,
}

impl Arguments {
    fn plan(&self) -> Vec<Run> {
        let mut runs = match (self.flags.is_empty(), self.fixed) {
            (false, _) => vec![Run::given(&self.flags.join(" "))],
            (true, true) => plan::fixed(),
            (true, false) => (0..self.runs).map(|i| plan::random(self.seed, i)).collect(),
        };
        runs.retain(|run| self.only.is_empty() || self.only.contains(&run.name));
        for run in &mut runs {
            run.every = self.every.unwrap_or(run.every).max(1);
        }
        runs
    }
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let runs = arguments.plan();
    if arguments.list {
        runs.iter().for_each(|run| println!("{}: {}", run.name, run.command));
        return Ok(());
    }
    let probe = if arguments.cold { Probe::Cold } else { Probe::Logged };
    let store = Mutex::new(Store::open(arguments.out.as_deref())?);
    let (next, clock) = (AtomicUsize::new(0), Instant::now());
    let work = || -> Result<()> {
        while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let known =
                store.lock().map_err(|_| anyhow::anyhow!("a run panicked"))?.has(run, probe);
            if known {
                continue;
            }
            let record = measure::measure(run, probe)
                .with_context(|| format!("{}: {}", run.name, run.command))?;
            let seconds = clock.elapsed().as_secs_f64();
            eprintln!("{seconds:5.0} s  {}", record.line());
            store.lock().map_err(|_| anyhow::anyhow!("a run panicked"))?.add(record)?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..arguments.jobs.max(1)).map(|_| scope.spawn(work)).collect();
        workers.into_iter().try_for_each(|worker| match worker.join() {
            Ok(done) => done,
            Err(_) => Err(anyhow::anyhow!("a run panicked")),
        })
    })?;
    let store = store.into_inner().map_err(|_| anyhow::anyhow!("a run panicked"))?;
    let records = store.of(&runs, probe);
    table::print_misses(&records);
    table::print_tables(&records, probe);
    if probe == Probe::Logged && arguments.flags.is_empty() {
        let products = products_of_default_run()?;
        println!("\nDefault run, 300 steps: products a step {}", table::quantiles(products));
    }
    Ok(())
}
