//! Spiral arms that make one turn about the origin while their radius grows from 0.1 to 1.

use std::f64::consts::TAU;

use super::generated::{LICENCE, scattered};
use super::{Builtin, DatasetInfo, Defaults, Request};
use crate::data::dataset::Dataset;
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "spirals",
        samples: 500,
        inputs: "2 features",
        targets: "3 classes",
        licence: LICENCE,
    },
    defaults: Defaults {
        points: Some(500),
        classes: Some(3),
        noise: Some(0.05),
        ..Defaults::LABELLED
    },
    text: false,
    standardized: false,
    load,
};

fn load(request: &Request) -> Result<Dataset> {
    let classes = request.classes;
    scattered(request, classes, |class, along| {
        let radius = 0.1 + 0.9 * along;
        let angle = TAU * (class as f64 / classes as f64 + along);
        [radius * angle.cos(), radius * angle.sin()]
    })
}
