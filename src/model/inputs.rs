//! What networks read.

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::architecture::checked;

/// What a network reads.
#[derive(Debug, Clone)]
pub enum NetworkInputs<B: Backend> {
    /// `[samples, inputs]`.
    Features(Tensor<B, 2>),
    /// `[windows, context]`.
    Tokens(Tensor<B, 2, Int>),
}

impl<B: Backend> NetworkInputs<B> {
    /// The numbers, for a model that was found to read such data.
    pub(super) fn features(self) -> Tensor<B, 2> {
        checked(match self {
            NetworkInputs::Features(features) => Some(features),
            NetworkInputs::Tokens(_) => None,
        })
    }

    /// The tokens, for a model that was found to read text.
    pub(super) fn tokens(self) -> Tensor<B, 2, Int> {
        checked(match self {
            NetworkInputs::Tokens(tokens) => Some(tokens),
            NetworkInputs::Features(_) => None,
        })
    }
}
