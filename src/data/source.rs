//! Loading a dataset by its name, or a file of the user's in whichever format it is.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::builtin::{BUILTIN, Taken, dataset_names};
use super::csv_file::{self, Column, TableFormat};
use super::dataset::{Dataset, digest, hexadecimal};
use super::gzip::{is_binary, unpack};
use super::{DataOptions, InputShape, cifar, idx};
use crate::error::{Error, Result};
use crate::input;

impl Dataset {
    /// As [`Dataset::load_with`], with the defaults.
    ///
    /// # Errors
    /// As [`Dataset::load_with`].
    pub fn load(name_or_file: &str) -> Result<Self> {
        Self::load_with(name_or_file, &DataOptions::default(), None, 0).map(|(dataset, _)| dataset)
    }

    /// The dataset of that name that comes with the program, or that of a file:
    ///
    /// - numbers in CSV, gzipped or not, kept as they are;
    /// - images in IDX format, gzipped or not (`train-images-idx3-ubyte`), whose labels are beside
    ///   them under the name that MNIST's have;
    /// - images in CIFAR-10's binary format (`.bin`), or the folder of its five training files.
    ///
    /// Pixels are divided by the largest that there may be: 255, or 16 for `digits`. Text is cut into
    /// windows of `context` characters; what is generated is drawn from `seed`. Label noise is
    /// checked here, and added by [`Dataset::add_label_noise`]. Returned with the options
    /// that apply, defaults filled in.
    ///
    /// # Errors
    /// [`Error::UnknownName`]; [`Error::Setting`] for an option that the dataset does not take or
    /// that is out of range; [`Error::File`] naming what cannot be used.
    pub fn load_with(
        name_or_file: &str,
        options: &DataOptions,
        context: Option<usize>,
        seed: u64,
    ) -> Result<(Self, DataOptions)> {
        if let Some(builtin) = BUILTIN.iter().find(|builtin| builtin.name == name_or_file) {
            options.check(name_or_file, builtin.takes)?;
            return builtin.load(options, context, seed);
        }
        let path = Path::new(name_or_file);
        if path.is_dir() {
            return cifar_files(name_or_file, &cifar::batches(path)?, options);
        }
        if !input::looks_like_file(name_or_file) {
            return Err(Error::unknown_name("dataset", name_or_file, &dataset_names()));
        }
        let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if cifar::recognised(&file_name) {
            return cifar_files(name_or_file, &[path], options);
        }
        let bytes = read(path)?;
        let unpacked = unpack(&bytes, path)?;
        if !file_name.contains(".csv") && idx::recognised(&file_name, &unpacked) {
            return idx_pair(name_or_file, &bytes, options);
        }
        if is_binary(&unpacked) {
            let problem = "neither CSV text nor images under a name or magic number that is known";
            let remedy = "give CSV, images in IDX format (*-images-idx3-ubyte) or CIFAR-10's .bin";
            return Err(Error::file(path, None, problem, remedy));
        }
        csv(name_or_file, &bytes, &unpacked, options)
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    let names = dataset_names().join(", ");
    let remedy = format!("give a file of data, or a dataset that is built in: {names}");
    input::read(path, &remedy)
}

fn csv(
    name: &str,
    bytes: &[u8],
    text: &[u8],
    options: &DataOptions,
) -> Result<(Dataset, DataOptions)> {
    let regression = options.regression.unwrap_or(false);
    let taken = [Taken::Target, Taken::Regression, Taken::LabelNoise];
    options.check(name, &taken[..if regression { 2 } else { 3 }])?;
    let format = TableFormat { delimiter: b',', target: options.target.as_deref(), regression };
    let table = csv_file::parse(text, Path::new(name), format)?;
    let options = DataOptions {
        target: Some(table.target.clone()),
        regression: Some(regression),
        label_noise: (!regression).then(|| options.label_noise.unwrap_or(0.0)),
        ..DataOptions::default()
    };
    let shape = InputShape::Features(table.width);
    Ok((Dataset::from_table(name, digest(&[bytes]), shape, table), options))
}

fn idx_pair(name: &str, images: &[u8], options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    let options = images_options(name, options)?;
    let path = Path::new(name);
    let labels_path = idx::labels_beside(path)?;
    let labels = read(&labels_path)?;
    let sha256 = digest(&[images, &labels]);
    let images = idx::parse((images, path), (&labels, &labels_path))?;
    let classes = count(&images.labels);
    Ok((Dataset::from_images(name, sha256, images, classes), options))
}

fn cifar_files<P: AsRef<Path>>(
    name: &str,
    paths: &[P],
    options: &DataOptions,
) -> Result<(Dataset, DataOptions)> {
    let options = images_options(name, options)?;
    let mut images = cifar::empty();
    let mut hash = Sha256::new();
    for path in paths {
        let path = path.as_ref();
        let bytes = read(path)?;
        cifar::append(&mut images, &unpack(&bytes, path)?, path)?;
        hash.update(&bytes);
    }
    let sha256 = hexadecimal(hash);
    Ok((Dataset::from_images(name, sha256, images, cifar::CLASSES), options))
}

/// The options of a file of images.
fn images_options(name: &str, options: &DataOptions) -> Result<DataOptions> {
    options.check(name, &[Taken::LabelNoise])?;
    let label_noise = Some(options.label_noise.unwrap_or(0.0));
    Ok(DataOptions { label_noise, ..DataOptions::default() })
}

/// Classes where the labels are all that is known of them.
fn count(labels: &[usize]) -> usize {
    labels.iter().max().map_or(0, |label| label + 1)
}

impl Dataset {
    pub(super) fn from_table(
        name: &str,
        sha256: String,
        shape: InputShape,
        table: csv_file::Table,
    ) -> Self {
        let targets = match table.targets {
            Column::Labels(labels) => super::Targets::Classes { classes: count(&labels), labels },
            Column::Values(values) => super::Targets::Values { outputs: 1, values },
        };
        let inputs = super::Inputs::Features { shape, values: table.features };
        Self { name: name.to_string(), sha256, inputs, targets }
    }

    pub(super) fn from_images(
        name: &str,
        sha256: String,
        images: idx::Images,
        classes: usize,
    ) -> Self {
        const BRIGHTEST: f64 = 255.0;
        let values = images.pixels.iter().map(|&pixel| f64::from(pixel) / BRIGHTEST).collect();
        Self {
            name: name.to_string(),
            sha256,
            inputs: super::Inputs::Features { shape: images.shape, values },
            targets: super::Targets::Classes { classes, labels: images.labels },
        }
    }
}
