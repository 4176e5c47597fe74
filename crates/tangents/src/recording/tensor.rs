//! Tensors that are known, and those that directions will make.

use core::fmt::{Debug, Formatter, Result};

use burn::tensor::backend::Backend;
use burn::tensor::ops::{Device, FloatTensor};
use burn::tensor::{DType, Shape, TensorMetadata};

use super::operation::{Operation, kept};
use super::tape::Tape;
use crate::Elementwise;

/// A float tensor of [`Recording<B>`](super::Recording).
#[derive(Clone)]
pub enum RecordedTensor<B: Backend> {
    /// A value.
    Known(FloatTensor<B>),
    /// A linear function of the directions of a tape.
    Linear(LinearTensor<B>),
}

/// A linear function of directions: where its value will be found.
#[derive(Clone)]
pub struct LinearTensor<B: Backend> {
    pub(super) tape: Tape<B>,
    /// Of the tape's tensors.
    pub(super) number: usize,
    pub(super) shape: Shape,
    pub(super) dtype: DType,
}

impl<B: Backend> Debug for RecordedTensor<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        match self {
            RecordedTensor::Known(tensor) => Debug::fmt(tensor, f),
            RecordedTensor::Linear(tensor) => {
                write!(f, "linear function {} of directions, {:?}", tensor.number, tensor.shape)
            }
        }
    }
}

impl<B: Backend> TensorMetadata for RecordedTensor<B> {
    fn dtype(&self) -> DType {
        match self {
            RecordedTensor::Known(tensor) => tensor.dtype(),
            RecordedTensor::Linear(tensor) => tensor.dtype,
        }
    }

    fn shape(&self) -> Shape {
        match self {
            RecordedTensor::Known(tensor) => tensor.shape(),
            RecordedTensor::Linear(tensor) => tensor.shape.clone(),
        }
    }

    fn rank(&self) -> usize {
        match self {
            RecordedTensor::Known(tensor) => tensor.rank(),
            RecordedTensor::Linear(tensor) => tensor.shape.num_dims(),
        }
    }
}

impl<B: Backend> RecordedTensor<B> {
    /// The value.
    ///
    /// # Panics
    /// If it depends on directions: `operation` is then no linear function of them.
    pub(crate) fn known(self, operation: &str) -> FloatTensor<B> {
        match self {
            RecordedTensor::Known(tensor) => tensor,
            RecordedTensor::Linear(_) => not_linear(operation),
        }
    }

    pub(super) fn is_known(&self) -> bool {
        matches!(self, RecordedTensor::Known(_))
    }

    pub(super) fn device(&self) -> Device<B> {
        match self {
            RecordedTensor::Known(tensor) => B::float_device(tensor),
            RecordedTensor::Linear(tensor) => tensor.tape.device(),
        }
    }
}

/// Stops at an operation that would make no linear function of a linear one.
pub(super) fn not_linear(operation: &str) -> ! {
    panic!("recording: {operation} of what depends on directions is no linear function of them")
}

impl<B: Elementwise> LinearTensor<B> {
    /// `step` of this tensor stacked along a leading axis of the directions, which it is given too:
    /// a tensor of `shape` for each.
    pub(super) fn then(
        self,
        shape: Shape,
        factors: &[&FloatTensor<B>],
        step: impl Fn(FloatTensor<B>, usize) -> FloatTensor<B> + Send + Sync + 'static,
    ) -> RecordedTensor<B> {
        let dtype = self.dtype;
        self.then_typed(shape, dtype, factors, step)
    }

    /// [`LinearTensor::then`] with a result of another type.
    pub(super) fn then_typed(
        self,
        shape: Shape,
        dtype: DType,
        factors: &[&FloatTensor<B>],
        step: impl Fn(FloatTensor<B>, usize) -> FloatTensor<B> + Send + Sync + 'static,
    ) -> RecordedTensor<B> {
        let step = move |mut tensors: Vec<FloatTensor<B>>, count: usize| {
            let tensor = tensors.pop().expect("one argument");
            step(tensor, count)
        };
        self.tape.note(vec![self.number], shape, dtype, other(factors, step))
    }

