//! `sharpscope landscape instability`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::ResultArgs;
use super::{describe, tell};
use crate::cli::logging::Terminal;
use crate::cli::signals::watch_for_interrupts;
use crate::experiment::landscape::instability::{Branched, Instability, Landmarks, onset, write};
use crate::experiment::landscape::{Compared, Output};
use crate::names::all_of;
use crate::record::short;
use crate::rundir::StoredRun;

/// Arguments of `landscape instability`.
#[derive(Debug, Args)]
pub(in crate::cli) struct InstabilityArgs {
    /// The run directory, with checkpoints
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Steps at which copies branch off, each with a checkpoint or 0
    #[arg(long, value_name = "STEPS", value_delimiter = ',', required = true)]
    pub at: Vec<usize>,
    /// Copies at each step, with an order of minibatches of their own
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub orders: usize,
    /// Move each copy this far in a random direction as well, by the norm of the weights
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub perturb: Option<f64>,
    /// Points on each line between two copies, its ends among them
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub points: usize,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Trains the copies, prints and writes; returns the exit code.
pub(super) fn instability(args: &InstabilityArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let mut at = args.at.clone();
    at.sort_unstable();
    at.dedup();
    let asked = Instability { at, orders: args.orders, perturb: args.perturb, points: args.points };
    let run = StoredRun::open(&args.run)?;
    asked.check(&run)?;
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    Output::check(out, force)?;
    let mut compared = Compared::open(std::slice::from_ref(&args.run), args.result.backend)?;
    describe(&compared, terminal);
    let interrupted = watch_for_interrupts();
    let landmarks = Landmarks::of(&run)?;
    let branched = asked.measure(&run, &mut compared, &interrupted, |b| {
        terminal.note(&format!("step {}: {} copies trained on", b.step, asked.orders));
    })?;
    let mut described = compared.described()?;
    described["settings"] = json!({
        "at": asked.at,
        "orders": asked.orders,
        "perturb": asked.perturb,
        "points": asked.points,
    });
    let name = compared.members.first().map(|member| member.name.clone()).unwrap_or_default();
    let mut output = Output::create(out, force, "instability", &described)?;
    write(&mut output, &run, &name, &branched, &landmarks)?;
    let path = output.finish()?;
    tell(&args.result, &path, || report(&branched, &landmarks), terminal)?;
    Ok(0)
}

fn report(branched: &[Branched], landmarks: &Landmarks) -> Vec<String> {
    let value = |x: Option<f64>| x.map_or_else(|| "-".to_string(), short);
    let points =
        |x: Option<f64>| x.map_or_else(|| "-".to_string(), |x| format!("{:.2}", 100.0 * x));
    let mut lines = vec![format!(
        "{:>8}  {:>14}  {:>14}  {:>12}  {:>12}  {:>9}",
        "step", "error barrier", "(validation)", "loss barrier", "(validation)", "apart"
    )];
    for b in branched {
        let diverged = match b.diverged {
            0 => String::new(),
            count => format!("  {count} diverged"),
        };
        lines.push(format!(
            "{:>8}  {:>14}  {:>14}  {:>12}  {:>12}  {:>9}{diverged}",
            b.step,
            points(b.mean(|p| Some(p.train.error?.value))),
            points(b.mean(|p| Some(p.validation?.error?.value))),
            value(b.mean(|p| Some(p.train.loss.value))),
            value(b.mean(|p| Some(p.validation?.loss.value))),
            value(b.mean(|p| Some(p.distance)).map(|apart| apart / b.travelled)),
        ));
    }
    lines.push(
        "          (error barriers in percentage points, apart by the distance travelled; means over \
         the pairs)"
            .to_string(),
    );
    lines.push(match onset(branched) {
        Some(step) => {
            format!("stable      from step {step} on no error barrier of 2 points is left")
        }
        None => "stable      at none of these steps, or errors are not counted".to_string(),
    });
    lines.push(match landmarks.edge_entered {
        Some(step) => format!("edge        entered at step {step}"),
        None => "edge        not entered".to_string(),
    });
    lines.push(match landmarks.spikes.as_slice() {
        [] => "spikes      none".to_string(),
        spikes => format!("spikes      at steps {}", all_of(spikes)),
    });
    lines
}
