//! Extreme eigenvalues by a solve from nothing, from seeded random vectors.

use crate::autodiff::Objective;
use crate::curvature::{Hessian, Preconditioned, Tracking};
use crate::error::Result;
use crate::linalg::{
    AUDIT_EVERY, Extremes, Lanczos, LanczosOutcome, Solver, StopReason, SymmetricOperator,
    TrackerSettings, random_unit_vectors,
};
use crate::optim::StabilityOperator;
use crate::rng::{self, Stream};

/// Measures curvature at the objective's current parameters.
///
/// ```
/// # use std::sync::Arc;
/// #
/// # use burn::module::Param;
/// # use burn::tensor::Tensor;
/// # use burn::tensor::backend::Backend;
/// # use sharpscope::prelude::*;
/// #
/// # /// The loss w1² + 3 w2², whose Hessian has the eigenvalues 6 and 2.
/// # struct Bowl;
/// #
/// # impl Task for Bowl {
/// #     type Model<B: Backend> = Param<Tensor<B, 2>>;
/// #     type Batch<B: Backend> = Tensor<B, 2>;
/// #
/// #     fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Self::Model<B> {
/// #         Param::from_tensor(placement.float(&[0.0, 0.0], [1, 2]))
/// #     }
/// #
/// #     fn batch<B: Backend>(&self, _: &[usize], placement: &Placement<B::Device>) -> Self::Batch<B> {
/// #         placement.float(&[1.0, 3.0], [1, 2])
/// #     }
/// #
/// #     fn loss<B: Backend>(&self, w: &Self::Model<B>, scale: &Self::Batch<B>) -> Tensor<B, 1> {
/// #         (w.val().square() * scale.clone()).sum()
/// #     }
/// # }
/// use sharpscope::linalg::Lanczos;
///
/// // The loss w1² + 3 w2² as a `Task` of one sample.
/// let device = Device::open(BackendChoice::Cpu, Precision::F64)?;
/// let mut bowl = device.objective(Arc::new(Bowl), vec![0], 1)?;
/// bowl.set_parameters(&[1.0, 1.0])?;
///
/// let lanczos = Lanczos { largest: 1, smallest: 1, tolerance: 1e-6, max_iterations: 100 };
/// let found = CurvatureMeter::lanczos(lanczos, 0).measure(&*bowl, 0)?;
/// assert!(found.converged);
/// assert!((found.lambda[0] - 6.0).abs() < 1e-6);
/// assert!((found.lambda_min.unwrap() - 2.0).abs() < 1e-6);
/// # Ok::<(), Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvatureMeter {
    /// Which eigenvalues are found, and how well.
    pub extremes: Extremes,
    /// How.
    pub solver: Solver,
    /// Measurements from one audit of eigenvalues that are followed to the next.
    pub audit_every: usize,
    /// Seed of the run.
    pub seed: u64,
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Curvature {
    /// The largest eigenvalues, largest first. The first is the sharpness.
    pub lambda: Vec<f64>,
    /// The smallest eigenvalue, where it was asked for.
    pub lambda_min: Option<f64>,
    /// Unit eigenvector of the largest eigenvalue, of length P.
    pub top_vector: Vec<f64>,
    /// Unit eigenvectors of the other largest eigenvalues, in their order.
    pub further_vectors: Vec<Vec<f64>>,
    /// The largest relative residual of these pairs.
    pub residual: f64,
    /// Whether all of them met the tolerance.
    pub converged: bool,
    /// Why the eigensolver stopped.
    pub stop: StopReason,
    /// Hessian-vector products spent.
    pub hvps: usize,
}

impl CurvatureMeter {
    /// By the Lanczos method, anew each time.
    pub const fn lanczos(lanczos: Lanczos, seed: u64) -> Self {
        let Lanczos { largest, smallest, tolerance, max_iterations } = lanczos;
        let extremes = Extremes { largest, smallest, tolerance, max_products: max_iterations };
        Self { extremes, solver: Solver::Lanczos, audit_every: AUDIT_EVERY, seed }
    }

