//! Each kernel against burn's own operation and against loops over indices.

mod arithmetic;
mod contiguous;
mod reduction;
mod tensors;
mod unary;
