//! Tensors of any layout, and their elements by their indices.

use burn_backend::{DType, Element};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_std::{Bytes, Shape, Slice};
use bytemuck::Pod;
use sharpscope_kernels::recycle;

/// Single or double precision.
pub trait Real: Element + Pod {
    const EPSILON: f64;

    fn of(value: f64) -> Self;

    fn wide(self) -> f64;
}

impl Real for f32 {
    const EPSILON: f64 = f32::EPSILON as f64;

    fn of(value: f64) -> Self {
        value as f32
    }

    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Real for f64 {
    const EPSILON: f64 = f64::EPSILON;

    fn of(value: f64) -> Self {
        value
    }

    fn wide(self) -> f64 {
        self
    }
}

/// Shapes of all ranks: of one element, of odd lengths, around the widths of vectors and of tiles, and
/// of more than the smallest buffer that is kept.
pub const SHAPES: &[&[usize]] = &[
    &[1],
    &[7],
    &[33],
    &[5000],
    &[1, 1],
    &[3, 5],
    &[8, 8],
    &[17, 40],
    &[130, 70],
    &[2, 3, 4],
    &[9, 16, 25],
    &[1, 6, 1],
    &[2, 3, 2, 5],
    &[4, 2, 32, 33],
    &[2, 1, 3, 2, 4],
    &[2, 3, 2, 2, 3, 2],
];

/// A tensor of more axes than are walked, in the order of none.
pub fn of_high_rank<T: Real>(seed: u64) -> FlexTensor {
    tensor::<T>(&[2; 9], seed).permute(&[1, 0, 3, 2, 5, 4, 7, 6, 8])
}

/// Numbers between -1 and 1 without a pattern, each other seed others.
pub fn numbers(len: usize, seed: u64) -> impl Iterator<Item = f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0xD1B5_4A32_D192_ED03;
    (0..len).map(move |_| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    })
}

pub fn tensor<T: Real>(shape: &[usize], seed: u64) -> FlexTensor {
    let len = shape.iter().product();
    let values: Vec<T> = numbers(len, seed).map(T::of).collect();
    from_values(values, shape, T::dtype())
}

pub fn from_values<T: Pod + Send + Sync>(
    values: Vec<T>,
    shape: &[usize],
    dtype: DType,
) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape)), dtype)
}

/// Tensors of a shape in all the layouts that burn's operations make, one with the strides of each
/// other: in order, permuted, with an offset, with gaps, backwards, repeated.
pub fn layouts<T: Real>(shape: &[usize], seed: u64) -> Vec<FlexTensor> {
    let rank = shape.len();
    let mut views = vec![tensor::<T>(shape, seed)];
    for shift in 1..rank {
        // Axis `axis` of the view is axis `axis + shift` in memory, in a circle.
        let order: Vec<usize> = (0..rank).map(|axis| (axis + shift) % rank).collect();
        let mut in_memory = vec![0; rank];
        order.iter().zip(shape).for_each(|(axis, length)| in_memory[*axis] = *length);
        views.push(tensor::<T>(&in_memory, seed + shift as u64).permute(&order));
    }
    if rank >= 2 {
        let mut in_memory = shape.to_vec();
        in_memory.swap(rank - 2, rank - 1);
        views.push(tensor::<T>(&in_memory, seed + 10).transpose(rank - 2, rank - 1));
        let mut in_memory = shape.to_vec();
        in_memory.reverse();
        let order: Vec<usize> = (0..rank).rev().collect();
        views.push(tensor::<T>(&in_memory, seed + 11).permute(&order));
    }
    for axis in 0..rank {
        let mut larger = shape.to_vec();
        larger[axis] += 3;
        views.push(tensor::<T>(&larger, seed + 20).narrow(axis, 2, shape[axis]));
        let mut flipped = tensor::<T>(shape, seed + 21);
        let layout = flipped.layout().flip(&[axis]);
        flipped = flipped.with_layout(layout);
        views.push(flipped);
        let mut one = shape.to_vec();
        one[axis] = 1;
        let one = tensor::<T>(&one, seed + 22);
        views.push(burn_flex::ops::expand::expand(one, Shape::from(shape)));
        let mut twice = shape.to_vec();
        twice[axis] *= 2;
        let slices: Vec<Slice> =
            (0..rank).map(|other| Slice::new(0, None, if other == axis { 2 } else { 1 })).collect();
        use burn_backend::ops::FloatTensorOps;
        views.push(Flex::float_slice(tensor::<T>(&twice, seed + 23), &slices));
    }
    let all: Vec<usize> = (0..rank).collect();
    let backwards = tensor::<T>(shape, seed + 30);
    let layout = backwards.layout().flip(&all);
    views.push(backwards.with_layout(layout));
    views
}

