//! What a run leaves behind, as plain data: rows, events and the summary, with their units.
//!
//! Nothing here computes or writes; `train` makes these values and `report` turns them into files.

mod codec;
mod event;
mod event_field;
mod phase;
mod sentence;
mod step;
mod summary;

pub use codec::Kind;
pub(crate) use codec::optional;
pub use event::{Event, EventKind, PrecisionReason, WarningAction};
pub use phase::Phase;
pub(crate) use sentence::short;
pub(crate) use step::is_time;
pub use step::{
    COLUMNS, Column, Columns, StepRow, cells, column_names, column_of, columns_in_markdown,
    row_of_cells,
};
pub use summary::{ExitStatus, Summary};
