//! Curvature matrices of tasks that are not sharpscope's own: closed forms, and what such a task does
//! not say.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sharpscope::Error;
use sharpscope::autodiff::{Likelihood, Objective, OutputMatrix, ReverseObjective, Task};
use sharpscope::device::{Compute, ComputeDevice, Placement, Precision};

use crate::derivatives::assert_close;

#[derive(Module, Debug)]
struct Numbers<B: Backend> {
    /// [1, 1].
    a: Param<Tensor<B, 2>>,
    /// [1, 2]; the outputs do not depend on the second.
    b: Param<Tensor<B, 2>>,
}

/// Row i has t = i + 1 and the outputs t a^2 and t b_0. The loss of a row is half their square or,
/// where `linear`, their sum.
#[derive(Clone, Copy)]
struct Squares {
    says_outputs: bool,
    says_loss_of_outputs: bool,
    likelihood: Option<Likelihood>,
    linear: bool,
}

const ALL: Squares = Squares {
    says_outputs: true,
    says_loss_of_outputs: true,
    likelihood: Some(Likelihood::Gaussian),
    linear: false,
};

impl Squares {
    fn forward<B: Backend>(model: &Numbers<B>, t: &Tensor<B, 2>) -> Tensor<B, 2> {
        let first = model.b.val().slice([0..1, 0..1]);
        let row = Tensor::cat(vec![model.a.val().square(), first], 1);
        t.clone().matmul(row)
    }

    fn of_outputs<B: Backend>(self, outputs: Tensor<B, 2>) -> Tensor<B, 1> {
        let rows = outputs.dims()[0] as f64;
        match self.linear {
            true => outputs.sum() / rows,
            false => outputs.square().sum() * (0.5 / rows),
        }
    }

    fn objective(self, chunk: usize) -> ReverseObjective<Compute, Self> {
        let placement =
            Placement { device: ComputeDevice::Cpu, precision: Precision::F64, workers: 1 };
        let mut objective =
            ReverseObjective::new(Arc::new(self), placement, (0..5).collect(), chunk).unwrap();
        objective.set_parameters(&[FIRST, OTHER, 9.0]).unwrap();
        objective
    }
}

const FIRST: f64 = 0.7;
const OTHER: f64 = -1.3;
/// Means of t^2 and t^4 for t = 1, ..., 5.
const SECOND: f64 = 11.0;
const FOURTH: f64 = 979.0 / 5.0;

impl Task for Squares {
    type Model<B: Backend> = Numbers<B>;
    type Batch<B: Backend> = Tensor<B, 2>;

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Numbers<B> {
        Numbers {
            a: Param::from_tensor(placement.zeros([1, 1])),
            b: Param::from_tensor(placement.zeros([1, 2])),
        }
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> Tensor<B, 2> {
        let t: Vec<f64> = samples.iter().map(|&i| 1.0 + i as f64).collect();
        placement.float(&t, [t.len(), 1])
    }

    fn loss<B: Backend>(&self, model: &Numbers<B>, t: &Tensor<B, 2>) -> Tensor<B, 1> {
        self.of_outputs(Self::forward(model, t))
    }

    fn outputs<B: Backend>(&self, model: &Numbers<B>, t: &Tensor<B, 2>) -> Option<Tensor<B, 2>> {
        self.says_outputs.then(|| Self::forward(model, t))
    }

    fn loss_of_outputs<B: Backend>(
        &self,
        outputs: Tensor<B, 2>,
        _t: &Tensor<B, 2>,
    ) -> Option<Tensor<B, 1>> {
        self.says_loss_of_outputs.then(|| self.of_outputs(outputs))
    }

    fn likelihood(&self) -> Option<Likelihood> {
        self.likelihood
    }
}

const V: [f64; 3] = [2.0, 3.0, 5.0];

/// Outputs t a^2 and t b: J has 2 t a and t on its diagonal.
#[test]
fn closed_forms_of_squares() {
    let gauss_newton = [4.0 * SECOND * FIRST * FIRST * V[0], SECOND * V[1], 0.0];
    let hessian = [6.0 * SECOND * FIRST * FIRST * V[0], SECOND * V[1], 0.0];
    // J'r has 2 t^2 a^3 and t^2 b.
    let (g, h) = (2.0 * FIRST.powi(3), OTHER);
    let along = FOURTH * (g * V[0] + h * V[1]);
    for chunk in [1, 2, 5] {
        let objective = ALL.objective(chunk);
        let product = |matrix| objective.output_product(matrix, &V).unwrap();
        assert_close(&objective.hvp(&V).unwrap(), &hessian, 1e-14, "Hessian");
        assert_close(&product(OutputMatrix::GaussNewton), &gauss_newton, 1e-14, "Gauss-Newton");
        assert_close(&product(OutputMatrix::Fisher), &gauss_newton, 1e-14, "Fisher");
        let empirical = product(OutputMatrix::EmpiricalFisher);
        assert_close(&empirical, &[g * along, h * along, 0.0], 1e-14, "empirical Fisher");
    }
}

/// burn keeps the tapes of all threads in one table, and clears it of what looks unused at the end of
/// each backward pass, on any thread. A leaf that belonged to two tapes, one after the other, lost
/// branches of its gradient in nearly half of such products.
#[test]
fn products_are_the_same_beside_those_of_other_threads() {
    let expected = [4.0 * SECOND * FIRST * FIRST * V[0], SECOND * V[1], 0.0];
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for chunk in [1, 2, 5].into_iter().cycle().take(60) {
                    let objective = ALL.objective(chunk);
                    let found = objective.output_product(OutputMatrix::GaussNewton, &V).unwrap();
                    assert_close(&found, &expected, 1e-14, "Gauss-Newton");
                }
            });
        }
    });
}

