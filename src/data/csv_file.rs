//! Rows of numbers, the last one a class label, from CSV text or gzipped CSV.

use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// Features and labels as read, before any scaling.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LabelledRows {
    /// Row-major, `rows * width`.
    pub features: Vec<f64>,
    /// Features in each row.
    pub width: usize,
    /// One class label for each row.
    pub labels: Vec<usize>,
}

/// Largest class label accepted: one output neuron is made for each class.
const LARGEST_LABEL: usize = 100_000;

/// Reads `bytes` (gzip is recognised by its magic number) as CSV. A first row in which no cell is a
/// number is taken for a header. `path` is for messages.
///
/// # Errors
/// [`Error::File`] naming the line, for truncated gzip, ragged rows, cells that are not finite
/// numbers, labels that are not whole numbers from 0, and files without rows.
pub(super) fn parse(bytes: &[u8], path: &Path) -> Result<LabelledRows> {
    let mut text = Vec::new();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        MultiGzDecoder::new(bytes).read_to_end(&mut text).map_err(|e| {
            let lines = text_lines(&text);
            let problem = format!("the gzip data ends early or is damaged ({e})");
            Error::file(path, Some(lines), problem, "download or copy the file again")
        })?;
    } else {
        text.extend_from_slice(bytes);
    }

    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
    let mut rows = LabelledRows { features: Vec::new(), width: 0, labels: Vec::new() };
    let mut record = csv::ByteRecord::new();
    let mut first = true;
    let mut has_header = false;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|e| {
            let line = e.position().map(csv::Position::line);
            Error::file(path, line, format!("not CSV ({e})"), "give comma-separated numbers")
        })?;
        if !more {
            break;
        }
        let is_header = first && record.iter().all(|cell| number(cell).is_none());
        first = false;
        has_header |= is_header;
        if !is_header {
            let line = record.position().map(|position| first_line(position, &text));
            push_row(&mut rows, &record, line, path)?;
        }
    }
    if rows.labels.is_empty() {
        let remedy = "give rows of comma-separated numbers, the label last";
        let problem =
            if has_header { "the file has a header but no rows" } else { "the file has no rows" };
        return Err(Error::file(path, None, problem, remedy));
    }
    Ok(rows)
}

fn push_row(
    rows: &mut LabelledRows,
    record: &csv::ByteRecord,
    line: Option<u64>,
    path: &Path,
) -> Result<()> {
    let fail = |problem: String, remedy: &str| Err(Error::file(path, line, problem, remedy));
    let width = record.len() - 1;
    if width == 0 {
        return fail(
            "the row has 1 cell".into(),
            "give at least one feature and the label, separated by commas",
        );
    }
    if rows.labels.is_empty() {
        rows.width = width;
    } else if width != rows.width {
        return fail(
            format!("the row has {} cells, the rows before it {}", width + 1, rows.width + 1),
            "complete the row or remove it",
        );
    }
    for (column, cell) in record.iter().enumerate() {
        let shown = String::from_utf8_lossy(cell);
        let Some(value) = number(cell) else {
            return fail(
                format!("'{shown}' in column {} is not a finite number", column + 1),
                "correct the cell or remove the row",
            );
        };
        if column < width {
            rows.features.push(value);
        } else if value.fract() == 0.0 && (0.0..=LARGEST_LABEL as f64).contains(&value) {
            rows.labels.push(value as usize);
        } else {
            return fail(
                format!("the label '{shown}' (last column) is not a class number"),
                "label classes 0, 1, 2, …",
            );
        }
    }
    Ok(())
}

/// The line on which a record begins: csv's position is before the empty lines that it skips.
fn first_line(position: &csv::Position, text: &[u8]) -> u64 {
    let before = &text[(position.byte() as usize).min(text.len())..];
    let skipped = before.iter().take_while(|b| matches!(b, b'\n' | b'\r'));
    position.line() + skipped.filter(|&&b| b == b'\n').count() as u64
}

fn number(cell: &[u8]) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?;
    text.trim().parse().ok().filter(|x: &f64| x.is_finite())
}

fn text_lines(text: &[u8]) -> u64 {
    text.iter().filter(|&&b| b == b'\n').count() as u64 + 1
}
