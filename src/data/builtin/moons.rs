//! Two half circles of radius 1 that interlock: the upper one about (0, 0), the lower one about
//! (1, 1/2).

use std::f64::consts::PI;

use super::generated::{LICENCE, scattered};
use super::{Builtin, DatasetInfo, Defaults, Request};
use crate::data::dataset::Dataset;
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "moons",
        samples: 500,
        inputs: "2 features",
        targets: "2 classes",
        licence: LICENCE,
    },
    defaults: Defaults { points: Some(500), noise: Some(0.1), ..Defaults::LABELLED },
    text: false,
    standardized: false,
    load,
};

fn load(request: &Request) -> Result<Dataset> {
    scattered(request, 2, |class, along| {
        let angle = PI * along;
        match class {
            0 => [angle.cos(), angle.sin()],
            _ => [1.0 - angle.cos(), 0.5 - angle.sin()],
        }
    })
}
