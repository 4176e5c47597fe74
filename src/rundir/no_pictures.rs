//! In the place of `pictures` where the feature `figures` is off: a run directory has none then.

use super::RunDirectory;
use crate::curvature::Spectrum;
use crate::error::Result;
use crate::profile::RunInfo;
use crate::record::StepRow;

pub(super) const NAMES: [&str; 0] = [];

pub(super) struct RunPicture;

impl RunPicture {
    pub(super) fn of(_run: &RunInfo, _threshold_label: &str) -> Self {
        Self
    }

    pub(super) fn take(&mut self, _row: &StepRow) {}

    pub(super) fn draw(&self, _directory: &RunDirectory) -> Result<()> {
        Ok(())
    }
}

pub(super) fn draw_spectrum(
    _directory: &RunDirectory,
    _spectrum: &Spectrum,
    _stem: &str,
    _table: &[u8],
    _threshold_label: &str,
) -> Result<()> {
    Ok(())
}
