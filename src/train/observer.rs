//! Whoever wants to know what happens in a run.

use crate::error::Result;
use crate::record::{Event, StepRow};

/// Is told of rows and events in order.
pub trait Observer {
    /// A step was taken; `row` is complete.
    ///
    /// # Errors
    /// An error ends the run.
    fn row(&mut self, row: &StepRow) -> Result<()>;

    /// Something happened; told after the row of its step.
    ///
    /// # Errors
    /// An error ends the run.
    fn event(&mut self, event: &Event) -> Result<()>;
}
