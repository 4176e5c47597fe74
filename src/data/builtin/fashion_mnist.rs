//! Fashion-MNIST's 10,000 test images (Xiao, Rasul and Vollgraf 2017).

use std::path::Path;

use super::{Builtin, DatasetInfo, Defaults, Request, embedded};
use crate::data::dataset::{Dataset, digest};
use crate::data::format::idx;
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "fashion-mnist",
        samples: 10_000,
        inputs: "1x28x28 pixels",
        targets: "10 classes",
        licence: "MIT",
    },
    defaults: Defaults::LABELLED,
    text: false,
    standardized: false,
    load,
};

const IMAGES: &[u8] = embedded!("fashion-mnist-t10k-images-idx3-ubyte.gz");
const LABELS: &[u8] = embedded!("fashion-mnist-t10k-labels-idx1-ubyte.gz");

fn load(request: &Request) -> Result<Dataset> {
    let path = Path::new(request.name);
    let images = idx::parse((IMAGES, path), (LABELS, path))?;
    Ok(Dataset::from_images(request.name, digest(&[IMAGES, LABELS]), images))
}
