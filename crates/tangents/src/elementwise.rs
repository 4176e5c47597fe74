//! What a backend may do in one pass where burn's operations take several.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;

use crate::Tangents;

/// A backend below [`Tangents`]: a burn backend, with kernels of its own for what rules compute most.
///
/// Each method is composed of the backend's operations by default, so that an empty impl serves any
/// backend. Those that burn exports have one here, each with the feature of its name; the crate that
/// defines a backend writes its own.
///
/// Shapes: two tensors given together are broadcast against each other unless said otherwise.
pub trait Elementwise: Backend {
    /// 1 - y^2: the derivative of tanh by its value y.
    fn tanh_slope(y: FloatTensor<Self>) -> FloatTensor<Self> {
        Self::float_add_scalar(Self::float_neg(Self::float_mul(y.clone(), y)), 1.into())
    }

    /// a b + c d: a tangent by the product rule. The products have one shape.
    fn sum_of_products(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::float_add(Self::float_mul(a, b), Self::float_mul(d, c))
    }

    /// p (dx - sum(p dx)), the sum along `dim`: the derivative of softmax along it, by its value p, in a
    /// direction dx.
    fn softmax_tangent(
        p: FloatTensor<Self>,
        dx: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        Self::float_mul(p.clone(), Self::log_softmax_tangent(p, dx, dim))
    }

    /// dx - sum(p dx), the sum along `dim`: the derivative of log(softmax) along it, by the softmax p, in
    /// a direction dx.
    fn log_softmax_tangent(
        p: FloatTensor<Self>,
        dx: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        let mean = Self::float_sum_dim(Self::float_mul(dx.clone(), p), dim);
        Self::float_sub(dx, mean)
    }

    /// A number that two tensors share if one piece of memory serves both, where the backend can tell.
    fn identity(_: &FloatTensor<Self>) -> Option<usize> {
        None
    }
}

/// tanh(x).
pub(crate) fn tanh<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    #[cfg(test)]
    tests::TANH.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    B::float_tanh(x)
}

/// erf(x).
pub(crate) fn erf<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    #[cfg(test)]
    tests::ERF.fetch_add(1, core::sync::atomic::Ordering::Relaxed);
    B::float_erf(x)
}

impl<B: Elementwise> Elementwise for Tangents<B> {}

impl<B: Backend> Elementwise for burn::backend::Autodiff<B> {}

#[cfg(feature = "flex")]
impl Elementwise for burn::backend::Flex {
    fn identity(tensor: &FloatTensor<Self>) -> Option<usize> {
        Some(tensor.bytes().as_ptr() as usize)
    }
}

#[cfg(feature = "ndarray")]
impl Elementwise for burn::backend::NdArray {}

#[cfg(feature = "tch")]
impl Elementwise for burn::backend::LibTorch {}

#[cfg(feature = "wgpu")]
impl Elementwise for burn::backend::Wgpu {}

#[cfg(feature = "cuda")]
impl Elementwise for burn::backend::Cuda {}

#[cfg(feature = "rocm")]
impl Elementwise for burn::backend::Rocm {}

#[cfg(test)]
mod tests {
    use core::sync::atomic::{AtomicUsize, Ordering};

    use burn::backend::{Autodiff, Flex};
    use burn::tensor::Tensor;
    use burn::tensor::activation::gelu;

    use crate::{Tangents, split, with_tangents};

    pub static TANH: AtomicUsize = AtomicUsize::new(0);
    pub static ERF: AtomicUsize = AtomicUsize::new(0);

    #[test]
    fn a_backward_pass_evaluates_no_function_again() {
        type Dual = Tangents<Flex>;
        let device = Default::default();
        let vector = |values: [f32; 3]| Tensor::<Flex, 1>::from_floats(values, &device);
        for block in [0, 1, 3] {
            TANH.store(0, Ordering::Relaxed);
            ERF.store(0, Ordering::Relaxed);
            let tangents = vec![vector([1.0, -0.5, 0.25]); block];
            let dual: Tensor<Dual, 1> = with_tangents(vector([0.1, -0.7, 0.4]), tangents);
            let leaf = Tensor::<Autodiff<Dual>, 1>::from_inner(dual).require_grad();
            // One function is remembered of each tensor.
            let half = leaf.clone() * 0.5;
            let value = half.tanh().square().sum() + gelu(leaf.clone()).sum().square();
            let gradient = leaf.grad(&value.backward()).expect("the value depends on x");
            let tangents = split(gradient).1.unwrap_or_default();
            assert_eq!(tangents.len(), block);
            assert_eq!((TANH.load(Ordering::Relaxed), ERF.load(Ordering::Relaxed)), (1, 1));
        }
    }
}
