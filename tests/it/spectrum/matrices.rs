//! The products of curvature matrices, against PyTorch's whole matrices and against what must hold
//! between them.

// A block is a list of ranges, often of one.
#![allow(clippy::single_range_in_vec_init)]

use sharpscope::Error;
use sharpscope::autodiff::{Objective, OutputMatrix};
use sharpscope::curvature::{Block, CurvatureOperator, Matrix, Preconditioned};
use sharpscope::device::Precision;
use sharpscope::linalg::{SymmetricOperator, norm, symmetric_eigen};
use sharpscope::model::{Activation, ModelSpec};
use sharpscope::optim::StabilityOperator;
use sharpscope::problem::supervised;

use super::{block, cases, dense, matrix, product, trace_of};
use crate::derivatives::{Case as Perceptron, Data, LOSSES, assert_close, cpu, normal, scaled};

/// Some thousand roundings of double precision: both sides sum in their own order.
const DOUBLE: f64 = 1e-12;

fn operator(objective: &dyn Objective, matrix: Matrix) -> CurvatureOperator<'_> {
    CurvatureOperator::new(objective, matrix, 5)
}

fn dense_matrix(objective: &dyn Objective, matrix: Matrix) -> Vec<f64> {
    dense(&mut operator(objective, matrix))
}

/// All but the one that is drawn.
fn fixed() -> impl Iterator<Item = Matrix> {
    Matrix::NAMES.into_iter().map(matrix).filter(|&matrix| matrix != Matrix::SampledFisher)
}

#[test]
fn the_reference_has_every_kind_of_network_and_every_matrix_but_the_drawn_one() {
    let cases = cases();
    for loss in LOSSES {
        let has = |kind: fn(&ModelSpec) -> bool| {
            assert!(cases.iter().any(|case| case.loss == loss && kind(&case.model)), "{loss:?}");
        };
        has(|model| matches!(model, ModelSpec::Mlp(_)));
        has(|model| matches!(model, ModelSpec::Cnn(_)));
        has(|model| matches!(model, ModelSpec::Transformer(_)));
    }
    for case in cases {
        let found: Vec<Matrix> = case.matrices().map(|(matrix, _)| matrix).collect();
        assert_eq!(found.len(), fixed().count());
        assert!(fixed().all(|matrix| found.contains(&matrix)), "{}", case.name());
        let objective = case.objective();
        let entries = objective.layout().entries();
        let laid_out: Vec<_> = entries.iter().map(|e| (e.name.clone(), e.shape.clone())).collect();
        assert_eq!(laid_out, case.tensors, "{}", case.name());
    }
}

#[test]
fn products_agree_with_pytorchs_matrices() {
    for case in cases() {
        let objective = case.objective();
        for (matrix, recorded) in case.matrices() {
            let found = product(&mut operator(&*objective, matrix), &case.vector);
            assert_close(
                &found,
                &recorded.product,
                DOUBLE,
                &format!("{matrix:?}, {}", case.name()),
            );
        }
    }
}

#[test]
fn whole_matrices_are_symmetric_with_pytorchs_traces_and_eigenvalues() {
    for case in cases() {
        let objective = case.objective();
        let n = objective.dim();
        for (matrix, recorded) in case.matrices() {
            let entries = dense_matrix(&*objective, matrix);
            let name = format!("{matrix:?}, {}", case.name());
            let transposed: Vec<f64> = (0..n * n).map(|k| entries[k % n * n + k / n]).collect();
            assert_close(&entries, &transposed, 1e-13, &name);
            let allowed = DOUBLE * recorded.magnitude();
            let near = |found: f64, expected: f64, what: &str| {
                assert!((found - expected).abs() < allowed, "{name}: {what} {found}, {expected}");
            };
            // n rounded terms.
            let trace = trace_of(n, &entries);
            assert!((trace - recorded.trace).abs() < n as f64 * allowed, "{name}: trace {trace}");
            let values = symmetric_eigen(n, &entries).unwrap().values;
            for (found, expected) in values.iter().rev().zip(recorded.largest) {
                near(*found, expected, "large");
            }
            near(values[0], recorded.smallest, "smallest");
            // J' M J with a positive semidefinite M.
            if !matches!(matrix, Matrix::Hessian | Matrix::Residual) {
                assert!(values[0] > -1e-13 * recorded.magnitude(), "{name}: {}", values[0]);
            }
        }
    }
}

#[test]
fn the_residual_is_hessian_less_gauss_newton() {
    for case in cases() {
        let objective = case.objective();
        let apply = |matrix| product(&mut operator(&*objective, matrix), &case.vector);
        let (hessian, gauss_newton) = (apply(Matrix::Hessian), apply(Matrix::GaussNewton));
        let difference: Vec<f64> = hessian.iter().zip(&gauss_newton).map(|(h, g)| h - g).collect();
        assert_eq!(apply(Matrix::Residual), difference, "{}", case.name());
        assert!(norm(&difference) > 0.1 * norm(&hessian), "{}: no test", case.name());
        assert_eq!(hessian, objective.hvp(&case.vector).unwrap());
    }
}

