//! Softmax, its logarithm, and their derivatives in a direction, along the last axis.

use burn_backend::DType;
use burn_backend::ops::ActivationOps;
use burn_flex::{Flex, FlexTensor};
use rten_simd::{Isa, SimdOp};
use rten_vecmath::{LogSoftmax, Softmax};

use crate::arithmetic::{mul, sub};
use crate::contiguous::contiguous;
use crate::element::{Real, dense, vectorized};
use crate::fold::dot;
use crate::pool::{recycle, take};
use crate::reduction::sum_dim;
use crate::strides::{row_major, whole};

/// exp(x) / sum(exp(x)) along an axis.
pub fn softmax(x: FlexTensor, dim: usize) -> FlexTensor {
    match (x.dtype(), last_axis(&x) == Some(dim)) {
        (DType::F32, true) => by_rows(x, |source, values, length| {
            Single { source, values, length, logarithm: false }.dispatch();
        }),
        (DType::F64, true) => by_rows(x, |source, values, length| {
            each_row(source, values, length, |_, row: &mut [f64]| {
                let largest = largest(row);
                row.iter_mut().for_each(|x| *x = (*x - largest).exp());
                let sum: f64 = row.iter().sum();
                row.iter_mut().for_each(|x| *x /= sum);
            });
        }),
        _ => Flex::softmax(x, dim),
    }
}

/// x - log(sum(exp(x))) along an axis.
pub fn log_softmax(x: FlexTensor, dim: usize) -> FlexTensor {
    match (x.dtype(), last_axis(&x) == Some(dim)) {
        (DType::F32, true) => by_rows(x, |source, values, length| {
            Single { source, values, length, logarithm: true }.dispatch();
        }),
        (DType::F64, true) => by_rows(x, |source, values, length| {
            each_row(source, values, length, |_, row: &mut [f64]| {
                let largest = largest(row);
                let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
                let logarithm = sum.ln();
                row.iter_mut().for_each(|x| *x = (*x - largest) - logarithm);
            });
        }),
        _ => Flex::log_softmax(x, dim),
    }
}

/// The derivative of `p`, which is softmax of some x along the last axis, in a direction `dx` of x's
/// shape: p (dx - sum(p dx)).
pub fn softmax_tangent(p: FlexTensor, dx: FlexTensor) -> FlexTensor {
    match (p.dtype(), dx.dtype(), alike(&p, &dx)) {
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
        _ => mul(p.clone(), centred(p, dx)),
    }
}

/// The derivative of log(p), where `p` is softmax of some x along the last axis, in a direction `dx` of
/// x's shape: dx - sum(p dx).
pub fn log_softmax_tangent(p: FlexTensor, dx: FlexTensor) -> FlexTensor {
    match (p.dtype(), dx.dtype(), alike(&p, &dx)) {
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
        _ => centred(p, dx),
    }
}

fn centred(p: FlexTensor, dx: FlexTensor) -> FlexTensor {
    let last = dx.layout().num_dims() - 1;
    sub(dx.clone(), sum_dim(mul(p, dx), last))
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

#[inline(always)]
fn each_row<T: Real>(
    source: Option<&[T]>,
    values: &mut [T],
    length: usize,
    mut kernel: impl FnMut(usize, &mut [T]),
) {
    for (index, row) in values.chunks_exact_mut(length).enumerate() {
        let at = index * length;
        if let Some(source) = source {
            row.copy_from_slice(&source[at..at + length]);
        }
        kernel(at, row);
    }
}

fn largest(row: &[f64]) -> f64 {
    row.iter().fold(f64::NEG_INFINITY, |largest, x| largest.max(*x))
}

/// Rows in single precision.
struct Single<'a> {
    source: Option<&'a [f32]>,
    values: &'a mut [f32],
    length: usize,
    logarithm: bool,
}

impl SimdOp for Single<'_> {
    type Output = ();

    #[inline(always)]
    fn eval<I: Isa>(self, isa: I) {
        let Self { source, values, length, logarithm } = self;
        if logarithm {
            each_row(
                source,
                values,
                length,
                #[inline(always)]
                |_, row| {
                    LogSoftmax::new_mut(row).eval(isa);
                },
            );
        } else {
            each_row(
                source,
                values,
                length,
                #[inline(always)]
                |_, row| {
                    Softmax::new_mut(row).eval(isa);
                },
            );
        }
    }
}

/// Row by row the combination of p and dx - sum(p dx).
fn tangent<T: Real>(p: FlexTensor, dx: FlexTensor, combine: impl Fn(T, T) -> T) -> FlexTensor {
    let p = if row_major(&p) { p } else { contiguous(p) };
    let start = p.layout().start_offset();
    let of_p = &p.storage::<T>()[start..];
    let result = by_rows(dx, |source, values, length| {
        vectorized(
            #[inline(always)]
            || {
                each_row(
                    source,
                    &mut *values,
                    length,
                    #[inline(always)]
                    |at, row: &mut [T]| {
                        let p = &of_p[at..at + length];
                        let mean = dot(p, row);
                        for (value, p) in row.iter_mut().zip(p) {
                            *value = combine(*p, *value - mean);
                        }
                    },
                );
            },
        );
    });
    recycle(p);
    result
}
