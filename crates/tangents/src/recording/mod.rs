//! Linearisation: what a computation does to directions, noted once and done to many.
//!
//! At fixed parameters every rule of [`Tangents`](crate::Tangents) is linear in the tangents, with
//! factors that are values already computed. A tensor of [`Recording<B>`] is such a value, or it stands
//! for one that is a linear function of directions not yet given; operations on the latter are noted on
//! a [`Tape`]. Under a tape of burn, `Autodiff<Tangents<Recording<B>>>`, one backward pass gives the
//! gradient and notes what makes Hessian-vector products of directions ([`LinearProgram`]): no forward
//! pass, no activation function and no tape is needed for them any more (Griewank and Walther 2008,
//! chapter 3: the linearised evaluation; JAX calls it `linearize`).
//!
//! ```
//! use burn::backend::{Autodiff, Flex};
//! use burn::tensor::Tensor;
//! use sharpscope_tangents::{Recording, Tangents, Tape, split, value};
//!
//! type Recorded = Autodiff<Tangents<Recording<Flex>>>;
//!
//! // f(x) = sum x^3 at (1, 2).
//! let device = Default::default();
//! let tape = Tape::<Flex>::new(&device);
//! let x = tape.direction(Tensor::<Flex, 1>::from_floats([1.0, 2.0], &device));
//! let leaf = Tensor::<Recorded, 1>::from_inner(x).require_grad();
//! let gradients = leaf.clone().powi_scalar(3).sum().backward();
//! let (gradient, product) = split(leaf.grad(&gradients).unwrap());
//! assert_eq!(value(gradient).into_data().to_vec::<f32>().unwrap(), [3.0, 12.0]);
//!
//! // Its Hessian diag(6 x), times two directions at once.
//! let hessian = tape.finish(vec![product.and_then(|mut product| product.pop())]);
//! let directions = Tensor::<Flex, 2>::from_floats([[1.0, 0.0], [0.0, 1.0]], &device);
//! let products = hessian.apply(vec![directions]).remove(0).unwrap();
//! assert_eq!(products.into_data().to_vec::<f32>().unwrap(), [6.0, 0.0, 0.0, 12.0]);
//! ```

mod activation;
mod deformed;
mod elementwise;
mod float;
mod layers;
mod linear;
mod merge;
mod operation;
mod program;
mod stacked;
mod tape;
mod tensor;

use core::marker::PhantomData;

use burn::tensor::{Tensor, TensorPrimitive};

pub use program::LinearProgram;
pub use tape::Tape;
pub use tensor::RecordedTensor;

use crate::Elementwise;

/// A backend decorator: tensors of `B`, and tensors that are linear functions of directions.
#[derive(Debug, Clone, Copy, Default)]
pub struct Recording<B> {
    backend: PhantomData<B>,
}

/// A tensor that depends on no direction.
pub fn known<B: Elementwise, const D: usize>(tensor: Tensor<B, D>) -> Tensor<Recording<B>, D> {
    let tensor = RecordedTensor::Known(tensor.into_primitive().tensor());
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}

/// The value of a tensor that depends on no direction.
///
/// # Panics
/// If it depends on one.
pub fn value<B: Elementwise, const D: usize>(tensor: Tensor<Recording<B>, D>) -> Tensor<B, D> {
    let tensor = tensor.into_primitive().tensor().known("reading");
    Tensor::from_primitive(TensorPrimitive::Float(tensor))
}
