//! Files of data whose bytes are at hand, read as they are from disk.

use std::path::Path;

use super::format::cifar::{Records, Version, append};
use super::format::{Format, idx, numpy};
use super::gzip::unpack;
use super::{DataOptions, Dataset};
use crate::error::Result;

/// What `name` would be read as.
pub(crate) fn load(
    name: &str,
    bytes: Vec<u8>,
    options: &DataOptions,
    context: Option<usize>,
) -> Result<Dataset> {
    Format::load_bytes(name, bytes, options, context).map(|(dataset, _)| dataset)
}

/// A pair of IDX files.
pub(crate) fn idx(images: &[u8], labels: &[u8]) -> Result<Dataset> {
    let path = |name| Path::new(name);
    let images = idx::parse((images, path("images")), (labels, path("labels")))?;
    Ok(Dataset::from_images("images", String::new(), images))
}

/// A file of CIFAR-10's or CIFAR-100's; returns the number of its images.
pub(crate) fn cifar(bytes: &[u8], hundred: bool) -> Result<usize> {
    let (version, path) =
        (if hundred { Version::Hundred } else { Version::Ten }, Path::new("x.bin"));
    let mut records = Records::default();
    append(&mut records, version, &unpack(bytes, path)?, path)?;
    Ok(records.labels.len())
}

/// An archive of numpy's.
pub(crate) fn npz(bytes: &[u8], options: &DataOptions) -> Result<Dataset> {
    numpy::of_archive(bytes, Path::new("x.npz"), options)
}
