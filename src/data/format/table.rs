//! Rows of cells made features and targets.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

use crate::data::dataset::Dataset;
use crate::data::labels::{Label, Labels, MOST_CLASSES};
use crate::data::{DataNotes, Header, InputShape, Inputs, Targets};
use crate::error::{Error, Field, Message, Result};

/// How a table is read.
#[derive(Debug, Clone, Copy)]
pub(in crate::data) struct TableFormat<'a> {
    /// What separates cells.
    pub delimiter: u8,
    /// Whether the first row names the columns.
    pub header: Header,
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
    /// What was made of the rows.
    pub notes: DataNotes,
}

/// Targets.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Column {
    /// Class labels.
    Labels(Labels),
    /// Numbers.
    Values(Vec<f64>),
}

/// Largest number taken for a class.
const LARGEST_LABEL: f64 = 100_000.0;

impl Dataset {
    pub(in crate::data) fn from_table(
        name: &str,
        sha256: String,
        shape: InputShape,
        table: Table,
    ) -> Self {
        let mut notes = table.notes;
        let targets = match table.targets {
            Column::Labels(labels) => {
                let (labels, names) = labels.finish();
                let classes = names.len();
                notes.class_names = Some(names);
                Targets::Classes { classes, labels }
            }
            Column::Values(values) => Targets::Values { outputs: 1, values },
        };
        let inputs = Inputs::Features { shape, values: table.features };
        Self { name: name.to_string(), sha256, inputs, targets, notes }
    }
}

/// The rows read so far.
pub(super) struct Rows<'a> {
    path: &'a Path,
    format: TableFormat<'a>,
    /// The columns' names.
    pub header: Option<Vec<String>>,
    /// The table and the place of its target's column, from the first row on.
    table: Option<(Table, usize)>,
    /// What numbers have before their decimals, once one has shown it.
    point: Option<u8>,
}

impl<'a> Rows<'a> {
    pub fn new(path: &'a Path, format: TableFormat<'a>) -> Self {
        Self { path, format, header: None, table: None, point: None }
    }

    /// Reads a row, which begins on that line.
    ///
    /// # Errors
    /// [`Error::File`] for one that is no row of this table.
    pub fn push(&mut self, record: &csv::ByteRecord, line: Option<u64>) -> Result<()> {
        let path = self.path;
        let fail = |problem: String, remedy: Message| Err(Error::file(path, line, problem, remedy));
        let cells = record.len();
        if cells < 2 {
            let remedy = "give at least one feature and the target, separated by commas, semicolons \
                          or tabs";
            return fail("the row has 1 cell".into(), remedy.into());
        }
        let (mut table, target) = match self.table.take() {
            Some(begun) => begun,
            None => self.start(cells)?,
        };
        if cells != table.width + 1 {
            let problem =
                format!("the row has {cells} cells, the rows before it {}", table.width + 1);
            return fail(problem, "complete the row or remove it".into());
        }
        for (column, cell) in record.iter().enumerate() {
            if column == target && matches!(table.targets, Column::Labels(_)) {
                let Column::Labels(labels) = &mut table.targets else { continue };
                self.label(labels, cell, (column, record), line)?;
                continue;
            }
            self.check_point(cell, line)?;
            let Some(value) = number(cell, self.format.delimiter) else {
                let problem =
                    format!("'{}' in column {} is not a finite number", shown(cell), column + 1);
                return fail(problem, self.remedy_for_cell(cell, column));
            };
            match &mut table.targets {
                Column::Values(values) if column == target => values.push(value),
                _ => table.features.push(value),
            }
        }
        table.notes.lines.push(line.unwrap_or_default());
        self.table = Some((table, target));
        Ok(())
    }

    /// Decimals are written with points or with commas, not both: a point would be one of thousands.
    fn check_point(&mut self, cell: &[u8], line: Option<u64>) -> Result<()> {
        if self.format.delimiter == b',' {
            return Ok(());
        }
        let Some(&mark) = cell.iter().find(|byte| matches!(byte, b'.' | b',')) else {
            return Ok(());
        };
        if *self.point.get_or_insert(mark) == mark {
            return Ok(());
        }
        let problem = format!("'{}' has another decimal mark than the rows before it", shown(cell));
        let remedy = "write decimals with points, or all with commas, and no thousands apart";
        Err(Error::file(self.path, line, problem, remedy))
    }

