//! Loss, gradient, Hessian-vector product and the spectrum behind them, on the CPU backend.
//!
//! Checked against PyTorch in double precision (`tests/data/activations.json`), against central
//! differences, against closed forms of linear models and of a hand-written burn module, and
//! against the algebra that a Hessian must obey. Each test states its tolerance in units of the
//! precision it computes in, or says where the number comes from.

pub mod activations;
mod algebra;
mod chunks;
mod closed_forms;
pub mod differences;
mod modules;
mod pytorch;
mod refusals;

use std::sync::Arc;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use sharpscope::autodiff::{Objective, Samples};
use sharpscope::curvature::{Curvature, CurvatureMeter};
use sharpscope::data::Dataset;
use sharpscope::device::{BackendChoice, ComputeDevice, Device, Placement, Precision};
use sharpscope::linalg::{Lanczos, dot, norm};
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
/// A prime number of samples, so that the last chunk is a smaller one.
const RAGGED: Data = Data { samples: 37, inputs: 6, classes: 4 };

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

fn unit(length: usize, i: usize) -> Vec<f64> {
    (0..length).map(|j| f64::from(u8::from(i == j))).collect()
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

fn on_cpu(precision: Precision, workers: usize) -> Placement<ComputeDevice> {
    Placement { device: ComputeDevice::Cpu, precision, workers }
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
    CurvatureMeter::lanczos(lanczos, 3).measure(objective, 0).expect("a measurement")
}
