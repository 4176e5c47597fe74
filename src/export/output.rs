//! Writing an export: a file, or a folder with a `manifest.json`, without losing what is there.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::{Format, KIND, Source, head};
use crate::error::{Error, Result};
use crate::rundir::{ResultKind, to_json, write_at_once};

const MANIFEST: &str = "manifest.json";
/// A folder of one.
const EXPORT: ResultKind = ResultKind { kind: KIND, there: "the export", any: "an export" };

/// Where an export goes that nobody placed: the run's folder's name, with the format behind it.
pub fn place(run: &Path, format: Format) -> PathBuf {
    let absolute = std::path::absolute(run).unwrap_or_else(|_| run.to_path_buf());
    let folder = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
    let folder = folder.unwrap_or_else(|| "export".to_string());
    match format.exporter().ending {
        Some(ending) => PathBuf::from(format!("{folder}.{ending}")),
        None => PathBuf::from(format!("{folder}-{format}")),
    }
}

/// Writes `source` to `out`: a file, or a folder that is new, empty or, with `force`, holds an earlier
/// export, of which it removes the files and nothing else. Returns how many bytes there are.
///
/// # Errors
/// [`Error::File`] and [`Error::Output`] for what may not be replaced, before anything is changed;
/// [`Error::Setting`] for what a format does not hold; [`Error::Io`].
pub fn write(source: &Source, format: Format, out: &Path, force: bool) -> Result<u64> {
    let exporter = format.exporter();
    match exporter.ending {
        Some(_) => check_file(out, force)?,
        None => EXPORT.replaceable(out, force).map(drop)?,
    }
    let files = (exporter.files)(source)?;
    let size = files.iter().map(|file| file.bytes.len() as u64).sum();
    if exporter.ending.is_some() {
        files.iter().try_for_each(|file| write_at_once(out, &file.bytes))?;
        return Ok(size);
    }
    let directory = EXPORT.make(out, force)?;
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    directory.write(MANIFEST, &to_json(&manifest(source, format, &names))?)?;
    for file in &files {
        if let Some((folder, _)) = file.name.rsplit_once('/') {
            directory.make_folder(folder)?;
        }
        directory.write(&file.name, &file.bytes)?;
    }
    Ok(size)
}

/// Of a folder: what it is of, its files, and the schema of each table.
fn manifest(source: &Source, format: Format, files: &[&str]) -> Value {
    let mut manifest = head(source);
    let tables: Map<String, Value> = source
        .tables
        .iter()
        .map(|table| {
            (table.name.clone(), json!({ "rows": table.rows(), "schema": table.schema() }))
        })
        .collect();
    manifest.insert("command".to_string(), format.name().into());
    manifest.insert("tables".to_string(), tables.into());
    manifest.insert("numbers".to_string(), source.numbers.clone().into());
    manifest.insert("files".to_string(), json!(files));
    manifest.into()
}

fn check_file(out: &Path, force: bool) -> Result<()> {
    let problem = match () {
        () if out.is_dir() => ("it is a folder", "name a file with --out"),
        () if !force && out.exists() => {
            ("it is there already", "choose another --out, or replace it with --force")
        }
        () => return Ok(()),
    };
    Err(Error::file(out, None, problem.0, problem.1))
}
