//! Convolutional networks and transformers: their derivatives on the CPU backend and on wgpu.
//!
//! The problems are those that `scripts/pytorch/models.py` wrote to `tests/data/models.json`, with
//! the numbers that PyTorch found for them in double precision.

mod algebra;
mod language;
mod pooling;
mod pytorch;
mod wgpu;

use std::sync::Arc;

use serde::Deserialize;
use sharpscope::autodiff::Objective;
use sharpscope::data::{DataNotes, Dataset, InputShape, Inputs, Targets};
use sharpscope::device::{Device, Precision};
use sharpscope::model::ModelSpec;
use sharpscope::problem::{Loss, Supervised, supervised};

use crate::derivatives::cpu;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

/// A network on small data, and what PyTorch says of it.
#[derive(Deserialize)]
struct Case {
    model: ModelSpec,
    loss: Loss,
    #[serde(flatten)]
    samples: Samples,
    /// Name and shape of each parameter tensor, in the order of the flat vectors.
    tensors: Vec<(String, Vec<usize>)>,
    weights: Vec<f64>,
    vector: Vec<f64>,
    value: f64,
    accuracy: Option<f64>,
    gradient: Vec<f64>,
    hvp: Vec<f64>,
    /// The three largest.
    eigenvalues: Vec<f64>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Samples {
    Text {
        vocabulary: usize,
        tokens: Vec<usize>,
    },
    Images {
        /// Channels, rows, columns.
        image: [usize; 3],
        outputs: usize,
        inputs: Vec<Vec<f64>>,
        labels: Option<Vec<usize>>,
        targets: Option<Vec<Vec<f64>>>,
    },
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../data/models.json");
    serde_json::from_str::<Reference>(text).expect("reference numbers").cases
}

impl Case {
    fn name(&self) -> String {
        let pixels = match self.samples {
            Samples::Images { image, .. } => format!(" on {image:?}"),
            Samples::Text { .. } => String::new(),
        };
        format!("{:?}{pixels}, {:?}", self.model, self.loss)
    }

    fn data(&self) -> Dataset {
        match &self.samples {
            Samples::Text { vocabulary, tokens } => {
                let context = self.model.context().expect("a model of text");
                text(*vocabulary, context, tokens.clone())
            }
            Samples::Images { image, outputs, inputs, labels, targets } => {
                let targets = match (labels, targets) {
                    (Some(labels), None) => {
                        Targets::Classes { classes: *outputs, labels: labels.clone() }
                    }
                    (None, Some(values)) => {
                        Targets::Values { outputs: *outputs, values: values.concat() }
                    }
                    _ => panic!("either labels or numbers"),
                };
                images(*image, inputs.concat(), targets)
            }
        }
    }

    fn problem(&self) -> Problem {
        Problem::new(self.model.clone(), self.data(), self.loss)
    }

    /// In double precision, in one chunk, at the reference's weights.
    fn objective(&self) -> Box<dyn Objective> {
        self.problem().at(&cpu(Precision::F64), &self.weights)
    }

    /// False for the images of whole numbers, whose maxima are often equal.
    fn is_smooth(&self) -> bool {
        match &self.samples {
            Samples::Images { inputs, .. } => inputs.iter().flatten().any(|x| x.fract() != 0.0),
            Samples::Text { .. } => true,
        }
    }
}

/// What an objective is made of.
#[derive(Clone)]
struct Problem {
    task: Arc<Supervised>,
}

impl Problem {
    fn new(model: ModelSpec, data: Dataset, loss: Loss) -> Self {
        Self { task: Arc::new(Supervised { model, data: Arc::new(data), loss }) }
    }

    /// Over all samples, at most `chunk` at a time.
    fn objective(&self, device: &Device, chunk: usize) -> Box<dyn Objective> {
        let samples = (0..self.task.data.len()).collect();
        supervised(device, &self.task, samples, chunk).expect("an objective")
    }

    /// Over all samples in one chunk, at `theta`.
    fn at(&self, device: &Device, theta: &[f64]) -> Box<dyn Objective> {
        let mut objective = self.objective(device, self.task.data.len());
        objective.set_parameters(theta).expect("parameters");
        objective
    }
}

fn spec(json: serde_json::Value) -> ModelSpec {
    serde_json::from_value(json).expect("a specification")
}

/// A text of `tokens` below `vocabulary`.
fn text(vocabulary: usize, context: usize, tokens: Vec<usize>) -> Dataset {
    let vocabulary = ('a'..).take(vocabulary).collect();
    Dataset {
        name: "test".to_string(),
        sha256: String::new(),
        inputs: Inputs::Tokens { vocabulary, context, tokens },
        targets: Targets::NextToken,
        notes: DataNotes::default(),
    }
}

/// Images of `[channels, height, width]`, one after the other.
fn images([channels, height, width]: [usize; 3], values: Vec<f64>, targets: Targets) -> Dataset {
    let shape = InputShape::Image { channels, height, width };
    Dataset {
        name: "test".to_string(),
        sha256: String::new(),
        inputs: Inputs::Features { shape, values },
        targets,
        notes: DataNotes::default(),
    }
}
