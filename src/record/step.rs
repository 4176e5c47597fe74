//! One row of `steps.csv`, and its columns: a quantity is one entry of [`step_columns!`], from which the
//! row's field, the table's writer and reader and the documentation of columns are made.

use std::collections::BTreeMap;

use super::Phase;
use super::codec::{
    COUNT, FLAG, Kind, MEASURED, NUMBER, PHASE, TIME, TIME_SPENT, optional, read_optional,
};

/// Which columns a table has besides those that every table has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Columns {
    /// How many of the largest eigenvalues are logged.
    pub top: usize,
    /// Whether the standard error of batch sharpness is.
    pub batch_sharpness_se: bool,
    /// Whether what else its minibatches tell is.
    pub batch_noise: bool,
    /// Whether the norm of the minibatch's gradient is.
    pub batch_grad_norm: bool,
    /// Along how many of the largest eigenvectors gradient and step are.
    pub components: usize,
    /// Whether the realized ratio is.
    pub realized_ratio: bool,
    /// Whether the realized ratio at the midpoint is.
    pub realized_ratio_midpoint: bool,
    /// Whether the sharpness at the midpoint is.
    pub midpoint_sharpness: bool,
    /// How many of the largest eigenvalues at the midpoint are.
    pub midpoint_top: usize,
    /// Whether the mechanism at the edge is.
    pub mechanism: bool,
    /// Whether what minibatches add to it is.
    pub batch_mechanism: bool,
    /// Whether the sharpness at the perturbed point is.
    pub perturbed_sharpness: bool,
    /// Whether the factor of clipping is.
    pub clip_factor: bool,
    /// The further quantities that are measured ([`StepRow::measured`]), in order.
    pub measured: Vec<String>,
}

/// A column of `steps.csv`, or several that are numbered.
pub struct Column {
    /// Its name; of numbered ones, what stands before the number and a line.
    pub name: &'static str,
    /// Its unit: L that of the loss, w that of a parameter; empty for a number, a ratio or a count.
    pub unit: &'static str,
    /// In which rows it is there.
    pub there: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// What kind of values that is.
    pub kind: Kind,
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

macro_rules! kind_of {
    (numbered by $count:ident) => {
        Kind::Number
    };
    ($codec:ident $($rest:tt)*) => {
        $codec.kind
    };
}

/// Writes out [`StepRow`] and [`COLUMNS`]. An entry is a field with its description, its type, its unit, the
/// rows that it is in, and how its cells are written, with the flag of [`Columns`] that it depends on, if it does.
macro_rules! step_columns {
    ($(
        $(#[doc = $about:literal])*
        $field:ident: $type:ty, $unit:literal, $there:literal, ($($cells:tt)*);
    )*) => {
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
            there: $there,
            about: concat!($($about),*),
            kind: kind_of!($($cells)*),
            cells: cells_of!($field, $($cells)*),
        }),*];
    };
}

