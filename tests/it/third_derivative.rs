//! How curvature changes with the parameters: against differences of the curvature and of the largest
//! eigenvalue, and against closed forms.

use serde_json::{Value, json};
use sharpscope::Error;
use sharpscope::autodiff::Objective;
use sharpscope::config::RunConfig;
use sharpscope::curvature::{
    CurvatureGradients, CurvatureMeter, DifferenceStep, curvature_gradients,
};
use sharpscope::device::Precision;
use sharpscope::experiment::{Prepared, prepare};
use sharpscope::linalg::{Lanczos, dot, norm, random_unit_vector};
use sharpscope::model::Activation;
use sharpscope::rng::{self, Stream};

use crate::objectives::opened;

fn double() -> DifferenceStep {
    DifferenceStep::at_resolution(Precision::F64.resolution())
}

fn of(mut settings: Value) -> Prepared {
    let defaults =
        json!({"backend": "cpu", "precision": "f64", "train_size": 12, "validation_size": 0});
    for (key, value) in defaults.as_object().unwrap() {
        settings.as_object_mut().unwrap().entry(key).or_insert(value.clone());
    }
    prepare(RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap()).unwrap()
}

fn top_vectors(objective: &dyn Objective, count: usize) -> (f64, Vec<Vec<f64>>) {
    let lanczos = Lanczos { largest: count, smallest: 0, tolerance: 1e-10, max_iterations: 400 };
    let found = CurvatureMeter::lanczos(lanczos, 0).measure(objective, 0).unwrap();
    assert!(found.converged, "{found:?}");
    (found.lambda[0], found.eigenvectors().map(<[f64]>::to_vec).collect())
}

fn moved(theta: &[f64], along: &[f64], by: f64) -> Vec<f64> {
    theta.iter().zip(along).map(|(w, d)| w + by * d).collect()
}

/// Along a random direction, by central differences: the change of u_i'Hu_j for fixed vectors, and that of the
/// largest eigenvalue.
fn slopes(
    objective: &mut dyn Objective,
    theta: &[f64],
    vectors: &[Vec<f64>],
    along: &[f64],
) -> (Vec<f64>, f64) {
    let h = 1e-4;
    let mut at = |by: f64| {
        objective.set_parameters(&moved(theta, along, by)).unwrap();
        let products: Vec<Vec<f64>> = vectors.iter().map(|v| objective.hvp(v).unwrap()).collect();
        let pairs = (0..vectors.len()).flat_map(|j| (0..=j).map(move |i| (i, j)));
        let forms: Vec<f64> = pairs.map(|(i, j)| dot(&vectors[i], &products[j])).collect();
        (forms, top_vectors(objective, 1).0)
    };
    let ((up, top_up), (down, top_down)) = (at(h), at(-h));
    let forms = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * h)).collect();
    (forms, (top_up - top_down) / (2.0 * h))
}

/// Every kind of model with smooth activations.
fn networks() -> Vec<Value> {
    let smooth =
        Activation::ALL.iter().filter(|a| !matches!(a, Activation::Relu | Activation::Elu));
    let mut all: Vec<Value> = smooth
        .map(|a| json!({"model": {"kind": "mlp", "hidden": [5, 4], "activation": a.name()}}))
        .collect();
    let transformer =
        json!({"kind": "transformer", "layers": 1, "heads": 2, "width": 8, "context": 4});
    all.extend([
        json!({"model": {"kind": "mlp", "hidden": [5]}, "loss": "ce", "label_noise": 0.3}),
        json!({"model": "linear", "loss": "ce"}),
        json!({"model": {"kind": "cnn", "channels": [2, 3], "activation": "tanh"}}),
        json!({"model": transformer, "dataset": "shakespeare", "train_size": 6}),
    ]);
    all
}

