//! Learning what a dataset says of its samples: their classes, numbers, or the next tokens.

use std::sync::Arc;

use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use super::Loss;
use crate::autodiff::{Likelihood, Task};
use crate::data::{Dataset, InputShape, Inputs, Targets};
use crate::device::Placement;
use crate::model::{ModelSpec, Network, NetworkInputs};

/// A model of a dataset's samples under a loss.
#[derive(Debug, Clone)]
pub struct Supervised {
    /// The architecture.
    pub model: ModelSpec,
    /// The samples, scaled as they are to be seen.
    pub data: Arc<Dataset>,
    /// The loss.
    pub loss: Loss,
}

/// Samples on the device.
#[derive(Debug, Clone)]
pub struct SampleBatch<B: Backend> {
    /// What the network reads.
    pub inputs: NetworkInputs<B>,
    /// Numbers or one-hot classes, `[rows, outputs]`; a row is a sample or, in text, a token.
    pub targets: Tensor<B, 2>,
    /// Classes or tokens, `[rows]`, where there are any.
    pub labels: Option<Tensor<B, 1, Int>>,
}

impl Supervised {
    /// Predictions made for each sample.
    fn rows_per_sample(&self) -> usize {
        match self.data.input_shape() {
            InputShape::Tokens { context, .. } => context,
            _ => 1,
        }
    }

    fn inputs<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> NetworkInputs<B> {
        match &self.data.inputs {
            Inputs::Features { shape, .. } | Inputs::Images { shape, .. } => {
                let mut features = Vec::with_capacity(samples.len() * shape.len());
                samples.iter().for_each(|&i| features.extend_from_slice(&self.data.features(i)));
                NetworkInputs::Features(placement.float(&features, [samples.len(), shape.len()]))
            }
            Inputs::Tokens { context, .. } => {
                let tokens: Vec<usize> = samples
                    .iter()
                    .flat_map(|&i| &self.data.window(i)[..*context])
                    .copied()
                    .collect();
                let tokens: Tensor<B, 1, Int> = placement.int(&tokens);
                NetworkInputs::Tokens(tokens.reshape([samples.len(), *context]))
            }
        }
    }
}

impl Task for Supervised {
    type Model<B: Backend> = Network<B>;
    type Batch<B: Backend> = SampleBatch<B>;

    fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Network<B> {
        Network::zeros(&self.model, self.data.input_shape(), self.data.outputs(), placement)
    }

    fn batch<B: Backend>(
        &self,
        samples: &[usize],
        placement: &Placement<B::Device>,
    ) -> SampleBatch<B> {
        let outputs = self.data.outputs();
        let inputs = self.inputs(samples, placement);
        let labels: Vec<usize> = match &self.data.targets {
            Targets::Values { values, .. } => {
                let numbers = |&i: &usize| &values[i * outputs..(i + 1) * outputs];
                let values: Vec<f64> = samples.iter().flat_map(numbers).copied().collect();
                let targets = placement.float(&values, [samples.len(), outputs]);
                return SampleBatch { inputs, targets, labels: None };
            }
            Targets::Classes { labels, .. } => samples.iter().map(|&i| labels[i]).collect(),
            Targets::NextToken => {
                samples.iter().flat_map(|&i| &self.data.window(i)[1..]).copied().collect()
            }
        };
        let mut one_hot = vec![0.0; labels.len() * outputs];
        for (row, &label) in labels.iter().enumerate() {
            one_hot[row * outputs + label] = 1.0;
        }
        let targets = placement.float(&one_hot, [labels.len(), outputs]);
        SampleBatch { inputs, targets, labels: Some(placement.int(&labels)) }
    }

    fn largest_tensor(&self) -> Option<usize> {
        let (inputs, outputs) = (self.data.input_shape(), self.data.outputs());
        let targets = self.rows_per_sample().saturating_mul(outputs);
        Some(inputs.len().max(targets).max(self.model.largest_activation(inputs, outputs)))
    }

    fn loss<B: Backend>(&self, model: &Network<B>, batch: &SampleBatch<B>) -> Tensor<B, 1> {
        self.loss.mean(model.forward(batch.inputs.clone()), batch.targets.clone())
    }

    fn evaluate<B: Backend>(
        &self,
        model: &Network<B>,
        batch: &SampleBatch<B>,
    ) -> (Tensor<B, 1>, Option<Tensor<B, 1>>) {
        let outputs = model.forward(batch.inputs.clone());
        let correct = batch.labels.as_ref().map(|labels| {
            let dtype = outputs.dtype();
            let predicted = outputs.clone().set_require_grad(false).argmax(1).flatten(0, 1);
            let rows = predicted.equal(labels.clone()).float().cast(dtype).sum();
            match self.rows_per_sample() {
                1 => rows,
                several => rows / several as f64,
            }
        });
        (self.loss.mean(outputs, batch.targets.clone()), correct)
    }

    fn outputs<B: Backend>(
        &self,
        model: &Network<B>,
        batch: &SampleBatch<B>,
    ) -> Option<Tensor<B, 2>> {
        Some(model.forward(batch.inputs.clone()))
    }

    fn loss_of_outputs<B: Backend>(
        &self,
        outputs: Tensor<B, 2>,
        batch: &SampleBatch<B>,
    ) -> Option<Tensor<B, 1>> {
        Some(self.loss.mean(outputs, batch.targets.clone()))
    }

    fn likelihood(&self) -> Option<Likelihood> {
        Some(match self.loss {
            Loss::Mse => Likelihood::Gaussian,
            Loss::Ce => Likelihood::Categorical,
        })
    }
}
