//! The folder of a run: made without losing what is there already.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::atomic;
use crate::error::{Error, Result, reason};

/// A folder that a run writes into.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
    /// Held by whoever writes.
    lock: Option<Arc<fs::File>>,
}

/// What runs write; `--force` removes these and nothing else.
const FILES: [&str; 9] = [
    "steps.csv",
    "events.jsonl",
    "summary.json",
    "init.safetensors",
    "sharpness.svg",
    "sharpness.png",
    "branch.svg",
    "branch.png",
    // Last: without it, a folder that was emptied half-way would not be known for a run's.
    "manifest.json",
];
const FOLDERS: [&str; 2] = ["checkpoints", "spectra"];

impl RunDirectory {
    /// Makes `path` ready for a run: a new or empty folder, or, with `force`, one that holds an
    /// earlier run, whose files are removed.
    ///
    /// # Errors
    /// [`Error::Output`] if it holds anything and `force` is not set, if it holds something that is
    /// not a run, or if it cannot be made or written; nothing is changed then.
    pub fn create(path: &Path, force: bool) -> Result<Self> {
        let mut directory = Self::at(path);
        Self::check(path, force)?;
        fs::create_dir_all(path).map_err(|e| directory.cannot("be made", &e))?;
        tempfile::tempfile_in(path).map_err(|e| directory.cannot("be written", &e))?;
        directory.lock()?;
        directory.remove_earlier_run()?;
        Ok(directory)
    }

    /// The folder as it is, for reading.
    pub fn at(path: &Path) -> Self {
        Self { path: path.to_path_buf(), lock: None }
    }

    /// Checks, changing nothing, whether [`RunDirectory::create`] would refuse what is at `path`.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub fn check(path: &Path, force: bool) -> Result<()> {
        let directory = Self::at(path);
        match fs::read_dir(path) {
            Ok(mut entries) => match entries.next() {
                Some(_) => directory.check_replaceable(force),
                None => Ok(()),
            },
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(directory.cannot("be used", &e)),
        }
    }

    /// Makes a new folder `base` in `parent`, with a number behind its name where that is taken:
    /// runs that start at once get folders of their own.
    ///
    /// # Errors
    /// [`Error::Output`] if it cannot be made.
    pub fn create_numbered(parent: &Path, base: &str) -> Result<Self> {
        let mut directory = Self::at(&parent.join(base));
        let cannot = |directory: &Self, e| Err(directory.cannot("be made", &e));
        if let Err(e) = fs::create_dir_all(parent) {
            return cannot(&directory, e);
        }
        for number in 2.. {
            match fs::create_dir(&directory.path) {
                Ok(()) => break,
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
                    directory.path = parent.join(format!("{base}-{number}"));
                }
                Err(e) => return cannot(&directory, e),
            }
        }
        directory.lock()?;
        Ok(directory)
    }

    /// Takes the folder for this process to write in, for as long as this value or a clone of it lives.
    ///
    /// # Errors
    /// [`Error::Output`] if another process has it.
    pub fn lock(&mut self) -> Result<()> {
        // Where folders cannot be opened or locked, nobody is kept out.
        let Ok(folder) = fs::File::open(&self.path) else { return Ok(()) };
        if let Err(fs::TryLockError::WouldBlock) = folder.try_lock() {
            return Err(Error::Output {
                path: self.path.clone(),
                problem: "another sharpscope is writing a run in it".to_string(),
                remedy: "wait for it, or stop it first".to_string(),
            });
        }
        self.lock = Some(Arc::new(folder));
        Ok(())
    }

    fn check_replaceable(&self, force: bool) -> Result<()> {
        let problem = |problem: &str, remedy: &str| Error::Output {
            path: self.path.clone(),
            problem: problem.to_string(),
            remedy: remedy.to_string(),
        };
        if !force {
            return Err(problem(
                "it exists already and is not empty",
                "choose another --out, or replace the run in it with --force",
            ));
        }
        let nothing = !self.file("manifest.json").is_file() && !self.file("steps.csv").is_file();
        if nothing || self.result_manifest().is_ok_and(|result| result.is_some()) {
            return Err(problem(
                "it holds something else than a run, which --force does not touch",
                "choose another --out",
            ));
        }
        Ok(())
    }

    /// Removes what is written when a run ends.
    pub(super) fn remove_ends(&self) -> Result<()> {
        for name in ["summary.json", "sharpness.svg", "sharpness.png"] {
            match fs::remove_file(self.file(name)) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.cannot("be gone on with", &e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn remove_earlier_run(&self) -> Result<()> {
        let files = FILES.iter().map(|name| fs::remove_file(self.file(name)));
        let folders = FOLDERS.iter().map(|name| fs::remove_dir_all(self.file(name)));
        for result in folders.chain(files) {
            match result {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                    return Err(self.cannot("be emptied", &e));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn cannot(&self, what: &str, error: &std::io::Error) -> Error {
        Error::Output {
            path: self.path.clone(),
            problem: format!("it cannot {what} ({})", reason(error)),
            remedy: "choose a folder that you may write to with --out".to_string(),
        }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a whole file at once.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        atomic::write(&self.file(name), bytes)
    }

    /// Makes a folder in it, if it is not there.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn make_folder(&self, name: &str) -> Result<()> {
        let path = self.file(name);
        fs::create_dir_all(&path).map_err(|source| Error::Io { action: "create", path, source })
    }

    /// Opens a file to go on at its end.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn append(&self, name: &str) -> Result<fs::File> {
        let path = self.file(name);
        let opened = fs::OpenOptions::new().append(true).open(&path);
        opened.map_err(|source| Error::Io { action: "open", path, source })
    }

    /// Opens a file that will grow.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn open(&self, name: &str) -> Result<fs::File> {
        let path = self.file(name);
        fs::File::create(&path).map_err(|source| Error::Io { action: "create", path, source })
    }
}
