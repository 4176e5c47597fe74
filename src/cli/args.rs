//! The flags.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::config::{CompareSettings, Settings};

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
    /// List the adapters that can be used, and which one 'auto' takes
    Devices(DevicesArgs),
    /// List models, datasets, activations and optimizers
    List(ListArgs),
}

/// Arguments of `run`.
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// JSON file of settings; its keys are the flags below, underscores for dashes, and flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: Settings,
}

/// Arguments of `compare`.
#[derive(Debug, Args)]
#[command(after_help = "Optimizer, its numbers, --lr, --batch-size, --schedule and --warmup take \
                        several values, separated by commas; what is run is their product, for each \
                        seed. The same command with the same --out goes on where it was stopped.")]
pub(super) struct CompareArgs {
    /// JSON file of settings; its keys are the flags below, underscores for dashes, and flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub settings: CompareSettings,
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
