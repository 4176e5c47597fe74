//! A CSV file for each table, the settings beside them.

use super::{Exporter, File, Source, Table};
use crate::error::Result;
use crate::rundir::table_bytes;

pub(super) const EXPORTER: Exporter = Exporter { ending: None, files };

fn files(source: &Source) -> Result<Vec<File>> {
    let file = |table: &Table| {
        let header = table.columns.iter().map(|column| column.name.clone()).collect();
        let row = |row| table.columns.iter().map(|column| column.values.cell(row)).collect();
        let records: Vec<Vec<String>> =
            [header].into_iter().chain((0..table.rows()).map(row)).collect();
        Ok(File::new(format!("{}.csv", table.name), table_bytes(records)?))
    };
    source.tables.iter().map(file).collect()
}
