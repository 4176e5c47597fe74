//! Gradient and Hessian-vector products by forward-over-reverse differentiation, linearised.
//!
//! The parameters carry tangents ([`sharpscope_tangents::Tangents`]) below one tape. One backward pass
//! gives the gradient as a value and H v as its tangent along v (Pearlmutter 1994). What is done to the
//! tangents on the way depends on the parameters only, so that it is noted once and then done to each v
//! ([`sharpscope_tangents::Recording`]).

use std::sync::Arc;

use burn::tensor::Tensor;
use sharpscope_tangents::{
    Elementwise, LinearProgram, Recording, Tangents, Tape, constant, known, split, value,
};

use super::chunked::{Chunk, ChunkOf, Chunked, Parts, split_evaluation};
use super::linearised::{
    Kepts, Linearised, Noted, Outputs, Parameters, Value, differentiate, plain, with_parameters,
};
use super::output_product::{OutputLoss, loss_of, weigh};
use super::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples, Task,
};
use crate::device::{Memory, Placement};
use crate::error::{Result, check_length};

/// Tensors of `B` with tangents that are noted.
type Dual<B> = Tangents<Recording<B>>;

/// Directions that are multiplied at once: more do not make a product cheaper, and take memory.
const MOST_DIRECTIONS: usize = 8;

/// The loss of a [`Task`] over some of its samples, on backend `B`.
pub struct ForwardObjective<B: Elementwise, T: Task> {
    chunked: Chunked<B, Noted<B>, T>,
    memory: Memory,
    /// Elements of the largest tensor that the device holds.
    largest_tensor: Option<usize>,
    kept: Kepts<B>,
}

/// What there is to do for a chunk.
enum Work<B: Elementwise, M> {
    /// Its gradient alone.
    Gradient(M),
    /// Its linearisation.
    Linearise(M, Tape<B>),
    /// Nothing: it is linearised.
    Linearised(Arc<Linearised<B>>),
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
        let chunked = Chunked::new(task, placement, samples, chunk_size)?;
        let kept = Kepts::of(chunked.all().len());
        let memory = Memory::default();
        Ok(Self { chunked, memory, largest_tensor: None, kept })
    }

    /// The same, keeping linearisations within `memory`; within a quarter of the machine's otherwise.
    pub fn with_memory(self, memory: Memory) -> Self {
        Self { memory, ..self }
    }

    /// The same on a device that holds no tensor of more elements: as many directions are multiplied at
    /// once as it holds.
    pub fn with_largest_tensor(self, elements: usize) -> Self {
        Self { largest_tensor: Some(elements), ..self }
    }

    /// The model at theta.
    fn model(&self, parameters: Parameters<'_, B>) -> T::Model<Noted<B>> {
        with_parameters(self.chunked.template.clone(), &self.chunked.theta, parameters)
    }

    fn tape(&self) -> Tape<B> {
        Tape::new(&self.chunked.placement.device)
    }

    /// What is wanted, and over how many samples it is.
    fn pass(&self, samples: Samples<'_>, wanted: Wanted<'_>) -> Result<(Vec<f64>, usize)> {
        let (chunks, count) = self.chunked.of(samples)?;
        let (block, value) = match wanted {
            Wanted::Gradient => (&[][..], true),
            Wanted::Products(block) => (block, false),
            Wanted::Both(block) => (block, true),
        };
        let directions = self.chunked.stacks("block of vectors", block, MOST_DIRECTIONS)?;
        let Self { chunked: Chunked { task, .. }, memory, largest_tensor, .. } = self;
        let store = self.kept.linearised(samples, chunks.len());
        let prepare = |chunk: &ChunkOf<Noted<B>, T>| match store.get(chunk.number) {
            Some(kept) => Work::Linearised(kept),
            None if matches!(wanted, Wanted::Gradient) => {
                Work::Gradient(self.model(Parameters::Leaves))
            }
            None => {
                let tape = self.tape();
                Work::Linearise(self.model(Parameters::ChangingLeaves(&tape)), tape)
            }
        };
        let compute = |work: Work<B, _>, chunk: &Chunk<_>| {
            let linearised = match work {
                Work::Gradient(model) => {
                    let value = differentiate(&**task, &model, &chunk.batch);
                    return evaluated(Vec::new(), value);
                }
                Work::Linearised(linearised) => linearised,
                Work::Linearise(model, tape) => {
                    let linearised = Linearised::new(&**task, &model, &chunk.batch, tape);
                    store.offer(chunk.number, linearised, memory)
                }
            };
            let hessian = &linearised.hessian;
            let most = largest_tensor.map(|most| most / hessian.largest_tensor().max(1));
            let products = directions.iter().flat_map(|stack| multiplied(hessian, stack, most));
            let products: Vec<Tensor<B, 1>> = products.collect();
            match value {
                true => evaluated(products, linearised.value.clone()),
                false => Parts::means(products),
            }
        };
        let mut read = self.chunked.sum(&chunks, prepare, compute)?;
        for stack in read[..block.len()].chunks_mut((MOST_DIRECTIONS * self.dim()).max(1)) {
            by_direction(stack, &self.chunked.layout);
        }
        Ok((read, count))
    }
}

