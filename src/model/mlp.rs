//! The multilayer perceptron.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::{Activation, MlpSpec};
use crate::autodiff::Placement;

/// Linear layers with an activation between them (none after the last).
///
/// Parameters are named and laid out as in PyTorch: `layers.0.weight` is `[out, in]`.
#[derive(Module, Debug)]
pub struct Mlp<B: Backend> {
    layers: Vec<Linear<B>>,
    #[module(skip)]
    activation: Activation,
}

/// x W' + b, made of operations that can be differentiated twice (`nn::Linear` cannot).
#[derive(Module, Debug)]
struct Linear<B: Backend> {
    weight: Param<Tensor<B, 2>>,
    bias: Option<Param<Tensor<B, 1>>>,
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
            .map(|(fan_in, fan_out)| Linear {
                weight: Param::from_tensor(placement.zeros([fan_out, fan_in])),
                bias: spec.bias.then(|| Param::from_tensor(placement.zeros([fan_out]))),
            })
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

impl<B: Backend> Linear<B> {
    fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let product = x.matmul(self.weight.val().transpose());
        match &self.bias {
            Some(bias) => product + bias.val().unsqueeze(),
            None => product,
        }
    }
}
