//! The formats of files that datasets are read from.
//!
//! A new one is a file here, its `mod` line and a line in [`FORMATS`].

mod array;
pub(super) mod cifar;
pub(super) mod csv_file;
pub(super) mod idx;
mod images;
mod npy;
mod npz;
pub(super) mod numpy;
pub(super) mod table;
mod text_file;

use std::borrow::Cow;
use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::DataOptions;
use super::builtin::dataset_names;
use super::dataset::Dataset;
use super::gzip::unpack;
use super::options::Taken;
use crate::error::{Error, Result};
use crate::input;

/// All formats, in the order in which they are tried.
pub(super) const FORMATS: &[Format] =
    &[numpy::FORMAT, cifar::FORMAT, idx::FORMAT, text_file::FORMAT, csv_file::FORMAT];

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
    /// Reads the dataset in a file or folder, in the first format that recognises it, for a model that reads
    /// `context` tokens of text, or none.
    ///
    /// # Errors
    /// [`Error::File`] for what cannot be read or is in no format that is known; those of the format.
    pub fn load(
        name: &str,
        options: &DataOptions,
        context: Option<usize>,
    ) -> Result<(Dataset, DataOptions)> {
        Self::read(&Source::new(name, context), options)
    }

    /// As [`Format::load`], the file's bytes being given.
    pub fn load_bytes(
        name: &str,
        bytes: Vec<u8>,
        options: &DataOptions,
        context: Option<usize>,
    ) -> Result<(Dataset, DataOptions)> {
        let source = Source::new(name, context);
        let _ = source.bytes.set(bytes);
        Self::read(&source, options)
    }

    fn read(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
        for format in FORMATS {
            if (format.recognises)(source)? {
                return (format.load)(source, options);
            }
        }
        let unpacked = source.unpacked()?;
        input::check_encoding(unpacked, &source.path)?;
        if let Some(archive) = archive(unpacked) {
            let problem = format!("it is a {archive} archive");
            return Err(Error::file(&source.path, None, problem, "unpack it first"));
        }
        let problem = "neither CSV text nor images under a name or magic number that is known";
        // The commonest last tried, and first named.
        let mut wanted: Vec<&str> = FORMATS.iter().rev().map(|format| format.wanted).collect();
        let last = wanted.pop().unwrap_or_default();
        let remedy = format!("give {} or {last}", wanted.join(", "));
        Err(Error::file(&source.path, None, problem, remedy))
    }

    /// What messages call the files that take an option.
    pub fn takers(option: Taken) -> Vec<&'static str> {
        // The commonest first.
        let taken = FORMATS.iter().rev().flat_map(|format| format.takes);
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

/// The kind of archive that these bytes are, if they are one.
fn archive(bytes: &[u8]) -> Option<&'static str> {
    const TAR_AT: usize = 257;
    if bytes.starts_with(b"PK\x03\x04") {
        return Some("zip");
    }
    bytes.get(TAR_AT..).filter(|rest| rest.starts_with(b"ustar")).map(|_| "tar")
}

/// A file or folder of the user's, read when it is first asked for.
struct Source<'a> {
    /// As it was given.
    name: &'a str,
    /// The file or folder; of a folder of MNIST's, the images that train.
    path: PathBuf,
    /// Tokens in a window of text, where a model reads it.
    context: Option<usize>,
    bytes: OnceCell<Vec<u8>>,
    unpacked: OnceCell<Vec<u8>>,
}

impl<'a> Source<'a> {
    fn new(name: &'a str, context: Option<usize>) -> Self {
        let path = Path::new(name);
        let images = if path.is_dir() { idx::training_images(path) } else { None };
        let path = images.unwrap_or_else(|| path.to_path_buf());
        Self { name, path, context, bytes: OnceCell::new(), unpacked: OnceCell::new() }
    }

    /// The last part of its path.
    fn file_name(&self) -> Cow<'_, str> {
        self.path.file_name().unwrap_or_default().to_string_lossy()
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`Error::File`].
    fn bytes(&self) -> Result<&[u8]> {
        if self.bytes.get().is_none() {
            let _ = self.bytes.set(read(&self.path)?);
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
        match unpack(bytes, &self.path)? {
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
