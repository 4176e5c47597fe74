//! Settings with every default filled in and every value checked.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ModelChoice, Settings};
use crate::autodiff::Precision;
use crate::backend::BackendChoice;
use crate::error::{Error, Result};
use crate::model::ModelSpec;
use crate::optim;
use crate::task::Loss;

/// A run's configuration. Fields whose default depends on the data are `None` until
/// [`crate::run::prepare`] has seen it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunConfig {
    /// The architecture.
    pub model: ModelSpec,
    /// Dataset name or file.
    pub dataset: String,
    /// The loss.
    pub loss: Loss,
    /// Training samples.
    pub train_size: Option<usize>,
    /// Validation samples.
    pub validation_size: Option<usize>,
    /// Whether features are standardised.
    pub standardize: bool,
    /// Optimizer name.
    pub optimizer: String,
    /// Learning rate.
    pub lr: f64,
    /// Samples in a minibatch.
    pub batch_size: BatchSize,
    /// Updates.
    pub steps: usize,
    /// Seed of everything random.
    pub seed: u64,
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
    /// Training samples that curvature is measured on.
    pub samples: Option<usize>,
    /// Device asked for.
    pub backend: BackendChoice,
    /// Precision.
    pub precision: Precision,
    /// Samples in a chunk.
    pub chunk: Option<usize>,
    /// Run directory.
    pub out: Option<PathBuf>,
    /// Name of the run.
    pub name: String,
    /// Whether an earlier run in the directory is replaced.
    pub force: bool,
}

/// Least tolerance in single precision: residuals of f32 products level off near 1e-7.
const LEAST_TOLERANCE_F32: f64 = 1e-6;
const LEAST_TOLERANCE_F64: f64 = 1e-12;

impl RunConfig {
    /// Fills in defaults and checks every value that can be checked without the data.
    ///
    /// # Errors
    /// [`Error::UnknownName`], [`Error::Setting`] or [`Error::File`], naming the setting.
    pub fn resolve(settings: Settings) -> Result<Self> {
        let (model, model_name) = match settings.model {
            None => (ModelSpec::load("mlp")?, "mlp".to_string()),
            Some(ModelChoice::Named(name)) => (ModelSpec::load(&name)?, stem(&name)),
            Some(ModelChoice::Spec(spec)) => {
                spec.validate()?;
                (spec, "mlp".to_string())
            }
        };
        let dataset = settings.dataset.unwrap_or_else(|| "digits".to_string());
        let optimizer = settings.optimizer.unwrap_or_else(|| "sgd".to_string());
        optim::optimizer(&optimizer)?;
        let name =
            settings.name.unwrap_or_else(|| format!("{model_name}-{}-{optimizer}", stem(&dataset)));
        let every = settings.every.unwrap_or(1);
        let config = Self {
            model,
            dataset,
            loss: named("loss", settings.loss, "mse", &Loss::NAMES)?,
            train_size: settings.train_size,
            validation_size: settings.validation_size,
            standardize: settings.standardize.unwrap_or(false),
            optimizer,
            lr: settings.lr.unwrap_or(0.2),
            batch_size: settings.batch_size.unwrap_or_default(),
            steps: settings.steps.unwrap_or(1000),
            seed: settings.seed.unwrap_or(0),
            eval_every: settings.eval_every.unwrap_or(every),
            top: settings.top.unwrap_or(1),
            smallest: settings.smallest.unwrap_or(false),
            every,
            tolerance: settings.tolerance.unwrap_or(1e-3),
            max_iterations: settings.max_iterations.unwrap_or(100),
            samples: settings.samples,
            backend: named("backend", settings.backend, "auto", &BackendChoice::NAMES)?,
            precision: named("precision", settings.precision, "f32", &["f32", "f64"])?,
            chunk: settings.chunk,
            out: settings.out,
            name,
            force: settings.force.unwrap_or(false),
        };
        config.validate()?;
        Ok(config)
    }

