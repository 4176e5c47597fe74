//! Tensors beyond what a wgpu device can hold: chunks are cut so that there are none, and where there is
//! one all the same the result is an error and not a number.
//!
//! Devices are opened here with a far smaller limit than they have, so that little data are too much.

use std::sync::Arc;

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use serde_json::{Value, json};
use sharpscope::Error;
use sharpscope::autodiff::{Objective, Samples, Task};
use sharpscope::data::{DataNotes, Dataset, InputShape, Inputs, Targets};
use sharpscope::device::{Device, Placement, Precision};
use sharpscope::model::{ModelSpec, Network};
use sharpscope::problem::{Loss, SampleBatch, Supervised, supervised};

use crate::derivatives::{assert_close, cpu, normal};

/// Relative errors of vectors: some hundred roundings of single precision.
const SINGLE: f64 = 2e-5;
const CLASSES: usize = 5;

fn limited(most_bytes: usize) -> Device {
    Device::open_limited(most_bytes as u64)
        .unwrap_or_else(|error| panic!("these tests need a wgpu adapter: {error}"))
}

/// A network on so many random samples of that shape.
fn task(model: Value, shape: InputShape, samples: usize) -> Arc<Supervised> {
    let whole = |n: usize, below: usize| -> Vec<usize> {
        (0..n).map(|i| (i * i + 7 * i / 3) % below).collect()
    };
    let (inputs, targets) = match shape {
        InputShape::Tokens { vocabulary, context } => {
            let tokens = whole(samples * context + 1, vocabulary);
            let vocabulary = ('!'..).take(vocabulary).collect();
            (Inputs::Tokens { vocabulary, context, tokens }, Targets::NextToken)
        }
        shape => {
            let values = normal(samples * shape.len(), 5);
            let labels = whole(samples, CLASSES);
            (Inputs::Features { shape, values }, Targets::Classes { classes: CLASSES, labels })
        }
    };
    let notes = DataNotes::default();
    let data = Dataset { name: "test".to_string(), sha256: String::new(), inputs, targets, notes };
    let model: ModelSpec = serde_json::from_value(model).unwrap();
    Arc::new(Supervised { model, data: Arc::new(data), loss: Loss::Ce })
}

/// Loss, gradient and two products at a fixed point.
fn derivatives(mut objective: Box<dyn Objective>) -> [Vec<f64>; 3] {
    let n = objective.dim();
    let theta: Vec<f64> = normal(n, 1).iter().map(|x| 0.2 * x).collect();
    objective.set_parameters(&theta).unwrap();
    let block = [normal(n, 2), normal(n, 3)].concat();
    let (found, products) = objective.gradient_and_hvps(&block).unwrap();
    let losses = vec![found.evaluation.loss, objective.evaluate().unwrap().loss];
    [losses, found.gradient, products]
}

#[test]
fn chunks_are_cut_to_what_the_device_holds_and_the_numbers_are_the_cpus() {
    let image = InputShape::Image { channels: 1, height: 8, width: 8 };
    let text = InputShape::Tokens { vocabulary: 40, context: 32 };
    for (model, shape, samples, fits, largest) in [
        (json!({"kind": "mlp", "hidden": [100, 20]}), InputShape::Features(64), 700, 300, 100),
        // The inputs themselves.
        (json!({"kind": "mlp", "hidden": [4]}), InputShape::Features(2000), 60, 20, 2000),
        (json!({"kind": "cnn", "channels": [32, 16], "activation": "relu"}), image, 60, 20, 2048),
        (json!({"kind": "cnn", "channels": [4, 128], "pooling": "max"}), image, 50, 23, 2048),
        // Each token's attention to each other one, and the perceptron in the block.
        (
            json!({"kind": "transformer", "layers": 1, "heads": 4, "width": 16, "context": 32}),
            text,
            60,
            20,
            4096,
        ),
        (
            json!({"kind": "transformer", "layers": 2, "heads": 1, "width": 16, "context": 32}),
            text,
            60,
            40,
            2048,
        ),
    ] {
        let task = task(model.clone(), shape, samples);
        assert_eq!(task.largest_tensor(), Some(largest), "{model}");
        let device = limited((4 * largest * fits).next_multiple_of(256));
        assert_eq!(device.chunk(&*task, samples, Some(samples)).unwrap(), fits, "{model}");
        assert_eq!(device.chunk(&*task, samples, Some(3)).unwrap(), 3, "{model}");
        let even = device.chunk(&*task, samples, None).unwrap();
        assert_eq!(even, samples.div_ceil(samples.div_ceil(fits)), "{model}");
        let all: Vec<usize> = (0..samples).collect();
        let on = |device: &Device| supervised(device, &task, all.clone(), samples).unwrap();
        let expected = derivatives(on(&cpu(Precision::F64)));
        for (found, expected) in derivatives(on(&device)).iter().zip(&expected) {
            assert_close(found, expected, SINGLE, &model.to_string());
        }
    }
}

