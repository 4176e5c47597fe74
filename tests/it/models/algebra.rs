//! What derivatives obey whatever the network.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sharpscope::autodiff::{Samples as Over, check_determinism};
use sharpscope::device::Precision;
use sharpscope::linalg::{dot, norm, random_unit_vector};

use super::cases;
use crate::derivatives::differences::central_difference;
use crate::derivatives::{assert_close, cpu, gradient, normal};

/// Rounding costs some eps / 1e-5 = 2e-11 of the loss, and the third derivative some 1e-10.
const DIFFERENCES: f64 = 1e-7;

#[test]
fn gradients_and_products_agree_with_central_differences() {
    for case in cases().into_iter().filter(super::Case::is_smooth) {
        let mut objective = case.objective();
        let n = objective.dim();
        let found = gradient(&*objective);
        let direction = random_unit_vector(n, &mut ChaCha8Rng::seed_from_u64(5));
        let product = objective.hvp(&direction).unwrap();

        // Of a large network every seventh coordinate, which meets every tensor.
        let coordinates: Vec<usize> = (0..n).step_by(if n < 700 { 1 } else { 7 }).collect();
        let slopes: Vec<f64> = coordinates
            .iter()
            .flat_map(|&i| {
                let mut unit = vec![0.0; n];
                unit[i] = 1.0;
                central_difference(&mut *objective, &case.weights, &unit, |objective| {
                    vec![objective.evaluate().unwrap().loss]
                })
            })
            .collect();
        let found: Vec<f64> = coordinates.iter().map(|&i| found[i]).collect();
        assert_close(&found, &slopes, DIFFERENCES, &format!("gradient of {}", case.name()));

        let difference = central_difference(&mut *objective, &case.weights, &direction, gradient);
        assert_close(&product, &difference, DIFFERENCES, &format!("product of {}", case.name()));
    }
}

#[test]
fn the_product_is_symmetric_to_rounding_in_both_precisions() {
    const ROUNDINGS: f64 = 16.0;
    for (precision, epsilon) in
        [(Precision::F32, f64::from(f32::EPSILON)), (Precision::F64, f64::EPSILON)]
    {
        for case in cases() {
            let objective = case.problem().at(&cpu(precision), &case.weights);
            let (u, v) = (normal(objective.dim(), 2), normal(objective.dim(), 3));
            let (hu, hv) = (objective.hvp(&u).unwrap(), objective.hvp(&v).unwrap());
            let asymmetry = (dot(&u, &hv) - dot(&v, &hu)).abs();
            let scale = norm(&u) * norm(&hv) + norm(&v) * norm(&hu);
            let relative = asymmetry / scale;
            assert!(relative <= ROUNDINGS * epsilon, "{}: {relative:.1e}", case.name());
        }
    }
}

#[test]
fn chunks_of_any_size_give_the_same_loss_gradient_and_product() {
    // Sums over samples in another order.
    const TOLERANCE: f64 = 64.0 * f64::EPSILON;
    for case in cases() {
        let whole = case.objective();
        let expected = whole.gradient(Over::All).unwrap();
        let expected_product = whole.hvp(&case.vector).unwrap();
        for chunk in [1, 2, 3] {
            let mut objective = case.problem().objective(&cpu(Precision::F64), chunk);
            objective.set_parameters(&case.weights).unwrap();
            let found = objective.gradient(Over::All).unwrap();
            let name = format!("{} in chunks of {chunk}", case.name());
            assert_close(&[found.evaluation.loss], &[expected.evaluation.loss], TOLERANCE, &name);
            match (found.evaluation.accuracy, expected.evaluation.accuracy) {
                (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12),
                (found, expected) => assert_eq!(found, expected, "{name}"),
            }
            assert_close(&found.gradient, &expected.gradient, TOLERANCE, &name);
            let product = objective.hvp(&case.vector).unwrap();
            assert_close(&product, &expected_product, TOLERANCE, &name);
        }
    }
}

#[test]
fn a_minibatch_is_the_loss_over_those_samples_only() {
    for case in cases() {
        let objective = case.objective();
        let all: Vec<usize> = (0..objective.samples()).collect();
        let mean = |f: &dyn Fn(&[usize]) -> Vec<f64>| {
            let parts: Vec<Vec<f64>> = all.iter().map(|&i| f(&[i])).collect();
            let n = all.len() as f64;
            (0..parts[0].len()).map(|j| parts.iter().map(|part| part[j]).sum::<f64>() / n).collect()
        };
        let gradient_over =
            |batch: &[usize]| objective.gradient(Over::Batch(batch)).unwrap().gradient;
        let product_over =
            |batch: &[usize]| objective.hvp_over(Over::Batch(batch), &case.vector).unwrap();
        let gradients: Vec<f64> = mean(&gradient_over);
        let products: Vec<f64> = mean(&product_over);
        assert_close(&gradients, &gradient(&*objective), 1e-13, &case.name());
        assert_close(&products, &objective.hvp(&case.vector).unwrap(), 1e-13, &case.name());
    }
}

#[test]
fn every_network_is_deterministic() {
    for case in cases() {
        for precision in [Precision::F32, Precision::F64] {
            let objective = case.problem().at(&cpu(precision), &case.weights);
            check_determinism(&*objective, precision).expect("the same each time");
        }
    }
}
