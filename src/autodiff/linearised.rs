//! What chunks of samples do to directions at the parameters of the moment: gradients differentiated
//! once, and kept while there is memory for them.

use std::sync::{Arc, Mutex, PoisonError};

use burn::backend::Autodiff;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use sharpscope_tangents::{
    Elementwise, LinearProgram, Recording, Tangents, Tape, constant, known, split, value,
};

use super::{Samples, Task, output_product};
use crate::device::{Memory, Taken};

/// Tensors of `B` whose derivatives are noted, on a tape.
pub(super) type Noted<B> = Autodiff<Tangents<Recording<B>>>;

/// How parameters enter a model.
#[derive(Clone, Copy)]
pub(super) enum Parameters<'a, B: Backend> {
    /// As they are.
    Constant,
    /// With a gradient.
    Leaves,
    /// Changing along a direction each.
    Changing(&'a Tape<B>),
    /// Both.
    ChangingLeaves(&'a Tape<B>),
}

/// `template` with the parameters `theta`, cut by parameter.
pub(super) fn with_parameters<B: Elementwise, M: Module<Noted<B>>>(
    template: M,
    theta: &[Tensor<B, 1>],
    parameters: Parameters<'_, B>,
) -> M {
    struct Loader<'a, B: Backend> {
        theta: core::slice::Iter<'a, Tensor<B, 1>>,
        parameters: Parameters<'a, B>,
    }

    impl<B: Elementwise> ModuleMapper<Noted<B>> for Loader<'_, B> {
        fn map_float<const D: usize>(
            &mut self,
            param: Param<Tensor<Noted<B>, D>>,
        ) -> Param<Tensor<Noted<B>, D>> {
            let shape = param.lazy_shape().dims::<D>();
            let piece = self.theta.next().expect("a piece for each parameter");
            let piece = piece.clone().reshape(shape);
            let (dual, leaf) = match self.parameters {
                Parameters::Constant => (constant(known(piece)), false),
                Parameters::Leaves => (constant(known(piece)), true),
                Parameters::Changing(tape) => (tape.direction(piece), false),
                Parameters::ChangingLeaves(tape) => (tape.direction(piece), true),
            };
            Param::initialized(param.id, Tensor::from_inner(dual).set_require_grad(leaf))
        }
    }

    template.map(&mut Loader { theta: theta.iter(), parameters })
}

/// The value of a tensor, off the tape.
pub(super) fn plain<B: Elementwise, const D: usize>(tensor: Tensor<Noted<B>, D>) -> Tensor<B, D> {
    value(split(tensor.inner()).0)
}

/// What directions do to a tensor that is on no tape of burn.
fn change<B: Elementwise, const D: usize>(
    tensor: Tensor<Tangents<Recording<B>>, D>,
) -> (Tensor<B, D>, Option<Tensor<Recording<B>, D>>) {
    let (primal, tangents) = split(tensor);
    (value(primal), tangents.and_then(|mut tangents| tangents.pop()))
}

type Gradients<B> = <Noted<B> as AutodiffBackend>::Gradients;

/// The gradient, and what directions do to it, each cut by parameter.
struct Pieces<B: Elementwise> {
    values: Vec<Tensor<B, 1>>,
    changes: Vec<Option<Tensor<Recording<B>, 1>>>,
}

fn pieces<B: Elementwise, M: Module<Noted<B>>>(model: &M, gradients: Gradients<B>) -> Pieces<B> {
    struct Collector<B: Elementwise> {
        gradients: Gradients<B>,
        pieces: Pieces<B>,
    }

    impl<B: Elementwise> ModuleVisitor<Noted<B>> for Collector<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Noted<B>, D>>) {
            let leaf = param.val();
            let len = leaf.shape().num_elements();
            // A parameter that the loss does not depend on has no gradient.
            let (value, change) = match leaf.grad_remove(&mut self.gradients) {
                Some(gradient) => change(gradient.reshape([len])),
                None => (plain(leaf).zeros_like().reshape([len]), None),
            };
            self.pieces.values.push(value);
            self.pieces.changes.push(change);
        }
    }

    let pieces = Pieces { values: Vec::new(), changes: Vec::new() };
    let mut collector = Collector { gradients, pieces };
    model.visit(&mut collector);
    collector.pieces
}

/// Loss, correct answers and gradient of a chunk.
#[derive(Clone)]
pub(super) struct Value<B: Backend> {
    pub loss: Tensor<B, 1>,
    pub correct: Option<Tensor<B, 1>>,
    /// Cut by parameter.
    pub gradient: Vec<Tensor<B, 1>>,
}

/// The gradient of a chunk, of a model with [`Parameters::Leaves`].
pub(super) fn differentiate<B: Elementwise, T: Task>(
    task: &T,
    model: &T::Model<Noted<B>>,
    batch: &T::Batch<Noted<B>>,
) -> Value<B> {
    let (loss, correct) = task.evaluate(model, batch);
    let gradient = pieces::<B, _>(model, loss.backward()).values;
    Value { loss: plain(loss), correct: correct.map(plain), gradient }
}

/// A chunk's gradient and its Hessian as a list of operations.
pub(super) struct Linearised<B: Backend> {
    pub value: Value<B>,
    pub hessian: LinearProgram<B>,
}

