//! Matrix products.
//!
//! A general library copies both factors into an order of its own before it multiplies; here they are
//! read where they are, but for what is not without gaps along rows or columns, or too far apart.

mod pack;
mod product;
mod stripe;

use std::cell::RefCell;
use std::thread::LocalKey;

use burn_backend::DType;
use burn_backend::ops::FloatTensorOps;
use burn_flex::{Flex, FlexTensor};

use crate::arithmetic::add;
use crate::contiguous::contiguous;
use crate::element::Real;
use crate::element::{arch, dense};
use crate::pool::{recycle, take};
use crate::strides::{Axes, MAX_RANK, axes_of};
use product::{Matrix, PACKED, Products};

/// The products of matrices `[.., m, k]` and `[.., k, n]`: `[.., m, n]`. Axes before the last two are
/// broadcast.
///
/// The order in which the terms of an element are summed depends on k alone.
pub fn matmul(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    match (lhs.dtype(), rhs.dtype()) {
        (DType::F32, DType::F32) => multiplied::<f32>(lhs, rhs),
        (DType::F64, DType::F64) => multiplied::<f64>(lhs, rhs),
        _ => Flex::float_matmul(lhs, rhs),
    }
}

/// A sum `[.., m, n]` plus [`matmul`] of `[.., m, k]` and `[.., k, n]`, in the sum's own buffer where
/// nobody else holds it.
pub fn matmul_add(sum: FlexTensor, lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    match (sum.dtype(), lhs.dtype(), rhs.dtype()) {
        (DType::F32, DType::F32, DType::F32) => accumulated::<f32>(sum, lhs, rhs),
        (DType::F64, DType::F64, DType::F64) => accumulated::<f64>(sum, lhs, rhs),
        _ => add(sum, Flex::float_matmul(lhs, rhs)),
    }
}

fn multiplied<T: Buffers>(lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    let Some(shape) = Shapes::new(&lhs, &rhs) else {
        return Flex::float_matmul(lhs, rhs);
    };
    let mut out = take::<T>(shape.of_product().iter().product());
    evaluate(&shape, lhs, rhs, &mut out, false);
    dense(out, shape.of_product(), T::dtype())
}

fn accumulated<T: Buffers>(sum: FlexTensor, lhs: FlexTensor, rhs: FlexTensor) -> FlexTensor {
    let shape = match Shapes::new(&lhs, &rhs) {
        Some(shape) if shape.of_product() == sum.layout().shape().as_slice() => shape,
        _ => return add(sum, matmul(lhs, rhs)),
    };
    let mut sum = contiguous(sum);
    if !sum.is_unique() {
        let mut copy = take::<T>(sum.layout().num_elements());
        copy.copy_from_slice(sum.storage::<T>());
        sum = dense(copy, shape.of_product(), T::dtype());
    }
    evaluate::<T>(&shape, lhs, rhs, sum.storage_mut(), true);
    sum
}

/// Writes or adds the products.
fn evaluate<T: Buffers>(
    shapes: &Shapes,
    lhs: FlexTensor,
    rhs: FlexTensor,
    out: &mut [T],
    add: bool,
) {
    let [_, k, _] = shapes.sizes;
    if k == 0 || out.is_empty() {
        if !add {
            out.fill(T::ZERO);
        }
        return;
    }
    let [mut lhs, mut rhs] = [lhs, rhs].map(readable);
    let [mut m, k, mut n] = shapes.sizes;
    if n == 1 {
        // A column, turned into a row, of whole vectors.
        [lhs, rhs] = [turned(rhs), turned(lhs)];
        [m, n] = [n, m];
    }
    let [mut left, right] = [&lhs, &rhs].map(matrix_strides);
    let mut batch = shapes.batch([&lhs, &rhs]);
    // Products with the same second factor are one where rows follow one another.
    let mut outer = batch;
    let (length, [of_lhs, of_rhs, _]) = outer.pop();
    let one_walk = match m {
        1 => left[1] == 1 || k == 1 || of_lhs == 1,
        _ => of_lhs == left[0] * m as isize,
    };
    if length > 1 && of_rhs == 0 && one_walk {
        if m == 1 {
            left[0] = of_lhs;
        }
        m *= length;
        batch = outer;
    }
    let starts = [lhs.layout().start_offset(), rhs.layout().start_offset(), 0];
    T::buffers().with_borrow_mut(|packed| {
        packed.iter_mut().for_each(|packed| packed.resize(PACKED / size_of::<T>(), T::ZERO));
        let [left_packed, right_packed] = packed;
        arch().dispatch(Products {
            left: Matrix::new(lhs.storage(), left, [m, k]),
            right: Matrix::new(rhs.storage(), right, [k, n]),
            out,
            sizes: [m, k, n],
            offsets: batch.offsets(starts),
            add,
            packed: [left_packed, right_packed],
        });
    });
    recycle(lhs);
    recycle(rhs);
}

