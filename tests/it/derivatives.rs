//! Loss, gradient, Hessian-vector product and the spectrum behind them, on the CPU backend.
//!
//! Checked against PyTorch in double precision (`tests/data/activations.json`), against central
//! differences, against closed forms of linear models and of a hand-written burn module, and
//! against the algebra that a Hessian must obey. Each test states its tolerance in units of the
//! precision it computes in, or says where the number comes from.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use burn::backend::Autodiff;
use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;
use serde_json::Value;
use sharpscope::Error;
use sharpscope::autodiff::{
    Evaluation, Objective, ReverseObjective, Samples, Task, check_determinism,
};
use sharpscope::curvature::{Curvature, CurvatureMeter};
use sharpscope::data::Dataset;
use sharpscope::device::{BackendChoice, Compute, ComputeDevice, Device, Placement, Precision};
use sharpscope::linalg::{Lanczos, dot, norm, random_unit_vector, symmetric_eigen};
use sharpscope::model::{Activation, Initialisation, MlpSpec, ModelSpec};
use sharpscope::problem::{Loss, Supervised, supervised};

pub const ACTIVATIONS: [Activation; 7] = [
    Activation::Tanh,
    Activation::Relu,
    Activation::Gelu,
    Activation::Elu,
    Activation::Softplus,
    Activation::Silu,
    Activation::Identity,
];
pub const LOSSES: [Loss; 2] = [Loss::Mse, Loss::Ce];

/// A classification problem on a small perceptron.
#[derive(Clone)]
pub struct Case {
    pub spec: MlpSpec,
    pub data: Arc<Dataset>,
    pub loss: Loss,
}

impl Case {
    /// A perceptron with biases on normally distributed samples.
    pub fn random(hidden: &[usize], activation: Activation, loss: Loss, data: Data) -> Self {
        let features = normal(data.samples * data.inputs, 7);
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let labels = (0..data.samples).map(|_| rng.random_range(0..data.classes)).collect();
        Self {
            spec: perceptron(hidden, activation),
            data: rows(features, data.inputs, labels, data.classes),
            loss,
        }
    }

    /// Its task.
    pub fn task(&self) -> Arc<Supervised> {
        Arc::new(Supervised {
            model: ModelSpec::Mlp(self.spec.clone()),
            data: Arc::clone(&self.data),
            loss: self.loss,
        })
    }

    /// Its loss over all samples.
    pub fn objective(&self, device: &Device, chunk: usize) -> Box<dyn Objective> {
        let samples = (0..self.data.len()).collect();
        supervised(device, &self.task(), samples, chunk).expect("an objective")
    }

    /// Its loss over all samples at `theta`, in one chunk.
    pub fn at(&self, device: &Device, theta: &[f64]) -> Box<dyn Objective> {
        let mut objective = self.objective(device, self.data.len());
        objective.set_parameters(theta).expect("parameters");
        objective
    }

    /// How to name it in a message.
    pub fn name(&self) -> String {
        let MlpSpec { hidden, activation, bias, .. } = &self.spec;
        format!("{activation:?}, {:?}, hidden {hidden:?}, bias {bias}", self.loss)
    }

    /// A random parameter vector at which no hidden unit of any sample is within 1e-3 of its kink.
    pub fn smooth_point(&self, dim: usize) -> Vec<f64> {
        let kinked = |x: f64| match self.spec.activation {
            Activation::Elu => x.max(0.0) + x.min(0.0).exp_m1(),
            _ => x.max(0.0),
        };
        let nearest = |theta: &[f64]| {
            (0..self.data.len())
                .flat_map(|i| self.forward_on_host(theta, i, kinked).hidden)
                .fold(f64::INFINITY, |nearest, z| nearest.min(z.abs()))
        };
        (0..100)
            .map(|seed| scaled(&normal(dim, 100 + seed), 0.5))
            .find(|theta| nearest(theta) > 1e-3)
            .expect("a point away from kinks")
    }

