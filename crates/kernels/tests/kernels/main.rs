//! Each kernel against burn's own operation and against loops over indices.

mod arithmetic;
mod cat;
mod contiguous;
mod convolution;
mod mask;
mod matmul;
mod reduction;
mod softmax;
mod tensors;
mod unary;