    fn validate(&self) -> Result<()> {
        if !(self.lr.is_finite() && self.lr > 0.0) {
            let remedy = "give a finite rate above 0, such as 0.2";
            return Err(Error::setting(
                "--lr",
                format!("{:?}", self.lr),
                "not a learning rate",
                remedy,
            ));
        }
        let least = match self.precision {
            Precision::F32 => LEAST_TOLERANCE_F32,
            Precision::F64 => LEAST_TOLERANCE_F64,
        };
        if !(self.tolerance >= least && self.tolerance < 1.0) {
            let problem = "outside of what this precision can meet";
            let shown = format!("{:?}", self.tolerance);
            let remedy = match self.precision {
                Precision::F32 => "give 1e-6 or more and below 1 (--precision f64 goes to 1e-12)",
                Precision::F64 => "give 1e-12 or more and below 1",
            };
            return Err(Error::setting("--tolerance", shown, problem, remedy));
        }
        let at_least_one = [
            ("--steps", Some(self.steps)),
            ("--every", Some(self.every)),
            ("--eval-every", Some(self.eval_every)),
            ("--top", Some(self.top)),
            ("--max-iterations", Some(self.max_iterations)),
            ("--samples", self.samples),
            ("--chunk", self.chunk),
            ("--train-size", self.train_size),
            ("--batch-size", self.batch_size.0),
        ];
        for (flag, value) in at_least_one {
            if value == Some(0) {
                return Err(Error::setting(flag, 0, "must not be zero", "give 1 or more"));
            }
        }
        let wanted = self.top + usize::from(self.smallest);
        if self.max_iterations < wanted {
            let problem = format!("{wanted} eigenvalues need at least as many products");
            let remedy = "raise it or lower --top";
            return Err(Error::setting("--max-iterations", self.max_iterations, problem, remedy));
        }
        if self.steps > u32::MAX as usize {
            let remedy = format!("give at most {}", u32::MAX);
            return Err(Error::setting("--steps", self.steps, "too many", remedy));
        }
        if self.name.is_empty() || self.name.contains(['/', '\\', '\0']) {
            let remedy = "give a name without slashes; --out sets the folder";
            return Err(Error::setting("--name", &self.name, "not a folder's name", remedy));
        }
        Ok(())
    }
}

/// The value that `given` (or `default`) names, through its serde name.
fn named<T: de::DeserializeOwned>(
    what: &'static str,
    given: Option<String>,
    default: &str,
    names: &[&str],
) -> Result<T> {
    let name = given.as_deref().unwrap_or(default);
    serde_json::from_value(serde_json::Value::String(name.to_string()))
        .map_err(|_| Error::unknown_name(what, name, names))
}

fn stem(name_or_file: &str) -> String {
    let file = Path::new(name_or_file).file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().to_string()
}

/// Samples in a minibatch; `None` for the full batch, written `full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSize(pub Option<usize>);

impl std::fmt::Display for BatchSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(size) => write!(f, "batch {size}"),
            None => f.write_str("full batch"),
        }
    }
}

impl std::str::FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "full" => Ok(BatchSize(None)),
            number => match number.parse() {
                Ok(samples) => Ok(BatchSize(Some(samples))),
                Err(_) => Err("give a number of samples or 'full'".to_string()),
            },
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Size;

        fn parse<E: de::Error>(text: impl ToString) -> std::result::Result<BatchSize, E> {
            let text = text.to_string();
            text.parse().map_err(|e| E::custom(format!("batch_size = {text}: {e}")))
        }

        impl de::Visitor<'_> for Size {
            type Value = BatchSize;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of samples or \"full\" for batch_size")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<BatchSize, E> {
                parse(text)
            }

            fn visit_u64<E: de::Error>(self, samples: u64) -> std::result::Result<BatchSize, E> {
                parse(samples)
            }

            fn visit_i64<E: de::Error>(self, samples: i64) -> std::result::Result<BatchSize, E> {
                parse(samples)
            }

            fn visit_f64<E: de::Error>(self, samples: f64) -> std::result::Result<BatchSize, E> {
                parse(samples)
            }
        }

        deserializer.deserialize_any(Size)
    }
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Some(samples) => serializer.serialize_u64(samples as u64),
            None => serializer.serialize_str("full"),
        }
    }
}
