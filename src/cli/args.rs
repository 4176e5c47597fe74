//! The flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use super::branch::BranchArgs;
use super::export::ExportArgs;
use super::flags::Read;
use super::flow::FlowArgs;
use super::landscape::args::LandscapeArgs;
use super::shell::{CompletionsArgs, ManArgs};
use super::watch::WatchArgs;
use crate::config::{CompareSettings, Settings};
use crate::curvature::Matrix;
use crate::device::BackendChoice;
use crate::names::{Choice, any_of};

/// Trains a small network and shows, at every step, how sharp the loss is against what the optimizer
/// can bear.
#[derive(Debug, Parser)]
#[command(name = "sharpscope", version, max_term_width = 100)]
pub(super) struct Cli {
    #[command(subcommand)]
    pub command: Command,
    /// Log what happens inside (-v), and more of it (-vv)
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
    /// Print nothing but errors
    #[arg(long, global = true, conflicts_with = "verbose")]
    quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train, profile each step, write a run directory
    Run(Box<RunArgs>),
    /// Run the same problem under several optimizer settings and seeds, and compare them
    Compare(Box<CompareArgs>),
    /// Density, trace and ends of the spectrum at a run's checkpoint
    Spectrum(Box<SpectrumArgs>),
    /// The loss between and around runs: lines, slices, averages
    #[command(arg_required_else_help = true)]
    Landscape(Box<LandscapeArgs>),
    /// The path that the optimizer would take without its steps or its oscillation, beside a run
    Flow(Box<FlowArgs>),
    /// Go on from a run's checkpoint with something changed
    Branch(Box<BranchArgs>),
    /// Write one page of HTML about runs, to be opened in a browser
    Report(ReportArgs),
    /// Follow a run on the terminal, under way or ended
    Watch(WatchArgs),
    /// Read events off a run's steps.csv anew, one JSON object a line
    Events(EventsArgs),
    /// Write a run's tables for other programs: TensorBoard, Parquet, JSON, CSV
    Export(ExportArgs),
    /// Go through a checklist: is a run fit to draw conclusions from?
    Doctor(DoctorArgs),
    /// Show a concept of the optimization landscape: what theory says beside what is measured
    Demo(DemoArgs),
    /// List the adapters that can be used, and which one 'auto' takes
    Devices(DevicesArgs),
    /// List models, datasets, objectives, activations and optimizers
    List(ListArgs),
    /// Print what a shell completes commands and flags by
    Completions(CompletionsArgs),
    /// Print the man page, or write those of all commands
    Man(ManArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// JSON file of settings; its keys are the flags below, underscores for dashes, and flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Draw the run on the terminal while it goes on, in place of the bar
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub settings: Settings,
    /// Print JSON
    #[arg(long, conflicts_with = "watch")]
    pub json: bool,
}

/// Arguments of `report`.
#[derive(Debug, Clone, Args)]
pub(super) struct ReportArgs {
    /// Run directories, RUN@STEP for one as it stood then, folders of comparisons, or results of landscape
    #[arg(value_name = "RUN", required = true)]
    pub runs: Vec<PathBuf>,
    /// The page
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub out: PathBuf,
    /// Its title [default: the runs' names]
    #[arg(long, value_name = "TEXT")]
    pub title: Option<String>,
    /// With the whole checklist of doctor, which repeats suspicious steps in double precision
    #[arg(long)]
    pub doctor: bool,
    /// Replace a page that is there already
    #[arg(long)]
    pub force: bool,
    /// Serve the page to browsers instead of writing it, and follow runs and comparisons as they grow
    #[arg(long, conflicts_with_all = ["out", "force"])]
    pub serve: bool,
    /// Port to serve at [default: any that is free]
    #[arg(
        long,
        value_name = "N",
        default_value_t = 0,
        hide_default_value = true,
        requires = "serve"
    )]
    pub port: u16,
    /// Address to serve at; one other than this machine's own lets others read the page
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1", requires = "serve")]
    pub host: String,
}

/// Arguments of `events`.
#[derive(Debug, Args)]
pub(super) struct EventsArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// JSON file of constants by which rows are judged, instead of the built-in ones
    #[arg(long, value_name = "FILE")]
    pub settings: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// The run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = "Optimizer, its numbers, --lr, --batch-size, --schedule and --warmup take \
                        several values, separated by commas; what is run is their product, for each \
                        seed. The same command with the same --out goes on where it was stopped. Several \
                        processes, on machines that share --out, do it with --cell or --shard.")]
