//! A CSV file for each table, the settings beside them.

use super::{Exporter, File, Source};
use crate::error::{Error, Result};

pub(super) const EXPORTER: Exporter = Exporter { ending: None, files };

fn files(source: &Source) -> Result<Vec<File>> {
    let failed = |e: csv::Error| Error::Encode { what: "a table", reason: e.to_string() };
    let mut made = Vec::new();
    for table in &source.tables {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.write_record(table.columns.iter().map(|column| &column.name)).map_err(failed)?;
        for row in 0..table.rows() {
            let cells = table.columns.iter().map(|column| column.values.cell(row));
            writer.write_record(cells).map_err(failed)?;
        }
        let bytes = writer.into_inner().map_err(|e| failed(e.into_error().into()))?;
        made.push(File::new(format!("{}.csv", table.name), bytes));
    }
    Ok(made)
}
