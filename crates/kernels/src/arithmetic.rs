//! Operations on the elements of two tensors, either of which may be broadcast.

use std::ops::Range;
use std::slice::ChunksExactMut;

use burn_backend::DType;
use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_flex::{Flex, FlexTensor, Layout};

use crate::broadcast::{Lengths, broadcast_shape};
use crate::contiguous::contiguous;
use crate::element::{Number, Real, dense, strided, vectorized};
use crate::pool::{recycle, take};
use crate::strides::{Axes, MAX_RANK, packed, row_major, storage_order, whole};

/// a + b; axes of length 1 are broadcast.
pub fn add(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    binary::<Add>(a, b)
}

/// a - b; axes of length 1 are broadcast.
pub fn sub(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    binary::<Sub>(a, b)
}

/// a b for each pair of elements; axes of length 1 are broadcast.
pub fn mul(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    binary::<Mul>(a, b)
}

/// a / b; axes of length 1 are broadcast.
pub fn div(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    binary::<Div>(a, b)
}

/// The gradient by relu's argument: `gradient` where relu's `output` is positive, else 0.
pub fn relu_backward(output: FlexTensor, gradient: FlexTensor) -> FlexTensor {
    binary::<WherePositive>(output, gradient)
}

/// A function of two numbers, and burn's operation for what is not covered here.
pub(crate) trait Binary: Copy {
    fn apply<T: Real>(x: T, y: T) -> T;

    fn otherwise(a: FlexTensor, b: FlexTensor) -> FlexTensor;
}

macro_rules! binary {
    ($name:ident, |$x:ident, $y:ident, $type:ident| $value:expr, $otherwise:path) => {
        #[derive(Clone, Copy)]
        pub(crate) struct $name;

        impl Binary for $name {
            #[inline(always)]
            fn apply<$type: Real>($x: $type, $y: $type) -> $type {
                $value
            }

            fn otherwise(a: FlexTensor, b: FlexTensor) -> FlexTensor {
                $otherwise(a, b)
            }
        }
    };
}

binary!(Add, |x, y, T| x + y, Flex::float_add);
binary!(Sub, |x, y, T| x - y, Flex::float_sub);
binary!(Mul, |x, y, T| x * y, Flex::float_mul);
binary!(Div, |x, y, T| x / y, Flex::float_div);
binary!(WherePositive, |x, y, T| if x > T::ZERO { y } else { T::ZERO }, Flex::relu_backward);

fn binary<Op: Binary>(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    match (a.dtype(), b.dtype()) {
        (DType::F32, DType::F32) => typed::<f32, Op>(a, b),
        (DType::F64, DType::F64) => typed::<f64, Op>(a, b),
        _ => Op::otherwise(a, b),
    }
}

fn typed<T: Real, Op: Binary>(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    let Some(shape) = broadcast_shape([&a, &b]) else {
        return Op::otherwise(a, b);
    };
    let full = |x: &FlexTensor| x.layout().shape().as_slice() == shape.lengths();
    if full(&a) && full(&b) && a.layout().strides() == b.layout().strides() && packed(&a) {
        return storage_wise::<T, Op>(a, b);
    }
    // In the order of a tensor that is without gaps but not in order, if no other is in order.
    let permuted = |x: &FlexTensor| full(x) && !row_major(x) && packed(x);
    let in_order = |x: &FlexTensor| full(x) && row_major(x);
    if !in_order(&a) && !in_order(&b) && (permuted(&a) || permuted(&b)) {
        let (order, rank) = storage_order(if permuted(&a) { &a } else { &b });
        let mut inverse = [0; MAX_RANK];
        order[..rank].iter().enumerate().for_each(|(to, from)| inverse[*from] = to);
        let [a, b] = [a, b].map(|x| permute(x, &order[..rank]));
        return permute(typed::<T, Op>(a, b), &inverse[..rank]);
    }
    by_strides::<T, Op>(a, b, &shape)
}

#[inline(always)]
fn swapped<T: Real, Op: Binary>(y: T, x: T) -> T {
    Op::apply(x, y)
}

fn permute(x: FlexTensor, order: &[usize]) -> FlexTensor {
    let layout = x.layout().permute(order);
    x.with_layout(layout)
}

