//! Averages of a run's checkpoints, and soups of several runs.

mod ensemble;
mod measure;
mod members;
mod output;

use crate::error::{Error, Result};
use crate::names::choices;

use super::Compared;

pub use measure::{Item, Measured};
pub use output::write;

choices! {
    /// What is averaged, and how.
    pub enum AverageKind ("average") {
        /// The mean of a run's checkpoints from a step on (stochastic weight averaging).
        Swa = "swa",
        /// Their exponential moving average.
        Ema = "ema",
        /// The mean of the last few.
        Last = "last",
        /// The mean of all of them but the start.
        Polyak = "polyak",
        /// The second-order midpoint of the last three.
        Midpoint = "midpoint",
        /// The mean of what the checkpoints in the middle of cycles say (fast geometric ensembling).
        Fge = "fge",
        /// The mean of several runs.
        Uniform = "uniform",
        /// The mean of those runs that make it better.
        Greedy = "greedy",
    }
}

impl AverageKind {
    /// Whether it is of several runs rather than of one's checkpoints.
    pub fn is_soup(self) -> bool {
        matches!(self, AverageKind::Uniform | AverageKind::Greedy)
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Which averages; none for `swa` of one run and both soups of several.
    pub kinds: Vec<AverageKind>,
    /// The first step of `swa` and `ema`; `None` for half of the last.
    pub start: Option<usize>,
    /// Steps from one checkpoint of `swa` to the next, `None` for all that are there; steps of a cycle of `fge`, `None`
    /// for those of the run's schedule.
    pub every: Option<usize>,
    /// How many `last` takes.
    pub last: usize,
    /// The decay of `ema` at each checkpoint.
    pub decay: f64,
    /// Eigenvalues measured of each average and member; 0 for none.
    pub top: usize,
    /// Whether runs without a common ancestor are averaged.
    pub strangers: bool,
}

impl Request {
    /// The averages, checked against the number of runs.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn kinds(&self, runs: usize) -> Result<Vec<AverageKind>> {
        let wrong = |key: &str, value: String, problem: &str, remedy: &str| {
            Err(Error::setting(key, value, problem.to_string(), remedy.to_string()))
        };
        let kinds = match (self.kinds.is_empty(), runs) {
            (false, _) => self.kinds.clone(),
            (true, 1) => vec![AverageKind::Swa],
            (true, _) => vec![AverageKind::Uniform, AverageKind::Greedy],
        };
        for kind in &kinds {
            match (kind.is_soup(), runs) {
                (true, 1) => {
                    let remedy = "name two runs or more, or take --kind swa";
                    return wrong("--kind", kind.to_string(), "a soup is of several runs", remedy);
                }
                (false, n) if n > 1 => {
                    let remedy = "name one run, or take --kind uniform,greedy";
                    return wrong(
                        "--kind",
                        kind.to_string(),
                        "it is of one run's checkpoints",
                        remedy,
                    );
                }
                _ => {}
            }
        }
        if self.last == 0 {
            return wrong("--last", "0".to_string(), "nothing would be averaged", "give 1 or more");
        }
        if self.every == Some(0) {
            return wrong("--every", "0".to_string(), "must not be zero", "give 1 or more");
        }
        if !(0.0..1.0).contains(&self.decay) {
            let remedy = "give 0 or more and less than 1, such as 0.9";
            return wrong("--decay", format!("{:?}", self.decay), "not a decay", remedy);
        }
        Ok(kinds)
    }

    /// Averages and measures.
    ///
    /// # Errors
    /// [`Error::Setting`] for too few checkpoints, or for runs that have no common ancestor; or if the device reports
    /// failure.
    pub fn measure(&self, compared: &mut Compared) -> Result<Measured> {
        let kinds = self.kinds(compared.members.len())?;
        match compared.members.len() {
            1 => self.checkpoints(compared, &kinds),
            _ => self.soups(compared, &kinds),
        }
    }
}
