//! Gradient and Hessian-vector product by reverse-over-reverse differentiation.
//!
//! Hv = d/dtheta <g(theta), v> (Pearlmutter 1994). The outer tape gives g as a function that the
//! inner tape has recorded; a second backward pass through <g, v> gives Hv. burn consumes a tape
//! when it runs backward, so that each product repeats the forward pass.
//!
//! The loss over all samples is the mean over chunks weighted by their sizes, so that a ragged last
//! chunk changes nothing, and activations are held for the chunks in work only.

use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use super::output_product::OutputProduct;
use super::parameters::{Nested, Tracking, inner_gradient, outer_gradient, with_parameters};
use super::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Placement, Samples,
    Task,
};
use crate::error::{Error, Result, check_length};

/// The loss of a [`Task`] over some of its samples, on backend `B`.
pub struct ModuleObjective<B: Backend, T: Task> {
    task: Arc<T>,
    placement: Placement<B::Device>,
    template: T::Model<Nested<B>>,
    layout: ParameterLayout,
    samples: Vec<usize>,
    chunk_size: usize,
    chunks: Vec<ChunkOf<B, T>>,
    /// theta on the device, cut by parameter.
    pieces: Vec<Tensor<B, 1>>,
    /// Whether the task says what its outputs are, once it was asked.
    says_outputs: OnceLock<bool>,
}

/// A chunk of a task's samples on a backend.
type ChunkOf<B, T> = Chunk<<T as Task>::Batch<Nested<B>>>;

#[derive(Clone)]
struct Chunk<Batch> {
    batch: Batch,
    /// Its place in the list.
    number: usize,
    /// Samples in it over samples in all.
    weight: f64,
}

impl<B: Backend, T: Task> ModuleObjective<B, T> {
    /// The loss of `task` over `samples` (numbers of the task's samples), at most `chunk_size` of
    /// them at a time. The samples are uploaded here, once. The parameters start at zero.
    ///
    /// # Errors
    /// [`Error::Setting`] without samples or with chunks of zero.
    pub fn new(
        task: Arc<T>,
        placement: Placement<B::Device>,
        samples: Vec<usize>,
        chunk_size: usize,
    ) -> Result<Self> {
        if samples.is_empty() {
            let remedy = "give the loss at least one sample";
            return Err(Error::setting("samples", 0, "a loss needs samples", remedy));
        }
        if chunk_size == 0 {
            let remedy = "give a chunk of at least 1 sample";
            return Err(Error::setting("--chunk", 0, "nothing would be evaluated", remedy));
        }
        let template = task.model::<Nested<B>>(&placement);
        let layout = ParameterLayout::of(&template);
        let mut objective = Self {
            task,
            placement,
            template,
            layout,
            samples,
            chunk_size,
            chunks: Vec::new(),
            pieces: Vec::new(),
            says_outputs: OnceLock::new(),
        };
        objective.chunks = objective.upload(&objective.samples);
        objective.set_parameters(&vec![0.0; objective.layout.len()])?;
        Ok(objective)
    }

    fn upload(&self, samples: &[usize]) -> Vec<ChunkOf<B, T>> {
        samples
            .chunks(self.chunk_size)
            .enumerate()
            .map(|(number, part)| Chunk {
                number,
                batch: self.task.batch::<Nested<B>>(part, &self.placement),
                weight: part.len() as f64 / samples.len() as f64,
            })
            .collect()
    }

