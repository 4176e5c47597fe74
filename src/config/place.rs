//! Where a run is written, and under which name.

use std::path::PathBuf;

use super::Settings;
use crate::error::{Error, Result};

/// Where a run is written, and under which name: nothing of what it computes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place {
    /// Run directory; `None` for one that is named by time and name.
    pub out: Option<PathBuf>,
    /// The run that is gone on with, where one is.
    pub resume: Option<PathBuf>,
    /// Name of the run.
    pub name: String,
    /// Whether an earlier run in the directory is replaced.
    pub force: bool,
}

impl Place {
    /// As the settings have it, with that name where they have none.
    pub(super) fn resolve(settings: &Settings, default_name: String) -> Result<Self> {
        if let Some(out) = settings.out.as_ref().filter(|out| out.to_str().is_none()) {
            let problem = "its name is not UTF-8, and the manifest could not hold it";
            let remedy = "choose another folder";
            return Err(Error::setting("--out", out.display(), problem, remedy));
        }
        Ok(Self {
            out: settings.out.clone(),
            resume: None,
            name: settings.name.clone().unwrap_or(default_name),
            force: settings.force.unwrap_or(false),
        })
    }
}