/// Outputs are the natural parameters of both likelihoods, so that the loss's Hessian by the outputs
/// does not depend on the targets.
#[test]
fn fisher_is_gauss_newton_and_the_empirical_one_is_not() {
    for case in cases() {
        let objective = case.objective();
        let [fisher, gauss_newton, empirical] =
            [Matrix::Fisher, Matrix::GaussNewton, Matrix::EmpiricalFisher]
                .map(|matrix| dense_matrix(&*objective, matrix));
        assert_close(&fisher, &gauss_newton, 1e-13, &case.name());
        let difference: Vec<f64> = empirical.iter().zip(&fisher).map(|(e, f)| e - f).collect();
        assert!(norm(&difference) > 0.1 * norm(&fisher), "{}", case.name());
    }
}

/// A linear model's outputs have no curvature of their own.
#[test]
fn gauss_newton_is_the_hessian_of_a_linear_model() {
    let data = Data { samples: 12, inputs: 5, classes: 3 };
    for loss in LOSSES {
        let case = Perceptron::random(&[], Activation::Identity, loss, data);
        let objective = case.at(&cpu(Precision::F64), &scaled(&normal(18, 11), 0.7));
        let hessian = dense_matrix(&*objective, Matrix::Hessian);
        assert_close(&dense_matrix(&*objective, Matrix::GaussNewton), &hessian, 1e-13, "linear");
        let residual = dense_matrix(&*objective, Matrix::Residual);
        assert!(norm(&residual) < 1e-13 * norm(&hessian), "{loss:?}");
    }
}

#[test]
fn chunks_of_any_size_give_the_same_products() {
    for case in cases() {
        let samples = case.data().len();
        let whole = case.objective();
        for matrix in fixed() {
            let expected = product(&mut operator(&*whole, matrix), &case.vector);
            for chunk in [1, 2, samples - 1, samples + 5] {
                let pieces = case.over((0..samples).collect(), chunk);
                let found = product(&mut operator(&*pieces, matrix), &case.vector);
                let name = format!("{matrix:?}, {}, chunks of {chunk}", case.name());
                assert_close(&found, &expected, 1e-13, &name);
            }
        }
    }
}

/// The mean over seeds comes as near as their own scatter says, and that is near.
#[test]
fn sampled_fisher_matrices_have_the_fisher_matrix_as_mean() {
    const SEEDS: usize = 400;
    for case in cases() {
        let objective = case.objective();
        let exact = product(&mut operator(&*objective, Matrix::Fisher), &case.vector);
        let draws: Vec<Vec<f64>> = (0..SEEDS as u64)
            .map(|seed| {
                let mut drawn = CurvatureOperator::new(&*objective, Matrix::SampledFisher, seed);
                product(&mut drawn, &case.vector)
            })
            .collect();
        let (mut square, mut expected) = (0.0, 0.0);
        for (i, exact) in exact.iter().enumerate() {
            let mean = draws.iter().map(|draw| draw[i]).sum::<f64>() / SEEDS as f64;
            let scatter: f64 = draws.iter().map(|draw| (draw[i] - mean).powi(2)).sum();
            square += (mean - exact).powi(2);
            expected += scatter / (SEEDS * (SEEDS - 1)) as f64;
        }
        let name = case.name();
        // A square of few normal deviates.
        assert!(
            square < 6.0 * expected,
            "{name}: {:.2} of the scatter",
            (square / expected).sqrt()
        );
        let share = expected.sqrt() / norm(&exact);
        assert!(share < 0.15, "{name}: known to {share:.2} only");
    }
}

#[test]
fn a_sampled_fisher_matrix_holds_one_target_for_each_row_and_is_the_same_each_time() {
    for case in cases() {
        let objective = case.objective();
        let n = objective.dim();
        let entries = dense_matrix(&*objective, Matrix::SampledFisher);
        let name = case.name();
        let transposed: Vec<f64> = (0..n * n).map(|k| entries[k % n * n + k / n]).collect();
        assert_close(&entries, &transposed, 1e-13, &name);
        let values = symmetric_eigen(n, &entries).unwrap().values;
        let largest = values[n - 1];
        assert!(values[0] > -1e-13 * largest, "{name}: {}", values[0]);
        // One outer product for each row.
        let positive = values.iter().filter(|&&value| value > 1e-13 * largest).count();
        assert!(positive <= case.rows(), "{name}: rank {positive} of {} rows", case.rows());
        let again = product(&mut operator(&*objective, Matrix::SampledFisher), &case.vector);
        assert_close(&again, &multiplied(&entries, &case.vector), 1e-13, &name);
        let mut other = CurvatureOperator::new(&*objective, Matrix::SampledFisher, 6);
        assert_ne!(product(&mut other, &case.vector), again, "{name}");
    }
}