    /// [`LinearTensor::then`] with a second linear function.
    pub(super) fn with(
        self,
        right: Self,
        shape: Shape,
        factors: &[&FloatTensor<B>],
        step: impl Fn(FloatTensor<B>, FloatTensor<B>, usize) -> FloatTensor<B> + Send + Sync + 'static,
    ) -> RecordedTensor<B> {
        let step = move |mut tensors: Vec<FloatTensor<B>>, count: usize| {
            let right = tensors.pop().expect("two arguments");
            let left = tensors.pop().expect("two arguments");
            step(left, right, count)
        };
        let dtype = self.dtype;
        self.tape.note(vec![self.number, right.number], shape, dtype, other(factors, step))
    }

    /// An operation on this tensor that is not any.
    pub(super) fn by(self, shape: Shape, operation: Operation<B>) -> RecordedTensor<B> {
        self.tape.note(vec![self.number], shape, self.dtype, operation)
    }

    /// An operation on this tensor and another that is not any.
    pub(super) fn by_with(
        self,
        right: Self,
        shape: Shape,
        operation: Operation<B>,
    ) -> RecordedTensor<B> {
        self.tape.note(vec![self.number, right.number], shape, self.dtype, operation)
    }

    /// `each` of this tensor, one direction after the other: for operations that have no form for
    /// several. Its shape is that of what it makes of zeros.
    pub(super) fn each(
        self,
        each: impl Fn(FloatTensor<B>) -> FloatTensor<B> + Send + Sync + 'static,
    ) -> RecordedTensor<B> {
        let zeros = B::float_zeros(self.shape.clone(), &self.tape.device(), self.dtype.into());
        let probe = each(zeros);
        let (shape, dtype, own) = (probe.shape(), probe.dtype(), self.shape.clone());
        self.then_typed(shape, dtype, &[], move |stack, count| {
            super::stacked::one_by_one::<B>(stack, &own, count, &each)
        })
    }
}

/// Tensors side by side, some of them linear; known ones are zeros.
pub(super) fn side_by_side<B: Elementwise>(
    tensors: Vec<RecordedTensor<B>>,
    dim: usize,
) -> RecordedTensor<B> {
    let shapes: Vec<Shape> = tensors.iter().map(TensorMetadata::shape).collect();
    let shape = Shape::cat(shapes.iter(), dim).expect("tensors that fit side by side");
    let dtype = tensors[0].dtype();
    let mut tape = None;
    let mut numbers = Vec::new();
    // In the order of the tensors: zeros, or the next argument.
    let mut parts = Vec::new();
    for tensor in tensors {
        match tensor {
            RecordedTensor::Known(zeros) => parts.push(Some(zeros)),
            RecordedTensor::Linear(tensor) => {
                numbers.push(tensor.number);
                tape.get_or_insert(tensor.tape);
                parts.push(None);
            }
        }
    }
    let tape = tape.expect("a tensor among them is linear");
    let apply = move |arguments: Vec<FloatTensor<B>>, count| {
        let mut arguments = arguments.into_iter();
        let part = |part: &Option<FloatTensor<B>>| match part {
            None => arguments.next().expect("an argument for each linear tensor"),
            Some(zeros) => {
                let shape = super::stacked::lead(count, &zeros.shape());
                B::float_expand(super::stacked::for_all::<B>(zeros.clone()), shape)
            }
        };
        B::float_cat(parts.iter().map(part).collect(), dim + 1)
    };
    tape.note(numbers, shape, dtype, other(&[], apply))
}

/// An operation of which nothing is known.
fn other<B: Elementwise>(
    factors: &[&FloatTensor<B>],
    apply: impl Fn(Vec<FloatTensor<B>>, usize) -> FloatTensor<B> + Send + Sync + 'static,
) -> Operation<B> {
    let kept = factors.iter().map(|factor| kept::<B>(factor)).collect();
    Operation::Other { apply: Box::new(apply), kept }
}
