//! The folder of a result: what was compared, tables, numbers and pictures.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::{Error, Result};
use crate::experiment::timestamped;
use crate::rundir::{RESULT_SCHEMA_VERSION, ResultManifest, RunDirectory, now, to_json};

/// What `kind` in the manifest is.
const KIND: &str = "landscape";
const MANIFEST: &str = "manifest.json";

/// A folder that a result is written into. Its `manifest.json` is written first, with the names of the files as they
/// come, and completed by [`Output::finish`].
#[derive(Debug)]
pub struct Output {
    directory: RunDirectory,
    manifest: Map<String, Value>,
    files: Vec<String>,
}

impl Output {
    /// Checks, changing nothing, whether [`Output::create`] would refuse that folder.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn check(out: Option<&Path>, force: bool) -> Result<()> {
        let Some(path) = out else { return Ok(()) };
        match std::fs::read_dir(path) {
            Ok(mut entries) => match entries.next() {
                Some(_) => Self::earlier(path, force).map(drop),
                None => Ok(()),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(cannot(path, "be used", &e)),
        }
    }

    /// Makes the folder: `out`, or `landscapes/TIME-COMMAND`. With `force` an earlier result in it is removed, its
    /// own files and nothing else. `described` is an object of what is compared and how.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that holds anything, without `force`, or that holds something else than a
    /// result; nothing is changed then.
    pub fn create(
        out: Option<&Path>,
        force: bool,
        command: &str,
        described: &Value,
    ) -> Result<Self> {
        Self::check(out, force)?;
        let directory = match out {
            Some(path) => {
                std::fs::create_dir_all(path).map_err(|e| cannot(path, "be made", &e))?;
                let mut directory = RunDirectory::at(path);
                directory.lock()?;
                directory
            }
            None => RunDirectory::create_numbered(Path::new("landscapes"), &timestamped(command))?,
        };
        if directory.file(MANIFEST).is_file() {
            for name in Self::earlier(directory.path(), force)?.files.iter().map(String::as_str) {
                remove(&directory.file(name))?;
            }
        }
        let here = std::env::current_dir().ok();
        let head = json!({
            "kind": KIND,
            "schema_version": RESULT_SCHEMA_VERSION,
            "version": env!("CARGO_PKG_VERSION"),
            "command": command,
            "working_directory": here.as_deref().and_then(Path::to_str),
            "started": now(),
            "finished": null,
        });
        let mut manifest = Map::new();
        for part in [&head, described] {
            manifest.extend(part.as_object().cloned().unwrap_or_default());
        }
        let output = Self { directory, manifest, files: Vec::new() };
        output.write_manifest()?;
        Ok(output)
    }

    /// The earlier result in a folder that holds something, if it may be replaced.
    fn earlier(path: &Path, force: bool) -> Result<ResultManifest> {
        let problem = |problem: &str, remedy: &str| {
            let (problem, remedy) = (problem.to_string(), remedy.to_string());
            Err(Error::Output { path: path.to_path_buf(), problem, remedy })
        };
        if !force {
            let remedy = "choose another --out, or replace the result in it with --force";
            return problem("it exists already and is not empty", remedy);
        }
        match RunDirectory::at(path).result_manifest()? {
            Some(earlier) if earlier.kind == KIND => Ok(earlier),
            _ => {
                let what = "it holds something else than a result of landscape, which --force does not touch";
                problem(what, "choose another --out")
            }
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if !self.files.iter().any(|known| known == name) {
            self.files.push(name.to_string());
            self.write_manifest()?;
        }
        self.directory.write(name, bytes)
    }

    /// Writes `NAME.json`.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Encode`].
    pub fn json(&mut self, stem: &str, value: &Value) -> Result<()> {
        self.write(&format!("{stem}.json"), &to_json(value)?)
    }

    /// Writes a picture, `NAME.svg` and `NAME.png`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn picture(&mut self, stem: &str, svg: &str, png: &[u8]) -> Result<()> {
        self.write(&format!("{stem}.svg"), svg.as_bytes())?;
        self.write(&format!("{stem}.png"), png)
    }

    /// Completes the manifest; the folder's path.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Encode`].
    pub fn finish(mut self) -> Result<PathBuf> {
        self.manifest.insert("finished".to_string(), json!(now()));
        self.write_manifest()?;
        Ok(self.directory.path().to_path_buf())
    }

    fn write_manifest(&self) -> Result<()> {
        let mut manifest = self.manifest.clone();
        manifest.insert("files".to_string(), json!(self.files));
        self.directory.write(MANIFEST, &to_json(&manifest)?)
    }
}

fn cannot(path: &Path, what: &str, error: &std::io::Error) -> Error {
    Error::Output {
        path: path.to_path_buf(),
        problem: format!("it cannot {what} ({})", crate::error::reason(error)),
        remedy: "choose a folder that you may write to with --out".to_string(),
    }
}

fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::Io { action: "remove", path: path.to_path_buf(), source })
        }
        _ => Ok(()),
    }
}
