//! What is trained on: datasets, their split into training and validation samples, their scaling.

mod csv_file;
mod dataset;
mod split;

pub use dataset::{Dataset, dataset_names};
pub use split::{Split, Standardisation};
