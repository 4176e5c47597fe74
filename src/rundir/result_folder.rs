//! Folders of results that are made of runs: a `manifest.json` says what is in them, and an earlier one is replaced by
//! the names that it lists.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use super::RunDirectory;
use crate::error::{Error, Result};

/// A kind of result.
pub(crate) struct ResultKind {
    /// As `kind` in its manifest.
    pub kind: &'static str,
    /// In messages, one that is there: "the export".
    pub there: &'static str,
    /// Any of them: "an export".
    pub any: &'static str,
}

impl ResultKind {
    /// The files of an earlier result in a folder, which may be replaced: none in one that is new or empty.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that holds anything, without `force`, or that holds something else than such a
    /// result.
    pub fn replaceable(&self, folder: &Path, force: bool) -> Result<Vec<String>> {
        let refused = |problem: String, remedy: String| {
            Err(Error::Output { path: folder.to_path_buf(), problem, remedy })
        };
        match fs::read_dir(folder) {
            Ok(mut entries) => {
                if entries.next().is_none() {
                    return Ok(Vec::new());
                }
            }
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::folder(folder, "be used", &e)),
        }
        if !force {
            let remedy =
                format!("choose another --out, or replace {} in it with --force", self.there);
            return refused("it exists already and is not empty".to_string(), remedy);
        }
        match RunDirectory::at(folder).result_manifest()? {
            Some(earlier) if earlier.kind == self.kind => Ok(earlier.files),
            _ => {
                let any = self.any;
                let problem =
                    format!("it holds something else than {any}, which --force does not touch");
                refused(problem, "choose another --out".to_string())
            }
        }
    }

    /// Makes a folder ready for a result, and takes it: with `force` an earlier one is removed, its own files and
    /// nothing else.
    ///
    /// # Errors
    /// As [`ResultKind::replaceable`], before anything is changed; [`Error::Io`].
    pub fn make(&self, folder: &Path, force: bool) -> Result<RunDirectory> {
        self.replaceable(folder, force)?;
        fs::create_dir_all(folder).map_err(|e| Error::folder(folder, "be made", &e))?;
        let mut directory = RunDirectory::at(folder);
        directory.lock()?;
        // Nobody else writes there any more.
        for name in self.replaceable(folder, force)? {
            let path = directory.file(&name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(Error::Io { action: "remove", path, source });
                }
                _ => {}
            }
            // Folders that are left empty; one that somebody else has a file in stays.
            let inner =
                Path::new(&name).ancestors().skip(1).filter(|inner| *inner != Path::new(""));
            for inner in inner {
                let _ = fs::remove_dir(folder.join(inner));
            }
        }
        Ok(directory)
    }
}
