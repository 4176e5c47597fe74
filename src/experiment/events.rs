//! Event files for TensorBoard, where they are asked for.

use crate::config::RunConfig;
use crate::export::tensorboard::EventWriter;
use crate::profile::Observer;
use crate::rundir::RunDirectory;

/// Who writes them, if anybody: a run that goes on and has some goes on with them.
pub(super) fn event_writer(
    config: &RunConfig,
    directory: &RunDirectory,
) -> Option<Box<dyn Observer>> {
    let wanted = config.tensorboard || !directory.event_files().is_empty();
    wanted.then(|| Box::new(EventWriter::new(directory.clone())) as Box<dyn Observer>)
}
