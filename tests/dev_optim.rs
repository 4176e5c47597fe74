//! Throwaway.
#[path = "it/derivatives.rs"]
mod derivatives;
#[path = "it/optim/mod.rs"]
mod optim;