impl<B: Elementwise> Linearised<B> {
    /// Of a model with [`Parameters::ChangingLeaves`] on `tape`.
    pub fn new<T: Task>(
        task: &T,
        model: &T::Model<Noted<B>>,
        batch: &T::Batch<Noted<B>>,
        tape: Tape<B>,
    ) -> Self {
        let (loss, correct) = task.evaluate(model, batch);
        let Pieces { values, changes } = pieces::<B, _>(model, loss.backward());
        let value = Value { loss: plain(loss), correct: correct.map(plain), gradient: values };
        Self { value, hessian: tape.finish(changes) }
    }
}

/// A chunk's outputs, its Jacobian J and J' as lists of operations.
pub(super) struct Outputs<B: Backend> {
    /// `[rows, outputs]`.
    pub values: Tensor<B, 2>,
    pub jacobian: LinearProgram<B>,
    pub transposed: LinearProgram<B>,
}

impl<B: Elementwise> Outputs<B> {
    /// Of a model with [`Parameters::Changing`] on `tape`, and of one with [`Parameters::Leaves`].
    pub fn new<T: Task>(
        task: &T,
        [changing, leaves]: [&T::Model<Noted<B>>; 2],
        batch: &T::Batch<Noted<B>>,
        tape: Tape<B>,
    ) -> Self {
        let outputs = output_product::outputs_of(task, changing, batch).inner();
        let (values, forward) = change(outputs);
        let jacobian = tape.finish(vec![forward]);
        // <J' w, .> is linear in w: the value of w does not matter.
        let back = Tape::new(&values.device());
        let w = Tensor::from_inner(back.direction(values.zeros_like()));
        let total = (output_product::outputs_of(task, leaves, batch) * w).sum();
        let transposed = back.finish(pieces::<B, _>(leaves, total.backward()).changes);
        Self { values, jacobian, transposed }
    }

    fn bytes(&self) -> usize {
        self.jacobian.bytes() + self.transposed.bytes()
    }
}

/// What is kept, and the room that it takes.
type Kept<L> = Option<(Arc<L>, Taken)>;

/// What is kept of each chunk of one choice of samples.
pub(super) struct Store<L> {
    chunks: Vec<Mutex<Kept<L>>>,
}

impl<L> Store<L> {
    fn of(chunks: usize) -> Self {
        Self { chunks: (0..chunks).map(|_| Mutex::new(None)).collect() }
    }

    /// What is kept of a chunk.
    pub fn get(&self, chunk: usize) -> Option<Arc<L>> {
        let kept = self.chunks[chunk].lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_ref().map(|(kept, _)| kept.clone())
    }

    /// Keeps this of a chunk if there is room for so many bytes.
    fn keep(&self, chunk: usize, what: Arc<L>, bytes: usize, memory: &Memory) {
        if let Some(taken) = memory.take(bytes) {
            let mut kept = self.chunks[chunk].lock().unwrap_or_else(PoisonError::into_inner);
            *kept = Some((what, taken));
        }
    }
}

impl<B: Elementwise> Store<Linearised<B>> {
    /// Keeps it if there is room.
    pub fn offer(
        &self,
        chunk: usize,
        linearised: Linearised<B>,
        memory: &Memory,
    ) -> Arc<Linearised<B>> {
        let bytes = linearised.hessian.bytes();
        let linearised = Arc::new(linearised);
        self.keep(chunk, linearised.clone(), bytes, memory);
        linearised
    }
}

impl<B: Elementwise> Store<Outputs<B>> {
    /// Keeps it if there is room.
    pub fn offer(&self, chunk: usize, outputs: Outputs<B>, memory: &Memory) -> Arc<Outputs<B>> {
        let bytes = outputs.bytes();
        let outputs = Arc::new(outputs);
        self.keep(chunk, outputs.clone(), bytes, memory);
        outputs
    }
}

/// The positions of a batch's samples, and what is kept of it.
type OfBatch<B> = (Vec<usize>, Arc<Store<Linearised<B>>>);

/// What is kept at the parameters of the moment: of all samples, and of the batch that was asked for
/// last.
pub(super) struct Kepts<B: Backend> {
    all: Arc<Store<Linearised<B>>>,
    batch: Mutex<Option<OfBatch<B>>>,
    pub outputs: Store<Outputs<B>>,
}

impl<B: Backend> Kepts<B> {
    /// Nothing yet, for so many chunks of all samples.
    pub fn of(chunks: usize) -> Self {
        let all = Arc::new(Store::of(chunks));
        Self { all, batch: Mutex::new(None), outputs: Store::of(chunks) }
    }

    /// What is kept of these samples, which are so many chunks.
    pub fn linearised(&self, samples: Samples<'_>, chunks: usize) -> Arc<Store<Linearised<B>>> {
        let positions = match samples {
            Samples::All => return self.all.clone(),
            Samples::Batch(positions) => positions,
        };
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        match &*batch {
            Some((known, store)) if known == positions => store.clone(),
            _ => {
                let store = Arc::new(Store::of(chunks));
                *batch = Some((positions.to_vec(), store.clone()));
                store
            }
        }
    }
}
