//! Statistics of hidden units on the way between two networks (Jordan et al. 2023, arXiv:2211.08403): the
//! mean and the deviation of each unit's pre-activation over the training samples are made those between
//! the ends', layer after layer. A channel's are over the samples and the pixels.

mod layers;

use std::sync::Arc;

use rayon::prelude::*;

use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::experiment::Prepared;

use layers::Network;

/// A network on its training samples, in double precision on the host.
pub(super) struct Repair {
    dataset: Arc<Dataset>,
    samples: Vec<usize>,
    network: Network,
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
    /// [`Error::Setting`] for another model than a perceptron or a convolutional network with biases.
    pub fn new(prepared: &Prepared) -> Result<Self> {
        let layout = prepared.problem.train.layout();
        let shape = prepared.dataset.input_shape();
        let network = Network::of(&prepared.config.model, shape, layout)
            .map_err(|problem| Error::setting("--repair", true, problem, "leave it out"))?;
        let samples = prepared.split.train.clone();
        Ok(Self { dataset: Arc::clone(&prepared.dataset), samples, network })
    }

    /// Between the networks `a` and `b` (length P each).
    pub fn between(&self, a: &[f64], b: &[f64]) -> Between<'_> {
        let of = |theta: &[f64]| self.through(&mut theta.to_vec(), |_, _, _| {}).0;
        Between { repair: self, ends: [a.to_vec(), b.to_vec()], statistics: [of(a), of(b)] }
    }

    /// The statistics of all layers of `theta`, which `change` may change as soon as those of a layer are
    /// known: the layers behind see the change. With them what comes out of the last hidden layer, for each
    /// sample.
    fn through(
        &self,
        theta: &mut [f64],
        mut change: impl FnMut(usize, &Statistics, &mut [f64]),
    ) -> (Vec<Statistics>, Vec<Vec<f64>>) {
        let mut rows: Vec<Vec<f64>> =
            self.samples.iter().map(|&sample| self.dataset.features(sample).into_owned()).collect();
        let mut all = Vec::new();
        for (index, layer) in self.network.layers.iter().enumerate() {
            let of_samples: Vec<Statistics> = rows
                .par_iter()
                .map(|x| layer.of(theta, x).chunks(layer.positions).map(statistics).collect())
                .collect();
            let statistics = together(&of_samples);
            change(index, &statistics, theta);
            let theta = &*theta;
            rows.par_iter_mut().for_each(|x| *x = self.network.behind(layer, layer.of(theta, x)));
            all.push(statistics);
        }
        (all, rows)
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
        self.repair.through(&mut theta, |index, found, theta| {
            let layer = &self.repair.network.layers[index];
            for (unit, &(mean, deviation)) in found.iter().enumerate() {
                let [(mean_a, deviation_a), (mean_b, deviation_b)] =
                    [0, 1].map(|end| self.statistics[end][index][unit]);
                let wanted = (1.0 - t) * deviation_a + t * deviation_b;
                // A unit that does not vary has no scale.
                let factor = if deviation > 0.0 { wanted / deviation } else { 1.0 };
                theta[layer.weights(unit)].iter_mut().for_each(|w| *w *= factor);
                let wanted = (1.0 - t) * mean_a + t * mean_b;
                let bias = &mut theta[layer.bias(unit)];
                *bias = factor * (*bias - mean) + wanted;
            }
        });
        theta
    }
}

/// Mean and deviation.
fn statistics(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|z| (z - mean).powi(2)).sum::<f64>() / n).sqrt())
}

