//! What a user supplies: a module, its samples and its loss, on whatever backend.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::Placement;

/// A loss over the parameters of a burn module, defined on any backend.
///
/// The same code runs on plain tensors and on tensors differentiated twice, so that it must be made
/// of operations whose derivative can be differentiated. In burn 0.21 `nn::Linear`,
/// `nn::Embedding`, pooling and `interpolate` cannot, and `activation::gelu` has the derivative of
/// another function; [`crate::model::Activation`] has one that is right.
pub trait Task: Send + Sync + 'static {
    /// The module on backend `B`.
    type Model<B: Backend>: Module<B>;
    /// Some samples, on the device.
    type Batch<B: Backend>: Clone + Send + Sync;

    /// A module of the right shape. Its parameter values are not used: they are replaced by the
    /// vector given to [`super::Objective::set_parameters`], in the order of `Module::visit`.
    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Self::Model<B>;

    /// The samples with these numbers, uploaded.
    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> Self::Batch<B>;

    /// The **mean** loss over the samples of the batch, of shape `[1]`.
    fn loss<B: Backend>(&self, model: &Self::Model<B>, batch: &Self::Batch<B>) -> Tensor<B, 1>;

    /// The mean loss, and the number of samples answered correctly (shape `[1]`, in the precision of
    /// the loss) where that has a meaning.
    fn evaluate<B: Backend>(
        &self,
        model: &Self::Model<B>,
        batch: &Self::Batch<B>,
    ) -> (Tensor<B, 1>, Option<Tensor<B, 1>>) {
        (self.loss(model, batch), None)
    }
}
