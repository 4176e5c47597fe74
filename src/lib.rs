//! sharpscope: the Hessian spectrum of small neural networks, step by step while they train.
//!
//! A [`problem::Supervised`] (a model, a dataset and a loss) is differentiated twice by
//! [`autodiff`] on a [`device::Device`]; what comes out is an [`autodiff::Objective`]: loss,
//! gradient and Hessian-vector products as plain vectors. [`curvature`] finds the extreme
//! eigenvalues of its Hessian, [`optim`] knows what the optimizer can bear, and [`train`] puts them
//! side by side at every step. [`experiment`] does all this from a configuration and writes a folder.
//! [`profiler`] does it for a training loop of your own; the [`guide`] says how, and [`prelude`] has
//! the names for it.
//!
#![cfg_attr(feature = "data", doc = "```")]
#![cfg_attr(not(feature = "data"), doc = "```ignore")]
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
//!
//! # Features
//!
//! Whoever only profiles needs none of them: `default-features = false` leaves [`profiler`], what it
//! stands on and the run directory.
//!
//! | feature | what | rooms |
//! |---|---|---|
//! | `cli` (default) | the program; implies the others | [`cli`] |
//! | `figures` | pictures, in run directories too | [`figure`] |
//! | `report` | pages of HTML about runs; implies `data` and `figures` | [`report`] |
//! | `export` | event files, Parquet, JSON and CSV of runs; implies `data` | [`export`] |
//! | `data` | what the program trains: models, datasets, the loop, the configuration | [`config`], [`data`], [`experiment`], [`model`], [`objective`], [`problem`], [`train`], [`rundir::StoredRun`] |
//!
//! [`experiment::compare`] and [`experiment::doctor`] take both `data` and `figures`.

// Rooms that are off leave some of what they share with others without a user.
#![cfg_attr(not(feature = "cli"), allow(dead_code, unused_imports))]

pub mod autodiff;
#[cfg(feature = "cli")]
pub mod cli;
#[cfg(feature = "data")]
pub mod config;
pub mod curvature;
#[cfg(feature = "data")]
pub mod data;
pub mod device;
mod digest;
pub mod error;
#[cfg(feature = "data")]
pub mod experiment;
#[cfg(feature = "export")]
pub mod export;
#[cfg(feature = "figures")]
pub mod figure;
pub mod flow;
#[cfg(feature = "data")]
#[doc(hidden)]
pub mod fuzzing;
#[doc = include_str!("../docs/guide.md")]
pub mod guide {}
mod input;
pub mod landscape;
pub mod linalg;
#[cfg(feature = "data")]
pub mod model;
mod names;
#[cfg(feature = "data")]
pub mod objective;
pub mod optim;
pub mod prelude;
#[cfg(feature = "data")]
pub mod problem;
pub mod profile;
pub mod profiler {
    //! [`crate::profile`]'s part for a training loop of one's own.

    pub use crate::profile::{NextUpdate, Profiler, ProfilerSettings};
}
pub mod record;
#[cfg(feature = "report")]
pub mod report;
pub mod rng;
pub mod rundir;
#[cfg(feature = "cli")]
mod serve;
pub mod stability;
#[cfg(feature = "data")]
pub mod train;

pub use error::{Error, Result};
pub use sharpscope_tangents as tangents;