    /// The perceptron by plain loops, for one sample.
    fn forward_on_host(&self, theta: &[f64], sample: usize, f: impl Fn(f64) -> f64) -> Forward {
        let mut rest = theta;
        let mut take = |n: usize| {
            let (head, tail) = rest.split_at(n);
            rest = tail;
            head
        };
        let mut x = self.data.features(sample).to_vec();
        let mut hidden = Vec::new();
        for (layer, (fan_in, fan_out)) in
            self.spec.layer_sizes(self.data.input_shape().len(), self.data.outputs()).enumerate()
        {
            if layer > 0 {
                hidden.extend_from_slice(&x);
                x.iter_mut().for_each(|z| *z = f(*z));
            }
            let weight = take(fan_in * fan_out);
            let bias = if self.spec.bias { take(fan_out).to_vec() } else { vec![0.0; fan_out] };
            x = (0..fan_out)
                .map(|o| bias[o] + dot(&weight[o * fan_in..(o + 1) * fan_in], &x))
                .collect();
        }
        Forward { outputs: x, hidden }
    }
}

/// Sizes of a dataset.
#[derive(Clone, Copy)]
pub struct Data {
    pub samples: usize,
    pub inputs: usize,
    pub classes: usize,
}

struct Forward {
    outputs: Vec<f64>,
    /// What every hidden unit is given.
    hidden: Vec<f64>,
}

const SMALL: Data = Data { samples: 12, inputs: 5, classes: 3 };

/// Every activation with both losses.
pub fn combinations() -> impl Iterator<Item = (Activation, Loss)> {
    ACTIVATIONS.into_iter().flat_map(|activation| LOSSES.map(|loss| (activation, loss)))
}

pub fn perceptron(hidden: &[usize], activation: Activation) -> MlpSpec {
    MlpSpec { hidden: hidden.to_vec(), activation, bias: true, init: Initialisation::Pytorch }
}

pub fn rows(features: Vec<f64>, inputs: usize, labels: Vec<usize>, classes: usize) -> Arc<Dataset> {
    Arc::new(Dataset::from_rows("test", features, inputs, labels, classes).expect("a dataset"))
}

pub fn normal(n: usize, seed: u64) -> Vec<f64> {
    StandardNormal.sample_iter(ChaCha8Rng::seed_from_u64(seed)).take(n).collect()
}

pub fn scaled(v: &[f64], factor: f64) -> Vec<f64> {
    v.iter().map(|x| factor * x).collect()
}

/// The norm of the difference over the norm of what is expected.
pub fn relative_error(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let difference: Vec<f64> = found.iter().zip(expected).map(|(a, b)| a - b).collect();
    norm(&difference) / norm(expected)
}

#[track_caller]
pub fn assert_close(found: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    let error = relative_error(found, expected);
    assert!(error <= tolerance, "{what}: relative error {error:.2e} above {tolerance:.0e}");
}

pub fn gradient(objective: &dyn Objective) -> Vec<f64> {
    objective.gradient(Samples::All).expect("a gradient").gradient
}

pub fn cpu(precision: Precision) -> Device {
    Device::open(BackendChoice::Cpu, precision).expect("the CPU backend")
}

fn epsilon(precision: Precision) -> f64 {
    match precision {
        Precision::F32 => f64::from(f32::EPSILON),
        Precision::F64 => f64::EPSILON,
    }
}

fn loss_at(objective: &dyn Objective) -> f64 {
    objective.evaluate().expect("an evaluation").loss
}

/// All P * P entries, one product with a unit vector after the other.
pub fn dense_hessian(objective: &dyn Objective) -> Vec<f64> {
    let n = objective.dim();
    (0..n)
        .flat_map(|i| {
            let mut unit = vec![0.0; n];
            unit[i] = 1.0;
            objective.hvp(&unit).expect("a product")
        })
        .collect()
}

pub fn measure(objective: &dyn Objective, lanczos: Lanczos) -> Curvature {
    CurvatureMeter { lanczos, seed: 3 }.measure(objective, 0).expect("a measurement")
}

// ---------------------------------------------------------------------------- PyTorch's numbers

#[derive(Deserialize)]
struct Reference {
    widths: Vec<usize>,
    parameters: usize,
    weights: BTreeMap<String, Value>,
    inputs: Vec<Vec<f64>>,
    labels: Vec<usize>,
    vector: Vec<f64>,
    cases: Vec<ReferenceCase>,
}

#[derive(Deserialize)]
struct ReferenceCase {
    activation: Activation,
    loss: Loss,
    value: f64,
    gradient: Vec<f64>,
    hvp: Vec<f64>,
    eigenvalues: Vec<f64>,
}

