//! What looks at rows one by one and says what happened.

use std::fmt::Debug;

use super::Context;
use crate::record::{EventKind, StepRow};

/// Names what happens in the rows of one run, from the rows and what is known of them alone.
///
/// A detector is a file of this room, with its settings in it, and a line each in the lists of
/// [`super::StabilitySettings`] and of [`super::Monitor`]; [`super::Monitor::with_detector`] takes one
/// from elsewhere.
pub trait Detector: Debug + Send + Sync {
    /// What happened at this row, in order. Rows come in the order of their steps; `context` has taken
    /// this one in.
    fn observe(&mut self, row: &StepRow, context: &Context) -> Vec<EventKind>;

    /// What is left to say at the end of a run, of which `context` holds the spike that was still
    /// under way; nothing unless told otherwise.
    fn finish(&mut self, context: &Context) -> Vec<EventKind> {
        let _ = context;
        Vec::new()
    }
}
