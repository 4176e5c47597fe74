//! Kernels for tensors of burn's CPU backend.
//!
//! burn-flex walks tensors that are transposed or broadcast element by element, evaluates functions one
//! number after the other and convolutions as loops. The functions here do the same by the tensors'
//! strides, several numbers at a time, in single and in double precision; what they do not cover they
//! leave to burn-flex. Each uses one thread: whoever calls them divides the work.

mod arithmetic;
mod broadcast;
mod cat;
mod contiguous;
mod convolution;
mod element;
mod fold;
mod functions;
mod lanes;
mod mask;
mod matmul;
mod pool;
mod products;
mod reduction;
mod softmax;
mod strides;
mod tile;
mod transpose;
mod turn;
mod unary;

pub use arithmetic::{add, div, mul, relu_backward, sub};
pub use cat::{cat, slice_assign};
pub use contiguous::{contiguous, reshape};
pub use convolution::{
    conv1d, conv1d_bias_backward, conv1d_weight_backward, conv1d_x_backward, conv2d,
    conv2d_bias_backward, conv2d_weight_backward, conv2d_x_backward,
};
pub use functions::{erf, exp, sigmoid, tanh, tanh_slope};
pub use mask::{mask_fill, mask_where};
pub use matmul::{matmul, matmul_add};
pub use pool::{recycle, take};
pub use products::sum_of_products;
pub use reduction::{max_dim, mean, mean_dim, sum, sum_dim};
pub use softmax::{log_softmax, log_softmax_tangent, softmax, softmax_tangent};
pub use unary::{
    add_scalar, div_scalar, mul_scalar, neg, powi_scalar, recip, relu, sqrt, sub_scalar,
};
