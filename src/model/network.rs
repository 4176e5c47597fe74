//! Any of the architectures as one burn module.

use burn::module::Module;
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::{Cnn, Mlp, ModelSpec, Transformer};
use crate::data::InputShape;
use crate::device::Placement;

/// A network of one of the architectures.
// A handful exist at a time: their size does not matter.
#[allow(clippy::large_enum_variant)]
#[derive(Module, Debug)]
pub enum Network<B: Backend> {
    /// A multilayer perceptron.
    Mlp(Mlp<B>),
    /// A convolutional network.
    Cnn(Cnn<B>),
    /// A transformer.
    Transformer(Transformer<B>),
}

/// What a network reads.
#[derive(Debug, Clone)]
pub enum NetworkInputs<B: Backend> {
    /// `[samples, inputs]`.
    Features(Tensor<B, 2>),
    /// `[windows, context]`.
    Tokens(Tensor<B, 2, Int>),
}

impl<B: Backend> Network<B> {
    /// A network with all parameters zero. The specification and the sizes must have passed
    /// [`ModelSpec::tensors`].
    pub fn zeros(
        spec: &ModelSpec,
        inputs: InputShape,
        outputs: usize,
        placement: &Placement<B::Device>,
    ) -> Self {
        match (spec, inputs) {
            (ModelSpec::Cnn(spec), InputShape::Image { channels, height, width }) => {
                Network::Cnn(Cnn::zeros(spec, [channels, height, width], outputs, placement))
            }
            (ModelSpec::Transformer(spec), InputShape::Tokens { vocabulary, .. }) => {
                Network::Transformer(Transformer::zeros(spec, vocabulary, placement))
            }
            (ModelSpec::Mlp(spec), _) => {
                Network::Mlp(Mlp::zeros(spec, inputs.len(), outputs, placement))
            }
            (spec, inputs) => unreachable!("{spec:?} was checked against {inputs}"),
        }
    }

    /// Outputs `[samples, outputs]`; for a language model `[windows * context, vocabulary]`.
    pub fn forward(&self, inputs: NetworkInputs<B>) -> Tensor<B, 2> {
        match (self, inputs) {
            (Network::Mlp(mlp), NetworkInputs::Features(x)) => mlp.forward(x),
            (Network::Cnn(cnn), NetworkInputs::Features(x)) => cnn.forward(x),
            (Network::Transformer(transformer), NetworkInputs::Tokens(tokens)) => {
                transformer.forward(tokens)
            }
            _ => unreachable!("the model was checked against the data"),
        }
    }
}
