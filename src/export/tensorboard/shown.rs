//! What TensorBoard shows of a run, under which tags.

use std::collections::BTreeMap;

use serde_json::Value;

use super::encode::{Shown, Tagged};
use crate::export::flows::column_about as flow_column_about;
use crate::export::spectra::{numbers, put};
use crate::export::table::{Table, Values};
use crate::record::{Event, Kind, StepRow, cells, column_of};
use crate::rundir::{StoredFlow, StoredSpectrum};

/// What tags of columns begin with.
const STEPS: &str = "steps/";
/// What those of flows begin with.
const FLOWS: &str = "flows/";
/// The tag of what is each point's step.
const STEP: &str = "steps/step";
/// How many bins a spectrum is shown in.
const BINS: usize = 64;

/// What is shown of rows, of which words are shown where they change.
#[derive(Debug, Default)]
pub(super) struct Rows {
    words: BTreeMap<String, String>,
}

impl Rows {
    /// A row of a stored table.
    pub fn of_table(&mut self, table: &Table, row: usize) -> Vec<Tagged> {
        let shown = table.columns.iter().filter_map(|column| match &column.values {
            Values::Texts(texts) => self.word(&column.name, texts[row].as_deref()?),
            values => Some(scalar(&column.name, values.number(row)?)),
        });
        shown.filter(|(tag, ..)| tag != STEP).collect()
    }

    /// A row under columns of these names, as it was told.
    pub fn of_row(&mut self, columns: &[String], row: &StepRow) -> Vec<Tagged> {
        let cells = cells(row, columns);
        let shown = columns.iter().zip(&cells).filter_map(|(name, cell)| {
            match column_of(name).map_or(Kind::Number, |column| column.kind) {
                _ if cell.is_empty() => None,
                Kind::Text => self.word(name, cell),
                Kind::Flag => Some(scalar(name, f64::from(u8::from(cell == "true")))),
                Kind::Number | Kind::Count => Some(scalar(name, cell.parse().ok()?)),
            }
        });
        shown.filter(|(tag, ..)| tag != STEP).collect()
    }

    fn word(&mut self, name: &str, word: &str) -> Option<Tagged> {
        let before = self.words.insert(name.to_string(), word.to_string());
        let changed = before.is_none_or(|before| before != word);
        changed.then(|| (format!("{STEPS}{name}"), Shown::Text(word.to_string()), ""))
    }
}

fn scalar(name: &str, x: f64) -> Tagged {
    (format!("{STEPS}{name}"), Shown::Scalar(x), "")
}

/// What a tag's column holds, with its unit; empty for what is under no column.
pub(super) fn about_of_tag(tag: &str) -> Option<String> {
    let of_flow = |rest: &str| {
        let (_, name) = rest.split_once('/')?;
        Some(flow_column_about(name)).filter(|about| !about.is_empty()).or(Some(column_about(name)))
    };
    tag.strip_prefix(STEPS).map(column_about).or_else(|| tag.strip_prefix(FLOWS).and_then(of_flow))
}

fn column_about(name: &str) -> String {
    let Some(column) = column_of(name) else { return String::new() };
    match column.unit {
        "" => column.about.trim().to_string(),
        unit => format!("{}, in {unit}", column.about.trim()),
    }
}

/// An event in words.
pub(super) fn event_shown(event: &Event) -> Tagged {
    let text = format!("{}\n\nassumes: {}", event.kind.sentence("threshold"), event.kind.assumes());
    (format!("events/{}", event.kind.name()), Shown::Text(text), event.kind.about())
}

/// All settings, as a table.
pub(super) fn settings_shown(settings: &Value) -> Option<Tagged> {
    let settings = settings.as_object().filter(|settings| !settings.is_empty())?;
    let mut text = "| setting | value |\n|---|---|\n".to_string();
    for (name, value) in settings {
        let value = value.to_string().replace('|', r"\|");
        text += &format!("| {name} | {value} |\n");
    }
    Some(("settings".to_string(), Shown::Text(text), "what the run was made with"))
}

/// A spectrum: its numbers, how many eigenvalues are where, and its layers.
pub(super) fn spectrum_shown(spectrum: &StoredSpectrum) -> Vec<Tagged> {
    let name = match spectrum.name().as_str() {
        "hessian" => "spectra".to_string(),
        other => format!("spectra/{other}"),
    };
    let mut shown = Vec::new();
    let mut tell = |tag: String, value: &Value| {
        shown.extend(value.as_f64().map(|x| (tag, Shown::Scalar(x), "")));
    };
    for (number, value) in &numbers(spectrum) {
        if number != "step" {
            tell(format!("{name}/{number}"), value);
        }
    }
    for layer in spectrum.numbers["layers"].as_array().into_iter().flatten() {
        let group = layer["group"].as_str().unwrap_or_default();
        let mut numbers = serde_json::Map::new();
        layer
            .as_object()
            .into_iter()
            .flatten()
            .for_each(|(name, value)| put(&mut numbers, name, value));
        numbers.iter().for_each(|(number, value)| tell(format!("layers/{group}/{number}"), value));
    }
    let bins = bins(spectrum);
    if !bins.is_empty() {
        let about = "how many eigenvalues there are, from the probes' nodes";
        shown.push((format!("{name}/eigenvalues"), Shown::Histogram(bins), about));
    }
    shown
}

/// The rows of a flow by their steps, under its name.
pub(super) fn flow_shown(flow: &StoredFlow) -> Vec<(usize, Vec<Tagged>)> {
    let row = |row: &csv::StringRecord| {
        let cells = flow.columns.iter().zip(row).skip(1);
        let shown = cells.filter_map(|(name, cell)| {
            let x = cell.parse().ok()?;
            Some((format!("{FLOWS}{}/{name}", flow.kind()), Shown::Scalar(x), ""))
        });
        Some((StoredFlow::step(row)?, shown.collect()))
    };
    flow.rows.iter().filter_map(row).collect()
}

/// The weights of the nodes, the mean over probes, in bins of one width; they add up to the number of eigenvalues.
fn bins(spectrum: &StoredSpectrum) -> Vec<[f64; 3]> {
    let nodes = || spectrum.nodes.iter().filter(|(node, ..)| node.is_finite());
    let low = nodes().map(|(node, ..)| *node).fold(f64::INFINITY, f64::min);
    let high = nodes().map(|(node, ..)| *node).fold(f64::NEG_INFINITY, f64::max);
    let probes = spectrum.nodes.iter().map(|(_, probe, _)| probe + 1).max().unwrap_or(0);
    let Some(dimension) = spectrum.numbers["dimension"].as_f64().filter(|_| low < high) else {
        return Vec::new();
    };
    let width = (high - low) / BINS as f64;
    let edge = |bin: usize| if bin == BINS { high } else { low + width * bin as f64 };
    let mut bins: Vec<[f64; 3]> = (0..BINS).map(|bin| [edge(bin), edge(bin + 1), 0.0]).collect();
    for (node, _, weight) in nodes() {
        let bin = (((node - low) / width) as usize).min(BINS - 1);
        bins[bin][2] += weight * dimension / probes as f64;
    }
    bins
}
