//! Softmax, its logarithm, and their derivatives in a direction, along the last axis.

use burn_backend::DType;
use burn_backend::ops::ActivationOps;
use burn_flex::{Flex, FlexTensor};

use crate::arithmetic::{mul, sub};
use crate::contiguous::contiguous;
use crate::element::{Real, dense, vectorized};
use crate::fold::{Fold, Max, Sum, dot_rows, fold_rows};
use crate::pool::{recycle, take};
use crate::reduction::sum_dim;
use crate::strides::{Axes, row_major, whole};

/// exp(x) / sum(exp(x)) along an axis.
pub fn softmax(x: FlexTensor, dim: usize) -> FlexTensor {
    match (x.dtype(), last_axis(&x) == Some(dim)) {
        (DType::F32, true) => by_rows(x, normalized::<f32>),
        (DType::F64, true) => by_rows(x, normalized::<f64>),
        _ => Flex::softmax(x, dim),
    }
}

/// x - log(sum(exp(x))) along an axis.
pub fn log_softmax(x: FlexTensor, dim: usize) -> FlexTensor {
    match (x.dtype(), last_axis(&x) == Some(dim)) {
        (DType::F32, true) => by_rows(x, logarithms::<f32>),
        (DType::F64, true) => by_rows(x, logarithms::<f64>),
        _ => Flex::log_softmax(x, dim),
    }
}

fn normalized<T: Real>(source: Option<&[T]>, values: &mut [T], length: usize) {
    each_block(source, values, length, |source, rows| {
        let largest = folds_of::<T, Max>(source.unwrap_or(rows), length);
        with_numbers(source, rows, &largest, length, |x, largest| x - largest);
        T::exponentials(rows);
        let sums = folds_of::<T, Sum>(rows, length);
        with_numbers(None, rows, &sums, length, |x, sum| x / sum);
    });
}

fn logarithms<T: Real>(source: Option<&[T]>, values: &mut [T], length: usize) {
    let mut exponentials = take::<T>(rows_at_once(length) * length);
    each_block(source, values, length, |source, rows| {
        let exponentials = &mut exponentials[..rows.len()];
        let largest = folds_of::<T, Max>(source.unwrap_or(rows), length);
        let read = Some(source.unwrap_or(rows));
        with_numbers(read, exponentials, &largest, length, |x, largest| x - largest);
        T::exponentials(exponentials);
        let mut logarithms = folds_of::<T, Sum>(exponentials, length);
        for logarithm in &mut logarithms[..rows.len() / length] {
            *logarithm = logarithm.logarithm();
        }
        // Not less their sum, which has lost digits where the largest number is large.
        with_numbers(source, rows, &largest, length, |x, largest| x - largest);
        with_numbers(None, rows, &logarithms, length, |x, logarithm| x - logarithm);
    });
}

/// The most rows that are gone over several times before the next.
const MOST_ROWS: usize = 128;

/// So many rows that they stay in the nearest cache, if not one is too long.
fn rows_at_once(length: usize) -> usize {
    (2048 / length).clamp(1, MOST_ROWS)
}

/// Calls a function with some rows of the source and those to write, then with the next.
fn each_block<T: Real>(
    source: Option<&[T]>,
    values: &mut [T],
    length: usize,
    mut call: impl FnMut(Option<&[T]>, &mut [T]),
) {
    let block = rows_at_once(length) * length;
    for (index, rows) in values.chunks_mut(block).enumerate() {
        let at = index * block;
        call(source.map(|source| &source[at..at + rows.len()]), rows);
    }
}

/// A fold for each of up to [`MOST_ROWS`] rows.
fn folds_of<T: Real, F: Fold>(rows: &[T], length: usize) -> [T; MOST_ROWS] {
    let mut folds = [T::ZERO; MOST_ROWS];
    let mut axes = Axes::new();
    let count = rows.len() / length;
    axes.push(count, [length as isize]);
    fold_rows::<T, F>(rows, 0, axes, length, &mut folds[..count]);
    folds
}

