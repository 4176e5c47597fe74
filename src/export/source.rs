//! What is exported: a run, a comparison or a result of `landscape`, as tables.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::flows::flow_tables;
use super::spectra::spectra_tables;
use super::table::{Column, Table, Values};
use crate::error::Result;
use crate::input;
use crate::record::Event;
use crate::rundir::{
    RunDirectory, StoredFlow, StoredRun, StoredSpectrum, check_schema, stays_inside,
};

const REMEDY: &str = "name the folder of a run, a comparison or a result of landscape";
/// What a comparison writes besides the folders of its runs.
const COMPARISON: &str = "comparison.json";

/// What is exported.
#[derive(Debug, Clone)]
pub struct Source {
    /// `run`, `comparison` or `landscape`.
    pub kind: &'static str,
    /// What it is called.
    pub name: String,
    /// Its folder.
    pub path: PathBuf,
    /// The manifest in it.
    pub manifest: Value,
    /// The run in a few numbers, of one that has ended.
    pub summary: Option<Value>,
    /// Its tables.
    pub tables: Vec<Table>,
    /// Numbers that are in no table, by the names of their files: `interpolate.json` of a result.
    pub numbers: Map<String, Value>,
    /// A run's events.
    pub events: Vec<Event>,
    /// A run's spectra.
    pub spectra: Vec<StoredSpectrum>,
    /// The flows beside a run.
    pub flows: Vec<StoredFlow>,
    /// The folders of a comparison's runs that have begun, as it names them.
    pub members: Vec<String>,
}

impl Source {
    /// What is in that folder; RUN@STEP is the run as it stood then.
    ///
    /// # Errors
    /// [`crate::Error::File`] for what is neither a run nor made of runs, or cannot be read.
    pub fn open(path: &Path) -> Result<Self> {
        if path.join(COMPARISON).is_file() {
            return Self::of_comparison(path, &["summary", "compare"]);
        }
        match RunDirectory::at(path).result_manifest() {
            Ok(Some(result)) if result.kind == "landscape" => Self::of_result(path, result.files),
            _ => Self::of_run(&StoredRun::open(path)?),
        }
    }

    /// A run's tables: `steps`, `events`, `spectra` with a row for each, `densities` and `layers`, `flows` with a row for
    /// each, and `flow_steps`.
    ///
    /// # Errors
    /// As [`StoredRun::table`], [`StoredRun::events`], [`StoredRun::spectra`] and [`StoredRun::flows`].
    pub fn of_run(run: &StoredRun) -> Result<Self> {
        let table = run.table()?;
        let steps = Table::of_cells("steps", &table.columns, &table.cells);
        let (events, spectra, flows) = (run.events()?.to_vec(), run.spectra()?, run.flows()?);
        let mut tables = vec![steps, events_table(&events)];
        tables.extend(spectra_tables(&spectra));
        tables.extend(flow_tables(&flows));
        let manifest = run.directory().file("manifest.json");
        let manifest = if manifest.is_file() { json_file(&manifest)? } else { Value::Null };
        let name = run.directory().run_name(run.head()).unwrap_or_default();
        Ok(Self {
            summary: run.summary().and_then(|summary| serde_json::to_value(summary).ok()),
            tables,
            events,
            spectra,
            flows,
            ..Self::bare("run", name, run.path(), manifest)
        })
    }

    fn bare(kind: &'static str, name: String, path: &Path, manifest: Value) -> Self {
        Self {
            kind,
            name,
            path: path.to_path_buf(),
            manifest,
            summary: None,
            tables: Vec::new(),
            numbers: Map::new(),
            events: Vec::new(),
            spectra: Vec::new(),
            flows: Vec::new(),
            members: Vec::new(),
        }
    }

