//! Rows of numbers, one column of them the target, from CSV text.

use std::path::Path;

use super::table::{Rows, Table, TableFormat, is_number, shown};
use super::{Format, Source};
use crate::data::dataset::{Dataset, digest};
use crate::data::gzip::is_binary;
use crate::data::options::Taken;
use crate::data::{DataOptions, Header, InputShape};
use crate::error::{Error, Result};

/// Any text is taken for CSV.
pub(super) const FORMAT: Format = Format {
    wanted: "CSV",
    takes: &[
        (Taken::Header, "CSV files"),
        (Taken::Target, "CSV files"),
        (Taken::Regression, "CSV files"),
        (Taken::LabelNoise, "files of classes"),
        (Taken::ChosenClasses, "files of classes"),
    ],
    recognises: |source| Ok(!is_binary(source.unpacked()?)),
    load,
};

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let regression = options.regression.unwrap_or(false);
    let of_classes = |option| matches!(option, Taken::LabelNoise | Taken::ChosenClasses);
    let takes = |option| FORMAT.takes(option) && !(regression && of_classes(option));
    options.check(source.name, takes)?;
    let text = source.unpacked()?;
    let header = options.header.unwrap_or_default();
    let format = TableFormat {
        delimiter: delimiter(text),
        header,
        target: options.target.as_deref(),
        regression,
    };
    let table = parse(text, &source.path, format)?;
    let options = DataOptions {
        // Where it was not said, comparisons of earlier versions have no such key.
        header: options.header,
        target: Some(table.target.clone()),
        regression: Some(regression),
        classes: options.classes.clone(),
        label_noise: (!regression).then(|| options.label_noise.unwrap_or(0.0)),
        ..DataOptions::default()
    };
    let shape = InputShape::Features(table.width);
    let sha256 = digest(&[source.bytes()?]);
    Ok((Dataset::from_table(source.name, sha256, shape, table), options))
}

/// What separates the cells of the first line that has any: a tab, a semicolon or a comma.
fn delimiter(text: &[u8]) -> u8 {
    let lines = text.split(|&byte| byte == b'\n' || byte == b'\r');
    let line = lines.into_iter().find(|line| !line.is_empty()).unwrap_or_default();
    let mut quoted = false;
    let outside = |&&byte: &&u8| {
        quoted ^= byte == b'"';
        !quoted
    };
    let bare: Vec<u8> = line.iter().filter(outside).copied().collect();
    // Where there are semicolons, commas are those of numbers.
    [b'\t', b';'].into_iter().find(|separator| bare.contains(separator)).unwrap_or(b',')
}

/// Reads `text` as CSV. `path` is for messages.
///
/// # Errors
/// [`Error::File`] naming the line, for ragged rows, cells that are not finite numbers, labels that are
/// missing or neither whole numbers from 0 nor names, a target column that is not there, and files without
/// rows.
pub(in crate::data) fn parse(text: &[u8], path: &Path, format: TableFormat) -> Result<Table> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(format.delimiter)
        .from_reader(text);
    let mut next = || -> Result<Option<csv::ByteRecord>> {
        let mut record = csv::ByteRecord::new();
        let more = reader.read_byte_record(&mut record).map_err(|e| {
            let line = e.position().map(csv::Position::line);
            Error::file(path, line, format!("not CSV ({e})"), "give comma-separated numbers")
        })?;
        Ok(more.then_some(record))
    };
    let mut rows = Rows::new(path, format);
    let (first, second) = (next()?, next()?);
    let headed = first.as_ref().is_some_and(|first| is_header(first, second.as_ref(), format));
    if let Some(first) = first.as_ref().filter(|_| headed) {
        rows.header = Some(first.iter().map(|cell| shown(cell).trim().to_string()).collect());
    }
    for record in [first.filter(|_| !headed), second].into_iter().flatten() {
        rows.push(&record, record.position().map(|position| first_line(position, text)))?;
    }
    while let Some(record) = next()? {
        rows.push(&record, record.position().map(|position| first_line(position, text)))?;
    }
    rows.finish()
}

/// Whether the first row names the columns: where it is not said, one without a number or with the target's
/// name, one that has text
/// where the row after it mostly has numbers, or has it for a label there, and one that numbers the columns.
fn is_header(
    first: &csv::ByteRecord,
    second: Option<&csv::ByteRecord>,
    format: TableFormat,
) -> bool {
    match format.header {
        Header::Yes => return true,
        Header::No => return false,
        Header::Auto => {}
    }
    let number = |cell: &[u8]| is_number(cell, format.delimiter);
    let wanted = format.target.filter(|target| target.parse::<usize>().is_err());
    let has_wanted = wanted.is_some_and(|name| first.iter().any(|cell| shown(cell).trim() == name));
    if has_wanted || !first.iter().any(number) {
        return true;
    }
    let Some(second) = second.filter(|second| second.len() == first.len()) else { return false };
    let names = |(first, second): (&[u8], &[u8])| {
        !first.trim_ascii().is_empty() && !number(first) && number(second)
    };
    let named: Vec<bool> = first.iter().zip(second).map(names).collect();
    let cells = named.len();
    let target = format.target.map_or(cells, |target| target.parse().unwrap_or(0));
    let label = target.checked_sub(1).and_then(|place| named.get(place).copied());
    let many = named.iter().filter(|named| **named).count();
    label == Some(true) || 2 * many > cells || numbers_columns(first)
}

/// Whether these are 0, 1, 2, … or 1, 2, 3, …, three numbers or more, the first of them perhaps empty (as
/// pandas writes a table without names).
fn numbers_columns(record: &csv::ByteRecord) -> bool {
    let cells: Vec<_> = record.iter().map(|cell| shown(cell).trim().to_string()).collect();
    let rest = if cells[0].is_empty() { &cells[1..] } else { &cells[..] };
    let from = |start: usize| {
        rest.iter().enumerate().all(|(place, cell)| *cell == (start + place).to_string())
    };
    rest.len() >= 3 && (from(0) || from(1))
}

/// The line on which a record begins: csv's position is before the empty lines that it skips.
fn first_line(position: &csv::Position, text: &[u8]) -> u64 {
    let before = &text[(position.byte() as usize).min(text.len())..];
    let skipped = before.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
    position.line() + skipped.filter(|&&b| b == b'\n').count() as u64
}
