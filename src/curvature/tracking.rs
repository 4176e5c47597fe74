//! The largest eigenvalues followed from one training step to the next.

use super::{Curvature, Hessian, Preconditioned};
use crate::autodiff::Objective;
use crate::error::{Error, Result, check_length};
use crate::linalg::{
    Follow, FollowMemory, Following, Secant, StopReason, Tracked, TrackerSettings,
};
use crate::optim::StabilityOperator;
use crate::record::EventKind;

/// Names in a [`FollowMemory`].
const HESSIAN: &str = "hessian.";
const PRECONDITIONED: &str = "preconditioned.";
const DIAGONAL: &str = "preconditioned.diagonal";
const PARAMETERS: &str = "last.parameters";
const GRADIENT: &str = "last.gradient";
const MIDPOINT: &str = "midpoint.";

/// Follows the largest eigenvalues of the Hessian, and the largest of the preconditioned Hessian
/// where there is a preconditioner and no weight decay in its metric: what decay adds there is a diagonal of
/// full rank, under which a tracker passes over eigenvalues ([`crate::linalg::Tracker`]).
///
/// Before the gradient at a step is evaluated, [`Tracking::probe`] says which vectors the Hessian is to
/// be multiplied with there, so that one pass gives the gradient and these products.
pub struct Tracking {
    follow: Following,
    settings: TrackerSettings,
    hessian: Option<Box<dyn Follow>>,
    preconditioned: Option<Scaled>,
    /// Parameters and gradient where curvature was measured last.
    last: Option<(Vec<f64>, Vec<f64>)>,
    /// The same at the midpoints of an oscillation, where eigenvalues are followed there too.
    midpoint: Option<Box<Tracking>>,
}

/// What follows D H D for a diagonal D.
struct Scaled {
    tracker: Box<dyn Follow>,
    diagonal: Vec<f64>,
}

/// A point of training, with what was evaluated there.
#[derive(Debug, Clone, Copy)]
pub struct Probed<'a> {
    /// The parameters (length P).
    pub theta: &'a [f64],
    /// The gradient there (length P).
    pub gradient: &'a [f64],
    /// The Hessian there times each vector of [`Tracking::probe`].
    pub products: &'a [f64],
}

/// What was measured at a step.
#[derive(Debug, Clone, PartialEq)]
pub struct Followed {
    /// Of the Hessian.
    pub hessian: Curvature,
    /// Of the preconditioned Hessian, the largest only; none where it is not followed.
    pub preconditioned: Option<Curvature>,
    /// Where an audit found other eigenvalues than those followed.
    pub repair: Option<Repair>,
}

/// An audit's disagreement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Repair {
    /// The largest eigenvalue as it was followed.
    pub followed: f64,
    /// The largest eigenvalue that the audit found.
    pub found: f64,
}

impl From<Repair> for EventKind {
    fn from(Repair { followed, found }: Repair) -> Self {
        EventKind::CurvatureRepaired { followed, found }
    }
}

impl Tracking {
    /// By a solver's way to follow, with nothing known yet.
    pub fn by(follow: Following, settings: TrackerSettings) -> Self {
        let (hessian, preconditioned, last, midpoint) = Default::default();
        Self { follow, settings, hessian, preconditioned, last, midpoint }
    }

    /// The same, that follows the eigenvalues at midpoints of an oscillation besides
    /// ([`Tracking::at_midpoints`]).
    pub fn with_midpoints(self) -> Self {
        let midpoint = Some(Box::new(Self::by(self.follow, self.settings)));
        Self { midpoint, ..self }
    }

    /// What follows them at midpoints, where they are followed there too.
    pub fn at_midpoints(&mut self) -> Option<&mut Tracking> {
        self.midpoint.as_deref_mut()
    }

    /// The vectors to multiply with the Hessian at the next point, each of length P, one after the
    /// other.
    pub fn probe(&self) -> Vec<f64> {
        let own = self.hessian.iter().flat_map(|tracker| tracker.directions().iter().copied());
        let scaled = self.preconditioned.iter().flat_map(|scaled| {
            scaled
                .tracker
                .directions()
                .iter()
                .zip(scaled.diagonal.iter().cycle())
                .map(|(z, d)| z * d)
        });
        own.chain(scaled).collect()
    }

    /// All that the next measurement depends on, so that a checkpoint can hold it: what follows each operator
    /// under `hessian.` and `preconditioned.`, with the diagonal of the latter, where curvature was
    /// measured last, and the same at midpoints under `midpoint.`.
    pub fn memory(&self) -> FollowMemory {
        let mut memory = FollowMemory::default();
        if let Some(tracker) = &self.hessian {
            memory.extend(HESSIAN, tracker.memory());
        }
        if let Some(Scaled { tracker, diagonal }) = &self.preconditioned {
            memory.extend(PRECONDITIONED, tracker.memory());
            memory.reals.insert(DIAGONAL.to_string(), diagonal.clone());
        }
        if let Some((theta, gradient)) = &self.last {
            memory.reals.insert(PARAMETERS.to_string(), theta.clone());
            memory.reals.insert(GRADIENT.to_string(), gradient.clone());
        }
        if let Some(midpoint) = &self.midpoint {
            memory.extend(MIDPOINT, midpoint.memory());
        }
        memory
    }

