//! Products with J' M J, J being the Jacobian of a model's outputs and M a block-diagonal matrix over
//! the rows of outputs: the generalised Gauss-Newton matrix and its relatives (Schraudolph 2002;
//! Martens 2020).
//!
//! M acts on the outputs only. J v and J' times a vector are each objective's own.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::{Likelihood, Task};
use crate::device::Placement;
use crate::error::{Error, Result};
use crate::rng::{self, Stream};

/// M in J' M J, as a mean over rows of outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputMatrix {
    /// The Hessian of the loss with respect to the outputs: the generalised Gauss-Newton matrix.
    GaussNewton,
    /// E[r r'] over targets drawn from the model's own distribution, r being the derivative of their
    /// log-likelihood with respect to the outputs; taken exactly. The Fisher matrix.
    Fisher,
    /// The same from one target drawn for each row, from this seed.
    SampledFisher {
        /// Seed of the targets.
        seed: u64,
    },
    /// r r' with the data's own targets: the "empirical Fisher", which is no Fisher matrix (Kunstner
    /// et al. 2019).
    EmpiricalFisher,
}

impl OutputMatrix {
    /// Whether it is about a distribution of targets.
    pub(super) fn needs_likelihood(self) -> bool {
        matches!(self, OutputMatrix::Fisher | OutputMatrix::SampledFisher { .. })
    }
}

/// What a task says of its outputs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Says {
    /// What they are.
    pub outputs: bool,
    /// The loss as a function of them.
    pub loss_of_outputs: bool,
}

/// Whether products with `matrix` can be had from a task that says so much.
///
/// # Errors
/// [`Error::Numerical`] where they cannot.
pub(super) fn check_output_matrix<T: Task>(
    task: &T,
    matrix: OutputMatrix,
    says: Says,
) -> Result<()> {
    let missing = |what: &str| Error::Numerical {
        what: "a Gauss-Newton or Fisher product",
        reason: format!("the task does not say its {what}"),
    };
    if matrix.needs_likelihood() && task.likelihood().is_none() {
        return Err(missing("likelihood"));
    }
    if !says.outputs {
        return Err(missing("outputs"));
    }
    // A Fisher matrix is of the model's own distribution, and not of the loss.
    if !matrix.needs_likelihood() && !says.loss_of_outputs {
        return Err(missing("loss as a function of its outputs"));
    }
    Ok(())
}

/// The outputs of a task that says them.
pub(super) fn outputs_of<A: Backend, T: Task>(
    task: &T,
    model: &T::Model<A>,
    batch: &T::Batch<A>,
) -> Tensor<A, 2> {
    match task.outputs(model, batch) {
        Some(outputs) => outputs,
        None => unreachable!("the objective has asked the task for its outputs"),
    }
}

/// The loss of outputs that a task says.
pub(super) fn loss_of<A: Backend, T: Task>(
    task: &T,
    outputs: Tensor<A, 2>,
    batch: &T::Batch<A>,
) -> Tensor<A, 1> {
    match task.loss_of_outputs(outputs, batch) {
        Some(loss) => loss,
        None => unreachable!("a task that says its outputs says the loss of them"),
    }
}

/// The mean loss over the rows of a chunk as a function of its outputs, `[rows, outputs]`.
pub(super) trait OutputLoss<B: Backend> {
    /// The distribution that it is the negative log-likelihood of.
    fn likelihood(&self) -> Option<Likelihood>;

    /// Its gradient.
    fn gradient(&self, outputs: Tensor<B, 2>) -> Tensor<B, 2>;

    /// Its Hessian times a change of the outputs.
    fn hessian_product(&self, outputs: Tensor<B, 2>, change: Tensor<B, 2>) -> Tensor<B, 2>;
}

/// M times a change of the outputs, over the number of rows. `chunk` is the number of the chunk, which
/// sets apart what is drawn for it.
pub(super) fn weigh<B: Backend>(
    matrix: OutputMatrix,
    loss: &impl OutputLoss<B>,
    placement: &Placement<B::Device>,
    chunk: usize,
    outputs: Tensor<B, 2>,
    change: Tensor<B, 2>,
) -> Tensor<B, 2> {
    let rows = outputs.dims()[0] as f64;
    let along = |r: Tensor<B, 2>| {
        let product = (r.clone() * change.clone()).sum_dim(1);
        r * product * (1.0 / rows)
    };
    match matrix {
        OutputMatrix::GaussNewton => loss.hessian_product(outputs, change),
        OutputMatrix::EmpiricalFisher => along(loss.gradient(outputs) * rows),
        OutputMatrix::Fisher => match loss.likelihood() {
            Some(Likelihood::Categorical) => {
                // sum_c p_c (e_c - p)(e_c - p)' u = p * u - p <p, u>.
                let p = softmax(outputs, 1);
                let mean = (p.clone() * change.clone()).sum_dim(1);
                p * (change - mean) * (1.0 / rows)
            }
            _ => change * (1.0 / rows),
        },
        OutputMatrix::SampledFisher { seed } => {
            let mut rng = rng::stream(seed, Stream::FisherTargets { chunk: chunk as u32 });
            along(sampled_residual(loss.likelihood(), placement, outputs, &mut rng))
        }
    }
}

/// The derivative of the negative log-likelihood of targets drawn from the model.
fn sampled_residual<B: Backend, R: Rng>(
    likelihood: Option<Likelihood>,
    placement: &Placement<B::Device>,
    outputs: Tensor<B, 2>,
    rng: &mut R,
) -> Tensor<B, 2> {
    let [rows, columns] = outputs.dims();
    match likelihood {
        Some(Likelihood::Categorical) => {
            // The largest of log p + Gumbel noise is a draw from p.
            let noise: Vec<f64> = (0..rows * columns).map(|_| gumbel(rng)).collect();
            let noise: Tensor<B, 2> = placement.float(&noise, [rows, columns]);
            let noisy = outputs.clone() + noise;
            let drawn = noisy.clone().max_dim(1).equal(noisy).float().cast(outputs.dtype());
            softmax(outputs, 1) - drawn
        }
        _ => {
            let noise: Vec<f64> = StandardNormal.sample_iter(rng).take(rows * columns).collect();
            placement.float(&noise, [rows, columns])
        }
    }
}

fn gumbel<R: Rng>(rng: &mut R) -> f64 {
    // In (0, 1]: its logarithm is finite, and zero only where the noise is infinite.
    let uniform: f64 = 1.0 - rng.random::<f64>();
    let exponential = -uniform.ln();
    -exponential.max(f64::MIN_POSITIVE).ln()
}
