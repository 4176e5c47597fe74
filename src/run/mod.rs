//! One run from configuration to run directory: data, device, losses, training, files.

mod prepare;
mod start;

pub use prepare::{Prepared, prepare, supervised};
pub use start::{Finished, Started};
pub(crate) use start::{git_revision, timestamped};
