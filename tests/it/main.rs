//! One integration-test binary: each further one would link burn and wgpu again.

// All keys of a configuration in one `json!`.
#![recursion_limit = "256"]

mod align;
mod architecture;
mod block_lanczos;
mod branch;
mod cli;
mod compare;
mod connect;
mod curvature;
mod data;
mod demos;
mod derivatives;
mod devices;
mod differentiation;
mod edges;
mod errors;
mod evaluation;
mod flows;
mod fuzzing;
mod goldens;
mod landscape;
mod launches;
mod limits;
mod linalg;
mod linearisation;
mod mechanism;
mod model;
mod models;
mod objectives;
mod optim;
mod profiler;
mod quantities;
mod readme;
mod realized;
mod report;
mod resumption;
mod spectrum;
mod stability;
mod support;
mod third_derivative;
mod tracker;
mod training;
mod weights;
