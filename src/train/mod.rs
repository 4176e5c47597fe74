//! The training loop: evaluates, measures curvature, updates, and tells observers what it saw.

mod batches;
mod observer;
mod summary;
mod trainer;

pub use batches::BatchOrder;
pub use observer::{Checkpoint, Observer};
pub use summary::SummaryBuilder;
pub use trainer::{Problem, TrainSettings, Trainer, TrainingEnd};
