//! One run from configuration to run directory: data, device, losses, training, files.

mod prepare;
mod start;

pub use prepare::{Prepared, classification, prepare};
pub use start::{Finished, Started};
