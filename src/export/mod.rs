//! A run's tables in other programs' formats.
//!
//! [`Source`] is what is exported, [`Format`] into which format, [`write()`] does it. A format is a file here, which
//! turns a source into files, and a line in `formats!`. [`tensorboard::EventWriter`] writes event files for
//! TensorBoard while a run goes on.

mod flows;
mod output;
mod source;
mod spectra;
mod table;

use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::names::choices;

pub use json::document;
pub use output::{place, write};
pub use source::Source;
pub use table::{Column, Table, Values};

/// What `kind` in an export is.
const KIND: &str = "export";
/// Version of the layout of exports.
const SCHEMA_VERSION: u32 = 1;

/// Turns a source into files.
struct Exporter {
    /// What the name of its single file ends with; `None` where it makes a folder of files.
    ending: Option<&'static str>,
    /// The files, a single one without a name.
    files: fn(&Source) -> Result<Vec<File>>,
}

/// A file in the making.
#[derive(Debug)]
struct File {
    /// Its name in the folder, with slashes between folders.
    name: String,
    bytes: Vec<u8>,
}

impl File {
    fn new(name: impl Into<String>, bytes: Vec<u8>) -> Self {
        Self { name: name.into(), bytes }
    }
}

/// Writes out [`Format`] from the files that have an `EXPORTER`.
macro_rules! formats {
    ($($(#[doc = $about:literal])+ $Format:ident = $file:ident, $name:literal;)+) => {
        choices! {
            /// What is exported to.
            pub enum Format ("format of exports") {
                $($(#[doc = $about])+ $Format = $name),+
            }
        }

        impl Format {
            fn exporter(self) -> Exporter {
                match self {
                    $(Self::$Format => $file::EXPORTER),+
                }
            }
        }
    };
}

pub mod tensorboard;

mod csv;
mod json;
mod parquet;

formats! {
    /// event files for TensorBoard
    Tensorboard = tensorboard, "tensorboard";
    /// a Parquet file for each table
    Parquet = parquet, "parquet";
    /// one document of JSON
    Json = json, "json";
    /// a CSV file for each table
    Csv = csv, "csv";
}

/// What every export says of itself: where it is from, with its settings, manifest and summary.
fn head(source: &Source) -> Map<String, Value> {
    let head = json!({
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "version": env!("CARGO_PKG_VERSION"),
        "source": { "kind": source.kind, "name": source.name, "path": source.path },
        "settings": source.settings(),
        "summary": source.summary,
        "manifest": source.manifest,
    });
    head.as_object().cloned().unwrap_or_default()
}
