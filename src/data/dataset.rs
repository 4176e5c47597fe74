//! A dataset by name or from a file.

use std::path::Path;

use sha2::{Digest, Sha256};

use super::csv_file;
use crate::error::{Error, Result, check_length};
use crate::input;

/// Samples with class labels, in the file's order, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The name or path that it was asked for by.
    pub name: String,
    /// SHA-256 of the file's bytes, in hexadecimal.
    pub sha256: String,
    /// Features of one sample.
    pub inputs: usize,
    /// Classes: one more than the largest label.
    pub classes: usize,
    features: Vec<f64>,
    labels: Vec<usize>,
}

struct Builtin {
    name: &'static str,
    bytes: &'static [u8],
    /// Features are divided by this unless they are standardised.
    scale: f64,
}

const BUILTIN: [Builtin; 1] = [Builtin {
    name: "digits",
    bytes: include_bytes!("../../datasets/digits.csv.gz"),
    scale: 16.0,
}];

/// Names of the datasets built into the binary.
pub fn dataset_names() -> Vec<&'static str> {
    BUILTIN.iter().map(|builtin| builtin.name).collect()
}

impl Dataset {
    /// The built-in dataset of that name, or a CSV file (`.csv`, gzipped or not) whose last column
    /// is the class label. Pixels of `digits` are divided by 16; a file's features are kept as they
    /// are.
    ///
    /// # Errors
    /// [`Error::UnknownName`], or [`Error::File`] naming the line that cannot be used.
    pub fn load(name_or_file: &str) -> Result<Self> {
        if let Some(builtin) = BUILTIN.iter().find(|builtin| builtin.name == name_or_file) {
            return Self::from_csv(builtin.bytes, name_or_file, builtin.scale);
        }
        if !input::looks_like_file(name_or_file) {
            return Err(Error::unknown_name("dataset", name_or_file, &dataset_names()));
        }
        let names = dataset_names().join(", ");
        let remedy = format!("give a CSV file, or a dataset that is built in: {names}");
        let bytes = input::read(Path::new(name_or_file), &remedy)?;
        Self::from_csv(&bytes, name_or_file, 1.0)
    }

    fn from_csv(bytes: &[u8], name: &str, scale: f64) -> Result<Self> {
        let rows = csv_file::parse(bytes, Path::new(name))?;
        Ok(Self {
            name: name.to_string(),
            sha256: Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect(),
            inputs: rows.width,
            classes: rows.labels.iter().max().map_or(0, |label| label + 1),
            features: rows.features.iter().map(|x| x / scale).collect(),
            labels: rows.labels,
        })
    }

    /// A dataset from numbers at hand: `features` row-major with `inputs` in each row, one label
    /// below `classes` for each row.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths do not fit, [`Error::Setting`] for a label out of range.
    pub fn from_rows(
        name: &str,
        features: Vec<f64>,
        inputs: usize,
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self> {
        check_length("feature array", features.len(), inputs * labels.len())?;
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            let remedy = format!("use labels below {classes}");
            return Err(Error::setting("label", label, "the label is out of range", remedy));
        }
        Ok(Self {
            name: name.to_string(),
            sha256: String::new(),
            inputs,
            classes,
            features,
            labels,
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Features of a sample.
    pub fn features(&self, sample: usize) -> &[f64] {
        &self.features[sample * self.inputs..(sample + 1) * self.inputs]
    }

    /// Class of a sample.
    pub fn label(&self, sample: usize) -> usize {
        self.labels[sample]
    }

    /// Replaces every feature x of every sample by `f(column, x)`.
    pub(super) fn map_features(&mut self, f: impl Fn(usize, f64) -> f64) {
        let inputs = self.inputs;
        for (i, x) in self.features.iter_mut().enumerate() {
            *x = f(i % inputs, *x);
        }
    }
}
