//! Settings as given: each is a flag of `run` and a key of its JSON config.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::BatchSize;
use crate::error::Result;
use crate::input;
use crate::model::ModelSpec;

/// Settings of a run, each optional: flags win over the config file, and both over the defaults.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Model preset, or JSON file [default: mlp, a tanh MLP with two hidden layers of 64]
    #[arg(long, value_name = "NAME|FILE.json", help_heading = "Problem")]
    pub model: Option<ModelChoice>,
    /// Dataset, or CSV file (gzipped or not) whose last column is the class [default: digits]
    #[arg(long, value_name = "NAME|FILE", help_heading = "Problem")]
    pub dataset: Option<String>,
    /// Loss: mse (1/2 squared error summed over outputs) or ce (cross-entropy) [default: mse]
    #[arg(long, value_name = "mse|ce", help_heading = "Problem")]
    pub loss: Option<String>,
    /// Training samples, the first of a seeded shuffle [default: 1000, or 80% of a smaller dataset]
    #[arg(long, value_name = "N", help_heading = "Problem",
          allow_negative_numbers = true, value_parser = count)]
    pub train_size: Option<usize>,
    /// Validation samples, the next of the shuffle [default: all that are left]
    #[arg(long, value_name = "N", help_heading = "Problem",
          allow_negative_numbers = true, value_parser = count)]
    pub validation_size: Option<usize>,
    /// Scale each feature to mean 0 and variance 1 over the training samples
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "Problem")]
    pub standardize: Option<bool>,

    /// Optimizer: sgd, which is gradient descent when the batch is full [default: sgd]
    #[arg(long, value_name = "NAME", help_heading = "Training")]
    pub optimizer: Option<String>,
    /// Learning rate [default: 0.2]
    #[arg(long, value_name = "RATE", help_heading = "Training",
          allow_negative_numbers = true, value_parser = real)]
    pub lr: Option<f64>,
    /// Samples in a minibatch, or full [default: full]
    #[arg(long, value_name = "N|full", help_heading = "Training", allow_negative_numbers = true)]
    pub batch_size: Option<BatchSize>,
    /// Updates to take [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Training",
          allow_negative_numbers = true, value_parser = count)]
    pub steps: Option<usize>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training",
          allow_negative_numbers = true, value_parser = seed)]
    pub seed: Option<u64>,
    /// Evaluate validation every N steps, besides where curvature is measured [default: --every]
    #[arg(long, value_name = "N", help_heading = "Training",
          allow_negative_numbers = true, value_parser = count)]
    pub eval_every: Option<usize>,

    /// How many of the largest Hessian eigenvalues to log [default: 1]
    #[arg(long, value_name = "K", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub top: Option<usize>,
    /// Log the smallest eigenvalue too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "Curvature")]
    pub smallest: Option<bool>,
    /// Measure curvature every N steps [default: 1]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub every: Option<usize>,
    /// Relative residual at which an eigenvalue has converged [default: 1e-3]
    #[arg(long, value_name = "R", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = real)]
    pub tolerance: Option<f64>,
    /// Most Hessian-vector products in one measurement [default: 100]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub max_iterations: Option<usize>,
    /// Measure curvature on a fixed, seeded subset of N training samples [default: all of them]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub samples: Option<usize>,

    /// Device: auto takes a GPU if there is one, else the CPU [default: auto]
    #[arg(long, value_name = "auto|wgpu|cpu", help_heading = "Device")]
    pub backend: Option<String>,
    /// Precision: f32, or f64 for reference runs on the CPU [default: f32]
    #[arg(long, value_name = "f32|f64", help_heading = "Device")]
    pub precision: Option<String>,
    /// Most samples in one pass, on each CPU thread, which bounds memory [default: 256 on the CPU,
    /// 8192 on a GPU]
    #[arg(long, value_name = "N", help_heading = "Device",
          allow_negative_numbers = true, value_parser = count)]
    pub chunk: Option<usize>,

    /// Run directory to write [default: runs/TIME-NAME]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Name of the run, for its folder and figure [default: MODEL-DATASET-OPTIMIZER]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub name: Option<String>,
    /// Replace the files of a run that is already in --out
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "Output")]
    pub force: Option<bool>,
}

impl Settings {
    /// Reads a JSON config whose keys are the flags, underscores for dashes.
    ///
    /// # Errors
    /// [`crate::Error::File`] naming the line: unreadable, not JSON, an unknown key or a value of
    /// the wrong type.
    pub fn read(path: &Path) -> Result<Self> {
        const REMEDY: &str = "write settings as {\"lr\": 0.1, \"steps\": 200}; keys are the flags \
                              of 'sharpscope run --help', underscores for dashes";
        let text = input::read_text(path, "give a JSON config file")?;
        input::parse_json(&text, path, REMEDY)
    }

    /// These settings where given, else those of `other`.
    pub fn or(self, other: Settings) -> Self {
        Self {
            model: self.model.or(other.model),
            dataset: self.dataset.or(other.dataset),
            loss: self.loss.or(other.loss),
            train_size: self.train_size.or(other.train_size),
            validation_size: self.validation_size.or(other.validation_size),
            standardize: self.standardize.or(other.standardize),
            optimizer: self.optimizer.or(other.optimizer),
            lr: self.lr.or(other.lr),
            batch_size: self.batch_size.or(other.batch_size),
            steps: self.steps.or(other.steps),
            seed: self.seed.or(other.seed),
            eval_every: self.eval_every.or(other.eval_every),
            top: self.top.or(other.top),
            smallest: self.smallest.or(other.smallest),
            every: self.every.or(other.every),
            tolerance: self.tolerance.or(other.tolerance),
            max_iterations: self.max_iterations.or(other.max_iterations),
            samples: self.samples.or(other.samples),
            backend: self.backend.or(other.backend),
            precision: self.precision.or(other.precision),
            chunk: self.chunk.or(other.chunk),
            out: self.out.or(other.out),
            name: self.name.or(other.name),
            force: self.force.or(other.force),
        }
    }
}

/// A model by name or file, or written out in the config.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelChoice {
    /// A preset's name or a file's path.
    Named(String),
    /// The architecture itself.
    Spec(ModelSpec),
}

impl std::str::FromStr for ModelChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(ModelChoice::Named(text.to_string()))
    }
}

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Choice;

        impl<'de> de::Visitor<'de> for Choice {
            type Value = ModelChoice;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a preset's name, a file, or an object with \"kind\"")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<ModelChoice, E> {
                Ok(ModelChoice::Named(name.to_string()))
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<ModelChoice, A::Error> {
                let object = de::value::MapAccessDeserializer::new(map);
                ModelSpec::deserialize(object).map(ModelChoice::Spec)
            }
        }

        deserializer.deserialize_any(Choice)
    }
}

/// A number of things, from a flag.
fn count(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(|_| "not a whole number; give 1 or more".to_string())
}

fn seed(text: &str) -> std::result::Result<u64, String> {
    text.parse().map_err(|_| "not a whole number; give 0 or more".to_string())
}

fn real(text: &str) -> std::result::Result<f64, String> {
    text.parse().map_err(|_| "not a number; give one such as 0.1 or 1e-3".to_string())
}
