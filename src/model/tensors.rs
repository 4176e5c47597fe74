//! The parameter tensors of an architecture: their names, shapes and initial distributions, in the
//! order in which the module visits them.

use rand::Rng;

use super::init::{Initialisation, normal};

/// One parameter tensor.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterTensor {
    /// Its name, as in PyTorch.
    pub name: String,
    /// Its shape.
    pub shape: Vec<usize>,
    /// How its entries start.
    pub(super) start: Start,
}

/// The distribution of a tensor's initial entries.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Start {
    /// A weight of a layer with so many inputs and outputs.
    Weight { init: Initialisation, fan_in: usize, fan_out: usize },
    /// A bias of a layer with so many inputs.
    Bias { init: Initialisation, fan_in: usize },
    /// Normal with mean zero.
    Normal { deviation: f64 },
    /// All the same.
    Constant(f64),
}

impl ParameterTensor {
    /// Number of entries.
    pub fn len(&self) -> usize {
        self.shape.iter().fold(1, |product, &size| product.saturating_mul(size))
    }

    /// True where a size is zero.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The entries at the start, row by row.
    pub(super) fn draw<R: Rng>(&self, rng: &mut R) -> Vec<f64> {
        (0..self.len()).map(|_| self.start.draw(rng)).collect()
    }
}

impl Start {
    fn draw<R: Rng>(self, rng: &mut R) -> f64 {
        match self {
            Start::Weight { init, fan_in, fan_out } => {
                init.weight(fan_in as f64, fan_out as f64, rng)
            }
            Start::Bias { init, fan_in } => init.bias(fan_in as f64, rng),
            Start::Normal { deviation } => normal(deviation, rng),
            Start::Constant(value) => value,
        }
    }
}

/// The tensors of a layer `name` with a weight of shape `[out, in, ...]`, fans counting the trailing
/// sizes, and a bias if it has one.
pub(super) fn layer(
    name: &str,
    shape: &[usize],
    bias: bool,
    init: Initialisation,
) -> Vec<ParameterTensor> {
    let window: usize = shape[2..].iter().product();
    let (fan_out, fan_in) = (shape[0].saturating_mul(window), shape[1].saturating_mul(window));
    let weight = ParameterTensor {
        name: format!("{name}.weight"),
        shape: shape.to_vec(),
        start: Start::Weight { init, fan_in, fan_out },
    };
    let bias = bias.then(|| ParameterTensor {
        name: format!("{name}.bias"),
        shape: vec![shape[0]],
        start: Start::Bias { init, fan_in },
    });
    [Some(weight), bias].into_iter().flatten().collect()
}

/// A tensor that starts otherwise.
pub(super) fn tensor(name: &str, shape: &[usize], start: Start) -> ParameterTensor {
    ParameterTensor { name: name.to_string(), shape: shape.to_vec(), start }
}
