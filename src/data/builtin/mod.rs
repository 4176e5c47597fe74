//! The datasets that come with the program: embedded files, and what is generated.
//!
//! A new one is a file here, its `mod` line and a line in [`BUILTIN`].

mod blobs;
mod chebyshev;
mod diabetes;
mod digits;
mod fashion_mnist;
mod generated;
mod moons;
mod shakespeare;
mod spirals;

use super::dataset::Dataset;
use super::options::Taken;
use super::{Classes, DataOptions};
use crate::error::Result;

/// All of them, in the order in which they are listed.
pub(super) const BUILTIN: &[Builtin] = &[
    digits::ENTRY,
    fashion_mnist::ENTRY,
    diabetes::ENTRY,
    shakespeare::ENTRY,
    chebyshev::ENTRY,
    blobs::ENTRY,
    moons::ENTRY,
    spirals::ENTRY,
];

/// A dataset that comes with the program.
#[derive(Clone, Copy)]
pub(super) struct Builtin {
    /// What it is by default.
    info: DatasetInfo,
    /// The options that it takes, and their defaults; those that it does not take are `None`.
    defaults: Defaults,
    /// Whether it is text.
    text: bool,
    /// Whether it is standardised unless asked otherwise.
    standardized: bool,
    /// Reads it or makes it.
    load: fn(&Request) -> Result<Dataset>,
}

/// Options of built-in datasets, with defaults for those that are taken.
#[derive(Clone, Copy)]
struct Defaults {
    points: Option<usize>,
    degree: Option<usize>,
    classes: Option<usize>,
    noise: Option<f64>,
    label_noise: Option<f64>,
}

impl Defaults {
    /// No option is taken.
    const NONE: Self =
        Self { points: None, degree: None, classes: None, noise: None, label_noise: None };
    /// What data with labels take.
    const LABELLED: Self = Self { label_noise: Some(0.0), ..Self::NONE };
}

/// What is to be loaded. A number that the dataset does not take is 0.
struct Request {
    name: &'static str,
    points: usize,
    degree: usize,
    classes: usize,
    noise: f64,
    /// Characters in a window of text, where a model says.
    context: Option<usize>,
    seed: u64,
}

/// The bytes of a file in `datasets/`.
macro_rules! embedded {
    ($file:literal) => {
        include_bytes!(concat!("../../../datasets/", $file))
    };
}
use embedded;

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
    BUILTIN.iter().map(|builtin| builtin.info).collect()
}

/// Names of the datasets that come with the program.
pub fn dataset_names() -> Vec<&'static str> {
    BUILTIN.iter().map(Builtin::name).collect()
}

/// Whether a dataset of that name comes with the program.
pub(crate) fn is_builtin(name: &str) -> bool {
    Builtin::find(name).is_some()
}

/// Whether the dataset of that name is text.
pub fn is_text(name: &str) -> bool {
    Builtin::find(name).is_some_and(|builtin| builtin.text)
}

/// Whether the dataset of that name is standardised unless asked otherwise.
pub fn standardized_by_default(name: &str) -> bool {
    Builtin::find(name).is_some_and(|builtin| builtin.standardized)
}

impl Builtin {
    /// The one of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        BUILTIN.iter().find(|builtin| builtin.name() == name)
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.info.name
    }

    /// Whether it takes an option.
    pub fn takes(&self, option: Taken) -> bool {
        match option {
            Taken::Points => self.defaults.points.is_some(),
            Taken::Degree => self.defaults.degree.is_some(),
            Taken::ClassCount => self.defaults.classes.is_some(),
            Taken::Noise => self.defaults.noise.is_some(),
            Taken::LabelNoise | Taken::ChosenClasses => self.defaults.label_noise.is_some(),
            Taken::Header | Taken::Target | Taken::Regression => false,
        }
    }

    /// The dataset, and the options that apply, defaults filled in.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for an option that it does not take or that is out of range, and for a
    /// context that the text does not fill.
    pub fn load(
        &self,
        options: &DataOptions,
        context: Option<usize>,
        seed: u64,
    ) -> Result<(Dataset, DataOptions)> {
        let takes = |option| self.takes(option);
        options.check(self.name(), takes)?;
        let options = DataOptions {
            points: options.points.or(self.defaults.points),
            degree: options.degree.or(self.defaults.degree),
            classes: options.classes.clone().or(self.defaults.classes.map(Classes::Count)),
            noise: options.noise.or(self.defaults.noise),
            label_noise: options.label_noise.or(self.defaults.label_noise),
            ..DataOptions::default()
        };
        // Defaults beside what is given may be out of range together.
        options.check(self.name(), takes)?;
        let class_count = options.classes.as_ref().and_then(Classes::count);
        let request = Request {
            name: self.name(),
            points: options.points.unwrap_or_default(),
            degree: options.degree.unwrap_or_default(),
            // Of all that there are by default some are chosen.
            classes: class_count.or(self.defaults.classes).unwrap_or_default(),
            noise: options.noise.unwrap_or_default(),
            context,
            seed,
        };
        Ok(((self.load)(&request)?, options))
    }
}
