//! The flags of `landscape`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::align::AlignArgs;
use super::connect::ConnectArgs;
use super::instability::InstabilityArgs;
use crate::cli::flags::Read;
use crate::device::BackendChoice;
use crate::experiment::landscape::average::AverageKind;
use crate::experiment::landscape::slice::Along;
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
    /// Averages of a run's checkpoints, and soups of several runs, beside what they are made of
    Average(AverageArgs),
    /// The loss along one direction or over a plane: eigenvectors, random directions, three runs, a trajectory
    Slice(SliceArgs),
    /// Which minimum each start of a grid reaches; of several runs, which share a basin
    Basins(BasinsArgs),
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
    /// Print JSON
    #[arg(long)]
    pub json: bool,
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
    /// Points from one solve from nothing to the next, which finds eigenvalues that were passed over
    #[arg(long, value_name = "N", default_value_t = 4)]
    pub audit_every: usize,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Arguments of `landscape slice`.
#[derive(Debug, Args)]
pub(in crate::cli) struct SliceArgs {
    /// Run directory, RUN or RUN@STEP; three for --along plane
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Directions: eigenvectors (of the Hessian), random (scaled as the weights), plane (through three runs), trajectory
    /// (principal components of the checkpoints) or coordinates (variables themselves) [default: eigenvectors]
    #[arg(long, value_name = Along::BARRED, value_parser = Read::<Along>::new(), hide_possible_values = true)]
    pub along: Option<Along>,
    /// 1 for a line along each direction, 2 for a plane
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub dimensions: usize,
    /// Which eigenvectors, by falling eigenvalue from 1; which variables, for coordinates
    #[arg(long, value_name = "K,…", value_delimiter = ',', default_value = "1,2")]
    pub which: Vec<usize>,
    /// Points on each axis [default: 51 on a line, 25 in a plane]
    #[arg(long, value_name = "N")]
    pub points: Option<usize>,
    /// Half-width: for eigenvectors in units of sqrt(2 dL/|lambda|), for random directions of the direction [default: 1];
    /// for planes, trajectories and coordinates, what is shown around the points as a share of their extent [default: 0.25]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub range: Option<f64>,
    /// dL, the rise that eigenvectors' units are made of [default: the training loss there]
    #[arg(long, value_name = "DL", allow_negative_numbers = true)]
    pub rise: Option<f64>,
    /// Seed of random directions [default: the run's]
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Arguments of `landscape basins`.
#[derive(Debug, Args)]
pub(in crate::cli) struct BasinsArgs {
    /// One run of an objective, RUN or RUN@STEP, for a map of where its starts lead; or several runs of one problem
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// The two variables of a map; the others are the run's
    #[arg(long, value_name = "I,J", value_delimiter = ',', default_value = "1,2")]
    pub which: Vec<usize>,
    /// Starts on each side of a map, points on each line between runs [default: 25]
    #[arg(long, value_name = "N", default_value_t = 25)]
    pub points: usize,
    /// Middle of a map [default: that of the objective's region]
    #[arg(long, value_name = "X,Y", value_delimiter = ',', allow_negative_numbers = true)]
    pub center: Vec<f64>,
    /// Half the width of a map [default: that of the objective's region]
    #[arg(long, value_name = "R", allow_negative_numbers = true)]
    pub range: Option<f64>,
    /// Updates from each start [default: the run's]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// Barrier up to which two runs share a basin: of the error or, where errors are not counted, of the loss as a
    /// share of that at the first run's start [default: 0.02]
    #[arg(long, value_name = "B", default_value_t = 0.02, allow_negative_numbers = true)]
    pub barrier: f64,
    #[command(flatten)]
    pub result: ResultArgs,
}

/// Arguments of `landscape average`.
#[derive(Debug, Args)]
pub(in crate::cli) struct AverageArgs {
    /// One run, whose checkpoints are averaged, or several; each RUN or RUN@STEP
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// Of one run: swa, ema, last, polyak, midpoint and fge; of several: uniform and greedy [default: swa; uniform and greedy]
    #[arg(long, value_name = "KIND,…", value_delimiter = ',', value_parser = Read::<AverageKind>::new(),
          hide_possible_values = true)]
    pub kind: Vec<AverageKind>,
    /// First step of swa, ema and fge [default: half of the last]
    #[arg(long, value_name = "STEP")]
    pub start: Option<usize>,
    /// Steps from one checkpoint of swa to the next [default: all that are there]; steps of a cycle of fge [default:
    /// those of --schedule cyclic]
    #[arg(long, value_name = "N")]
    pub every: Option<usize>,
    /// Checkpoints of last
    #[arg(long, value_name = "K", default_value_t = 10)]
    pub last: usize,
    /// Decay of ema at each checkpoint
    #[arg(long, value_name = "D", default_value_t = 0.9, allow_negative_numbers = true)]
    pub decay: f64,
    /// Hessian eigenvalues to measure of each average and member; 0 for none
    #[arg(long, value_name = "K", default_value_t = 1)]
    pub top: usize,
    /// Average runs that have no common ancestor all the same
    #[arg(long)]
    pub strangers: bool,
    #[command(flatten)]
    pub result: ResultArgs,
}