    /// Takes up where another with the same settings stood, for an objective of `dim` parameters.
    ///
    /// # Errors
    /// [`Error::State`] or [`Error::Length`] naming what is missing or does not fit.
    pub fn restore(&mut self, dim: usize, memory: &FollowMemory) -> Result<()> {
        let vector = |name: &'static str| match memory.reals.get(name) {
            Some(values) => check_length(name, values.len(), dim).map(|()| Some(values.clone())),
            None => Ok(None),
        };
        let begun = |prefix, settings| -> Result<Option<Box<dyn Follow>>> {
            let part = memory.part(prefix);
            if part.counts.is_empty() {
                return Ok(None);
            }
            let mut tracker = (self.follow)(dim, settings);
            tracker.restore(&part)?;
            Ok(Some(tracker))
        };
        let one = TrackerSettings { largest: 1, ..self.settings };
        let missing = || Error::State {
            what: "taking up the eigenvalues that were followed",
            reason: format!("{DIAGONAL} is missing"),
        };
        let preconditioned = match begun(PRECONDITIONED, one)? {
            Some(tracker) => {
                let diagonal = vector(DIAGONAL)?.ok_or_else(missing)?;
                Some(Scaled { tracker, diagonal })
            }
            None => None,
        };
        let mut midpoint = self.midpoint.take();
        if let Some(midpoint) = &mut midpoint {
            midpoint.restore(dim, &memory.part(MIDPOINT))?;
        }
        *self = Self {
            hessian: begun(HESSIAN, self.settings)?,
            preconditioned,
            last: vector(PARAMETERS)?.zip(vector(GRADIENT)?),
            midpoint,
            ..Self::by(self.follow, self.settings)
        };
        Ok(())
    }

    /// Measures at a point that the objective stands at; `operator` is the one that the optimizer's
    /// threshold bounds.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] if a product is not finite; [`crate::Error::Length`] for a
    /// preconditioner or products of another length; or if the device reports failure.
    pub fn update(
        &mut self,
        objective: &dyn Objective,
        operator: &StabilityOperator,
        at: Probed<'_>,
    ) -> Result<Followed> {
        let followed = self.measure(objective, operator, at);
        if followed.is_err() {
            // What was half learnt is given up.
            let midpoint = self.midpoint.take();
            *self = Self { midpoint, ..Self::by(self.follow, self.settings) };
        }
        followed
    }

    fn measure(
        &mut self,
        objective: &dyn Objective,
        operator: &StabilityOperator,
        at: Probed<'_>,
    ) -> Result<Followed> {
        let dim = objective.dim();
        let change = self.last.as_ref().map(|(theta, gradient)| {
            (difference(at.theta, theta), difference(at.gradient, gradient))
        });
        let tracker = self.hessian.get_or_insert_with(|| (self.follow)(dim, self.settings));
        let given = tracker.directions().len().min(at.products.len());
        let (own, rest) = at.products.split_at(given);
        let secant = change.as_ref().map(|(s, y)| Secant { s, y });
        let mut hessian = Hessian::new(objective);
        let followed = tracker.update(&mut hessian, own, secant)?;
        let mut repair = disagreement(&followed);

        let mut preconditioned = None;
        let diagonal = operator.basis.is_none() && operator.shift == 0.0;
        if let Some(p) = operator.preconditioner.as_ref().filter(|_| diagonal) {
            let diagonal: Vec<f64> = p.iter().map(|p| 1.0 / p.sqrt()).collect();
            if !diagonal.iter().all(|d| d.is_finite() && *d > 0.0) {
                return Err(Error::NonFinite { what: "a preconditioner" });
            }
            let mut matrix = Preconditioned::new(Hessian::new(objective), operator)?;
            let mut tracker = match self.preconditioned.take() {
                Some(Scaled { mut tracker, diagonal: old }) => {
                    tracker.rescale(&ratios(&diagonal, &old))?;
                    tracker
                }
                None => (self.follow)(dim, TrackerSettings { largest: 1, ..self.settings }),
            };
            let inverse: Vec<f64> = diagonal.iter().map(|d| 1.0 / d).collect();
            let ax = scaled(rest, &diagonal);
            let change = change.as_ref().map(|(s, y)| (scaled(s, &inverse), scaled(y, &diagonal)));
            let secant = change.as_ref().map(|(s, y)| Secant { s, y });
            let followed = tracker.update(&mut matrix, &ax, secant)?;
            repair = repair.or(disagreement(&followed));
            preconditioned = Some(Curvature::from(followed));
            self.preconditioned = Some(Scaled { tracker, diagonal });
        }
        self.last = Some((at.theta.to_vec(), at.gradient.to_vec()));
        Ok(Followed { hessian: Curvature::from(followed), preconditioned, repair })
    }
}

impl std::fmt::Debug for Tracking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracking").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// Each vector of a block times the diagonal.
fn scaled(block: &[f64], diagonal: &[f64]) -> Vec<f64> {
    block.iter().zip(diagonal.iter().cycle()).map(|(x, d)| x * d).collect()
}

fn ratios(new: &[f64], old: &[f64]) -> Vec<f64> {
    new.iter().zip(old).map(|(new, old)| new / old).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

fn disagreement(tracked: &Tracked) -> Option<Repair> {
    let audit = tracked.audit.as_ref().filter(|audit| audit.disagrees)?;
    Some(Repair { followed: *audit.before.first()?, found: *audit.after.first()? })
}

impl From<Tracked> for Curvature {
    fn from(mut tracked: Tracked) -> Self {
        let converged = tracked.pairs.iter().all(|pair| pair.converged);
        Self {
            lambda: tracked.pairs.iter().map(|pair| pair.value).collect(),
            lambda_min: None,
            residual: tracked.pairs.iter().map(|pair| pair.residual).fold(0.0, f64::max),
            converged,
            stop: if converged { StopReason::Converged } else { StopReason::IterationLimit },
            hvps: tracked.products,
            top_vector: match tracked.pairs.first_mut() {
                Some(pair) => std::mem::take(&mut pair.vector),
                None => Vec::new(),
            },
            further_vectors: tracked.pairs.into_iter().skip(1).map(|pair| pair.vector).collect(),
        }
    }
}
