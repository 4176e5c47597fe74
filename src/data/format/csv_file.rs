//! Rows of numbers, one column of them the target, from CSV text.

use std::path::Path;

use super::{Format, Source, count};
use crate::data::dataset::{Dataset, digest};
use crate::data::gzip::is_binary;
use crate::data::options::Taken;
use crate::data::{DataOptions, InputShape, Inputs, Targets};
use crate::error::{Error, Field, Message, Result};

/// Any text is taken for CSV.
pub(super) const FORMAT: Format = Format {
    wanted: "CSV",
    takes: &[
        (Taken::Target, "CSV files"),
        (Taken::Regression, "CSV files"),
        (Taken::LabelNoise, "files of classes"),
    ],
    recognises: |source| Ok(!is_binary(source.unpacked()?)),
    load,
};

/// How a table is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) struct TableFormat<'a> {
    /// What separates cells.
    pub delimiter: u8,
    /// The target's column: a name in the header, or a number from 1; the last one by default.
    pub target: Option<&'a str>,
    /// Whether the target is a number rather than a class.
    pub regression: bool,
}

/// Features and targets as read, before any scaling.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Table {
    /// Row-major, `rows * width`.
    pub features: Vec<f64>,
    /// Features in each row.
    pub width: usize,
    /// The target of each row.
    pub targets: Column,
    /// The target's column, as [`TableFormat::target`] would name it.
    pub target: String,
}

/// Targets.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Column {
    /// Class labels.
    Labels(Vec<usize>),
    /// Numbers.
    Values(Vec<f64>),
}

/// Largest class label accepted: one output neuron is made for each class.
const LARGEST_LABEL: usize = 100_000;

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let regression = options.regression.unwrap_or(false);
    let takes = |option| FORMAT.takes(option) && !(regression && option == Taken::LabelNoise);
    options.check(source.name, takes)?;
    let format = TableFormat { delimiter: b',', target: options.target.as_deref(), regression };
    let table = parse(source.unpacked()?, source.path, format)?;
    let options = DataOptions {
        target: Some(table.target.clone()),
        regression: Some(regression),
        label_noise: (!regression).then(|| options.label_noise.unwrap_or(0.0)),
        ..DataOptions::default()
    };
    let shape = InputShape::Features(table.width);
    let sha256 = digest(&[source.bytes()?]);
    Ok((Dataset::from_table(source.name, sha256, shape, table), options))
}

impl Dataset {
    pub(in crate::data) fn from_table(
        name: &str,
        sha256: String,
        shape: InputShape,
        table: Table,
    ) -> Self {
        let targets = match table.targets {
            Column::Labels(labels) => Targets::Classes { classes: count(&labels), labels },
            Column::Values(values) => Targets::Values { outputs: 1, values },
        };
        let inputs = Inputs::Features { shape, values: table.features };
        Self { name: name.to_string(), sha256, inputs, targets }
    }
}

/// Reads `text` as CSV. A first row in which no cell is a number is taken for a header. `path` is
/// for messages.
///
/// # Errors
/// [`Error::File`] naming the line, for ragged rows, cells that are not finite numbers, labels that
/// are not whole numbers from 0, a target column that is not there, and files without rows.
pub(in crate::data) fn parse(text: &[u8], path: &Path, format: TableFormat) -> Result<Table> {
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(format.delimiter)
        .from_reader(text);
    let mut rows = Rows { path, format, header: None, table: None };
    let mut record = csv::ByteRecord::new();
    let mut first = true;
    loop {
        let more = reader.read_byte_record(&mut record).map_err(|e| {
            let line = e.position().map(csv::Position::line);
            Error::file(path, line, format!("not CSV ({e})"), "give comma-separated numbers")
        })?;
        if !more {
            break;
        }
        if first && record.iter().all(|cell| number(cell).is_none()) {
            let names = record.iter().map(|cell| shown(cell).trim().to_string());
            rows.header = Some(names.collect());
        } else {
            let line = record.position().map(|position| first_line(position, text));
            rows.push(&record, line)?;
        }
        first = false;
    }
    rows.finish()
}

