//! Activation functions.

use core::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::tensor::backend::Backend;
use burn::tensor::ops::{ActivationOps, FloatTensor, FloatTensorOps};
use burn::tensor::{Scalar, get_device_settings};

use crate::arithmetic::mul;
use crate::dual::{Remembered, scale};
use crate::{DualTensor, Elementwise, Tangents, elementwise};

/// 1 / sqrt(2 pi).
const NORMAL_DENSITY_AT_ZERO: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * 0.5;

/// The standard normal distribution function.
fn normal_distribution<B: Elementwise>(x: FloatTensor<B>) -> FloatTensor<B> {
    let erf = elementwise::erf::<B>(B::float_mul_scalar(x, FRAC_1_SQRT_2.into()));
    B::float_add_scalar(B::float_mul_scalar(erf, 0.5.into()), 0.5.into())
}

/// The standard normal density.
fn normal_density<B: Elementwise>(x: FloatTensor<B>) -> FloatTensor<B> {
    let exponent = B::float_mul_scalar(B::float_mul(x.clone(), x), (-0.5).into());
    B::float_mul_scalar(B::float_exp(exponent), NORMAL_DENSITY_AT_ZERO.into())
}

/// Phi(x) + x phi(x) for Phi(x) = `distribution`: the derivative of gelu. Its own is phi(x) (2 - x^2).
fn gelu_slope<B: Elementwise>(x: DualTensor<B>, distribution: FloatTensor<B>) -> DualTensor<B> {
    let density = normal_density::<B>(x.primal.clone());
    let factor = (!x.is_constant()).then(|| {
        let square = B::float_mul(x.primal.clone(), x.primal.clone());
        B::float_mul(B::float_add_scalar(B::float_neg(square), 2.into()), density.clone())
    });
    let primal = B::float_add(B::float_mul(density, x.primal), distribution);
    let tangents = factor.map(|factor| scale::<B>(x.tangents, factor)).unwrap_or_default();
    DualTensor::of(primal, tangents)
}

/// s (1 - s): the derivative of the logistic function by its value.
fn sigmoid_slope<B: Backend>(s: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(B::float_add_scalar(B::float_neg(s.clone()), 1.into()), s)
}

impl<B: Elementwise> ActivationOps<Self> for Tangents<B> {
    fn relu(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        let primal = B::relu(tensor.primal);
        let one = |tangent| B::relu_backward(primal.clone(), tangent);
        let tangents = tensor.tangents.into_iter().map(one).collect();
        DualTensor::of(primal, tangents)
    }

