//! The training loop: evaluates, measures curvature, updates, and tells observers what it saw.

mod batches;
mod step;
mod trainer;

pub use batches::BatchOrder;
pub use trainer::{TrainSettings, Trainer, TrainingEnd};
