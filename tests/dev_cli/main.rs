//! Throwaway.
mod cli;
mod compare;
#[path = "../it/report.rs"]
mod report;
mod support;
