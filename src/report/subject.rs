//! What a page is about: runs, and comparisons of runs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::experiment::compare::{self, ComparisonManifest};
use crate::rundir::StoredRun;

/// A run with the name that it goes by on the page.
#[derive(Debug)]
pub struct Subject {
    /// Unlike those of the others.
    pub label: String,
    /// The run.
    pub run: StoredRun,
}

/// The runs that were named, those of a comparison's folder in its place.
///
/// # Errors
/// [`Error::File`] for what is neither, and for a comparison without a run; [`Error::Setting`] where one is named twice.
pub fn subjects(paths: &[PathBuf]) -> Result<Vec<Subject>> {
    let mut found = Vec::new();
    for path in paths {
        if compare::is_comparison(path) {
            members(path, &mut found)?;
        } else {
            let run = StoredRun::open(path)?;
            run.rows()?;
            found.push(Subject { label: name(&run), run });
        }
    }
    check_twice(&found)?;
    tell_apart(&mut found);
    Ok(found)
}

/// The runs of a comparison that have begun.
fn members(folder: &Path, found: &mut Vec<Subject>) -> Result<()> {
    let before = found.len();
    for member in ComparisonManifest::read(folder)?.members {
        let path = folder.join(&member.folder);
        if path.join("steps.csv").is_file() {
            let run = StoredRun::open(&path)?;
            run.rows()?;
            found.push(Subject { label: format!("{}, seed {}", member.setting, member.seed), run });
        }
    }
    if found.len() == before {
        let remedy = "wait until one of its runs has begun";
        return Err(Error::file(folder, None, "none of the comparison's runs is there", remedy));
    }
    Ok(())
}

/// As its settings name it, else as its folder.
fn name(run: &StoredRun) -> String {
    let named = run.head().and_then(|head| head.config["name"].as_str());
    let folder = || run.path().file_name().map(|name| name.to_string_lossy().into_owned());
    let name = named.map(str::to_string).or_else(folder);
    let name = name.unwrap_or_else(|| run.path().display().to_string());
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