    /// What follows these eigenvalues from step to step, where the solver does. Steps and audits may each
    /// take as many products as a solve.
    pub fn tracking(&self) -> Option<Tracking> {
        let Extremes { largest, tolerance, max_products, .. } = self.extremes;
        let settings = TrackerSettings {
            audit_every: self.audit_every,
            max_products,
            audit_products: max_products,
            seed: self.seed,
            ..TrackerSettings::new(largest, tolerance)
        };
        Some(Tracking::by(self.solver.method().follow?, settings))
    }

    /// Measures the Hessian at training step `step`, which chooses the start vectors.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] if a product is not finite; or if the device reports failure.
    pub fn measure(&self, objective: &dyn Objective, step: usize) -> Result<Curvature> {
        self.solve("hessian", self.extremes, &mut Hessian::new(objective), step)
    }

    /// Measures the largest eigenvalue alone.
    ///
    /// # Errors
    /// As [`CurvatureMeter::measure`].
    pub fn measure_top(&self, objective: &dyn Objective, step: usize) -> Result<Curvature> {
        self.solve("hessian", self.largest(), &mut Hessian::new(objective), step)
    }

    /// Measures the largest eigenvalue of the operator that an optimizer's threshold bounds.
    ///
    /// # Errors
    /// As [`CurvatureMeter::measure`]; [`crate::Error::Length`] for a preconditioner of another
    /// length than P.
    pub fn measure_operator(
        &self,
        objective: &dyn Objective,
        operator: &StabilityOperator,
        step: usize,
    ) -> Result<Curvature> {
        let mut operator = Preconditioned::new(Hessian::new(objective), operator)?;
        self.solve("preconditioned", self.largest(), &mut operator, step)
    }

    fn largest(&self) -> Extremes {
        Extremes { largest: 1, smallest: 0, ..self.extremes }
    }

    /// The wanted eigenvalues of any operator; `name` is for the log.
    ///
    /// # Errors
    /// As [`CurvatureMeter::measure`].
    pub fn solve_operator(
        &self,
        name: &str,
        operator: &mut dyn SymmetricOperator,
        step: usize,
    ) -> Result<Curvature> {
        self.solve(name, self.extremes, operator, step)
    }

    fn solve(
        &self,
        operator_name: &str,
        wanted: Extremes,
        operator: &mut dyn SymmetricOperator,
        step: usize,
    ) -> Result<Curvature> {
        let stream = Stream::Krylov { step: step as u32 };
        let solver = (self.solver.method().cold)(wanted);
        let starts = solver.starts().min(operator.dim());
        let mut rng = rng::stream(self.seed, stream);
        let start = random_unit_vectors(operator.dim(), starts, &mut rng);
        let outcome = solver.solve(operator, &start)?;
        let curvature = Curvature::from(outcome);
        tracing::debug!(
            step,
            operator = operator_name,
            sharpness = curvature.lambda.first(),
            residual = curvature.residual,
            hvps = curvature.hvps,
            stop = %curvature.stop,
            "curvature measured"
        );
        Ok(curvature)
    }
}

impl Curvature {
    /// The unit eigenvectors of the largest eigenvalues, the largest first.
    pub fn eigenvectors(&self) -> impl Iterator<Item = &[f64]> {
        let top = Some(&self.top_vector[..]).filter(|vector| !vector.is_empty());
        top.into_iter().chain(self.further_vectors.iter().map(|vector| &vector[..]))
    }
}

impl From<LanczosOutcome> for Curvature {
    fn from(mut outcome: LanczosOutcome) -> Self {
        let pairs = || outcome.largest.iter().chain(&outcome.smallest);
        Self {
            residual: pairs().map(|pair| pair.residual).fold(0.0, f64::max),
            converged: pairs().all(|pair| pair.converged),
            lambda: outcome.largest.iter().map(|pair| pair.value).collect(),
            lambda_min: outcome.smallest.first().map(|pair| pair.value),
            stop: outcome.stop,
            hvps: outcome.applications,
            top_vector: match outcome.largest.first_mut() {
                Some(pair) => std::mem::take(&mut pair.vector),
                None => Vec::new(),
            },
            further_vectors: outcome.largest.into_iter().skip(1).map(|pair| pair.vector).collect(),
        }
    }
}
