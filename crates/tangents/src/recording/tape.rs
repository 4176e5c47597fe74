//! The list of steps that a computation does to directions.

use core::fmt::{Debug, Formatter, Result};
use std::sync::{Arc, Mutex, PoisonError};

use burn::tensor::backend::Backend;
use burn::tensor::ops::Device;
use burn::tensor::{DType, Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::Recording;
use super::operation::Operation;
use super::program::LinearProgram;
use super::tensor::{LinearTensor, RecordedTensor};
use crate::{DualTensor, Elementwise, Tangents};

/// One operation on tensors that depend on directions.
pub(super) struct Step<B: Backend> {
    /// Numbers of the tensors it takes.
    pub arguments: Vec<usize>,
    pub operation: Operation<B>,
    /// Of the result, for one direction.
    pub shape: Shape,
}

struct Inner<B: Backend> {
    device: Device<B>,
    steps: Mutex<Steps<B>>,
}

struct Steps<B: Backend> {
    /// Shapes of the directions: the first tensors.
    directions: Vec<Shape>,
    steps: Vec<Step<B>>,
}

/// Notes what is done to directions.
#[derive(Clone)]
pub struct Tape<B: Backend>(Arc<Inner<B>>);

impl<B: Backend> Debug for Tape<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_tuple("Tape").finish_non_exhaustive()
    }
}

impl<B: Backend> Tape<B> {
    /// An empty one, for tensors on this device.
    pub fn new(device: &Device<B>) -> Self {
        let steps = Steps { directions: Vec::new(), steps: Vec::new() };
        Self(Arc::new(Inner { device: device.clone(), steps: Mutex::new(steps) }))
    }

    pub(super) fn device(&self) -> Device<B> {
        self.0.device.clone()
    }
}

impl<B: Elementwise> Tape<B> {
    /// `primal`, changing along a further direction.
    ///
    /// # Panics
    /// If anything has been computed of earlier directions already.
    pub fn direction<const D: usize>(
        &self,
        primal: Tensor<B, D>,
    ) -> Tensor<Tangents<Recording<B>>, D> {
        let primal = primal.into_primitive().tensor();
        let (shape, dtype) = (primal.shape(), primal.dtype());
        let mut steps = self.0.steps.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(steps.steps.is_empty(), "recording: directions come before all steps");
        let number = steps.directions.len();
        steps.directions.push(shape.clone());
        drop(steps);
        let tangent = LinearTensor { tape: self.clone(), number, shape, dtype };
        let dual =
            DualTensor::new(RecordedTensor::Known(primal), vec![RecordedTensor::Linear(tangent)]);
        Tensor::from_primitive(TensorPrimitive::Float(dual))
    }

    /// A step; its result.
    pub(super) fn note(
        &self,
        arguments: Vec<usize>,
        shape: Shape,
        dtype: DType,
        operation: Operation<B>,
    ) -> RecordedTensor<B> {
        let step = Step { arguments, operation, shape: shape.clone() };
        let mut steps = self.0.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let number = steps.directions.len() + steps.steps.len();
        steps.steps.push(step);
        drop(steps);
        RecordedTensor::Linear(LinearTensor { tape: self.clone(), number, shape, dtype })
    }

    /// The program that makes these tensors of directions; `None` stands for one that no direction
    /// changes. What leads to none of them is left out, and products in a row are made one.
    ///
    /// # Panics
    /// If a tensor is of another tape.
    pub fn finish<const D: usize>(
        self,
        outputs: Vec<Option<Tensor<Recording<B>, D>>>,
    ) -> LinearProgram<B> {
        let number = |tensor: Tensor<Recording<B>, D>| match tensor.into_primitive().tensor() {
            RecordedTensor::Known(_) => panic!("recording: an output that depends on no direction"),
            RecordedTensor::Linear(tensor) => {
                assert!(
                    Arc::ptr_eq(&tensor.tape.0, &self.0),
                    "recording: a tensor of another tape"
                );
                tensor.number
            }
        };
        let outputs: Vec<Option<usize>> = outputs.into_iter().map(|o| o.map(number)).collect();
        let mut noted = self.0.steps.lock().unwrap_or_else(PoisonError::into_inner);
        let steps = core::mem::take(&mut noted.steps);
        LinearProgram::new(core::mem::take(&mut noted.directions), steps, outputs)
    }
}
