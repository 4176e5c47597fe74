//! One row of `steps.csv`, and its columns: a quantity is one entry of [`step_columns!`], from which the
//! row's field, the table's writer and reader and the documentation of columns are made.

use std::collections::BTreeMap;

use super::Phase;
use super::codec::{
    COUNT, FLAG, MEASURED, NUMBER, PHASE, TIME, TIME_SPENT, optional, read_optional,
};

/// Which columns a table has besides those that every table has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// How many of the largest eigenvalues are logged.
    pub top: usize,
    /// Whether the standard error of batch sharpness is.
    pub batch_sharpness_se: bool,
    /// Whether the sharpness at the perturbed point is.
    pub perturbed_sharpness: bool,
    /// The further quantities that are measured ([`StepRow::measured`]), in order.
    pub measured: Vec<String>,
}

/// A column of `steps.csv`, or several that are numbered.
pub struct Column {
    /// Its name; of numbered ones, what stands before the number and a line.
    pub name: &'static str,
    /// Its unit; empty for what has none or that of the loss and the parameters.
    pub unit: &'static str,
    /// What it holds.
    pub about: &'static str,
    cells: Cells,
}

/// A cell's content into a row, or what the content is not.
type Read = fn(&mut StepRow, &str) -> Result<(), &'static str>;

enum Cells {
    One { is_in: fn(&Columns) -> bool, write: fn(&StepRow) -> String, read: Read },
    Numbered { count: fn(&Columns) -> usize, write: fn(&StepRow, usize) -> String, read: Read },
}

macro_rules! cells_of {
    ($field:ident, $codec:ident) => {
        cells_of!(@one $field, $codec, |_| true)
    };
    ($field:ident, $codec:ident, if $flag:ident) => {
        cells_of!(@one $field, $codec, |columns| columns.$flag)
    };
    ($field:ident, numbered by $count:ident) => {
        Cells::Numbered {
            count: |columns| columns.$count,
            write: |row, index| optional(row.$field.get(index).copied()),
            // They come in order, and end where there were no more.
            read: |row, cell| {
                row.$field.extend(read_optional(cell)?);
                Ok(())
            },
        }
    };
    (@one $field:ident, $codec:ident, $is_in:expr) => {
        Cells::One {
            is_in: $is_in,
            write: |row| ($codec.write)(&row.$field),
            read: |row, cell| {
                row.$field = ($codec.read)(cell)?;
                Ok(())
            },
        }
    };
}

