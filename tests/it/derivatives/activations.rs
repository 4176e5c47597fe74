//! Activations, one by one.

use burn::backend::Autodiff;
use burn::tensor::Tensor;
use sharpscope::device::{Compute, Precision};
use sharpscope::model::Activation;

use super::{ACTIVATIONS, epsilon, on_cpu};

type Once = Autodiff<Compute>;
type Twice = Autodiff<Once>;

/// `f(x)`, `f'(x)` and `f''(x)` of an elementwise function by two tapes, one inside the other.
fn differentiate_twice(
    xs: &[f64],
    precision: Precision,
    f: impl Fn(Tensor<Twice, 1>) -> Tensor<Twice, 1>,
) -> [Vec<f64>; 3] {
    let placement = on_cpu(precision, 1);
    let uploaded = placement.float(xs, [xs.len()]);
    let inner = Tensor::<Once, 1>::from_inner(uploaded).require_grad();
    let outer = Tensor::<Twice, 1>::from_inner(inner.clone()).require_grad();
    let value = f(outer.clone());
    let read = |tensor: Tensor<Compute, 1>| placement.read(tensor).unwrap();
    let slope = outer.grad(&value.clone().sum().backward()).expect("a derivative");
    // A constant slope leaves no trace on the inner tape.
    let curvature = inner.grad(&slope.clone().sum().backward());
    let curvature = curvature.map_or_else(|| vec![0.0; xs.len()], read);
    [read(value.inner().inner()), read(slope.inner()), curvature]
}

#[test]
fn burn_differentiates_twice() {
    // x^3 twice is 6x: a burn that keeps only first-order derivatives gives 0, or does not compile.
    let xs = [-2.0, -0.5, 0.0, 1.0, 3.0];
    let cube = |x: Tensor<Twice, 1>| x.clone() * x.clone() * x;
    let [value, slope, curvature] = differentiate_twice(&xs, Precision::F64, cube);
    for (i, x) in xs.into_iter().enumerate() {
        assert_eq!([value[i], slope[i], curvature[i]], [x * x * x, 3.0 * x * x, 6.0 * x], "at {x}");
    }
}

/// The normal distribution function by Simpson's rule on its density.
fn normal_cdf(x: f64) -> f64 {
    const HALVES: usize = 2000;
    if x.abs() > 10.0 {
        return f64::from(u8::from(x > 0.0));
    }
    let h = x / (2 * HALVES) as f64;
    let terms = (0..=2 * HALVES).map(|i| {
        let weight = match i {
            0 => 1.0,
            i if i == 2 * HALVES => 1.0,
            i if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * normal_density(h * i as f64)
    });
    0.5 + terms.sum::<f64>() * h / 3.0
}

fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// f, f' and f'' in double precision from formulas that overflow nowhere; at a kink, the values
/// that PyTorch has as well.
fn exact(activation: Activation, x: f64) -> [f64; 3] {
    let step = f64::from(u8::from(x > 0.0));
    let (s, not_s) = (1.0 / (1.0 + (-x).exp()), 1.0 / (1.0 + x.exp()));
    match activation {
        Activation::Tanh => {
            let (t, slope) = (x.tanh(), x.cosh().powi(-2));
            [t, slope, -2.0 * t * slope]
        }
        Activation::Relu => [x.max(0.0), step, 0.0],
        Activation::Gelu => {
            let (cdf, density) = (normal_cdf(x), normal_density(x));
            [x * cdf, cdf + x * density, (2.0 - x * x) * density]
        }
        Activation::Elu if x > 0.0 => [x, 1.0, 0.0],
        Activation::Elu => [x.exp_m1(), x.exp(), x.exp()],
        Activation::Softplus => [x.max(0.0) + (-x.abs()).exp().ln_1p(), s, s * not_s],
        Activation::Silu => [x * s, s * (1.0 + x * not_s), s * not_s * (2.0 + x * (not_s - s))],
        Activation::Identity => [x, 1.0, 0.0],
    }
}

/// From the centre to where exponentials of every precision overflow.
pub const POINTS: [f64; 15] = [
    0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 20.0, -20.0, 88.9, -88.9, 100.0, -100.0, 1000.0, -1000.0,
];

/// Asserts that `found`, in each of its derivatives, is `expected` at the points, to sixteen roundings
/// of a quantity of the size of x or of 1.
pub fn check_values<const K: usize>(
    (activation, precision): (Activation, Precision),
    points: &[f64],
    found: &[Vec<f64>; K],
    expected: impl Fn([f64; 3]) -> [f64; K],
) {
    for (i, &x) in points.iter().enumerate() {
        let expected = expected(exact(activation, precision.round(x)));
        for (order, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (found[i] - expected).abs();
            let allowed = 16.0 * epsilon(precision) * x.abs().max(1.0);
            let what = format!("{activation:?} in {precision:?} at {x}, derivative {order}");
            assert!(error <= allowed, "{what}: {} instead of {expected}", found[i]);
        }
    }
}

/// Both precisions with every activation.
fn in_both_precisions() -> impl Iterator<Item = (Activation, Precision)> {
    ACTIVATIONS.into_iter().flat_map(|a| [Precision::F32, Precision::F64].map(|p| (a, p)))
}

#[test]
fn activations_and_their_derivatives_are_right_and_finite_far_out_and_at_kinks() {
    for (activation, precision) in in_both_precisions() {
        let found = differentiate_twice(&POINTS, precision, |x| activation.forward(x));
        check_values((activation, precision), &POINTS, &found, |exact| exact);
    }
}

#[test]
fn a_second_derivative_sees_the_value_of_an_activation_as_a_function_too() {
    // Half of f^2 has the second derivative f'^2 + f f'', in which one f' comes from the inner tape's
    // derivative of the value and not from the derivative that the outer tape was given.
    for (activation, precision) in in_both_precisions() {
        let half_square = |x| activation.forward(x).square().mul_scalar(0.5);
        let [_, _, found] = differentiate_twice(&POINTS, precision, half_square);
        check_values((activation, precision), &POINTS, &[found], |[f, slope, curvature]| {
            [slope * slope + f * curvature]
        });
    }
}

#[test]
fn derivatives_at_kinks_follow_the_usual_conventions() {
    let at_zero = |activation: Activation| {
        let [_, slope, _] = differentiate_twice(&[0.0], Precision::F64, |x| activation.forward(x));
        slope[0]
    };
    assert_eq!(at_zero(Activation::Relu), 0.0);
    assert_eq!(at_zero(Activation::Elu), 1.0);
    assert_eq!(at_zero(Activation::Softplus), 0.5);
}