    /// The class in text may be what the first column has.
    fn remedy_for_cell(&self, cell: &[u8], column: usize) -> Message {
        let usual = Message::from("correct the cell or remove the row");
        let text = !shown(cell).trim().is_empty() && shown(cell).trim().parse::<f64>().is_err();
        match text && column == 0 && self.format.target.is_none() {
            true => usual + ", or give " + Field("target") + " 1 if that is the class",
            false => usual,
        }
    }

    /// Reads a label: a whole number from 0 or, where all are, a name.
    fn label(
        &self,
        labels: &mut Labels,
        cell: &[u8],
        (column, record): (usize, &csv::ByteRecord),
        line: Option<u64>,
    ) -> Result<()> {
        let place = match column + 1 == record.len() {
            true => "last column".to_string(),
            false => format!("column {}", column + 1),
        };
        let refused = |problem: &str, remedy: Message| {
            let problem = format!("the label '{}' ({place}) {problem}", shown(cell));
            Err(Error::file(self.path, line, problem, remedy))
        };
        let label = match read_label(shown(cell).trim()) {
            Ok(label) => label,
            Err(MISSING) => return refused(MISSING, "fill it in or remove the row".into()),
            Err(problem) => return refused(problem, self.remedy_for_label(column, record)),
        };
        let mixed = match (labels.any(), &label) {
            (Some(Label::Number(_)), Label::Name(_)) => {
                Some("is a name, and the labels before it are numbers")
            }
            (Some(Label::Name(_)), Label::Number(_)) => {
                Some("is a number, and the labels before it are names")
            }
            _ => None,
        };
        if let Some(problem) = mixed {
            return refused(problem, "correct it or remove the row".into());
        }
        if labels.push(label) {
            return Ok(());
        }
        let problem = format!("makes more than {MOST_CLASSES} classes");
        refused(&problem, self.remedy_for_label(column, record))
    }

    fn remedy_for_label(&self, column: usize, record: &csv::ByteRecord) -> Message {
        let label = Message::from("label classes 0, 1, 2, …, or give ");
        let usual = label + Field("regression") + " for a number";
        let first = record.get(0).and_then(|cell| number(cell, self.format.delimiter));
        let whole = first.is_some_and(|x| x.fract() == 0.0 && (0.0..=LARGEST_LABEL).contains(&x));
        // Of two columns the first is what the other depends on.
        match whole && column > 1 && self.format.target.is_none() {
            true => usual + ", or " + Field("target") + " 1 if the class is in the first column",
            false => usual,
        }
    }