/// What is asked of a pass: the products with the vectors of a block, and after them gradient, loss and
/// accuracy.
#[derive(Clone, Copy)]
enum Wanted<'a> {
    Gradient,
    Products(&'a [f64]),
    Both(&'a [f64]),
}

/// A stack of directions in parts of at most so many.
fn parts<B: Elementwise>(stack: &[Tensor<B, 2>], most: Option<usize>) -> Vec<Vec<Tensor<B, 2>>> {
    let count = stack[0].dims()[0];
    match most.map(|most| most.max(1)).filter(|&most| most < count) {
        None => vec![stack.to_vec()],
        Some(most) => {
            let part = |from: usize| {
                let rows = from..count.min(from + most);
                stack.iter().map(|piece| piece.clone().slice([rows.clone()])).collect()
            };
            (0..count).step_by(most).map(part).collect()
        }
    }
}

/// `products`, then gradient, loss and accuracy of a chunk.
fn evaluated<B: Elementwise>(mut products: Vec<Tensor<B, 1>>, value: Value<B>) -> Parts<B> {
    products.extend(value.gradient);
    Parts::evaluated(products, value.loss, value.correct)
}

/// What a program makes of a stack of directions, at most `most` of them at once: for each parameter, one
/// direction after the other.
fn multiplied<B: Elementwise>(
    program: &LinearProgram<B>,
    stack: &[Tensor<B, 2>],
    most: Option<usize>,
) -> Vec<Tensor<B, 1>> {
    let mut parts = parts(stack, most)
        .into_iter()
        .map(|part| flat(program.apply(part.clone()), &part).into_iter())
        .collect::<Vec<_>>();
    match &mut parts[..] {
        [part] => part.collect(),
        parts => {
            let piece = |_| Tensor::cat(parts.iter_mut().flat_map(Iterator::next).collect(), 0);
            stack.iter().map(piece).collect()
        }
    }
}

/// What a program made of a stack of directions: for each parameter, one direction after the other.
fn flat<B: Elementwise>(
    outputs: Vec<Option<Tensor<B, 2>>>,
    directions: &[Tensor<B, 2>],
) -> Vec<Tensor<B, 1>> {
    let pieces = outputs.into_iter().zip(directions);
    let piece = |(piece, direction): (Option<Tensor<B, 2>>, &Tensor<B, 2>)| {
        let [count, len] = direction.dims();
        piece.unwrap_or_else(|| direction.zeros_like()).reshape([count * len])
    };
    pieces.map(piece).collect()
}

/// Numbers that come for each parameter, one direction after the other, as one vector after the other.
fn by_direction(stack: &mut [f64], layout: &ParameterLayout) {
    let dim = layout.len();
    let count = stack.len() / dim.max(1);
    if count < 2 {
        return;
    }
    let pieces = stack.to_vec();
    for entry in layout.entries() {
        let piece = &pieces[count * entry.offset..][..count * entry.len];
        for (i, part) in piece.chunks(entry.len.max(1)).enumerate() {
            stack[i * dim + entry.offset..][..entry.len].copy_from_slice(part);
        }
    }
}

impl<B: Elementwise, T: Task> Objective for ForwardObjective<B, T> {
    fn layout(&self) -> &ParameterLayout {
        &self.chunked.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &self.chunked.samples
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.kept = Kepts::of(self.chunked.all().len());
        self.chunked.set_parameters(theta)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        self.chunked.evaluate(|_| self.model(Parameters::Constant), plain)
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        let (read, count) = self.pass(samples, Wanted::Gradient)?;
        let (gradient, evaluation) = split_evaluation(read, self.dim(), count);
        Ok(GradientEvaluation { evaluation, gradient })
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.dim())?;
        Ok(self.pass(samples, Wanted::Products(v))?.0)
    }

    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        if block.is_empty() {
            return Ok(Vec::new());
        }
        Ok(self.pass(Samples::All, Wanted::Products(block))?.0)
    }

    fn gradient_and_hvps(&self, block: &[f64]) -> Result<(GradientEvaluation, Vec<f64>)> {
        let (mut products, count) = self.pass(Samples::All, Wanted::Both(block))?;
        let read = products.split_off(block.len());
        let (gradient, evaluation) = split_evaluation(read, self.dim(), count);
        Ok((GradientEvaluation { evaluation, gradient }, products))
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.dim())?;
        let Self { chunked: Chunked { task, placement, .. }, memory, kept, .. } = self;
        self.chunked.check_output_matrix(matrix, || self.model(Parameters::Constant))?;
        let directions = self.chunked.stacks("vector", v, 1)?.remove(0);
        let prepare = |chunk: &ChunkOf<Noted<B>, T>| match kept.outputs.get(chunk.number) {
            Some(outputs) => Err(outputs),
            None => {
                let tape = self.tape();
                let changing = self.model(Parameters::Changing(&tape));
                Ok((changing, self.model(Parameters::Leaves), tape))
            }
        };
        self.chunked.sum(self.chunked.all(), prepare, |work, chunk| {
            let outputs = match work {
                Err(outputs) => outputs,
                Ok((changing, leaves, tape)) => {
                    let models = [&changing, &leaves];
                    let outputs = Outputs::new(&**task, models, &chunk.batch, tape);
                    kept.outputs.offer(chunk.number, outputs, memory)
                }
            };
            let values = outputs.values.clone();
            let [rows, columns] = values.dims();
            let change = match outputs.jacobian.apply(directions.clone()).remove(0) {
                Some(change) => change.reshape([rows, columns]),
                None => values.zeros_like(),
            };
            let loss = LossForward::<B, T> { task, batch: &chunk.batch };
            let weighted = weigh(matrix, &loss, placement, chunk.number, values, change);
            let pieces = outputs.transposed.apply(vec![weighted.reshape([1, rows * columns])]);
            Parts::means(flat(pieces, &directions))
        })
    }
}

