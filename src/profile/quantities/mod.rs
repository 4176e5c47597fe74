//! Further quantities of a step, which are measured where they are asked for, in columns of their own. Each
//! is a file here and a line in `quantities!`.

use crate::autodiff::Objective;
use crate::error::Result;
use crate::names::choices;
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// Where a quantity is measured: at the parameters that the update starts from.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// The training loss, standing there.
    pub objective: &'a dyn Objective,
    /// The parameters (length P).
    pub theta: &'a [f64],
    /// The gradient of the training loss there (length P).
    pub gradient: &'a [f64],
    /// The update taken from there (length P), where it is known.
    pub update: Option<&'a [f64]>,
    /// The operator that the optimizer's threshold bounds.
    pub operator: &'a StabilityOperator,
    /// The row, with all that was measured before.
    pub row: &'a StepRow,
}

/// What was measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The value, where it is defined.
    pub value: Option<f64>,
    /// Hessian-vector products that it took.
    pub products: usize,
}

/// Lists the quantities: what each is, its column and what measures it.
macro_rules! quantities {
    ($($(#[doc = $about:literal])+ $Quantity:ident = $file:ident, $column:literal;)+) => {
        $(mod $file;)+

        choices! {
            /// A quantity that is measured where it is asked for.
            pub enum Quantity ("quantity") {
                $($(#[doc = $about])+ $Quantity = $column),+
            }
        }

        impl Quantity {
            /// What it is.
            pub fn about(self) -> &'static str {
                match self {
                    $(Self::$Quantity => concat!($($about),+).trim_ascii()),+
                }
            }

            /// Measures it.
            ///
            /// # Errors
            /// [`crate::Error::NonFinite`] if a product is not finite; or if the device reports failure.
            pub fn measure(self, at: At<'_>) -> Result<Measured> {
                match self {
                    $(Self::$Quantity => $file::measure(at)),+
                }
            }
        }
    };
}

quantities! {
    /// curvature s'Hs/|s|² along the update s
    UpdateSharpness = update_sharpness, "update_sharpness";
    /// curvature g'Hg/|g|² along the gradient g
    DirectionalSharpness = directional_sharpness, "directional_sharpness";
}
