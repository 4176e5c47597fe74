//! Settings as given: each is a flag of `run` and a key of its JSON config.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, de};

use super::{BatchSize, Solver, Values};
use crate::device::{BackendChoice, Differentiation, Precision};
use crate::error::Result;
use crate::input;
use crate::model::ModelSpec;
use crate::names::Choice;
use crate::optim::{Base, ScheduleKind};
use crate::problem::Loss;
use crate::record::WarningAction;

/// Settings of a run, each optional: flags win over the config file, and both over the defaults.
/// A comparison may give several [`Values`] of some.
#[derive(Debug, Clone, Default, PartialEq, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Model preset, or JSON file [default: mlp, a tanh MLP with two hidden layers of 64]
    #[arg(long, value_name = "NAME|FILE.json", help_heading = "Problem")]
    pub model: Option<ModelChoice>,
    /// Dataset, or file: CSV whose last column is the class, images in IDX format with their labels
    /// beside them, or CIFAR-10's binary files [default: digits]
    #[arg(long, value_name = "NAME|FILE", help_heading = "Problem")]
    pub dataset: Option<String>,
    /// Initial weights, a safetensors file with the model's names and shapes [default: drawn from
    /// --seed]
    #[arg(long, value_name = "FILE.safetensors", help_heading = "Problem")]
    pub init: Option<PathBuf>,
    /// Loss: mse (1/2 squared error summed over outputs) or ce (cross-entropy) [default: mse; ce for
    /// text]
    #[arg(long, value_name = "mse|ce", help_heading = "Problem",
          value_parser = choice::<Loss>)]
    #[serde(deserialize_with = "named")]
    pub loss: Option<Loss>,
    /// Training samples, the first of a seeded shuffle; windows of a text [default: 1000 (500
    /// windows of a text), or 80% of a smaller dataset]
    #[arg(long, value_name = "N", help_heading = "Problem",
          allow_negative_numbers = true, value_parser = count)]
    pub train_size: Option<usize>,
    /// Validation samples, the next of the shuffle; of a text, a stretch of windows [default: all that
    /// are left, and at most 500 windows]
    #[arg(long, value_name = "N", help_heading = "Problem",
          allow_negative_numbers = true, value_parser = count)]
    pub validation_size: Option<usize>,
    /// Scale each feature, and targets that are numbers, to mean 0 and variance 1 over the training
    /// samples [default: true for diabetes]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "Problem")]
    pub standardize: Option<bool>,

    /// Points of a generated dataset [default: 20 for chebyshev, 500 for blobs, moons and spirals]
    #[arg(long, value_name = "N", help_heading = "Data",
          allow_negative_numbers = true, value_parser = count)]
    pub points: Option<usize>,
    /// Degree of chebyshev's polynomial [default: 5]
    #[arg(long, value_name = "K", help_heading = "Data",
          allow_negative_numbers = true, value_parser = count)]
    pub degree: Option<usize>,
    /// Classes of blobs and spirals [default: 3]
    #[arg(long, value_name = "N", help_heading = "Data",
          allow_negative_numbers = true, value_parser = count)]
    pub classes: Option<usize>,
    /// Standard deviation of the points of blobs, moons and spirals about their curve [default: 0.3,
    /// 0.1 and 0.05]
    #[arg(long, value_name = "S", help_heading = "Data",
          allow_negative_numbers = true, value_parser = real)]
    pub noise: Option<f64>,
    /// Share of the training labels that is replaced by other classes [default: 0]
    #[arg(long, value_name = "SHARE", help_heading = "Data",
          allow_negative_numbers = true, value_parser = real)]
    pub label_noise: Option<f64>,
    /// Target column of a CSV file: a name in its header, or a number from 1 [default: the last]
    #[arg(long, value_name = "COLUMN", help_heading = "Data", allow_negative_numbers = true)]
    #[serde(deserialize_with = "name_or_number")]
    pub target: Option<String>,
    /// The target of a CSV file is a number, not a class
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "Data")]
    pub regression: Option<bool>,

    /// Optimizer: sgd (gradient descent when the batch is full), momentum, nesterov, ema-momentum,
    /// adam, adamw, rmsprop, adagrad, sam or asam [default: sgd]
    #[arg(long, alias = "optimizers", value_name = "NAME", help_heading = "Training",
          value_parser = names)]
    #[serde(alias = "optimizers")]
    pub optimizer: Option<Values<String>>,
    /// Learning rate [default: 0.2; 0.02 for momentum and nesterov, 0.01 for adagrad, 0.001 for
    /// adam, adamw and rmsprop]
    #[arg(long, value_name = "RATE", help_heading = "Training",
          allow_negative_numbers = true, value_parser = reals)]
    pub lr: Option<Values<f64>>,
    /// Samples in a minibatch, or full [default: full]
    #[arg(long, value_name = "N|full", help_heading = "Training",
          allow_negative_numbers = true, value_parser = Values::<BatchSize>::split)]
    pub batch_size: Option<Values<BatchSize>>,
    /// Updates to take [default: 1000]
    #[arg(long, value_name = "N", help_heading = "Training",
          allow_negative_numbers = true, value_parser = count)]
    pub steps: Option<usize>,
    /// Seed of everything random [default: 0]
    #[arg(long, value_name = "N", help_heading = "Training",
          allow_negative_numbers = true, value_parser = seed)]
    pub seed: Option<u64>,
    /// Where a loss spike is warned of: stop (with a checkpoint), halve-lr (from the next update to the
    /// end) or checkpoint [default: nothing]
    #[arg(long, value_name = "stop|halve-lr|checkpoint", help_heading = "Training",
          value_parser = choice::<WarningAction>)]
    #[serde(deserialize_with = "named")]
    pub on_warning: Option<WarningAction>,
    /// Evaluate validation every N steps, besides where curvature is measured [default: --every]
    #[arg(long, value_name = "N", help_heading = "Training",
          allow_negative_numbers = true, value_parser = count)]
    pub eval_every: Option<usize>,

    /// What sam and asam step with: sgd, momentum or adam [default: sgd]
    #[arg(long, value_name = "NAME", help_heading = "Optimizer", value_parser = Values::<Base>::choices)]
    pub base: Option<Values<Base>>,
    /// Momentum beta [default: 0.9]
    #[arg(long, value_name = "BETA", help_heading = "Optimizer",
          allow_negative_numbers = true, value_parser = reals)]
    pub momentum: Option<Values<f64>>,
    /// Decay of Adam's first moment [default: 0.9]
    #[arg(long, value_name = "BETA", help_heading = "Optimizer",
          allow_negative_numbers = true, value_parser = reals)]
    pub beta1: Option<Values<f64>>,
    /// Decay of the second moment [default: 0.999; 0.99 for rmsprop]
    #[arg(long, value_name = "BETA", help_heading = "Optimizer",
          allow_negative_numbers = true, value_parser = reals)]
    pub beta2: Option<Values<f64>>,
    /// Added to an adaptive optimizer's denominator [default: 1e-8; 1e-10 for adagrad]
    #[arg(long, value_name = "EPS", help_heading = "Optimizer",
          allow_negative_numbers = true, value_parser = reals)]
    pub eps: Option<Values<f64>>,
    /// Ascent radius [default: 0.05 for sam, 0.5 for asam]
    #[arg(long, value_name = "RHO", help_heading = "Optimizer",
          allow_negative_numbers = true, value_parser = reals)]
    pub rho: Option<Values<f64>>,
    /// Weight decay lambda: decoupled for adamw, else added to the gradient [default: 0; 0.01 for
    /// adamw]
    #[arg(long, value_name = "LAMBDA", help_heading = "Optimizer",
          allow_negative_numbers = true, value_parser = reals)]
    pub weight_decay: Option<Values<f64>>,
    /// Learning rate after the warm-up: constant, cosine, linear or step [default: constant]
    #[arg(long, value_name = "NAME", help_heading = "Learning rate", value_parser = Values::<ScheduleKind>::choices)]
    pub schedule: Option<Values<ScheduleKind>>,
    /// Steps over which the learning rate rises from near 0 to --lr [default: 0]
    #[arg(long, value_name = "N", help_heading = "Learning rate",
          allow_negative_numbers = true, value_parser = counts)]
    pub warmup: Option<Values<usize>>,
    /// Learning rate that cosine and linear end at [default: 0]
    #[arg(long, value_name = "RATE", help_heading = "Learning rate",
          allow_negative_numbers = true, value_parser = real)]
    pub final_lr: Option<f64>,
    /// What schedule step multiplies the learning rate by [default: 0.1]
    #[arg(long, value_name = "FACTOR", help_heading = "Learning rate",
          allow_negative_numbers = true, value_parser = real)]
    pub decay_factor: Option<f64>,
    /// After how many steps it does, each time [default: a third of --steps]
    #[arg(long, value_name = "N", help_heading = "Learning rate",
          allow_negative_numbers = true, value_parser = count)]
    pub decay_every: Option<usize>,

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
    /// Most Hessian-vector products in one measurement [default: 20 for each eigenvalue and one more, at
    /// least 100]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub max_iterations: Option<usize>,
    /// How the largest eigenvalues are found: davidson follows them from step to step, lanczos solves
    /// for them anew each time [default: davidson, or lanczos with --smallest]
    #[arg(long, value_name = "davidson|lanczos", help_heading = "Curvature",
          value_parser = choice::<Solver>)]
    #[serde(deserialize_with = "named")]
    pub solver: Option<Solver>,
    /// Measurements between audits of the eigenvalues that davidson follows, by a solve from nothing
    /// [default: 50]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub audit_every: Option<usize>,
    /// How Hessian-vector products are differentiated: forward over reverse, or reverse over reverse
    /// [default: forward]
    #[arg(long, value_name = "forward|reverse", help_heading = "Curvature",
          value_parser = choice::<Differentiation>)]
    #[serde(deserialize_with = "named")]
    pub hvp: Option<Differentiation>,
    /// Measure curvature on a fixed, seeded subset of N training samples [default: all of them]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub samples: Option<usize>,
    /// Minibatches over which batch sharpness is averaged, with minibatch training; 0 for none
    /// [default: 16]
    #[arg(long, value_name = "N", help_heading = "Curvature",
          allow_negative_numbers = true, value_parser = count)]
    pub sharpness_batches: Option<usize>,
    /// With sam or asam, log the sharpness at the perturbed point too
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_missing_value = "true", help_heading = "Curvature")]
    pub perturbed_sharpness: Option<bool>,

    /// Measure the density of the whole spectrum every N steps [default: never]
    #[arg(long, value_name = "N", help_heading = "Spectrum",
          allow_negative_numbers = true, value_parser = count)]
    pub spectrum_every: Option<usize>,
    /// Random probes of a density, each of which takes --iterations products [default: 10]
    #[arg(long, value_name = "N", help_heading = "Spectrum",
          allow_negative_numbers = true, value_parser = count)]
    pub probes: Option<usize>,
    /// Lanczos steps for each probe [default: 80]
    #[arg(long, value_name = "N", help_heading = "Spectrum",
          allow_negative_numbers = true, value_parser = count)]
    pub iterations: Option<usize>,
    /// Standard deviation that a density is smoothed with, in units of eigenvalues [default: 1% of
    /// their range]
    #[arg(long, value_name = "S", help_heading = "Spectrum",
          allow_negative_numbers = true, value_parser = real)]
    pub sigma: Option<f64>,

    /// Device: auto takes a GPU if there is one, else the CPU [default: auto]
    #[arg(long, value_name = "auto|wgpu|cpu", help_heading = "Device",
          value_parser = choice::<BackendChoice>)]
    #[serde(deserialize_with = "named")]
    pub backend: Option<BackendChoice>,
    /// Precision: f32, or f64 for reference runs on the CPU [default: f32]
    #[arg(long, value_name = "f32|f64", help_heading = "Device",
          value_parser = choice::<Precision>)]
    #[serde(deserialize_with = "named")]
    pub precision: Option<Precision>,
    /// Most samples in one pass, on each CPU thread, which bounds memory [default: 256 on the CPU,
    /// 8192 on a GPU]
    #[arg(long, value_name = "N", help_heading = "Device",
          allow_negative_numbers = true, value_parser = count)]
    pub chunk: Option<usize>,

    /// Run directory to write [default: runs/TIME-NAME]
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub out: Option<PathBuf>,
    /// Go on with the stopped run in this directory, from its latest complete checkpoint
    #[arg(long, value_name = "DIR", help_heading = "Output")]
    pub resume: Option<PathBuf>,
    /// Name of the run, for its folder and figure [default: MODEL-DATASET-OPTIMIZER]
    #[arg(long, value_name = "NAME", help_heading = "Output")]
    pub name: Option<String>,
    /// Write a checkpoint every N steps, besides the one at the end [default: never]
    #[arg(long, value_name = "N", help_heading = "Output",
          allow_negative_numbers = true, value_parser = count)]
    pub checkpoint_every: Option<usize>,
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
            init: self.init.or(other.init),
            loss: self.loss.or(other.loss),
            train_size: self.train_size.or(other.train_size),
            validation_size: self.validation_size.or(other.validation_size),
            standardize: self.standardize.or(other.standardize),
            points: self.points.or(other.points),
            degree: self.degree.or(other.degree),
            classes: self.classes.or(other.classes),
            noise: self.noise.or(other.noise),
            label_noise: self.label_noise.or(other.label_noise),
            target: self.target.or(other.target),
            regression: self.regression.or(other.regression),
            optimizer: self.optimizer.or(other.optimizer),
            lr: self.lr.or(other.lr),
            batch_size: self.batch_size.or(other.batch_size),
            steps: self.steps.or(other.steps),
            base: self.base.or(other.base),
            momentum: self.momentum.or(other.momentum),
            beta1: self.beta1.or(other.beta1),
            beta2: self.beta2.or(other.beta2),
            eps: self.eps.or(other.eps),
            rho: self.rho.or(other.rho),
            weight_decay: self.weight_decay.or(other.weight_decay),
            schedule: self.schedule.or(other.schedule),
            warmup: self.warmup.or(other.warmup),
            final_lr: self.final_lr.or(other.final_lr),
            decay_factor: self.decay_factor.or(other.decay_factor),
            decay_every: self.decay_every.or(other.decay_every),
            seed: self.seed.or(other.seed),
            on_warning: self.on_warning.or(other.on_warning),
            eval_every: self.eval_every.or(other.eval_every),
            top: self.top.or(other.top),
            smallest: self.smallest.or(other.smallest),
            every: self.every.or(other.every),
            tolerance: self.tolerance.or(other.tolerance),
            max_iterations: self.max_iterations.or(other.max_iterations),
            solver: self.solver.or(other.solver),
            audit_every: self.audit_every.or(other.audit_every),
            hvp: self.hvp.or(other.hvp),
            samples: self.samples.or(other.samples),
            sharpness_batches: self.sharpness_batches.or(other.sharpness_batches),
            perturbed_sharpness: self.perturbed_sharpness.or(other.perturbed_sharpness),
            spectrum_every: self.spectrum_every.or(other.spectrum_every),
            probes: self.probes.or(other.probes),
            iterations: self.iterations.or(other.iterations),
            sigma: self.sigma.or(other.sigma),
            backend: self.backend.or(other.backend),
            precision: self.precision.or(other.precision),
            chunk: self.chunk.or(other.chunk),
            out: self.out.or(other.out),
            resume: self.resume.or(other.resume),
            name: self.name.or(other.name),
            checkpoint_every: self.checkpoint_every.or(other.checkpoint_every),
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

