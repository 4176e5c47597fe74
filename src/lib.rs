//! sharpscope: the Hessian spectrum of small neural networks, step by step while they train.
//!
//! A [`problem::Supervised`] (a model, a dataset and a loss) is differentiated twice by
//! [`autodiff`] on a [`device::Device`]; what comes out is an [`autodiff::Objective`]: loss,
//! gradient and Hessian-vector products as plain vectors. [`curvature`] finds the extreme
//! eigenvalues of its Hessian, [`optim`] knows what the optimizer can bear, and [`train`] puts them
//! side by side at every step. [`experiment`] does all this from a configuration and writes a folder.
//! [`profiler`] does it for a training loop of your own; the [`guide`] says how.
//!
//! ```
//! use sharpscope::config::{RunConfig, Settings};
//! use sharpscope::device::BackendChoice;
//! use sharpscope::experiment::prepare;
//!
//! let settings = Settings {
//!     model: Some("linear".parse()?),
//!     train_size: Some(100),
//!     backend: Some(BackendChoice::Cpu),
//!     ..Settings::default()
//! };
//! let mut run = prepare(RunConfig::resolve(settings)?)?;
//! run.problem.train.set_parameters(&run.theta)?;
//! let curvature = run.meter().measure(&*run.problem.train, 0)?;
//! assert!(curvature.converged);
//! println!("sharpness {} beside 2/η = {}", curvature.lambda[0], 2.0 / run.config.lr);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod autodiff;
pub mod cli;
pub mod config;
pub mod curvature;
pub mod data;
pub mod device;
pub mod error;
pub mod experiment;
pub mod figure;
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}
mod input;
pub mod linalg;
pub mod model;
mod names;
pub mod optim;
pub mod problem;
pub mod profile;
pub mod profiler {
    //! [`crate::profile`]'s part for a training loop of one's own.

    pub use crate::profile::{NextUpdate, Profiler, ProfilerSettings};
}
pub mod record;
pub mod rng;
pub mod rundir;
pub mod stability;
pub mod train;

pub use error::{Error, Result};
pub use sharpscope_tangents as tangents;
