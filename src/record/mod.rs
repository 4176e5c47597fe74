//! What a run leaves behind, as plain data: rows, events and the summary, with their units.
//!
//! Nothing here computes or writes; `train` makes these values and `report` turns them into files.

mod event;
mod step;
mod summary;

pub use event::{Event, EventKind, PrecisionReason, WarningAction};
pub use step::{Columns, StepRow, column_names};
pub use summary::{ExitStatus, Summary};