    /// An empty table of that many columns, and the place of its target.
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
                false => Column::Labels(Labels::default()),
            },
            target: named.cloned().unwrap_or_else(|| (target + 1).to_string()),
            notes: DataNotes {
                header: Some(self.header.is_some()),
                columns: (1..=cells).filter(|column| column - 1 != target).collect(),
                ..DataNotes::default()
            },
        };
        Ok((table, target))
    }

    /// The table.
    ///
    /// # Errors
    /// [`Error::File`] where there was no row.
    pub fn finish(mut self) -> Result<Table> {
        if let Some((mut table, _)) = self.table.take() {
            self.leave_out_row_numbers(&mut table);
            self.remark(&mut table);
            return Ok(table);
        }
        let problem = match self.header {
            Some(_) => "the file has a header but no rows",
            None => "the file has no rows",
        };
        let remedy = "give rows of comma-separated numbers, the target last";
        Err(Error::file(self.path, None, problem, remedy))
    }

    /// A column's number and its name in the header, if it has one.
    fn title(&self, number: usize) -> String {
        let name = self.header.as_ref().and_then(|names| names.get(number - 1));
        match name.filter(|name| !name.is_empty()) {
            Some(name) => format!("column {number} '{name}'"),
            None => format!("column {number}"),
        }
    }

    /// Drops a first column without a name that numbers the rows, as tables are written by pandas and R.
    fn leave_out_row_numbers(&self, table: &mut Table) {
        let unnamed = |names: &Vec<String>| {
            names.first().is_some_and(|name| name.is_empty() || name == "Unnamed: 0")
        };
        let first = table.notes.columns.first() == Some(&1);
        if !first || table.width < 2 || !self.header.as_ref().is_some_and(unnamed) {
            return;
        }
        let numbers = table.features.iter().step_by(table.width);
        let different: BTreeSet<u64> = numbers.map(|x| x.to_bits()).collect();
        let whole = table.features.iter().step_by(table.width).all(|x| x.fract() == 0.0);
        if !whole || different.len() * table.width < table.features.len() {
            return;
        }
        let width = table.width;
        let mut place = 0;
        table.features.retain(|_| {
            place += 1;
            (place - 1) % width != 0
        });
        table.width -= 1;
        table.notes.columns.remove(0);
        table.notes.left_out.push("column 1 (no name, numbers the rows)".to_string());
    }

    /// What may not be as it was meant.
    fn remark(&self, table: &mut Table) {
        let (width, rows) = (table.width, table.notes.lines.len());
        let notes = &mut table.notes;
        let mut constant = Vec::new();
        for (place, &number) in notes.columns.iter().enumerate() {
            let column = || table.features.iter().skip(place).step_by(width);
            let counts = |from: f64| column().enumerate().all(|(i, &x)| x == from + i as f64);
            if rows > 1 && column().all(|&x| x == table.features[place]) {
                constant.push(number.to_string());
            } else if rows >= FEW && (counts(0.0) || counts(1.0)) {
                notes.remarks.push(format!("{} numbers the rows", self.title(number)));
            }
        }
        if !constant.is_empty() {
            let more = constant.len().saturating_sub(FEW);
            constant.truncate(FEW);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            notes.remarks.push(format!("constant: column {}{more}", constant.join(", ")));
        }
        let Column::Labels(labels) = &table.targets else { return };
        if rows >= FEW && 2 * labels.classes() > rows {
            let mut remark = "the target may be a number and no class".to_string();
            let first: BTreeSet<u64> =
                table.features.iter().step_by(width).map(|x| x.to_bits()).collect();
            if self.format.target.is_none() && first.len() <= FEW {
                remark += ", or the class in column 1";
            }
            notes.remarks.push(remark);
        } else if labels.classes() == 1 && rows > 1 {
            notes.remarks.push("all rows have the same class".to_string());
        }
    }
}

/// Fewer rows than these tell nothing of a column; more columns than these are not listed.
const FEW: usize = 10;

const MISSING: &str = "is missing";

/// A label in text, or what is wrong with it.
fn read_label(text: &str) -> Result<Label, &'static str> {
    const STAND_FOR_NOTHING: [&str; 6] = ["", "na", "n/a", "null", "none", "?"];
    if STAND_FOR_NOTHING.contains(&text.to_lowercase().as_str()) {
        return Err(MISSING);
    }
    match text.replace(',', ".").parse::<f64>() {
        Ok(x) if x.fract() == 0.0 && (0.0..=LARGEST_LABEL).contains(&x) => {
            Ok(Label::Number(x as u64))
        }
        Ok(_) => Err("is not a class number"),
        Err(_) => Ok(Label::Name(text.to_string())),
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

/// Whether a cell is a finite number.
pub(super) fn is_number(cell: &[u8], delimiter: u8) -> bool {
    number(cell, delimiter).is_some()
}

/// A finite number, its decimals after a point or, where commas do not separate cells, a comma.
fn number(cell: &[u8], delimiter: u8) -> Option<f64> {
    let text = std::str::from_utf8(cell).ok()?.trim();
    let parsed = match delimiter != b',' && text.contains(',') {
        true => text.replace(',', ".").parse(),
        false => text.parse(),
    };
    parsed.ok().filter(|x: &f64| x.is_finite())
}

/// A cell in a message.
pub(super) fn shown(cell: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(cell)
}
