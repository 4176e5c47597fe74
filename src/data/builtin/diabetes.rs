//! Progression of diabetes from ten measurements (Efron et al. 2004), as scikit-learn has it.

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
        name: "diabetes",
        samples: 442,
        inputs: "10 features",
        targets: "regression",
        licence: "BSD-3-Clause",
    },
    defaults: Defaults::NONE,
    text: false,
    standardized: true,
    load,
};

const FEATURES: &[u8] = embedded!("diabetes_data_raw.csv.gz");
const TARGETS: &[u8] = embedded!("diabetes_target.csv.gz");

fn load(request: &Request) -> Result<Dataset> {
    let path = Path::new(request.name);
    let text = |bytes| -> Result<String> {
        Ok(String::from_utf8_lossy(&unpack(bytes, path)?).into_owned())
    };
    let (features, targets) = (text(FEATURES)?, text(TARGETS)?);
    let rows = features.lines().zip(targets.lines()).map(|(x, y)| format!("{x} {y}\n"));
    let format =
        TableFormat { delimiter: b' ', header: Header::No, target: None, regression: true };
    let table = csv_file::parse(rows.collect::<String>().as_bytes(), path, format)?;
    let shape = InputShape::Features(table.width);
    let dataset = Dataset::from_table(request.name, digest(&[FEATURES, TARGETS]), shape, table);
    Ok(Dataset { notes: DataNotes::default(), ..dataset })
}
