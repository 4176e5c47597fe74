//! A linear function of directions as a list of operations.

use core::fmt::{Debug, Formatter, Result};
use std::collections::HashSet;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::stacked::lead;
use super::tape::{Apply, Step};
use crate::Elementwise;

/// A linear function of directions, done to as many at once as are given.
pub struct LinearProgram<B: Backend> {
    directions: Vec<Shape>,
    steps: Vec<Planned<B>>,
    /// Where each output is found, and whether a later one is found there too.
    outputs: Vec<Option<Place>>,
    /// How many tensors are held at a time, at most.
    slots: usize,
    bytes: usize,
}

/// A slot, and whether its tensor is taken out of it.
#[derive(Clone, Copy)]
struct Place {
    slot: usize,
    last: bool,
}

struct Planned<B: Backend> {
    arguments: Vec<Place>,
    apply: Apply<B>,
    shape: Shape,
    result: usize,
}

impl<B: Backend> Debug for LinearProgram<B> {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        f.debug_struct("LinearProgram")
            .field("directions", &self.directions.len())
            .field("steps", &self.steps.len())
            .field("outputs", &self.outputs.len())
            .field("slots", &self.slots)
            .field("bytes", &self.bytes)
            .finish()
    }
}

impl<B: Backend> LinearProgram<B> {
    /// Steps that lead to no output are dropped; a tensor is let go at its last use, and its slot used
    /// again.
    pub(super) fn new(
        directions: Vec<Shape>,
        steps: Vec<Step<B>>,
        outputs: Vec<Option<usize>>,
    ) -> Self {
        let first = directions.len();
        let total = first + steps.len();
        let mut needed = vec![false; total];
        outputs.iter().flatten().for_each(|&number| needed[number] = true);
        for (at, step) in steps.iter().enumerate().rev() {
            if needed[first + at] {
                step.arguments.iter().for_each(|&number| needed[number] = true);
            }
        }
        // The step that uses a tensor last; what is an output is used after all of them.
        let mut last = vec![usize::MAX; total];
        for (at, step) in steps.iter().enumerate().filter(|(at, _)| needed[first + at]) {
            step.arguments.iter().for_each(|&number| last[number] = at);
        }
        outputs.iter().flatten().for_each(|&number| last[number] = usize::MAX);

        let mut slots: Vec<usize> = (0..first).collect();
        slots.resize(total, usize::MAX);
        let mut free = Vec::new();
        let mut count = first;
        let mut planned = Vec::new();
        let mut kept = HashSet::new();
        let mut bytes = 0;
        for (at, step) in steps.into_iter().enumerate().filter(|(at, _)| needed[first + at]) {
            let mut arguments: Vec<Place> = step
                .arguments
                .iter()
                .map(|&number| Place { slot: slots[number], last: last[number] == at })
                .collect();
            // The same tensor twice: taken at the second time only.
            for i in 0..arguments.len() {
                let again = arguments[i + 1..].iter().any(|place| place.slot == arguments[i].slot);
                arguments[i].last &= !again;
            }
            free.extend(arguments.iter().filter(|place| place.last).map(|place| place.slot));
            let result = free.pop().unwrap_or_else(|| {
                count += 1;
                count - 1
            });
            slots[first + at] = result;
            for (identity, size) in step.factors {
                if identity.is_none_or(|identity| kept.insert(identity)) {
                    bytes += size;
                }
            }
            planned.push(Planned { arguments, apply: step.apply, shape: step.shape, result });
        }
        let mut places: Vec<Option<Place>> = Vec::with_capacity(outputs.len());
        for (at, output) in outputs.iter().enumerate() {
            let last = !outputs[at + 1..].contains(output);
            places.push(output.map(|number| Place { slot: slots[number], last }));
        }
        Self { directions, steps: planned, outputs: places, slots: count, bytes }
    }

    /// Bytes of the values that it keeps.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many operations it does.
    pub fn steps(&self) -> usize {
        self.steps.len()
    }
}

impl<B: Elementwise> LinearProgram<B> {
    /// What it makes of `directions`: one tensor `[count, elements]` for each direction that was
    /// recorded, in that order. Each output is `[count, elements]`; `None` stands for zeros.
    ///
    /// # Panics
    /// If the directions are of other shapes.
    pub fn apply(&self, directions: Vec<Tensor<B, 2>>) -> Vec<Option<Tensor<B, 2>>> {
        assert_eq!(directions.len(), self.directions.len(), "recording: so many directions");
        let count = directions.first().map_or(0, |direction| direction.dims()[0]);
        let mut slots: Vec<Option<FloatTensor<B>>> = Vec::with_capacity(self.slots);
        for (direction, shape) in directions.into_iter().zip(&self.directions) {
            let direction = direction.into_primitive().tensor();
            slots.push(Some(B::float_reshape(direction, lead(count, shape))));
        }
        slots.resize_with(self.slots, || None);
        let take = |slots: &mut Vec<Option<FloatTensor<B>>>, place: &Place| {
            let slot = &mut slots[place.slot];
            let tensor = if place.last { slot.take() } else { slot.clone() };
            tensor.expect("a tensor is there until its last use")
        };
        for step in &self.steps {
            let arguments = step.arguments.iter().map(|place| take(&mut slots, place)).collect();
            let result = (step.apply)(arguments, count);
            debug_assert_eq!(
                result.shape(),
                lead(count, &step.shape),
                "recording: a result's shape"
            );
            slots[step.result] = Some(result);
        }
        let flat = |tensor: FloatTensor<B>| {
            let shape = Shape::new([count, tensor.shape().num_elements() / count.max(1)]);
            Tensor::from_primitive(TensorPrimitive::Float(B::float_reshape(tensor, shape)))
        };
        let output = |place: &Option<Place>| place.map(|place| flat(take(&mut slots, &place)));
        self.outputs.iter().map(output).collect()
    }
}