impl Reference {
    fn load() -> Self {
        serde_json::from_str(include_str!("../data/activations.json")).expect("reference numbers")
    }

    /// The objective of a case in double precision, at the reference's weights.
    fn objective(&self, case: &ReferenceCase) -> Box<dyn Objective> {
        let [inputs, hidden @ .., classes] = self.widths.as_slice() else {
            panic!("a network has an input and an output width");
        };
        let case = Case {
            spec: perceptron(hidden, case.activation),
            data: rows(self.inputs.concat(), *inputs, self.labels.clone(), *classes),
            loss: case.loss,
        };
        let mut objective = case.objective(&cpu(Precision::F64), self.labels.len());
        assert_eq!(objective.dim(), self.parameters);
        let mut theta = Vec::new();
        for entry in objective.layout().entries() {
            flatten(&self.weights[&entry.name], &mut theta);
            assert_eq!(theta.len(), entry.offset + entry.len, "{}", entry.name);
        }
        objective.set_parameters(&theta).expect("parameters");
        objective
    }
}

impl ReferenceCase {
    fn name(&self) -> String {
        format!("{:?}, {:?}", self.activation, self.loss)
    }

    /// What errors of eigenvalues are relative to.
    fn largest_magnitude(&self) -> f64 {
        self.eigenvalues.iter().fold(0.0, |largest, x| largest.max(x.abs()))
    }
}

fn flatten(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        number => out.push(number.as_f64().expect("a number")),
    }
}

#[test]
fn the_reference_has_every_activation_with_both_losses() {
    let cases = Reference::load().cases;
    assert_eq!(cases.len(), combinations().count());
    for (activation, loss) in combinations() {
        assert!(cases.iter().any(|c| c.activation == activation && c.loss == loss));
    }
}

#[test]
fn loss_gradient_and_product_agree_with_pytorch_for_every_activation_and_loss() {
    let reference = Reference::load();
    for case in &reference.cases {
        let objective = reference.objective(case);
        let found = objective.gradient(Samples::All).unwrap();
        let product = objective.hvp(&reference.vector).unwrap();
        let name = case.name();
        assert_close(&[found.evaluation.loss], &[case.value], 1e-12, &name);
        assert_eq!(found.evaluation, objective.evaluate().unwrap(), "{name}");
        assert_close(&found.gradient, &case.gradient, 1e-12, &name);
        assert_close(&product, &case.hvp, 1e-12, &name);
    }
}

#[test]
fn the_dense_hessian_has_pytorchs_spectrum_for_every_activation_and_loss() {
    let reference = Reference::load();
    for case in &reference.cases {
        let objective = reference.objective(case);
        let found = symmetric_eigen(objective.dim(), &dense_hessian(&*objective)).unwrap().values;
        // Both solvers are backward stable: errors are some n eps of the largest magnitude.
        let tolerance = 1e-12 * case.largest_magnitude();
        for (i, (found, expected)) in found.iter().zip(&case.eigenvalues).enumerate() {
            let error = (found - expected).abs();
            assert!(error <= tolerance, "{}: eigenvalue {i}, error {error:.2e}", case.name());
        }
    }
}

#[test]
fn lanczos_finds_pytorchs_extreme_eigenvalues_for_every_activation_and_loss() {
    const TOP: usize = 3;
    let reference = Reference::load();
    for case in &reference.cases {
        let objective = reference.objective(case);
        let max_iterations = objective.dim();
        let lanczos = Lanczos { largest: TOP, smallest: 1, tolerance: 1e-10, max_iterations };
        let found = measure(&*objective, lanczos);
        let name = case.name();
        assert!(found.converged && found.residual <= 1e-10, "{name}: {:.1e}", found.residual);
        let largest: Vec<f64> = case.eigenvalues.iter().rev().take(TOP).copied().collect();
        assert_close(&found.lambda, &largest, 1e-8, &name);
        let smallest = found.lambda_min.expect("the smallest eigenvalue was asked for");
        let error = (smallest - case.eigenvalues[0]).abs();
        assert!(error <= 1e-8 * case.largest_magnitude(), "{name}: smallest, error {error:.2e}");
        let product = objective.hvp(&found.top_vector).unwrap();
        assert_close(&product, &scaled(&found.top_vector, found.lambda[0]), 1e-8, &name);
    }
}

// -------------------------------------------------------------------------- central differences

