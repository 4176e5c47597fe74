//! Slices of the loss around a run's point, or through several.

mod directions;
mod output;

use crate::error::{Error, Result};
use crate::landscape::{Values, slice_1d, slice_2d, spread};
use crate::names::choices;

use super::Compared;

pub use directions::{Axis, Mark, Slice};
pub use output::write;

choices! {
    /// Along what a slice is taken.
    #[derive(Default)]
    pub enum Along ("kind of direction") {
        /// Eigenvectors of the Hessian.
        #[default]
        Eigenvectors = "eigenvectors",
        /// Random directions with the weights' own scale.
        Random = "random",
        /// The plane through three runs.
        Plane = "plane",
        /// The principal components of a run's checkpoints.
        Trajectory = "trajectory",
        /// Two variables themselves, with a run's checkpoints on them.
        Coordinates = "coordinates",
    }
}

/// What is asked of a slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// Along what.
    pub along: Along,
    /// One direction at a time, or two at once.
    pub dimensions: usize,
    /// Which eigenvectors, from 1 by falling eigenvalue, or which variables.
    pub which: Vec<usize>,
    /// Points on each axis; `None` for 51 on a line and 25 on each side of a grid.
    pub points: Option<usize>,
    /// Half-width: in units of sqrt(2 dL/|lambda|) for eigenvectors, of the direction for random ones, and as a share of
    /// the extent of what is shown around that for planes and trajectories. `None` for 1, 1 and 0.25.
    pub range: Option<f64>,
    /// dL; `None` for the training loss at the point.
    pub rise: Option<f64>,
    /// Seed of random directions; `None` for the run's.
    pub seed: Option<u64>,
}

/// What was measured on a slice.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// The directions and what is known of them.
    pub slice: Slice,
    /// Where it was measured: along each direction, or over the grid of the two.
    pub cuts: Vec<Cut>,
}

/// One line, or the grid.
#[derive(Debug, Clone, PartialEq)]
pub struct Cut {
    /// Multiples of the first direction.
    pub xs: Vec<f64>,
    /// Multiples of the second; none on a line.
    pub ys: Vec<f64>,
    /// Losses there: for each of `ys` all of `xs`.
    pub values: Vec<Values>,
}

impl Request {
    /// Checks what can be checked without the runs.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self, runs: usize) -> Result<()> {
        let wrong = |key: &str, value: String, problem: &str, remedy: &str| {
            Err(Error::setting(key, value, problem.to_string(), remedy.to_string()))
        };
        let needed = if self.along == Along::Plane { 3 } else { 1 };
        if runs != needed {
            let problem = match needed {
                3 => "a plane goes through three",
                _ => "the slice is around one",
            };
            let remedy = match needed {
                3 => "name three, each RUN or RUN@STEP",
                _ => "name one, or take --along plane for three",
            };
            return wrong("RUN", runs.to_string(), problem, remedy);
        }
        if !matches!(self.dimensions, 1 | 2) {
            let remedy = "give 1 or 2";
            return wrong("--dimensions", self.dimensions.to_string(), "cannot be drawn", remedy);
        }
        let planes = [Along::Plane, Along::Trajectory, Along::Coordinates];
        if self.dimensions == 1 && planes.contains(&self.along) {
            let remedy = "leave it out, or take 'landscape interpolate' for lines between runs";
            return wrong("--dimensions", "1".to_string(), "a plane has two", remedy);
        }
        if let Some(points) = self.points.filter(|&points| points < 2) {
            return wrong("--points", points.to_string(), "an axis has two ends", "give 2 or more");
        }
        for (flag, value) in [("--range", self.range), ("--rise", self.rise)] {
            if let Some(value) = value.filter(|value| !(value.is_finite() && *value > 0.0)) {
                let remedy = "give a finite number above 0";
                return wrong(flag, format!("{value:?}"), "out of range", remedy);
            }
        }
        self.check_which()
    }

    fn check_which(&self) -> Result<()> {
        let shown = self.which.iter().map(usize::to_string).collect::<Vec<_>>().join(",");
        let wrong = |problem: &str, remedy: &str| {
            Err(Error::setting("--which", &shown, problem.to_string(), remedy.to_string()))
        };
        if self.which.contains(&0) {
            return wrong("eigenvectors are counted from 1", "give 1 for the sharpest direction");
        }
        let mut sorted = self.which.clone();
        sorted.sort_unstable();
        sorted.dedup();
        if sorted.len() < self.which.len() {
            return wrong("one is named twice", "name each once");
        }
        match (self.dimensions, self.which.len()) {
            (2, n) if n != 2 => wrong("a plane has two directions", "name two, such as 1,2"),
            (_, 0) => wrong("no direction is named", "name one or more"),
            _ => Ok(()),
        }
    }

    /// Checks what can be checked before anything is measured.
    ///
    /// # Errors
    /// [`Error::Setting`] for more eigenvectors than there are, or too few checkpoints.
    pub fn check_against(&self, compared: &Compared) -> Result<()> {
        let parameters = compared.prepared.problem.train.dim();
        let top = self.which.iter().copied().max().unwrap_or(1);
        let counted = matches!(self.along, Along::Eigenvectors | Along::Coordinates);
        if counted && top > parameters {
            let problem = format!("the model has {parameters} parameters");
            return Err(Error::setting("--which", top, problem, "give smaller numbers"));
        }
        let there = directions::steps(&compared.members[0]).len();
        if self.along == Along::Trajectory && there < 3 {
            let problem = format!("it has {there} checkpoints up to there, its start included");
            let remedy = "run again with --checkpoint-every";
            return Err(Error::setting("RUN", &compared.members[0].name, problem, remedy));
        }
        Ok(())
    }

    /// Points along an axis.
    fn count(&self) -> usize {
        self.points.unwrap_or(if self.dimensions == 1 { 51 } else { 25 })
    }

    /// Rows of a grid, or lines where there is none.
    pub fn rows(&self) -> usize {
        if self.dimensions == 1 { self.which.len().max(1) } else { self.count() }
    }

    /// Chooses the directions and measures. Rows that are done are told.
    ///
    /// # Errors
    /// [`Error::Setting`] where directions cannot be had; or if the device reports failure.
    pub fn measure(
        &self,
        compared: &mut Compared,
        mut told: impl FnMut(usize),
    ) -> Result<Measured> {
        let slice = self.directions(compared)?;
        let mut surface = compared.prepared.problem.surface();
        let count = self.count();
        let over = |axis: &Axis| spread(axis.ends.0, axis.ends.1, count);
        let mut cuts = Vec::new();
        if self.dimensions == 1 {
            for axis in &slice.axes {
                let xs = over(axis);
                told(cuts.len());
                let values = slice_1d(&mut surface, &slice.center, &axis.direction, &xs)?;
                cuts.push(Cut { xs, ys: Vec::new(), values });
            }
        } else if let [first, second] = &slice.axes[..] {
            let (xs, ys) = (over(first), over(second));
            let pair = [&first.direction[..], &second.direction[..]];
            let values = slice_2d(&mut surface, &slice.center, pair, &xs, &ys, told)?;
            cuts.push(Cut { xs, ys, values });
        }
        Ok(Measured { slice, cuts })
    }
}
