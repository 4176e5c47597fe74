//! The CPU's own kernels against formulas in double precision.

use burn::tensor::activation::sigmoid;
use burn::tensor::{Tensor, TensorData, TensorPrimitive};
use sharpscope_compute::{Compute, ComputeDevice, ComputeTensor};
use sharpscope_tangents::Elementwise;

/// Numbers of both signs from the smallest to beyond where each function levels off.
fn inputs() -> Vec<f32> {
    let grid = (-120_000..=120_000).map(|i| i as f32 / 10_000.0);
    let small = (1..400).flat_map(|i| {
        let x = 0.9_f32.powi(i);
        [x, -x]
    });
    grid.chain(small).chain([0.0, -0.0, 80.0, -80.0]).collect()
}

fn tensor(values: &[f32]) -> Tensor<Compute, 1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &ComputeDevice::Cpu)
}

fn values<const D: usize>(x: Tensor<Compute, D>) -> Vec<f32> {
    x.into_data().to_vec().expect("single precision")
}

fn primitive<const D: usize>(x: &Tensor<Compute, D>) -> ComputeTensor {
    x.clone().into_primitive().tensor()
}

fn wrapped<const D: usize>(x: ComputeTensor) -> Tensor<Compute, D> {
    Tensor::from_primitive(TensorPrimitive::Float(x))
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
    type Function = fn(Tensor<Compute, 1>) -> Tensor<Compute, 1>;
    type Exact = fn(f64) -> f64;
    let cases: [(&str, Function, Exact, f64); 4] = [
        ("exp", Tensor::exp, f64::exp, 1.0),
        ("tanh", Tensor::tanh, f64::tanh, 3.0),
        ("erf", Tensor::erf, erf, 2.0),
        ("sigmoid", sigmoid, |x| 1.0 / (1.0 + (-x).exp()), 4.0),
    ];
    let x = tensor(&inputs());
    for (name, function, exact, units) in cases {
        let (error, at) = worst(&values(function(x.clone())), exact);
        assert!(error <= units, "{name} is {error:.2} units off at {at:e}");
    }
    let slope = values(wrapped::<1>(Compute::tanh_slope(primitive(&x))));
    let exact: Vec<f32> = inputs().iter().map(|x| 1.0 - x * x).collect();
    assert_eq!(slope, exact);
}

#[test]
fn tensors_in_any_layout_and_shared_ones_are_left_as_they_are() {
    let six = tensor(&[0.1, 0.2, 0.3, 0.4, 0.5, 0.6]).reshape([2, 3]);
    let transposed = six.clone().transpose();
    let close = |found: Vec<f32>, expected: &[f32]| {
        assert_eq!(found.len(), expected.len());
        let near = found.iter().zip(expected).all(|(a, b)| (a - b).abs() <= 1e-6);
        assert!(near, "{found:?}, not {expected:?}");
    };
    let exp = |x: [f32; 6]| x.map(f32::exp);
    close(values(transposed.clone().exp()), &exp([0.1, 0.4, 0.2, 0.5, 0.3, 0.6]));
    close(values(six.clone().narrow(0, 1, 1).exp()), &exp([0.4, 0.5, 0.6, 0.0, 0.0, 0.0])[..3]);
    assert_eq!(values(six.clone()), [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]);

    let squares = |x: &Tensor<Compute, 2>| {
        let [a, b, c, d] = [(); 4].map(|()| primitive(x));
        values(wrapped::<2>(Compute::sum_of_products(a, b, c, d)))
    };
    close(squares(&six), &[0.02, 0.08, 0.18, 0.32, 0.5, 0.72]);
    close(squares(&transposed), &[0.02, 0.32, 0.08, 0.5, 0.18, 0.72]);
}
