//! What stands on a page.

use std::collections::BTreeMap;
use std::path::PathBuf;

use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde::Serialize;
use serde_json::json;

use super::Subject;
use super::packed::Packed;
use super::results::results;
use super::settings::settings;
use super::spectra::{PageSpectrum, spectra};
use crate::config::{RunConfig, Settings};
use crate::error::{Error, Result};
use crate::experiment::doctor::{self, Finding};
use crate::record::{COLUMNS, Event, StepRow, Summary, short};
use crate::rundir::{ManifestHead, StepTable, StoredRun};

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/style.css");
const CHARTS_STYLE: &str = include_str!("page/uPlot.min.css");
const CHARTS: &str = include_str!("page/uPlot.iife.min.js");
const SCRIPTS: [&str; 4] = [
    include_str!("page/data.js"),
    include_str!("page/charts.js"),
    include_str!("page/spectra.js"),
    include_str!("page/page.js"),
];
/// What a page that is served has as well.
const FOLLOWER: &str = include_str!("page/follow.js");

/// A run's numbers, for the page's script.
#[derive(Serialize)]
struct RunData {
    label: String,
    /// How its threshold goes ("2/η").
    threshold: String,
    steps: usize,
    ended: bool,
    columns: BTreeMap<String, Packed>,
    /// Steps whose eigenvalues did not converge.
    unconverged: Vec<usize>,
    /// Where phases begin.
    phases: Vec<(usize, String)>,
    events: Vec<PageEvent>,
    spectra: Vec<PageSpectrum>,
}

/// An event, for the page's script.
#[derive(Serialize)]
pub(super) struct PageEvent {
    step: usize,
    kind: String,
    text: String,
}

impl PageEvent {
    /// Of a run whose threshold goes so.
    pub fn of(event: &Event, threshold: &str) -> Self {
        Self {
            step: event.step,
            kind: event.kind.name().to_string(),
            text: event.kind.sentence(threshold),
        }
    }
}

/// A column in the legend of charts.
#[derive(Serialize)]
struct ColumnWords {
    name: &'static str,
    unit: &'static str,
    about: String,
}

/// A line of the overview.
#[derive(Serialize)]
struct Overview {
    label: String,
    path: String,
    what: String,
    status: String,
    cells: Vec<String>,
    notes: Vec<String>,
    findings: Vec<Finding>,
}

/// What a page is of, and how it is made.
#[derive(Debug)]
pub struct Page<'a> {
    /// The runs.
    pub subjects: &'a [Subject],
    /// What was named: comparisons and results among it stand on the page as well.
    pub named: &'a [PathBuf],
    /// Its title.
    pub title: &'a str,
    /// Whether the checklist repeats suspicious steps in double precision ([`doctor::examine`]); else it holds what
    /// can be read off.
    pub thorough: bool,
    /// Whether a server sends it, which it then asks for what comes to its runs. One that is not asks nobody.
    pub is_served: bool,
}

/// Writes a page.
///
/// # Errors
/// [`Error::File`] for a run's file that is not what runs write.
pub fn page(page: &Page) -> Result<String> {
    let Page { subjects, named, title, thorough, is_served } = *page;
    let runs = subjects.iter().map(run_data).collect::<Result<Vec<_>>>()?;
    let overview = subjects.iter().map(|s| overview(s, thorough)).collect::<Result<Vec<_>>>()?;
    let columns: Vec<ColumnWords> = COLUMNS
        .iter()
        .map(|c| ColumnWords { name: c.name, unit: c.unit, about: c.about.trim().to_string() })
        .collect();
    let kinds = kinds(subjects.iter().flat_map(|s| s.run.events().into_iter().flatten()));
    let data = json!({ "columns": columns, "kinds": kinds, "runs": runs });
    let (differing, same): (Vec<_>, Vec<_>) =
        settings(subjects).into_iter().partition(|row| row.differs);
    let context = json!({
        "title": title,
        "version": env!("CARGO_PKG_VERSION"),
        "measures": MEASURES,
        "is_served": is_served,
        "runs": overview,
        "results": results(named, subjects)?,
        "differing": differing,
        "same": same,
        "data": in_script(&data.to_string()),
        "style": format!("{CHARTS_STYLE}\n{STYLE}"),
        "charts": CHARTS,
        "scripts": SCRIPTS.concat() + if is_served { FOLLOWER } else { "" },
    });
    rendered(&context)
}

fn rendered(context: &serde_json::Value) -> Result<String> {
    let failed = |e: minijinja::Error| Error::Encode { what: "a page", reason: format!("{e:#}") };
    let mut templates = Environment::new();
    templates.set_auto_escape_callback(|_| AutoEscape::Html);
    templates.add_template("page", PAGE).map_err(failed)?;
    let page = templates.get_template("page").map_err(failed)?;
    page.render(Serde(context)).map_err(failed)
}

/// JSON as the content of a script element, which no text in it can end.
fn in_script(json: &str) -> String {
    json.replace('<', "\\u003c").replace('\u{2028}', "\\u2028").replace('\u{2029}', "\\u2029")
}

fn run_data(subject: &Subject) -> Result<RunData> {
    let run = &subject.run;
    let rows = run.rows()?;
    let threshold = threshold_of(run.head());
    Ok(RunData {
        label: subject.label.clone(),
        steps: rows.len(),
        // To one that is looked at before its end nothing comes.
        ended: run.named_step().is_some() || run.has_ended(),
        columns: columns(run.table()?),
        unconverged: unconverged(rows).collect(),
        phases: phases(rows),
        events: run.events()?.iter().map(|event| PageEvent::of(event, &threshold)).collect(),
        spectra: spectra(run)?,
        threshold,
    })
}

