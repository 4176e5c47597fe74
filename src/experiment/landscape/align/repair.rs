//! Statistics of hidden units on the way between two networks (Jordan et al. 2023, arXiv:2211.08403): the
//! mean and the deviation of each unit's pre-activation over the training samples are made those between
//! the ends', layer after layer.

use std::sync::Arc;

use crate::autodiff::ParameterLayout;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::Prepared;
use crate::linalg::dot;
use crate::model::{Activation, ModelSpec};

/// A perceptron on its training samples, in double precision on the host.
pub(super) struct Repair {
    dataset: Arc<Dataset>,
    samples: Vec<usize>,
    activation: Activation,
    layers: Vec<Layer>,
}

/// A hidden layer's place in the parameter vector.
#[derive(Clone, Copy)]
struct Layer {
    weight: usize,
    bias: usize,
    inputs: usize,
    units: usize,
}

/// Mean and deviation of each unit of a layer.
type Statistics = Vec<(f64, f64)>;

/// The repaired line between two networks.
pub(super) struct Between<'a> {
    repair: &'a Repair,
    ends: [Vec<f64>; 2],
    statistics: [Vec<Statistics>; 2],
}

impl Repair {
    /// That of a run's problem.
    ///
    /// # Errors
    /// [`Error::Setting`] for another model than a perceptron with biases.
    pub fn new(prepared: &Prepared) -> Result<Self> {
        let refused =
            |problem: &str| Err(Error::setting("--repair", true, problem, "leave it out"));
        let ModelSpec::Mlp(spec) = &prepared.config.model else {
            return refused("statistics are repaired in perceptrons only");
        };
        if !spec.bias {
            return refused("without biases no unit's mean can be moved");
        }
        let layout = prepared.problem.train.layout();
        let layers = (0..spec.hidden.len()).map(|i| layer(layout, i)).collect::<Option<_>>();
        let Some(layers) = layers else { unreachable!("a perceptron has these tensors") };
        Ok(Self {
            dataset: Arc::clone(&prepared.dataset),
            samples: prepared.split.train.clone(),
            activation: spec.activation,
            layers,
        })
    }

    /// Between the networks `a` and `b` (length P each).
    pub fn between(&self, a: &[f64], b: &[f64]) -> Between<'_> {
        let of = |theta: &[f64]| {
            let mut theta = theta.to_vec();
            self.through(&mut theta, |_, _, _| {})
        };
        Between { repair: self, ends: [a.to_vec(), b.to_vec()], statistics: [of(a), of(b)] }
    }

    /// The statistics of all layers of `theta`, which `change` may change as soon as those of a layer are
    /// known: the layers behind see the change.
    fn through(
        &self,
        theta: &mut [f64],
        mut change: impl FnMut(usize, &Statistics, &mut [f64]),
    ) -> Vec<Statistics> {
        let mut rows: Vec<Vec<f64>> =
            self.samples.iter().map(|&sample| self.dataset.features(sample).into_owned()).collect();
        let mut all = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            let statistics =
                statistics(&rows.iter().map(|x| layer.of(theta, x)).collect::<Vec<_>>());
            change(index, &statistics, theta);
            for x in &mut rows {
                *x = layer.of(theta, x).into_iter().map(|z| self.activation.of(z)).collect();
            }
            all.push(statistics);
        }
        all
    }
}

impl Between<'_> {
    /// The repaired network at `t`; the ends at 0 and 1.
    pub fn at(&self, t: f64) -> Vec<f64> {
        let [a, b] = &self.ends;
        let mut theta: Vec<f64> = a.iter().zip(b).map(|(a, b)| (1.0 - t) * a + t * b).collect();
        if t == 0.0 || t == 1.0 {
            return theta;
        }
        let layers = &self.repair.layers;
        self.repair.through(&mut theta, |index, found, theta| {
            let Layer { weight, bias, inputs, .. } = layers[index];
            for (unit, &(mean, deviation)) in found.iter().enumerate() {
                let [(mean_a, deviation_a), (mean_b, deviation_b)] =
                    [0, 1].map(|end| self.statistics[end][index][unit]);
                let wanted = (1.0 - t) * deviation_a + t * deviation_b;
                // A unit that does not vary has no scale.
                let factor = if deviation > 0.0 { wanted / deviation } else { 1.0 };
                let row = weight + unit * inputs;
                theta[row..row + inputs].iter_mut().for_each(|w| *w *= factor);
                let wanted = (1.0 - t) * mean_a + t * mean_b;
                theta[bias + unit] = factor * (theta[bias + unit] - mean) + wanted;
            }
        });
        theta
    }
}

impl Layer {
    /// Pre-activations for an input.
    fn of(&self, theta: &[f64], x: &[f64]) -> Vec<f64> {
        let unit = |unit: usize| {
            let row = self.weight + unit * self.inputs;
            dot(&theta[row..row + self.inputs], x) + theta[self.bias + unit]
        };
        (0..self.units).map(unit).collect()
    }
}

fn layer(layout: &ParameterLayout, index: usize) -> Option<Layer> {
    let find = |part: &str| {
        let name = format!("layers.{index}.{part}");
        layout.entries().iter().find(|entry| entry.name == name)
    };
    let (weight, bias) = (find("weight")?, find("bias")?);
    let [units, inputs] = weight.shape[..] else { return None };
    Some(Layer { weight: weight.offset, bias: bias.offset, inputs, units })
}

fn statistics(rows: &[Vec<f64>]) -> Statistics {
    let n = rows.len() as f64;
    let units = rows.first().map_or(0, Vec::len);
    let of = |unit: usize| {
        let mean = rows.iter().map(|row| row[unit]).sum::<f64>() / n;
        let variance = rows.iter().map(|row| (row[unit] - mean).powi(2)).sum::<f64>() / n;
        (mean, variance.sqrt())
    };
    (0..units).map(of).collect()
}
