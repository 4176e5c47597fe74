//! The run directory: tables, events, manifest, weights and pictures.
//!
//! Files that describe the whole run are written atomically; `steps.csv` and `events.jsonl` grow
//! line by line, each flushed as it is written.

mod atomic;
mod basis;
mod checkpoint;
#[cfg(feature = "data")]
mod growing;
mod json;
mod lines;
mod manifest;
mod own_files;
mod own_loop;
#[cfg_attr(not(feature = "figures"), path = "no_pictures.rs")]
mod pictures;
mod reader;
#[cfg(feature = "data")]
mod result_folder;
mod run_directory;
mod spectra;
mod spectrum_tables;
#[cfg(feature = "data")]
mod stored;
#[cfg(feature = "data")]
mod stored_flows;
#[cfg(feature = "data")]
mod stored_spectra;
mod table_sums;
mod watched;
mod weights;
mod weights_in;
mod writer;

pub use crate::record::cells;
pub(crate) use atomic::write as write_at_once;
#[cfg(feature = "figures")]
pub(crate) use atomic::{is_unfinished, write_new};
pub use checkpoint::{
    CheckpointState, OptimizerHead, RandomState, RunFacts, ScheduleHead, checkpoint_file,
    preconditioner_file,
};
#[cfg(feature = "data")]
pub use growing::{GrowingRun, Growth};
pub(crate) use json::to_bytes as to_json;
pub(crate) use lines::Lines;
pub use manifest::{Manifest, Resumption};
pub(crate) use manifest::{RESULT_SCHEMA_VERSION, SCHEMA_VERSION};
pub(crate) use own_files::{FLOWS, event_file};
pub(crate) use reader::ResultManifest;
#[cfg(feature = "export")]
pub(crate) use reader::stays_inside;
pub use reader::{ManifestHead, StepTable};
pub(crate) use reader::{check_schema, events as events_of_text};
#[cfg(feature = "data")]
pub(crate) use result_folder::ResultKind;
pub use run_directory::RunDirectory;
pub(crate) use spectra::is_table_of;
pub use spectra::{FOLDER as SPECTRA, spectrum_stem, write_spectrum};
pub use spectrum_tables::{spectrum_csv, spectrum_json};
#[cfg(feature = "data")]
pub use stored::StoredRun;
#[cfg(feature = "data")]
pub use stored_flows::StoredFlow;
#[cfg(feature = "data")]
pub use stored_spectra::StoredSpectrum;
pub use table_sums::TableSums;
pub use weights::to_safetensors;
pub(crate) use weights_in::given as weights_of_bytes;
use weights_in::parse_safetensors;
pub use weights_in::{GivenWeights, read_given_weights, read_safetensors};
pub use writer::RunWriter;
pub(crate) use writer::now;
#[cfg(feature = "export")]
pub(crate) use writer::table_bytes;