/// Categories with logits t a^2 and t b.
#[test]
fn closed_form_of_a_fisher_matrix_of_categories() {
    let task = Squares { likelihood: Some(Likelihood::Categorical), ..ALL };
    let mut expected = [0.0; 3];
    for t in 1..=5 {
        let t = f64::from(t);
        let p = 1.0 / (1.0 + (t * OTHER - t * FIRST * FIRST).exp());
        // p (1 - p) (1, -1)(1, -1)'.
        let change = 2.0 * t * FIRST * V[0] - t * V[1];
        expected[0] += p * (1.0 - p) * change * 2.0 * t * FIRST / 5.0;
        expected[1] -= p * (1.0 - p) * change * t / 5.0;
    }
    let found = task.objective(2).output_product(OutputMatrix::Fisher, &V).unwrap();
    // u - <p, u> cancels where p is near 1, as it is at t = 5.
    assert_close(&found, &expected, 1e-12, "Fisher");
}

#[test]
fn a_loss_that_is_linear_in_the_outputs_has_no_gauss_newton_matrix() {
    let objective = Squares { linear: true, ..ALL }.objective(2);
    assert_eq!(objective.output_product(OutputMatrix::GaussNewton, &V).unwrap(), [0.0; 3]);
    // What is left is the outputs' own curvature: the mean of t is 3.
    assert_close(&objective.hvp(&V).unwrap(), &[2.0 * 3.0 * V[0], 0.0, 0.0], 1e-14, "Hessian");
}

#[test]
fn what_a_task_does_not_say_is_named() {
    let silent = Squares { says_outputs: false, likelihood: None, ..ALL }.objective(2);
    let without_likelihood = Squares { likelihood: None, ..ALL }.objective(2);
    let refused = |objective: &dyn Objective, matrix, what: &str| {
        let refusal = objective.output_product(matrix, &V).unwrap_err();
        assert!(matches!(refusal, Error::Numerical { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains(what), "{refusal}");
    };
    let over_targets = [OutputMatrix::Fisher, OutputMatrix::SampledFisher { seed: 1 }];
    let over_outputs = [OutputMatrix::GaussNewton, OutputMatrix::EmpiricalFisher];
    for matrix in over_targets {
        refused(&without_likelihood, matrix, "likelihood");
        refused(&silent, matrix, "likelihood");
    }
    for matrix in over_outputs {
        refused(&silent, matrix, "outputs");
        assert!(without_likelihood.output_product(matrix, &V).is_ok(), "{matrix:?}");
    }
    // A likelihood of outputs that are not said.
    let mute = Squares { says_outputs: false, ..ALL }.objective(2);
    refused(&mute, OutputMatrix::Fisher, "outputs");
    // Asked twice, answered alike.
    refused(&mute, OutputMatrix::Fisher, "outputs");
    assert!(silent.hvp(&V).is_ok());
    // Outputs without the loss of them.
    let half = Squares { says_loss_of_outputs: false, ..ALL }.objective(2);
    over_outputs.into_iter().for_each(|matrix| refused(&half, matrix, "loss as a function"));
    assert!(half.output_product(OutputMatrix::Fisher, &V).is_ok());
}
