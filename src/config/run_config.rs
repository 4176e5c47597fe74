//! Settings with every default filled in and every value checked.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::resolve::{Curvature, Problem, Rate, one, optimizer};
use super::{BatchSize, Place, Quantities, Settings, TestSet};
use crate::autodiff::ParameterLayout;
use crate::data::{Classes, DataOptions};
use crate::device::{BackendChoice, Differentiation, Precision};
use crate::error::{Error, Result};
use crate::linalg::Solver;
use crate::model::ModelSpec;
use crate::objective::ObjectiveSpec;
use crate::optim::{Averaged, Optimizer, OptimizerSpec, Schedule, ScheduleKind};
use crate::problem::Loss;
use crate::profile::Realized;
use crate::record::{Columns, WarningAction};

/// A run's configuration. Fields whose default depends on the data are `None` until
/// [`crate::experiment::prepare`] has seen it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunConfig {
    /// The architecture.
    pub model: ModelSpec,
    /// Dataset name or file.
    pub dataset: String,
    /// File whose samples validate; null where they are the dataset's.
    pub validation: Option<String>,
    /// What is kept for a test; null for nothing.
    pub test: Option<TestSet>,
    /// Initial weights, where they are not drawn from the seed.
    pub init: Option<PathBuf>,
    /// The loss.
    pub loss: Loss,
    /// Training samples.
    pub train_size: Option<usize>,
    /// Validation samples.
    pub validation_size: Option<usize>,
    /// Whether features, and targets that are numbers, are standardised.
    pub standardize: bool,
    /// Choices about the dataset, those that do not apply to it being null.
    #[serde(flatten)]
    pub data: DataOptions,
    /// The optimizer: its name and its hyperparameters, those that it does not take being null.
    #[serde(flatten)]
    pub optimizer: OptimizerSpec,
    /// Learning rate (that after the warm-up, at first).
    pub lr: f64,
    /// What the learning rate does after the warm-up.
    pub schedule: ScheduleKind,
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// Learning rate that cosine and linear end at; null for the others.
    pub final_lr: Option<f64>,
    /// What schedule step multiplies by; null for the others.
    pub decay_factor: Option<f64>,
    /// Steps between its multiplications; null for the others.
    pub decay_every: Option<usize>,
    /// Edge ratio that a schedule keeps which follows curvature.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub edge_target: Option<f64>,
    /// First step whose weights are averaged; none where none are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swa_start: Option<usize>,
    /// Steps from one of them to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swa_every: Option<usize>,
    /// Learning rate from there on, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swa_lr: Option<f64>,
    /// Samples in a minibatch.
    pub batch_size: BatchSize,
    /// Updates.
    pub steps: usize,
    /// Seed of everything random.
    pub seed: u64,
    /// Seed of the order of minibatches, where that is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_seed: Option<u64>,
    /// Seed of the data, where it has its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_seed: Option<u64>,
    /// What is done where a loss spike is warned of; null for nothing.
    pub on_warning: Option<WarningAction>,
    /// Steps between evaluations.
    pub eval_every: usize,
    /// Eigenvalues logged.
    pub top: usize,
    /// Whether the smallest eigenvalue is logged.
    pub smallest: bool,
    /// Steps between curvature measurements.
    pub every: usize,
    /// Relative residual at which an eigenvalue has converged.
    pub tolerance: f64,
    /// Most Hessian-vector products in one measurement.
    pub max_iterations: usize,
    /// How the largest eigenvalues are found.
    pub solver: Solver,
    /// Measurements between audits of the eigenvalues that are followed; null where none are.
    pub audit_every: Option<usize>,
    /// How Hessian-vector products are differentiated.
    pub hvp: Differentiation,
    /// Training samples that curvature is measured on.
    pub samples: Option<usize>,
    /// Minibatches that batch sharpness is averaged over; written as 0 with minibatches and null without where it is
    /// not measured.
    pub sharpness_batches: Option<usize>,
    /// Relative standard error at which no further minibatches are drawn for it; null draws all.
    pub sharpness_error: Option<f64>,
    /// Where the realized edge is measured.
    pub realized: Realized,
    /// Whether sharpness is measured at SAM's perturbed point too.
    pub perturbed_sharpness: bool,
    /// Whether eigenvalues are measured at the midpoint of the oscillation too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub midpoint_sharpness: bool,
    /// Whether the mechanism at the edge is measured there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub mechanism: bool,
    /// Further quantities that are measured; null for none.
    pub measure: Option<Quantities>,
    /// Steps between spectra; null for none.
    pub spectrum_every: Option<usize>,
    /// Probes of a spectral density.
    pub probes: usize,
    /// Lanczos steps for each.
    pub iterations: usize,
    /// Its smoothing, in units of eigenvalues; null for a hundredth of their range.
    pub sigma: Option<f64>,
    /// Device asked for.
    pub backend: BackendChoice,
    /// Precision.
    pub precision: Precision,
    /// Samples in a chunk.
    pub chunk: Option<usize>,
    /// Most MiB for what products share; null for a quarter of the machine's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<usize>,
    /// Steps between checkpoints; null for the last alone.
    pub checkpoint_every: Option<usize>,
    /// Whether event files for TensorBoard are written too.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tensorboard: bool,
    /// Where it is written; no part of what is compared or serialised.
    #[serde(skip)]
    pub place: Place,
}

