//! Tangents-mode differentiation: a backend whose tensors carry derivatives along given directions.
//!
//! [`Tangents<B>`] decorates a burn backend. A float tensor is a value and k tangents, its derivatives
//! along k directions (dual numbers; Wengert 1964), and each operation has a rule for both. Constants
//! have no tangents and cost nothing more. Under a tape, `Autodiff<Tangents<B>>`, the gradient of a
//! loss carries tangents too, and these are Hessian-vector products (Pearlmutter 1994): one backward
//! pass gives the gradient and k products, which share all that does not depend on the direction.
//!
//! ```
//! use burn::backend::{Autodiff, Flex};
//! use burn::tensor::Tensor;
//! use sharpscope_tangents::{Tangents, split, with_tangents};
//!
//! type Dual = Tangents<Flex>;
//!
//! // f(x) = sum x^3 at (1, 2), along (1, 0) and along (0, 1).
//! let device = Default::default();
//! let vector = |values: [f32; 2]| Tensor::<Flex, 1>::from_floats(values, &device);
//! let x: Tensor<Dual, 1> =
//!     with_tangents(vector([1.0, 2.0]), vec![vector([1.0, 0.0]), vector([0.0, 1.0])]);
//!
//! let leaf = Tensor::<Autodiff<Dual>, 1>::from_inner(x).require_grad();
//! let gradients = leaf.clone().powi_scalar(3).sum().backward();
//! let (gradient, products) = split(leaf.grad(&gradients).expect("f depends on x"));
//!
//! let values = |tensor: Tensor<Flex, 1>| tensor.into_data().to_vec::<f32>();
//! assert_eq!(values(gradient).unwrap(), [3.0, 12.0]); // 3 x^2
//! let products = products.expect("the gradient depends on x");
//! assert_eq!(values(products[0].clone()).unwrap(), [6.0, 0.0]); // the Hessian is diag(6 x)
//! assert_eq!(values(products[1].clone()).unwrap(), [0.0, 12.0]);
//! ```
//!
//! Without a tape the tangents of a result are Jacobian-vector products. Levels nest in any order:
//! `Tangents<Autodiff<B>>` differentiates a directional derivative, `Tangents<Tangents<B>>` gives second
//! directional derivatives.
//!
//! # What has a rule
//! Every float, activation and layer operation of burn 0.21, the backward operations that its tape
//! calls among them, so that `nn::Linear`, `nn::Embedding`, convolutions, pooling, interpolation and
//! attention can be differentiated twice, but for those of [`WITHOUT_RULE`]. Comparisons, positions,
//! random numbers and quantised tensors have no derivatives; rounding and sign have the derivative 0.
//! Where a function has a corner, the derivative is that of burn's tape; where extremes are equal it
//! is that of the element the backend picks.
//!
//! [`gelu`](burn::tensor::activation::gelu) is differentiated as what it is; burn's default is the
//! derivative of its tanh approximation. A gradient is otherwise burn's own, and the products are
//! derivatives of it: where burn's gradient is wrong (0.21: `repeat_dim` of more than one element, a
//! division by a number in single precision only), so are they.
//!
//! # Cost
//! A tape keeps the argument of exp, tanh, tan, the logistic function and gelu and evaluates them
//! again in its backward pass. Here tensors remember the value for their clones, so that they are
//! evaluated once. `detach` makes a constant at this level and at tapes below it.

mod activation;
mod arithmetic;
mod backend;
mod boolean;
mod delegate;
mod dual;
mod elementwise;
mod float;
mod int;
mod layers;
mod module;
mod quantized;
mod recording;
mod scan;
mod selection;

use core::marker::PhantomData;

use burn::tensor::{Tensor, TensorPrimitive};

pub use dual::DualTensor;
pub use elementwise::Elementwise;
pub use recording::{LinearProgram, RecordedTensor, Recording, Tape, known, value};

/// A backend decorator: tensors of `B` that carry their derivatives along k directions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tangents<B> {
    backend: PhantomData<B>,
}

/// A tensor that changes by `tangents` along the directions.
///
/// # Panics
/// If a tangent differs from the primal in shape or type.
pub fn with_tangents<B: Elementwise, const D: usize>(
    primal: Tensor<B, D>,
    tangents: Vec<Tensor<B, D>>,
) -> Tensor<Tangents<B>, D> {
    let float = |tensor: Tensor<B, D>| tensor.into_primitive().tensor();
    let dual = DualTensor::new(float(primal), tangents.into_iter().map(float).collect());
    Tensor::from_primitive(TensorPrimitive::Float(dual))
}

/// A tensor that changes along no direction.
pub fn constant<B: Elementwise, const D: usize>(primal: Tensor<B, D>) -> Tensor<Tangents<B>, D> {
    with_tangents(primal, Vec::new())
}

/// The value and its derivative along each direction; `None` for a constant.
pub fn split<B: Elementwise, const D: usize>(
    tensor: Tensor<Tangents<B>, D>,
) -> (Tensor<B, D>, Option<Vec<Tensor<B, D>>>) {
    let wrap = |float| Tensor::from_primitive(TensorPrimitive::Float(float));
    let (primal, tangents) = tensor.into_primitive().tensor().into_parts();
    let tangents: Vec<_> = tangents.into_iter().map(wrap).collect();
    (wrap(primal), (!tangents.is_empty()).then_some(tangents))
}

const DEFORMED_OFFSETS: &str = "deform_conv2d with offsets that depend on the parameters";
const SAMPLED_GRID: &str =
    "grid_sample_2d, other than bilinear, with a grid that depends on the parameters";

/// What has no derivative rule. These stop with a message that names them.
pub const WITHOUT_RULE: [&str; 2] = [DEFORMED_OFFSETS, SAMPLED_GRID];

/// Stops at an operation without a derivative rule, as burn's own tape does.
fn no_rule(operation: &str) -> ! {
    panic!("tangents: no derivative rule for {operation}")
}
