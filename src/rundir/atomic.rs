//! Writing a file so that a reader sees the old content or the new, never half of it.

use std::io::Write;
use std::path::Path;

use tempfile::NamedTempFile;

use crate::error::{Error, Result};

/// What the names of files begin and end with that are not complete yet. One that is left was a process's
/// that was killed.
const PREFIX: &str = ".sharpscope-";
const SUFFIX: &str = ".tmp";

/// Replaces the content of `path` at once.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |out| out.write_all(bytes).map_err(|source| failed(path, source)))
}

/// Replaces the content of `path` at once by what `content` writes, which need not be in memory as a whole.
pub(crate) fn write_with(
    path: &Path,
    content: impl FnOnce(&mut dyn Write) -> Result<()>,
) -> Result<()> {
    let mut file = unfinished(path)?;
    content(&mut file)?;
    file.persist(path).map_err(|e| failed(path, e.error))?;
    Ok(())
}

/// Writes a file that is not there yet, of several that try just one; the others' content is lost.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut file = unfinished(path)?;
    file.write_all(bytes).map_err(|source| failed(path, source))?;
    match file.persist_noclobber(path) {
        Err(e) if e.error.kind() != std::io::ErrorKind::AlreadyExists => Err(failed(path, e.error)),
        _ => Ok(()),
    }
}

fn failed(path: &Path, source: std::io::Error) -> Error {
    Error::Io { action: "write", path: path.to_path_buf(), source }
}

/// A file beside `path` that is to become it.
fn unfinished(path: &Path) -> Result<NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(PREFIX).suffix(SUFFIX);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Temporary files are private by default; results are to be read by others.
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    builder.tempfile_in(folder).map_err(|source| failed(path, source))
}

/// Whether a file of that name is one that was to become another.
pub(crate) fn is_unfinished(name: &std::ffi::OsStr) -> bool {
    let name = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX));
    name.is_some_and(|random| {
        random.len() == 6 && random.bytes().all(|b| b.is_ascii_alphanumeric())
    })
}

/// Removes from a folder what killed processes have left unfinished; what cannot be removed stays.
pub(super) fn remove_unfinished(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        if is_file && is_unfinished(&entry.file_name()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}
