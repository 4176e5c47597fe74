//! Everything that can be checked before anything is written.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use rand::seq::SliceRandom;

use super::load::load_data;
use crate::autodiff::Objective;
use crate::config::{Quantities, RunConfig};
use crate::curvature::{BatchSharpness, CurvatureMeter, DifferenceStep, Matrix, SpectrumMeter};
use crate::data::{Dataset, Split, Targets};
use crate::device::{BackendChoice, Device};
use crate::error::{Error, Result};
use crate::linalg::{AUDIT_EVERY, Extremes, StochasticLanczos};
use crate::model::initial_parameters;
use crate::optim::{ScheduleKind, StabilityOperator};
use crate::problem::{Problem, Supervised, supervised};
use crate::profile::{StepMeter, TrainingState};
use crate::rng::{self, Stream};
use crate::rundir::{RunDirectory, read_given_weights};
use crate::train::{Seek, TrainSettings, Trainer};

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
        test: match split.test.is_empty() {
            true => None,
            false => Some(objective(&split.test)?),
        },
        curvature: match &curvature_samples {
            Some(samples) => Some(objective(samples)?),
            None => None,
        },
    };

    let mut renamed = None;
    let theta = match &config.init {
        Some(path) => {
            let given = read_given_weights(path, problem.train.layout())?;
            renamed = given.renamed.map(|names| format!("--init {}: {names}", path.display()));
            given.theta
        }
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
    let small = (config.backend == BackendChoice::Auto && device.backend() != "cpu")
        .then(|| likely_faster_on_the_cpu(parameters, train_size))
        .flatten();
    let notices = [renamed, notice, small].into_iter().flatten().collect::<Vec<_>>();
    let notice = (!notices.is_empty()).then(|| notices.join("; "));
    Ok(Prepared { config, device, dataset, split, curvature_samples, problem, theta, notice })
}

/// Parameters times samples up to which the CPU was the faster one beside every GPU that was measured
/// (docs/speed.md): kernels are then launched more slowly than they are computed.
const SMALL: usize = 50_000_000;

/// A word on a problem that keeps no GPU busy.
fn likely_faster_on_the_cpu(parameters: usize, samples: usize) -> Option<String> {
    (parameters.saturating_mul(samples) <= SMALL).then(|| {
        format!(
            "{parameters} parameters and {samples} samples keep no GPU busy: --backend cpu is likely faster"
        )
    })
}

impl Prepared {
    /// The configuration of a run of the same problem that only its update rule, its rate and its batches set
    /// apart, with what the data decide filled in as here, and checked as [`prepare`] does.
    #[cfg(feature = "figures")]
    pub(super) fn sibling(&self, config: RunConfig) -> Result<RunConfig> {
        let train_size = self.split.train.len();
        check_at_most("--batch-size", config.batch_size.0, train_size, "training samples")?;
        let own = self.config.clone();
        Ok(RunConfig {
            data: own.data,
            train_size: own.train_size,
            validation_size: own.validation_size,
            samples: own.samples,
            chunk: own.chunk,
            ..config
        })
    }

    /// The loss over these rows of the dataset, at most as many at a time as configured.
    ///
    /// # Errors
    /// As [`supervised`].
    pub fn objective(&self, samples: &[usize]) -> Result<Box<dyn Objective>> {
        let task = Arc::new(Supervised {
            model: self.config.model.clone(),
            data: Arc::clone(&self.dataset),
            loss: self.config.loss,
        });
        let chunk = self.device.chunk(&*task, samples.len(), self.config.chunk)?;
        supervised(&self.device, &task, samples.to_vec(), chunk)
    }

    /// Numbers of the training samples; an objective has none.
    pub fn train_samples(&self) -> &[usize] {
        match self.config.objective() {
            Some(_) => &[],
            None => &self.split.train,
        }
    }

    /// The training samples of each class, by position, where a quantity is about them.
    pub(super) fn classes(&self) -> Vec<Vec<usize>> {
        let asked = self.config.measure.as_ref().and_then(Quantities::of_classes);
        let Targets::Classes { classes, .. } = &self.dataset.targets else { return Vec::new() };
        let mut samples = vec![Vec::new(); if asked.is_some() { *classes } else { 0 }];
        for (position, &sample) in self.split.train.iter().enumerate() {
            let class = self.dataset.label(sample).and_then(|class| samples.get_mut(class));
            class.into_iter().for_each(|positions| positions.push(position));
        }
        samples
    }

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
        let optimizer = self.config.build_optimizer(self.problem.train.layout());
        let trainer = Trainer { settings, optimizer, problem: self.problem, interrupted };
        (trainer, TrainingState::initial(self.theta))
    }

    /// The training loop's part of the configuration.
    pub fn train_settings(&self) -> TrainSettings {
        let config = &self.config;
        TrainSettings {
            schedule: config.learning_rate(),
            seek: match (config.schedule, config.edge_target) {
                (ScheduleKind::Edge, Some(target)) => Some(Seek::Edge(target)),
                (ScheduleKind::Cdat, Some(target)) => Some(Seek::Cdat(target)),
                _ => None,
            },
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
                        accuracy: config.sharpness_error,
                        seed: config.seed,
                    },
                ),
                realized: config.realized,
                perturbed_sharpness: config.perturbed_sharpness,
                midpoint_sharpness: config.midpoint_sharpness,
                mechanism: config
                    .mechanism
                    .then(|| DifferenceStep::at_resolution(config.precision.resolution())),
                quantities: config.measure.iter().flat_map(|list| list.0.clone()).collect(),
                classes: self.classes(),
            },
            spectrum: config.spectrum_every.map(|every| (every, self.spectrum_meter())),
            checkpoint_every: config.checkpoint_every,
            on_warning: config.on_warning,
            seed: config.order_seed.unwrap_or(config.seed),
            precision: config.precision,
        }
    }
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

#[cfg(test)]
mod tests {
    use super::likely_faster_on_the_cpu;

    #[test]
    fn the_default_run_is_small_and_large_ones_are_not() {
        assert!(likely_faster_on_the_cpu(8_970, 1000).is_some());
        assert!(likely_faster_on_the_cpu(199_210, 1000).is_none());
    }
}
