//! Classification of labelled samples.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::Loss;
use crate::autodiff::{Placement, Task};
use crate::data::Dataset;
use crate::model::{Mlp, ModelSpec};

/// A classifier of a dataset's samples under a loss.
#[derive(Debug, Clone)]
pub struct Classification {
    /// The architecture.
    pub model: ModelSpec,
    /// The samples, scaled as they are to be seen.
    pub data: Arc<Dataset>,
    /// The loss.
    pub loss: Loss,
}

/// Labelled samples on the device.
#[derive(Debug, Clone)]
pub struct LabelledBatch<B: Backend> {
    /// `[samples, inputs]`.
    pub inputs: Tensor<B, 2>,
    /// One-hot, `[samples, classes]`.
    pub targets: Tensor<B, 2>,
    /// Classes, `[samples]`.
    pub labels: Tensor<B, 1, Int>,
}

impl Task for Classification {
    type Model<B: Backend> = Mlp<B>;
    type Batch<B: Backend> = LabelledBatch<B>;

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Mlp<B> {
        let ModelSpec::Mlp(spec) = &self.model;
        Mlp::zeros(spec, self.data.inputs, self.data.classes, placement)
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> LabelledBatch<B> {
        let (inputs, classes) = (self.data.inputs, self.data.classes);
        let features: Vec<f64> =
            samples.iter().flat_map(|&i| self.data.features(i)).copied().collect();
        let labels: Vec<usize> = samples.iter().map(|&i| self.data.label(i)).collect();
        let mut one_hot = vec![0.0; samples.len() * classes];
        for (row, &label) in labels.iter().enumerate() {
            one_hot[row * classes + label] = 1.0;
        }
        LabelledBatch {
            inputs: placement.float(&features, [samples.len(), inputs]),
            targets: placement.float(&one_hot, [samples.len(), classes]),
            labels: placement.int(&labels),
        }
    }

    fn loss<B: Backend>(&self, model: &Mlp<B>, batch: &LabelledBatch<B>) -> Tensor<B, 1> {
        self.loss.mean(model.forward(batch.inputs.clone()), batch.targets.clone())
    }

    fn evaluate<B: Backend>(
        &self,
        model: &Mlp<B>,
        batch: &LabelledBatch<B>,
    ) -> (Tensor<B, 1>, Option<Tensor<B, 1>>) {
        let outputs = model.forward(batch.inputs.clone());
        let dtype = outputs.dtype();
        let predicted = outputs.clone().set_require_grad(false).argmax(1).flatten(0, 1);
        let correct = predicted.equal(batch.labels.clone()).float().cast(dtype).sum();
        (self.loss.mean(outputs, batch.targets.clone()), Some(correct))
    }
}
