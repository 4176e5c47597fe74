//! What each objective says of itself, and the list of objectives made one type.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::error::Result;

/// What is asked of an objective on the host.
pub trait Facts {
    /// The formula, in one line.
    fn about(&self) -> &'static str;

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] naming the key.
    fn check(&self) -> Result<()>;

    /// How its variables are grouped.
    fn blocks(&self) -> Blocks;

    /// Numbers that the formula needs on the device, such as a spectrum or data points.
    fn constants(&self) -> Vec<f64> {
        Vec::new()
    }

    /// Where starts are drawn.
    fn region(&self) -> Region;

    /// Number P of variables.
    fn dimension(&self) -> usize {
        self.blocks().tensors().iter().map(|(_, [rows, columns])| rows * columns).sum()
    }
}

/// A formula over tensors.
pub trait Formula: Facts {
    /// The value, of shape `[1]`, at the point `x` of shape `[P]`; `constants` are [`Facts::constants`], or a
    /// zero where there are none.
    fn value<B: Backend>(&self, x: Tensor<B, 1>, constants: Tensor<B, 1>) -> Tensor<B, 1>;
}

/// The parameter tensors of an objective.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blocks {
    /// One row `x` of so many variables.
    Point(usize),
    /// Two matrices `u` and `v`, `[rows, columns]` each.
    Factors([usize; 2], [usize; 2]),
}

impl Blocks {
    /// Names and shapes, in order.
    pub fn tensors(self) -> Vec<(&'static str, [usize; 2])> {
        match self {
            Blocks::Point(dimension) => vec![("x", [1, dimension])],
            Blocks::Factors(u, v) => vec![("u", u), ("v", v)],
        }
    }
}

/// A cube in the space of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its middle (length P).
    pub center: Vec<f64>,
    /// Half the length of its edges.
    pub half_width: f64,
}

impl Region {
    /// About the origin.
    pub fn about_zero(dimension: usize, half_width: f64) -> Self {
        Self { center: vec![0.0; dimension], half_width }
    }
}

/// One variable of a point, of shape `[1]`.
pub(super) fn variable<B: Backend>(x: &Tensor<B, 1>, at: usize) -> Tensor<B, 1> {
    x.clone().narrow(0, at, 1)
}

/// The variables from `from` on; there must be one.
pub(super) fn rest<B: Backend>(x: &Tensor<B, 1>, from: usize) -> Tensor<B, 1> {
    let len = x.shape().dims::<1>()[0];
    x.clone().narrow(0, from, len - from)
}

/// Makes one type of all objectives. A line is the file, its type and the name in JSON.
macro_rules! objectives {
    ($($file:ident: $Type:ident = $name:literal;)+) => {
        $(pub use $file::$Type;)+

        /// Names of the objectives.
        pub const NAMES: &[&str] = &[$($name),+];

        /// An objective and its numbers.
        #[derive(Debug, Clone, PartialEq, serde::Serialize)]
        #[serde(tag = "kind")]
        pub enum Function {
            $(
                #[doc = concat!("That of kind `", $name, "`.")]
                #[serde(rename = $name)]
                $Type($Type),
            )+
        }

        impl Function {
            /// Its kind, as in JSON.
            pub fn kind(&self) -> &'static str {
                match self {
                    $(Function::$Type(_) => $name,)+
                }
            }

            /// What it says of itself.
            pub fn facts(&self) -> &dyn Facts {
                match self {
                    $(Function::$Type(function) => function,)+
                }
            }

            /// Its value: see [`Formula::value`].
            pub fn value<B: burn::tensor::backend::Backend>(
                &self,
                x: burn::tensor::Tensor<B, 1>,
                constants: burn::tensor::Tensor<B, 1>,
            ) -> burn::tensor::Tensor<B, 1> {
                match self {
                    $(Function::$Type(function) => function.value(x, constants),)+
                }
            }

            /// The one of that kind whose numbers stand in the JSON object `text`; `path` is for messages.
            /// Other keys are passed over.
            fn of_kind(
                kind: &str,
                text: &str,
                path: &std::path::Path,
            ) -> crate::error::Result<Option<Self>> {
                Ok(match kind {
                    $($name => {
                        Some(Function::$Type(crate::input::parse_json(text, path, spec::REMEDY)?))
                    })+
                    _ => None,
                })
            }
        }
    };
}

pub(super) use objectives;