/// One line with a remedy. A device's failure is nobody's wrong input.
#[track_caller]
fn assert_device_error<T: std::fmt::Debug>(result: sharpscope::Result<T>, device: &Device) {
    let error = result.expect_err("an error");
    let (Error::Device { problem, remedy } | Error::DeviceFailed { problem, remedy }) = &error
    else {
        panic!("{error:?}")
    };
    assert_eq!(error.is_input(), matches!(error, Error::Device { .. }));
    let (problem, remedy) = (problem.to_string(), remedy.to_string());
    assert!(problem.contains(device.adapter()) && !problem.contains('\n'), "{problem}");
    assert!(remedy.contains("`backend` cpu"), "{remedy}");
}

#[test]
fn a_sample_that_is_too_large_by_itself_is_refused() {
    let task = task(json!({"kind": "mlp", "hidden": [20000]}), InputShape::Features(3), 4);
    let device = limited(64 << 10);
    assert_device_error(device.chunk(&*task, 4, None), &device);
    let made = supervised(&device, &task, vec![0, 1], 1).map(|objective| objective.dim());
    let text = made.as_ref().unwrap_err().to_string();
    assert!(text.contains("0.0763 MiB") && text.contains("0.0625 MiB"), "{text}");
    assert_device_error(made, &device);
}

/// The gradient has a number for each parameter, whatever the chunk.
#[test]
fn parameters_that_are_too_many_are_an_error_and_not_a_number() {
    let task = task(json!({"kind": "mlp", "hidden": [300]}), InputShape::Features(64), 20);
    let device = limited(64 << 10);
    let found = supervised(&device, &task, (0..20).collect(), 20)
        .and_then(|objective| objective.gradient(Samples::All));
    assert_device_error(found, &device);
}

/// A task that does not say how large its tensors are.
struct Silent(Arc<Supervised>);

impl Task for Silent {
    type Model<B: Backend> = Network<B>;
    type Batch<B: Backend> = SampleBatch<B>;

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Network<B> {
        self.0.model(placement)
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> SampleBatch<B> {
        self.0.batch(samples, placement)
    }

    fn loss<B: Backend>(&self, model: &Network<B>, batch: &SampleBatch<B>) -> Tensor<B, 1> {
        self.0.loss(model, batch)
    }
}

#[test]
fn tensors_that_do_not_fit_are_an_error_and_not_a_number() {
    let known = task(json!({"kind": "mlp", "hidden": [100]}), InputShape::Features(20), 400);
    let device = limited(64 << 10);
    let all: Vec<usize> = (0..400).collect();
    let at = |chunk| device.objective(Arc::new(Silent(Arc::clone(&known))), all.clone(), chunk);
    let results: [fn(&dyn Objective) -> sharpscope::Result<()>; 3] = [
        |objective| objective.evaluate().map(|_| ()),
        |objective| objective.gradient(Samples::All).map(|_| ()),
        |objective| objective.hvp(&vec![1.0; objective.dim()]).map(|_| ()),
    ];
    for what in results {
        // 160,000 bytes of activations.
        assert_device_error(at(400).and_then(|objective| what(&*objective)), &device);
    }
    // What fits is right, on the same device.
    let expected = derivatives(supervised(&cpu(Precision::F64), &known, all.clone(), 400).unwrap());
    for (found, expected) in derivatives(at(100).unwrap()).iter().zip(&expected) {
        assert_close(found, expected, SINGLE, "afterwards");
    }
}

#[test]
fn on_the_cpu_images_and_windows_are_cut_so_that_workers_share_a_few_hundred_of_them() {
    let chunk = |model, shape, samples| {
        let model = serde_json::to_value(ModelSpec::load(model).unwrap()).unwrap();
        let task = task(model, shape, samples);
        cpu(Precision::F32).chunk(&*task, samples, None).unwrap()
    };
    let pixels = |side| InputShape::Image { channels: 1, height: side, width: side };
    let windows = InputShape::Tokens { vocabulary: 66, context: 32 };
    // The largest tensors of a sample have 64, 784, 32 x 64, 32 x 784 and 32 x 128 elements.
    assert_eq!(chunk("mlp", pixels(8), 1000), 250);
    assert_eq!(chunk("fc-tanh", pixels(28), 1000), 167);
    assert_eq!(chunk("cnn-relu", pixels(8), 200), 50);
    assert_eq!(chunk("cnn-tanh", pixels(28), 60), 8);
    assert_eq!(chunk("transformer-tiny", windows, 200), 29);
}
