//! Losses between the outputs of a model and one-hot targets; means over samples.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::names::choices;

choices! {
    /// A loss, as the mean over samples.
    pub enum Loss ("loss") {
        /// `1/2 ||f(x) - y||^2`, summed over outputs, y one-hot (Cohen et al. 2021).
        Mse = "mse",
        /// Cross-entropy of softmax(f(x)) against the class, in nats.
        Ce = "ce",
    }
}

impl Loss {
    /// The mean loss, of shape `[1]`, for outputs and one-hot targets of shape `[samples, outputs]`.
    pub fn mean<B: Backend>(self, outputs: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1> {
        let samples = outputs.shape().dims::<2>()[0] as f64;
        match self {
            Loss::Mse => (outputs - targets).square().sum() * (0.5 / samples),
            Loss::Ce => {
                // A shift changes nothing: no derivative goes through it.
                let shifted = outputs.clone() - outputs.detach().max_dim(1);
                let log_normaliser = shifted.clone().exp().sum_dim(1).log();
                (log_normaliser.sum() - (shifted * targets).sum()) * (1.0 / samples)
            }
        }
    }
}
