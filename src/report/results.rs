//! What was made of the runs of a page: comparisons, and results of `landscape`, with their settings, pictures and
//! tables.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::Value;

use super::Subject;
use super::flows::flows;
use super::settings::shown;
use crate::error::{Error, Result};
use crate::experiment::compare::{self, ComparisonManifest};
use crate::figure::ComparisonFigure;
use crate::input;
use crate::rundir::{ResultManifest, RunDirectory};

/// Where `landscape` writes unless it is told otherwise.
const LANDSCAPES: &str = "landscapes";
/// Rows of a table that stand on the page.
const MOST_ROWS: usize = 200;
pub(super) const REMEDY: &str = "make it again";

/// A comparison or a result.
#[derive(Debug, Serialize)]
pub(super) struct ResultView {
    title: String,
    /// What was asked for, on what it was computed, what differs between the runs.
    facts: Vec<String>,
    findings: Vec<FindingView>,
    pub(super) pictures: Vec<Picture>,
    pub(super) tables: Vec<TableView>,
    path: String,
}

#[derive(Debug, Serialize)]
struct FindingView {
    verdict: String,
    check: String,
    text: String,
}

/// A picture as a URL that holds it.
#[derive(Debug, Serialize)]
pub(super) struct Picture {
    name: String,
    url: String,
}

#[derive(Debug, Serialize)]
pub(super) struct TableView {
    name: String,
    columns: Vec<String>,
    rows: Vec<Vec<String>>,
    /// Rows that are in the file only.
    left_out: usize,
}

impl ResultView {
    pub(super) fn about(path: &Path, title: String, facts: Vec<String>) -> Self {
        let path = path.display().to_string();
        let (findings, pictures, tables) = (Vec::new(), Vec::new(), Vec::new());
        Self { title, facts, findings, pictures, tables, path }
    }
}

/// Comparisons and results among `paths`, then results of `landscape` about any of the runs, where they are in a
/// folder `landscapes`: here, or beside a run or its folder; and the flows in the runs' own folders.
///
/// # Errors
/// [`Error::File`] for a file that is not what the program writes.
pub(super) fn results(paths: &[PathBuf], subjects: &[Subject]) -> Result<Vec<ResultView>> {
    let mut found = Vec::new();
    let mut seen = BTreeSet::new();
    for path in paths.iter().filter(|path| seen.insert(place(path))) {
        if compare::is_comparison(path) {
            found.push(comparison(path)?);
        } else if let Some(manifest) = RunDirectory::at(path).result_manifest()? {
            found.push(result(path, &manifest)?);
        }
    }
    let runs: BTreeSet<PathBuf> = subjects.iter().map(|s| place(s.run.path())).collect();
    for path in candidates(subjects) {
        // What somebody else left there is not asked for.
        let Ok(Some(manifest)) = RunDirectory::at(&path).result_manifest() else { continue };
        if is_about(&path, &runs) && seen.insert(place(&path)) {
            // Nobody named it: the page is not kept from its reader.
            let unreadable = |error: Error| {
                ResultView::about(&path, "landscape".to_string(), vec![error.to_string()])
            };
            found.push(result(&path, &manifest).unwrap_or_else(unreadable));
        }
    }
    found.extend(runs.iter().flat_map(|run| flows(run)));
    Ok(found)
}

/// Whether a path is a result's folder.
///
/// # Errors
/// As [`RunDirectory::result_manifest`].
pub(super) fn is_result(path: &Path) -> Result<bool> {
    Ok(RunDirectory::at(path).result_manifest()?.is_some())
}

