//! What is trained on: datasets by name or from files, their split into training and validation
//! samples, their scaling.

mod builtin;
mod classes;
mod dataset;
mod format;
mod gzip;
pub(crate) mod in_memory;
mod join;
mod label_noise;
mod labels;
mod notes;
mod options;
mod shape;
mod source;
mod split;
mod standardisation;
mod text;

pub(crate) use builtin::is_builtin;
pub use builtin::{DatasetInfo, dataset_list, dataset_names, is_text, standardized_by_default};
pub use classes::{Classes, Label};
pub use dataset::{Dataset, Inputs, Targets};
pub use notes::DataNotes;
pub use options::{DataOptions, Header};
pub use shape::InputShape;
pub use split::Split;
pub use standardisation::Standardisation;
pub use text::plain_text;
