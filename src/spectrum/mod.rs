//! The whole spectrum at one point: density, trace, both ends, layer by layer.

mod groups;
mod measure;
mod request;
mod tables;

pub use groups::{Group, groups, named_group};
pub use measure::{Ends, GroupSpectrum, Masses, Spectrum, SpectrumMeter};
pub use request::{Measurement, Request, measure};
pub use tables::{to_csv, to_json};
