//! `manifest.json`: what it takes to know, and to repeat, a run.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::{Deserialize, Serialize};

use super::now;
use super::own_files::new_id;
use crate::device::Precision;
use crate::profile::RunInfo;

/// The version of the files' layout that this version of sharpscope writes.
pub(crate) const SCHEMA_VERSION: u32 = 2;
/// The same of results that are made of runs, and are none themselves.
pub(crate) const RESULT_SCHEMA_VERSION: u32 = 1;

/// Everything about a run but its results.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Manifest {
    /// Version of the files' layout; raised when a reader would have to know.
    pub schema_version: u32,
    /// Of this run and no other, however often it is gone on with.
    pub id: String,
    /// Version of sharpscope.
    pub version: String,
    /// Revision of the git checkout that the run was started in, if any.
    pub git_revision: Option<String>,
    /// The folder that paths in `config` are seen from.
    pub working_directory: Option<PathBuf>,
    /// When it started (RFC 3339).
    pub started: String,
    /// When and where it was gone on with, if it was.
    pub resumed: Vec<Resumption>,
    /// When it ended; null while it is under way or if it was killed.
    pub finished: Option<String>,
    /// The process exit code; null while it is under way or if it was killed.
    pub exit_code: Option<u8>,
    /// What went wrong, if anything.
    pub error: Option<String>,
    /// The configuration, fully resolved.
    pub config: serde_json::Value,
    /// `cpu` or `wgpu`.
    pub backend: String,
    /// The adapter's name.
    pub adapter: String,
    /// Precision of parameters and arithmetic.
    pub precision: Precision,
    /// Number P of parameters.
    pub parameters: usize,
    /// What was made of the data; null where nothing is known of them.
    pub data: serde_json::Value,
    /// SHA-256 of the dataset's file.
    pub dataset_sha256: String,
    /// SHA-256 of `init.safetensors`; null where an earlier version wrote that.
    pub init_sha256: Option<String>,
    /// The training loss of outputs that are all zero, which divergence is judged beside; null where it is not
    /// known.
    pub zero_output_loss: Option<f64>,
    /// Rows of the dataset that train, in its file's order, from 0.
    pub train_indices: Vec<usize>,
    /// Rows of the dataset that validate.
    pub validation_indices: Vec<usize>,
    /// Rows of the dataset that are kept for a test.
    pub test_indices: Vec<usize>,
    /// Rows of the dataset that curvature is measured on; null where it is all that train.
    pub curvature_indices: Option<Vec<usize>>,
}

impl Manifest {
    /// Of a run that begins now.
    pub fn of(run: &RunInfo) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            id: new_id(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            git_revision: git_revision(),
            // JSON has no other names than those of UTF-8.
            working_directory: std::env::current_dir().ok().filter(|dir| dir.to_str().is_some()),
            started: now(),
            resumed: Vec::new(),
            finished: None,
            exit_code: None,
            error: None,
            config: run.config.clone(),
            backend: run.backend.clone(),
            adapter: run.adapter.clone(),
            precision: run.precision,
            parameters: run.layout.len(),
            data: run.data.clone(),
            dataset_sha256: run.dataset_sha256.clone(),
            init_sha256: None,
            zero_output_loss: run.zero_output_loss,
            train_indices: run.train_samples.clone(),
            validation_indices: run.validation_samples.clone(),
            test_indices: run.test_samples.clone(),
            curvature_indices: run.curvature_samples.clone(),
        }
    }
}

/// A stopped run goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumption {
    /// When (RFC 3339).
    pub time: String,
    /// The first step that was taken then.
    pub step: usize,
}

/// The revision of the git checkout that this folder is in, if any.
fn git_revision() -> Option<String> {
    let output = Command::new("git")
        .args(["rev-parse", "HEAD"])
        .stderr(Stdio::null())
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let revision = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (!revision.is_empty()).then_some(revision)
}
