//! One integration-test binary: each further one would link burn and wgpu again.

mod cli;
mod data;
mod derivatives;
mod devices;
mod linalg;
mod model;
mod report;
mod stability;
mod training;
