//! Sums of products, as the derivative of a product is one.

use burn_backend::DType;
use burn_flex::FlexTensor;

use crate::arithmetic::{add, mul};
use crate::broadcast::broadcast_shape;
use crate::element::{Real, dense, vectorized};
use crate::pool::{recycle, take};
use crate::strides::axes_of;

/// a b + c d; axes of length 1 are broadcast.
pub fn sum_of_products(a: FlexTensor, b: FlexTensor, c: FlexTensor, d: FlexTensor) -> FlexTensor {
    // Factors that are broadcast along rows come second.
    let (a, b) = if innermost_is_broadcast(&a) { (b, a) } else { (a, b) };
    let (c, d) = if innermost_is_broadcast(&c) { (d, c) } else { (c, d) };
    let factors = [a, b, c, d];
    let sum = match factors.each_ref().map(|factor| factor.dtype()) {
        [DType::F32, DType::F32, DType::F32, DType::F32] => fused::<f32>(&factors),
        [DType::F64, DType::F64, DType::F64, DType::F64] => fused::<f64>(&factors),
        _ => None,
    };
    if let Some(sum) = sum {
        factors.into_iter().for_each(recycle);
        return sum;
    }
    let [a, b, c, d] = factors;
    add(mul(a, b), mul(c, d))
}

fn innermost_is_broadcast(x: &FlexTensor) -> bool {
    matches!(axes_of(x).next_back(), Some((length, stride)) if length == 1 || stride == 0)
}

/// The sum of two products in one pass, where rows are without gaps or broadcast.
fn fused<T: Real>(factors: &[FlexTensor; 4]) -> Option<FlexTensor> {
    let factors = factors.each_ref();
    let shape = broadcast_shape(factors)?;
    let mut axes = shape.axes(factors);
    let (length, strides) = axes.pop();
    let second_broadcast = match strides {
        [1, 1, 1, 1] => [false, false],
        [1, 0, 1, 1] => [true, false],
        [1, 1, 1, 0] => [false, true],
        [1, 0, 1, 0] => [true, true],
        _ => return None,
    };
    let mut values = take::<T>(shape.lengths().iter().product());
    let room = values.as_mut_slice();
    let starts = factors.map(|factor| factor.layout().start_offset());
    let [a, b, c, d] = factors.map(|factor| factor.storage::<T>());
    vectorized(
        #[inline(always)]
        move || {
            for (row, [i, j, k, l]) in room.chunks_exact_mut(length).zip(axes.offsets(starts)) {
                let (a, c) = (&a[i..i + length], &c[k..k + length]);
                let (b, d) = (&b[j..], &d[l..]);
                match second_broadcast {
                    [false, false] => {
                        let pairs = a.iter().zip(&b[..length]).zip(c.iter().zip(&d[..length]));
                        for (value, ((a, b), (c, d))) in row.iter_mut().zip(pairs) {
                            *value = *a * *b + *c * *d;
                        }
                    }
                    [true, true] => {
                        let (b, d) = (b[0], d[0]);
                        for (value, (a, c)) in row.iter_mut().zip(a.iter().zip(c)) {
                            *value = *a * b + *c * d;
                        }
                    }
                    [true, false] => {
                        let b = b[0];
                        let pairs = c.iter().zip(&d[..length]);
                        for (value, (a, (c, d))) in row.iter_mut().zip(a.iter().zip(pairs)) {
                            *value = *a * b + *c * *d;
                        }
                    }
                    [false, true] => {
                        let d = d[0];
                        let pairs = a.iter().zip(&b[..length]);
                        for (value, ((a, b), c)) in row.iter_mut().zip(pairs.zip(c)) {
                            *value = *a * *b + *c * d;
                        }
                    }
                }
            }
        },
    );
    Some(dense(values, shape.lengths(), factors[0].dtype()))
}
