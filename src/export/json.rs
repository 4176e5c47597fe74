//! One document of JSON, with the schema of each table.

use serde_json::{Map, Value, json};

use super::{Exporter, File, Source};
use crate::rundir::to_json;

pub(super) const EXPORTER: Exporter = Exporter {
    ending: Some("json"),
    files: |source| Ok(vec![File::new("", to_json(&document(source))?)]),
};

/// All that is exported: each table as `schema` and `data`, a list of objects, as pandas' `orient="table"` has it.
pub fn document(source: &Source) -> Value {
    let mut document = super::head(source);
    let tables: Map<String, Value> = source
        .tables
        .iter()
        .map(|table| {
            let row = |row: usize| {
                let cells = table.columns.iter();
                cells.map(|column| (column.name.clone(), column.values.json(row))).collect()
            };
            let data: Vec<Map<String, Value>> = (0..table.rows()).map(row).collect();
            (table.name.clone(), json!({ "schema": table.schema(), "data": data }))
        })
        .collect();
    document.insert("tables".to_string(), tables.into());
    document.insert("numbers".to_string(), source.numbers.clone().into());
    document.into()
}
