//! What profiling a training loop of one's own takes, in one line.
//!
//! ```
//! use sharpscope::prelude::*;
//!
//! let device = Device::open(BackendChoice::Cpu, Precision::F32)?;
//! let settings = ProfilerSettings { top: 3, ..ProfilerSettings::default() };
//! # assert_eq!((device.backend(), settings.top), ("cpu", 3));
//! # Ok::<(), Error>(())
//! ```
//!
//! `burn::prelude` has a `Device` as well; whoever wants both preludes says which one is meant with
//! `use sharpscope::prelude::Device`. The traits [`crate::optim::Optimizer`] and burn's have the same
//! name and are in neither.

pub use crate::autodiff::{Objective, Samples, Task, flat_parameters};
pub use crate::curvature::CurvatureMeter;
pub use crate::device::{BackendChoice, Device, Placement, Precision};
pub use crate::error::{Error, Result};
pub use crate::optim::{Hyperparameters, OptimizerSpec};
pub use crate::profile::{NextUpdate, Observer, Profiler, ProfilerSettings};
pub use crate::record::{Event, EventKind, StepRow, Summary};
