//! A model, a dataset and a loss put together: what a run trains.

mod loss;
mod supervised;

pub use loss::Loss;
pub use supervised::{SampleBatch, Supervised};
