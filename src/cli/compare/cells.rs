//! `sharpscope compare` by several processes: `--list`, `--cell`, `--shard`, `--collect`.

use std::ffi::OsString;
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::args::CellArgs;
use super::super::in_shell::in_shell;
use super::super::logging::Terminal;
use super::super::signals::watch_for_schedulers;
use super::{Progress, describe, tell};
use crate::config::CompareSettings;
use crate::error::{Error, Result};
use crate::experiment::compare::sweep::{PATIENCE, Part, has_sweep};
use crate::experiment::compare::{Comparison, ComparisonEnd, Member, MemberStatus};

/// The exit code that asks a scheduler to put the job in its queue again: some do so by themselves at this one.
const REQUEUE: u8 = 99;
/// Cells that are named one by one.
const MOST_NAMED: usize = 20;
/// The longest time of silence that makes sense, in seconds: a day.
const MOST_PATIENCE: f64 = 86_400.0;

/// Whether not one process does the whole comparison: by its flags, or since several have begun it.
pub(super) fn are_asked_for(args: &CellArgs, settings: &CompareSettings) -> bool {
    let choice = &args.choice;
    let by_flags = choice.list || choice.collect || choice.cell.is_some() || choice.shard.is_some();
    let forced = settings.settings.force == Some(true);
    let begun = || settings.settings.out.as_deref().is_some_and(has_sweep);
    by_flags || args.take_over_after.is_some() || (!forced && begun())
}

/// Does what the flags say, and returns the exit code.
pub(super) fn do_cells(
    args: &CellArgs,
    settings: CompareSettings,
    json: bool,
    terminal: &Terminal,
) -> anyhow::Result<u8> {
    let choice = &args.choice;
    let flag = match choice {
        _ if choice.list => "--list",
        _ if choice.cell.is_some() => "--cell",
        _ if choice.shard.is_some() => "--shard",
        _ if choice.collect => "--collect",
        _ => "--take-over-after",
    };
    check(flag, &settings)?;
    let patience = patience(args)?;
    let part = match (&choice.cell, &choice.shard) {
        (Some(cell), _) => Some(Part::Cell(*cell)),
        (None, Some(shard)) => Some(Part::shard(shard)?),
        (None, None) => None,
    };
    let comparison = Comparison::list(settings)?;
    if choice.list {
        list(&comparison, std::env::args_os().collect(), json, terminal)?;
        return Ok(0);
    }
    if choice.collect {
        return collect(&comparison, patience, json, terminal);
    }
    let whole = part.is_none();
    let part = part.unwrap_or(Part::ALL);
    let work = comparison.join(part, patience)?;
    let (interrupted, asked) = watch_for_schedulers();
    describe(&comparison, terminal);
    let here = work.cells.len();
    if here < comparison.members.len() {
        terminal.note(&format!("{here} of them here"));
    }
    let progress = Progress::start(terminal, &comparison, here);
    let end = work.run(&progress, &interrupted);
    progress.finish();
    let end = end?;
    let code = match end.interrupted && asked.load(Ordering::SeqCst) {
        true => REQUEUE,
        false => end.exit_code(),
    };
    let say = |text: &str| if json { terminal.note(text) } else { terminal.result(text) };
    if end.interrupted {
        say("stopped; the same command goes on");
    } else if whole {
        return collect(&comparison, patience, json, terminal);
    }
    say(&format!("written  {}", comparison.directory.display()));
    Ok(code)
}

/// Refuses what does not go with several processes.
fn check(flag: &str, settings: &CompareSettings) -> Result<()> {
    let run = &settings.settings;
    if run.out.is_none() {
        let problem = format!("{flag} needs it: all processes write there");
        return Err(Error::setting("--out", "none", problem, "name the comparison's folder"));
    }
    if run.force == Some(true) {
        let problem = format!("with {flag} a run that is taken up again would be begun anew");
        let remedy = "leave it out, and choose another --out to do all of it again";
        return Err(Error::setting("--force", true, problem, remedy));
    }
    Ok(())
}

