//! What a page is about: runs, and comparisons of runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::results::is_result;
use crate::error::{Error, Result};
use crate::experiment::compare::{self, ComparisonManifest, ListedMember};
use crate::rundir::StoredRun;

/// A run with the name that it goes by on the page.
#[derive(Debug)]
pub struct Subject {
    /// Unlike those of the others.
    pub label: String,
    /// The run.
    pub run: StoredRun,
}

/// Where a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// `RUN` or `RUN@STEP`.
    pub path: PathBuf,
    /// What a comparison calls it.
    label: Option<String>,
}

/// The runs that were named, those of a comparison's folder in its place. Results of `landscape` are none.
///
/// # Errors
/// [`Error::File`] for what is neither, and, unless more may come, for a comparison without a run; [`Error::Setting`]
/// where one is named twice.
pub fn subjects(paths: &[PathBuf], more_may_come: bool) -> Result<Vec<Subject>> {
    let mut found = Vec::new();
    for place in places(paths)? {
        let run = StoredRun::open(&place.path)?;
        run.rows()?;
        found.push(Subject { label: place.label.unwrap_or_else(|| name(&run)), run });
    }
    let empty =
        |path: &&PathBuf| compare::is_comparison(path) && members(path).is_ok_and(|m| m.is_empty());
    if let Some(folder) = paths.iter().find(empty).filter(|_| !more_may_come) {
        let remedy = "wait until one of its runs has begun";
        return Err(Error::file(folder, None, "none of the comparison's runs is there", remedy));
    }
    check_twice(&found)?;
    tell_apart(&mut found);
    Ok(found)
}

/// The runs that are there of what was named.
///
/// # Errors
/// As [`ComparisonManifest::read`].
pub(super) fn places(paths: &[PathBuf]) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    for path in paths {
        if compare::is_comparison(path) {
            found.extend(members(path)?);
        } else if !is_result(path)? {
            found.push(Place { path: path.clone(), label: None });
        }
    }
    Ok(found)
}

/// The runs of a comparison that have begun.
fn members(folder: &Path) -> Result<Vec<Place>> {
    let members = ComparisonManifest::read(folder)?.members.into_iter();
    let place = |member: ListedMember| Place {
        path: folder.join(&member.folder),
        label: Some(format!("{}, seed {}", member.setting, member.seed)),
    };
    Ok(members.map(place).filter(|place| place.path.join("steps.csv").is_file()).collect())
}

/// As its settings name it, else as its folder.
fn name(run: &StoredRun) -> String {
    let name =
        run.directory().run_name(run.head()).unwrap_or_else(|| run.path().display().to_string());
    match run.named_step() {
        Some(step) => format!("{name} to step {step}"),
        None => name,
    }
}

fn check_twice(subjects: &[Subject]) -> Result<()> {
    let mut seen = Vec::new();
    for Subject { run, .. } in subjects {
        let place = (run.path().canonicalize().ok(), run.named_step());
        if place.0.is_some() && seen.contains(&place) {
            let (path, problem) = (run.path().display(), "the run is named twice");
            return Err(Error::setting("RUN", path, problem, "name it once"));
        }
        seen.push(place);
    }
    Ok(())
}

/// Runs of one name also go by their folders.
fn tell_apart(subjects: &mut [Subject]) {
    let mut counts = BTreeMap::new();
    for subject in subjects.iter() {
        *counts.entry(subject.label.clone()).or_insert(0) += 1;
    }
    for subject in subjects.iter_mut().filter(|subject| counts[&subject.label] > 1) {
        subject.label = format!("{} ({})", subject.label, subject.run.path().display());
    }
}
