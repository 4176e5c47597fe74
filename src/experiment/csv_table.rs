//! Tables as the commands write them.

use std::io::Write;

use crate::error::{Error, Result};

/// A CSV file in the making.
pub(super) struct Table<W: Write = Vec<u8>>(csv::Writer<W>);

impl Table {
    /// With that header.
    pub fn new<'a>(columns: impl Iterator<Item = &'a str>) -> Result<Self> {
        Self::over(Vec::new(), columns)
    }

    /// The bytes of the file.
    pub fn finish(self) -> Result<Vec<u8>> {
        self.0.into_inner().map_err(|e| table_error(e.into_error().into()))
    }
}

impl<W: Write> Table<W> {
    /// With that header, written to `out` as it grows.
    pub fn over<'a>(out: W, columns: impl Iterator<Item = &'a str>) -> Result<Self> {
        let mut table = Self(csv::Writer::from_writer(out));
        table.write(columns)?;
        Ok(table)
    }

    /// Adds a row.
    pub fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<()> {
        self.0.write_record(cells).map_err(table_error)
    }

    /// Writes what is left of it.
    pub fn flush(&mut self) -> Result<()> {
        self.0.flush().map_err(|e| table_error(e.into()))
    }
}

fn table_error(error: csv::Error) -> Error {
    let reason = error.to_string();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => Error::Io { action: "write", path: "a table".into(), source },
        _ => Error::Encode { what: "a table", reason },
    }
}
