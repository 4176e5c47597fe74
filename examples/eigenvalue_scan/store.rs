//! What was compared, kept in a file.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

use super::measure::Probe;
use super::plan::Run;

/// What a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The Hessian's eigenvalue of that index, from 0.
    Lambda(usize),
    /// The Hessian's largest, solved for alone.
    Alone,
    /// The largest of the preconditioned Hessian.
    Preconditioned,
    /// The largest where SAM took its gradient.
    Perturbed,
    /// The Hessian's smallest.
    Smallest,
}

/// One value.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Value {
    pub step: usize,
    pub kind: Kind,
    pub logged: f64,
    pub right: f64,
    /// Magnitude of the operator's largest eigenvalue.
    pub scale: f64,
    /// The index of the right value that the logged one is, to 1%; none if it is none.
    pub place: Option<usize>,
    /// Whether right values up to this one are alike.
    pub twins: bool,
    /// Whether the row says that its values have converged.
    pub converged: bool,
}

impl Value {
    /// |logged/right - 1|; of the smallest eigenvalue, which may be zero, relative to the scale.
    pub fn error(&self) -> f64 {
        match self.kind {
            Kind::Smallest => self.error_of_scale(),
            _ if self.logged == self.right => 0.0,
            _ => (self.logged / self.right - 1.0).abs(),
        }
    }

    /// The error relative to the largest eigenvalue.
    pub fn error_of_scale(&self) -> f64 {
        (self.logged - self.right).abs() / self.scale
    }

    /// Off by more than 1%.
    pub fn is_miss(&self) -> bool {
        self.error() > 0.01
    }

    /// What kind of miss it is.
    pub fn cause(&self) -> &'static str {
        let index = match self.kind {
            Kind::Lambda(i) => i,
            _ => 0,
        };
        match self.place {
            _ if self.twins => "repeated",
            Some(place) if place > index => "passed over",
            _ if self.logged > self.right => "too high",
            _ => "too low",
        }
    }
}

/// One run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Record {
    pub name: String,
    pub command: String,
    pub cold: bool,
    pub every: usize,
    pub parameters: usize,
    pub solver: String,
    pub optimizer: String,
    pub model: String,
    pub loss: String,
    pub adaptive: bool,
    pub decay: bool,
    pub minibatch: bool,
    pub status: String,
    /// Share of steps at the edge of stability.
    pub edge: f64,
    /// Of each measured step but the first, or of each solve.
    pub products: Vec<usize>,
    /// Values that were asked for and are not there.
    pub absent: usize,
    pub values: Vec<Value>,
    pub seconds: f64,
}

impl Record {
    /// A line about the run.
    pub fn line(&self) -> String {
        let misses = self.values.iter().filter(|value| value.is_miss()).count();
        format!(
            "{} ({} {} {}, P = {}, {}, {:.0} s): {} values, {misses} misses",
            self.name,
            self.optimizer,
            self.model,
            self.solver,
            self.parameters,
            self.status,
            self.seconds,
            self.values.len()
        )
    }

    fn is_of(&self, run: &Run, probe: Probe) -> bool {
        let cold = probe == Probe::Cold;
        self.command == run.command && self.every == run.every && self.cold == cold
    }
}

/// The records, and the file that holds them.
pub struct Store {
    records: Vec<Record>,
    file: Option<File>,
}

impl Store {
    /// With what the file holds, if it is there.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self { records: Vec::new(), file: None }) };
        let mut records = Vec::new();
        if path.exists() {
            for line in BufReader::new(File::open(path)?).lines() {
                // The last one may have been cut off.
                records.extend(serde_json::from_str::<Record>(&line?).ok());
            }
        }
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let file = OpenOptions::new().create(true).append(true).open(path);
        Ok(Self { records, file: Some(file.with_context(|| path.display().to_string())?) })
    }

    pub fn has(&self, run: &Run, probe: Probe) -> bool {
        self.records.iter().any(|record| record.is_of(run, probe))
    }

    pub fn add(&mut self, record: Record) -> Result<()> {
        if let Some(file) = &mut self.file {
            let line = serde_json::to_string(&record)?;
            // In front too, so that a line that was cut off ends.
            write!(file, "\n{line}\n")?;
        }
        self.records.push(record);
        Ok(())
    }

    /// The records of these runs, in their order.
    pub fn of(&self, runs: &[Run], probe: Probe) -> Vec<Record> {
        let find = |run| self.records.iter().find(|record| record.is_of(run, probe)).cloned();
        runs.iter().filter_map(find).collect()
    }
}