/// Strides of rows and columns.
fn matrix_strides(x: &FlexTensor) -> [isize; 2] {
    let strides = x.layout().strides();
    [strides[strides.len() - 2], strides[strides.len() - 1]]
}

/// The matrices transposed.
fn turned(x: FlexTensor) -> FlexTensor {
    let rank = x.layout().num_dims();
    let layout = x.layout().transpose(rank - 2, rank - 1);
    x.with_layout(layout)
}

/// The tensor, copied where neither the rows nor the columns of its matrices are without gaps.
fn readable(x: FlexTensor) -> FlexTensor {
    let shape = x.layout().shape().as_slice();
    let strides = matrix_strides(&x);
    let short = shape[shape.len() - 2..].contains(&1);
    if short || strides.contains(&1) { x } else { contiguous(x) }
}

/// The lengths of the axes of a product.
struct Shapes {
    rank: usize,
    lengths: [usize; MAX_RANK],
    /// m, k and n.
    sizes: [usize; 3],
}

impl Shapes {
    /// None where factors do not fit or have more axes than are walked here.
    fn new(lhs: &FlexTensor, rhs: &FlexTensor) -> Option<Self> {
        let [lhs, rhs] = [lhs, rhs].map(|x| x.layout().shape().as_slice());
        let rank = lhs.len().max(rhs.len());
        let ([of_lhs @ .., m, k], [of_rhs @ .., terms, n]) = (lhs, rhs) else {
            return None;
        };
        if rank > MAX_RANK || k != terms {
            return None;
        }
        let mut lengths = [1; MAX_RANK];
        lengths[rank - 2] = *m;
        lengths[rank - 1] = *n;
        for lengths_of in [of_lhs, of_rhs] {
            let missing = rank - 2 - lengths_of.len();
            for (length, &found) in lengths[missing..].iter_mut().zip(lengths_of) {
                assert!(
                    *length == found || *length == 1 || found == 1,
                    "matrix products of shapes {lhs:?} and {rhs:?}"
                );
                if *length == 1 {
                    *length = found;
                }
            }
        }
        Some(Self { rank, lengths, sizes: [*m, *k, *n] })
    }

    fn of_product(&self) -> &[usize] {
        &self.lengths[..self.rank]
    }

    /// The axes before the last two, with the strides of the factors and of the product.
    fn batch(&self, factors: [&FlexTensor; 2]) -> Axes<3> {
        let [m, _, n] = self.sizes;
        let lengths = &self.lengths[..self.rank - 2];
        let mut strides = [[0; 3]; MAX_RANK];
        for (which, x) in factors.into_iter().enumerate() {
            let missing = self.rank - x.layout().num_dims();
            for (strides, (length, stride)) in strides[missing..].iter_mut().zip(axes_of(x)) {
                strides[which] = if length == 1 { 0 } else { stride };
            }
        }
        let mut stride = (m * n) as isize;
        for (strides, length) in strides.iter_mut().zip(lengths).rev() {
            strides[2] = stride;
            stride *= *length as isize;
        }
        let mut axes = Axes::new();
        for (length, strides) in lengths.iter().zip(strides) {
            axes.push(*length, strides);
        }
        axes
    }
}

/// Types with buffers for copies of parts of the factors, of each thread.
trait Buffers: Real {
    fn buffers() -> &'static LocalKey<RefCell<[Vec<Self>; 2]>>;
}

macro_rules! buffers {
    ($type:ty) => {
        impl Buffers for $type {
            fn buffers() -> &'static LocalKey<RefCell<[Vec<Self>; 2]>> {
                thread_local! {
                    static BUFFERS: RefCell<[Vec<$type>; 2]> =
                        const { RefCell::new([Vec::new(), Vec::new()]) };
                }
                &BUFFERS
            }
        }
    };
}

buffers!(f32);
buffers!(f64);
