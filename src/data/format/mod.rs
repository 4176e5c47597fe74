//! The formats of files that datasets are read from.
//!
//! A new one is a file here, its `mod` line and a line in [`FORMATS`].

mod cifar;
pub(super) mod csv_file;
pub(super) mod idx;
mod images;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::Path;

use super::DataOptions;
use super::builtin::dataset_names;
use super::dataset::Dataset;
use super::gzip::unpack;
use super::options::Taken;
use crate::error::{Error, Result};
use crate::input;

/// All formats, in the order in which they are tried.
pub(super) const FORMATS: &[Format] = &[cifar::FORMAT, idx::FORMAT, csv_file::FORMAT];

/// A format of files, or of folders of files.
#[derive(Clone, Copy)]
pub(super) struct Format {
    /// What is to be given, in a remedy.
    wanted: &'static str,
    /// The options that it takes, each with what its files that take it are called in messages.
    takes: &'static [(Taken, &'static str)],
    /// Whether a source is meant as this format, by its name or its content.
    recognises: fn(&Source) -> Result<bool>,
    /// Reads it, and returns the options that apply, defaults filled in.
    load: fn(&Source, &DataOptions) -> Result<(Dataset, DataOptions)>,
}

impl Format {
    /// Reads the dataset in a file or folder, in the first format that recognises it.
    ///
    /// # Errors
    /// [`Error::File`] for what cannot be read or is in no format that is known; those of the format.
    pub fn load(name: &str, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
        let source = Source::new(name);
        for format in FORMATS {
            if (format.recognises)(&source)? {
                return (format.load)(&source, options);
            }
        }
        let problem = "neither CSV text nor images under a name or magic number that is known";
        // The commonest last tried, and first named.
        let mut wanted: Vec<&str> = FORMATS.iter().rev().map(|format| format.wanted).collect();
        let last = wanted.pop().unwrap_or_default();
        let remedy = format!("give {} or {last}", wanted.join(", "));
        Err(Error::file(source.path, None, problem, remedy))
    }

    /// What messages call the files that take an option.
    pub fn takers(option: Taken) -> Vec<&'static str> {
        let taken = FORMATS.iter().flat_map(|format| format.takes);
        let mut names: Vec<_> =
            taken.filter(|(taken, _)| *taken == option).map(|(_, name)| *name).collect();
        names.dedup();
        names
    }

    /// Whether it takes an option.
    fn takes(&self, option: Taken) -> bool {
        self.takes.iter().any(|(taken, _)| *taken == option)
    }
}

/// A file or folder of the user's, read when it is first asked for.
struct Source<'a> {
    /// As it was given.
    name: &'a str,
    path: &'a Path,
    bytes: OnceCell<Vec<u8>>,
    unpacked: OnceCell<Vec<u8>>,
}

impl<'a> Source<'a> {
    fn new(name: &'a str) -> Self {
        let path = Path::new(name);
        Self { name, path, bytes: OnceCell::new(), unpacked: OnceCell::new() }
    }

    /// The last part of its path.
    fn file_name(&self) -> Cow<'a, str> {
        self.path.file_name().unwrap_or_default().to_string_lossy()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::File`].
    fn bytes(&self) -> Result<&[u8]> {
        if self.bytes.get().is_none() {
            let _ = self.bytes.set(read(self.path)?);
        }
        Ok(self.bytes.get().map_or(&[], Vec::as_slice))
    }

    /// The file's bytes, unpacked where they are gzipped.
    ///
    /// # Errors
    /// [`Error::File`].
    fn unpacked(&self) -> Result<&[u8]> {
        let bytes = self.bytes()?;
        if let Some(unpacked) = self.unpacked.get() {
            return Ok(unpacked);
        }
        match unpack(bytes, self.path)? {
            Cow::Borrowed(bytes) => Ok(bytes),
            Cow::Owned(unpacked) => Ok(self.unpacked.get_or_init(|| unpacked)),
        }
    }
}

/// The bytes of a file of data.
fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let names = dataset_names().join(", ");
    let remedy = format!("give a file of data, or a dataset that is built in: {names}");
    input::read(path.as_ref(), &remedy)
}

/// Classes where the labels are all that is known of them.
fn count(labels: &[usize]) -> usize {
    labels.iter().max().map_or(0, |label| label + 1)
}
