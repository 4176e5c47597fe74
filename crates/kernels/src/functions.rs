//! Elementwise functions on the CPU backend, several numbers at a time.
//!
//! burn's own evaluate one number after the other, which takes most of the time of a small network
//! with tanh or gelu. Here single precision goes through vector instructions; double precision, and
//! whatever else, is left to burn.
//!
//! Largest errors in single precision, in units in the last place: exp 1, tanh 3, erf 2, sigmoid 4.

use burn_backend::DType;
use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_flex::{Flex, FlexTensor};
use burn_std::Bytes;
use rten_simd::ops::{BitOps, FloatOps, NumOps};
use rten_simd::{Isa, SimdUnaryOp};
use rten_vecmath::{Exp, ExtendInit, Sigmoid, Tanh};

/// exp(x).
pub fn exp(x: FlexTensor) -> FlexTensor {
    map(x, &Exp {}, Flex::float_exp)
}

/// tanh(x).
pub fn tanh(x: FlexTensor) -> FlexTensor {
    map(x, &Tanh {}, Flex::float_tanh)
}

/// erf(x).
pub fn erf(x: FlexTensor) -> FlexTensor {
    map(x, &Erf {}, Flex::float_erf)
}

/// 1 / (1 + exp(-x)).
pub fn sigmoid(x: FlexTensor) -> FlexTensor {
    map(x, &Sigmoid {}, Flex::sigmoid)
}

/// 1 - y^2.
pub fn tanh_slope(y: FlexTensor) -> FlexTensor {
    map(y, &OneMinusSquare {}, |y| {
        Flex::float_add_scalar(Flex::float_neg(Flex::float_mul(y.clone(), y)), 1.into())
    })
}

/// Whether a tensor is in single precision, its elements in order from the start of its storage.
fn dense_single(x: &FlexTensor) -> bool {
    x.dtype() == DType::F32 && x.is_contiguous() && x.layout().start_offset() == 0
}

/// The operation on each element, in place where nobody else holds the tensor.
fn map(
    x: FlexTensor,
    operation: &impl SimdUnaryOp<f32>,
    otherwise: impl Fn(FlexTensor) -> FlexTensor,
) -> FlexTensor {
    if x.dtype() != DType::F32 {
        return otherwise(x);
    }
    let mut x = if dense_single(&x) { x } else { x.to_contiguous() };
    let len = x.layout().num_elements();
    if x.is_unique() {
        operation.map_mut(&mut x.storage_mut::<f32>()[..len]);
        return x;
    }
    let mut values: Vec<f32> = Vec::with_capacity(len);
    let input = &x.storage::<f32>()[..len];
    // The spare room may be larger than was asked for.
    values.extend_init(|room| operation.map(input, &mut room[..len]));
    FlexTensor::new(Bytes::from_elems(values), x.layout().clone(), DType::F32)
}

/// 1 - x^2.
struct OneMinusSquare {}

impl SimdUnaryOp<f32> for OneMinusSquare {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        let ops = isa.f32();
        ops.sub(ops.one(), ops.mul(x, x))
    }
}

/// erf(x): x times a polynomial in x^2 below 475/512, and 1 - exp of a polynomial above.
///
/// Coefficients of N. Juffa (2018), fitted for less than one unit in the last place; the library's own
/// function is right to 6.6e-7 absolutely, which near zero is no digit at all.
struct Erf {}

impl SimdUnaryOp<f32> for Erf {
    #[inline(always)]
    fn eval<I: Isa>(&self, isa: I, x: I::F32) -> I::F32 {
        const NEAR: [f32; 6] = [
            -5.967_617e-4,
            4.991_194e-3,
            -2.676_813_5e-2,
            1.128_199_25e-1,
            -3.761_253_4e-1,
            1.283_791_7e-1,
        ];
        const FAR: [f32; 7] = [
            -1.728_534_7e-5,
            3.831_972e-4,
            -3.883_964_4e-3,
            2.425_462_2e-2,
            -1.067_778_8e-1,
            -6.348_467e-1,
            -1.287_175_1e-1,
        ];
        let ops = isa.f32();
        let horner = |at: I::F32, coefficients: &[f32]| {
            let first = ops.splat(coefficients[0]);
            coefficients[1..].iter().fold(first, |sum, &c| ops.mul_add(sum, at, ops.splat(c)))
        };
        let magnitude = ops.abs(x);
        let near = ops.mul_add(horner(ops.mul(x, x), &NEAR), x, x);
        // erf is 1 from here on in single precision; the polynomial is not meant for more.
        let t = ops.min(magnitude, ops.splat(4.0));
        let exponent = ops.mul_add(horner(t, &FAR), t, ops.neg(t));
        let far = ops.sub(ops.one(), Exp::apply(isa, exponent));
        let far = ops.select(ops.neg(far), far, ops.lt(x, ops.zero()));
        ops.select(far, near, ops.gt(magnitude, ops.splat(475.0 / 512.0)))
    }
}
