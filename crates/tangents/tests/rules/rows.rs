//! What is checked: functions of some tensors, on any backend.

use burn::backend::{Autodiff, Flex};
use burn::tensor::Tensor;
use sharpscope_tangents::{Recording, Tangents};

pub type Dual = Tangents<Flex>;
pub type Noted = Tangents<Recording<Flex>>;
pub type Tape = Autodiff<Flex>;
pub type TapeOverDual = Autodiff<Dual>;
pub type TapeOverNoted = Autodiff<Noted>;
pub type TapeOverTape = Autodiff<Autodiff<Flex>>;

/// A function of vectors on backend `B`.
pub type Function<B> = fn(Vec<Tensor<B, 1>>) -> Tensor<B, 1>;

/// What second derivatives are compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Second {
    /// A tape over a tape.
    Nested,
    /// Differences of a tape's gradient: burn cannot differentiate its derivative.
    Differences,
    /// Nothing: burn has no gradient of it.
    None,
}

/// One function and where to evaluate it.
pub struct Row {
    pub name: &'static str,
    pub shapes: Vec<Vec<usize>>,
    /// The inputs lie between these.
    pub domain: (f64, f64),
    pub second: Second,
    pub plain: Function<Flex>,
    pub dual: Function<Dual>,
    pub noted: Function<Noted>,
    pub tape: Function<Tape>,
    pub tape_over_dual: Function<TapeOverDual>,
    pub tape_over_noted: Function<TapeOverNoted>,
    pub tape_over_tape: Function<TapeOverTape>,
}

/// Rows, each a name, a domain, a second-order reference and a function of tensors of given shapes.
macro_rules! rows {
    ($($name:ident ($low:expr, $high:expr) $second:ident
        |$($argument:ident: $shape:tt),*| $body:expr;)*) => {
        vec![$({
            fn function<B: burn::tensor::backend::Backend>(
                inputs: Vec<burn::tensor::Tensor<B, 1>>,
            ) -> burn::tensor::Tensor<B, 1> {
                let mut inputs = inputs.into_iter();
                $(let $argument = inputs.next().expect("one for each argument").reshape($shape);)*
                let output = $body;
                let len = output.shape().num_elements();
                output.reshape([len])
            }
            $crate::rows::Row {
                name: stringify!($name),
                shapes: vec![$($shape.to_vec()),*],
                domain: ($low, $high),
                second: $crate::rows::Second::$second,
                plain: function,
                dual: function,
                noted: function,
                tape: function,
                tape_over_dual: function,
                tape_over_noted: function,
                tape_over_tape: function,
            }
        }),*]
    };
}

pub(crate) use rows;
