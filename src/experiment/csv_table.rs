//! Tables as the commands write them.

use crate::error::{Error, Result};

/// A CSV file in the making.
pub(super) struct Table(csv::Writer<Vec<u8>>);

impl Table {
    /// With that header.
    pub fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut table = Self(csv::Writer::from_writer(Vec::new()));
        table.write(columns)?;
        Ok(table)
    }

    /// Adds a row.
    pub fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<()> {
        self.0.write_record(cells).map_err(table_error)
    }

    /// The bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.0.into_inner().map_err(|e| table_error(e.into_error().into()))
    }
}

fn table_error(error: csv::Error) -> Error {
    Error::Encode { what: "a table", reason: error.to_string() }
}
