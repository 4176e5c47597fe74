//! Modules of one's own.

use std::sync::Arc;

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use sharpscope::autodiff::{Objective, ReverseObjective, Task};
use sharpscope::device::{Compute, Placement, Precision};
use sharpscope::linalg::dot;

use super::{assert_close, dense_hessian, epsilon, gradient, loss_at, on_cpu};

#[derive(Module, Debug)]
pub(super) struct Block<B: Backend> {
    pub(super) matrix: Param<Tensor<B, 2>>,
}

/// Parameters of ranks 1 to 3, one of them in a module of its own and one without effect.
#[derive(Module, Debug)]
pub(super) struct Odd<B: Backend> {
    block: Block<B>,
    unused: Param<Tensor<B, 3>>,
    scale: Param<Tensor<B, 1>>,
    slope: Param<Tensor<B, 1>>,
}

impl<B: Backend> Odd<B> {
    fn zeros(placement: &Placement<B::Device>) -> Self {
        Self {
            block: Block { matrix: Param::from_tensor(placement.zeros([2, 3])) },
            unused: Param::from_tensor(placement.zeros([2, 1, 2])),
            scale: Param::from_tensor(placement.zeros([1])),
            slope: Param::from_tensor(placement.zeros([2])),
        }
    }
}

/// The mean over samples of `t (s^2 |A|^2 / 2 + sum of the slope) + s sum(a^3) / 3`, where t is 1 for
/// sample 0, 2 for sample 1 and so on.
pub(super) struct Polynomial;

impl Task for Polynomial {
    type Model<B: Backend> = Odd<B>;
    type Batch<B: Backend> = Tensor<B, 1>;

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Odd<B> {
        Odd::zeros(placement)
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> Tensor<B, 1> {
        let t: Vec<f64> = samples.iter().map(|&i| 1.0 + i as f64).collect();
        placement.float(&t, [t.len()])
    }

    fn loss<B: Backend>(&self, model: &Odd<B>, t: &Tensor<B, 1>) -> Tensor<B, 1> {
        let (a, s) = (model.block.matrix.val(), model.scale.val());
        let squares = a.clone().square().sum().mul_scalar(0.5);
        let cubes = (a.clone() * a.clone() * a).sum().mul_scalar(1.0 / 3.0);
        let linear = model.slope.val().sum();
        t.clone().mean() * (s.clone().square() * squares + linear) + s * cubes
    }
}

pub(super) fn module_objective<T: Task>(
    task: T,
    precision: Precision,
    theta: Option<&[f64]>,
) -> ReverseObjective<Compute, T> {
    let samples = (0..5).collect();
    let mut objective =
        ReverseObjective::new(Arc::new(task), on_cpu(precision, 1), samples, 2).unwrap();
    if let Some(theta) = theta {
        objective.set_parameters(theta).unwrap();
    }
    objective
}

/// a (6), unused (4), s (1), slope (2).
pub(super) const ODD: [f64; 13] =
    [0.5, -1.2, 0.3, 0.8, -0.4, 1.1, 9.0, 8.0, 7.0, 6.0, 1.5, 0.7, -0.3];

#[test]
fn any_modules_parameters_are_laid_out_in_order_with_their_paths() {
    let objective = module_objective(Polynomial, Precision::F64, None);
    let found: Vec<_> = objective
        .layout()
        .entries()
        .iter()
        .map(|e| (e.name.as_str(), e.shape.as_slice(), e.offset, e.len))
        .collect();
    let expected = [
        ("block.matrix", &[2, 3][..], 0, 6),
        ("unused", &[2, 1, 2], 6, 4),
        ("scale", &[1], 10, 1),
        ("slope", &[2], 11, 2),
    ];
    assert_eq!(found, expected);
    assert_eq!((objective.dim(), objective.samples()), (13, 5));
    assert_eq!(objective.evaluate().unwrap().accuracy, None);
}

#[test]
fn any_module_is_differentiated_twice_and_parameters_without_effect_have_zero_rows() {
    const MEAN: f64 = 3.0; // of t = 1, ..., 5
    let (a, s) = (&ODD[..6], ODD[10]);
    let squares = 0.5 * dot(a, a);
    let cubes = a.iter().map(|a| a.powi(3)).sum::<f64>() / 3.0;

    let mut expected_gradient = [0.0; 13];
    let mut expected_hessian = [[0.0; 13]; 13];
    for (i, a) in a.iter().enumerate() {
        expected_gradient[i] = MEAN * s * s * a + s * a * a;
        expected_hessian[i][i] = MEAN * s * s + 2.0 * s * a;
        expected_hessian[i][10] = 2.0 * MEAN * s * a + a * a;
        expected_hessian[10][i] = expected_hessian[i][10];
    }
    expected_gradient[10] = 2.0 * MEAN * s * squares + cubes;
    expected_hessian[10][10] = 2.0 * MEAN * squares;
    expected_gradient[11..].fill(MEAN);
    let expected_loss = MEAN * (s * s * squares + ODD[11] + ODD[12]) + s * cubes;

    for precision in [Precision::F32, Precision::F64] {
        let objective = module_objective(Polynomial, precision, Some(&ODD));
        let tolerance = 16.0 * epsilon(precision);
        let hessian = dense_hessian(&objective);
        let found = gradient(&objective);
        assert_close(&[loss_at(&objective)], &[expected_loss], tolerance, "loss");
        assert_close(&found, &expected_gradient, tolerance, "gradient");
        assert_close(&hessian, expected_hessian.as_flattened(), tolerance, "Hessian");
        assert_eq!(found[6..10], [0.0; 4], "gradient of what has no effect");
        for (i, row) in hessian.chunks(13).enumerate() {
            let zero = if i < 6 || i == 10 { 6..10 } else { 0..13 };
            assert!(row[zero].iter().all(|&h| h == 0.0), "row {i}: {row:?}");
        }
    }
}

/// A loss that is linear in its parameters: three times the first of two.
struct Line;

#[derive(Module, Debug)]
struct Pair<B: Backend> {
    a: Param<Tensor<B, 1>>,
    b: Param<Tensor<B, 1>>,
}

impl Task for Line {
    type Model<B: Backend> = Pair<B>;
    type Batch<B: Backend> = ();

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Pair<B> {
        let zero = || Param::from_tensor(placement.zeros([1]));
        Pair { a: zero(), b: zero() }
    }

    fn batch<B: Backend>(&self, _samples: &[usize], _placement: &Placement<B::Device>) {}

    fn loss<B: Backend>(&self, model: &Pair<B>, (): &()) -> Tensor<B, 1> {
        model.a.val().mul_scalar(3.0)
    }
}

#[test]
fn a_linear_loss_has_a_constant_gradient_and_no_curvature() {
    let objective = module_objective(Line, Precision::F64, Some(&[2.0, 5.0]));
    assert_close(&gradient(&objective), &[3.0, 0.0], 1e-15, "gradient");
    assert_eq!(objective.hvp(&[1.0, 1.0]).unwrap(), [0.0, 0.0]);
}
