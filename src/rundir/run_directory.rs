//! The folder of a run: made without losing what is there already.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{atomic, own_files};
use crate::error::{Error, Result};

/// A folder that a run writes into.
#[derive(Debug, Clone)]
pub struct RunDirectory {
    path: PathBuf,
    /// Held by whoever writes.
    lock: Option<Arc<fs::File>>,
}

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
        directory.remove_unfinished();
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
        if path.to_str().is_none() {
            return Err(Error::Output {
                path: path.to_path_buf(),
                problem: "its name is not UTF-8, and could not be written down".to_string(),
                remedy: "choose another --out".to_string(),
            });
        }
        match fs::read_dir(path) {
            Ok(entries) => {
                // What a killed process left is nobody's.
                let unfinished = |entry: fs::DirEntry| atomic::is_unfinished(&entry.file_name());
                match entries.into_iter().all(|entry| entry.is_ok_and(unfinished)) {
                    false => directory.check_replaceable(force),
                    true => Ok(()),
                }
            }
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
        if !own_files::is_run(&self.path) {
            return Err(problem(
                "it holds something else than a run, which --force does not touch",
                "choose another --out",
            ));
        }
        Ok(())
    }

    /// Removes the temporary files of processes that were killed. For who has the folder for itself.
    pub(crate) fn remove_unfinished(&self) {
        atomic::remove_unfinished(&self.path);
        own_files::FOLDERS.iter().for_each(|(name, _)| atomic::remove_unfinished(&self.file(name)));
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

    /// The event files for TensorBoard in it, by the steps that they begin at.
    pub fn event_files(&self) -> Vec<(usize, PathBuf)> {
        own_files::event_files(&self.path)
    }

    /// Removes what an earlier run wrote.
    fn remove_earlier_run(&self) -> Result<()> {
        if !own_files::is_run(&self.path) {
            return Ok(());
        }
        for (path, _) in own_files::in_folders(&self.path) {
            self.remove(&path)?;
        }
        own_files::remove_empty_folders(&self.path);
        own_files::FILES.iter().try_for_each(|name| self.remove(&self.file(name)))
    }

    /// Removes checkpoints and spectra of later steps, which the run will come to again.
    ///
    /// # Errors
    /// [`Error::Output`].
    pub(super) fn remove_after(&self, step: usize) -> Result<()> {
        let own = own_files::in_folders(&self.path).into_iter();
        let later = own.filter(|(_, at)| at.is_some_and(|at| at > step));
        later.into_iter().try_for_each(|(path, _)| self.remove(&path))
    }

    fn remove(&self, path: &Path) -> Result<()> {
        match fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                Err(self.cannot("be emptied", &e))
            }
            _ => Ok(()),
        }
    }

    fn cannot(&self, what: &str, error: &std::io::Error) -> Error {
        Error::folder(&self.path, what, error)
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

    /// As [`RunDirectory::write`], of a file that need not be in memory as a whole.
    ///
    /// # Errors
    /// [`Error::Io`], and those of `content`.
    #[cfg(feature = "figures")]
    pub(crate) fn write_with(
        &self,
        name: &str,
        content: impl FnOnce(&mut dyn std::io::Write) -> Result<()>,
    ) -> Result<()> {
        atomic::write_with(&self.file(name), content)
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

    /// Makes a file that will grow, each write at its end wherever that is then.
    ///
    /// # Errors
    /// [`Error::Io`], also where there is one already.
    pub fn open(&self, name: &str) -> Result<fs::File> {
        let path = self.file(name);
        let made = fs::OpenOptions::new().append(true).create_new(true).open(&path);
        made.map_err(|source| Error::Io { action: "create", path, source })
    }
}
