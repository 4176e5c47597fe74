//! burn's operations: each is the one of the backend where its tensors are.

mod activation;
mod boolean;
mod float;
mod int;
mod layers;
mod quantized;
