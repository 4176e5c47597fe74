//! Settings with every default filled in and every value checked.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{ModelChoice, Settings, Values};
use crate::data::{self, DataOptions};
use crate::device::{BackendChoice, Differentiation, Precision};
use crate::error::{Error, Result};
use crate::linalg::{AUDIT_EVERY, Lanczos};
use crate::model::ModelSpec;
use crate::names::choices;
use crate::optim::{Hyperparameters, OptimizerSpec, Schedule, ScheduleKind};
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
    /// Run directory.
    pub out: Option<PathBuf>,
    /// The run that is gone on with, where one is.
    pub resume: Option<PathBuf>,
    /// Name of the run.
    pub name: String,
    /// Steps between checkpoints; null for the last alone.
    pub checkpoint_every: Option<usize>,
    /// Whether an earlier run in the directory is replaced.
    pub force: bool,
}

/// Least tolerance in single precision: residuals of f32 products level off near 1e-7.
const LEAST_TOLERANCE_F32: f64 = 1e-6;
const LEAST_TOLERANCE_F64: f64 = 1e-12;

choices! {
    /// How the largest eigenvalues are found at each measurement.
    pub enum Solver ("solver") {
        /// Followed from the measurement before, by Davidson's method.
        Davidson = "davidson",
        /// Solved for from nothing, by the Lanczos method.
        Lanczos = "lanczos",
    }
}

impl RunConfig {
    /// Fills in defaults and checks every value that can be checked without the data.
    ///
    /// # Errors
    /// [`Error::UnknownName`], [`Error::Setting`] or [`Error::File`], naming the setting.
    pub fn resolve(settings: Settings) -> Result<Self> {
        let optimizer = resolve_optimizer(&settings)?;
        let smallest = settings.smallest.unwrap_or(false);
        let solver = solver(settings.solver, smallest)?;
        let (model, model_name) = match settings.model {
            None => (ModelSpec::load("mlp")?, "mlp".to_string()),
            Some(ModelChoice::Named(name)) => (ModelSpec::load(&name)?, stem(&name)),
            Some(ModelChoice::Spec(spec)) => {
                spec.validate()?;
                let kind = spec.kind().to_string();
                (spec, kind)
            }
        };
        let dataset = settings.dataset.unwrap_or_else(|| "digits".to_string());
        let default_loss = if data::is_text(&dataset) { Loss::Ce } else { Loss::Mse };
        let standardize = data::standardized_by_default(&dataset);
        let name = settings
            .name
            .unwrap_or_else(|| format!("{model_name}-{}-{}", stem(&dataset), optimizer.slug()));
        let schedule = one("--schedule", settings.schedule)?.unwrap_or_default();
        let falls = schedule.falls();
        let steps_down = schedule == ScheduleKind::Step;
        only_with(falls, "--final-lr", settings.final_lr, "cosine and linear")?;
        only_with(steps_down, "--decay-factor", settings.decay_factor, "step")?;
        only_with(steps_down, "--decay-every", settings.decay_every, "step")?;
        let steps = settings.steps.unwrap_or(1000);
        let batch_size = one("--batch-size", settings.batch_size)?.unwrap_or_default();
        let every = settings.every.unwrap_or(1);
        let config = Self {
            model,
            dataset,
            init: settings.init,
            loss: settings.loss.unwrap_or(default_loss),
            train_size: settings.train_size,
            validation_size: settings.validation_size,
            standardize: settings.standardize.unwrap_or(standardize),
            data: DataOptions {
                points: settings.points,
                degree: settings.degree,
                classes: settings.classes,
                noise: settings.noise,
                label_noise: settings.label_noise,
                target: settings.target,
                regression: settings.regression,
            },
            optimizer,
            lr: one("--lr", settings.lr)?.unwrap_or_else(|| optimizer.default_lr()),
            schedule,
            warmup: one("--warmup", settings.warmup)?.unwrap_or(0),
            final_lr: falls.then(|| settings.final_lr.unwrap_or(0.0)),
            decay_factor: steps_down.then(|| settings.decay_factor.unwrap_or(0.1)),
            decay_every: steps_down.then(|| settings.decay_every.unwrap_or((steps / 3).max(1))),
            batch_size,
            steps,
            seed: settings.seed.unwrap_or(0),
            on_warning: settings.on_warning,
            eval_every: settings.eval_every.unwrap_or(every),
            top: settings.top.unwrap_or(1),
            smallest,
            every,
            tolerance: settings.tolerance.unwrap_or(1e-3),
            max_iterations: settings
                .max_iterations
                .unwrap_or_else(|| Lanczos::usual_limit(settings.top.unwrap_or(1))),
            solver,
            audit_every: audit_every(settings.audit_every, solver)?,
            hvp: settings.hvp.unwrap_or_default(),
            samples: settings.samples,
            sharpness_batches: sharpness_batches(settings.sharpness_batches, batch_size)?,
            perturbed_sharpness: perturbed_sharpness(settings.perturbed_sharpness, &optimizer)?,
            spectrum_every: settings.spectrum_every,
            probes: settings.probes.unwrap_or(10),
            iterations: settings.iterations.unwrap_or(80),
            sigma: settings.sigma,
            backend: settings.backend.unwrap_or_default(),
            precision: settings.precision.unwrap_or_default(),
            chunk: settings.chunk,
            out: settings.out,
            resume: None,
            name,
            checkpoint_every: settings.checkpoint_every,
            force: settings.force.unwrap_or(false),
        };
        config.validate()?;
        Ok(config)
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
        }
    }

    fn validate(&self) -> Result<()> {
        let rates = [
            (
                "--sigma",
                self.sigma,
                f64::MIN_POSITIVE..=f64::MAX,
                "not a standard deviation",
                "above 0, such as 0.1",
            ),
            (
                "--final-lr",
                self.final_lr,
                0.0..=f64::MAX,
                "not a learning rate",
                "0 or more, such as 0.01",
            ),
            (
                "--decay-factor",
                self.decay_factor,
                f64::MIN_POSITIVE..=f64::MAX,
                "not a factor for a learning rate",
                "above 0, such as 0.1",
            ),
        ];
        for (flag, value, range, problem, remedy) in rates {
            if let Some(value) = value.filter(|value| !range.contains(value)) {
                let remedy = format!("give a finite number {remedy}");
                return Err(Error::setting(flag, format!("{value:?}"), problem, remedy));
            }
        }
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
            ("--audit-every", self.audit_every),
            ("--samples", self.samples),
            ("--chunk", self.chunk),
            ("--train-size", self.train_size),
            ("--batch-size", self.batch_size.0),
            ("--decay-every", self.decay_every),
            ("--spectrum-every", self.spectrum_every),
            ("--probes", Some(self.probes)),
            ("--iterations", Some(self.iterations)),
            ("--checkpoint-every", self.checkpoint_every),
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
        check_name(&self.name)?;
        Ok(())
    }
}

