//! The folder of a result: what was compared, tables, numbers and pictures.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::experiment::timestamped;
use crate::rundir::{RESULT_SCHEMA_VERSION, ResultKind, RunDirectory, now, to_json};

/// What `kind` in the manifest is.
const KIND: &str = "landscape";
const MANIFEST: &str = "manifest.json";
const LANDSCAPE: ResultKind =
    ResultKind { kind: KIND, there: "the result", any: "a result of landscape" };

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
    /// [`crate::Error::Output`].
    pub fn check(out: Option<&Path>, force: bool) -> Result<()> {
        out.map_or(Ok(()), |path| LANDSCAPE.replaceable(path, force).map(drop))
    }

    /// Makes the folder: `out`, or `landscapes/TIME-COMMAND`. With `force` an earlier result in it is removed, its
    /// own files and nothing else. `described` is an object of what is compared and how.
    ///
    /// # Errors
    /// [`crate::Error::Output`] for a folder that holds anything, without `force`, or that holds something else than a
    /// result; nothing is changed then.
    pub fn create(
        out: Option<&Path>,
        force: bool,
        command: &str,
        described: &Value,
    ) -> Result<Self> {
        let directory = match out {
            Some(path) => LANDSCAPE.make(path, force)?,
            None => RunDirectory::create_numbered(Path::new("landscapes"), &timestamped(command))?,
        };
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

    /// The folder.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file of it.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn write(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        if !self.files.iter().any(|known| known == name) {
            self.files.push(name.to_string());
            self.write_manifest()?;
        }
        self.directory.write(name, bytes)
    }

    /// Takes files into the manifest that others wrote into the folder.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn list(&mut self, files: Vec<String>) -> Result<()> {
        self.files.extend(files);
        self.write_manifest()
    }

    /// Writes `NAME.json`.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Encode`].
    pub fn json(&mut self, stem: &str, value: &Value) -> Result<()> {
        self.write(&format!("{stem}.json"), &to_json(value)?)
    }

    /// Writes a picture, `NAME.svg` and `NAME.png`.
    ///
    /// # Errors
    /// [`crate::Error::Io`].
    pub fn picture(&mut self, stem: &str, svg: &str, png: &[u8]) -> Result<()> {
        self.write(&format!("{stem}.svg"), svg.as_bytes())?;
        self.write(&format!("{stem}.png"), png)
    }

    /// Completes the manifest; the folder's path.
    ///
    /// # Errors
    /// [`crate::Error::Io`], [`crate::Error::Encode`].
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
