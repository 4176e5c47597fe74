//! A linear function of directions as a list of operations.

use core::fmt::{Debug, Formatter, Result};
use std::collections::HashSet;

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, Tensor, TensorMetadata, TensorPrimitive};

use super::merge::{Numbered, merged};
use super::operation::Operation;
use super::stacked::lead;
use super::tape::Step;
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
    operation: Operation<B>,
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

impl<B: Elementwise> LinearProgram<B> {
    /// Steps that lead to no output are dropped; a tensor is let go at its last use, and its slot used
    /// again.
    pub(super) fn new(
        directions: Vec<Shape>,
        steps: Vec<Step<B>>,
        outputs: Vec<Option<usize>>,
    ) -> Self {
        let first = directions.len();
        let total = first + steps.len();
        let mut is_output = vec![false; total];
        outputs.iter().flatten().for_each(|&number| is_output[number] = true);
        let steps = needed(first, steps, &is_output);
        let mut uses = vec![0; total];
        for Numbered { step, .. } in &steps {
            step.arguments.iter().for_each(|&number| uses[number] += 1);
        }
        let steps = merged(steps, &uses, &is_output);

        // The step that uses a tensor last; what is an output is used after all of them.
        let mut last = vec![usize::MAX; total];
        for (at, Numbered { step, .. }) in steps.iter().enumerate() {
            step.arguments.iter().for_each(|&number| last[number] = at);
        }
        outputs.iter().flatten().for_each(|&number| last[number] = usize::MAX);
        let mut slots = Slots::new(first, total);
        let (mut kept, mut bytes) = (HashSet::new(), 0);
        let mut planned = Vec::with_capacity(steps.len());
        for (at, Numbered { number, step }) in steps.into_iter().enumerate() {
            let arguments = slots.take(&step.arguments, |number| last[number] == at);
            for (identity, size) in step.operation.kept() {
                if identity.is_none_or(|identity| kept.insert(identity)) {
                    bytes += size;
                }
            }
            let Step { operation, shape, .. } = step;
            planned.push(Planned { arguments, operation, shape, result: slots.put(number) });
        }
        let mut places = Vec::with_capacity(outputs.len());
        for (at, output) in outputs.iter().enumerate() {
            let last = !outputs[at + 1..].contains(output);
            places.push(output.map(|number| Place { slot: slots.of[number], last }));
        }
        Self { directions, steps: planned, outputs: places, slots: slots.count, bytes }
    }
}

/// The steps that lead to an output, each with the number of its result.
fn needed<B: Backend>(first: usize, steps: Vec<Step<B>>, is_output: &[bool]) -> Vec<Numbered<B>> {
    let mut needed = is_output.to_vec();
    for (at, step) in steps.iter().enumerate().rev() {
        if needed[first + at] {
            step.arguments.iter().for_each(|&number| needed[number] = true);
        }
    }
    let numbered = steps.into_iter().enumerate();
    let numbered = numbered.map(|(at, step)| Numbered { number: first + at, step });
    numbered.filter(|numbered| needed[numbered.number]).collect()
}

/// Where tensors are held while a program is done.
struct Slots {
    /// By the tensor's number.
    of: Vec<usize>,
    free: Vec<usize>,
    count: usize,
}

impl Slots {
    fn new(directions: usize, tensors: usize) -> Self {
        let mut of: Vec<usize> = (0..directions).collect();
        of.resize(tensors, usize::MAX);
        Self { of, free: Vec::new(), count: directions }
    }

    /// Where arguments are; a slot is free once its tensor is taken for the last time.
    fn take(&mut self, arguments: &[usize], is_last: impl Fn(usize) -> bool) -> Vec<Place> {
        let mut places = Vec::with_capacity(arguments.len());
        for (at, &number) in arguments.iter().enumerate() {
            // The same tensor twice is taken at the second time.
            let last = is_last(number) && !arguments[at + 1..].contains(&number);
            if last {
                self.free.push(self.of[number]);
            }
            places.push(Place { slot: self.of[number], last });
        }
        places
    }

    /// A slot for the result of this number.
    fn put(&mut self, number: usize) -> usize {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.of[number] = slot;
        slot
    }
}

impl<B: Backend> LinearProgram<B> {
    /// Bytes of the values that it keeps.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Elements of its largest tensor, for one direction.
    pub fn largest_tensor(&self) -> usize {
        let results = self.steps.iter().map(|step| &step.shape);
        self.directions.iter().chain(results).map(Shape::num_elements).max().unwrap_or(0)
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
            let result = step.operation.apply(arguments, count);
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