/// Two tensors that lie alike in memory.
fn storage_wise<T: Real, Op: Binary>(mut a: FlexTensor, mut b: FlexTensor) -> FlexTensor {
    let len = a.layout().num_elements();
    let range = |x: &FlexTensor| x.layout().start_offset()..x.layout().start_offset() + len;
    let (in_a, in_b) = (range(&a), range(&b));
    if a.is_unique() && whole(&a) {
        update(a.storage_mut::<T>(), &b.storage::<T>()[in_b], Op::apply);
        recycle(b);
        return a;
    }
    if b.is_unique() && whole(&b) {
        update(b.storage_mut::<T>(), &a.storage::<T>()[in_a], swapped::<T, Op>);
        recycle(a);
        return b;
    }
    let (x, y) = (&a.storage::<T>()[in_a], &b.storage::<T>()[in_b]);
    let mut values = take::<T>(len);
    let room = values.as_mut_slice();
    vectorized(
        #[inline(always)]
        move || {
            for (value, (x, y)) in room.iter_mut().zip(x.iter().zip(y)) {
                *value = Op::apply(*x, *y);
            }
        },
    );
    let layout = a.layout();
    let layout = Layout::new(layout.shape().clone(), layout.strides().to_vec(), 0);
    strided(values, layout, a.dtype())
}

#[inline]
fn update<T: Real>(values: &mut [T], others: &[T], operation: impl Fn(T, T) -> T) {
    vectorized(
        #[inline(always)]
        move || {
            for (value, other) in values.iter_mut().zip(others) {
                *value = operation(*value, *other);
            }
        },
    );
}

/// Row by row of the result, which is in order.
fn by_strides<T: Real, Op: Binary>(
    mut a: FlexTensor,
    mut b: FlexTensor,
    shape: &Lengths,
) -> FlexTensor {
    let len = shape.lengths().iter().product();
    let (_, [x, y]) = shape.axes([&a, &b]).pop();
    // Rows that are not without gaps are worth a copy, except very few.
    if len >= 128 {
        a = if matches!(x, 0 | 1) { a } else { contiguous(a) };
        b = if matches!(y, 0 | 1) { b } else { contiguous(b) };
    }
    if let Some(row) = short_row(&b, &a, shape) {
        return with_row::<T>(a, b, row, Op::apply);
    }
    if let Some(row) = short_row(&a, &b, shape) {
        return with_row::<T>(b, a, row, swapped::<T, Op>);
    }
    let in_place = |x: &FlexTensor| is_full(x, shape) && x.is_unique() && whole(x);
    let starts = [&a, &b].map(|x| x.layout().start_offset());
    if in_place(&a) {
        let axes = shape.axes([&b]);
        update_rows(a.storage_mut::<T>(), b.storage::<T>(), starts[1], axes, Op::apply);
        recycle(b);
        return a;
    }
    if in_place(&b) {
        let axes = shape.axes([&a]);
        update_rows(b.storage_mut::<T>(), a.storage::<T>(), starts[0], axes, swapped::<T, Op>);
        recycle(a);
        return b;
    }
    let mut values = take::<T>(len);
    let axes = shape.axes([&a, &b]);
    combine_rows(&mut values, (a.storage(), b.storage()), starts, axes, Op::apply::<T>);
    let result = dense(values, shape.lengths(), a.dtype());
    recycle(a);
    recycle(b);
    result
}

/// Whether a tensor is of a shape, its elements in order.
fn is_full(x: &FlexTensor, shape: &Lengths) -> bool {
    x.layout().shape().as_slice() == shape.lengths() && row_major(x)
}

/// The widest of rows that are made wider.
const WIDE: usize = 128;

/// Where a row lies that is broadcast along all rows of another tensor, which is in order, if it is so
/// short that loops over it would hardly start.
fn short_row(x: &FlexTensor, other: &FlexTensor, shape: &Lengths) -> Option<Range<usize>> {
    let mut axes = shape.axes([x]);
    let (length, [stride]) = axes.pop();
    let repeated = axes.rank() == 1 && axes.strides()[0] == [0];
    let start = x.layout().start_offset();
    let short = length <= WIDE / 4 && stride == 1;
    (short && repeated && is_full(other, shape)).then_some(start..start + length)
}

