//! CIFAR's binary versions: records of labels (one in CIFAR-10; the coarse and the fine one in CIFAR-100, of
//! which the fine one is taken) and 32x32 pixels in each of three colours.
//!
//! Source: the page of the CIFAR data by Krizhevsky, Nair and Hinton.

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::images;
use super::{Format, Source, read};
use crate::data::builtin::dataset_names;
use crate::data::dataset::{Dataset, hexadecimal};
use crate::data::gzip::unpack;
use crate::data::{DataNotes, DataOptions, InputShape, Inputs, Targets};
use crate::error::{Error, Result};

/// Of folders that no other format has, it is the only one: any is taken for one of CIFAR's.
pub(super) const FORMAT: Format = Format {
    wanted: "CIFAR-10's and CIFAR-100's .bin",
    takes: images::TAKES,
    recognises: |source| Ok(source.path.is_dir() || recognised(&source.file_name())),
    load,
};

const SHAPE: InputShape = InputShape::Image { channels: 3, height: 32, width: 32 };
const PIXELS: usize = 3 * 32 * 32;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::data) enum Version {
    /// Ten classes.
    Ten,
    /// A hundred.
    Hundred,
}

impl Version {
    fn classes(self) -> usize {
        match self {
            Version::Ten => 10,
            Version::Hundred => 100,
        }
    }

    /// Labels before the pixels, of which the last is taken.
    fn labels(self) -> usize {
        match self {
            Version::Ten => 1,
            Version::Hundred => 2,
        }
    }

    fn record(self) -> usize {
        self.labels() + PIXELS
    }

    /// The list of class names that lies beside the data.
    fn names(self) -> &'static str {
        match self {
            Version::Ten => "batches.meta.txt",
            Version::Hundred => "fine_label_names.txt",
        }
    }

    /// That of a file, by its name.
    fn of(path: &Path) -> Self {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        let whole = path.to_string_lossy().to_lowercase();
        let hundred = ["train.bin", "test.bin"].iter().any(|known| name.starts_with(known))
            || ["cifar-100", "cifar100"].iter().any(|part| whole.contains(part));
        if hundred { Version::Hundred } else { Version::Ten }
    }
}

/// Pixels and labels of records.
#[derive(Debug, Default)]
pub(in crate::data) struct Records {
    pub pixels: Vec<u8>,
    pub labels: Vec<usize>,
}

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let (paths, version) = match source.path.is_dir() {
        true => training_files(&source.path)?,
        false => (vec![source.path.clone()], Version::of(&source.path)),
    };
    let options = images::options(&FORMAT, source.name, options)?;
    let mut records = Records::default();
    let mut hash = Sha256::new();
    for path in &paths {
        let bytes = read(path)?;
        append(&mut records, version, &unpack(&bytes, path)?, path)?;
        hash.update(&bytes);
    }
    let classes = version.classes();
    let names = names_beside(&paths[0], version);
    let dataset = Dataset {
        name: source.name.to_string(),
        sha256: hexadecimal(hash),
        inputs: Inputs::Images { shape: SHAPE, pixels: records.pixels },
        targets: Targets::Classes { classes, labels: records.labels },
        notes: names.map_or_else(|| DataNotes::numbered(classes), DataNotes::of_classes),
    };
    Ok((dataset, options))
}

/// Whether a file is meant as CIFAR, by its name.
fn recognised(name: &str) -> bool {
    name.ends_with(".bin") || name.ends_with(".bin.gz")
}

/// The classes' names, where they lie beside the data and are as many as there should be.
fn names_beside(data: &Path, version: Version) -> Option<Vec<String>> {
    let text = std::fs::read_to_string(data.with_file_name(version.names())).ok()?;
    let names: Vec<String> =
        text.lines().map(str::trim).filter(|name| !name.is_empty()).map(String::from).collect();
    (names.len() == version.classes()).then_some(names)
}

/// The files of a folder's training set, in order. The folder may be the one that holds the data's own.
///
/// # Errors
/// [`Error::File`] naming the first that is missing.
fn training_files(folder: &Path) -> Result<(Vec<PathBuf>, Version)> {
    let inner = ["", "cifar-10-batches-bin", "cifar-100-binary"].map(|name| folder.join(name));
    for folder in &inner {
        let files: Vec<_> = (1..=5).map(|i| folder.join(format!("data_batch_{i}.bin"))).collect();
        if files.iter().all(|file| file.is_file()) {
            return Ok((files, Version::Ten));
        }
        let train = folder.join("train.bin");
        if train.is_file() {
            return Ok((vec![train], Version::Hundred));
        }
    }
    let pickled = |name: &str| inner[0].join(name).is_file();
    if pickled("data_batch_1") || pickled("fine_label_names") || pickled("train") {
        let problem = "the folder has CIFAR's Python version";
        let remedy = "download the binary version, cifar-10-binary or cifar-100-binary";
        return Err(Error::file(folder, None, problem, remedy));
    }
    let name = |i: usize| format!("data_batch_{i}.bin");
    let missing = (1..=5).map(name).find(|name| !inner[0].join(name).is_file());
    let missing = missing.unwrap_or_else(|| name(1));
    let problem = format!("the folder cannot be read as CIFAR-10: it has no {missing}");
    let names = dataset_names().join(", ");
    let remedy = format!(
        "give a folder with data_batch_1.bin to data_batch_5.bin, with CIFAR-100's train.bin, or with \
         MNIST's train-images-idx3-ubyte, a file of data, or a dataset that is built in: {names}"
    );
    Err(Error::file(folder, None, problem, remedy))
}

/// Reads records after those that are there already.
///
/// # Errors
/// [`Error::File`] for an empty file, one that is not made of whole records, and a label that is too large,
/// naming the record.
pub(in crate::data) fn append(
    records: &mut Records,
    version: Version,
    bytes: &[u8],
    path: &Path,
) -> Result<()> {
    let remedy = "give the binary version of CIFAR-10 or CIFAR-100";
    let size = version.record();
    if bytes.is_empty() || !bytes.len().is_multiple_of(size) {
        let problem = match bytes.len() {
            0 => "the file is empty".to_string(),
            found => format!("{found} bytes are not a multiple of {size}, labels and an image"),
        };
        return Err(Error::file(path, None, problem, remedy));
    }
    let most = version.classes() - 1;
    for (record, bytes) in bytes.chunks_exact(size).enumerate() {
        let (labels, pixels) = bytes.split_at(version.labels());
        let label = labels.last().map_or(0, |&label| usize::from(label));
        if label > most {
            let problem = format!("the label of record {} is {label}, above {most}", record + 1);
            return Err(Error::file(path, None, problem, remedy));
        }
        records.labels.push(label);
        records.pixels.extend_from_slice(pixels);
    }
    Ok(())
}
