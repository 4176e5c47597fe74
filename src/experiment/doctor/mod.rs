//! Is a run fit to draw conclusions from? The checklist for experiments, each line with its number.
//!
//! What the run directory holds is read; the data are loaded anew, and suspicious steps repeated in
//! double precision. A check that cannot be made says so instead of passing.

mod problem;
mod repeat;
mod rows;
mod seeds;

use serde::Serialize;

use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::record::{Event, StepRow};
use crate::rundir::StoredRun;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// Something that a conclusion may suffer from.
    Warn,
    /// The run does not tell.
    NotKnown,
}

impl Verdict {
    /// As it is printed.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Pass => "pass",
            Verdict::Warn => "warn",
            Verdict::NotKnown => "not known",
        }
    }
}

/// One line of the checklist.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was checked, a word or two with underscores.
    pub check: &'static str,
    /// How it came out.
    pub verdict: Verdict,
    /// The number that it rests on, where there is one.
    pub number: Option<f64>,
    /// What was found, and what to do where something should be.
    pub text: String,
}

impl Finding {
    fn new(
        check: &'static str,
        verdict: Verdict,
        number: impl Into<Option<f64>>,
        text: impl Into<String>,
    ) -> Self {
        Self { check, verdict, number: number.into(), text: text.into() }
    }

    /// A pass if that holds, else a warning.
    fn judged(
        check: &'static str,
        holds: bool,
        number: impl Into<Option<f64>>,
        text: impl Into<String>,
    ) -> Self {
        Self::new(check, if holds { Verdict::Pass } else { Verdict::Warn }, number, text)
    }
}

/// A run, read.
struct Run<'a> {
    stored: &'a StoredRun,
    /// The settings, or why they are not known.
    config: std::result::Result<RunConfig, String>,
    rows: &'a [StepRow],
    events: &'a [Event],
}

impl<'a> Run<'a> {
    fn read(stored: &'a StoredRun) -> Result<Self> {
        let (rows, events) = (stored.rows_as_they_are()?, stored.events()?);
        let config = stored.config().map_err(Error::in_flags);
        Ok(Self { stored, config, rows, events })
    }

    fn count(&self, kind: &str) -> usize {
        self.events.iter().filter(|event| event.kind.name() == kind).count()
    }

    fn row(&self, step: usize) -> Option<&StepRow> {
        self.rows.iter().find(|row| row.step == step)
    }
}

/// Goes through the checklist for a run.
///
/// # Errors
/// [`crate::Error::File`] for what is no run directory, or whose table or events are damaged.
pub fn examine(stored: &StoredRun) -> Result<Vec<Finding>> {
    let prepared = stored.problem_as_it_is().map_err(Error::in_flags);
    let run = Run::read(stored)?;
    let mut findings = vec![rows::ending(&run)];
    findings.extend(problem::findings(&run, &prepared));
    findings.push(seeds::finding(stored.path()));
    findings.extend(rows::findings(&run));
    findings.push(problem::checkpoint(&run));
    let repeated = prepared.and_then(|p| repeat::finding(&run, p).map_err(Error::in_flags));
    findings.push(repeated.unwrap_or_else(|error| {
        let text = format!("no step could be repeated in double precision: {error}");
        Finding::new(repeat::CHECK, Verdict::NotKnown, None, text)
    }));
    Ok(findings)
}

/// The checks that can be read off a run's files: neither are its data loaded nor is anything repeated.
///
/// # Errors
/// As [`examine`].
pub fn read_off(stored: &StoredRun) -> Result<Vec<Finding>> {
    let run = Run::read(stored)?;
    let mut findings = vec![rows::ending(&run), seeds::finding(stored.path())];
    findings.extend(rows::findings(&run));
    findings.push(problem::checkpoint(&run));
    Ok(findings)
}