fn patience(args: &CellArgs) -> Result<Duration> {
    match args.take_over_after {
        None => Ok(PATIENCE),
        Some(seconds) if seconds > 0.0 && seconds <= MOST_PATIENCE => {
            Ok(Duration::from_secs_f64(seconds))
        }
        Some(seconds) => {
            let (problem, remedy) =
                ("no such time is waited for", "give more than 0, at most 86400");
            Err(Error::setting("--take-over-after", seconds, problem, remedy))
        }
    }
}

/// The command of each cell, behind it which run that is.
fn list(
    comparison: &Comparison,
    arguments: Vec<OsString>,
    json: bool,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    let words: Vec<String> = arguments
        .iter()
        .map(|word| word.to_string_lossy().into_owned())
        .filter(|word| !["--list", "--json"].contains(&word.as_str()))
        .map(|word| in_shell(&word))
        .collect();
    let command = words.join(" ");
    if json {
        let cell = |(index, member): (usize, &Member)| {
            let (cell, label) = (index + 1, &comparison.settings[member.setting].label);
            let command = format!("{command} --cell {cell}");
            json!({ "cell": cell, "setting": label, "seed": member.config.seed, "command": command })
        };
        let cells: Vec<Value> = comparison.members.iter().enumerate().map(cell).collect();
        return Ok(terminal.json(&json!({ "cells": cells }))?);
    }
    for (index, member) in comparison.members.iter().enumerate() {
        let label = &comparison.settings[member.setting].label;
        let (cell, seed) = (index + 1, member.config.seed);
        if !terminal.output(&format!("{command} --cell {cell}  # {label} seed {seed}\n")) {
            break;
        }
    }
    Ok(())
}

fn collect(
    comparison: &Comparison,
    patience: Duration,
    json: bool,
    terminal: &Terminal,
) -> anyhow::Result<u8> {
    let end = comparison.collect(patience)?;
    tell(comparison, &end, json, terminal)?;
    if !json {
        tell_others(comparison, &end, terminal);
    }
    Ok(end.exit_code())
}

/// How many cells stand how, and which are not done.
fn tell_others(comparison: &Comparison, end: &ComparisonEnd, terminal: &Terminal) {
    const NAMES: [&str; 6] =
        ["completed", "diverged", "failed", "running", "unfinished", "missing"];
    let cells = |name: &str| {
        let all = end.statuses.iter().enumerate();
        all.filter(|(_, status)| status.name() == name).collect::<Vec<_>>()
    };
    let counts = NAMES.map(|name| (name, cells(name)));
    let told = counts.iter().filter(|(_, cells)| !cells.is_empty());
    let told: Vec<String> = told.map(|(name, cells)| format!("{} {name}", cells.len())).collect();
    terminal.result(&format!("cells    {} of {}", told.join(", "), end.statuses.len()));
    for (name, cells) in counts.iter().filter(|(name, _)| *name != "completed") {
        for (index, status) in cells.iter().take(MOST_NAMED) {
            let member = &comparison.members[*index];
            let label = &comparison.settings[member.setting].label;
            let why = match status {
                MemberStatus::Failed { reason } => format!(": {reason}"),
                MemberStatus::Running { by } => format!(", by {by}"),
                _ => String::new(),
            };
            let log = log_of(&comparison.directory, index + 1);
            let (cell, seed) = (index + 1, member.config.seed);
            terminal.result(&format!("  {name} {cell}: {label} seed {seed}{why}{log}"));
        }
        if cells.len() > MOST_NAMED {
            let more = cells.len() - MOST_NAMED;
            terminal.result(&format!("  and {more} more {name}, in comparison.json"));
        }
    }
}

fn log_of(folder: &Path, cell: usize) -> String {
    let path = folder.join(format!("logs/{cell}.log"));
    match path.is_file() {
        true => format!(" ({})", path.display()),
        false => String::new(),
    }
}
