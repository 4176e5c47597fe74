//! What becomes of a step: all the curvature in its row, who is told of it, and where training stood.

mod observer;
mod state;
mod step;
mod summary;

pub use observer::{Checkpoint, Observer};
pub use state::{BatchPosition, History, TrainingState};
pub use step::{Objectives, Start, StepMeter, Update, threshold};
pub use summary::SummaryBuilder;
