//! `sharpscope export`.

use std::path::PathBuf;

use clap::Args;

use super::flags::Read;
use super::logging::Terminal;
use crate::export::{Format, Source, document, place, write};
use crate::names::Choice;

/// Arguments of `export`.
#[derive(Debug, Args)]
#[command(
    after_help = "The tables of a run are steps, events and, where spectra were measured, spectra, \
                        densities and layers. TensorBoard's files can also be written while a run goes \
                        on: run --tensorboard."
)]
pub(super) struct ExportArgs {
    /// Run directory, RUN@STEP for one as it stood then, or the folder of a comparison or of a result of landscape
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// Event files for TensorBoard, a Parquet or a CSV file for each table, or one document of JSON
    #[arg(long, value_name = Format::BARRED, value_parser = Read::<Format>::new(), hide_possible_values = true)]
    pub to: Format,
    /// Folder to write, of json the file; - prints JSON [default: the run's name with the format behind it]
    #[arg(long, value_name = "PATH")]
    pub out: Option<PathBuf>,
    /// Replace an export that is already there
    #[arg(long)]
    pub force: bool,
}

/// Writes the export; returns the exit code.
pub(super) fn export(args: &ExportArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let source = Source::open(&args.run)?;
    if args.to == Format::Json && args.out.as_deref() == Some("-".as_ref()) {
        terminal.json(&document(&source))?;
        return Ok(0);
    }
    let out = args.out.clone().unwrap_or_else(|| place(&args.run, args.to));
    let size = write(&source, args.to, &out, args.force)? as f64 / 1e6;
    for table in &source.tables {
        let (name, rows, columns) = (&table.name, table.rows(), table.columns.len());
        terminal.result(&format!("{name:<10} {rows} rows, {columns} columns"));
    }
    terminal.result(&format!("written    {} ({size:.1} MB)", out.display()));
    Ok(0)
}
