//! A text file that grows by whole lines.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;

use super::watched::Watched;
use crate::error::{Error, Result};

/// A file that grows by whole lines: where one could not be written whole, what was written of it is taken
/// back, and the file is closed, so that nothing is written behind a torn line when there is room again.
pub(crate) struct Lines {
    path: PathBuf,
    file: Option<File>,
}

impl Lines {
    /// A file that is open for writing at its end.
    pub fn new(path: PathBuf, file: File) -> Self {
        Self { path, file: Some(file) }
    }

    /// Tells whether the file is still where it was opened.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written any more, or the system does not tell which file it is.
    pub(super) fn watched(&self) -> Result<Watched> {
        let closed = || std::io::Error::other("a line before could not be written");
        let path = self.path.clone();
        let file = self.file.as_ref();
        let file = file.ok_or_else(|| Error::Io { action: "write", path, source: closed() })?;
        Watched::new(&self.path, file)
    }

    /// Writes these bytes, one or more lines with their ends.
    ///
    /// # Errors
    /// [`Error::Io`], now and from then on.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let failed = |source| Error::Io { action: "write", path: self.path.clone(), source };
        let closed = || std::io::Error::other("a line before could not be written");
        let Some(file) = &mut self.file else { return Err(failed(closed())) };
        let written = file.seek(SeekFrom::End(0)).and_then(|end| {
            file.write_all(bytes).inspect_err(|_| {
                // If that fails too, readers leave the torn line out.
                let _ = file.set_len(end);
            })
        });
        if let Err(error) = written {
            self.file = None;
            return Err(failed(error));
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// A limit on the size of files is met in the middle of a line: `RLIMIT_FSIZE` would end the test's
    /// process, and a full device takes nothing at all, so a file that cannot be written stands for both.
    #[test]
    fn after_a_line_that_failed_nothing_is_written() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut lines = Lines::new(PathBuf::from("/dev/full"), full);
        let first = lines.append(b"1,2\n").unwrap_err().to_string();
        assert!(first.contains("No space left"), "{first}");
        let second = lines.append(b"2,3\n").unwrap_err().to_string();
        assert!(second.contains("a line before"), "{second}");
    }
}
