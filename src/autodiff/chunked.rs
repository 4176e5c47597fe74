//! A task's samples and parameters on a backend, and sums over chunks of the samples: what objectives
//! share, however they differentiate.
//!
//! The loss over all samples is the mean over chunks weighted by their sizes, so that a ragged last
//! chunk changes nothing, and activations are held for the chunks in work only.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rayon::prelude::*;

use super::output_product::{Says, check_output_matrix};
use super::{Evaluation, OutputMatrix, ParameterEntry, ParameterLayout, Samples, Task};
use crate::device::Placement;
use crate::error::{Error, Result, check_length};

/// A task and the samples that its loss is a mean over, on backend `A`, which differentiates tensors of
/// `B`.
pub(super) struct Chunked<B: Backend, A: Backend<Device = B::Device>, T: Task> {
    pub task: Arc<T>,
    pub placement: Placement<A::Device>,
    /// A model whose parameters have the right shapes.
    pub template: T::Model<A>,
    pub layout: ParameterLayout,
    /// Numbers of the task's samples.
    pub samples: Vec<usize>,
    /// theta on the device, cut by parameter.
    pub theta: Vec<Tensor<B, 1>>,
    /// What the task says of its outputs, once it was asked.
    says: OnceLock<Says>,
    chunk_size: usize,
    chunks: Chunks<A, T>,
    /// The batch that was asked for last: it is, more than once.
    batch: Mutex<Option<Batch<A, T>>>,
}

/// A chunk of a task's samples on a backend.
pub(super) type ChunkOf<A, T> = Chunk<<T as Task>::Batch<A>>;

/// The positions of a batch's samples, and its chunks.
type Batch<A, T> = (Vec<usize>, Chunks<A, T>);

/// Chunks of all samples, or of a batch.
pub(super) type Chunks<A, T> = Arc<[ChunkOf<A, T>]>;

pub(super) struct Chunk<Batch> {
    pub batch: Batch,
    /// Its place in the list.
    pub number: usize,
    /// Samples in it over samples in all.
    pub weight: f64,
}

/// Refuses chunks without a sample.
///
/// # Errors
/// [`Error::Setting`].
pub(super) fn check_chunk(samples: usize) -> Result<()> {
    if samples == 0 {
        let remedy = "give a chunk of at least 1 sample";
        return Err(Error::setting("chunk", 0, "nothing would be evaluated", remedy));
    }
    Ok(())
}

impl<B: Backend, A: Backend<Device = B::Device>, T: Task> Chunked<B, A, T> {
    /// Uploads the samples, at most `chunk_size` to a chunk. The parameters start at zero.
    ///
    /// # Errors
    /// [`Error::Setting`] without samples or with chunks of zero.
    pub fn new(
        task: Arc<T>,
        placement: Placement<A::Device>,
        samples: Vec<usize>,
        chunk_size: usize,
    ) -> Result<Self> {
        if samples.is_empty() {
            let remedy = "give the loss at least one sample";
            return Err(Error::setting("samples", 0, "a loss needs samples", remedy));
        }
        check_chunk(chunk_size)?;
        let template = task.model::<A>(&placement);
        let layout = ParameterLayout::of(&template);
        let mut chunked = Self {
            task,
            placement,
            template,
            layout,
            samples,
            theta: Vec::new(),
            says: OnceLock::new(),
            chunk_size,
            chunks: Arc::new([]),
            batch: Mutex::new(None),
        };
        chunked.chunks = chunked.upload(&chunked.samples);
        chunked.set_parameters(&vec![0.0; chunked.layout.len()])?;
        Ok(chunked)
    }

    fn upload(&self, samples: &[usize]) -> Chunks<A, T> {
        samples
            .chunks(self.chunk_size)
            .enumerate()
            .map(|(number, part)| Chunk {
                number,
                batch: self.task.batch::<A>(part, &self.placement),
                weight: part.len() as f64 / samples.len() as f64,
            })
            .collect()
    }

