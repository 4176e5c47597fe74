//! Whether what is written is still where its user will look for it.

use std::fs::File;
use std::path::{Path, PathBuf};

use same_file::Handle;

use crate::error::{Error, Result};

/// A file that grows, and the place at which it was made.
pub(super) struct Watched {
    path: PathBuf,
    made: Handle,
    length: u64,
}

impl Watched {
    /// `file`, which was opened at `path`.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not tell which file it is.
    pub fn new(path: &Path, file: &File) -> Result<Self> {
        let made = file.try_clone().and_then(Handle::from_file).map_err(|source| Error::Io {
            action: "write",
            path: path.to_path_buf(),
            source,
        })?;
        Ok(Self { path: path.to_path_buf(), made, length: 0 })
    }

    /// That it still is at its place, and as long as it was at least.
    ///
    /// # Errors
    /// [`Error::Io`] saying what is lost.
    pub fn check(&mut self) -> Result<()> {
        match Handle::from_path(&self.path) {
            Ok(there) if there == self.made => {}
            Ok(_) => return Err(self.lost("replaced by another file")),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.lost("removed, or moved with its folder"));
            }
            // It is there, or cannot be looked at, which does not keep it from being written.
            Err(_) => return Ok(()),
        }
        let length = self.made.as_file().metadata().map_or(self.length, |now| now.len());
        if length < self.length {
            return Err(self.lost("cut"));
        }
        self.length = length;
        Ok(())
    }

    fn lost(&self, how: &str) -> Error {
        let text = format!(
            "it was {how} while the run went on, and what had been written is not there any more; nothing \
             further is recorded: run again, and leave the folder alone meanwhile"
        );
        let source = std::io::Error::other(text);
        Error::Io { action: "go on with", path: self.path.clone(), source }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// What is said after something was done to the file and its folder.
    fn said(harm: impl FnOnce(&Path, &mut File)) -> String {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("r/steps.csv");
        std::fs::create_dir(folder.path().join("r")).unwrap();
        let mut file = File::options().append(true).create_new(true).open(&path).unwrap();
        let mut watched = Watched::new(&path, &file).unwrap();
        for _ in 0..2 {
            file.write_all(b"1,2,3\n").unwrap();
            watched.check().unwrap();
        }
        harm(&path, &mut file);
        watched.check().map_or_else(|error| error.to_string(), |()| String::new())
    }

    #[test]
    fn a_file_that_is_gone_is_missed() {
        let gone = said(|path, _| std::fs::remove_file(path).unwrap());
        assert!(gone.contains("removed") && gone.contains("steps.csv"), "{gone}");
        let moved = said(|path, _| {
            let folder = path.parent().unwrap();
            std::fs::rename(folder, folder.with_file_name("elsewhere")).unwrap();
        });
        assert!(moved.contains("moved"), "{moved}");
        let other = said(|path, _| {
            let new = path.with_extension("new");
            std::fs::write(&new, "1,2,3\n1,2,3\n").unwrap();
            std::fs::rename(new, path).unwrap();
        });
        assert!(other.contains("replaced"), "{other}");
        assert!(said(|_, file| file.set_len(3).unwrap()).contains("cut"));
        assert_eq!(said(|_, file| file.write_all(b"4\n").unwrap()), "");
    }
}
