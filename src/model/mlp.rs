//! The multilayer perceptron.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

use super::layers::Linear;
use super::tensors::{ParameterTensor, layer};
use super::{Activation, Initialisation};
use crate::device::Placement;

/// A multilayer perceptron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MlpSpec {
    /// Widths of the hidden layers; none for a linear model.
    pub hidden: Vec<usize>,
    /// The nonlinearity after each hidden layer.
    pub activation: Activation,
    /// Whether layers have biases.
    pub bias: bool,
    /// How the initial weights are drawn.
    pub init: Initialisation,
}

impl MlpSpec {
    /// (fan in, fan out) of each layer.
    pub fn layer_sizes(
        &self,
        inputs: usize,
        outputs: usize,
    ) -> impl Iterator<Item = (usize, usize)> {
        let ends = self.hidden.iter().copied().chain([outputs]);
        [inputs].into_iter().chain(self.hidden.iter().copied()).zip(ends)
    }

    /// Numbers in the largest tensor that one sample makes.
    pub(super) fn largest_activation(&self, inputs: usize, outputs: usize) -> usize {
        self.hidden.iter().copied().fold(inputs.max(outputs), usize::max)
    }

    /// Its tensors: `layers.N.weight` `[out, in]` and `layers.N.bias` `[out]` for each layer N.
    pub(super) fn tensors(&self, inputs: usize, outputs: usize) -> Vec<ParameterTensor> {
        self.layer_sizes(inputs, outputs)
            .enumerate()
            .flat_map(|(i, (fan_in, fan_out))| {
                layer(&format!("layers.{i}"), &[fan_out, fan_in], self.bias, self.init)
            })
            .collect()
    }
}

/// Linear layers with an activation between them (none after the last).
///
/// Parameters are named and laid out as in PyTorch: `layers.0.weight` is `[out, in]`.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    layers: Vec<Linear<B>>,
    #[module(skip)]
    activation: Activation,
}

impl<B: Backend> Mlp<B> {
    /// A perceptron with all parameters zero.
    pub fn zeros(
        spec: &MlpSpec,
        inputs: usize,
        outputs: usize,
        placement: &Placement<B::Device>,
    ) -> Self {
        let layers = spec
            .layer_sizes(inputs, outputs)
            .map(|(fan_in, fan_out)| Linear::zeros(fan_in, fan_out, spec.bias, placement))
            .collect();
        Self { layers, activation: spec.activation }
    }

    /// Outputs `[samples, outputs]` for inputs `[samples, inputs]`.
    pub fn forward(&self, inputs: Tensor<B, 2>) -> Tensor<B, 2> {
        let mut x = inputs;
        for (i, layer) in self.layers.iter().enumerate() {
            if i > 0 {
                x = self.activation.forward(x);
            }
            x = layer.forward(x);
        }
        x
    }
}
