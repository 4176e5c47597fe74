//! Kernels for tensors of burn's CPU backend.
//!
//! burn-flex walks tensors that are transposed or broadcast element by element, evaluates functions one
//! number after the other and convolutions as loops. The functions here do the same by the tensors'
//! strides, several numbers at a time, in single and in double precision; what they do not cover they
//! leave to burn-flex. Each uses one thread: whoever calls them divides the work.

mod convolution;
mod functions;

pub use convolution::{
    conv1d, conv1d_bias_backward, conv1d_weight_backward, conv1d_x_backward, conv2d,
    conv2d_bias_backward, conv2d_weight_backward, conv2d_x_backward,
};
pub use functions::{erf, exp, sigmoid, sum_of_products, tanh, tanh_slope};
