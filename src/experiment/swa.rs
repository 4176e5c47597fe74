//! The mean of a run's weights, as a file in its directory.

use crate::autodiff::ParameterLayout;
use crate::config::RunConfig;
use crate::device::Precision;
use crate::error::Result;
use crate::optim::{SWA, averaged_points};
use crate::profile::{Checkpoint, Observer};
use crate::rundir::{RunDirectory, to_safetensors};

/// Writes `swa.safetensors` at each checkpoint that has points in the mean.
pub(super) struct SwaWriter {
    directory: RunDirectory,
    layout: ParameterLayout,
    precision: Precision,
    start: usize,
}

impl SwaWriter {
    /// For a run that averages, if it does.
    pub fn of(
        config: &RunConfig,
        layout: &ParameterLayout,
        directory: &RunDirectory,
    ) -> Option<Self> {
        let start = config.swa_start?;
        let (layout, directory) = (layout.clone(), directory.clone());
        Some(Self { directory, layout, precision: config.precision, start })
    }
}

impl Observer for SwaWriter {
    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        let state = checkpoint.state;
        let mean = state.optimizer.accumulators.iter().find(|(name, _)| name == SWA);
        let Some((_, mean)) = mean.filter(|_| averaged_points(state.step, self.start, 1) > 0)
        else {
            return Ok(());
        };
        let bytes = to_safetensors(&self.layout, mean, self.precision)?;
        self.directory.write("swa.safetensors", &bytes)
    }
}
