//! Handwritten digits of the UCI repository, as scikit-learn has them.

use std::path::Path;

use super::{Builtin, DatasetInfo, Defaults, Request, embedded};
use crate::data::dataset::{Dataset, digest};
use crate::data::format::csv_file;
use crate::data::format::table::TableFormat;
use crate::data::gzip::unpack;
use crate::data::{DataNotes, Header, InputShape};
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "digits",
        samples: 1797,
        inputs: "1x8x8 pixels",
        targets: "10 classes",
        licence: "BSD-3-Clause, CC BY 4.0",
    },
    defaults: Defaults::LABELLED,
    text: false,
    standardized: false,
    load,
};

const DIGITS: &[u8] = embedded!("digits.csv.gz");
/// The darkest pixel.
const DARKEST: f64 = 16.0;

fn load(request: &Request) -> Result<Dataset> {
    let path = Path::new(request.name);
    let format =
        TableFormat { delimiter: b',', header: Header::No, target: None, regression: false };
    let mut table = csv_file::parse(&unpack(DIGITS, path)?, path, format)?;
    table.features.iter_mut().for_each(|pixel| *pixel /= DARKEST);
    let shape = InputShape::Image { channels: 1, height: 8, width: 8 };
    let dataset = Dataset::from_table(request.name, digest(&[DIGITS]), shape, table);
    let notes = DataNotes::numbered(dataset.outputs());
    Ok(Dataset { notes, ..dataset })
}
