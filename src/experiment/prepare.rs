//! Everything that can be checked before anything is written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rand::seq::SliceRandom;

use crate::config::RunConfig;
use crate::curvature::{BatchSharpness, CurvatureMeter, Matrix, SpectrumMeter};
use crate::data::{Dataset, Inputs, Split, Standardisation, Targets};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::linalg::{AUDIT_EVERY, Extremes, StochasticLanczos};
use crate::model::initial_parameters;
use crate::optim::StabilityOperator;
use crate::problem::{Loss, Problem, Supervised, supervised};
use crate::profile::{StepMeter, TrainingState};
use crate::rng::{self, Stream};
use crate::rundir::{RunDirectory, read_safetensors};
use crate::train::{TrainSettings, Trainer};

/// A run that is ready to start.
pub struct Prepared {
    /// The configuration with every default filled in but the output folder.
    pub config: RunConfig,
    /// The device it runs on.
    pub device: Device,
    /// The samples, scaled.
    pub dataset: Arc<Dataset>,
    /// Which of them train and which validate.
    pub split: Split,
    /// Rows that curvature is measured on, where those are not the training samples.
    pub curvature_samples: Option<Vec<usize>>,
    /// The losses.
    pub problem: Problem,
    /// Initial parameters, in the precision of the run.
    pub theta: Vec<f64>,
    /// What the user should know of what could not be done as asked, if anything.
    pub notice: Option<String>,
}

/// Loads the data, opens the device and uploads the problem.
///
/// # Errors
/// Every error of the input that [`RunConfig::resolve`] cannot see: data, sizes, device.
pub fn prepare(mut config: RunConfig) -> Result<Prepared> {
    let (dataset, split) = load_data(&mut config)?;
    let train_size = split.train.len();
    check_at_most("--batch-size", config.batch_size.0, train_size, "training samples")?;
    check_at_most("--samples", config.samples, train_size, "training samples")?;
    check_at_most("--chunk", config.chunk, dataset.len(), "samples in the dataset")?;
    let (inputs, outputs) = (dataset.input_shape(), dataset.outputs());
    let parameters = config.model.parameters(inputs, outputs)?;
    check_at_most("--top", Some(config.top), parameters, "parameters in the model")?;
    if let Some(out) = &config.place.out {
        RunDirectory::check(out, config.place.force)?;
    }
    tracing::debug!(
        dataset = config.dataset,
        train = split.train.len(),
        validation = split.validation.len(),
        %inputs,
        outputs,
        "data loaded"
    );

    let device = Device::open(config.backend, config.precision)?.with_differentiation(config.hvp);
    let device = match config.memory {
        Some(mebibytes) => device.with_memory(mebibytes.saturating_mul(1 << 20)),
        None => device,
    };
    tracing::debug!(backend = device.backend(), adapter = device.adapter(), "device opened");
    let dataset = Arc::new(dataset);
    let task = Arc::new(Supervised {
        model: config.model.clone(),
        data: Arc::clone(&dataset),
        loss: config.loss,
    });
    // The default is the training samples' own, written out: others have theirs.
    let default = device.chunk(&*task, train_size, None)?;
    let chunk = config.chunk.filter(|&chunk| chunk != default);
    let objective = |samples: &[usize]| {
        let chunk = device.chunk(&*task, samples.len(), chunk)?;
        supervised(&device, &task, samples.to_vec(), chunk)
    };
    let curvature_samples = config
        .samples
        .filter(|&n| n < train_size)
        .map(|n| curvature_subset(&split.train, n, config.seed));
    let problem = Problem {
        train: objective(&split.train)?,
        validation: match split.validation.is_empty() {
            true => None,
            false => Some(objective(&split.validation)?),
        },
        curvature: match &curvature_samples {
            Some(samples) => Some(objective(samples)?),
            None => None,
        },
    };

    let theta = match &config.init {
        Some(path) => read_safetensors(path, problem.train.layout())?,
        None => {
            let mut weights = rng::stream(config.seed, Stream::Initialisation);
            initial_parameters(&config.model, inputs, outputs, &mut weights)?
        }
    };
    let theta = theta.into_iter().map(|w| config.precision.round(w)).collect();

    tracing::debug!(parameters, "problem uploaded");

    config.samples = Some(config.samples.unwrap_or(train_size));
    let asked = config.chunk;
    let chunk = device.chunk(&*task, train_size, asked)?;
    config.chunk = Some(chunk);
    let cut = asked.filter(|&asked| asked > chunk);
    let notice = cut.zip(device.largest_tensor()).map(|(asked, most)| {
        format!(
            "--chunk {asked}: {chunk} samples at a time instead, {} holds no tensor above {most}",
            device.adapter()
        )
    });
    Ok(Prepared { config, device, dataset, split, curvature_samples, problem, theta, notice })
}

