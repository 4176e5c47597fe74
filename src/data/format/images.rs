//! Images and their classes, whichever format they came in.

use super::Format;
use crate::data::options::Taken;
use crate::data::{DataOptions, Dataset, InputShape, Inputs, Targets};
use crate::error::Result;

/// Images and labels.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Images {
    /// The shape of one.
    pub shape: InputShape,
    /// Their pixels, one image after the other.
    pub pixels: Vec<u8>,
    /// The class of each.
    pub labels: Vec<usize>,
}

/// The options that a format of images takes.
pub(super) const TAKES: &[(Taken, &str)] = &[(Taken::LabelNoise, "files of classes")];

/// The options that apply to images of this name.
///
/// # Errors
/// [`crate::Error::Setting`] for those that the format does not take or that are out of range.
pub(super) fn options(format: &Format, name: &str, given: &DataOptions) -> Result<DataOptions> {
    given.check(name, |option| format.takes(option))?;
    let label_noise = Some(given.label_noise.unwrap_or(0.0));
    Ok(DataOptions { label_noise, ..DataOptions::default() })
}

impl Dataset {
    pub(in crate::data) fn from_images(
        name: &str,
        sha256: String,
        images: Images,
        classes: usize,
    ) -> Self {
        Self {
            name: name.to_string(),
            sha256,
            inputs: Inputs::Images { shape: images.shape, pixels: images.pixels },
            targets: Targets::Classes { classes, labels: images.labels },
        }
    }
}