/// Those of all samples, equally many values each.
fn together(samples: &[Statistics]) -> Statistics {
    let n = samples.len() as f64;
    let of = |unit: usize| {
        let mean = samples.iter().map(|sample| sample[unit].0).sum::<f64>() / n;
        let of_sample = |(own, deviation): (f64, f64)| deviation.powi(2) + (own - mean).powi(2);
        (mean, (samples.iter().map(|sample| of_sample(sample[unit])).sum::<f64>() / n).sqrt())
    };
    (0..samples.first().map_or(0, Vec::len)).map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{RunConfig, Settings};
    use crate::experiment::prepare;
    use crate::linalg::dot;
    use crate::rng::{Stream, stream};
    use rand::RngExt;
    use serde_json::{Value, json};

    const MODELS: [&str; 3] = [
        r#"{"kind": "mlp", "hidden": [5, 4], "activation": "gelu"}"#,
        r#"{"kind": "cnn", "channels": [3, 4], "activation": "tanh", "pooling": "average"}"#,
        r#"{"kind": "cnn", "channels": [4], "activation": "relu", "pooling": "max"}"#,
    ];

    fn problem(model: &str) -> Prepared {
        let model: Value = serde_json::from_str(model).unwrap();
        let settings = json!({
            "backend": "cpu", "dataset": "digits", "train_size": 12, "model": model, "precision": "f64",
        });
        let settings = Settings::of_manifest(&settings).unwrap();
        prepare(RunConfig::resolve(settings).unwrap()).unwrap()
    }

    /// Weights near the initial ones.
    fn ends(prepared: &Prepared) -> [Vec<f64>; 2] {
        let mut rng = stream(3, Stream::Split);
        [0, 1].map(|_| prepared.theta.iter().map(|w| w + rng.random_range(-0.3..0.3)).collect())
    }

    /// The loss by way of the layers on the host is the network's own.
    #[test]
    fn layers_on_the_host_are_those_of_the_network() {
        for model in MODELS {
            let mut prepared = problem(model);
            let repair = Repair::new(&prepared).unwrap();
            let [mut theta, _] = ends(&prepared);
            let (_, hidden) = repair.through(&mut theta, |_, _, _| {});
            let width = hidden[0].len();
            let head = theta.len() - 10 * (width + 1);
            let loss = |(row, &sample): (&Vec<f64>, &usize)| -> f64 {
                let output = |class: usize| {
                    let weights = head + class * width;
                    let bias = theta[head + 10 * width + class];
                    let target = f64::from(prepared.dataset.label(sample) == Some(class));
                    (dot(&theta[weights..weights + width], row) + bias - target).powi(2) / 2.0
                };
                (0..10).map(output).sum()
            };
            let by_hand: f64 = hidden.iter().zip(&repair.samples).map(loss).sum::<f64>() / 12.0;
            prepared.problem.train.set_parameters(&theta).unwrap();
            let loss = prepared.problem.train.evaluate().unwrap().loss;
            assert!((loss - by_hand).abs() < 1e-12 * loss, "{model}: {loss} and {by_hand}");
        }
    }

    /// Every unit of a repaired network has the statistics between the ends'; at the ends nothing is done.
    #[test]
    fn statistics_are_those_between_the_ends() {
        for model in MODELS {
            let prepared = problem(model);
            let repair = Repair::new(&prepared).unwrap();
            let [a, b] = ends(&prepared);
            let between = repair.between(&a, &b);
            assert_eq!((between.at(0.0), between.at(1.0)), (a.clone(), b.clone()));
            let of = |theta: &[f64]| repair.through(&mut theta.to_vec(), |_, _, _| {}).0.concat();
            let found = of(&between.at(0.3));
            assert_eq!(found.len(), found.iter().filter(|(_, deviation)| *deviation > 0.0).count());
            for ((found, a), b) in found.iter().zip(of(&a)).zip(of(&b)) {
                let near = |found: f64, a: f64, b: f64| (found - 0.7 * a - 0.3 * b).abs() < 1e-12;
                assert!(near(found.0, a.0, b.0) && near(found.1, a.1, b.1), "{model}: {found:?}");
            }
        }
    }

    #[test]
    fn other_models_are_refused() {
        for (model, part) in [
            (r#"{"kind": "mlp", "hidden": [5], "bias": false}"#, "without biases"),
            (r#"{"kind": "cnn", "channels": [2], "bias": false}"#, "without biases"),
        ] {
            let error = Repair::new(&problem(model)).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
