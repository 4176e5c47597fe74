//! Gradient and Hessian-vector products by forward-over-reverse differentiation.
//!
//! The parameters carry tangents v_1, ..., v_k ([`Tangents`]) below one tape. One backward pass gives
//! the gradient as a value and H v_1, ..., H v_k as its tangents (Pearlmutter 1994): the values are
//! computed once for all of them.

use std::sync::Arc;

use burn::backend::Autodiff;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sharpscope_tangents::{Elementwise, Tangents, constant, split, with_tangents};

use super::chunked::{Chunked, joined, share, split_evaluation};
use super::output_product::{OutputLoss, loss_of, outputs_of, weigh};
use super::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples, Task,
};
use crate::device::Placement;
use crate::error::{Result, check_length};

/// Tensors of `B` with tangents, recorded on a tape.
type Recorded<B> = Autodiff<Tangents<B>>;

/// The loss of a [`Task`] over some of its samples, on backend `B`.
pub struct ForwardObjective<B: Elementwise, T: Task> {
    chunked: Chunked<B, Recorded<B>, T>,
}

impl<B: Elementwise, T: Task> ForwardObjective<B, T> {
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

    /// The model at theta, the parameters changing along `tangents` (each cut by parameter), and
    /// `recorded` or not.
    fn model(&self, tangents: &[Vec<Tensor<B, 1>>], recorded: bool) -> T::Model<Recorded<B>> {
        let mut loader = Loader::<B> { pieces: &self.chunked.theta, tangents, next: 0, recorded };
        self.chunked.template.clone().map(&mut loader)
    }

    fn tangents(&self, block: &[f64]) -> Result<Vec<Vec<Tensor<B, 1>>>> {
        let dim = self.dim();
        if dim == 0 || !block.len().is_multiple_of(dim) {
            check_length("block of vectors", block.len(), dim)?;
        }
        block.chunks(dim).map(|v| self.chunked.pieces("vector", v)).collect()
    }

    /// The products with the vectors of `block`, then the gradient, loss and accuracy where they are
    /// `wanted`.
    fn pass(&self, samples: Samples<'_>, block: &[f64], wanted: bool) -> Result<(Vec<f64>, usize)> {
        let (chunks, count) = self.chunked.of(samples)?;
        let tangents = self.tangents(block)?;
        let task = &self.chunked.task;
        let model = || self.model(&tangents, true);
        let read = self.chunked.sum(&chunks, model, |model, chunk| {
            let (loss, correct) = match wanted {
                true => task.evaluate(&model, &chunk.batch),
                false => (task.loss(&model, &chunk.batch), None),
            };
            let pieces = gradient_pieces::<B, _>(&model, loss.backward(), tangents.len(), wanted);
            match wanted {
                true => joined(pieces, plain(loss), correct.map(plain), chunk.weight),
                false => share(Tensor::cat(pieces, 0), chunk.weight),
            }
        })?;
        Ok((read, count))
    }
}

fn plain<B: Elementwise, const D: usize>(tensor: Tensor<Recorded<B>, D>) -> Tensor<B, D> {
    split(tensor.inner()).0
}

struct Loader<'a, B: Backend> {
    pieces: &'a [Tensor<B, 1>],
    tangents: &'a [Vec<Tensor<B, 1>>],
    next: usize,
    recorded: bool,
}

impl<B: Elementwise> ModuleMapper<Recorded<B>> for Loader<'_, B> {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<Recorded<B>, D>>,
    ) -> Param<Tensor<Recorded<B>, D>> {
        let shape = param.lazy_shape().dims::<D>();
        let shaped = |piece: &Tensor<B, 1>| piece.clone().reshape(shape);
        let tangents = self.tangents.iter().map(|pieces| shaped(&pieces[self.next])).collect();
        let dual = with_tangents::<B, D>(shaped(&self.pieces[self.next]), tangents);
        self.next += 1;
        let leaf = Tensor::from_inner(dual).set_require_grad(self.recorded);
        Param::initialized(param.id, leaf)
    }
}