fn place(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

/// The folders in those named `landscapes`, in the order of their names.
fn candidates(subjects: &[Subject]) -> Vec<PathBuf> {
    let mut parents = vec![PathBuf::from(".")];
    for subject in subjects {
        let run = place(subject.run.path());
        parents.extend(run.ancestors().skip(1).take(2).map(Path::to_path_buf));
    }
    let mut folders = BTreeSet::new();
    for parent in parents {
        let entries = std::fs::read_dir(parent.join(LANDSCAPES));
        folders.extend(entries.into_iter().flatten().flatten().map(|entry| place(&entry.path())));
    }
    folders.into_iter().collect()
}

/// Whether any of the runs that it was made of is one of these.
fn is_about(path: &Path, runs: &BTreeSet<PathBuf>) -> bool {
    let manifest = manifest(path).unwrap_or_default();
    let of = manifest["runs"].as_array();
    let mut directories = of.into_iter().flatten().filter_map(|run| run["directory"].as_str());
    directories.any(|directory| runs.contains(&place(Path::new(directory))))
}

fn manifest(path: &Path) -> Result<Value> {
    let path = path.join("manifest.json");
    input::parse_json(&input::read_text(&path, REMEDY)?, &path, REMEDY)
}

fn result(path: &Path, head: &ResultManifest) -> Result<ResultView> {
    let manifest = manifest(path)?;
    let named = |run: &Value| run["name"].as_str().unwrap_or_default().to_string();
    let runs: Vec<String> = manifest["runs"].as_array().into_iter().flatten().map(named).collect();
    let title = format!("{} {}: {}", head.kind, head.command, runs.join(", "));
    let mut view = ResultView::about(path, title, facts(&manifest));
    // Of a result that was stopped on the way not all are there.
    let there = |name: &&String| path.join(name).is_file();
    for name in head.files.iter().filter(there) {
        match name.rsplit_once('.') {
            Some((_, "csv")) => view.tables.push(table(path, name)?),
            Some((stem, "svg")) => view.pictures.extend(picture(path, stem)?),
            Some((_, "json")) => view.findings.extend(findings(&path.join(name))?),
            _ => {}
        }
    }
    Ok(view)
}

fn facts(manifest: &Value) -> Vec<String> {
    let mut facts = Vec::new();
    let settings = shown(manifest.get("settings"));
    facts.extend((!settings.is_empty()).then(|| format!("settings: {settings}")));
    let count = |key: &str| manifest[key].as_array().map(Vec::len);
    if let Some(samples) = count("train_indices") {
        facts.push(match count("curvature_indices") {
            Some(some) => format!("{samples} training samples, curvature of {some} of them"),
            None => format!("{samples} training samples, curvature of all of them"),
        });
    }
    let said = |key: &str| shown(manifest.get(key));
    facts.push(format!(
        "computed in {} on {} ({}), {}",
        said("precision"),
        said("backend"),
        said("adapter"),
        said("started")
    ));
    facts.extend(manifest["notes"].as_array().into_iter().flatten().map(|note| shown(Some(note))));
    if manifest.get("finished").is_none_or(Value::is_null) {
        facts.push("it was not finished: what is here is not all of it".to_string());
    }
    facts
}

fn findings(path: &Path) -> Result<Vec<FindingView>> {
    let numbers: Value = input::parse_json(&input::read_text(path, REMEDY)?, path, REMEDY)?;
    let said = |finding: &Value, key: &str| shown(finding.get(key)).replace('_', " ");
    let view = |finding: &Value| FindingView {
        verdict: said(finding, "verdict"),
        check: said(finding, "check"),
        text: shown(finding.get("text")),
    };
    Ok(numbers["findings"].as_array().into_iter().flatten().map(view).collect())
}

fn comparison(folder: &Path) -> Result<ResultView> {
    let manifest = ComparisonManifest::read(folder)?;
    let mut facts = vec![format!(
        "{} settings, {} runs, {}",
        manifest.settings.len(),
        manifest.members.len(),
        match manifest.exit_code {
            Some(_) => "ended",
            None => "under way, or killed",
        }
    )];
    for status in ["completed", "diverged", "failed", "unfinished"] {
        let of = manifest.members.iter().filter(|member| member.status == status);
        let count = of.count();
        facts.extend(
            (count > 0 && manifest.exit_code.is_some()).then(|| format!("{count} {status}")),
        );
    }
    for member in &manifest.members {
        let failed = member.error.as_ref();
        facts.extend(failed.map(|e| format!("{}, seed {}: {e}", member.setting, member.seed)));
    }
    let mut view = ResultView::about(folder, format!("compare: {}", manifest.name), facts);
    if folder.join("summary.csv").is_file() {
        view.tables.push(table(folder, "summary.csv")?);
    }
    for figure in ComparisonFigure::ALL {
        view.pictures.extend(picture(folder, figure.stem())?);
    }
    Ok(view)
}

/// A picture in the shorter of its two forms.
pub(super) fn picture(folder: &Path, stem: &str) -> Result<Option<Picture>> {
    let forms = [("svg", "image/svg+xml"), ("png", "image/png")];
    let there = forms.into_iter().filter_map(|(ending, kind)| {
        let path = folder.join(format!("{stem}.{ending}"));
        Some((std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?.len(), path, kind))
    });
    let Some((_, path, kind)) = there.min_by_key(|(length, ..)| *length) else { return Ok(None) };
    let bytes = input::read(&path, REMEDY)?;
    let url = format!("data:{kind};base64,{}", STANDARD.encode(bytes));
    Ok(Some(Picture { name: stem.replace(['_', '-'], " "), url }))
}

/// A table, its numbers in few digits.
pub(super) fn table(folder: &Path, name: &str) -> Result<TableView> {
    let path = folder.join(name);
    let bytes = input::read(&path, REMEDY)?;
    let (header, records) = input::parse_table(&bytes, &path, REMEDY)?;
    let columns = header.iter().map(|name| name.replace('_', " ")).collect();
    let row = |record: &csv::StringRecord| record.iter().map(brief).collect();
    let rows = records.iter().take(MOST_ROWS).map(row).collect();
    Ok(TableView {
        name: name.to_string(),
        columns,
        rows,
        left_out: records.len().saturating_sub(MOST_ROWS),
    })
}

/// A number that is no whole one in few digits; what is no number as it is.
fn brief(cell: &str) -> String {
    match cell.parse::<f64>() {
        Ok(x) if cell.contains(['.', 'e']) && x.is_finite() => crate::record::short(x),
        _ => cell.to_string(),
    }
}
