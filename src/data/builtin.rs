//! The datasets that come with the program: embedded files, and what is generated.

use std::path::Path;

use super::csv_file::TableFormat;
use super::dataset::{Dataset, digest};
use super::gzip::unpack;
use super::{DataOptions, InputShape, csv_file, generated, idx, plain_text};
use crate::error::Result;
use crate::rng::{self, Stream};

/// An option that a dataset may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Points,
    Degree,
    Classes,
    Noise,
    LabelNoise,
    Target,
    Regression,
}

/// A dataset that comes with the program.
pub(super) struct Builtin {
    pub name: &'static str,
    pub kind: Kind,
    pub takes: &'static [Taken],
    /// Samples, by default; of text, windows of [`DEFAULT_CONTEXT`].
    samples: usize,
    inputs: &'static str,
    targets: &'static str,
    licence: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Digits,
    FashionMnist,
    Diabetes,
    Shakespeare,
    Chebyshev,
    Blobs,
    Moons,
    Spirals,
}

/// Characters in a window of text where no model says otherwise.
const DEFAULT_CONTEXT: usize = 32;

macro_rules! embedded {
    ($file:literal) => {
        include_bytes!(concat!("../../datasets/", $file))
    };
}

const DIGITS: &[u8] = embedded!("digits.csv.gz");
const FASHION_IMAGES: &[u8] = embedded!("fashion-mnist-t10k-images-idx3-ubyte.gz");
const FASHION_LABELS: &[u8] = embedded!("fashion-mnist-t10k-labels-idx1-ubyte.gz");
const DIABETES: &[u8] = embedded!("diabetes_data_raw.csv.gz");
const DIABETES_TARGET: &[u8] = embedded!("diabetes_target.csv.gz");
const PLAY: &[u8] = embedded!("coriolanus.md.gz");

const CLOUD: &[Taken] = &[Taken::Points, Taken::Classes, Taken::Noise, Taken::LabelNoise];
const GENERATED: &str = "none needed (generated)";

pub(super) const BUILTIN: [Builtin; 8] = [
    Builtin {
        name: "digits",
        kind: Kind::Digits,
        takes: &[Taken::LabelNoise],
        samples: 1797,
        inputs: "1x8x8 pixels",
        targets: "10 classes",
        licence: "BSD-3-Clause, CC BY 4.0",
    },
    Builtin {
        name: "fashion-mnist",
        kind: Kind::FashionMnist,
        takes: &[Taken::LabelNoise],
        samples: 10_000,
        inputs: "1x28x28 pixels",
        targets: "10 classes",
        licence: "MIT",
    },
    Builtin {
        name: "diabetes",
        kind: Kind::Diabetes,
        takes: &[],
        samples: 442,
        inputs: "10 features",
        targets: "regression",
        licence: "BSD-3-Clause",
    },
    Builtin {
        name: "shakespeare",
        kind: Kind::Shakespeare,
        takes: &[],
        samples: 5097,
        inputs: "windows of 32 of 66 tokens",
        targets: "next of 66 characters",
        licence: "public domain",
    },
    Builtin {
        name: "chebyshev",
        kind: Kind::Chebyshev,
        takes: &[Taken::Points, Taken::Degree],
        samples: 20,
        inputs: "1 feature",
        targets: "regression",
        licence: GENERATED,
    },
    Builtin {
        name: "blobs",
        kind: Kind::Blobs,
        takes: CLOUD,
        samples: 500,
        inputs: "2 features",
        targets: "3 classes",
        licence: GENERATED,
    },
    Builtin {
        name: "moons",
        kind: Kind::Moons,
        takes: &[Taken::Points, Taken::Noise, Taken::LabelNoise],
        samples: 500,
        inputs: "2 features",
        targets: "2 classes",
        licence: GENERATED,
    },
    Builtin {
        name: "spirals",
        kind: Kind::Spirals,
        takes: CLOUD,
        samples: 500,
        inputs: "2 features",
        targets: "3 classes",
        licence: GENERATED,
    },
];

/// What a dataset that comes with the program holds by default.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatasetInfo {
    /// Its name.
    pub name: &'static str,
    /// Number of samples; of text, windows as long as `inputs` says.
    pub samples: usize,
    /// The shape of one sample.
    pub inputs: &'static str,
    /// What is predicted: `N classes`, `regression` or `next of V characters`.
    pub targets: &'static str,
    /// Its licence.
    pub licence: &'static str,
}

/// All datasets that come with the program.
pub fn dataset_list() -> Vec<DatasetInfo> {
    let info = |builtin: &Builtin| DatasetInfo {
        name: builtin.name,
        samples: builtin.samples,
        inputs: builtin.inputs,
        targets: builtin.targets,
        licence: builtin.licence,
    };
    BUILTIN.iter().map(info).collect()
}

/// Names of the datasets that come with the program.
pub fn dataset_names() -> Vec<&'static str> {
    BUILTIN.iter().map(|builtin| builtin.name).collect()
}

/// Whether a dataset of that name comes with the program.
pub(crate) fn is_builtin(name: &str) -> bool {
    BUILTIN.iter().any(|builtin| builtin.name == name)
}

/// Whether the dataset of that name is text.
pub fn is_text(name: &str) -> bool {
    kind(name) == Some(Kind::Shakespeare)
}