    /// Of a comparison, its runs as they stand in the table `members`, and those of its own tables that are named.
    ///
    /// # Errors
    /// [`crate::Error::File`] for what is no comparison, or cannot be read.
    pub fn of_comparison(path: &Path, tables: &[&str]) -> Result<Self> {
        let file = path.join(COMPARISON);
        let manifest = json_file(&file)?;
        check_schema(manifest["schema_version"].as_u64().unwrap_or(1) as u32, &file)?;
        let listed = manifest["members"].as_array().into_iter().flatten();
        let listed: Vec<Map<String, Value>> =
            listed.filter_map(Value::as_object).cloned().collect();
        let begun =
            |folder: &&str| stays_inside(folder) && path.join(folder).join("steps.csv").is_file();
        let folders = listed.iter().filter_map(|member| member["folder"].as_str());
        let members = folders.filter(begun).map(str::to_string).collect();
        let mut found = vec![Table::of_objects("members", &listed)];
        for name in tables {
            let file = path.join(format!("{name}.csv"));
            // They are written when all runs are done.
            if file.is_file() {
                found.push(csv_table(name, &file)?);
            }
        }
        let name = manifest["name"].as_str().unwrap_or("comparison").to_string();
        Ok(Self { tables: found, members, ..Self::bare("comparison", name, path, manifest) })
    }

    /// Each table of a result, and the numbers in its other files.
    fn of_result(path: &Path, files: Vec<String>) -> Result<Self> {
        let manifest = json_file(&path.join("manifest.json"))?;
        let (mut tables, mut numbers) = (Vec::new(), Map::new());
        for file in files {
            match file.rsplit_once('.') {
                Some((name, "csv")) => tables.push(csv_table(name, &path.join(&file))?),
                Some((name, "json")) => {
                    numbers.insert(name.to_string(), json_file(&path.join(&file))?);
                }
                _ => {}
            }
        }
        let name = manifest["command"].as_str().unwrap_or("landscape").to_string();
        Ok(Self { tables, numbers, ..Self::bare("landscape", name, path, manifest) })
    }

    /// The runs of a comparison that have begun, each with its folder.
    ///
    /// # Errors
    /// As [`Source::of_run`].
    pub fn runs(&self) -> Result<Vec<(&str, Self)>> {
        let open = |folder: &String| Self::of_run(&StoredRun::open(&self.path.join(folder))?);
        self.members.iter().map(|folder| Ok((folder.as_str(), open(folder)?))).collect()
    }

    /// The settings that it was made with.
    pub fn settings(&self) -> &Value {
        match self.kind {
            "run" => &self.manifest["config"],
            _ => &self.manifest["settings"],
        }
    }

    /// The table of that name.
    pub fn table(&self, name: &str) -> Option<&Table> {
        self.tables.iter().find(|table| table.name == name)
    }
}

/// A row for each event, a column for each number that one of them has.
fn events_table(events: &[Event]) -> Table {
    let rows: Vec<Map<String, Value>> = events.iter().map(|event| event.clone().into()).collect();
    let mut table = Table::of_objects("events", &rows);
    if rows.is_empty() {
        let texts = |name| Column::named(name, Values::Texts(Vec::new()));
        table.columns = vec![
            Column::named("step", Values::Counts(Vec::new())),
            texts("kind"),
            texts("assumes"),
        ];
    }
    // Of the operator that the threshold bounds, which is not always the Hessian.
    let sharpness = table.columns.iter_mut().find(|column| column.name == "sharpness");
    if let Some(column) = sharpness {
        column.unit = "that of `threshold`".to_string();
        column.about = "sharpness of the operator that `threshold` bounds".to_string();
    }
    table
}

fn json_file(path: &Path) -> Result<Value> {
    input::parse_json(&input::read_text(path, REMEDY)?, path, REMEDY)
}

/// A table that the program wrote; one that is being written has no last line yet.
fn csv_table(name: &str, path: &Path) -> Result<Table> {
    let bytes = input::read(path, REMEDY)?;
    let (header, rows) = input::parse_table(&bytes, path, "make the result anew")?;
    let columns: Vec<String> = header.iter().map(str::to_string).collect();
    Ok(Table::of_cells(name, &columns, &rows))
}
