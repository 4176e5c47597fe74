//! `sharpscope landscape`.

mod align;
pub(super) mod args;
mod average;
mod basins;
mod connect;
mod instability;
mod interpolate;
mod slice;

use std::path::Path;

use self::args::{LandscapeArgs, LandscapeCommand, ResultArgs};
use super::logging::Terminal;
use crate::experiment::landscape::Compared;
use crate::export::{Source, document};
use crate::landscape::Barriers;
use crate::record::short;

/// Does what the subcommand says; returns the exit code.
pub(super) fn landscape(args: LandscapeArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    match args.command {
        LandscapeCommand::Align(args) => align::align(&args, terminal),
        LandscapeCommand::Basins(args) => basins::basins(&args, terminal),
        LandscapeCommand::Connect(args) => connect::connect(&args, terminal),
        LandscapeCommand::Instability(args) => instability::instability(&args, terminal),
        LandscapeCommand::Interpolate(args) => interpolate::interpolate(&args, terminal),
        LandscapeCommand::Average(args) => average::average(&args, terminal),
        LandscapeCommand::Slice(args) => slice::slice(&args, terminal),
    }
}

/// What is compared, and what is to be known of it.
fn describe(compared: &Compared, terminal: &Terminal) {
    let prepared = &compared.prepared;
    for notice in [prepared.device.notice(), prepared.notice.as_deref()].into_iter().flatten() {
        terminal.note(notice);
    }
    let names: Vec<&str> = compared.members.iter().map(|member| &member.name[..]).collect();
    let device = format!(
        "on {} ({}, {})",
        prepared.device.backend(),
        prepared.device.adapter(),
        prepared.config.precision
    );
    if let Some(objective) = prepared.config.objective() {
        let (names, kind, variables) = (names.join(", "), objective.kind(), prepared.theta.len());
        terminal.note(&format!("{names}: {kind} of {variables} variables, {device}"));
        return;
    }
    terminal.note(&format!(
        "{}: {} parameters, {} training and {} validation samples of {}, {} loss, {device}",
        names.join(", "),
        prepared.theta.len(),
        prepared.split.train.len(),
        prepared.split.validation.len(),
        prepared.config.dataset,
        prepared.config.loss,
    ));
    compared.notes.iter().for_each(|note| terminal.note(note));
}

/// Prints what was written into a folder: in lines or, where that is asked for, as its export to JSON.
fn tell(
    args: &ResultArgs,
    path: &Path,
    lines: impl FnOnce() -> Vec<String>,
    terminal: &Terminal,
) -> crate::Result<()> {
    if args.json {
        return terminal.json(&document(&Source::open(path)?));
    }
    lines().iter().for_each(|line| terminal.result(line));
    terminal.result(&format!("written    {}", path.display()));
    Ok(())
}

/// All four, with their names.
fn barrier_line(samples: &str, barriers: &Barriers) -> String {
    let error = barriers
        .error
        .map_or_else(String::new, |b| format!("error barrier {:.2} points, ", 100.0 * b.value));
    format!(
        "{samples:<10}  {error}loss barrier {} at {:.2}, over the worse end {}, saddle {}",
        short(barriers.loss.value),
        barriers.loss.t,
        short(barriers.over_worse_end.value),
        short(barriers.saddle.value)
    )
}