/// Each element of a tensor in order and one of a row that is broadcast, several rows at a time.
fn with_row<T: Real>(
    mut x: FlexTensor,
    other: FlexTensor,
    row: Range<usize>,
    operation: impl Fn(T, T) -> T,
) -> FlexTensor {
    let row = &other.storage::<T>()[row];
    let mut several = [T::ZERO; WIDE];
    let several = &mut several[..WIDE / row.len() * row.len()];
    several.chunks_exact_mut(row.len()).for_each(|copy| copy.copy_from_slice(row));
    let several = &*several;
    if x.is_unique() && whole(&x) {
        let values = x.storage_mut::<T>();
        vectorized(
            #[inline(always)]
            move || {
                for rows in values.chunks_mut(several.len()) {
                    for (value, other) in rows.iter_mut().zip(several) {
                        *value = operation(*value, *other);
                    }
                }
            },
        );
        return x;
    }
    let (start, len) = (x.layout().start_offset(), x.layout().num_elements());
    let mut values = take::<T>(len);
    let (room, source) = (values.as_mut_slice(), &x.storage::<T>()[start..start + len]);
    vectorized(
        #[inline(always)]
        move || {
            let rows = room.chunks_mut(several.len()).zip(source.chunks(several.len()));
            for (rows, source) in rows {
                for (value, (x, other)) in rows.iter_mut().zip(source.iter().zip(several)) {
                    *value = operation(*x, *other);
                }
            }
        },
    );
    dense(values, x.layout().shape().as_slice(), x.dtype())
}

/// Each value by itself and an element of a tensor walked along.
#[inline]
pub(crate) fn update_rows<T: Number, O: Number>(
    values: &mut [T],
    others: &[O],
    start: usize,
    mut axes: Axes<1>,
    operation: impl Fn(T, O) -> T,
) {
    let (length, [stride]) = axes.pop();
    vectorized(
        #[inline(always)]
        move || match stride {
            1 => {
                for (row, [at]) in rows(values, length).zip(axes.offsets([start])) {
                    for (value, other) in row.iter_mut().zip(&others[at..at + length]) {
                        *value = operation(*value, *other);
                    }
                }
            }
            0 => {
                for (row, [at]) in rows(values, length).zip(axes.offsets([start])) {
                    let other = others[at];
                    for value in row {
                        *value = operation(*value, other);
                    }
                }
            }
            _ => {
                for (row, [at]) in rows(values, length).zip(axes.offsets([start])) {
                    for (i, value) in row.iter_mut().enumerate() {
                        *value = operation(*value, others[along(at, i, stride)]);
                    }
                }
            }
        },
    );
}

/// Each value by the elements of two tensors walked along.
#[inline]
pub(crate) fn combine_rows<T: Number, O: Number>(
    values: &mut [T],
    (x, y): (&[T], &[O]),
    starts: [usize; 2],
    mut axes: Axes<2>,
    operation: impl Fn(T, O) -> T,
) {
    let (length, strides) = axes.pop();
    vectorized(
        #[inline(always)]
        move || match strides {
            [1, 1] => {
                for (row, [i, j]) in rows(values, length).zip(axes.offsets(starts)) {
                    let pairs = x[i..i + length].iter().zip(&y[j..j + length]);
                    for (value, (x, y)) in row.iter_mut().zip(pairs) {
                        *value = operation(*x, *y);
                    }
                }
            }
            [1, 0] => {
                for (row, [i, j]) in rows(values, length).zip(axes.offsets(starts)) {
                    let y = y[j];
                    for (value, x) in row.iter_mut().zip(&x[i..i + length]) {
                        *value = operation(*x, y);
                    }
                }
            }
            [0, 1] => {
                for (row, [i, j]) in rows(values, length).zip(axes.offsets(starts)) {
                    let x = x[i];
                    for (value, y) in row.iter_mut().zip(&y[j..j + length]) {
                        *value = operation(x, *y);
                    }
                }
            }
            [s, t] => {
                for (row, [i, j]) in rows(values, length).zip(axes.offsets(starts)) {
                    for (k, value) in row.iter_mut().enumerate() {
                        *value = operation(x[along(i, k, s)], y[along(j, k, t)]);
                    }
                }
            }
        },
    );
}

#[inline(always)]
fn rows<T>(values: &mut [T], length: usize) -> ChunksExactMut<'_, T> {
    values.chunks_exact_mut(length)
}

#[inline(always)]
fn along(start: usize, steps: usize, stride: isize) -> usize {
    (start as isize + steps as isize * stride) as usize
}
