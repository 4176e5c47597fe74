//! Throwaway.
#[path = "derivatives.rs"]
mod derivatives;
#[path = "../it/model.rs"]
mod model;
#[path = "../it/models/mod.rs"]
mod models;
#[path = "../it/training.rs"]
mod training;
