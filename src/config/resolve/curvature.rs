//! How curvature is measured.

use crate::config::{BatchSize, Settings};
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::linalg::{AUDIT_EVERY, Lanczos, Solver};
use crate::optim::{OptimizerSpec, help};

/// Least tolerance in single precision: residuals of f32 products level off near 1e-7.
const LEAST_TOLERANCE_F32: f64 = 1e-6;
const LEAST_TOLERANCE_F64: f64 = 1e-12;

/// What is measured at a step, and how.
pub(in crate::config) struct Curvature {
    pub top: usize,
    pub smallest: bool,
    pub tolerance: f64,
    pub max_iterations: usize,
    pub solver: Solver,
    pub audit_every: Option<usize>,
    pub sharpness_batches: Option<usize>,
    pub sharpness_error: Option<f64>,
    pub perturbed_sharpness: bool,
    pub midpoint_sharpness: bool,
    pub mechanism: bool,
}

impl Curvature {
    /// That of a run with this optimizer, on such batches and in such a precision.
    pub fn resolve(
        settings: &Settings,
        optimizer: &OptimizerSpec,
        batch_size: BatchSize,
        precision: Precision,
    ) -> Result<Self> {
        let top = settings.top.unwrap_or(1);
        let smallest = settings.smallest.unwrap_or(false);
        let solver = solver(settings.solver, smallest)?;
        let sharpness_batches = sharpness_batches(settings.sharpness_batches, batch_size)?;
        Ok(Self {
            top,
            smallest,
            tolerance: tolerance(settings.tolerance, precision)?,
            max_iterations: max_iterations(settings.max_iterations, top, smallest)?,
            solver,
            audit_every: audit_every(settings.audit_every, solver)?,
            sharpness_batches,
            sharpness_error: sharpness_error(settings.sharpness_error, sharpness_batches)?,
            perturbed_sharpness: perturbed_sharpness(settings.perturbed_sharpness, optimizer)?,
            midpoint_sharpness: midpoint_sharpness(settings)?,
            mechanism: settings.mechanism.unwrap_or(false),
        })
    }
}

fn tolerance(given: Option<f64>, precision: Precision) -> Result<f64> {
    let tolerance = given.unwrap_or(1e-3);
    let (least, remedy) = match precision {
        Precision::F32 => {
            (LEAST_TOLERANCE_F32, "give 1e-6 or more and below 1 (--precision f64 goes to 1e-12)")
        }
        Precision::F64 => (LEAST_TOLERANCE_F64, "give 1e-12 or more and below 1"),
    };
    if (least..1.0).contains(&tolerance) {
        return Ok(tolerance);
    }
    let problem = "outside of what this precision can meet";
    Err(Error::setting("--tolerance", format!("{tolerance:?}"), problem, remedy))
}

fn max_iterations(given: Option<usize>, top: usize, smallest: bool) -> Result<usize> {
    let most = given.unwrap_or_else(|| Lanczos::usual_limit(top));
    let wanted = top.saturating_add(usize::from(smallest));
    if most < wanted {
        let problem = format!("{wanted} eigenvalues need at least as many products");
        return Err(Error::setting("--max-iterations", most, problem, "raise it or lower --top"));
    }
    Ok(most)
}

fn solver(given: Option<Solver>, smallest: bool) -> Result<Solver> {
    let suits = |solver: &Solver| !smallest || solver.method().both_ends;
    let default = || Solver::ALL.into_iter().find(suits).unwrap_or(Solver::Lanczos);
    let solver = given.unwrap_or_else(default);
    if suits(&solver) {
        return Ok(solver);
    }
    let problem = "it follows the largest eigenvalues, and --smallest asks for the other end";
    let remedy = format!("use --solver {}, or leave --smallest out", default());
    Err(Error::setting("--solver", solver, problem, remedy))
}

fn audit_every(given: Option<usize>, solver: Solver) -> Result<Option<usize>> {
    match given {
        given if solver.follows() => Ok(Some(given.unwrap_or(AUDIT_EVERY))),
        None => Ok(None),
        Some(n) => {
            let problem = format!("{solver} solves anew each time");
            let follow: Vec<&str> =
                Solver::ALL.into_iter().filter(|other| other.follows()).map(Solver::name).collect();
            let remedy = format!("leave it out, or use --solver {}", follow.join(" or "));
            Err(Error::setting("--audit-every", n, problem, remedy))
        }
    }
}

fn sharpness_batches(given: Option<usize>, batch_size: BatchSize) -> Result<Option<usize>> {
    const FLAG: &str = "--sharpness-batches";
    const DEFAULT: usize = 16;
    match (given, batch_size.0) {
        (Some(0), _) | (None, None) => Ok(None),
        (Some(n), None) => {
            Err(Error::setting(FLAG, n, "training is full-batch", "give --batch-size as well"))
        }
        (Some(1), Some(_)) => {
            let problem = "one batch has no standard error";
            Err(Error::setting(FLAG, 1, problem, "give 2 or more, or 0 for none"))
        }
        (given, Some(_)) => Ok(Some(given.unwrap_or(DEFAULT))),
    }
}

fn sharpness_error(given: Option<f64>, batches: Option<usize>) -> Result<Option<f64>> {
    match given {
        Some(error) if batches.is_none() => {
            let problem = "batch sharpness is not measured";
            let remedy = "give --batch-size, and not --sharpness-batches 0";
            Err(Error::setting("--sharpness-error", format!("{error:?}"), problem, remedy))
        }
        given => Ok(given),
    }
}

fn perturbed_sharpness(given: Option<bool>, optimizer: &OptimizerSpec) -> Result<bool> {
    let given = given.unwrap_or(false);
    if given && optimizer.hyperparameters.rho.is_none() {
        let problem = format!("{} does not perturb", optimizer.name);
        let remedy = format!("those that do: {}", help::takers("rho").join(", "));
        return Err(Error::setting("--perturbed-sharpness", given, problem, remedy));
    }
    Ok(given)
}

/// The mechanism is measured at midpoints, by what is found there.
fn midpoint_sharpness(settings: &Settings) -> Result<bool> {
    let mechanism = settings.mechanism.unwrap_or(false);
    match settings.midpoint_sharpness {
        Some(false) if mechanism => {
            let problem = "--mechanism is measured at midpoints";
            Err(Error::setting("--midpoint-sharpness", false, problem, "leave one of them out"))
        }
        given => Ok(given.unwrap_or(mechanism)),
    }
}