/// Refuses a name that cannot be a folder's.
pub(crate) fn check_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', '\\', '\0']) {
        let remedy = "give a name without slashes; --out sets the folder";
        return Err(Error::setting("--name", name, "not a folder's name", remedy));
    }
    Ok(())
}

/// The one value of a setting of a single run.
fn one<T: std::fmt::Display>(flag: &str, values: Option<Values<T>>) -> Result<Option<T>> {
    let Some(mut values) = values else { return Ok(None) };
    match (values.0.pop(), values.0.is_empty()) {
        (Some(value), true) => Ok(Some(value)),
        (None, _) => Err(Error::setting(flag, "[]", "no value", "give one, or leave it out")),
        (Some(last), false) => {
            values.0.push(last);
            let remedy = "give one, or compare them with 'sharpscope compare'";
            Err(Error::setting(flag, values, "a run takes one value", remedy))
        }
    }
}

/// The optimizer that the settings describe.
fn resolve_optimizer(settings: &Settings) -> Result<OptimizerSpec> {
    let name = one("--optimizer", settings.optimizer.clone())?;
    let number = |flag, values: &Option<Values<f64>>| one(flag, values.clone());
    let given = Hyperparameters {
        base: one("--base", settings.base.clone())?,
        momentum: number("--momentum", &settings.momentum)?,
        beta1: number("--beta1", &settings.beta1)?,
        beta2: number("--beta2", &settings.beta2)?,
        eps: number("--eps", &settings.eps)?,
        rho: number("--rho", &settings.rho)?,
        weight_decay: number("--weight-decay", &settings.weight_decay)?,
    };
    OptimizerSpec::resolve(name.as_deref().unwrap_or("sgd"), given)
}

fn only_with(
    takes: bool,
    flag: &str,
    value: Option<impl std::fmt::Debug>,
    schedules: &str,
) -> Result<()> {
    match value {
        Some(value) if !takes => {
            let remedy = format!("those that do: {schedules} (--schedule)");
            let problem = "this schedule does not take it";
            Err(Error::setting(flag, format!("{value:?}"), problem, remedy))
        }
        _ => Ok(()),
    }
}

fn sharpness_batches(given: Option<usize>, batch_size: BatchSize) -> Result<Option<usize>> {
    const FLAG: &str = "--sharpness-batches";
    const DEFAULT: usize = 16;
    match (given, batch_size.0) {
        (Some(0), _) | (None, None) => Ok(None),
        (Some(n), None) => {
            Err(Error::setting(FLAG, n, "training is full-batch", "give --batch-size as well"))
        }
        (Some(1), Some(_)) => {
            let problem = "one batch has no standard error";
            Err(Error::setting(FLAG, 1, problem, "give 2 or more, or 0 for none"))
        }
        (given, Some(_)) => Ok(Some(given.unwrap_or(DEFAULT))),
    }
}

fn solver(given: Option<Solver>, smallest: bool) -> Result<Solver> {
    let default = if smallest { Solver::Lanczos } else { Solver::Davidson };
    match given.unwrap_or(default) {
        Solver::Davidson if smallest => {
            let problem =
                "it follows the largest eigenvalues, and --smallest asks for the other end";
            let remedy = "use --solver lanczos, or leave --smallest out";
            Err(Error::setting("--solver", "davidson", problem, remedy))
        }
        solver => Ok(solver),
    }
}

fn audit_every(given: Option<usize>, solver: Solver) -> Result<Option<usize>> {
    match (given, solver) {
        (Some(n), Solver::Lanczos) => {
            let problem = "lanczos solves anew each time";
            Err(Error::setting(
                "--audit-every",
                n,
                problem,
                "leave it out, or use --solver davidson",
            ))
        }
        (given, Solver::Davidson) => Ok(Some(given.unwrap_or(AUDIT_EVERY))),
        (None, Solver::Lanczos) => Ok(None),
    }
}

fn perturbed_sharpness(given: Option<bool>, optimizer: &OptimizerSpec) -> Result<bool> {
    let given = given.unwrap_or(false);
    if given && optimizer.hyperparameters.rho.is_none() {
        let problem = format!("{} does not perturb", optimizer.name);
        let remedy = "those that do: sam, asam";
        return Err(Error::setting("--perturbed-sharpness", given, problem, remedy));
    }
    Ok(given)
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
            Some(size) => size.fmt(f),
            None => f.write_str("full"),
        }
    }
}

impl BatchSize {
    /// In words.
    pub fn describe(self) -> String {
        match self.0 {
            Some(size) => format!("batch {size}"),
            None => "full batch".to_string(),
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
