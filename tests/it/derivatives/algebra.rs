//! The algebra that a Hessian must obey.

use sharpscope::device::Precision;
use sharpscope::linalg::{dot, norm};

use super::{Case, SMALL, assert_close, combinations, cpu, epsilon, normal, scaled};

#[test]
fn the_product_is_symmetric_and_linear_to_rounding_in_both_precisions() {
    // Sums of some hundred terms, each rounded.
    const ROUNDINGS: f64 = 16.0;
    for precision in [Precision::F32, Precision::F64] {
        let tolerance = ROUNDINGS * epsilon(precision);
        for (activation, loss) in combinations() {
            let case = Case::random(&[7, 6], activation, loss, SMALL);
            let mut objective = case.objective(&cpu(precision), 5);
            let n = objective.dim();
            objective.set_parameters(&scaled(&normal(n, 1), 0.5)).unwrap();
            let (u, v) = (normal(n, 2), normal(n, 3));
            let product = |x: &[f64]| objective.hvp(x).unwrap();
            let (hu, hv) = (product(&u), product(&v));
            let name = format!("{}, {precision:?}", case.name());

            let asymmetry = (dot(&u, &hv) - dot(&v, &hu)).abs();
            let scale = norm(&u) * norm(&hv) + norm(&v) * norm(&hu);
            assert!(asymmetry <= tolerance * scale, "{name}: {:.1e}", asymmetry / scale);

            let (a, b) = (-1.7, 0.6);
            let combine = |x: &[f64], y: &[f64]| -> Vec<f64> {
                x.iter().zip(y).map(|(x, y)| a * x + b * y).collect()
            };
            assert_close(&product(&combine(&u, &v)), &combine(&hu, &hv), tolerance, &name);
        }
    }
}