/// Half width of central differences: rounding costs about eps / 1e-5 = 2e-11, the third derivative
/// about the width squared, 1e-10.
const WIDTH: f64 = 1e-5;
/// Relative to the vector's norm, some tens of these.
const DIFFERENCES: f64 = 1e-8;

/// `(f(theta + h d) - f(theta - h d)) / 2h`.
fn central_difference(
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

// ----------------------------------------------------------------------------------- the algebra

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

// ----------------------------------------------------------------------------------- closed forms

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

fn unit(length: usize, i: usize) -> Vec<f64> {
    (0..length).map(|j| f64::from(u8::from(i == j))).collect()
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

// ------------------------------------------------------------------------ activations, one by one

type Once = Autodiff<Compute>;
type Twice = Autodiff<Once>;

fn on_cpu(precision: Precision, workers: usize) -> Placement<ComputeDevice> {
    Placement { device: ComputeDevice::Cpu, precision, workers }
}

/// `f(x)`, `f'(x)` and `f''(x)` of an elementwise function by two tapes, one inside the other.
fn differentiate_twice(
    xs: &[f64],
    precision: Precision,
    f: impl Fn(Tensor<Twice, 1>) -> Tensor<Twice, 1>,
) -> [Vec<f64>; 3] {
    let placement = on_cpu(precision, 1);
    let uploaded = placement.float(xs, [xs.len()]);
    let inner = Tensor::<Once, 1>::from_inner(uploaded).require_grad();
    let outer = Tensor::<Twice, 1>::from_inner(inner.clone()).require_grad();
    let value = f(outer.clone());
    let read = |tensor: Tensor<Compute, 1>| placement.read(tensor).unwrap();
    let slope = outer.grad(&value.clone().sum().backward()).expect("a derivative");
    // A constant slope leaves no trace on the inner tape.
    let curvature = inner.grad(&slope.clone().sum().backward());
    let curvature = curvature.map_or_else(|| vec![0.0; xs.len()], read);
    [read(value.inner().inner()), read(slope.inner()), curvature]
}

#[test]
fn burn_differentiates_twice() {
    // x^3 twice is 6x: a burn that keeps only first-order derivatives gives 0, or does not compile.
    let xs = [-2.0, -0.5, 0.0, 1.0, 3.0];
    let cube = |x: Tensor<Twice, 1>| x.clone() * x.clone() * x;
    let [value, slope, curvature] = differentiate_twice(&xs, Precision::F64, cube);
    for (i, x) in xs.into_iter().enumerate() {
        assert_eq!([value[i], slope[i], curvature[i]], [x * x * x, 3.0 * x * x, 6.0 * x], "at {x}");
    }
}

/// The normal distribution function by Simpson's rule on its density.
fn normal_cdf(x: f64) -> f64 {
    const HALVES: usize = 2000;
    if x.abs() > 10.0 {
        return f64::from(u8::from(x > 0.0));
    }
    let h = x / (2 * HALVES) as f64;
    let terms = (0..=2 * HALVES).map(|i| {
        let weight = match i {
            0 => 1.0,
            i if i == 2 * HALVES => 1.0,
            i if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * normal_density(h * i as f64)
    });
    0.5 + terms.sum::<f64>() * h / 3.0
}

fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// f, f' and f'' in double precision from formulas that overflow nowhere; at a kink, the values
/// that PyTorch has as well.
fn exact(activation: Activation, x: f64) -> [f64; 3] {
    let step = f64::from(u8::from(x > 0.0));
    let (s, not_s) = (1.0 / (1.0 + (-x).exp()), 1.0 / (1.0 + x.exp()));
    match activation {
        Activation::Tanh => {
            let (t, slope) = (x.tanh(), x.cosh().powi(-2));
            [t, slope, -2.0 * t * slope]
        }
        Activation::Relu => [x.max(0.0), step, 0.0],
        Activation::Gelu => {
            let (cdf, density) = (normal_cdf(x), normal_density(x));
            [x * cdf, cdf + x * density, (2.0 - x * x) * density]
        }
        Activation::Elu if x > 0.0 => [x, 1.0, 0.0],
        Activation::Elu => [x.exp_m1(), x.exp(), x.exp()],
        Activation::Softplus => [x.max(0.0) + (-x.abs()).exp().ln_1p(), s, s * not_s],
        Activation::Silu => [x * s, s * (1.0 + x * not_s), s * not_s * (2.0 + x * (not_s - s))],
        Activation::Identity => [x, 1.0, 0.0],
    }
}

/// From the centre to where exponentials of every precision overflow.
pub const POINTS: [f64; 15] = [
    0.0, 0.5, -0.5, 1.0, -1.0, 3.0, -3.0, 20.0, -20.0, 88.9, -88.9, 100.0, -100.0, 1000.0, -1000.0,
];

/// Asserts that `found`, in each of its derivatives, is `expected` at the points, to sixteen roundings
/// of a quantity of the size of x or of 1.
pub fn check_values<const K: usize>(
    (activation, precision): (Activation, Precision),
    points: &[f64],
    found: &[Vec<f64>; K],
    expected: impl Fn([f64; 3]) -> [f64; K],
) {
    for (i, &x) in points.iter().enumerate() {
        let expected = expected(exact(activation, precision.round(x)));
        for (order, (found, expected)) in found.iter().zip(expected).enumerate() {
            let error = (found[i] - expected).abs();
            let allowed = 16.0 * epsilon(precision) * x.abs().max(1.0);
            let what = format!("{activation:?} in {precision:?} at {x}, derivative {order}");
            assert!(error <= allowed, "{what}: {} instead of {expected}", found[i]);
        }
    }
}

/// Both precisions with every activation.
fn in_both_precisions() -> impl Iterator<Item = (Activation, Precision)> {
    ACTIVATIONS.into_iter().flat_map(|a| [Precision::F32, Precision::F64].map(|p| (a, p)))
}

#[test]
fn activations_and_their_derivatives_are_right_and_finite_far_out_and_at_kinks() {
    for (activation, precision) in in_both_precisions() {
        let found = differentiate_twice(&POINTS, precision, |x| activation.forward(x));
        check_values((activation, precision), &POINTS, &found, |exact| exact);
    }
}

#[test]
fn a_second_derivative_sees_the_value_of_an_activation_as_a_function_too() {
    // Half of f^2 has the second derivative f'^2 + f f'', in which one f' comes from the inner tape's
    // derivative of the value and not from the derivative that the outer tape was given.
    for (activation, precision) in in_both_precisions() {
        let half_square = |x| activation.forward(x).square().mul_scalar(0.5);
        let [_, _, found] = differentiate_twice(&POINTS, precision, half_square);
        check_values((activation, precision), &POINTS, &[found], |[f, slope, curvature]| {
            [slope * slope + f * curvature]
        });
    }
}

#[test]
fn derivatives_at_kinks_follow_the_usual_conventions() {
    let at_zero = |activation: Activation| {
        let [_, slope, _] = differentiate_twice(&[0.0], Precision::F64, |x| activation.forward(x));
        slope[0]
    };
    assert_eq!(at_zero(Activation::Relu), 0.0);
    assert_eq!(at_zero(Activation::Elu), 1.0);
    assert_eq!(at_zero(Activation::Softplus), 0.5);
}

// ------------------------------------------------------------------- chunks, batches and workers

const RAGGED: Data = Data { samples: 37, inputs: 6, classes: 4 };

#[test]
fn chunks_of_any_size_give_the_same_loss_gradient_and_product() {
    // Sums over 37 samples in another order.
    const TOLERANCE: f64 = 16.0 * f64::EPSILON;
    for loss in LOSSES {
        let case = Case::random(&[9, 7], Activation::Tanh, loss, RAGGED);
        let device = cpu(Precision::F64);
        let whole = case.objective(&device, RAGGED.samples);
        let theta = scaled(&normal(whole.dim(), 1), 0.5);
        let v = normal(whole.dim(), 2);
        let evaluate = |mut objective: Box<dyn Objective>| {
            objective.set_parameters(&theta).unwrap();
            let found = objective.gradient(Samples::All).unwrap();
            assert_eq!(found.evaluation, objective.evaluate().unwrap());
            (found, objective.hvp(&v).unwrap())
        };
        let (expected, expected_product) = evaluate(whole);
        for chunk in [1, 5, 16, 100] {
            let (found, product) = evaluate(case.objective(&device, chunk));
            let name = format!("{loss:?} in chunks of {chunk}");
            let (loss, expected_loss) = (found.evaluation.loss, expected.evaluation.loss);
            assert_close(&[loss], &[expected_loss], TOLERANCE, &name);
            assert_eq!(found.evaluation.accuracy, expected.evaluation.accuracy, "{name}");
            assert_close(&found.gradient, &expected.gradient, TOLERANCE, &name);
            assert_close(&product, &expected_product, TOLERANCE, &name);
        }
    }
}

#[test]
fn loss_and_accuracy_are_those_counted_by_hand() {
    for loss in LOSSES {
        let case = Case::random(&[9, 7], Activation::Tanh, loss, RAGGED);
        let mut objective = case.objective(&cpu(Precision::F64), 5);
        let theta = normal(objective.dim(), 1);
        objective.set_parameters(&theta).unwrap();
        let (mut correct, mut total) = (0, 0.0);
        for i in 0..RAGGED.samples {
            let outputs = case.forward_on_host(&theta, i, f64::tanh).outputs;
            let label = case.data.label(i).unwrap();
            let best = (0..outputs.len()).max_by(|&a, &b| outputs[a].total_cmp(&outputs[b]));
            correct += usize::from(best == Some(label));
            total += match loss {
                Loss::Mse => {
                    let target = unit(outputs.len(), label);
                    0.5 * outputs.iter().zip(target).map(|(f, y)| (f - y).powi(2)).sum::<f64>()
                }
                Loss::Ce => outputs.iter().map(|f| f.exp()).sum::<f64>().ln() - outputs[label],
            };
        }
        assert!(correct > 0 && correct < RAGGED.samples, "{correct} is no test of an accuracy");
        let Evaluation { loss, accuracy } = objective.evaluate().unwrap();
        assert_eq!(accuracy, Some(correct as f64 / RAGGED.samples as f64));
        assert_close(&[loss], &[total / RAGGED.samples as f64], 1e-13, "loss");
    }
}

#[test]
fn a_minibatch_is_the_loss_over_those_samples_only() {
    let case = Case::random(&[9], Activation::Silu, Loss::Ce, RAGGED);
    let device = cpu(Precision::F64);
    // Position p of the list is sample 36 - p: a position is not a sample number.
    let reversed: Vec<usize> = (0..RAGGED.samples).rev().collect();
    let mut whole = supervised(&device, &case.task(), reversed, 4).unwrap();
    let theta = scaled(&normal(whole.dim(), 1), 0.5);
    whole.set_parameters(&theta).unwrap();
    let before = whole.gradient(Samples::All).unwrap();
    for positions in [&[0, 3, 36, 17, 5, 9, 30, 2, 21][..], &[8], &[4, 4, 7]] {
        let samples = positions.iter().map(|p| 36 - p).collect();
        let mut part = supervised(&device, &case.task(), samples, 4).unwrap();
        part.set_parameters(&theta).unwrap();
        let found = whole.gradient(Samples::Batch(positions)).unwrap();
        assert_eq!(found, part.gradient(Samples::All).unwrap(), "{positions:?}");
        assert!(relative_error(&found.gradient, &before.gradient) > 0.01);
    }
    assert_eq!(whole.gradient(Samples::All).unwrap(), before, "a minibatch leaves no trace");
}

#[test]
fn any_number_of_workers_gives_the_same_bits_each_time() {
    let case = Case::random(&[9, 7], Activation::Gelu, Loss::Ce, RAGGED);
    for precision in [Precision::F32, Precision::F64] {
        let results: Vec<_> = [1, 2, 4]
            .into_iter()
            .flat_map(|workers| {
                let samples = (0..RAGGED.samples).collect();
                let placement = on_cpu(precision, workers);
                let mut objective =
                    ReverseObjective::<Compute, _>::new(case.task(), placement, samples, 3)
                        .unwrap();
                let n = objective.dim();
                objective.set_parameters(&scaled(&normal(n, 1), 0.5)).unwrap();
                (0..3)
                    .map(|_| {
                        let found = objective.gradient(Samples::All).unwrap();
                        (
                            found,
                            objective.evaluate().unwrap(),
                            objective.hvp(&normal(n, 2)).unwrap(),
                        )
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(results.iter().all(|result| *result == results[0]), "{precision:?}");
    }
}

// -------------------------------------------------------------------------- modules of one's own

#[derive(Module, Debug)]
struct Block<B: Backend> {
    matrix: Param<Tensor<B, 2>>,
}

/// Parameters of ranks 1 to 3, one of them in a module of its own and one without effect.
#[derive(Module, Debug)]
struct Odd<B: Backend> {
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
struct Polynomial;

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

fn module_objective<T: Task>(
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
const ODD: [f64; 13] = [0.5, -1.2, 0.3, 0.8, -0.4, 1.1, 9.0, 8.0, 7.0, 6.0, 1.5, 0.7, -0.3];

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

// -------------------------------------------------------------------------------------- refusals

/// `|A|^2 / 2` times a factor that grows by `drift` with each evaluation.
struct Drifting {
    drift: f64,
    evaluations: AtomicU64,
}

impl Task for Drifting {
    type Model<B: Backend> = Block<B>;
    type Batch<B: Backend> = ();

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Block<B> {
        Block { matrix: Param::from_tensor(placement.zeros([2, 2])) }
    }

    fn batch<B: Backend>(&self, _samples: &[usize], _placement: &Placement<B::Device>) {}

    fn loss<B: Backend>(&self, model: &Block<B>, (): &()) -> Tensor<B, 1> {
        let before = self.evaluations.fetch_add(1, Ordering::Relaxed);
        let factor = 1.0 + self.drift * before as f64;
        model.matrix.val().square().sum().mul_scalar(0.5 * factor)
    }
}

/// What the check says of a drift, for chunks of 2 in 5 samples: 3 evaluations for each gradient.
fn check_drift(drift: f64, precision: Precision) -> sharpscope::Result<()> {
    let task = Drifting { drift, evaluations: AtomicU64::new(0) };
    let objective = module_objective(task, precision, Some(&[1.0, 2.0, -1.0, 0.5]));
    check_determinism(&objective, precision)
}

#[test]
fn a_model_that_answers_differently_each_time_is_refused() {
    for (precision, limit) in [(Precision::F32, 5e-5), (Precision::F64, 1e-10)] {
        let error = check_drift(1e-3, precision).expect_err("a drift of 1e-3 is no rounding");
        let message = error.to_string();
        assert!(message.contains("not deterministic") && message.contains("dropout"), "{message}");
        let Error::NotDeterministic { difference, allowed } = error else {
            panic!("{error:?}");
        };
        // Three evaluations lie between the two gradients.
        assert!((difference - 3e-3).abs() < 1e-5, "{difference}");
        assert_eq!(allowed, limit);
    }
}

#[test]
fn determinism_is_judged_by_the_precision() {
    for precision in [Precision::F32, Precision::F64] {
        check_drift(0.0, precision).expect("the same each time");
    }
    check_drift(1e-6, Precision::F32).expect("rounding in single precision");
    check_drift(1e-6, Precision::F64).expect_err("no rounding in double precision");
    check_drift(1e-12, Precision::F64).expect("rounding in double precision");
}

#[test]
fn the_loss_of_every_activation_is_deterministic() {
    for precision in [Precision::F32, Precision::F64] {
        for (activation, loss) in combinations() {
            let case = Case::random(&[9, 7], activation, loss, RAGGED);
            let mut objective = case.objective(&cpu(precision), 5);
            objective.set_parameters(&normal(objective.dim(), 1)).unwrap();
            check_determinism(&*objective, precision).expect("the same each time");
        }
    }
}

#[test]
fn vectors_of_the_wrong_length_are_refused_and_change_nothing() {
    let mut objective = module_objective(Polynomial, Precision::F64, Some(&ODD));
    let before = loss_at(&objective);
    for length in [0, 12, 14] {
        let wrong = vec![1.0; length];
        for refusal in
            [objective.set_parameters(&wrong).unwrap_err(), objective.hvp(&wrong).unwrap_err()]
        {
            let Error::Length { found, expected, .. } = refusal else { panic!("{refusal:?}") };
            assert_eq!((found, expected), (length, 13));
        }
    }
    assert_eq!(loss_at(&objective), before);
}

#[test]
fn an_objective_without_samples_or_with_empty_chunks_is_refused() {
    let case = Case::random(&[4], Activation::Tanh, Loss::Mse, SMALL);
    for (samples, chunk) in [(vec![], 4), (vec![0, 1], 0)] {
        let refusal = supervised(&cpu(Precision::F64), &case.task(), samples, chunk).err();
        assert!(matches!(refusal, Some(Error::Setting { .. })), "{refusal:?}");
    }
}
