//! Further quantities of a step, which are measured where they are asked for, in columns of their own. Each
//! is a file here and a line in `quantities!`.

use crate::autodiff::{Objective, ParameterLayout};
use crate::curvature::groups;
use crate::error::Result;
use crate::names::choices;
use crate::optim::StabilityOperator;
use crate::record::StepRow;

/// Where a quantity is measured: at the parameters that the update starts from.
pub struct At<'a> {
    /// The training loss, standing there, and to be left there.
    pub objective: &'a mut dyn Objective,
    /// The parameters (length P).
    pub theta: &'a [f64],
    /// The gradient of the training loss there (length P).
    pub gradient: &'a [f64],
    /// The update taken from there (length P), where it is known.
    pub update: Option<&'a [f64]>,
    /// The operator that the optimizer's threshold bounds.
    pub operator: &'a StabilityOperator,
    /// What this step's threshold is of that of late steps, where Adam's bias correction says.
    pub early_factor: Option<f64>,
    /// The unit eigenvectors of the largest eigenvalues, the largest first.
    pub eigenvectors: &'a [&'a [f64]],
    /// The samples of each class, by their positions in the objective's list; none where there are no
    /// classes.
    pub classes: &'a [Vec<usize>],
    /// Seed of what is drawn.
    pub seed: u64,
    /// The row, with all that was measured before.
    pub row: &'a StepRow,
}

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measured {
    /// A value for each column, where it is defined; none at all where none is.
    pub values: Vec<Option<f64>>,
    /// Hessian-vector products that it took.
    pub products: usize,
}

impl Measured {
    /// A value, where it is defined.
    fn one(value: impl Into<Option<f64>>, products: usize) -> Self {
        Self { values: vec![value.into()], products }
    }

    /// Values that are all defined.
    fn all(values: impl IntoIterator<Item = f64>, products: usize) -> Self {
        Self { values: values.into_iter().map(Some).collect(), products }
    }
}

/// Which columns a quantity has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// One, of its name.
    One,
    /// One of its name, and one for the bound that it is compared with.
    Bounded,
    /// One for each layer.
    Layers,
    /// One for each class.
    Classes,
}

/// Lists the quantities: what each is, its column, what measures it and, where it is not one number, what it
/// is one of.
macro_rules! quantities {
    ($($(#[doc = $about:literal])+ $Quantity:ident = $file:ident, $column:literal, $Shape:ident;)+) => {
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

            fn shape(self) -> Shape {
                match self {
                    $(Self::$Quantity => Shape::$Shape),+
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
    UpdateSharpness = update_sharpness, "update_sharpness", One;
    /// curvature g'Hg/|g|² along the gradient g
    DirectionalSharpness = directional_sharpness, "directional_sharpness", One;
    /// share |U'g|²/|g|² of the gradient among the --top eigenvectors U
    TopGradientShare = top_gradient_share, "top_gradient_share", One;
    /// share |u_l|² of each layer l in the top eigenvector u
    LayerShares = layer_shares, "layer_shares", Layers;
    /// what the samples of each class add to the largest eigenvalue u'Hu
    ClassCurvature = class_curvature, "class_curvature", Classes;
    /// what they add to the gradient along its eigenvector, u'g
    ClassSlope = class_slope, "class_slope", Classes;
    /// cosine between the weights and the gradient of the sharpness, which decides what weight decay does to it
    DecayAlignment = decay_alignment, "decay_alignment", One;
    /// edge ratio over the threshold times 1 - β₁^t, that of Adam's early steps
    EarlyEdgeRatio = early_edge_ratio, "early_edge_ratio", One;
    /// largest d'Hd with |d_i| at most 1, a lower bound, and what sign descent can bear, 2|g|₁/η
    SignSharpness = sign_sharpness, "sign_sharpness", Bounded;
    /// largest d'Hd with d a matrix of singular values at most 1 in each layer, a lower bound, and what spectral descent can bear, 2|g|_*/η
    SpectralSharpness = spectral_sharpness, "spectral_sharpness", Bounded;
}

impl Quantity {
    /// The names of its columns, for parameters of this layout and so many classes.
    pub fn columns(self, layout: &ParameterLayout, classes: usize) -> Vec<String> {
        let name = self.name();
        match self.shape() {
            Shape::One => vec![name.to_string()],
            Shape::Bounded => vec![name.to_string(), format!("{name}_edge")],
            Shape::Layers => {
                groups(layout).into_iter().map(|group| format!("{name}.{}", group.name)).collect()
            }
            Shape::Classes => (0..classes).map(|class| format!("{name}.{class}")).collect(),
        }
    }

    /// Whether it is about the classes of samples.
    pub fn needs_classes(self) -> bool {
        self.shape() == Shape::Classes
    }
}