step_columns! {
    /// t
    step: usize, "", "always", (COUNT);
    /// learning rate η of update t
    lr: f64, "w²/L", "always", (NUMBER);
    /// loss, mean over all training samples: `mse` is ½‖f(x) − y‖² summed over outputs (y one-hot
    /// for classes), `ce` is in nats
    train_loss: Option<f64>, "L", "at each row; with minibatches at evaluated ones", (MEASURED);
    /// share of the training samples classified correctly, 0 to 1
    train_accuracy: Option<f64>, "", "as `train_loss`; not in regression", (MEASURED);
    /// loss, mean over the validation samples
    val_loss: Option<f64>, "L", "at evaluated rows, where samples validate", (MEASURED);
    /// share of the validation samples classified correctly
    val_accuracy: Option<f64>, "", "as `val_loss`; not in regression", (MEASURED);
    /// ‖g‖, g the gradient of the training loss
    grad_norm: Option<f64>, "L/w", "as `train_loss`", (MEASURED);
    /// ‖θ_{t+1} − θ_t‖
    update_norm: Option<f64>, "w", "but for a row at which training diverged", (MEASURED);
    /// ‖θ_t‖
    param_norm: Option<f64>, "w", "always", (MEASURED);
    /// `update_norm` over `param_norm`
    relative_update: Option<f64>, "", "as `update_norm`, where ‖θ_t‖ is not 0", (MEASURED);
    /// λ₁, the largest algebraic eigenvalue of the Hessian H of the training loss (of `--samples`
    /// of its samples)
    sharpness: Option<f64>, "L/w²", "at measured rows", (MEASURED);
    /// the largest eigenvalue of P^−½(H + λI)P^−½: P what the update divided by, λ coupled weight
    /// decay; of H + λI without a P
    preconditioned_sharpness: Option<f64>, "that of `threshold`", "at measured rows of adaptive optimizers, and with coupled weight decay (`sam`'s own threshold has λ in it instead)", (MEASURED);
    /// E_B[g_B′H_B g_B / ‖g_B‖²] over `--sharpness-batches` random minibatches B, each with its own g
    /// and H (Andreyev and Beneventano 2024, Definition 3)
    batch_sharpness: Option<f64>, "L/w²", "at measured rows with minibatches, where some g_B is not 0", (MEASURED);
    /// what the optimizer can bear
    threshold: Option<f64>, "that of its operator", "where one is known and η is not 0; for `sam` without minibatches as `grad_norm`", (MEASURED);
    /// `preconditioned_sharpness` where there is one, else `sharpness`, over `threshold`
    edge_ratio: Option<f64>, "", "at measured rows with a threshold", (MEASURED);
    /// the largest ‖Hu − λu‖/|λ| of the row's eigenvalues (for `lambda_min` relative to the largest
    /// in magnitude)
    residual: Option<f64>, "", "at measured rows", (MEASURED);
    /// `true` where all of them met `--tolerance`, else `false`
    converged: Option<bool>, "", "at measured rows", (FLAG);
    /// the K = `--top` largest eigenvalues of H, the largest first
    lambda: Vec<f64>, "L/w²", "at measured rows; fewer where H has fewer", (numbered by top);
    /// the smallest eigenvalue of H
    lambda_min: Option<f64>, "L/w²", "at measured rows with `--smallest`", (MEASURED);
    /// |⟨g, u₁⟩| / ‖g‖, u₁ the eigenvector of λ₁
    gradient_alignment: Option<f64>, "", "at measured rows, where g is not 0", (MEASURED);
    /// Hessian-vector products spent at this step, those of a spectrum included
    hvps: usize, "", "always", (COUNT);
    /// phase of training: `sharpening`, `edge`, `unstable`, `stable` or `flat`
    phase: Option<Phase>, "", "from the first measured row on", (PHASE);
    /// wall-clock time of evaluation and update
    step_ms: f64, "ms", "always", (TIME);
    /// wall-clock time of the curvature, a spectrum included
    curvature_ms: Option<f64>, "ms", "where any was measured", (TIME_SPENT);
    /// standard error of `batch_sharpness`, two of which cover 95%
    batch_sharpness_se: Option<f64>, "L/w²", "a column with minibatches (unless `--sharpness-batches 0`); empty where so few batches tell nothing", (MEASURED, if batch_sharpness_se);
    /// λ₁ where SAM took the gradient that it descended
    perturbed_sharpness: Option<f64>, "L/w²", "a column with `--perturbed-sharpness`", (MEASURED, if perturbed_sharpness);
    /// s′Hs / (−2 g′s): s the update, g and H the gradient and the Hessian of the samples that it was taken
    /// from, at θ_t; on a quadratic their loss falls exactly if it is below 1
    realized_ratio: Option<f64>, "", "a column unless `--realized off`; at measured rows, where g′s is below 0", (MEASURED, if realized_ratio);
    /// whether g′s is 0 or more: the update ascends
    step_is_ascent: Option<bool>, "", "as `realized_ratio`, where the update is not 0", (FLAG, if realized_ratio);
    /// s′Hs, as in `realized_ratio`, of which it is the numerator
    step_curvature: Option<f64>, "L", "as `realized_ratio`", (MEASURED, if realized_ratio);
    /// |v_i′P^−½(g + λθ)|, λ coupled weight decay, v_i the eigenvectors of the operator that `threshold` bounds, P its preconditioner (of H without
    /// one), the first alone with a P: where the i-th mode stands, of energy `gradient_component_i`² over twice its eigenvalue
    gradient_component: Vec<f64>, "L/w (with a P its root)", "at measured rows", (numbered by components);
    /// v_i′P^½s, s the update, with the sign of v_i that makes the one above positive: how that mode moves
    step_component: Vec<f64>, "w (with a P over its root)", "as `gradient_component`", (numbered by components);
    /// `realized_ratio` with H at (θ_{t−1} + 2θ_t + θ_{t+1})/4, the midpoint of an oscillation
    realized_ratio_midpoint: Option<f64>, "", "a column with `--realized midpoint`; as `realized_ratio`, from step 1 on", (MEASURED, if realized_ratio_midpoint);
    /// E_B[g_B′H_B g_B] / E_B[‖g_B‖²] over the same minibatches
    batch_sharpness_ratio_of_means: Option<f64>, "L/w²", "as `batch_sharpness`; this and the next eight are columns with minibatches (unless `--sharpness-batches 0`)", (MEASURED, if batch_noise);
    /// its standard error
    batch_sharpness_ratio_of_means_se: Option<f64>, "L/w²", "as `batch_sharpness_se`", (MEASURED, if batch_noise);
    /// tr Σ/‖g‖², Σ the covariance of a single sample's gradient: the simple noise scale (McCandlish et al. 2018)
    noise_scale: Option<f64>, "", "as `batch_sharpness`, where g is not 0; not if the batch is the whole set", (MEASURED, if batch_noise);
    /// its standard error
    noise_scale_se: Option<f64>, "", "as `noise_scale`", (MEASURED, if batch_noise);
    /// E_B[g_B′H g_B]/‖g‖², H and g of all samples: a step of gradient descent along g_B lowers their loss
    /// in the mean, on a quadratic, exactly if this is below 2/η
    noise_interaction: Option<f64>, "L/w²", "as `batch_sharpness`, where g is not 0", (MEASURED, if batch_noise);
    /// its standard error
    noise_interaction_se: Option<f64>, "L/w²", "as `batch_sharpness_se`", (MEASURED, if batch_noise);
    /// what batch sharpness settles at with small batches: 2(1−β)/η for heavy ball (Andreyev et al. 2026),
    /// 2/η without momentum
    batch_edge_small: Option<f64>, "L/w²", "at measured rows with minibatches, of `sgd`, `momentum`, `nesterov`, `ema-momentum` and `qhm`", (MEASURED, if batch_noise);
    /// what it settles at with large ones: 2(1+β)/η for heavy ball, the full batch's threshold
    batch_edge_large: Option<f64>, "L/w²", "as `batch_edge_small`", (MEASURED, if batch_noise);
    /// where `batch_sharpness` lies between the two, in logarithms: 0 at the one for small batches, 1 at the
    /// one for large ones
    batch_edge_position: Option<f64>, "", "as `batch_edge_small`, where the two differ", (MEASURED, if batch_noise);
    /// norm of the gradient that the update was taken from, that of its minibatch: SAM's ascent and its
    /// threshold are by this one
    batch_grad_norm: Option<f64>, "L/w", "a column with minibatches; always", (MEASURED, if batch_grad_norm);
    /// what the gradient that update t descended was multiplied by, min(1, c/‖g‖)
    clip_factor: Option<f64>, "", "a column with `--clip-norm` c", (MEASURED, if clip_factor);
    /// λ₁ of H at the midpoint of the oscillation, (θ_{t−1} + 2θ_t + θ_{t+1})/4: what a flow's sharpness is to
    /// be compared with
    midpoint_sharpness: Option<f64>, "L/w²", "a column with `--midpoint-sharpness` or `--mechanism`; at measured rows from step 1 on", (MEASURED, if midpoint_sharpness);
    /// `preconditioned_sharpness` with H there, P and λ those of update t
    midpoint_preconditioned_sharpness: Option<f64>, "that of `threshold`", "as `midpoint_sharpness`, where there is a `preconditioned_sharpness`", (MEASURED, if midpoint_sharpness);
    /// the K = `--top` largest eigenvalues of H there, the largest first
    midpoint_lambda: Vec<f64>, "L/w²", "as `midpoint_sharpness`; fewer where H has fewer", (numbered by midpoint_top);
    /// α = −(∇L + λθ)·∇S, at the midpoint too, as all that follows: S the sharpness, λ coupled weight decay.
    /// The sharpness rises by α in a unit of time of gradient flow, by ηα in a step of gradient descent; with a P in the metric
    /// of P, as β and the two variances
    alpha: Option<f64>, "L²/w⁴", "a column with `--mechanism`; as `midpoint_sharpness`", (MEASURED, if mechanism);
    /// β = ‖∇S‖²: an oscillation of variance x² along u₁ lowers the sharpness by βx²/2 in a unit of time
    beta: Option<f64>, "L²/w⁶", "as `alpha`", (MEASURED, if mechanism);
    /// 2α/β, 0 where α is below 0: the variance along u₁ at which the two are equal, which an oscillation at the edge
    /// settles about; below the edge there is none
    predicted_variance: Option<f64>, "w²", "as `alpha`, where β is not 0", (MEASURED, if mechanism);
    /// (u₁·(θ_{t+1} − 2θ_t + θ_{t−1})/4)², the square of the way from the midpoint along u₁: its mean over rows is
    /// the variance that is predicted
    measured_variance: Option<f64>, "w²", "as `alpha`", (MEASURED, if mechanism);
    /// S/‖∇S‖: how far one can go along ∇S until the sharpness is another
    curvature_length: Option<f64>, "w", "as `predicted_variance`", (MEASURED, if mechanism);
    /// `measured_variance` ‖∇S‖ / (2‖∇L + λθ‖): the oscillation's force towards flatness beside that of the gradient
    /// (with the predicted variance it is the cosine of −∇L − λθ and ∇S)
    flatness_force_share: Option<f64>, "", "as `alpha`, where the gradient is not 0", (MEASURED, if mechanism);
    /// cosine of θ and ∇S: above 0, shrinking the weights lowers the sharpness
    sharpness_alignment: Option<f64>, "", "as `predicted_variance`", (MEASURED, if mechanism);
    /// u₁′Gu₁ / u₁′Hu₁, G the Gauss-Newton matrix: what of the sharpness is not the curvature of the model itself
    gauss_newton_share: Option<f64>, "", "as `alpha`; not of an objective's formula", (MEASURED, if mechanism);
    /// estimated relative error of ∇S, a central difference of products
    sharpness_gradient_error: Option<f64>, "", "as `predicted_variance`", (MEASURED, if mechanism);
    /// variance of the gradients of minibatches along u₁ at θ_t, over those of `batch_sharpness`
    top_gradient_variance: Option<f64>, "L²/w²", "this and the next three are columns with `--mechanism` and minibatches (unless `--sharpness-batches 0`); as `batch_sharpness`", (MEASURED, if batch_mechanism);
    /// its standard error
    top_gradient_variance_se: Option<f64>, "L²/w²", "as `batch_sharpness_se`", (MEASURED, if batch_mechanism);
    /// ηβ `top_gradient_variance` / (4α): how far below 2/η that noise keeps the sharpness (Liao et al. 2026)
    predicted_gap: Option<f64>, "L/w²", "as `alpha` where that is above 0, of `sgd` (`momentum` 0)", (MEASURED, if batch_mechanism);
    /// its standard error, by that of the variance
    predicted_gap_se: Option<f64>, "L/w²", "as `predicted_gap`", (MEASURED, if batch_mechanism);
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

/// Whether a column holds a time, which no two runs have in common.
pub(crate) fn is_time(name: &str) -> bool {
    COLUMNS.iter().any(|column| column.name == name && column.unit == "ms")
}

/// The columns of `steps.csv` in order.
pub fn column_names(columns: &Columns) -> Vec<String> {
    let known = COLUMNS
        .iter()
        .flat_map(|column| (0..column.count(columns)).map(|index| column.name(index)));
    known.chain(columns.measured.iter().cloned()).collect()
}

/// The column that the program knows under that name, or that it is one of.
pub fn column_of(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.index_of(name).is_some())
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
    let mut table = "| column | what | unit | there |\n|---|---|---|---|\n".to_string();
    for column in COLUMNS {
        let name = match column.cells {
            Cells::One { .. } => format!("`{}`", column.name),
            Cells::Numbered { .. } => format!("`{0}_1` … `{0}_K`", column.name),
        };
        let cells = [&name, column.about.trim(), column.unit, column.there];
        table += &format!("| {} |\n", cells.map(|cell| cell.replace('|', r"\|")).join(" | "));
    }
    table
}