impl RunConfig {
    /// The objective that is descended, where a formula gives it: then there are neither samples nor layers, and
    /// what is said of those here has no part in the run.
    pub fn objective(&self) -> Option<&ObjectiveSpec> {
        self.model.objective()
    }

    /// Fills in defaults and checks every value that can be checked without the data.
    ///
    /// # Errors
    /// [`Error::UnknownName`], [`Error::Setting`] or [`Error::File`], naming the setting.
    pub fn resolve(settings: Settings) -> Result<Self> {
        settings.check()?;
        let optimizer = optimizer(&settings)?;
        let problem = Problem::resolve(&settings)?;
        let steps = settings.steps.unwrap_or(1000);
        let rate = Rate::resolve(&settings, &optimizer, steps)?;
        let batch_size = one("--batch-size", &settings.batch_size)?.unwrap_or_default();
        let every = settings.every.unwrap_or(1);
        let precision = settings.precision.unwrap_or_default();
        let curvature = Curvature::resolve(&settings, &optimizer, batch_size, precision)?;
        let name = format!("{}-{}", problem.name, optimizer.slug());
        Ok(Self {
            place: Place::resolve(&settings, name)?,
            model: problem.model,
            dataset: problem.dataset,
            validation: settings.validation,
            test: settings.test,
            init: settings.init,
            loss: problem.loss,
            train_size: settings.train_size,
            validation_size: settings.validation_size,
            standardize: problem.standardize,
            data: problem.data,
            optimizer,
            lr: rate.lr,
            schedule: rate.schedule,
            warmup: rate.warmup,
            final_lr: rate.final_lr,
            swa_start: rate.swa_start,
            swa_every: rate.swa_start.map(|_| settings.swa_every.unwrap_or(1)),
            swa_lr: rate.swa_lr,
            decay_factor: rate.decay_factor,
            decay_every: rate.decay_every,
            edge_target: rate.edge_target,
            batch_size,
            steps,
            seed: settings.seed.unwrap_or(0),
            order_seed: order_seed(settings.order_seed, batch_size)?,
            data_seed: settings.data_seed,
            on_warning: settings.on_warning,
            eval_every: settings.eval_every.unwrap_or(every),
            top: curvature.top,
            smallest: curvature.smallest,
            every,
            tolerance: curvature.tolerance,
            max_iterations: curvature.max_iterations,
            solver: curvature.solver,
            audit_every: curvature.audit_every,
            hvp: settings.hvp.unwrap_or_default(),
            samples: settings.samples,
            sharpness_batches: curvature.sharpness_batches,
            sharpness_error: curvature.sharpness_error,
            realized: settings.realized.unwrap_or_default(),
            perturbed_sharpness: curvature.perturbed_sharpness,
            midpoint_sharpness: curvature.midpoint_sharpness,
            mechanism: curvature.mechanism,
            measure: settings.measure.filter(|quantities| !quantities.0.is_empty()),
            spectrum_every: settings.spectrum_every,
            probes: settings.probes.unwrap_or(10),
            iterations: settings.iterations.unwrap_or(80),
            sigma: settings.sigma,
            backend: settings.backend.unwrap_or_default(),
            precision,
            chunk: settings.chunk,
            memory: settings.memory,
            checkpoint_every: settings.checkpoint_every,
            tensorboard: settings.tensorboard.unwrap_or(false),
        })
    }

