//! What becomes of a step: all the curvature in its row, who is told of it, and where training stood.
//! The trainer and a loop of somebody else's ([`Profiler`]) drive the same pipeline.

mod components;
mod mechanism;
mod midpoint;
mod observer;
mod own_loop;
pub mod quantities;
mod realized;
mod recorder;
pub(crate) mod row;
mod state;
mod step;
mod summary;

pub use components::Modes;
pub use observer::{Checkpoint, Observer, RunInfo};
pub use own_loop::{NextUpdate, Profiler, ProfilerSettings};
pub use quantities::Quantity;
pub use realized::{Descended, Realized};
pub use recorder::{Recorder, monitor};
pub use state::{BatchPosition, History, TrainingState, action_taken, rate_factor_after};
pub use step::{Measured, Objectives, Start, StepMeter, Update, threshold};
pub use summary::SummaryBuilder;