/// The loss of a chunk as a function of the outputs.
struct LossForward<'a, B: Elementwise, T: Task> {
    task: &'a T,
    batch: &'a T::Batch<Noted<B>>,
}

impl<B: Elementwise, T: Task> LossForward<'_, B, T> {
    /// The gradient, which changes as the outputs do.
    fn gradient_at(&self, outputs: Tensor<Dual<B>, 2>) -> Tensor<Dual<B>, 2> {
        let leaf = Tensor::<Noted<B>, 2>::from_inner(outputs).require_grad();
        let loss = loss_of(self.task, leaf.clone(), self.batch);
        leaf.grad(&loss.backward()).unwrap_or_else(|| leaf.inner().zeros_like())
    }
}

impl<B: Elementwise, T: Task> OutputLoss<B> for LossForward<'_, B, T> {
    fn likelihood(&self) -> Option<super::Likelihood> {
        self.task.likelihood()
    }

    fn gradient(&self, outputs: Tensor<B, 2>) -> Tensor<B, 2> {
        value(split(self.gradient_at(constant(known(outputs)))).0)
    }

    fn hessian_product(&self, outputs: Tensor<B, 2>, change: Tensor<B, 2>) -> Tensor<B, 2> {
        let [rows, columns] = change.dims();
        let tape = Tape::new(&change.device());
        let gradient = split(self.gradient_at(tape.direction(outputs))).1;
        // A loss that is linear in the outputs has no curvature there.
        let hessian = tape.finish(vec![gradient.and_then(|mut gradient| gradient.pop())]);
        match hessian.apply(vec![change.clone().reshape([1, rows * columns])]).remove(0) {
            Some(product) => product.reshape([rows, columns]),
            None => change.zeros_like(),
        }
    }
}
