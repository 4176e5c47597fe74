//! `sharpscope landscape align`.

use std::path::PathBuf;

use clap::Args;
use serde_json::json;

use super::args::ResultArgs;
use super::{barrier_line, describe, tell};
use crate::cli::logging::Terminal;
use crate::experiment::landscape::align::{Aligned, Alignment, write};
use crate::experiment::landscape::{Compared, Output};
use crate::landscape::align::MatchSettings;
use crate::record::short;

/// Arguments of `landscape align`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AlignArgs {
    /// The run that stays, RUN or RUN@STEP
    #[arg(value_name = "A")]
    pub to: PathBuf,
    /// The run whose hidden units are rearranged
    #[arg(value_name = "B")]
    pub run: PathBuf,
    /// Starts of the matching: as the runs are, and random orders of the units; the best is kept
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub starts: usize,
    /// Most sweeps over the layers from each start
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub sweeps: usize,
    /// Seed of the orders
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
    /// Leave the units' signs as they are, though the activation is odd
    #[arg(long)]
    pub no_flips: bool,
    /// Leave the units' scales as they are, though the activation is positively homogeneous
    #[arg(long)]
    pub no_scales: bool,
    /// The line with the mean and the deviation of each unit restored as well
    #[arg(long)]
    pub repair: bool,
    /// Points on each line, its ends among them
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub points: usize,
    /// Hessian eigenvalues to follow along each line; 0 for none
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub top: usize,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Aligns, measures, prints and writes; returns the exit code.
pub(super) fn align(args: &AlignArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let matching = MatchSettings {
        starts: args.starts,
        sweeps: args.sweeps,
        flips: !args.no_flips,
        scales: !args.no_scales,
        seed: args.seed,
    };
    let asked = Alignment { matching, repair: args.repair, points: args.points, top: args.top };
    asked.check(2)?;
    let (out, force) = (args.result.out.as_deref(), args.result.force);
    Output::check(out, force)?;
    let runs = [args.to.clone(), args.run.clone()];
    let mut compared = Compared::open(&runs, args.result.backend)?;
    asked.check_model(&compared)?;
    describe(&compared, terminal);
    let found = asked.find(&mut compared)?;
    let mut described = compared.described()?;
    described["settings"] = json!({
        "matching": matching,
        "repair": args.repair,
        "points": args.points,
        "top": args.top,
    });
    let mut output = Output::create(out, force, "align", &described)?;
    write(&mut output, &compared, &asked, &found)?;
    let path = output.finish()?;
    tell(&args.result, &path, || report(&found), terminal)?;
    Ok(0)
}

fn report(found: &Aligned) -> Vec<String> {
    let (moved, flipped, units) = found.matching.rearrangement.counts();
    let [before, after] = found.values;
    let mut lines = vec![
        format!(
            "aligned     {moved} of {units} hidden units moved, {flipped} with another sign (start {} \
             was the best)",
            found.matching.best
        ),
        format!("distance    {} -> {}", short(found.distances[0]), short(found.distances[1])),
        format!(
            "same net    training loss {} -> {}, off by {:.0e} of it",
            short(before.train.loss),
            short(after.train.loss),
            (after.train.loss - before.train.loss).abs() / before.train.loss.abs()
        ),
    ];
    for line in &found.lines {
        lines.push(barrier_line(&format!("{} train", line.name), &line.train));
        let validation = line.validation.as_ref();
        lines.extend(validation.map(|b| barrier_line(&format!("{} val", line.name), b)));
    }
    lines
}
