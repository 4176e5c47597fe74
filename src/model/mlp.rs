//! The multilayer perceptron.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde::Serialize;

use super::architecture::{Architecture, Missing, unreadable, zero};
use super::keys::keys;
use super::layers::Linear;
use super::tensors::{ParameterTensor, layer};
use super::{Activation, Initialisation, NetworkInputs};
use crate::data::InputShape;
use crate::device::Placement;
use crate::error::Result;

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

keys! {
    /// The keys of a perceptron.
    struct MlpKeys {
        hidden: Vec<usize>,
        activation: Activation,
        bias: bool,
    }
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
}

impl Architecture for MlpSpec {
    type Keys = MlpKeys;
    type Network<B: Backend> = Mlp<B>;

    fn from_keys(keys: MlpKeys, init: Initialisation) -> std::result::Result<Self, Missing> {
        Ok(Self {
            hidden: keys.hidden.ok_or(Missing("hidden"))?,
            activation: keys.activation.unwrap_or(Activation::Tanh),
            bias: keys.bias.unwrap_or(true),
            init,
        })
    }

    fn validate(&self) -> Result<()> {
        if self.hidden.contains(&0) {
            let (key, shown) = self.width();
            return Err(zero(key, shown, "give every hidden layer a width of at least 1"));
        }
        Ok(())
    }

    /// `layers.N.weight` `[out, in]` and `layers.N.bias` `[out]` for each layer N.
    fn tensors(&self, inputs: InputShape, outputs: usize) -> Result<Vec<ParameterTensor>> {
        if matches!(inputs, InputShape::Tokens { .. }) {
            let remedy = "use a transformer, such as transformer-tiny";
            return Err(unreadable(self, inputs, "numbers", remedy));
        }
        let layers = self.layer_sizes(inputs.len(), outputs).enumerate();
        let tensors = layers.flat_map(|(i, (fan_in, fan_out))| {
            layer(&format!("layers.{i}"), &[fan_out, fan_in], self.bias, self.init)
        });
        Ok(tensors.collect())
    }

    fn largest_activation(&self, inputs: InputShape, outputs: usize) -> usize {
        self.hidden.iter().copied().fold(inputs.len().max(outputs), usize::max)
    }

    fn layers(&self) -> usize {
        self.hidden.len()
    }

    fn width(&self) -> (&'static str, String) {
        ("model.hidden", format!("{:?}", self.hidden))
    }

    fn network<B: Backend>(
        &self,
        inputs: InputShape,
        outputs: usize,
        placement: &Placement<B::Device>,
    ) -> Mlp<B> {
        Mlp::zeros(self, inputs.len(), outputs, placement)
    }

    fn forward<B: Backend>(network: &Mlp<B>, inputs: NetworkInputs<B>) -> Tensor<B, 2> {
        network.forward(inputs.features())
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
