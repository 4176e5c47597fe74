//! Whoever wants to know what happens in a run.

use super::TrainingState;
use crate::curvature::Spectrum;
use crate::error::Result;
use crate::optim::{Schedule, StabilityOperator};
use crate::record::{Event, StepRow};

/// Where training stands before an update, or after the last one.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    /// All that the coming updates depend on.
    pub state: &'a TrainingState,
    /// The learning rates of all steps, before [`TrainingState::rate_factor`].
    pub schedule: &'a Schedule,
    /// The operator of the update that is taken from there, or would be if the run went on, with the
    /// preconditioner that it divides by.
    pub operator: &'a StabilityOperator,
}

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

    /// A checkpoint is due.
    ///
    /// # Errors
    /// An error ends the run.
    fn checkpoint(&mut self, _checkpoint: Checkpoint<'_>) -> Result<()> {
        Ok(())
    }

    /// A spectrum was measured; told before the row of its step.
    ///
    /// # Errors
    /// An error ends the run.
    fn spectrum(&mut self, _spectrum: &Spectrum) -> Result<()> {
        Ok(())
    }
}
