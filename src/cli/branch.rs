//! `sharpscope branch`.

use std::path::PathBuf;

use clap::Args;

use super::flags::settings_of;
use super::logging::Terminal;
use super::progress::Progress;
use super::run::{describe, report};
use super::signals::watch_for_interrupts;
use crate::experiment::{Branching, branch_picture};
use crate::rundir::StoredRun;

/// Arguments of `branch`.
#[derive(Debug, Args)]
#[command(
    after_help = "Without FLAGS the branch takes the run's own steps again. A changed optimizer begins \
                        with an empty memory; --order-seed goes on with another order of minibatches."
)]
pub(super) struct BranchArgs {
    /// The run and the checkpoint to go on from, RUN@STEP [default: its last checkpoint]
    #[arg(value_name = "RUN@STEP")]
    pub run: PathBuf,
    /// Train the quadratic model of the loss about the checkpoint instead of the network
    #[arg(long)]
    pub quadratic: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// What is changed, as flags of 'run'; --out, --name and --force say where the branch is written
    #[arg(last = true, value_name = "FLAGS", allow_hyphen_values = true)]
    pub changes: Vec<String>,
}

/// Branches off and trains; returns the exit code.
pub(super) fn branch(args: &BranchArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let changes = settings_of(&args.changes)?;
    let stored = StoredRun::open(&args.run)?;
    let started = Branching { changes, quadratic: args.quadratic }.start(&stored)?;
    let interrupted = watch_for_interrupts();
    let prepared = started.prepared();
    for notice in [prepared.device.notice(), prepared.notice.as_deref()].into_iter().flatten() {
        terminal.note(notice);
    }
    terminal.note(&describe(prepared));
    let what = if args.quadratic { ", on the quadratic model there" } else { "" };
    terminal.note(&format!(
        "leaves {} at step {}{what}",
        stored.path().display(),
        started.first_step()
    ));
    let formula = started.formula();
    let progress = Progress::start(terminal, prepared.config.steps, formula.as_deref());
    let finished = started.train(vec![Box::new(progress)], &interrupted)?;
    branch_picture(&stored, &finished.directory)?;
    report(&finished, formula.as_deref(), args.json, terminal)?;
    match finished.error {
        Some(error) => Err(error.into()),
        None => Ok(finished.summary.status.code()),
    }
}