impl Prepared {
    /// The eigensolver as configured.
    pub fn meter(&self) -> CurvatureMeter {
        let config = &self.config;
        CurvatureMeter {
            extremes: Extremes {
                largest: config.top,
                smallest: usize::from(config.smallest),
                tolerance: config.tolerance,
                max_products: config.max_iterations,
            },
            solver: config.solver,
            audit_every: config.audit_every.unwrap_or(AUDIT_EVERY),
            seed: config.seed,
        }
    }

    /// How spectra are measured, of the plain Hessian.
    pub fn spectrum_meter(&self) -> SpectrumMeter {
        let config = &self.config;
        let (probes, iterations) = (config.probes, config.iterations);
        SpectrumMeter {
            quadrature: StochasticLanczos { probes, iterations },
            sigma: config.sigma,
            matrix: Matrix::Hessian,
            operator: StabilityOperator::default(),
            group: None,
            top: config.top,
            tolerance: config.tolerance,
            max_iterations: config.max_iterations,
            trace_accuracy: 0.02,
            trace_products: 120,
            seed: config.seed,
        }
    }

    /// The training of it from the initial parameters, and where it starts.
    pub fn trainer(self, interrupted: &AtomicBool) -> (Trainer<'_>, TrainingState) {
        let settings = self.train_settings();
        let optimizer = self.config.optimizer.build();
        let trainer = Trainer { settings, optimizer, problem: self.problem, interrupted };
        (trainer, TrainingState::initial(self.theta))
    }

    /// The training loop's part of the configuration.
    pub fn train_settings(&self) -> TrainSettings {
        let config = &self.config;
        TrainSettings {
            schedule: config.learning_rate(),
            steps: config.steps,
            batch_size: config.batch_size.0,
            every: config.every,
            eval_every: config.eval_every,
            meter: StepMeter {
                meter: self.meter(),
                batch_sharpness: config.sharpness_batches.zip(config.batch_size.0).map(
                    |(batches, batch_size)| BatchSharpness {
                        batches,
                        batch_size,
                        seed: config.seed,
                    },
                ),
                perturbed_sharpness: config.perturbed_sharpness,
                quantities: config.measure.iter().flat_map(|list| list.0.clone()).collect(),
            },
            spectrum: config.spectrum_every.map(|every| (every, self.spectrum_meter())),
            checkpoint_every: config.checkpoint_every,
            on_warning: config.on_warning,
            seed: config.seed,
            precision: config.precision,
        }
    }
}

/// The samples, scaled and with the label noise asked for, and which of them train and which
/// validate. Fills in what the configuration leaves to the data.
fn load_data(config: &mut RunConfig) -> Result<(Dataset, Split)> {
    let (mut dataset, data) =
        Dataset::load_with(&config.dataset, &config.data, config.model.context(), config.seed)?;
    config.data = data;
    let text = matches!(dataset.inputs, Inputs::Tokens { .. });
    if config.standardize && text {
        let remedy = "leave it out";
        return Err(Error::setting("--standardize", true, "text has no numbers to scale", remedy));
    }
    if config.loss == Loss::Ce && matches!(dataset.targets, Targets::Values { .. }) {
        let problem = format!("the targets of '{}' are numbers, not classes", config.dataset);
        return Err(Error::setting("--loss", "ce", problem, "use --loss mse"));
    }
    let samples = dataset.len();
    let train = config.train_size.unwrap_or_else(|| default_train_size(samples, text));
    let draw = if text { Split::by_position } else { Split::shuffled };
    let rng = &mut rng::stream(config.seed, Stream::Split);
    let split = draw(samples, train, config.validation_size, rng)?;
    if let Some(share) = config.data.label_noise {
        let rng = &mut rng::stream(config.seed, Stream::LabelNoise);
        dataset.add_label_noise(&split.train, share, rng)?;
    }
    if config.standardize {
        Standardisation::of(&dataset, &split.train).apply(&mut dataset);
    }
    config.train_size = Some(train);
    config.validation_size = Some(split.validation.len());
    Ok((dataset, split))
}

/// A window of text is as much work as some tens of other samples.
fn default_train_size(samples: usize, text: bool) -> usize {
    let most = if text { 500 } else { 1000 };
    if samples > most { most } else { (samples * 4 / 5).max(1) }
}

fn curvature_subset(train: &[usize], n: usize, seed: u64) -> Vec<usize> {
    let mut samples = train.to_vec();
    samples.shuffle(&mut rng::stream(seed, Stream::CurvatureSamples));
    samples.truncate(n);
    samples
}

fn check_at_most(flag: &str, value: Option<usize>, most: usize, of_what: &str) -> Result<()> {
    match value {
        Some(value) if value > most => {
            let problem = format!("there are {most} {of_what}");
            Err(Error::setting(flag, value, problem, format!("give at most {most}")))
        }
        _ => Ok(()),
    }
}
