//! Curves of low loss between two runs, and whether what was found is one.

mod findings;
mod training;
mod written;

pub use findings::findings;
pub use training::{Descending, Trained, TrainedStep};
pub use written::write;

use std::sync::atomic::AtomicBool;

use super::Compared;
use super::path::{at_least, follow, measured};
use crate::error::{Error, Result};
use crate::experiment::doctor::Finding;
use crate::landscape::curve::{Curve, CurveMeasures, Descent, measures};
use crate::landscape::{Barriers, PathPoint, distance, line};
use crate::names::choices;

choices! {
    /// How runs are connected.
    pub enum Method ("curve") {
        /// A Bezier curve, trained at random positions.
        Bezier = "bezier",
        /// Straight pieces, trained at random positions.
        Polychain = "polychain",
        /// A nudged elastic band, into which pivots are inserted.
        Neb = "neb",
    }
}

/// What is asked of a curve.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// How it is found.
    pub method: Method,
    /// Its free control points; of a band, the pivots that it starts with.
    pub bends: usize,
    /// Rounds of relaxation of a band; pivots are inserted between them.
    pub cycles: usize,
    /// Points at which it is measured, its ends among them.
    pub points: usize,
    /// Eigenvalues followed along it; 0 for none.
    pub top: usize,
    /// How it is trained.
    pub descending: Descending,
}

/// A curve that was found, beside the straight line.
pub struct Connected {
    /// Its control points.
    pub curve: Curve,
    /// Its updates.
    pub trained: Trained,
    /// The straight line, measured.
    pub line: Measured,
    /// The curve, measured.
    pub path: Measured,
    /// Whether it is what it should be.
    pub findings: Vec<Finding>,
}

/// A measured path.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Its points.
    pub points: Vec<PathPoint>,
    /// In a few numbers.
    pub measures: CurveMeasures,
    /// Barriers over the training samples.
    pub train: Barriers,
    /// Barriers over the validation samples, where there are any.
    pub validation: Option<Barriers>,
}

impl Connection {
    /// Refuses what is no curve between two runs.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, runs: usize) -> Result<()> {
        if runs != 2 {
            return Err(Error::setting("RUN", runs, "a curve has two ends", "name two runs"));
        }
        at_least("--points", self.points, 2, "a curve has two ends")?;
        at_least("--bends", self.bends, 1, "a curve without free points is the straight line")?;
        at_least("--cycles", self.cycles, 1, "a band that is not relaxed is the straight line")
    }

    /// Refuses what the runs' samples do not allow.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check_samples(&self, compared: &Compared) -> Result<()> {
        self.descending.check_samples(compared.prepared.problem.train.samples())
    }

    /// Trains the curve between the two runs, telling of each update, and measures it and the straight line.
    ///
    /// # Errors
    /// If the device reports failure.
    pub fn find(
        &self,
        compared: &mut Compared,
        interrupted: &AtomicBool,
        told: &mut dyn FnMut(&TrainedStep),
    ) -> Result<Connected> {
        let (a, b) = (compared.theta(0).to_vec(), compared.theta(1).to_vec());
        let chord = distance(&a, &b)?;
        let line = self.measure(compared, line(&a, &b)?, chord)?;
        let (curve, trained) = self.train(compared, [&a, &b], interrupted, told)?;
        let path = self.measure(compared, |t| curve.at(t), chord)?;
        let findings = findings(&curve, [&a, &b], &trained, &line, &path);
        Ok(Connected { curve, trained, line, path, findings })
    }

    fn measure(
        &self,
        compared: &mut Compared,
        path: impl Fn(f64) -> Vec<f64>,
        chord: f64,
    ) -> Result<Measured> {
        let prepared = &mut compared.prepared;
        let settings = follow(prepared, self.top);
        let (points, train, validation) = measured(prepared, settings, self.points, path)?;
        let Some(measures) = measures(&points, chord) else { unreachable!("a path has two ends") };
        Ok(Measured { points, measures, train, validation })
    }
}

impl Connected {
    /// Whether the training of the curve diverged.
    pub fn diverged(&self) -> bool {
        self.trained.end == Descent::Diverged
    }
}