    /// The learning rate of each step.
    pub fn learning_rate(&self) -> Schedule {
        let averaged = self.swa_start.filter(|_| self.schedule == ScheduleKind::Swa);
        Schedule {
            kind: self.schedule,
            lr: self.lr,
            warmup: self.warmup,
            steps: averaged.unwrap_or(self.steps),
            final_lr: self.final_lr.or(self.swa_lr).unwrap_or(0.0),
            decay_factor: self.decay_factor.unwrap_or(1.0),
            decay_every: self.decay_every.unwrap_or(1),
        }
    }

    /// The update rule for parameters of this layout, with the mean of weights around it where one is asked for.
    pub fn build_optimizer(&self, layout: &ParameterLayout) -> Box<dyn Optimizer> {
        let optimizer = self.optimizer.build_for(layout);
        match self.swa_start {
            Some(start) => Box::new(Averaged::new(optimizer, start, self.swa_every.unwrap_or(1))),
            None => optimizer,
        }
    }

    /// The weight decay, where there is any.
    pub fn decay(&self) -> Option<f64> {
        self.optimizer.hyperparameters.weight_decay.filter(|&decay| decay > 0.0)
    }

    /// The columns of the run's table, for parameters of this layout and so many classes.
    pub fn columns(&self, layout: &ParameterLayout, classes: usize) -> Columns {
        Columns {
            top: self.top,
            batch_sharpness_se: self.sharpness_batches.is_some(),
            batch_noise: self.sharpness_batches.is_some(),
            batch_grad_norm: self.batch_size.0.is_some(),
            components: self.top,
            realized_ratio: self.realized != Realized::Off,
            realized_ratio_midpoint: self.realized == Realized::Midpoint,
            midpoint_sharpness: self.midpoint_sharpness,
            midpoint_top: if self.midpoint_sharpness { self.top } else { 0 },
            mechanism: self.mechanism,
            batch_mechanism: self.mechanism && self.sharpness_batches.is_some(),
            perturbed_sharpness: self.perturbed_sharpness,
            clip_factor: self.optimizer.clip_norm.is_some(),
            measured: self.measure.iter().flat_map(|q| q.columns(layout, classes)).collect(),
        }
    }

    /// What the run computes, and where it is written: `config` in a manifest, whose keys are those of
    /// [`Settings`].
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] if it cannot be written as JSON.
    pub fn to_json(&self) -> Result<Value> {
        let Place { out, resume, name, force } = &self.place;
        let written = |path: &Option<PathBuf>| {
            serde_json::to_value(path).map_err(|error| not_written(&error))
        };
        let mut object = Map::new();
        for (key, value) in self.what()? {
            if key == "checkpoint_every" {
                object.insert("out".to_string(), written(out)?);
                object.insert("resume".to_string(), written(resume)?);
                object.insert("name".to_string(), json!(name));
            }
            object.insert(key, value);
        }
        object.insert("force".to_string(), json!(force));
        Ok(Value::Object(object))
    }

    /// Problem, optimizer and seed in a line: "mlp on digits, mse, sgd, lr 0.2, full batch, seed 0".
    pub fn in_words(&self) -> String {
        let (model, dataset, loss) = (self.model.kind(), &self.dataset, self.loss);
        let batch =
            self.batch_size.0.map_or("full batch".to_string(), |n| format!("batches of {n}"));
        let (optimizer, lr, seed) = (&self.optimizer.name, self.lr, self.seed);
        if let Some(objective) = self.objective() {
            return format!("{}, {optimizer}, lr {lr}, seed {seed}", objective.kind());
        }
        let classes = match self.data.classes.as_ref() {
            Some(chosen @ Classes::Chosen(_)) => format!(" (classes {chosen})"),
            _ => String::new(),
        };
        format!("{model} on {dataset}{classes}, {loss}, {optimizer}, lr {lr}, {batch}, seed {seed}")
    }

    /// What the run computes, by key, wherever it is written.
    ///
    /// # Errors
    /// As [`RunConfig::to_json`].
    pub fn what(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(mut what)) => {
                // Null would read back as the default, which with minibatches is not none.
                if self.batch_size.0.is_some() && self.sharpness_batches.is_none() {
                    what.insert("sharpness_batches".to_string(), json!(0));
                }
                if let Some(objective) = self.objective() {
                    what = of_objective(what, objective)?;
                }
                Ok(what)
            }
            Ok(other) => Err(not_written(&other)),
            Err(error) => Err(not_written(&error)),
        }
    }
}