/// The gradient's derivatives along `count` directions, one direction after the other, and then its
/// value where that is `wanted`, each cut by parameter.
fn gradient_pieces<B: Elementwise, M: Module<Recorded<B>>>(
    model: &M,
    gradients: <Recorded<B> as AutodiffBackend>::Gradients,
    count: usize,
    wanted: bool,
) -> Vec<Tensor<B, 1>> {
    struct Collector<B: Elementwise> {
        gradients: <Recorded<B> as AutodiffBackend>::Gradients,
        /// By direction, then by parameter; the value last.
        pieces: Vec<Vec<Tensor<B, 1>>>,
        wanted: bool,
    }

    impl<B: Elementwise> ModuleVisitor<Recorded<B>> for Collector<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Recorded<B>, D>>) {
            let leaf = param.val();
            let len = leaf.shape().num_elements();
            let count = self.pieces.len() - usize::from(self.wanted);
            // A parameter that the loss does not depend on has no gradient, and one that the gradient
            // does not depend on no tangents.
            let (value, tangents) = match leaf.grad_remove(&mut self.gradients) {
                Some(gradient) => split(gradient),
                None => (plain(leaf).zeros_like(), None),
            };
            let tangents = tangents.unwrap_or_else(|| vec![value.zeros_like(); count]);
            let value = self.wanted.then_some(value);
            for (pieces, piece) in self.pieces.iter_mut().zip(tangents.into_iter().chain(value)) {
                pieces.push(piece.reshape([len]));
            }
        }
    }

    let pieces = vec![Vec::new(); count + usize::from(wanted)];
    let mut collector = Collector { gradients, pieces, wanted };
    model.visit(&mut collector);
    collector.pieces.into_iter().flatten().collect()
}

impl<B: Elementwise, T: Task> Objective for ForwardObjective<B, T> {
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
        self.chunked.evaluate(|| self.model(&[], false), plain)
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        let (read, count) = self.pass(samples, &[], true)?;
        let (gradient, evaluation) = split_evaluation(read, self.dim(), count);
        Ok(GradientEvaluation { evaluation, gradient })
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.dim())?;
        Ok(self.pass(samples, v, false)?.0)
    }

    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        Ok(self.pass(Samples::All, block, false)?.0)
    }

    fn gradient_and_hvps(&self, block: &[f64]) -> Result<(GradientEvaluation, Vec<f64>)> {
        let (mut products, count) = self.pass(Samples::All, block, true)?;
        let read = products.split_off(block.len());
        let (gradient, evaluation) = split_evaluation(read, self.dim(), count);
        Ok((GradientEvaluation { evaluation, gradient }, products))
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.dim())?;
        let Chunked { task, placement, .. } = &self.chunked;
        let chunks = self.chunked.all();
        self.chunked.check_output_matrix(matrix, || self.model(&[], false))?;
        let tangents = self.tangents(v)?;
        // Forward for J v, without a tape, and then backward for J', without tangents.
        let models = || (self.model(&tangents, false), self.model(&[], true));
        self.chunked.sum(chunks, models, |(changing, recorded), chunk| {
            let (values, change) = split(outputs_of(&**task, &changing, &chunk.batch).inner());
            let change = match change.and_then(|mut change| change.pop()) {
                Some(change) => change,
                None => values.zeros_like(),
            };
            let loss = LossForward::<B, T> { task, batch: &chunk.batch };
            let weighted = weigh(matrix, &loss, placement, chunk.number, values, change);
            let outputs = outputs_of(&**task, &recorded, &chunk.batch);
            let total = (outputs * Tensor::from_inner(constant(weighted))).sum();
            let pieces = gradient_pieces::<B, _>(&recorded, total.backward(), 0, true);
            share(Tensor::cat(pieces, 0), chunk.weight)
        })
    }
}

/// The loss of a chunk as a function of the outputs.
struct LossForward<'a, B: Elementwise, T: Task> {
    task: &'a T,
    batch: &'a T::Batch<Recorded<B>>,
}

impl<B: Elementwise, T: Task> LossForward<'_, B, T> {
    /// The gradient, which changes as the outputs do.
    fn gradient_at(&self, outputs: Tensor<Tangents<B>, 2>) -> Tensor<Tangents<B>, 2> {
        let leaf = Tensor::<Recorded<B>, 2>::from_inner(outputs).require_grad();
        let loss = loss_of(self.task, leaf.clone(), self.batch);
        leaf.grad(&loss.backward()).unwrap_or_else(|| leaf.inner().zeros_like())
    }
}

impl<B: Elementwise, T: Task> OutputLoss<B> for LossForward<'_, B, T> {
    fn likelihood(&self) -> Option<super::Likelihood> {
        self.task.likelihood()
    }

    fn gradient(&self, outputs: Tensor<B, 2>) -> Tensor<B, 2> {
        split(self.gradient_at(constant(outputs))).0
    }

    fn hessian_product(&self, outputs: Tensor<B, 2>, change: Tensor<B, 2>) -> Tensor<B, 2> {
        let gradient = self.gradient_at(with_tangents(outputs, vec![change.clone()]));
        // A loss that is linear in the outputs has no curvature there.
        let product = split(gradient).1.and_then(|mut tangents| tangents.pop());
        product.unwrap_or_else(|| change.zeros_like())
    }
}