/// The same tensor in a buffer that nobody else holds.
pub fn apart<T: Real>(x: &FlexTensor) -> FlexTensor {
    let buffer = x.storage::<T>().to_vec();
    FlexTensor::new(Bytes::from_elems(buffer), x.layout().clone(), x.dtype())
}

/// Calls a function with the indices of a tensor of a shape, in order.
pub fn each_index(shape: &[usize], mut call: impl FnMut(&[usize])) {
    let len: usize = shape.iter().product();
    let mut index = vec![0; shape.len()];
    for _ in 0..len {
        call(&index);
        for (at, length) in index.iter_mut().zip(shape).rev() {
            *at += 1;
            if *at < *length {
                break;
            }
            *at = 0;
        }
    }
}

/// The element at an index, 0 along axes of length 1.
pub fn at<T: Real>(x: &FlexTensor, index: &[usize]) -> T {
    let layout = x.layout();
    let steps = layout.shape().as_slice().iter().zip(layout.strides()).zip(index);
    let offset: isize = steps
        .map(|((length, stride), at)| if *length == 1 { 0 } else { *at as isize * stride })
        .sum();
    x.storage::<T>()[(layout.start_offset() as isize + offset) as usize]
}

/// What a function makes of each index of a shape, in order.
pub fn map_indices<R>(shape: &[usize], mut value: impl FnMut(&[usize]) -> R) -> Vec<R> {
    let mut values = Vec::new();
    each_index(shape, |index| values.push(value(index)));
    values
}

/// A tensor's elements in order.
pub fn elements<T: Real>(x: &FlexTensor) -> Vec<T> {
    map_indices(&shape(x), |index| at(x, index))
}

pub fn shape(x: &FlexTensor) -> Vec<usize> {
    x.layout().shape().to_vec()
}

/// Whether two lists of numbers are the same but for the sign of zero and for which number none is.
#[track_caller]
pub fn assert_same<T: Real>(found: &[T], expected: &[T], what: &dyn std::fmt::Debug) {
    assert_eq!(found.len(), expected.len(), "{what:?}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let (found, expected) = (found.wide(), expected.wide());
        let same = found == expected || found.is_nan() && expected.is_nan();
        assert!(same, "{what:?} [{i}]: {found:e} instead of {expected:e}");
    }
}

/// Leaves buffers of a length that are not numbers for the kernels to take.
pub fn poison<T: Real>(len: usize) {
    for _ in 0..2 {
        recycle(from_values(vec![T::of(f64::NAN); len], &[len], T::dtype()));
    }
}

/// Calls a kernel with tensors that nobody else holds and with tensors that somebody does, which have
/// to stay as they are.
#[track_caller]
pub fn shared_and_not<T: Real, const N: usize>(
    operands: [&FlexTensor; N],
    kernel: impl Fn([FlexTensor; N]) -> FlexTensor,
    check: impl Fn(&FlexTensor),
) {
    for held in 0..1 << N {
        let operands = operands.map(apart::<T>);
        let kept: Vec<Option<(FlexTensor, Vec<T>)>> = operands
            .iter()
            .enumerate()
            .map(|(i, x)| (held >> i & 1 == 1).then(|| (x.clone(), elements(x))))
            .collect();
        let result = kernel(operands);
        check(&result);
        for (x, before) in kept.iter().flatten() {
            assert_same(&elements::<T>(x), before, &"an operand that is held");
        }
    }
}