/// A column by name or by number, as the flag's text.
fn name_or_number<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<String>, D::Error> {
    struct Column;

    impl<'de> de::Visitor<'de> for Column {
        type Value = Option<String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("a column's name or number")
        }

        fn visit_unit<E: de::Error>(self) -> std::result::Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> std::result::Result<Self::Value, E> {
            Ok(Some(number.to_string()))
        }

        fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Self::Value, E> {
            Ok(Some(name.to_string()))
        }
    }

    deserializer.deserialize_any(Column)
}

/// A choice by its name, an unknown one being refused with the nearest.
fn named<'de, T: Choice, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<Option<T>, D::Error> {
    let name: Option<String> = Deserialize::deserialize(deserializer)?;
    name.map(|name| T::named(&name).map_err(de::Error::custom)).transpose()
}

/// A choice, from a flag.
pub(crate) fn choice<T: Choice>(name: &str) -> std::result::Result<T, String> {
    T::named(name).map_err(|error| error.to_string())
}

/// A number of things, from a flag.
pub(super) fn count(text: &str) -> std::result::Result<usize, String> {
    text.parse().map_err(|_| "not a whole number; give 1 or more".to_string())
}

fn seed(text: &str) -> std::result::Result<u64, String> {
    text.parse().map_err(|_| "not a whole number; give 0 or more".to_string())
}

fn real(text: &str) -> std::result::Result<f64, String> {
    text.trim().parse().map_err(|_| "not a number; give one such as 0.1 or 1e-3".to_string())
}

fn reals(text: &str) -> std::result::Result<Values<f64>, String> {
    text.split(',').map(real).collect::<std::result::Result<_, _>>().map(Values)
}

fn counts(text: &str) -> std::result::Result<Values<usize>, String> {
    text.split(',')
        .map(|part| count(part.trim()))
        .collect::<std::result::Result<_, _>>()
        .map(Values)
}

fn names(text: &str) -> std::result::Result<Values<String>, std::convert::Infallible> {
    Values::split(text)
}
