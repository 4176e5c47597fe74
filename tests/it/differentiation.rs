//! Forward over reverse beside reverse over reverse, and modules that the latter cannot differentiate.

use std::sync::Arc;

use burn::module::Module;
use burn::nn::{Embedding, EmbeddingConfig, Linear, LinearConfig, conv, pool};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};
use sharpscope::autodiff::{ForwardObjective, Objective, OutputMatrix, Samples, Task};
use sharpscope::data::Dataset;
use sharpscope::device::{
    BackendChoice, Compute, ComputeDevice, Device, Differentiation, Placement, Precision,
};
use sharpscope::linalg::random_unit_vector;
use sharpscope::model::{Activation, ModelSpec, initial_parameters};
use sharpscope::problem::{Loss, Supervised, supervised};
use sharpscope::rng::{Stream, stream};

use crate::derivatives::{assert_close, cpu, gradient, relative_error};

/// Small models of every kind, each with data and a loss that it fits.
pub fn tasks() -> Vec<(String, Arc<Supervised>)> {
    let mlp = |activation: &str| {
        let json = serde_json::json!({"kind": "mlp", "hidden": [9, 7], "activation": activation});
        serde_json::from_value::<ModelSpec>(json).unwrap()
    };
    let named = |name: &str| ModelSpec::load(name).unwrap();
    let digits = Arc::new(Dataset::load("digits").unwrap());
    let mut tasks = Vec::new();
    for activation in Activation::NAMES {
        for loss in [Loss::Mse, Loss::Ce] {
            let task = Supervised { model: mlp(activation), data: Arc::clone(&digits), loss };
            tasks.push((format!("{activation}, {loss:?}"), Arc::new(task)));
        }
    }
    let cnn = Supervised { model: named("cnn-tanh"), data: Arc::clone(&digits), loss: Loss::Ce };
    tasks.push(("cnn".to_string(), Arc::new(cnn)));
    let mut text = Dataset::load("shakespeare").unwrap();
    let small = serde_json::json!({"kind": "transformer", "layers": 1, "heads": 2, "width": 8,
                                   "context": 6});
    let model: ModelSpec = serde_json::from_value(small).unwrap();
    if let sharpscope::data::Inputs::Tokens { context, .. } = &mut text.inputs {
        *context = 6;
    }
    let transformer = Supervised { model, data: Arc::new(text), loss: Loss::Ce };
    tasks.push(("transformer".to_string(), Arc::new(transformer)));
    tasks
}

pub fn theta(task: &Supervised) -> Vec<f64> {
    let (inputs, outputs) = (task.data.input_shape(), task.data.outputs());
    let mut weights = stream(3, Stream::Initialisation);
    initial_parameters(&task.model, inputs, outputs, &mut weights).unwrap()
}

pub fn block(dim: usize, count: u64) -> Vec<f64> {
    (0..count).flat_map(|i| random_unit_vector(dim, &mut stream(i, Stream::Split))).collect()
}

fn both(device: &Device, task: &Arc<Supervised>, samples: usize) -> [Box<dyn Objective>; 2] {
    let theta = theta(task);
    [Differentiation::Forward, Differentiation::Reverse].map(|how| {
        let device = device.clone().with_differentiation(how);
        let chunk = samples.div_ceil(2);
        let mut objective =
            supervised(&device, task, (0..samples).collect(), chunk).expect("an objective");
        objective.set_parameters(&theta).unwrap();
        objective
    })
}

#[test]
fn both_ways_give_the_same_products_of_every_model() {
    for (name, task) in tasks() {
        let [forward, reverse] = both(&cpu(Precision::F64), &task, 7);
        let vectors = block(forward.dim(), 3);
        let expected = reverse.hvps(&vectors).unwrap();
        assert_close(&forward.hvps(&vectors).unwrap(), &expected, 1e-10, &name);
        let (evaluated, products) = forward.gradient_and_hvps(&vectors).unwrap();
        assert_close(&products, &expected, 1e-10, &name);
        let plain = reverse.gradient(Samples::All).unwrap();
        assert_close(&evaluated.gradient, &plain.gradient, 1e-12, &name);
        let difference = evaluated.evaluation.loss - plain.evaluation.loss;
        assert!(difference.abs() <= 1e-12 * plain.evaluation.loss, "{name}: loss");
        assert_eq!(evaluated.evaluation.accuracy, plain.evaluation.accuracy, "{name}");
        assert_eq!(forward.evaluate().unwrap().accuracy, reverse.evaluate().unwrap().accuracy);
        let some = Samples::Batch(&[4, 1]);
        let v = &vectors[..forward.dim()];
        let [a, b] = [&forward, &reverse].map(|objective| objective.hvp_over(some, v).unwrap());
        assert_close(&a, &b, 1e-10, &format!("{name}, a batch"));
    }
}