/// The rows read so far.
struct Rows<'a> {
    path: &'a Path,
    format: TableFormat<'a>,
    header: Option<Vec<String>>,
    /// The table and the place of its target's column, from the first row on.
    table: Option<(Table, usize)>,
}

impl Rows<'_> {
    fn push(&mut self, record: &csv::ByteRecord, line: Option<u64>) -> Result<()> {
        let refused =
            |problem: String, remedy: Message| Err(Error::file(self.path, line, problem, remedy));
        let fail = |problem: String, remedy: &str| refused(problem, remedy.into());
        let cells = record.len();
        if cells < 2 {
            return fail(
                "the row has 1 cell".into(),
                "give at least one feature and the target, separated by commas",
            );
        }
        if self.table.is_none() {
            self.table = Some(self.start(cells)?);
        }
        let Some((table, target)) = &mut self.table else { unreachable!("it was just made") };
        if cells != table.width + 1 {
            return fail(
                format!("the row has {cells} cells, the rows before it {}", table.width + 1),
                "complete the row or remove it",
            );
        }
        for (column, cell) in record.iter().enumerate() {
            let shown = shown(cell);
            let Some(value) = number(cell) else {
                return fail(
                    format!("'{shown}' in column {} is not a finite number", column + 1),
                    "correct the cell or remove the row",
                );
            };
            if column != *target {
                table.features.push(value);
                continue;
            }
            match &mut table.targets {
                Column::Values(values) => values.push(value),
                Column::Labels(labels)
                    if value.fract() == 0.0 && (0.0..=LARGEST_LABEL as f64).contains(&value) =>
                {
                    labels.push(value as usize);
                }
                Column::Labels(_) => {
                    let place = match column == table.width {
                        true => "last column".to_string(),
                        false => format!("column {}", column + 1),
                    };
                    let label = Message::from("label classes 0, 1, 2, …, or give ");
                    return refused(
                        format!("the label '{shown}' ({place}) is not a class number"),
                        label + Field("regression") + " for a number",
                    );
                }
            }
        }
        Ok(())
    }

    /// An empty table of that many columns.
    fn start(&self, cells: usize) -> Result<(Table, usize)> {
        let names = self.header.as_deref().unwrap_or_default();
        let target = match self.format.target {
            None => cells - 1,
            Some(wanted) => match column(wanted, names, cells) {
                Some(column) => column,
                None => {
                    let problem = format!("there is no column '{wanted}' for ");
                    let problem = Message::from(problem) + Field("target");
                    let known = match names.is_empty() {
                        true => format!("give a number from 1 to {cells}"),
                        false => format!("columns are {} (or 1 to {cells})", names.join(", ")),
                    };
                    return Err(Error::file(self.path, None, problem, known));
                }
            },
        };
        // A name that stands twice would be found at its first place.
        let named = names.get(target).filter(|name| column(name, names, cells) == Some(target));
        let table = Table {
            features: Vec::new(),
            width: cells - 1,
            targets: match self.format.regression {
                true => Column::Values(Vec::new()),
                false => Column::Labels(Vec::new()),
            },
            target: named.cloned().unwrap_or_else(|| (target + 1).to_string()),
        };
        Ok((table, target))
    }

    fn finish(self) -> Result<Table> {
        let problem = match (self.table, self.header) {
            (Some((table, _)), _) => return Ok(table),
            (None, Some(_)) => "the file has a header but no rows",
            (None, None) => "the file has no rows",
        };
        let remedy = "give rows of comma-separated numbers, the target last";
        Err(Error::file(self.path, None, problem, remedy))
    }
}

/// The place of a column given by name or by number from 1.
fn column(wanted: &str, names: &[String], cells: usize) -> Option<usize> {
    let named = names.iter().take(cells).position(|name| name == wanted.trim());
    named.or_else(|| {
        let number: usize = wanted.trim().parse().ok()?;
        number.checked_sub(1).filter(|&place| place < cells)
    })
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

fn shown(cell: &[u8]) -> std::borrow::Cow<'_, str> {
    String::from_utf8_lossy(cell)
}
