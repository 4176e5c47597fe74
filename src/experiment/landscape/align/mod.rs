//! One run's hidden units brought into the order, the signs and the scales of another's, and what that does
//! to the line between them.

mod repair;
mod written;

pub use written::write;

use super::Compared;
use super::path::{at_least, follow, measured};
use crate::error::{Error, Result};
use crate::landscape::align::{MatchSettings, Matching, Symmetry, match_weights};
use crate::landscape::{Barriers, PathPoint, Values, distance, line};

use repair::Repair;

/// What is asked of an alignment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alignment {
    /// How weights are matched.
    pub matching: MatchSettings,
    /// Whether the line is measured with its units' statistics repaired too.
    pub repair: bool,
    /// Points on each line, its ends among them.
    pub points: usize,
    /// Eigenvalues followed along it; 0 for none.
    pub top: usize,
}

/// The second run, aligned to the first.
pub struct Aligned {
    /// What was done.
    pub matching: Matching,
    /// The aligned weights in the run's precision (length P).
    pub theta: Vec<f64>,
    /// The distance of the two runs, before and after.
    pub distances: [f64; 2],
    /// The second run's values, before and after.
    pub values: [Values; 2],
    /// The straight lines, each with its name.
    pub lines: Vec<AlignedLine>,
}

/// A measured straight line.
pub struct AlignedLine {
    /// `before`, `aligned` or `repaired`.
    pub name: &'static str,
    /// Its points.
    pub points: Vec<PathPoint>,
    /// Barriers over the training samples.
    pub train: Barriers,
    /// Barriers over the validation samples, where there are any.
    pub validation: Option<Barriers>,
}

impl Alignment {
    /// Refuses what cannot be asked.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, runs: usize) -> Result<()> {
        if runs != 2 {
            let problem = "one run is aligned to another";
            return Err(Error::setting("RUN", runs, problem, "name two runs"));
        }
        at_least("--points", self.points, 2, "a line has two ends")?;
        at_least("--starts", self.matching.starts, 1, "must not be zero")?;
        at_least("--sweeps", self.matching.sweeps, 1, "must not be zero")
    }

    /// Refuses a model without hidden units, or one whose statistics cannot be repaired.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check_model(&self, compared: &Compared) -> Result<()> {
        let model = &compared.prepared.config.model;
        if model.unit_groups().is_empty() {
            let problem = "it has no hidden units to align";
            let remedy = "give runs of a model with hidden layers";
            return Err(Error::setting("model", model.kind(), problem, remedy));
        }
        self.repair.then(|| Repair::new(&compared.prepared)).transpose().map(drop)
    }

    /// Aligns the second run to the first, and measures the lines between them.
    ///
    /// # Errors
    /// [`Error::Setting`] for a model without hidden units, or one whose statistics cannot be repaired; or if
    /// the device reports failure.
    pub fn find(&self, compared: &mut Compared) -> Result<Aligned> {
        let (a, b) = (compared.theta(0).to_vec(), compared.theta(1).to_vec());
        let model = &compared.prepared.config.model;
        let groups = model.unit_groups();
        let layout = compared.prepared.problem.train.layout();
        let symmetry = Symmetry::new(layout, &groups)?;
        let repair = self.repair.then(|| Repair::new(&compared.prepared)).transpose()?;
        let matching = match_weights(&symmetry, &a, &b, &self.matching)?;
        let precision = compared.prepared.device.precision();
        let theta: Vec<f64> = matching.aligned.iter().map(|&w| precision.round(w)).collect();
        let distances = [distance(&a, &b)?, distance(&a, &theta)?];
        let mut surface = compared.surface();
        let values = [surface.values(&b)?, surface.values(&theta)?];
        let mut lines = vec![
            self.measure(compared, "before", line(&a, &b)?)?,
            self.measure(compared, "aligned", line(&a, &theta)?)?,
        ];
        if let Some(repair) = repair {
            let between = repair.between(&a, &theta);
            lines.push(self.measure(compared, "repaired", |t| between.at(t))?);
        }
        Ok(Aligned { matching, theta, distances, values, lines })
    }

    fn measure(
        &self,
        compared: &mut Compared,
        name: &'static str,
        path: impl Fn(f64) -> Vec<f64>,
    ) -> Result<AlignedLine> {
        let prepared = &mut compared.prepared;
        let settings = follow(prepared, self.top);
        let (points, train, validation) = measured(prepared, settings, self.points, path)?;
        Ok(AlignedLine { name, points, train, validation })
    }
}