/// Whether the dataset of that name is standardised unless asked otherwise.
pub fn standardized_by_default(name: &str) -> bool {
    kind(name) == Some(Kind::Diabetes)
}

fn kind(name: &str) -> Option<Kind> {
    BUILTIN.iter().find(|builtin| builtin.name == name).map(|builtin| builtin.kind)
}

impl Builtin {
    /// The dataset, with the defaults of the options that it takes.
    pub fn load(
        &self,
        options: &DataOptions,
        context: Option<usize>,
        seed: u64,
    ) -> Result<(Dataset, DataOptions)> {
        let defaults = self.defaults();
        let options = DataOptions {
            points: options.points.or(defaults.points),
            degree: options.degree.or(defaults.degree),
            classes: options.classes.or(defaults.classes),
            noise: options.noise.or(defaults.noise),
            label_noise: options.label_noise.or(defaults.label_noise),
            ..DataOptions::default()
        };
        options.check(self.name, self.takes)?;
        Ok((self.data(&options, context, seed)?, options))
    }

    fn defaults(&self) -> DataOptions {
        let (points, classes, noise) = match self.kind {
            Kind::Chebyshev => (Some(20), None, None),
            Kind::Blobs => (Some(500), Some(3), Some(0.3)),
            Kind::Moons => (Some(500), None, Some(0.1)),
            Kind::Spirals => (Some(500), Some(3), Some(0.05)),
            _ => (None, None, None),
        };
        DataOptions {
            points,
            classes,
            noise,
            degree: (self.kind == Kind::Chebyshev).then_some(5),
            label_noise: self.takes.contains(&Taken::LabelNoise).then_some(0.0),
            ..DataOptions::default()
        }
    }

    fn data(&self, options: &DataOptions, context: Option<usize>, seed: u64) -> Result<Dataset> {
        let name = self.name;
        let points = options.points.unwrap_or_default();
        let classes = options.classes.unwrap_or_default();
        let noise = options.noise.unwrap_or_default();
        let rng = &mut rng::stream(seed, Stream::Generation);
        match self.kind {
            Kind::Digits => digits(name),
            Kind::FashionMnist => {
                let paths = [Path::new(name), Path::new(name)];
                let images = idx::parse((FASHION_IMAGES, paths[0]), (FASHION_LABELS, paths[1]))?;
                Ok(Dataset::from_images(
                    name,
                    digest(&[FASHION_IMAGES, FASHION_LABELS]),
                    images,
                    10,
                ))
            }
            Kind::Diabetes => diabetes(name),
            Kind::Shakespeare => {
                let markdown = unpack(PLAY, Path::new(name))?;
                let text = plain_text(&String::from_utf8_lossy(&markdown));
                let dataset = Dataset::from_text(name, &text, context.unwrap_or(DEFAULT_CONTEXT))?;
                Ok(Dataset { sha256: digest(&[PLAY]), ..dataset })
            }
            Kind::Chebyshev => {
                let (x, values) = generated::chebyshev(points, options.degree.unwrap_or_default());
                let sha256 = digest(&[&bytes(&x), &bytes(&values)]);
                let dataset = Dataset::from_values(name, x, 1, values, 1)?;
                Ok(Dataset { sha256, ..dataset })
            }
            Kind::Blobs => plane(name, generated::blobs(points, classes, noise, rng), classes),
            Kind::Moons => plane(name, generated::moons(points, noise, rng), 2),
            Kind::Spirals => plane(name, generated::spirals(points, classes, noise, rng), classes),
        }
    }
}

fn digits(name: &str) -> Result<Dataset> {
    /// The darkest pixel.
    const DARKEST: f64 = 16.0;
    let path = Path::new(name);
    let format = TableFormat { delimiter: b',', target: None, regression: false };
    let mut table = csv_file::parse(&unpack(DIGITS, path)?, path, format)?;
    table.features.iter_mut().for_each(|pixel| *pixel /= DARKEST);
    let shape = InputShape::Image { channels: 1, height: 8, width: 8 };
    Ok(Dataset::from_table(name, digest(&[DIGITS]), shape, table))
}

fn diabetes(name: &str) -> Result<Dataset> {
    let path = Path::new(name);
    let text = |bytes| -> Result<String> {
        Ok(String::from_utf8_lossy(&unpack(bytes, path)?).into_owned())
    };
    let (features, targets) = (text(DIABETES)?, text(DIABETES_TARGET)?);
    let rows = features.lines().zip(targets.lines()).map(|(x, y)| format!("{x} {y}\n"));
    let format = TableFormat { delimiter: b' ', target: None, regression: true };
    let table = csv_file::parse(rows.collect::<String>().as_bytes(), path, format)?;
    let shape = InputShape::Features(table.width);
    Ok(Dataset::from_table(name, digest(&[DIABETES, DIABETES_TARGET]), shape, table))
}

fn plane(name: &str, plane: generated::Plane, classes: usize) -> Result<Dataset> {
    let labels: Vec<u8> =
        plane.labels.iter().flat_map(|&label| (label as u64).to_le_bytes()).collect();
    let sha256 = digest(&[&bytes(&plane.features), &labels]);
    let dataset = Dataset::from_rows(name, plane.features, 2, plane.labels, classes)?;
    Ok(Dataset { sha256, ..dataset })
}

/// The numbers' bytes, lowest first.
fn bytes(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