pub(super) struct CompareArgs {
    /// JSON file of settings; its keys are the flags below, underscores for dashes, and flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: CompareSettings,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub cells: CellArgs,
}

/// Arguments of `compare` for several processes that do its runs.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cells, for several processes")]
#[group(multiple = false, id = "cells")]
pub(super) struct CellChoice {
    /// Print the command of each run, a line each, and do none
    #[arg(long)]
    pub list: bool,
    /// Do the run of this number only, from 1
    #[arg(long, value_name = "N")]
    pub cell: Option<usize>,
    /// Do each N-th run only, beginning with the I-th: I of 1 to N
    #[arg(long, value_name = "I/N")]
    pub shard: Option<String>,
    /// Write tables and pictures of the runs that are there, and do none
    #[arg(long)]
    pub collect: bool,
}

/// Which runs a process does, and when it takes one over.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cells, for several processes")]
pub(super) struct CellArgs {
    #[command(flatten)]
    pub choice: CellChoice,
    /// Take over a run whose process, on another machine, has been silent for so many seconds [default: 120]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    pub take_over_after: Option<f64>,
}

/// Arguments of `spectrum`.
#[derive(Debug, Args)]
pub(super) struct SpectrumArgs {
    /// Run directory
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Updates taken: 0 for the start, or a checkpoint's number [default: the last checkpoint]
    #[arg(long, value_name = "N")]
    pub step: Option<usize>,
    /// Random probes [default: the run's, 10]
    #[arg(long, value_name = "N")]
    pub probes: Option<usize>,
    /// Lanczos steps for each probe [default: the run's, 80]
    #[arg(long, value_name = "N")]
    pub iterations: Option<usize>,
    /// Standard deviation of the smoothing, in units of eigenvalues [default: 1% of their range]
    #[arg(long, value_name = "S", allow_negative_numbers = true)]
    pub sigma: Option<f64>,
    /// Largest eigenvalues to find [default: 1]
    #[arg(long, value_name = "K")]
    pub top: Option<usize>,
    #[arg(long, value_name = "NAME", help = matrices(),
          value_parser = Read::<Matrix>::new(), hide_possible_values = true)]
    pub matrix: Option<Matrix>,
    /// With the preconditioner of an adaptive optimizer around it
    #[arg(long)]
    pub preconditioned: bool,
    /// Restricted to the parameters whose names begin so, such as layers.0
    #[arg(long, value_name = "NAME")]
    pub parameters: Option<String>,
    /// The largest eigenvalue and the trace of each layer's block too
    #[arg(long)]
    pub layers: bool,
    /// Measures of flatness beside each other
    #[arg(long)]
    pub flatness: bool,
    /// Rescale the first layer of a relu perceptron by A and the next by 1/A, which changes no
    /// output, and show what that does to each measure
    #[arg(long, value_name = "A", allow_negative_numbers = true)]
    pub reparametrize: Option<f64>,
    /// Device: auto, wgpu or cpu [default: the run's]
    #[arg(long, value_name = BackendChoice::BARRED,
          value_parser = Read::<BackendChoice>::new(), hide_possible_values = true)]
    pub backend: Option<BackendChoice>,
    /// Replace a spectrum that is there already
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// The matrices that there are, and the one where none is named.
fn matrices() -> String {
    let shown = Matrix::ALL.map(|matrix| match matrix {
        Matrix::Residual => format!("{matrix} (Hessian less Gauss-Newton)"),
        _ => matrix.to_string(),
    });
    format!("{} [default: {}]", any_of(&shown), Matrix::default())
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub(super) struct DemoArgs {
    /// Which, or all
    #[arg(value_name = "NAME", required_unless_present = "list")]
    pub names: Vec<String>,
    /// List them
    #[arg(long)]
    pub list: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
    /// On objectives alone, without a softmax and a transformer
    #[arg(long)]
    pub quick: bool,
    /// Folder to write, in which each has one of its own [default: demos/NAME]
    #[arg(long, value_name = "DIR", default_value = "demos")]
    pub out: PathBuf,
    /// Replace demonstrations that are there already
    #[arg(long)]
    pub force: bool,
}

/// Arguments of `devices`.
#[derive(Debug, Args)]
pub(super) struct DevicesArgs {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Arguments of `list`.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    /// Dataset that models are counted for [default: digits]
    #[arg(long, value_name = "NAME|FILE")]
    pub dataset: Option<String>,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verbosity {
    Quiet,
    Normal,
    Verbose,
    Debug,
}

impl Cli {
    pub fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Verbose,
            (false, _) => Verbosity::Debug,
        }
    }
}
