//! One run from configuration to run directory: data, device, losses, training, files.

mod prepare;
mod resume;
mod start;
mod stored;

pub use prepare::{Prepared, prepare, supervised};
pub use resume::resume;
pub use start::{Finished, Started};
pub(crate) use start::{git_revision, timestamped};
pub use stored::{stored_monitor, stored_problem, stored_settings};
