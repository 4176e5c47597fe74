//! Products with J' M J, J being the Jacobian of a model's outputs and M a block-diagonal matrix over
//! the rows of outputs: the generalised Gauss-Newton matrix and its relatives (Schraudolph 2002;
//! Martens 2020).
//!
//! J v is had from reverse mode alone: J' w is linear in w, so that the derivative of <J' w, v> with
//! respect to w is J v. M acts on the outputs only, and J' times the result is one more backward pass.

use burn::backend::Autodiff;
use burn::tensor::Tensor;
use burn::tensor::activation::softmax;
use burn::tensor::backend::Backend;
use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

use super::parameters::{Nested, outer_gradient};
use super::{Likelihood, Placement, Task};
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

/// The product over one chunk.
pub(super) struct OutputProduct<'a, B: Backend, T: Task> {
    pub task: &'a T,
    pub placement: &'a Placement<B::Device>,
    pub batch: &'a T::Batch<Nested<B>>,
    /// Number of the chunk, which sets apart what is drawn for it.
    pub chunk: usize,
}

impl<B: Backend, T: Task> OutputProduct<'_, B, T> {
    /// J' M J v for two copies of a model whose parameters the outer level records: a tape is consumed
    /// when it runs backward, so that the forward pass is repeated.
    pub fn of(
        &self,
        [model, again]: &[T::Model<Nested<B>>; 2],
        matrix: OutputMatrix,
        v: Tensor<B, 1>,
    ) -> Tensor<B, 1> {
        let outputs = self.outputs(model);
        let values = outputs.clone().inner().inner();
        let change = jacobian_vector(model, outputs, v);
        let weighted = self.weigh(matrix, values, change);
        let weighted = Tensor::from_inner(Tensor::from_inner(weighted));
        let total = (self.outputs(again) * weighted).sum();
        outer_gradient(again, total.backward()).inner()
    }

    fn outputs(&self, model: &T::Model<Nested<B>>) -> Tensor<Nested<B>, 2> {
        match self.task.outputs(model, self.batch) {
            Some(outputs) => outputs,
            None => unreachable!("the objective has asked the task for its outputs"),
        }
    }

    /// M times a change of the outputs, over the number of rows.
    fn weigh(
        &self,
        matrix: OutputMatrix,
        outputs: Tensor<B, 2>,
        change: Tensor<B, 2>,
    ) -> Tensor<B, 2> {
        let rows = outputs.dims()[0] as f64;
        let along = |r: Tensor<B, 2>| {
            let product = (r.clone() * change.clone()).sum_dim(1);
            r * product / rows
        };
        match matrix {
            OutputMatrix::GaussNewton => self.loss_hessian(outputs, change),
            OutputMatrix::EmpiricalFisher => along(self.loss_gradient(outputs).1.inner() * rows),
            OutputMatrix::Fisher => match self.task.likelihood() {
                Some(Likelihood::Categorical) => {
                    // sum_c p_c (e_c - p)(e_c - p)' u = p * u - p <p, u>.
                    let p = softmax(outputs, 1);
                    let mean = (p.clone() * change.clone()).sum_dim(1);
                    p * (change - mean) / rows
                }
                _ => change / rows,
            },
            OutputMatrix::SampledFisher { seed } => along(self.sampled_residual(outputs, seed)),
        }
    }

    /// The mean loss's gradient with respect to the outputs, recorded by the inner level, and the
    /// leaf that it depends on.
    fn loss_gradient(
        &self,
        outputs: Tensor<B, 2>,
    ) -> (Tensor<Autodiff<B>, 2>, Tensor<Autodiff<B>, 2>) {
        let leaf = Tensor::<Autodiff<B>, 2>::from_inner(outputs).require_grad();
        let outer = Tensor::<Nested<B>, 2>::from_inner(leaf.clone()).require_grad();
        let Some(loss) = self.task.loss_of_outputs(outer.clone(), self.batch) else {
            unreachable!("a task that says its outputs says the loss of them")
        };
        let gradient = outer.grad(&loss.backward()).unwrap_or_else(|| leaf.zeros_like());
        (leaf, gradient)
    }

    fn loss_hessian(&self, outputs: Tensor<B, 2>, change: Tensor<B, 2>) -> Tensor<B, 2> {
        let (leaf, gradient) = self.loss_gradient(outputs);
        let directional = (gradient * Tensor::from_inner(change.clone())).sum();
        // A loss that is linear in the outputs has no curvature there.
        leaf.grad(&directional.backward()).unwrap_or_else(|| change.zeros_like())
    }

    /// The derivative of the negative log-likelihood of targets drawn from the model.
    fn sampled_residual(&self, outputs: Tensor<B, 2>, seed: u64) -> Tensor<B, 2> {
        let [rows, columns] = outputs.dims();
        let mut rng = rng::stream(seed, Stream::FisherTargets { chunk: self.chunk as u32 });
        match self.task.likelihood() {
            Some(Likelihood::Categorical) => {
                // The largest of log p + Gumbel noise is a draw from p.
                let noise: Vec<f64> = (0..rows * columns).map(|_| gumbel(&mut rng)).collect();
                let noise: Tensor<B, 2> = self.placement.float(&noise, [rows, columns]);
                let noisy = outputs.clone() + noise;
                let drawn = noisy.clone().max_dim(1).equal(noisy).float().cast(outputs.dtype());
                softmax(outputs, 1) - drawn
            }
            _ => {
                let noise: Vec<f64> =
                    StandardNormal.sample_iter(&mut rng).take(rows * columns).collect();
                self.placement.float(&noise, [rows, columns])
            }
        }
    }
}

fn gumbel<R: Rng>(rng: &mut R) -> f64 {
    // In (0, 1]: its logarithm is finite, and zero only where the noise is infinite.
    let uniform: f64 = 1.0 - rng.random::<f64>();
    let exponential = -uniform.ln();
    -exponential.max(f64::MIN_POSITIVE).ln()
}

/// J v for outputs that the outer level has recorded.
fn jacobian_vector<B: Backend, M: burn::module::Module<Nested<B>>>(
    model: &M,
    outputs: Tensor<Nested<B>, 2>,
    v: Tensor<B, 1>,
) -> Tensor<B, 2> {
    let values = outputs.clone().inner().inner();
    // J' w is linear in w: its value does not matter.
    let w = Tensor::<Autodiff<B>, 2>::from_inner(values.zeros_like()).require_grad();
    let total = (outputs * Tensor::from_inner(w.clone())).sum();
    let transposed = outer_gradient(model, total.backward());
    let directional = (transposed * Tensor::from_inner(v)).sum();
    w.grad(&directional.backward()).unwrap_or_else(|| values.zeros_like())
}
