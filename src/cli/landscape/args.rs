//! The flags of `landscape`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::align::AlignArgs;
use super::connect::ConnectArgs;
use super::instability::InstabilityArgs;
use crate::cli::flags::Read;
use crate::device::BackendChoice;
use crate::names::Choice;

/// Arguments of `landscape`.
#[derive(Debug, Args)]
pub(in crate::cli) struct LandscapeArgs {
    #[command(subcommand)]
    pub command: LandscapeCommand,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum LandscapeCommand {
    /// Loss, accuracy and sharpness along the straight lines between runs, and their barriers
    Interpolate(InterpolateArgs),
    /// A curve of low loss between two runs, and whether it is one
    Connect(ConnectArgs),
    /// One run's hidden units in the order, the signs and the scales of another's
    Align(AlignArgs),
    /// When copies that differ in their noise alone no longer part
    Instability(InstabilityArgs),
}

/// Where a result is written, and on which device it is computed.
#[derive(Debug, Args)]
pub(in crate::cli) struct ResultArgs {
    /// Folder to write [default: landscapes/TIME-COMMAND]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace a result that is already in --out
    #[arg(long)]
    pub force: bool,
    /// Device: auto, wgpu or cpu [default: the first run's]
    #[arg(long, value_name = BackendChoice::BARRED,
          value_parser = Read::<BackendChoice>::new(), hide_possible_values = true)]
    pub backend: Option<BackendChoice>,
}

/// Arguments of `landscape interpolate`.
#[derive(Debug, Args)]
pub(in crate::cli) struct InterpolateArgs {
    /// Run directories of one problem, each RUN or RUN@STEP
    #[arg(value_name = "RUN", required_unless_present = "init_to_final")]
    pub runs: Vec<PathBuf>,
    /// The line from the start of this run to its end (or STEP) instead, and whether the loss only falls along it
    #[arg(long, value_name = "RUN", conflicts_with = "runs")]
    pub init_to_final: Option<PathBuf>,
    /// Points on each line, its ends among them
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub points: usize,
    /// Hessian eigenvalues to follow along each line; 0 for none
    #[arg(long, value_name = "K", default_value_t = 3)]
    pub top: usize,
    #[command(flatten)]
    pub result: ResultArgs,
}
