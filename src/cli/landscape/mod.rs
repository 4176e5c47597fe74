//! `sharpscope landscape`.

pub(super) mod args;
mod average;
mod interpolate;
mod slice;

use self::args::{LandscapeArgs, LandscapeCommand};
use super::logging::Terminal;
use crate::experiment::landscape::Compared;

/// Does what the subcommand says; returns the exit code.
pub(super) fn landscape(args: LandscapeArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    match args.command {
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
    terminal.note(&format!(
        "{}: {} parameters, {} training and {} validation samples of {}, {} loss, on {} ({}, {})",
        names.join(", "),
        prepared.theta.len(),
        prepared.split.train.len(),
        prepared.split.validation.len(),
        prepared.config.dataset,
        prepared.config.loss,
        prepared.device.backend(),
        prepared.device.adapter(),
        prepared.config.precision,
    ));
    compared.notes.iter().for_each(|note| terminal.note(note));
}
