//! What the recorded numbers say about stability. Functions of rows alone; nothing is measured here.

mod divergence;
mod edge;

pub use divergence::{DIVERGENCE_FACTOR, divergence};
pub use edge::{AT_EDGE, EventDetector, at_edge};
