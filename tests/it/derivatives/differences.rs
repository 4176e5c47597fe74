//! Gradient and product against central differences.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sharpscope::autodiff::Objective;
use sharpscope::device::Precision;
use sharpscope::linalg::random_unit_vector;

use super::{Case, SMALL, assert_close, combinations, cpu, gradient, loss_at};

/// Half width of central differences: rounding costs about eps / 1e-5 = 2e-11, the third derivative
/// about the width squared, 1e-10.
const WIDTH: f64 = 1e-5;
/// Relative to the vector's norm, some tens of these.
const DIFFERENCES: f64 = 1e-8;

/// `(f(theta + h d) - f(theta - h d)) / 2h`.
pub fn central_difference(
    objective: &mut dyn Objective,
    theta: &[f64],
    direction: &[f64],
    f: impl Fn(&dyn Objective) -> Vec<f64>,
) -> Vec<f64> {
    let mut at = |h: f64| {
        let moved: Vec<f64> = theta.iter().zip(direction).map(|(t, d)| t + h * d).collect();
        objective.set_parameters(&moved).unwrap();
        f(objective)
    };
    at(WIDTH)
        .iter()
        .zip(at(-WIDTH))
        .map(|(ahead, behind)| (ahead - behind) / (2.0 * WIDTH))
        .collect()
}

/// Gradient and product of a case against differences of the loss and of the gradient.
fn check_by_differences(case: &Case) {
    let mut objective = case.objective(&cpu(Precision::F64), SMALL.samples);
    let theta = case.smooth_point(objective.dim());
    let direction = random_unit_vector(theta.len(), &mut ChaCha8Rng::seed_from_u64(5));
    objective.set_parameters(&theta).unwrap();
    let found = gradient(&*objective);
    let product = objective.hvp(&direction).unwrap();

    let slopes: Vec<f64> = (0..theta.len())
        .flat_map(|i| {
            let mut unit = vec![0.0; theta.len()];
            unit[i] = 1.0;
            central_difference(&mut *objective, &theta, &unit, |o| vec![loss_at(o)])
        })
        .collect();
    assert_close(&found, &slopes, DIFFERENCES, &format!("gradient of {}", case.name()));
    let difference = central_difference(&mut *objective, &theta, &direction, gradient);
    assert_close(&product, &difference, DIFFERENCES, &format!("product of {}", case.name()));
}

#[test]
fn derivatives_agree_with_central_differences_with_and_without_hidden_layers() {
    for (activation, loss) in combinations() {
        for hidden in [&[7, 6][..], &[8], &[]] {
            check_by_differences(&Case::random(hidden, activation, loss, SMALL));
        }
    }
}

#[test]
fn derivatives_agree_with_central_differences_without_biases() {
    for (activation, loss) in combinations() {
        for hidden in [&[7, 6][..], &[]] {
            let mut case = Case::random(hidden, activation, loss, SMALL);
            case.spec.bias = false;
            check_by_differences(&case);
        }
    }
}
