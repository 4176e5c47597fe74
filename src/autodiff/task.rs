//! What a user supplies: a module, its samples and its loss, on whatever backend.

use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::device::Placement;

/// A loss over the parameters of a burn module, defined on any backend.
///
/// The same code runs on tensors with and without tangents and tapes. Everything can be used that
/// [`crate::tangents`] has a rule for, which is nearly all of burn. The derivative of a division by a
/// number takes its reciprocal in single precision: multiply instead. For
/// [`super::ReverseObjective`] the derivatives must be differentiable by burn's tape too, as those of
/// `nn::Linear`, `nn::Embedding`, pooling and `interpolate` are not in burn 0.21, and
/// `activation::gelu` has the derivative of another function there; [`crate::model::Activation`] has
/// one that is right.
///
/// ```
/// use std::sync::Arc;
///
/// use burn::module::Param;
/// use burn::tensor::Tensor;
/// use burn::tensor::backend::Backend;
/// use sharpscope::prelude::*;
///
/// /// y = w x, fitted to points in mean squared error.
/// struct Line(Vec<(f64, f64)>);
///
/// impl Task for Line {
///     type Model<B: Backend> = Param<Tensor<B, 2>>;
///     /// x and y, each `[samples, 1]`.
///     type Batch<B: Backend> = (Tensor<B, 2>, Tensor<B, 2>);
///
///     fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Self::Model<B> {
///         Param::from_tensor(placement.float(&[0.0], [1, 1]))
///     }
///
///     fn batch<B: Backend>(
///         &self,
///         samples: &[usize],
///         placement: &Placement<B::Device>,
///     ) -> Self::Batch<B> {
///         let column = |pick: fn(&(f64, f64)) -> f64| {
///             let values: Vec<f64> = samples.iter().map(|&i| pick(&self.0[i])).collect();
///             placement.float(&values, [samples.len(), 1])
///         };
///         (column(|point| point.0), column(|point| point.1))
///     }
///
///     fn loss<B: Backend>(&self, w: &Self::Model<B>, (x, y): &Self::Batch<B>) -> Tensor<B, 1> {
///         (x.clone().matmul(w.val()) - y.clone()).square().mean()
///     }
/// }
///
/// let device = Device::open(BackendChoice::Cpu, Precision::F64)?;
/// let line = Arc::new(Line(vec![(1.0, 2.0), (2.0, 4.0)]));
/// let mut loss = device.objective(line, vec![0, 1], 2)?;
/// loss.set_parameters(&[0.0])?;
/// // The mean of 2 x (w x - y) and of 2 x².
/// assert!((loss.gradient(Samples::All)?.gradient[0] + 10.0).abs() < 1e-9);
/// assert!((loss.hvp(&[1.0])?[0] - 5.0).abs() < 1e-9);
/// # Ok::<(), Error>(())
/// ```
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

    /// How many numbers of the largest tensor of a pass, backward and forward, come with each sample:
    /// inputs, targets, activations, whatever grows with the number of samples. A bound is as good. A
    /// device whose tensors are limited is then given chunks that fit; `None` where the task does not
    /// say, and chunks that do not fit are an error.
    fn largest_tensor(&self) -> Option<usize> {
        None
    }

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

    /// What the model says of the batch before the loss, `[rows, outputs]`: what the Gauss-Newton and
    /// Fisher matrices linearise. Each sample has the same number of rows. `None` where the task does
    /// not say; these matrices are then out of reach.
    fn outputs<B: Backend>(
        &self,
        _model: &Self::Model<B>,
        _batch: &Self::Batch<B>,
    ) -> Option<Tensor<B, 2>> {
        None
    }

    /// The mean loss over the rows, of shape `[1]`, as a function of [`Task::outputs`]: `loss` is
    /// this of that.
    fn loss_of_outputs<B: Backend>(
        &self,
        _outputs: Tensor<B, 2>,
        _batch: &Self::Batch<B>,
    ) -> Option<Tensor<B, 1>> {
        None
    }

    /// The distribution of a row's target whose negative log-likelihood, but for a constant, is the
    /// row's loss: what the Fisher matrix is an expectation over.
    fn likelihood(&self) -> Option<Likelihood> {
        None
    }
}

/// A distribution of targets given a row of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Likelihood {
    /// Classes with probabilities softmax(outputs).
    Categorical,
    /// Numbers, normal about the outputs with variance 1.
    Gaussian,
}
