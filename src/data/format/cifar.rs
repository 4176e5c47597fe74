//! CIFAR-10's binary version: records of one label and 32x32 pixels in each of three colours.
//!
//! Source: the page of the CIFAR-10 data by Krizhevsky, Nair and Hinton.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::images::{self, Images};
use super::{Format, Source, read};
use crate::data::builtin::dataset_names;
use crate::data::dataset::{Dataset, hexadecimal};
use crate::data::gzip::unpack;
use crate::data::{DataOptions, InputShape};
use crate::error::{Error, Result};

/// Of folders it is the only format: any is taken for one of CIFAR-10's.
pub(super) const FORMAT: Format = Format {
    wanted: "CIFAR-10's .bin",
    takes: images::TAKES,
    recognises: |source| Ok(source.path.is_dir() || recognised(&source.file_name())),
    load,
};

const SHAPE: InputShape = InputShape::Image { channels: 3, height: 32, width: 32 };
const PIXELS: usize = 3 * 32 * 32;
const RECORD: usize = 1 + PIXELS;
/// Classes of CIFAR-10.
const CLASSES: usize = 10;

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let paths = match source.path.is_dir() {
        true => batches(source.path)?,
        false => vec![source.path.to_path_buf()],
    };
    let options = images::options(&FORMAT, source.name, options)?;
    let mut images = Images { shape: SHAPE, pixels: Vec::new(), labels: Vec::new() };
    let mut hash = Sha256::new();
    for path in &paths {
        let bytes = read(path)?;
        append(&mut images, &unpack(&bytes, path)?, path)?;
        hash.update(&bytes);
    }
    let sha256 = hexadecimal(hash);
    Ok((Dataset::from_images(source.name, sha256, images, CLASSES), options))
}

/// Whether a file is meant as CIFAR-10, by its name.
fn recognised(name: &str) -> bool {
    name.ends_with(".bin") || name.ends_with(".bin.gz")
}

/// The files of a folder's training set, in order.
///
/// # Errors
/// [`Error::File`] naming the first that is missing.
fn batches(folder: &Path) -> Result<Vec<PathBuf>> {
    let files: Vec<_> = (1..=5).map(|i| folder.join(format!("data_batch_{i}.bin"))).collect();
    match files.iter().find(|file| !file.is_file()) {
        Some(missing) => {
            let name = missing.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let problem = format!("the folder cannot be read as CIFAR-10: it has no {name}");
            let names = dataset_names().join(", ");
            let remedy = format!(
                "give a folder with data_batch_1.bin to data_batch_5.bin, a file of data, or a \
                 dataset that is built in: {names}"
            );
            Err(Error::file(folder, None, problem, remedy))
        }
        None => Ok(files),
    }
}

/// Reads records after those that are in `images` already.
///
/// # Errors
/// [`Error::File`] for an empty file, one that is not made of whole records, and a label above 9,
/// naming the record.
fn append(images: &mut Images, bytes: &[u8], path: &Path) -> Result<()> {
    let remedy = "give the binary version of CIFAR-10";
    if bytes.is_empty() || !bytes.len().is_multiple_of(RECORD) {
        let problem = match bytes.len() {
            0 => "the file is empty".to_string(),
            size => format!("{size} bytes are not a multiple of {RECORD}, a label and an image"),
        };
        return Err(Error::file(path, None, problem, remedy));
    }
    for (record, bytes) in bytes.chunks_exact(RECORD).enumerate() {
        let label = usize::from(bytes[0]);
        if label >= CLASSES {
            let problem = format!("the label of record {} is {label}, above 9", record + 1);
            return Err(Error::file(path, None, problem, remedy));
        }
        images.labels.push(label);
        images.pixels.extend_from_slice(&bytes[1..]);
    }
    Ok(())
}
