//! One run from configuration to run directory: data, device, losses, training, files.

mod prepare;
mod start;

pub use prepare::{Prepared, prepare, supervised};
pub(crate) use start::git_revision;
pub use start::{Finished, Started};