/// An operation on each element, of the source or in place, and its row's number.
fn with_numbers<T: Real>(
    source: Option<&[T]>,
    rows: &mut [T],
    numbers: &[T; MOST_ROWS],
    length: usize,
    operation: impl Fn(T, T) -> T,
) {
    vectorized(
        #[inline(always)]
        move || {
            let rows = rows.chunks_exact_mut(length).zip(numbers);
            if let Some(source) = source {
                for ((row, number), from) in rows.zip(source.chunks_exact(length)) {
                    let number = *number;
                    for (x, from) in row.iter_mut().zip(from) {
                        *x = operation(*from, number);
                    }
                }
            } else {
                for (row, number) in rows {
                    let number = *number;
                    for x in row {
                        *x = operation(*x, number);
                    }
                }
            }
        },
    );
}

/// The derivative of `p`, which is softmax of some x along `dim`, in a direction `dx` of x's shape:
/// p (dx - sum(p dx)).
pub fn softmax_tangent(p: FlexTensor, dx: FlexTensor, dim: usize) -> FlexTensor {
    match (p.dtype(), dx.dtype(), alike(&p, &dx) && last_axis(&dx) == Some(dim)) {
        (DType::F32, DType::F32, true) => tangent::<f32>(
            p,
            dx,
            #[inline(always)]
            |p, centred| p * centred,
        ),
        (DType::F64, DType::F64, true) => tangent::<f64>(
            p,
            dx,
            #[inline(always)]
            |p, centred| p * centred,
        ),
        _ => mul(p.clone(), centred(p, dx, dim)),
    }
}

/// The derivative of log(p), where `p` is softmax of some x along `dim`, in a direction `dx` of x's shape:
/// dx - sum(p dx).
pub fn log_softmax_tangent(p: FlexTensor, dx: FlexTensor, dim: usize) -> FlexTensor {
    match (p.dtype(), dx.dtype(), alike(&p, &dx) && last_axis(&dx) == Some(dim)) {
        (DType::F32, DType::F32, true) => tangent::<f32>(
            p,
            dx,
            #[inline(always)]
            |_, centred| centred,
        ),
        (DType::F64, DType::F64, true) => tangent::<f64>(
            p,
            dx,
            #[inline(always)]
            |_, centred| centred,
        ),
        _ => centred(p, dx, dim),
    }
}

fn centred(p: FlexTensor, dx: FlexTensor, dim: usize) -> FlexTensor {
    sub(dx.clone(), sum_dim(mul(p, dx), dim))
}

/// The last axis of a tensor that is not empty.
fn last_axis(x: &FlexTensor) -> Option<usize> {
    let layout = x.layout();
    if layout.num_elements() == 0 { None } else { layout.num_dims().checked_sub(1) }
}

fn alike(p: &FlexTensor, dx: &FlexTensor) -> bool {
    p.layout().shape() == dx.layout().shape() && last_axis(p).is_some()
}

/// What a kernel makes of a tensor, in place where nobody else holds it: it is given the rows to make it
/// of, or none where they are in place, the rows to write, and their length.
fn by_rows<T: Real>(
    x: FlexTensor,
    kernel: impl FnOnce(Option<&[T]>, &mut [T], usize),
) -> FlexTensor {
    let mut x = if row_major(&x) { x } else { contiguous(x) };
    let shape = x.layout().shape();
    let (len, length) = (shape.num_elements(), shape[shape.num_dims() - 1]);
    if x.is_unique() && whole(&x) {
        kernel(None, x.storage_mut(), length);
        return x;
    }
    let start = x.layout().start_offset();
    let mut values = take(len);
    kernel(Some(&x.storage()[start..start + len]), &mut values, length);
    dense(values, x.layout().shape().as_slice(), x.dtype())
}

/// Row by row the combination of p and dx - sum(p dx).
fn tangent<T: Real>(
    p: FlexTensor,
    dx: FlexTensor,
    combine: impl Fn(T, T) -> T + Copy,
) -> FlexTensor {
    let p = if row_major(&p) { p } else { contiguous(p) };
    let start = p.layout().start_offset();
    let mut of_p = &p.storage::<T>()[start..];
    let result = by_rows(dx, |source, values, length| {
        each_block(source, values, length, |source, rows| {
            let block;
            (block, of_p) = of_p.split_at(rows.len());
            let mut sums = [T::ZERO; MOST_ROWS];
            dot_rows(block, source.unwrap_or(rows), length, &mut sums);
            with_numbers(source, rows, &sums, length, |dx, sum| dx - sum);
            vectorized(
                #[inline(always)]
                || {
                    for (x, p) in rows.iter_mut().zip(block) {
                        *x = combine(*p, *x);
                    }
                },
            );
        });
    });
    recycle(p);
    result
}