#[test]
fn a_block_gives_what_its_vectors_give_alone() {
    for precision in [Precision::F32, Precision::F64] {
        let (_, task) = tasks().swap_remove(0);
        let [forward, _] = both(&cpu(precision), &task, 9);
        let dim = forward.dim();
        let vectors = block(dim, 3);
        let together = forward.hvps(&vectors).unwrap();
        for (v, product) in vectors.chunks(dim).zip(together.chunks(dim)) {
            assert_eq!(forward.hvp(v).unwrap(), product);
        }
        let (evaluated, products) = forward.gradient_and_hvps(&[]).unwrap();
        assert!(products.is_empty());
        assert_eq!(evaluated.gradient, gradient(&*forward));
        assert!(forward.hvps(&vectors[1..]).is_err());
        assert!(forward.hvp(&vectors).is_err());
    }
}

#[test]
fn both_ways_give_the_same_output_products() {
    for (name, task) in tasks() {
        let [forward, reverse] = both(&cpu(Precision::F64), &task, 5);
        let v = block(forward.dim(), 1);
        for matrix in [
            OutputMatrix::GaussNewton,
            OutputMatrix::Fisher,
            OutputMatrix::SampledFisher { seed: 4 },
            OutputMatrix::EmpiricalFisher,
        ] {
            let [a, b] =
                [&forward, &reverse].map(|objective| objective.output_product(matrix, &v).unwrap());
            assert_close(&a, &b, 1e-10, &format!("{name}, {matrix:?}"));
        }
    }
}

/// In single precision, on the software driver where there is no GPU.
#[test]
fn both_ways_agree_on_wgpu() {
    let device = Device::open(BackendChoice::Wgpu, Precision::F32).expect("an adapter");
    for (name, task) in tasks() {
        if !["tanh, Mse", "gelu, Ce", "relu, Ce", "cnn", "transformer"].contains(&name.as_str()) {
            continue;
        }
        let [forward, reverse] = both(&device, &task, 6);
        let [exact, _] = both(&cpu(Precision::F64), &task, 6);
        let vectors = block(forward.dim(), 2);
        let expected = exact.hvps(&vectors).unwrap();
        for (how, objective) in [("forward", &forward), ("reverse", &reverse)] {
            let found = objective.hvps(&vectors).unwrap();
            let error = relative_error(&found, &expected);
            assert!(error < 2e-5, "{name}, {how}: {error:.1e}");
        }
    }
}

/// Layers of burn's own whose gradients burn cannot differentiate again.
#[derive(Module, Debug)]
struct Layers<B: Backend> {
    embedding: Embedding<B>,
    convolution: conv::Conv1d<B>,
    pool: pool::AvgPool1d,
    linear: Linear<B>,
}

struct Words;

impl Task for Words {
    type Model<B: Backend> = Layers<B>;
    type Batch<B: Backend> = Tensor<B, 2, Int>;

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Layers<B> {
        Layers {
            embedding: EmbeddingConfig::new(5, 4).init(&placement.device),
            convolution: conv::Conv1dConfig::new(4, 3, 2).init(&placement.device),
            pool: pool::AvgPool1dConfig::new(2).init(),
            linear: LinearConfig::new(3, 2).init(&placement.device),
        }
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> Tensor<B, 2, Int> {
        let words: Vec<usize> =
            samples.iter().flat_map(|i| (0..5).map(move |j| (i * j + i) % 5)).collect();
        placement.int(&words).reshape([samples.len(), 5])
    }

    fn loss<B: Backend>(&self, model: &Layers<B>, words: &Tensor<B, 2, Int>) -> Tensor<B, 1> {
        let embedded = model.embedding.forward(words.clone()).swap_dims(1, 2);
        let pooled = model.pool.forward(model.convolution.forward(embedded).tanh());
        let outputs = model.linear.forward(pooled.mean_dim(2).squeeze_dim::<2>(2));
        let rows = outputs.dims()[0] as f64;
        (outputs.clone() * outputs).sum() * (0.5 / rows)
    }
}

#[test]
fn burns_own_layers_are_differentiated_twice() {
    let placement = Placement { device: ComputeDevice::Cpu, precision: Precision::F64, workers: 1 };
    let samples = (0..6).collect();
    let mut objective =
        ForwardObjective::<Compute, _>::new(Arc::new(Words), placement, samples, 4).unwrap();
    let dim = objective.dim();
    let theta = block(dim, 1).iter().map(|x| 4.0 * x).collect::<Vec<_>>();
    let v = random_unit_vector(dim, &mut stream(9, Stream::Split));
    objective.set_parameters(&theta).unwrap();
    let product = objective.hvp(&v).unwrap();
    let step = 1e-5;
    let [ahead, behind] = [step, -step].map(|step| {
        let moved: Vec<f64> = theta.iter().zip(&v).map(|(theta, v)| theta + step * v).collect();
        objective.set_parameters(&moved).unwrap();
        gradient(&objective)
    });
    let difference: Vec<f64> =
        ahead.iter().zip(&behind).map(|(a, b)| (a - b) / (2.0 * step)).collect();
    assert_close(&product, &difference, 1e-8, "Hessian");
}
