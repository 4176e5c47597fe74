//! Images and their classes, whichever format they came in.

use super::Format;
use crate::data::labels::Labels;
use crate::data::options::Taken;
use crate::data::{DataNotes, DataOptions, Dataset, InputShape, Inputs, Targets};
use crate::error::Result;

/// Images and labels.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) struct Images {
    /// The shape of one.
    pub shape: InputShape,
    /// Their pixels, one image after the other.
    pub pixels: Pixels,
    /// The class of each.
    pub labels: Labels,
}

/// Pixels.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::data) enum Pixels {
    /// From 0 to 255, the brightest.
    Bytes(Vec<u8>),
    /// Numbers that are taken as they are.
    Numbers(Vec<f64>),
}

impl Pixels {
    pub fn into_inputs(self, shape: InputShape) -> Inputs {
        match self {
            Pixels::Bytes(pixels) => Inputs::Images { shape, pixels },
            Pixels::Numbers(values) => Inputs::Features { shape, values },
        }
    }
}

/// The options that a format of images takes.
pub(super) const TAKES: &[(Taken, &str)] =
    &[(Taken::LabelNoise, "files of classes"), (Taken::ChosenClasses, "files of classes")];

/// The options that apply to images of this name.
///
/// # Errors
/// [`crate::Error::Setting`] for those that the format does not take or that are out of range.
pub(super) fn options(format: &Format, name: &str, given: &DataOptions) -> Result<DataOptions> {
    given.check(name, |option| format.takes(option))?;
    let label_noise = Some(given.label_noise.unwrap_or(0.0));
    let classes = given.classes.clone();
    Ok(DataOptions { classes, label_noise, ..DataOptions::default() })
}

impl Dataset {
    /// Images whose classes are those that occur.
    pub(in crate::data) fn from_images(name: &str, sha256: String, images: Images) -> Self {
        let (labels, names) = images.labels.finish();
        let classes = names.len();
        Self {
            name: name.to_string(),
            sha256,
            inputs: images.pixels.into_inputs(images.shape),
            targets: Targets::Classes { classes, labels },
            notes: DataNotes::of_classes(names),
        }
    }
}
