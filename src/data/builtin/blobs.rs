//! Gaussian blobs about centres evenly spaced on the unit circle.

use std::f64::consts::TAU;

use super::generated::{LICENCE, scattered};
use super::{Builtin, DatasetInfo, Defaults, Request};
use crate::data::dataset::Dataset;
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "blobs",
        samples: 500,
        inputs: "2 features",
        targets: "3 classes",
        licence: LICENCE,
    },
    defaults: Defaults {
        points: Some(500),
        classes: Some(3),
        noise: Some(0.3),
        ..Defaults::LABELLED
    },
    text: false,
    standardized: false,
    load,
};

fn load(request: &Request) -> Result<Dataset> {
    let classes = request.classes;
    scattered(request, classes, |class, _| {
        let angle = TAU * class as f64 / classes as f64;
        [angle.cos(), angle.sin()]
    })
}