/// Writes out [`StepRow`] and [`COLUMNS`]. An entry is a field with its description, its type, its unit and
/// how its cells are written, with the flag of [`Columns`] that it depends on, if it does.
macro_rules! step_columns {
    ($($(#[doc = $about:literal])* $field:ident: $type:ty, $unit:literal, ($($cells:tt)*);)*) => {
        /// What was measured at one step. A row describes the parameters `theta_t` **before** update
        /// `t`; `update_norm` and `relative_update` belong to the update taken from it. `None` means
        /// that the quantity was not measured at this step, and becomes an empty cell.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct StepRow {
            $($(#[doc = $about])* pub $field: $type,)*
            /// Further quantities that were asked for, by the names of their columns, which come last.
            pub measured: BTreeMap<String, f64>,
        }

        /// The columns that the program knows, in order.
        pub const COLUMNS: &[Column] = &[$(Column {
            name: stringify!($field),
            unit: $unit,
            about: concat!($($about),*),
            cells: cells_of!($field, $($cells)*),
        }),*];
    };
}

step_columns! {
    /// The step `t`; 0 is the initial point.
    step: usize, "", (COUNT);
    /// The learning rate eta of update `t`.
    lr: f64, "", (NUMBER);
    /// Loss over the whole training set (mean over samples).
    train_loss: Option<f64>, "", (MEASURED);
    /// Share of training samples classified correctly, in [0, 1].
    train_accuracy: Option<f64>, "", (MEASURED);
    /// Loss over the validation set (mean over samples).
    val_loss: Option<f64>, "", (MEASURED);
    /// Share of validation samples classified correctly, in [0, 1].
    val_accuracy: Option<f64>, "", (MEASURED);
    /// Euclidean norm of the gradient of the training loss.
    grad_norm: Option<f64>, "", (MEASURED);
    /// Euclidean norm of `theta_{t+1} - theta_t`.
    update_norm: Option<f64>, "", (MEASURED);
    /// Euclidean norm of `theta_t`.
    param_norm: Option<f64>, "", (MEASURED);
    /// `update_norm / param_norm`.
    relative_update: Option<f64>, "", (MEASURED);
    /// Largest algebraic eigenvalue of the Hessian.
    sharpness: Option<f64>, "", (MEASURED);
    /// Largest algebraic eigenvalue of the operator that the threshold bounds, where that is not the
    /// Hessian: P^-1/2 (H + lambda I) P^-1/2 with the optimizer's preconditioner P and coupled
    /// weight decay lambda.
    preconditioned_sharpness: Option<f64>, "", (MEASURED);
    /// E_B\[g_B' H_B g_B\] / E_B\[||g_B||^2\] over minibatches B, estimated.
    batch_sharpness: Option<f64>, "", (MEASURED);
    /// Stability threshold of the optimizer, for the operator it belongs to.
    threshold: Option<f64>, "", (MEASURED);
    /// Sharpness of that operator over `threshold`.
    edge_ratio: Option<f64>, "", (MEASURED);
    /// The largest relative residual among the eigenvalues in this row.
    residual: Option<f64>, "", (MEASURED);
    /// Whether every eigenvalue in this row met the tolerance.
    converged: Option<bool>, "", (FLAG);
    /// The K largest algebraic eigenvalues of the Hessian, largest first; fewer where the operator
    /// has fewer.
    lambda: Vec<f64>, "", (numbered by top);
    /// Smallest algebraic eigenvalue of the Hessian.
    lambda_min: Option<f64>, "", (MEASURED);
    /// `|<g, u1>| / ||g||`: how far the gradient points along the top eigenvector.
    gradient_alignment: Option<f64>, "", (MEASURED);
    /// Hessian-vector products spent at this step.
    hvps: usize, "", (COUNT);
    /// Phase of training, where a detector named one.
    phase: Option<Phase>, "", (PHASE);
    /// Wall-clock time of evaluation and update, in milliseconds.
    step_ms: f64, "ms", (TIME);
    /// Wall-clock time of the curvature measurement, in milliseconds.
    curvature_ms: Option<f64>, "ms", (TIME_SPENT);
    /// Standard error of `batch_sharpness`, two of which cover 95%; absent where the batches are too few
    /// to tell one.
    batch_sharpness_se: Option<f64>, "", (MEASURED, if batch_sharpness_se);
    /// Largest algebraic eigenvalue of the Hessian where SAM took the gradient that it descended.
    perturbed_sharpness: Option<f64>, "", (MEASURED, if perturbed_sharpness);
}

impl StepRow {
    /// Sharpness of the operator that `threshold` bounds.
    pub fn operator_sharpness(&self) -> Option<f64> {
        self.preconditioned_sharpness.or(self.sharpness)
    }
}

impl Column {
    /// How many columns of a table it is.
    fn count(&self, columns: &Columns) -> usize {
        match self.cells {
            Cells::One { is_in, .. } => usize::from(is_in(columns)),
            Cells::Numbered { count, .. } => count(columns),
        }
    }

    /// The name of the one of that index.
    fn name(&self, index: usize) -> String {
        match self.cells {
            Cells::One { .. } => self.name.to_string(),
            Cells::Numbered { .. } => format!("{}_{}", self.name, index + 1),
        }
    }

    fn cell(&self, row: &StepRow, index: usize) -> String {
        match self.cells {
            Cells::One { write, .. } => write(row),
            Cells::Numbered { write, .. } => write(row, index),
        }
    }

    /// The index of the one of that name, if it is one of them.
    fn index_of(&self, name: &str) -> Option<usize> {
        let rest = name.strip_prefix(self.name)?;
        match self.cells {
            Cells::One { .. } => rest.is_empty().then_some(0),
            Cells::Numbered { .. } => rest.strip_prefix('_')?.parse::<usize>().ok()?.checked_sub(1),
        }
    }
}

/// The columns of `steps.csv` in order.
pub fn column_names(columns: &Columns) -> Vec<String> {
    let known = COLUMNS
        .iter()
        .flat_map(|column| (0..column.count(columns)).map(|index| column.name(index)));
    known.chain(columns.measured.iter().cloned()).collect()
}

/// The cells of a row under columns of these names; what the row does not have is empty.
pub fn cells<S: AsRef<str>>(row: &StepRow, names: &[S]) -> Vec<String> {
    let cell = |name: &str| {
        let known = COLUMNS.iter().find_map(|column| Some((column, column.index_of(name)?)));
        match known {
            Some((column, index)) => column.cell(row, index),
            None => optional(row.measured.get(name).copied()),
        }
    };
    names.iter().map(|name| cell(name.as_ref())).collect()
}

/// Reads a row from its cells under columns of these names. One that is not known here is a quantity that was
/// measured, if it holds a number; else it is left alone.
///
/// # Errors
/// The name of the first column with a cell that is not what it holds, the cell, and what that would be.
pub fn row_of_cells<'a>(
    names: impl IntoIterator<Item = &'a str>,
    cells: impl IntoIterator<Item = &'a str>,
) -> Result<StepRow, (&'a str, &'a str, &'static str)> {
    let mut row = StepRow::default();
    for (name, cell) in names.into_iter().zip(cells) {
        match COLUMNS.iter().find(|column| column.index_of(name).is_some()) {
            Some(Column {
                cells: Cells::One { read, .. } | Cells::Numbered { read, .. }, ..
            }) => {
                read(&mut row, cell).map_err(|what| (name, cell, what))?;
            }
            None => {
                if let Ok(Some(value)) = read_optional(cell) {
                    row.measured.insert(name.to_string(), value);
                }
            }
        }
    }
    Ok(row)
}

/// The table of columns as documentation has it, in Markdown.
pub fn columns_in_markdown() -> String {
    let mut table = "| column | what | unit |
|---|---|---|
"
    .to_string();
    for column in COLUMNS {
        let name = match column.cells {
            Cells::One { .. } => format!("`{}`", column.name),
            Cells::Numbered { .. } => format!("`{0}_1`, `{0}_2`, …", column.name),
        };
        let about = column.about.trim().replace('|', r"\|").replace(r"\[", "[").replace(r"\]", "]");
        table += &format!(
            "| {name} | {about} | {} |
",
            column.unit
        );
    }
    table
}
