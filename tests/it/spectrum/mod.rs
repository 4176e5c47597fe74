//! The whole spectrum: density, trace and ends, curvature matrices, flatness, and the command.
//!
//! `density` and `trace` run on matrices whose eigenvalues are known. `matrices` and `meter` compare
//! with the whole matrices that `scripts/pytorch/spectrum.py` formed from their definitions
//! (`tests/data/spectrum.json`), in double precision.

mod command;
mod density;
mod flatness;
mod known;
mod matrices;
mod meter;
mod rises;
mod stated;
mod tasks;
mod trace;

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;
use sharpscope::autodiff::Objective;
use sharpscope::curvature::Matrix;
use sharpscope::data::{DataNotes, Dataset, InputShape, Inputs, Targets};
use sharpscope::device::Precision;
use sharpscope::linalg::SymmetricOperator;
use sharpscope::model::ModelSpec;
use sharpscope::problem::{Loss, Supervised, supervised};

use crate::derivatives::cpu;

#[derive(Deserialize)]
struct Reference {
    cases: Vec<Case>,
}

/// A network on small data, and what PyTorch says of its curvature matrices.
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
    /// By the names that the command line takes.
    matrices: BTreeMap<String, Recorded>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Samples {
    Text {
        vocabulary: usize,
        tokens: Vec<usize>,
    },
    Images {
        /// Channels, rows, columns; a perceptron reads them as a row of numbers.
        image: [usize; 3],
        outputs: usize,
        inputs: Vec<Vec<f64>>,
        labels: Option<Vec<usize>>,
        targets: Option<Vec<Vec<f64>>>,
    },
}

/// What is known of a matrix.
#[derive(Deserialize)]
struct Recorded {
    /// With the case's vector.
    product: Vec<f64>,
    trace: f64,
    /// Largest first.
    largest: [f64; 3],
    smallest: f64,
    /// Name, number of parameters, largest eigenvalue and trace of each layer's block.
    layers: Vec<(String, usize, f64, f64)>,
}

impl Recorded {
    /// What errors of eigenvalues are relative to.
    fn magnitude(&self) -> f64 {
        self.largest[0].abs().max(self.smallest.abs())
    }
}

fn cases() -> Vec<Case> {
    let text = include_str!("../../data/spectrum.json");
    serde_json::from_str::<Reference>(text).expect("reference numbers").cases
}

impl Case {
    fn name(&self) -> String {
        format!("{:?}, {:?}", self.model, self.loss)
    }

    fn data(&self) -> Dataset {
        let (inputs, targets) = match &self.samples {
            Samples::Text { vocabulary, tokens } => {
                let context = self.model.context().expect("a model of text");
                let vocabulary = ('a'..).take(*vocabulary).collect();
                let tokens = tokens.clone();
                (Inputs::Tokens { vocabulary, context, tokens }, Targets::NextToken)
            }
            Samples::Images { image: [channels, height, width], outputs, inputs, .. } => {
                let (&channels, &height, &width) = (channels, height, width);
                let shape = match self.model {
                    ModelSpec::Mlp(_) => InputShape::Features(width),
                    _ => InputShape::Image { channels, height, width },
                };
                (Inputs::Features { shape, values: inputs.concat() }, self.targets(*outputs))
            }
        };
        let notes = DataNotes::default();
        Dataset { name: "test".to_string(), sha256: String::new(), inputs, targets, notes }
    }

    fn targets(&self, outputs: usize) -> Targets {
        match &self.samples {
            Samples::Images { labels: Some(labels), .. } => {
                Targets::Classes { classes: outputs, labels: labels.clone() }
            }
            Samples::Images { targets: Some(values), .. } => {
                Targets::Values { outputs, values: values.concat() }
            }
            _ => panic!("either labels or numbers"),
        }
    }

    /// Rows of outputs: predictions made for all samples.
    fn rows(&self) -> usize {
        let data = self.data();
        data.len() * self.model.context().unwrap_or(1)
    }

    fn task(&self) -> Arc<Supervised> {
        let (model, data) = (self.model.clone(), Arc::new(self.data()));
        Arc::new(Supervised { model, data, loss: self.loss })
    }

    /// In double precision, at the reference's weights, over these samples and at most `chunk` of
    /// them at a time.
    fn over(&self, samples: Vec<usize>, chunk: usize) -> Box<dyn Objective> {
        let mut objective = supervised(&cpu(Precision::F64), &self.task(), samples, chunk).unwrap();
        objective.set_parameters(&self.weights).unwrap();
        objective
    }

    /// Over all samples in one chunk.
    fn objective(&self) -> Box<dyn Objective> {
        let samples = self.data().len();
        self.over((0..samples).collect(), samples)
    }

    /// The matrices that PyTorch has formed.
    fn matrices(&self) -> impl Iterator<Item = (Matrix, &Recorded)> {
        self.matrices.iter().map(|(name, recorded)| (matrix(name), recorded))
    }
}

/// The matrix of that name.
fn matrix(name: &str) -> Matrix {
    serde_json::from_value(name.into()).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// A x.
fn product(operator: &mut dyn SymmetricOperator, x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    operator.apply(x, &mut y).expect("a product");
    y
}

/// All n * n entries, one product with a unit vector after the other.
fn dense(operator: &mut dyn SymmetricOperator) -> Vec<f64> {
    let n = operator.dim();
    let unit = |i: usize| (0..n).map(move |j| if i == j { 1.0 } else { 0.0 }).collect::<Vec<f64>>();
    (0..n).flat_map(|i| product(operator, &unit(i))).collect()
}

/// The block of an n * n matrix at these coordinates.
fn block(n: usize, entries: &[f64], at: &[usize]) -> Vec<f64> {
    at.iter().flat_map(|i| at.iter().map(move |j| entries[i * n + j])).collect()
}

fn trace_of(n: usize, entries: &[f64]) -> f64 {
    (0..n).map(|i| entries[i * n + i]).sum()
}