fn multiplied(entries: &[f64], x: &[f64]) -> Vec<f64> {
    entries.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(a, x)| a * x).sum()).collect()
}

/// The same samples in the second chunk as in the first have targets of their own.
#[test]
fn each_chunk_draws_its_own_targets() {
    for case in cases() {
        let samples = case.data().len();
        let once = case.objective();
        let twice = case.over((0..samples).chain(0..samples).collect(), samples);
        let apply = |objective: &dyn Objective, matrix| {
            product(&mut operator(objective, matrix), &case.vector)
        };
        let fisher = apply(&*once, Matrix::Fisher);
        assert_close(&apply(&*twice, Matrix::Fisher), &fisher, 1e-13, &case.name());
        let sampled = apply(&*once, Matrix::SampledFisher);
        let found = apply(&*twice, Matrix::SampledFisher);
        let difference: Vec<f64> = found.iter().zip(&sampled).map(|(a, b)| a - b).collect();
        assert!(norm(&difference) > 1e-3 * norm(&sampled), "{}", case.name());
    }
}

#[test]
fn a_block_is_the_operator_on_some_coordinates() {
    for case in cases() {
        let objective = case.objective();
        let n = objective.dim();
        for matrix in [Matrix::Hessian, Matrix::EmpiricalFisher] {
            let entries = dense_matrix(&*objective, matrix);
            for ranges in [vec![0..n], vec![3..17], vec![n - 2..n, 20..21, 25..40], vec![]] {
                let at: Vec<usize> = ranges.iter().cloned().flatten().collect();
                let inner = operator(&*objective, matrix);
                let mut found = Block::new(inner, ranges).unwrap();
                assert_eq!(found.dim(), at.len());
                let expected = block(n, &entries, &at);
                if at.is_empty() {
                    assert!(dense(&mut found).is_empty());
                } else {
                    assert_close(&dense(&mut found), &expected, 1e-13, &case.name());
                }
            }
        }
        let beyond = Block::new(operator(&*objective, Matrix::Hessian), vec![0..2, 5..n + 1]);
        let message = beyond.err().expect("there are fewer parameters").to_string();
        assert!(message.contains(&(n + 1).to_string()), "{message}");
    }
}

/// D (A + lambda I) D for each A, and its block.
#[test]
fn every_matrix_can_be_preconditioned() {
    let case = &cases()[0];
    let objective = case.objective();
    let n = objective.dim();
    let p: Vec<f64> = normal(n, 3).into_iter().map(f64::exp).collect();
    for matrix in fixed() {
        let entries = dense_matrix(&*objective, matrix);
        let expected: Vec<f64> = (0..n * n)
            .map(|k| (k / n, k % n))
            .map(|(i, j)| {
                let shift = if i == j { 0.25 } else { 0.0 };
                (entries[i * n + j] + shift) / (p[i] * p[j]).sqrt()
            })
            .collect();
        let around =
            StabilityOperator { preconditioner: Some(p.clone()), basis: None, shift: 0.25 };
        let inner = operator(&*objective, matrix);
        let mut found = Preconditioned::new(inner, &around).unwrap();
        assert_close(&dense(&mut found), &expected, 1e-13, &format!("{matrix:?}"));
        let at: Vec<usize> = (10..30).collect();
        let mut part = Block::new(&mut found, vec![10..30]).unwrap();
        assert_close(&dense(&mut part), &block(n, &expected, &at), 1e-13, &format!("{matrix:?}"));
    }
}

#[test]
fn products_in_single_precision_agree_to_single_precision() {
    for case in cases() {
        let samples: Vec<usize> = (0..case.data().len()).collect();
        let device = cpu(Precision::F32);
        let mut single = supervised(&device, &case.task(), samples, 3).unwrap();
        single.set_parameters(&case.weights).unwrap();
        for (matrix, recorded) in case.matrices() {
            let found = product(&mut operator(&*single, matrix), &case.vector);
            let name = format!("{matrix:?}, {}", case.name());
            assert_close(&found, &recorded.product, 1e-4, &name);
        }
        let drawn = product(&mut operator(&*single, Matrix::SampledFisher), &case.vector);
        assert!(drawn.iter().all(|x| x.is_finite()) && norm(&drawn) > 0.0, "{}", case.name());
    }
}

#[test]
fn a_vector_of_the_wrong_length_is_refused() {
    let case = &cases()[0];
    let objective = case.objective();
    for over in [OutputMatrix::GaussNewton, OutputMatrix::SampledFisher { seed: 0 }] {
        let refusal = objective.output_product(over, &[1.0; 3]).unwrap_err();
        assert!(matches!(refusal, Error::Length { found: 3, .. }), "{refusal:?}");
    }
}

#[test]
fn names_are_those_of_the_command_line() {
    for name in Matrix::NAMES {
        assert_eq!(serde_json::to_value(matrix(name)).unwrap(), name);
    }
    assert_eq!(matrix(Matrix::NAMES[0]), Matrix::default());
}