#[test]
fn of_networks_they_are_the_differences_of_curvature_and_of_the_largest_eigenvalue() {
    for network in networks() {
        let mut prepared = of(network.clone());
        let (objective, theta) = (&mut *prepared.problem.train, &prepared.theta);
        objective.set_parameters(theta).unwrap();
        let (lambda, vectors) = top_vectors(objective, 2);
        let found = curvature_gradients(objective, theta, &vectors, &double()).unwrap();
        assert_eq!((found.gradients.len(), found.products % 8), (3, 0));
        let mut rng = rng::stream(5, Stream::Initialisation);
        let along = random_unit_vector(theta.len(), &mut rng);
        let (forms, top) = slopes(objective, theta, &vectors, &along);
        let scale = norm(&found.gradients[0]).max(1e-3 * lambda);
        for (form, (gradient, error)) in forms.iter().zip(found.gradients.iter().zip(&found.error))
        {
            let apart = (dot(gradient, &along) - form).abs();
            assert!(apart < 1e-6 * scale, "{network}: {apart:e} of {scale}");
            assert!(*error < 1e-5 * scale, "{network}: an error of {error:e}");
        }
        let apart = (dot(&found.gradients[0], &along) - top).abs();
        assert!(apart < 1e-6 * scale, "{network}: {apart:e} from the eigenvalue's");
    }
}

/// f = x^2 y^2/2 + (y - t)^2/2 has the Hessian [y^2, 2xy; 2xy, x^2 + 1].
#[test]
fn of_the_quartic_they_are_those_of_its_formula() {
    let mut prepared = opened(&json!({"kind": "quartic"}), json!({}));
    let (x, y) = (0.4, 1.7);
    let axes = [vec![1.0, 0.0], vec![0.0, 1.0]];
    let found =
        curvature_gradients(&mut *prepared.problem.train, &[x, y], &axes, &double()).unwrap();
    let expected = [[0.0, 2.0 * y], [2.0 * y, 2.0 * x], [2.0 * x, 0.0]];
    for ((i, j), expected) in [(0, 0), (0, 1), (1, 1)].into_iter().zip(expected) {
        let at = CurvatureGradients::index(j, i);
        for (found, expected) in found.gradients[at].iter().zip(expected) {
            assert!((found - expected).abs() < 1e-7, "{i}, {j}: {found} against {expected}");
        }
    }
    // The objective stands where it was asked about.
    let at = prepared.problem.train.evaluate().unwrap().loss;
    assert!((at - (x * x * y * y + (y - 3.0) * (y - 3.0)) / 2.0).abs() < 1e-14);
}

/// f = (uv - t)^2/2 of one number each has the Hessian [v^2, 2uv - t; 2uv - t, u^2]. Along d = (a, b), of any
/// length, d'Hd = a^2 v^2 + 2ab (2uv - t) + b^2 u^2.
#[test]
fn of_a_product_of_two_numbers_they_are_those_of_its_formula() {
    let mut prepared = opened(&json!({"kind": "uv", "target": 2}), json!({}));
    let (u, v, a, b) = (0.6, -1.3, 0.5, 3.0);
    let direction = [vec![a, b], vec![0.0, 0.0]];
    let found =
        curvature_gradients(&mut *prepared.problem.train, &[u, v], &direction, &double()).unwrap();
    let expected = [4.0 * a * b * v + 2.0 * b * b * u, 2.0 * a * a * v + 4.0 * a * b * u];
    for (found, expected) in found.gradients[0].iter().zip(expected) {
        assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
    }
    // Nothing changes along no direction.
    assert_eq!(found.gradients[1..], [vec![0.0, 0.0], vec![0.0, 0.0]]);
}

/// The Hessian of a quadratic stays, and no distance is tried but the first.
#[test]
fn of_a_quadratic_they_are_zero() {
    let quadratic = json!({"kind": "quadratic", "spectrum": [5, 1, 0.5], "rotation": null});
    let mut prepared = opened(&quadratic, json!({}));
    let direction = [vec![0.8, 0.6, 0.0]];
    let theta = [0.3, -0.2, 1.0];
    let found =
        curvature_gradients(&mut *prepared.problem.train, &theta, &direction, &double()).unwrap();
    assert!(norm(&found.gradients[0]) < 1e-9, "{found:?}");
    assert_eq!(found.products, 2);
}

