//! The training loop: evaluates, measures curvature, updates, and tells observers what it saw.

mod batches;
mod seek;
mod step;
mod trainer;

pub use batches::BatchOrder;
pub use seek::Seek;
pub use trainer::{TrainSettings, Trainer, TrainingEnd};