/// The keys of a run over samples that one of an objective does not have.
const OF_SAMPLES: [&str; 20] = [
    "model",
    "dataset",
    "validation",
    "test",
    "loss",
    "train_size",
    "validation_size",
    "standardize",
    "points",
    "degree",
    "classes",
    "noise",
    "label_noise",
    "header",
    "target",
    "regression",
    "batch_size",
    "samples",
    "sharpness_batches",
    "sharpness_error",
];

/// The objective first, and nothing of samples.
fn of_objective(what: Map<String, Value>, objective: &ObjectiveSpec) -> Result<Map<String, Value>> {
    let objective = serde_json::to_value(objective).map_err(|error| not_written(&error))?;
    let others = what.into_iter();
    let others = others.filter(|(key, _)| !OF_SAMPLES.contains(&key.as_str()) && key != "chunk");
    Ok([("objective".to_string(), objective)].into_iter().chain(others).collect())
}

/// Full batches have no order.
fn order_seed(given: Option<u64>, batch_size: BatchSize) -> Result<Option<u64>> {
    match given {
        Some(seed) if batch_size.0.is_none() => {
            let problem = "training is full-batch, and has no order";
            Err(Error::setting("--order-seed", seed, problem, "give --batch-size as well"))
        }
        given => Ok(given),
    }
}

fn not_written(reason: &impl std::fmt::Display) -> Error {
    Error::Numerical { what: "writing JSON", reason: reason.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a manifest says reads back as what was computed.
    #[test]
    fn what_is_written_reads_back_the_same() {
        for settings in [
            json!({}),
            json!({"batch_size": 10}),
            json!({"batch_size": 10, "sharpness_batches": 0}),
            json!({"batch_size": "full", "sharpness_batches": 0}),
            json!({"batch_size": 10, "sharpness_batches": 3, "optimizer": "adam", "weight_decay": 0}),
            json!({"optimizer": "sam", "base": "momentum", "momentum": 0, "perturbed_sharpness": true}),
            json!({"schedule": "step", "decay_every": 7, "warmup": 3, "steps": 30}),
            json!({"schedule": "cosine", "final_lr": 0}),
            json!({"smallest": true, "top": 3, "precision": "f64", "tolerance": 1e-9, "every": 4}),
            json!({"mechanism": true, "midpoint_sharpness": true}),
            json!({"midpoint_sharpness": true, "batch_size": 10}),
            json!({"solver": "davidson", "audit_every": 7, "eval_every": 3, "samples": 20}),
            json!({"measure": [], "spectrum_every": 5, "sigma": 0.5, "on_warning": "stop"}),
            json!({"measure": "update_sharpness", "checkpoint_every": 3, "seed": 9, "hvp": "reverse"}),
            json!({"dataset": "blobs", "noise": 0.5, "classes": 4, "label_noise": 0.1, "standardize": true}),
            json!({"classes": [4, 0, 9], "label_noise": 0.1}),
            json!({"dataset": "digits", "standardize": false, "validation_size": 0, "model": "linear"}),
            json!({"dataset": "diabetes", "standardize": false, "chunk": 9, "memory": 64}),
            json!({"objective": "rosenbrock", "start": [0.5, -1], "optimizer": "adam"}),
            json!({"objective": {"kind": "quadratic", "spectrum": [3, 1e-3], "rotation": null}}),
        ] {
            let given: Settings = serde_json::from_value(settings.clone()).unwrap();
            let config = RunConfig::resolve(given).unwrap();
            let read = Settings::of_manifest(&config.to_json().unwrap()).unwrap();
            assert_eq!(RunConfig::resolve(read).unwrap(), config, "{settings}");
        }
    }
}
