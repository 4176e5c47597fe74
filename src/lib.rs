//! sharpscope: the Hessian spectrum of small neural networks, step by step while they train.
pub mod autodiff;
pub mod backend;
pub mod cli;
pub mod config;
pub mod curvature;
pub mod data;
pub mod error;
pub mod linalg;
pub mod model;
pub mod optim;
pub mod record;
pub mod report;
pub mod rng;
pub mod run;
pub mod stability;
pub mod task;
pub mod train;

pub use error::{Error, Result};