    /// Chunks of all samples.
    pub fn all(&self) -> &[ChunkOf<A, T>] {
        &self.chunks
    }

    /// The chunks of these samples, and how many samples they are. A batch is uploaded unless it is the
    /// one before.
    ///
    /// # Errors
    /// [`Error::Setting`] for a batch that is empty or out of range.
    pub fn of(&self, samples: Samples<'_>) -> Result<(Chunks<A, T>, usize)> {
        let positions = match samples {
            Samples::All => return Ok((self.chunks.clone(), self.samples.len())),
            Samples::Batch(positions) => positions,
        };
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, chunks)) = &*batch
            && known == positions
        {
            return Ok((chunks.clone(), positions.len()));
        }
        let numbers: Option<Vec<usize>> =
            positions.iter().map(|&at| self.samples.get(at).copied()).collect();
        let Some(numbers) = numbers.filter(|numbers| !numbers.is_empty()) else {
            let remedy = format!("give positions below {}", self.samples.len());
            let problem = "empty, or beyond the samples";
            return Err(Error::setting("batch", positions.len(), problem, remedy));
        };
        let chunks = self.upload(&numbers);
        *batch = Some((positions.to_vec(), chunks.clone()));
        Ok((chunks, numbers.len()))
    }

    /// A flat vector (length P) on the device, cut by parameter.
    ///
    /// # Errors
    /// [`Error::Length`] for another length.
    pub fn pieces(&self, what: &'static str, flat: &[f64]) -> Result<Vec<Tensor<B, 1>>> {
        check_length(what, flat.len(), self.layout.len())?;
        let piece = |entry: &ParameterEntry| {
            let values = &flat[entry.offset..entry.offset + entry.len];
            self.placement.float(values, [entry.len])
        };
        Ok(self.layout.entries().iter().map(piece).collect())
    }

    /// Vectors one after the other (length P each) on the device, at most `most` of them in a stack:
    /// `[vectors, elements]` for each parameter.
    ///
    /// # Errors
    /// [`Error::Length`] for a length that is no multiple of P.
    pub fn stacks(
        &self,
        what: &'static str,
        block: &[f64],
        most: usize,
    ) -> Result<Vec<Vec<Tensor<B, 2>>>> {
        let dim = self.layout.len();
        if dim == 0 || !block.len().is_multiple_of(dim) {
            check_length(what, block.len(), dim)?;
        }
        let stack = |vectors: &[f64]| {
            let count = vectors.len() / dim;
            let piece = |entry: &ParameterEntry| {
                let part = entry.offset..entry.offset + entry.len;
                let parts = vectors.chunks(dim).flat_map(|v| &v[part.clone()]).copied();
                self.placement.float(&parts.collect::<Vec<f64>>(), [count, entry.len])
            };
            self.layout.entries().iter().map(piece).collect()
        };
        Ok(block.chunks((most * dim).max(1)).map(stack).collect())
    }

    /// Moves to these parameters.
    ///
    /// # Errors
    /// [`Error::Length`] for another length than P.
    pub fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.theta = self.pieces("parameter vector", theta)?;
        Ok(())
    }

    /// Loss and accuracy over all samples; `plain` takes a value off the tape.
    pub fn evaluate(
        &self,
        model: impl Fn(&ChunkOf<A, T>) -> T::Model<A>,
        plain: impl Fn(Tensor<A, 1>) -> Tensor<B, 1> + Sync,
    ) -> Result<Evaluation> {
        let task = &self.task;
        let read = self.sum(&self.chunks, model, |model, chunk| {
            let (loss, correct) = task.evaluate(&model, &chunk.batch);
            Parts::evaluated(Vec::new(), plain(loss), correct.map(&plain))
        })?;
        Ok(split_evaluation(read, 0, self.samples.len()).1)
    }

    /// Whether products with J' M J of `matrix` can be had from the task; `model` is any of its models.
    ///
    /// # Errors
    /// [`Error::Numerical`] where they cannot.
    pub fn check_output_matrix(
        &self,
        matrix: OutputMatrix,
        model: impl FnOnce() -> T::Model<A>,
    ) -> Result<()> {
        let ask = || {
            let batch = &self.chunks[0].batch;
            let outputs = self.task.outputs(&model(), batch);
            let loss = |outputs| self.task.loss_of_outputs(outputs, batch).is_some();
            Says { outputs: outputs.is_some(), loss_of_outputs: outputs.is_some_and(loss) }
        };
        check_output_matrix(&*self.task, matrix, *self.says.get_or_init(ask))
    }

    /// What `compute(prepare(chunk), chunk)` gives over all chunks, read back at once: means, then
    /// counts. As many chunks as there are workers are in work at a time; they are added in their own
    /// order, so that rounding does not depend on that number. What is prepared, on this thread, is a
    /// model of the chunk's own: leaves of a tape are not shared.
    pub fn sum<M, F>(
        &self,
        chunks: &[ChunkOf<A, T>],
        prepare: impl Fn(&ChunkOf<A, T>) -> M,
        compute: F,
    ) -> Result<Vec<f64>>
    where
        M: Send,
        F: Fn(M, &ChunkOf<A, T>) -> Parts<B> + Sync,
    {
        if let [chunk] = chunks {
            let Parts { mut means, counts } = compute(prepare(chunk), chunk);
            means.extend(counts);
            return self.placement.read_all(means);
        }
        let mut total: Option<Tensor<B, 1>> = None;
        for group in chunks.chunks(self.placement.workers.max(1)) {
            let jobs: Vec<_> = group.iter().map(|chunk| (prepare(chunk), chunk)).collect();
            let one =
                |(prepared, chunk): (_, &Chunk<_>)| compute(prepared, chunk).weighted(chunk.weight);
            let parts: Vec<Tensor<B, 1>> = match jobs.len() {
                1 => jobs.into_iter().map(one).collect(),
                _ => jobs.into_par_iter().map(one).collect(),
            };
            total = total.into_iter().chain(parts).reduce(Tensor::add);
        }
        self.placement.read_all(total.into_iter().collect())
    }
}

