//! Elementwise functions on the CPU backend, several numbers at a time.
//!
//! burn's own evaluate one number after the other, which takes most of the time of a small network
//! with tanh or gelu. Here single precision goes through vector instructions; double precision, and
//! whatever else, is left to burn.
//!
//! Largest errors in single precision, in units in the last place: exp 1, tanh 3, erf 2, sigmoid 4.

use burn::backend::Flex;
use burn::backend::flex::FlexTensor;
use burn::tensor::{Bytes, DType};
use rten_simd::ops::{BitOps, FloatOps, NumOps};
use rten_simd::{Isa, SimdUnaryOp};
use rten_vecmath::{Exp, ExtendInit, Sigmoid, Tanh};

use crate::forward::{Elementwise, Native};

/// Kernels for [`Flex`].
#[derive(Debug, Clone, Copy, Default)]
pub struct CpuKernels;

impl Elementwise<Flex> for CpuKernels {
    fn exp(x: FlexTensor) -> FlexTensor {
        map(x, &Exp {}, <Native as Elementwise<Flex>>::exp)
    }

    fn tanh(x: FlexTensor) -> FlexTensor {
        map(x, &Tanh {}, <Native as Elementwise<Flex>>::tanh)
    }

    fn erf(x: FlexTensor) -> FlexTensor {
        map(x, &Erf {}, <Native as Elementwise<Flex>>::erf)
    }

    fn sigmoid(x: FlexTensor) -> FlexTensor {
        map(x, &Sigmoid {}, <Native as Elementwise<Flex>>::sigmoid)
    }

    fn tanh_slope(y: FlexTensor) -> FlexTensor {
        map(y, &OneMinusSquare {}, <Native as Elementwise<Flex>>::tanh_slope)
    }

    fn sum_of_products(a: FlexTensor, b: FlexTensor, c: FlexTensor, d: FlexTensor) -> FlexTensor {
        let factors = [&a, &b, &c, &d];
        let same = |x: &&FlexTensor| dense_single(x) && x.layout().shape() == a.layout().shape();
        if !factors.iter().all(same) {
            return <Native as Elementwise<Flex>>::sum_of_products(a, b, c, d);
        }
        let len = a.layout().num_elements();
        let [w, x, y, z] = factors.map(|factor| &factor.storage::<f32>()[..len]);
        let pairs = w.iter().zip(x).zip(y.iter().zip(z));
        let sum: Vec<f32> = pairs.map(|((w, x), (y, z))| w * x + y * z).collect();
        FlexTensor::new(Bytes::from_elems(sum), a.layout().clone(), DType::F32)
    }
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

#[cfg(test)]
mod tests {
    use burn::tensor::ops::FloatTensorOps;
    use burn::tensor::{Shape, TensorData};

    use super::*;

    /// Numbers of both signs from the smallest to beyond where each function levels off.
    fn inputs() -> Vec<f32> {
        let grid = (-120_000..=120_000).map(|i| i as f32 / 10_000.0);
        let small = (1..400).flat_map(|i| {
            let x = 0.9_f32.powi(i);
            [x, -x]
        });
        grid.chain(small).chain([0.0, -0.0, 80.0, -80.0]).collect()
    }

    fn tensor(values: &[f32]) -> FlexTensor {
        let data = TensorData::new(values.to_vec(), Shape::new([values.len()]));
        Flex::float_from_data(data, &Default::default())
    }

    fn values(x: &FlexTensor) -> Vec<f32> {
        x.to_contiguous().storage::<f32>().to_vec()
    }

    /// The largest error in units in the last place, and where.
    fn worst(found: &[f32], exact: impl Fn(f64) -> f64) -> (f64, f32) {
        let error = |(&x, &y): (&f32, &f32)| {
            let exact = exact(f64::from(x));
            let rounded = (exact.abs() as f32).max(f32::MIN_POSITIVE);
            let unit = f64::from(rounded.next_up()) - f64::from(rounded);
            ((f64::from(y) - exact).abs() / unit, x)
        };
        inputs().iter().zip(found).map(error).fold((0.0, 0.0), |a, b| if b.0 > a.0 { b } else { a })
    }

    /// Abramowitz and Stegun 7.1.5 and 7.1.14, to double precision.
    fn erf(x: f64) -> f64 {
        let magnitude = x.abs();
        let value = if magnitude < 3.0 {
            let (mut term, mut sum) = (magnitude, magnitude);
            for n in 1..200 {
                term *= -magnitude * magnitude / f64::from(n);
                sum += term / f64::from(2 * n + 1);
            }
            sum * std::f64::consts::FRAC_2_SQRT_PI
        } else {
            let mut fraction = 0.0;
            for n in (1..200).rev() {
                fraction = 0.5 * f64::from(n) / (magnitude + fraction);
            }
            let tail = (-magnitude * magnitude).exp() / (magnitude + fraction);
            1.0 - tail * 0.5 * std::f64::consts::FRAC_2_SQRT_PI
        };
        value.copysign(x)
    }

    #[test]
    fn functions_are_right_to_a_few_units_in_the_last_place() {
        let x = tensor(&inputs());
        type Function = fn(FlexTensor) -> FlexTensor;
        type Exact = fn(f64) -> f64;
        let cases: [(&str, Function, Exact, f64); 4] = [
            ("exp", CpuKernels::exp, f64::exp, 1.0),
            ("tanh", CpuKernels::tanh, f64::tanh, 3.0),
            ("erf", CpuKernels::erf, erf, 2.0),
            ("sigmoid", CpuKernels::sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 4.0),
        ];
        for (name, function, exact, units) in cases {
            let (error, at) = worst(&values(&function(x.clone())), exact);
            assert!(error <= units, "{name} is {error:.2} units off at {at:e}");
        }
        let slope = values(&CpuKernels::tanh_slope(x.clone()));
        let exact: Vec<f32> = inputs().iter().map(|x| 1.0 - x * x).collect();
        assert_eq!(slope, exact);
    }

    #[test]
    fn tensors_in_any_layout_and_shared_ones_are_left_as_they_are() {
        let six = tensor(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).reshape(Shape::new([2, 3]));
        let transposed = six.transpose(0, 1);
        let expected: Vec<f32> = [0.1, 0.4, 0.2, 0.5, 0.3, 0.6].map(f32::exp).to_vec();
        let close = |found: &[f32], expected: &[f32]| {
            found.len() == expected.len()
                && found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6)
        };
        let found = values(&CpuKernels::exp(transposed.clone()));
        assert!(close(&found, &expected), "{found:?}");
        let part = six.narrow(0, 1, 1);
        let found = values(&CpuKernels::exp(part));
        assert!(close(&found, &[0.4, 0.5, 0.6].map(f32::exp)), "{found:?}");
        assert_eq!(values(&six), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);

        let sum = CpuKernels::sum_of_products(six.clone(), six.clone(), six.clone(), six.clone());
        assert!(close(&values(&sum), &[0.02, 0.08, 0.18, 0.32, 0.5, 0.72]));
        let t = transposed;
        let sum = CpuKernels::sum_of_products(t.clone(), t.clone(), t.clone(), t);
        assert!(close(&values(&sum), &[0.02, 0.32, 0.08, 0.5, 0.18, 0.72]));
    }

    #[test]
    fn double_precision_stays_double() {
        let data = TensorData::new(vec![0.3_f64], Shape::new([1]));
        let x = FlexTensor::from_data(data);
        let found = CpuKernels::tanh(x);
        assert_eq!(found.storage::<f64>(), [0.3_f64.tanh()]);
    }
}