/// The estimated error is that of the gradient, where it is above rounding; and of single precision it is
/// small.
#[test]
fn the_estimated_error_is_the_error() {
    let mut prepared = of(json!({"model": {"kind": "mlp", "hidden": [6]}}));
    let (objective, theta) = (&mut *prepared.problem.train, &prepared.theta);
    objective.set_parameters(theta).unwrap();
    let vectors = top_vectors(objective, 2).1;
    let best = curvature_gradients(objective, theta, &vectors, &double()).unwrap();
    for length in [0.01, 0.03, 0.1] {
        let options = DifferenceStep { length: Some(length), ..double() };
        let found = curvature_gradients(objective, theta, &vectors, &options).unwrap();
        assert_eq!((found.step, found.products), (length, 8));
        for (pair, gradient) in found.gradients.iter().enumerate() {
            let error = norm(&moved(gradient, &best.gradients[pair], -1.0));
            let stated = found.error[pair];
            // That of a pair is a bound rather than an estimate.
            let most = if pair == 1 { 20.0 } else { 1.2 };
            assert!(error < 1.2 * stated && stated < most * error, "{length}: {error} {stated}");
        }
    }
    let mut single = of(json!({"model": {"kind": "mlp", "hidden": [6]}, "precision": "f32"}));
    let options = DifferenceStep::at_resolution(Precision::F32.resolution());
    let found = curvature_gradients(&mut *single.problem.train, theta, &vectors, &options).unwrap();
    for (pair, gradient) in found.gradients.iter().enumerate() {
        let error = norm(&moved(gradient, &best.gradients[pair], -1.0));
        let size = norm(&best.gradients[0]);
        assert!(error < 1e-3 * size && error < 2.0 * found.error[pair], "{error} of {size}");
    }
}

/// sum tanh(x_i)^2/4 changes its curvature within 1 or so, wherever the other variables are.
#[test]
fn a_distance_that_is_too_long_is_taken_shorter() {
    let mut prepared = opened(&json!({"kind": "plateau", "dimension": 2}), json!({}));
    let theta = [0.5, 10_000.0];
    let along = [vec![1.0, 0.0]];
    let found =
        curvature_gradients(&mut *prepared.problem.train, &theta, &along, &double()).unwrap();
    let t = 0.5_f64.tanh();
    let expected = 0.5 * (1.0 - t * t) * (12.0 * t * t * t - 8.0 * t);
    let apart = (found.gradients[0][0] - expected).abs();
    assert!(apart < 1e-6 && found.error[0] < 1e-5, "{apart:e}, {found:?}");
    assert!(found.step < 1e-3 && found.products > 2, "{found:?}");
}

#[test]
fn what_cannot_be_had_is_refused() {
    let mut prepared = opened(&json!({"kind": "quartic"}), json!({}));
    let objective = &mut *prepared.problem.train;
    let mut refusal = |theta: &[f64], direction: &[f64], length: Option<f64>| {
        let options = DifferenceStep { length, ..double() };
        curvature_gradients(objective, theta, &[direction.to_vec()], &options).unwrap_err()
    };
    assert!(matches!(refusal(&[1.0], &[1.0, 0.0], None), Error::Length { .. }));
    assert!(matches!(refusal(&[1.0, 1.0], &[1.0], None), Error::Length { .. }));
    for length in [0.0, -1.0, f64::NAN] {
        let error = refusal(&[1.0, 1.0], &[1.0, 0.0], Some(length)).to_string();
        assert!(error.contains("distance"), "{error}");
    }
    let error = refusal(&[f64::MAX, 1.0], &[1.0, 0.0], None);
    assert!(matches!(error, Error::NonFinite { .. }), "{error}");
}