    /// The chunks of these samples; those of a batch are uploaded for it.
    fn chunks_of(&self, samples: Samples<'_>) -> Result<Cow<'_, [ChunkOf<B, T>]>> {
        match samples {
            Samples::All => Ok(Cow::Borrowed(&self.chunks)),
            Samples::Batch(positions) => Ok(Cow::Owned(self.upload(&self.numbers(positions)?))),
        }
    }

    /// The task's numbers of the samples at these positions of the list.
    fn numbers(&self, positions: &[usize]) -> Result<Vec<usize>> {
        let numbers: Option<Vec<usize>> =
            positions.iter().map(|&position| self.samples.get(position).copied()).collect();
        numbers.filter(|numbers| !numbers.is_empty()).ok_or_else(|| {
            let remedy = format!("give positions below {}", self.samples.len());
            Error::setting("batch", positions.len(), "empty, or beyond the samples", remedy)
        })
    }

    fn model(&self, tracking: Tracking) -> T::Model<Nested<B>> {
        with_parameters(self.template.clone(), self.pieces.clone(), tracking)
    }

    /// The sum over chunks of `compute(model, chunk)`, read back. As many chunks as there are
    /// workers are in work at once; they are added in their own order, so that rounding does not
    /// depend on that number.
    fn sum_over_chunks<F>(
        &self,
        chunks: &[ChunkOf<B, T>],
        tracking: Tracking,
        compute: F,
    ) -> Result<Vec<f64>>
    where
        F: Fn(T::Model<Nested<B>>, &ChunkOf<B, T>) -> Tensor<B, 1> + Sync,
    {
        let mut total: Option<Tensor<B, 1>> = None;
        for group in chunks.chunks(self.placement.workers.max(1)) {
            let jobs: Vec<_> = group.iter().map(|chunk| (self.model(tracking), chunk)).collect();
            let one = |(model, chunk): (_, &Chunk<_>)| compute(model, chunk);
            let parts: Vec<Tensor<B, 1>> = match jobs.len() {
                1 => jobs.into_iter().map(one).collect(),
                _ => jobs.into_par_iter().map(one).collect(),
            };
            total = total.into_iter().chain(parts).reduce(Tensor::add);
        }
        match total {
            Some(total) => self.placement.read(total),
            None => Ok(Vec::new()),
        }
    }
}

/// `[loss, correct]` of one chunk, the loss weighted: what every evaluation reads besides the
/// gradient, in the same transfer.
fn scalars<B: Backend>(
    loss: Tensor<Nested<B>, 1>,
    correct: Option<Tensor<Nested<B>, 1>>,
    weight: f64,
) -> Tensor<B, 1> {
    let loss = loss.inner().inner().reshape([1]).mul_scalar(weight);
    match correct {
        Some(correct) => Tensor::cat(vec![loss, correct.inner().inner().reshape([1])], 0),
        None => loss,
    }
}

/// Splits what was read into the evaluation and the `dim` numbers before it.
fn split_evaluation(mut read: Vec<f64>, dim: usize, samples: usize) -> (Vec<f64>, Evaluation) {
    let scalars = read.split_off(dim);
    let evaluation = Evaluation {
        loss: scalars[0],
        accuracy: scalars.get(1).map(|correct| correct / samples as f64),
    };
    (read, evaluation)
}

impl<B: Backend, T: Task> Objective for ModuleObjective<B, T> {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &self.samples
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        check_length("parameter vector", theta.len(), self.layout.len())?;
        self.pieces = self
            .layout
            .entries()
            .iter()
            .map(|entry| {
                let values = &theta[entry.offset..entry.offset + entry.len];
                self.placement.float(values, [entry.len])
            })
            .collect();
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let task = &self.task;
        let read = self.sum_over_chunks(&self.chunks, Tracking::None, |model, chunk| {
            let (loss, correct) = task.evaluate(&model, &chunk.batch);
            scalars(loss, correct, chunk.weight)
        })?;
        Ok(split_evaluation(read, 0, self.samples.len()).1)
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        let chunks = self.chunks_of(samples)?;
        let count = match samples {
            Samples::All => self.samples.len(),
            Samples::Batch(positions) => positions.len(),
        };
        let task = &self.task;
        let read = self.sum_over_chunks(&chunks, Tracking::Outer, |model, chunk| {
            let (loss, correct) = task.evaluate(&model, &chunk.batch);
            let gradient = outer_gradient(&model, loss.backward()).inner();
            let gradient = gradient.mul_scalar(chunk.weight);
            Tensor::cat(vec![gradient, scalars(loss, correct, chunk.weight)], 0)
        })?;
        let (gradient, evaluation) = split_evaluation(read, self.layout.len(), count);
        Ok(GradientEvaluation { evaluation, gradient })
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.layout.len())?;
        let chunks = self.chunks_of(samples)?;
        let v: Tensor<B, 1> = self.placement.float(v, [v.len()]);
        let task = &self.task;
        self.sum_over_chunks(&chunks, Tracking::Both, |model, chunk| {
            let loss = task.loss(&model, &chunk.batch);
            let gradient = outer_gradient(&model, loss.backward());
            let directional = (gradient * Tensor::from_inner(v.clone())).sum();
            inner_gradient(&model, directional.backward()).mul_scalar(chunk.weight)
        })
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        check_length("vector", v.len(), self.layout.len())?;
        let missing = |what: &str| Error::Numerical {
            what: "a Gauss-Newton or Fisher product",
            reason: format!("the task does not say its {what}"),
        };
        if matrix.needs_likelihood() && self.task.likelihood().is_none() {
            return Err(missing("likelihood"));
        }
        let v: Tensor<B, 1> = self.placement.float(v, [v.len()]);
        let says_outputs = || {
            let model = self.model(Tracking::None);
            self.task.outputs(&model, &self.chunks[0].batch).is_some()
        };
        if !*self.says_outputs.get_or_init(says_outputs) {
            return Err(missing("outputs"));
        }
        let (task, placement) = (&*self.task, &self.placement);
        let mut total: Option<Tensor<B, 1>> = None;
        for chunk in &self.chunks {
            let (batch, number) = (&chunk.batch, chunk.number);
            let product = OutputProduct { task, placement, batch, chunk: number };
            // A model for each tape: leaves are not shared between two of them.
            let models = [self.model(Tracking::Outer), self.model(Tracking::Outer)];
            let part = product.of(&models, matrix, v.clone()).mul_scalar(chunk.weight);
            total = Some(match total {
                Some(total) => total + part,
                None => part,
            });
        }
        match total {
            Some(total) => self.placement.read(total),
            None => Ok(Vec::new()),
        }
    }
}
