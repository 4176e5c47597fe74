//! Loading a dataset by its name, or a file of the user's in whichever format it is.

use std::path::Path;

use super::builtin::{Builtin, dataset_names};
use super::format::Format;
use super::{DataOptions, Dataset};
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
    /// - arrays of numpy's, in `.npz` with their targets or in `.npy` with those beside them;
    /// - images in IDX format, gzipped or not (`train-images-idx3-ubyte`), whose labels are beside
    ///   them under the name that MNIST's have, or the folder that holds those that train;
    /// - images in CIFAR-10's or CIFAR-100's binary format (`.bin`), or the folder of its training files;
    /// - text, where there is a `context`.
    ///
    /// Pixels are divided by the largest that there may be: 255, or 16 for `digits`. Text is cut into
    /// windows of `context` characters; what is generated is drawn from `seed`. Label noise and a choice of
    /// classes are checked here, the one added by [`Dataset::add_label_noise`], the other made by
    /// [`Dataset::choose_classes`]. Returned with the options
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
        if let Some(builtin) = Builtin::find(name_or_file) {
            return builtin.load(options, context, seed);
        }
        if !Path::new(name_or_file).is_dir() && !input::looks_like_file(name_or_file) {
            return Err(Error::unknown_name("dataset", name_or_file, &dataset_names()));
        }
        Format::load(name_or_file, options, context)
    }
}
