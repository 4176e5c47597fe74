//! The training loop: evaluates, measures curvature, updates, and tells observers what it saw.

mod batches;
mod observer;
mod state;
mod summary;
mod trainer;

pub use batches::BatchOrder;
pub use observer::{Checkpoint, Observer};
pub use state::{BatchPosition, History, TrainingState};
pub use summary::SummaryBuilder;
pub use trainer::{Problem, TrainSettings, Trainer, TrainingEnd};