    fn relu_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        // A step: it does not change with the output.
        grad.linear(|grad| B::relu_backward(output.primal.clone(), grad))
    }

    fn leaky_relu(tensor: FloatTensor<Self>, negative_slope: Scalar) -> FloatTensor<Self> {
        if tensor.is_constant() {
            return DualTensor::constant(B::leaky_relu(tensor.primal, negative_slope));
        }
        let bools = get_device_settings::<B>(&B::float_device(&tensor.primal)).bool_dtype;
        let below = B::float_lower_elem(tensor.primal.clone(), 0.into(), bools);
        tensor.affine(
            |x| B::leaky_relu(x, negative_slope),
            |tangent| {
                let scaled = B::float_mul_scalar(tangent.clone(), negative_slope);
                B::float_mask_where(tangent, below.clone(), scaled)
            },
        )
    }

    fn prelu(tensor: FloatTensor<Self>, alpha: FloatTensor<Self>) -> FloatTensor<Self> {
        if tensor.is_constant() && alpha.is_constant() {
            return DualTensor::constant(B::prelu(tensor.primal, alpha.primal));
        }
        let bools = get_device_settings::<B>(&B::float_device(&tensor.primal)).bool_dtype;
        let below = B::float_lower_elem(tensor.primal.clone(), 0.into(), bools);
        let scaled = Self::float_mul(tensor.clone(), alpha);
        Self::float_mask_where(tensor, below, scaled)
    }

    /// x Phi(x) with the exact derivative, whatever the backend's own [`gelu_backward`] is.
    ///
    /// [`gelu_backward`]: ActivationOps::gelu_backward
    fn gelu(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        let phi = |x: FloatTensor<B>| normal_distribution::<B>(x);
        if tensor.is_constant() {
            let phi = tensor.clone().once(Remembered::Normal, |x| x.linear(phi));
            return DualTensor::constant(B::float_mul(phi.primal, tensor.primal));
        }
        let phi = phi(tensor.primal.clone());
        let slope = match tensor.is_shared() {
            true => {
                let slope = |x| gelu_slope::<B>(x, phi.clone());
                tensor.clone().once(Remembered::GeluSlope, slope)
            }
            // No backward pass will ask for it: its tangents are not needed.
            false => gelu_slope::<B>(DualTensor::constant(tensor.primal.clone()), phi.clone()),
        };
        let tangents = scale::<B>(tensor.tangents, slope.primal);
        DualTensor::of(B::float_mul(phi, tensor.primal), tangents)
    }

    /// g (Phi(x) + x phi(x)): burn's default is the derivative of another function, the tanh
    /// approximation of gelu.
    fn gelu_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let slope = x.recall(Remembered::GeluSlope).unwrap_or_else(|| {
            let phi = match x.recall(Remembered::Normal) {
                Some(phi) => phi.primal,
                None => normal_distribution::<B>(x.primal.clone()),
            };
            gelu_slope::<B>(x, phi)
        });
        mul::<B>(slope, grad)
    }

    fn sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.once(Remembered::Sigmoid, |x| x.unary_by_value(B::sigmoid, sigmoid_slope::<B>))
    }

    fn sigmoid_backward(output: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        if output.is_constant() && grad.is_constant() {
            return DualTensor::constant(B::sigmoid_backward(output.primal, grad.primal));
        }
        let slope = |s| {
            // 1 - 2s: the derivative of s (1 - s).
            let slope = |s| B::float_add_scalar(B::float_mul_scalar(s, (-2).into()), 1.into());
            DualTensor::unary(s, sigmoid_slope::<B>, slope)
        };
        Self::float_mul(slope(output), grad)
    }

    fn hard_sigmoid(tensor: FloatTensor<Self>, alpha: Scalar, beta: Scalar) -> FloatTensor<Self> {
        if tensor.is_constant() {
            return DualTensor::constant(B::hard_sigmoid(tensor.primal, alpha, beta));
        }
        let line = Self::float_add_scalar(Self::float_mul_scalar(tensor, alpha), beta);
        Self::float_clamp(line, 0.into(), 1.into())
    }

    fn log_sigmoid(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.unary(B::log_sigmoid, |x| B::sigmoid(B::float_neg(x)))
    }

    fn log_sigmoid_backward(x: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        if x.is_constant() && grad.is_constant() {
            return DualTensor::constant(B::log_sigmoid_backward(x.primal, grad.primal));
        }
        Self::float_mul(Self::sigmoid(Self::float_neg(x)), grad)
    }

    fn softmax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        let p = B::softmax(tensor.primal, dim);
        let one = |tangent| B::softmax_tangent(p.clone(), tangent, dim);
        let tangents = tensor.tangents.into_iter().map(one).collect();
        DualTensor::of(p, tangents)
    }

    fn log_softmax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        let primal = B::log_softmax(tensor.primal, dim);
        if tensor.tangents.is_empty() {
            return DualTensor::constant(primal);
        }
        let p = B::float_exp(primal.clone());
        let one = |tangent| B::log_softmax_tangent(p.clone(), tangent, dim);
        let tangents = tensor.tangents.into_iter().map(one).collect();
        DualTensor::of(primal, tangents)
    }

    fn softmin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        match tensor.is_constant() {
            true => DualTensor::constant(B::softmin(tensor.primal, dim)),
            false => Self::softmax(Self::float_neg(tensor), dim),
        }
    }
}