/// How a run's threshold goes ("2/η").
pub(super) fn threshold_of(head: Option<&ManifestHead>) -> String {
    let settings = head.and_then(|head| Settings::of_manifest(&head.config).ok());
    let config = settings.and_then(|settings| RunConfig::resolve(settings).ok());
    let formula = config.and_then(|config| config.optimizer.build().formula());
    formula.unwrap_or_else(|| "threshold".to_string())
}

/// What events of these kinds are.
pub(super) fn kinds<'a>(
    events: impl IntoIterator<Item = &'a Event>,
) -> BTreeMap<&'static str, &'static str> {
    events.into_iter().map(|event| (event.kind.name(), event.kind.about())).collect()
}

/// The columns of numbers that have any.
pub(super) fn columns(table: &StepTable) -> BTreeMap<String, Packed> {
    let column = |(index, name): (usize, &String)| {
        let cells = table.cells.iter().map(|row| row.get(index)?.parse().ok());
        Some((name.clone(), Packed::of(cells)?))
    };
    table
        .columns
        .iter()
        .enumerate()
        .filter(|(_, name)| *name != "step")
        .filter_map(column)
        .collect()
}

/// Steps whose eigenvalues did not converge.
pub(super) fn unconverged(rows: &[StepRow]) -> impl Iterator<Item = usize> {
    rows.iter().filter(|row| row.converged == Some(false)).map(|row| row.step)
}

/// Where phases begin.
pub(super) fn phases(rows: &[StepRow]) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    for (step, phase) in
        rows.iter().filter_map(|row| Some((row.step, row.phase?.name().to_string())))
    {
        if found.last().is_none_or(|(_, last)| *last != phase) {
            found.push((step, phase));
        }
    }
    found
}

/// The columns of the overview, after the run and how it ended.
const MEASURES: [&str; 9] = [
    "steps",
    "final training loss",
    "final validation loss",
    "first sharpness",
    "peak sharpness",
    "at step",
    "final edge ratio",
    "first step at the edge",
    "share of rows at the edge",
];

fn overview(subject: &Subject, thorough: bool) -> Result<Overview> {
    let run = &subject.run;
    let rows = run.rows()?;
    let summary = run.summary();
    let cells = summary.as_ref().map_or_else(|| vec![rows.len().to_string()], measures);
    Ok(Overview {
        label: subject.label.clone(),
        path: run.path().display().to_string(),
        what: run.config().map(|config| config.in_words()).unwrap_or_default(),
        status: summary.map_or_else(|| "not ended".to_string(), |summary| words(&summary.status)),
        cells,
        notes: notes(run, rows),
        findings: if thorough { doctor::examine(run)? } else { doctor::read_off(run)? },
    })
}

/// A name of several words.
fn words(name: &impl Serialize) -> String {
    let name = serde_json::to_value(name).unwrap_or_default();
    name.as_str().unwrap_or_default().replace('_', " ")
}

fn measures(summary: &Summary) -> Vec<String> {
    let number = |x: Option<f64>| x.map_or_else(String::new, short);
    let count = |n: Option<usize>| n.map_or_else(String::new, |n| n.to_string());
    vec![
        summary.steps.to_string(),
        number(summary.final_train_loss),
        number(summary.final_val_loss),
        number(summary.initial_sharpness),
        number(summary.peak_sharpness),
        count(summary.peak_sharpness_step),
        number(summary.final_edge_ratio),
        count(summary.first_step_at_edge),
        summary.share_at_edge.map_or_else(String::new, |share| format!("{:.1}%", 100.0 * share)),
    ]
}

/// What a reader of the figures must know of how they were made.
fn notes(run: &StoredRun, rows: &[StepRow]) -> Vec<String> {
    let mut notes = Vec::new();
    let measured = rows.iter().filter(|row| row.sharpness.is_some()).count();
    let failed = unconverged(rows).count();
    let worst = rows.iter().filter_map(|row| row.residual).fold(0.0, f64::max);
    notes.push(match measured {
        0 => "curvature was not measured".to_string(),
        _ => format!(
            "eigenvalues at {measured} of {} rows; the largest relative residual is {worst:.1e}; {}",
            rows.len(),
            match failed {
                0 => "all converged".to_string(),
                1 => "1 row did not converge (a ring in the chart)".to_string(),
                n => format!("{n} rows did not converge (rings in the chart)"),
            }
        ),
    });
    let Some(head) = run.head() else { return notes };
    let samples = head.train_indices.len();
    notes.push(match &head.curvature_indices {
        Some(some) => format!("curvature of {} of the {samples} training samples", some.len()),
        None if samples > 0 => format!("curvature of all {samples} training samples"),
        None if head.config.get("objective").is_some() => {
            "curvature of the objective, which has no samples".to_string()
        }
        None => "the samples are those of the user's own loop".to_string(),
    });
    notes.push(format!("computed in {}", words(&run.precision())));
    for resumption in &head.resumed {
        notes.push(format!("gone on with at step {}, {}", resumption.step, resumption.time));
    }
    if let Some(error) = &head.error {
        notes.push(format!("it ended with an error: {error}"));
    }
    notes
}
