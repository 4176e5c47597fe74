//! One integration-test binary: each further one would link burn and wgpu again.

mod architecture;
mod block_lanczos;
mod cli;
mod compare;
mod curvature;
mod data;
mod derivatives;
mod devices;
mod differentiation;
mod edges;
mod errors;
mod goldens;
mod launches;
mod limits;
mod linalg;
mod model;
mod models;
mod optim;
mod profiler;
mod report;
mod spectrum;
mod stability;
mod support;
mod tracker;
mod training;
mod weights;
