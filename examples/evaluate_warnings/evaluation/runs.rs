//! Stored runs.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde::Serialize;
use sharpscope::record::StepRow;
use sharpscope::rundir::StoredRun;
use sharpscope::stability::StabilitySettings;

use super::series::{Watched, losses};
use super::truth::Truth;

/// What a run is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Part {
    /// Weights are fitted to it.
    Tune,
    /// Bars are chosen on it.
    Choose,
    /// Warnings are scored on it.
    Test,
}

/// A stored run that has ended.
#[derive(Debug)]
pub struct Run {
    /// Its folder's name.
    pub name: String,
    /// What it is for.
    pub part: Part,
    /// What kind of run it is.
    pub kind: String,
    /// Whether it diverged.
    pub diverged: bool,
    /// Its rows.
    pub rows: Vec<StepRow>,
    /// What happened.
    pub truth: Truth,
    stored: StoredRun,
}

impl Run {
    /// The run in a folder named PART-KIND-NUMBER-seed-S; `None` for one that has not ended, or ended otherwise than
    /// by its last step or by divergence.
    ///
    /// # Errors
    /// For a folder of another name, and for one that cannot be read.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let stored = StoredRun::open(path)?;
        let Some(code @ (0 | 3)) = stored.head().and_then(|head| head.exit_code) else {
            return Ok(None);
        };
        let (part, kind) = part_and_kind(&name)
            .with_context(|| format!("{name} is not named PART-KIND-NUMBER-seed-S"))?;
        let rows = stored.rows().with_context(|| format!("cannot read {name}"))?.to_vec();
        let truth = Truth::of(&losses(&rows));
        Ok(Some(Self { name, part, kind, diverged: code == 3, rows, truth, stored }))
    }

    /// What a monitor of these constants says of it, which knows what the run's own did.
    pub fn watched<'a>(&'a self, settings: &'a StabilitySettings) -> Watched<'a> {
        let replay = self.stored.monitor(Some(settings.clone())).replay(&self.rows);
        Watched::new((&self.name, &self.kind), &self.rows, &self.truth, replay, settings)
    }
}

fn part_and_kind(name: &str) -> Option<(Part, String)> {
    let (part, rest) = name.split_once('-')?;
    let part = match part {
        "tune" => Part::Tune,
        "choose" => Part::Choose,
        "test" => Part::Test,
        _ => return None,
    };
    let (setting, _) = rest.rsplit_once("-seed-")?;
    let (kind, _) = setting.rsplit_once('-')?;
    Some((part, kind.to_string()))
}

/// The runs of a folder that have ended, by name.
///
/// # Errors
/// As [`Run::read`], and if there are none.
pub fn read_runs(folder: &Path) -> Result<Vec<Run>> {
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder)
        .with_context(|| format!("cannot read {}", folder.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    paths.retain(|path| path.is_dir());
    paths.sort();
    let mut runs = Vec::new();
    for path in &paths {
        runs.extend(Run::read(path)?);
    }
    if runs.is_empty() {
        bail!("{} holds no run that has ended", folder.display());
    }
    Ok(runs)
}
