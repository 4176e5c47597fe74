//! Gradient and Hessian-vector product by reverse-over-reverse differentiation.
//!
//! Hv = d/dtheta <g(theta), v> (Pearlmutter 1994). The outer tape gives g as a function that the
//! inner tape has recorded; a second backward pass through <g, v> gives Hv. burn consumes a tape
//! when it runs backward, so that each product repeats the forward pass.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::chunked::{Chunked, Parts, split_evaluation};
use super::output_product::{OutputLoss, loss_of, outputs_of, weigh};
use super::parameters::{Nested, Tracking, inner_gradient, outer_gradient, with_parameters};
use super::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples, Task,
};
use crate::device::Placement;
use crate::error::{Result, check_length};

/// The loss of a [`Task`] over some of its samples, on backend `B`, differentiated twice in reverse:
/// for tasks without anything that burn's tape cannot differentiate twice.
pub struct ReverseObjective<B: Backend, T: Task> {
    chunked: Chunked<B, Nested<B>, T>,
}

impl<B: Backend, T: Task> ReverseObjective<B, T> {
    /// The loss of `task` over `samples` (numbers of the task's samples), at most `chunk_size` of
    /// them at a time. The samples are uploaded here, once. The parameters start at zero.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] without samples or with chunks of zero.
    pub fn new(
        task: Arc<T>,
        placement: Placement<B::Device>,
        samples: Vec<usize>,
        chunk_size: usize,
    ) -> Result<Self> {
        Ok(Self { chunked: Chunked::new(task, placement, samples, chunk_size)? })
    }

    fn model(&self, tracking: Tracking) -> T::Model<Nested<B>> {
        with_parameters(self.chunked.template.clone(), self.chunked.theta.clone(), tracking)
    }
}

fn plain<B: Backend, const D: usize>(tensor: Tensor<Nested<B>, D>) -> Tensor<B, D> {
    tensor.inner().inner()
}

impl<B: Backend, T: Task> Objective for ReverseObjective<B, T> {
    fn layout(&self) -> &ParameterLayout {
        &self.chunked.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &self.chunked.samples
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.chunked.set_parameters(theta)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        self.chunked.evaluate(|_| self.model(Tracking::None), plain)
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        let (chunks, count) = self.chunked.of(samples)?;
        let task = &self.chunked.task;
        let read = self.chunked.sum(
            &chunks,
            |_| self.model(Tracking::Outer),
            |model, chunk| {
                let (loss, correct) = task.evaluate(&model, &chunk.batch);
                let gradient = outer_gradient(&model, loss.backward()).inner();
                Parts::evaluated(vec![gradient], plain(loss), correct.map(plain))
            },
        )?;
        let (gradient, evaluation) = split_evaluation(read, self.dim(), count);
        Ok(GradientEvaluation { evaluation, gradient })
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.dim())?;
        let (chunks, _) = self.chunked.of(samples)?;
        let v: Tensor<B, 1> = self.chunked.placement.float(v, [v.len()]);
        let task = &self.chunked.task;
        self.chunked.sum(
            &chunks,
            |_| self.model(Tracking::Both),
            |model, chunk| {
                let loss = task.loss(&model, &chunk.batch);
                let gradient = outer_gradient(&model, loss.backward());
                let directional = (gradient * Tensor::from_inner(v.clone())).sum();
                Parts::means(vec![inner_gradient(&model, directional.backward())])
            },
        )
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.dim())?;
        let Chunked { task, placement, .. } = &self.chunked;
        let chunks = self.chunked.all();
        self.chunked.check_output_matrix(matrix, || self.model(Tracking::None))?;
        let v: Tensor<B, 1> = placement.float(v, [v.len()]);
        // A model for each tape: burn clears what looks unused at the end of any backward pass, on
        // any thread, and a leaf between two tapes may look so.
        let models = |_: &_| (self.model(Tracking::Outer), self.model(Tracking::Outer));
        self.chunked.sum(chunks, models, |(model, again), chunk| {
            let outputs = outputs_of(&**task, &model, &chunk.batch);
            let values = plain(outputs.clone());
            let change = jacobian_vector(&model, outputs, v.clone());
            let loss = LossInReverse::<B, T> { task, batch: &chunk.batch };
            let weighted = weigh(matrix, &loss, placement, chunk.number, values, change);
            let weighted = Tensor::from_inner(Tensor::from_inner(weighted));
            let total = (outputs_of(&**task, &again, &chunk.batch) * weighted).sum();
            Parts::means(vec![outer_gradient(&again, total.backward()).inner()])
        })
    }
}

/// J v for outputs that the outer level has recorded.
///
/// J' w is linear in w, so that the derivative of <J' w, v> with respect to w is J v.
fn jacobian_vector<B: Backend, M: burn::module::Module<Nested<B>>>(
    model: &M,
    outputs: Tensor<Nested<B>, 2>,
    v: Tensor<B, 1>,
) -> Tensor<B, 2> {
    let values = plain(outputs.clone());
    // The value of w does not matter.
    let w = Tensor::<Autodiff<B>, 2>::from_inner(values.zeros_like()).require_grad();
    let total = (outputs * Tensor::from_inner(w.clone())).sum();
    let transposed = outer_gradient(model, total.backward());
    let directional = (transposed * Tensor::from_inner(v)).sum();
    w.grad(&directional.backward()).unwrap_or_else(|| values.zeros_like())
}

/// The loss of a chunk as a function of the outputs.
struct LossInReverse<'a, B: Backend, T: Task> {
    task: &'a T,
    batch: &'a T::Batch<Nested<B>>,
}

impl<B: Backend, T: Task> LossInReverse<'_, B, T> {
    /// The gradient, recorded by the inner level, and the leaf that it depends on.
    fn recorded(&self, outputs: Tensor<B, 2>) -> [Tensor<Autodiff<B>, 2>; 2] {
        let leaf = Tensor::<Autodiff<B>, 2>::from_inner(outputs).require_grad();
        let outer = Tensor::<Nested<B>, 2>::from_inner(leaf.clone()).require_grad();
        let loss = loss_of(self.task, outer.clone(), self.batch);
        let gradient = outer.grad(&loss.backward()).unwrap_or_else(|| leaf.zeros_like());
        [leaf, gradient]
    }
}

impl<B: Backend, T: Task> OutputLoss<B> for LossInReverse<'_, B, T> {
    fn likelihood(&self) -> Option<super::Likelihood> {
        self.task.likelihood()
    }

    fn gradient(&self, outputs: Tensor<B, 2>) -> Tensor<B, 2> {
        let [_, gradient] = self.recorded(outputs);
        gradient.inner()
    }

    fn hessian_product(&self, outputs: Tensor<B, 2>, change: Tensor<B, 2>) -> Tensor<B, 2> {
        let [leaf, gradient] = self.recorded(outputs);
        let directional = (gradient * Tensor::from_inner(change.clone())).sum();
        // A loss that is linear in the outputs has no curvature there.
        leaf.grad(&directional.backward()).unwrap_or_else(|| change.zeros_like())
    }
}
