//! Linear models, whose derivatives have closed forms.

use sharpscope::autodiff::Objective;
use sharpscope::device::Precision;
use sharpscope::linalg::Lanczos;
use sharpscope::model::Activation;
use sharpscope::problem::Loss;

use super::{
    Case, Data, SMALL, assert_close, combinations, cpu, dense_hessian, gradient, loss_at, measure,
    normal, perceptron, rows, scaled, unit,
};

/// A linear model without biases on random samples, at random weights: the case, the weights and
/// the objective.
fn linear_model(loss: Loss) -> (Case, Vec<f64>, Box<dyn Objective>) {
    let mut case = Case::random(&[], Activation::Identity, loss, SMALL);
    case.spec.bias = false;
    let theta = scaled(&normal(SMALL.inputs * SMALL.classes, 11), 0.7);
    let objective = case.at(&cpu(Precision::F64), &theta);
    (case, theta, objective)
}

/// Fills the gradient and the Hessian of a linear model, in the layout [out, in], from each
/// sample's derivatives by its outputs: `1/N sum_i r_i kron x_i` and `1/N sum_i S_i kron x_i x_i'`.
fn linear_closed_form(
    case: &Case,
    theta: &[f64],
    by_outputs: impl Fn(&[f64], usize) -> (Vec<f64>, Vec<Vec<f64>>),
) -> (Vec<f64>, Vec<f64>) {
    let Data { samples, inputs, classes } = SMALL;
    let n = inputs * classes;
    let (mut gradient, mut hessian) = (vec![0.0; n], vec![0.0; n * n]);
    for i in 0..samples {
        let x = case.data.features(i);
        let outputs = case.forward_on_host(theta, i, |z| z).outputs;
        let (r, s) = by_outputs(&outputs, case.data.label(i).unwrap());
        for row in 0..n {
            let (o, k) = (row / inputs, row % inputs);
            gradient[row] += r[o] * x[k] / samples as f64;
            for column in 0..n {
                let (p, l) = (column / inputs, column % inputs);
                hessian[row * n + column] += s[o][p] * x[k] * x[l] / samples as f64;
            }
        }
    }
    (gradient, hessian)
}

#[test]
fn a_linear_model_with_squared_error_has_the_gram_matrix_as_hessian() {
    let (case, theta, objective) = linear_model(Loss::Mse);
    let (expected_gradient, expected_hessian) =
        linear_closed_form(&case, &theta, |outputs, label| {
            let target = unit(outputs.len(), label);
            let residual = outputs.iter().zip(target).map(|(f, y)| f - y).collect();
            (residual, (0..outputs.len()).map(|o| unit(outputs.len(), o)).collect())
        });
    assert_close(&gradient(&*objective), &expected_gradient, 1e-12, "gradient");
    assert_close(&dense_hessian(&*objective), &expected_hessian, 1e-12, "Hessian");
}

#[test]
fn softmax_regression_has_its_textbook_gradient_and_hessian() {
    let (case, theta, objective) = linear_model(Loss::Ce);
    let (expected_gradient, expected_hessian) =
        linear_closed_form(&case, &theta, |outputs, label| {
            let total: f64 = outputs.iter().map(|f| f.exp()).sum();
            let p: Vec<f64> = outputs.iter().map(|f| f.exp() / total).collect();
            let residual = p.iter().zip(unit(p.len(), label)).map(|(p, y)| p - y).collect();
            let row =
                |o: usize| unit(p.len(), o).iter().zip(&p).map(|(d, q)| p[o] * (d - q)).collect();
            (residual, (0..p.len()).map(row).collect())
        });
    assert_close(&gradient(&*objective), &expected_gradient, 1e-12, "gradient");
    assert_close(&dense_hessian(&*objective), &expected_hessian, 1e-12, "Hessian");
}

#[test]
fn orthogonal_samples_give_the_sharpness_of_a_linear_model_by_inspection() {
    // X'X / N = diag(9, 4, 1) / 3.
    let features = vec![3.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 1.0];
    let mut spec = perceptron(&[], Activation::Identity);
    spec.bias = false;
    let case = Case { spec, data: rows(features, 3, vec![0, 1, 1], 2), loss: Loss::Mse };
    let objective = case.at(&cpu(Precision::F64), &[0.3; 6]);
    let lanczos = Lanczos { largest: 1, smallest: 1, tolerance: 1e-10, max_iterations: 6 };
    let found = measure(&*objective, lanczos);
    assert_close(&found.lambda, &[3.0], 1e-12, "largest");
    assert_close(&[found.lambda_min.unwrap()], &[1.0 / 3.0], 1e-12, "smallest");
}

#[test]
fn the_loss_of_a_network_that_answers_zero_is_known() {
    for (activation, loss) in combinations() {
        for hidden in [&[][..], &[4]] {
            let case = Case::random(hidden, activation, loss, SMALL);
            let objective = case.objective(&cpu(Precision::F64), SMALL.samples);
            let expected = match loss {
                Loss::Mse => 0.5,
                Loss::Ce => (SMALL.classes as f64).ln(),
            };
            // Parameters start at zero.
            assert_close(&[loss_at(&*objective)], &[expected], 1e-14, &case.name());
        }
    }
}
