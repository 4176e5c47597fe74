//! Settings with every default filled in and every value checked.

use std::path::PathBuf;

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::resolve::{Curvature, Problem, Rate, one, optimizer};
use super::{BatchSize, Place, Quantities, Settings};
use crate::data::DataOptions;
use crate::device::{BackendChoice, Differentiation, Precision};
use crate::error::{Error, Result};
use crate::linalg::Solver;
use crate::model::ModelSpec;
use crate::optim::{OptimizerSpec, Schedule, ScheduleKind};
use crate::problem::Loss;
use crate::record::{Columns, WarningAction};

/// A run's configuration. Fields whose default depends on the data are `None` until
/// [`crate::experiment::prepare`] has seen it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunConfig {
    /// The architecture.
    pub model: ModelSpec,
    /// Dataset name or file.
    pub dataset: String,
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
    /// Samples in a minibatch.
    pub batch_size: BatchSize,
    /// Updates.
    pub steps: usize,
    /// Seed of everything random.
    pub seed: u64,
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
    /// Minibatches that batch sharpness is averaged over; null where it is not measured.
    pub sharpness_batches: Option<usize>,
    /// Whether sharpness is measured at SAM's perturbed point too.
    pub perturbed_sharpness: bool,
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
    /// Where it is written; no part of what is compared or serialised.
    #[serde(skip)]
    pub place: Place,
}

impl RunConfig {
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
            decay_factor: rate.decay_factor,
            decay_every: rate.decay_every,
            batch_size,
            steps,
            seed: settings.seed.unwrap_or(0),
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
            perturbed_sharpness: curvature.perturbed_sharpness,
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
        })
    }

    /// The learning rate of each step.
    pub fn learning_rate(&self) -> Schedule {
        Schedule {
            kind: self.schedule,
            lr: self.lr,
            warmup: self.warmup,
            steps: self.steps,
            final_lr: self.final_lr.unwrap_or(0.0),
            decay_factor: self.decay_factor.unwrap_or(1.0),
            decay_every: self.decay_every.unwrap_or(1),
        }
    }

    /// The columns of the run's table.
    pub fn columns(&self) -> Columns {
        Columns {
            top: self.top,
            batch_sharpness_se: self.sharpness_batches.is_some(),
            perturbed_sharpness: self.perturbed_sharpness,
            measured: self.measure.iter().flat_map(Quantities::columns).collect(),
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

    /// What the run computes, by key, wherever it is written.
    ///
    /// # Errors
    /// As [`RunConfig::to_json`].
    pub fn what(&self) -> Result<Map<String, Value>> {
        match serde_json::to_value(self) {
            Ok(Value::Object(what)) => Ok(what),
            Ok(other) => Err(not_written(&other)),
            Err(error) => Err(not_written(&error)),
        }
    }
}

fn not_written(reason: &impl std::fmt::Display) -> Error {
    Error::Numerical { what: "writing JSON", reason: reason.to_string() }
}
