//! Activation functions whose derivative is exactly their own, as often as it is differentiated.

use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::Tensor;
use burn::tensor::activation::{gelu, relu};
use burn::tensor::backend::Backend;
use statrs::function::erf::erfc;

use crate::names::choices;

choices! {
    /// An elementwise nonlinearity.
    pub enum Activation ("activation") {
        /// tanh(x).
        Tanh = "tanh",
        /// max(x, 0), with derivative 0 at 0.
        Relu = "relu",
        /// x Phi(x), Phi the standard normal distribution function (the exact form, by erf).
        Gelu = "gelu",
        /// x above 0, exp(x) - 1 below.
        Elu = "elu",
        /// log(1 + exp(x)).
        Softplus = "softplus",
        /// x / (1 + exp(-x)).
        Silu = "silu",
        /// x.
        Identity = "identity",
    }
}

impl Activation {
    /// f(x).
    pub fn of(self, x: f64) -> f64 {
        match self {
            Activation::Tanh => x.tanh(),
            Activation::Relu => x.max(0.0),
            Activation::Gelu => 0.5 * x * erfc(-x * FRAC_1_SQRT_2),
            Activation::Elu => x.max(0.0) + x.min(0.0).exp_m1(),
            Activation::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Activation::Silu => x / (1.0 + (-x).exp()),
            Activation::Identity => x,
        }
    }

    /// Whether f(-x) = -f(x).
    pub fn is_odd(self) -> bool {
        matches!(self, Activation::Tanh | Activation::Identity)
    }

    /// Whether f(cx) = c f(x) for c above 0.
    pub fn is_homogeneous(self) -> bool {
        matches!(self, Activation::Relu | Activation::Identity)
    }

    /// Applies the function to each element.
    pub fn forward<B: Backend, const D: usize>(self, x: Tensor<B, D>) -> Tensor<B, D> {
        match self {
            // Tensors with tangents remember their tanh, so that burn's own rule costs no second one.
            Activation::Tanh => x.tanh(),
            Activation::Relu => relu(x),
            Activation::Gelu if carries_tangents(&x) => gelu(x),
            Activation::Gelu => with_derivative(x, |x| {
                let cdf = ((x.clone() * FRAC_1_SQRT_2).erf() + 1.0) * 0.5;
                let density = (x.clone().square() * -0.5).exp() * normal_density_at_zero();
                (x.clone() * cdf.clone(), cdf + x * density)
            }),
            Activation::Elu => with_derivative(x, |x| {
                let below = x.clone().greater_elem(0.0);
                let exp = x.clone().mask_fill(below, 0.0).exp();
                (relu(x) + (exp.clone() - 1.0), exp)
            }),
            Activation::Softplus => with_derivative(x, |x| {
                // |x| = 2 max(x, 0) - x, with the derivatives at 0 those of one branch: an inner
                // level differentiates the value too, and relu and abs would both give it 0 there.
                let below = x.clone().lower_elem(0.0);
                let positive = x.clone().mask_fill(below, 0.0);
                let minus_abs = x.clone() - positive.clone() * 2.0;
                (positive + minus_abs.exp().log1p(), sigmoid(x))
            }),
            Activation::Silu => with_derivative(x, |x| {
                let s = sigmoid(x.clone());
                let slope = s.clone() * (x.clone() * (-s.clone() + 1.0) + 1.0);
                (x * s, slope)
            }),
            Activation::Identity => x,
        }
    }
}

/// Whether tensors carry tangents: then burn's `gelu` has an exact rule of its own ([`crate::tangents`]),
/// evaluated once, where elsewhere burn takes the derivative of an approximation. A backend can be asked
/// for nothing but its name.
fn carries_tangents<B: Backend, const D: usize>(x: &Tensor<B, D>) -> bool {
    B::name(&x.device()).contains("tangents<")
}

/// f(x), recorded as `f(x0) + (x - x0) f'(x0)` with x0 the value of x off the tape.
///
/// The value is f(x) exactly. The derivative seen by the outer tape is f'(x0); an inner tape has
/// recorded both formulas and differentiates them by burn's rules, so that each must have the right
/// derivative as a function of x. burn's own rule for the outer level would evaluate the
/// transcendental function again in the backward pass: four times in one Hessian-vector product,
/// against two.
fn with_derivative<B: Backend, const D: usize>(
    x: Tensor<B, D>,
    value_and_derivative: impl FnOnce(Tensor<B, D>) -> (Tensor<B, D>, Tensor<B, D>),
) -> Tensor<B, D> {
    let x0 = x.clone().set_require_grad(false);
    let (value, derivative) = value_and_derivative(x0.clone());
    value + (x - x0) * derivative
}

/// 1 / (1 + exp(-x)) without overflow, and in the tensor's own precision (burn's casts to single).
fn sigmoid<B: Backend, const D: usize>(x: Tensor<B, D>) -> Tensor<B, D> {
    ((x * 0.5).tanh() + 1.0) * 0.5
}

/// 1 / sqrt(2 pi).
fn normal_density_at_zero() -> f64 {
    FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * 0.5
}
