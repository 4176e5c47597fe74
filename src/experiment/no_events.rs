//! Without the feature `export` no event files are written.

use crate::config::RunConfig;
use crate::profile::Observer;
use crate::rundir::RunDirectory;

/// Nobody.
pub(super) fn event_writer(config: &RunConfig, _: &RunDirectory) -> Option<Box<dyn Observer>> {
    if config.tensorboard {
        tracing::warn!("no event files for TensorBoard are written: the feature export is off");
    }
    None
}