/// What is computed of a chunk.
pub(super) struct Parts<B: Backend> {
    /// Means over its samples.
    pub means: Vec<Tensor<B, 1>>,
    /// Counts of its samples.
    pub counts: Option<Tensor<B, 1>>,
}

impl<B: Backend> Parts<B> {
    /// Means alone.
    pub fn means(means: Vec<Tensor<B, 1>>) -> Self {
        Self { means, counts: None }
    }

    /// `means`, then the loss, and how many answers are correct.
    pub fn evaluated(
        mut means: Vec<Tensor<B, 1>>,
        loss: Tensor<B, 1>,
        correct: Option<Tensor<B, 1>>,
    ) -> Self {
        means.push(loss.reshape([1]));
        Self { means, counts: correct.map(|correct| correct.reshape([1])) }
    }

    /// The part of a mean over all chunks, as one tensor: put together by as few kernels as can be.
    fn weighted(self, weight: f64) -> Tensor<B, 1> {
        let means = Tensor::cat(self.means, 0).mul_scalar(weight);
        match self.counts {
            None => means,
            Some(counts) => Tensor::cat(vec![means, counts], 0),
        }
    }
}

/// Splits what was read into the evaluation and the `dim` numbers before it.
pub(super) fn split_evaluation(
    mut read: Vec<f64>,
    dim: usize,
    samples: usize,
) -> (Vec<f64>, Evaluation) {
    let scalars = read.split_off(dim);
    let evaluation = Evaluation {
        loss: scalars[0],
        accuracy: scalars.get(1).map(|correct| correct / samples as f64),
    };
    (read, evaluation)
}
