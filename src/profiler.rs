//! Profiling a training loop that is somebody else's.
//!
//! Whoever trains keeps their module, their data and their optimizer. They say once what the loss
//! is ([`Task`]: a module and its mean loss on some samples, on whatever backend), and hand the
//! parameters to a [`Profiler`] before each update. They get back a [`StepRow`]: eigenvalues with
//! their residuals, the optimizer's stability threshold, the edge ratio; and, if they like, the same
//! run directory that `sharpscope run` writes.
//!
//! `examples/custom_module.rs` is a complete program.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::autodiff::{Objective, Samples, Task, check_determinism};
use crate::curvature::{CurvatureMeter, Tracking};
use crate::device::Device;
use crate::error::{Error, Result};
use crate::figure::FigureLabels;
use crate::linalg::{AUDIT_EVERY, Lanczos, TrackerSettings, norm};
use crate::optim::{Optimizer, StabilityOperator};
use crate::profile::{Objectives, Observer, Start, StepMeter, SummaryBuilder, Update, threshold};
use crate::record::{Columns, Event, EventKind, ExitStatus, StepRow, Summary};
use crate::rundir::{Manifest, RunDirectory, RunWriter, git_revision};
use crate::stability::{Monitor, StabilitySettings};

/// What is measured, and how well.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ProfilerSettings {
    /// How many of the largest eigenvalues are found.
    pub top: usize,
    /// Whether the smallest is found too.
    pub smallest: bool,
    /// Relative residual at which an eigenvalue has converged.
    pub tolerance: f64,
    /// Most Hessian-vector products in one solve.
    pub max_iterations: usize,
    /// Curvature is measured at steps divisible by this.
    pub every: usize,
    /// Steps between audits of the eigenvalues that are followed, by a solve from nothing; `None`
    /// solves from nothing each time.
    pub audit_every: Option<usize>,
    /// Seed of the eigensolver's start vectors.
    pub seed: u64,
}

impl Default for ProfilerSettings {
    /// As `sharpscope run`: the largest eigenvalue, at every step, to a residual of 1e-3.
    fn default() -> Self {
        Self {
            top: 1,
            smallest: false,
            tolerance: 1e-3,
            max_iterations: 100,
            every: 1,
            audit_every: Some(AUDIT_EVERY),
            seed: 0,
        }
    }
}

impl ProfilerSettings {
    fn meter(&self) -> CurvatureMeter {
        let &Self { top, smallest, tolerance, max_iterations, seed, .. } = self;
        let smallest = usize::from(smallest);
        let lanczos = Lanczos { largest: top, smallest, tolerance, max_iterations };
        CurvatureMeter { lanczos, seed }
    }

    /// The tracker, where eigenvalues are followed. The smallest comes from a solve only.
    fn tracker(&self) -> Option<TrackerSettings> {
        self.audit_every.filter(|_| !self.smallest).map(|every| self.meter().tracker(every))
    }
}

/// What the coming update is.
#[derive(Clone, Copy)]
pub struct NextUpdate<'a> {
    /// Its learning rate.
    pub lr: f64,
    /// The rule whose threshold applies; it need not be the object that takes the steps. From
    /// [`crate::optim::OptimizerSpec`].
    pub optimizer: &'a dyn Optimizer,
    /// For a rule that divides by a preconditioner, the diagonal of P (length P, above zero) that
    /// this update divides by; without it the threshold stands alone. `None` takes that of
    /// `optimizer`, which has one once it has taken a step.
    pub preconditioner: Option<&'a [f64]>,
}

/// Follows the curvature of a loss while somebody else trains.
pub struct Profiler {
    objective: Box<dyn Objective>,
    settings: ProfilerSettings,
    device: Device,
    tracking: Option<Tracking>,
    monitor: Monitor,
    seen: Vec<Event>,
    checked: bool,
    output: Option<Output>,
    summary: SummaryBuilder,
    started: Instant,
    /// The row that waits for the norm of its update, with the parameters it describes.
    pending: Option<(StepRow, Vec<f64>, Option<Event>)>,
}

/// Where a run directory will be, or is.
enum Output {
    Planned { directory: RunDirectory, name: String },
    Started(Box<RunWriter>),
}

impl Profiler {
    /// Profiles the mean loss of `task` over `samples` (numbers that the task understands), at most
    /// `chunk` of them at a time, or as many as suit the device. They are uploaded here, once.
    ///
    /// # Errors
    /// [`Error::Setting`] without samples, or for settings that measure nothing.
    pub fn new<T: Task>(
        task: Arc<T>,
        samples: Vec<usize>,
        chunk: Option<usize>,
        device: &Device,
        settings: ProfilerSettings,
    ) -> Result<Self> {
        let ProfilerSettings { top, max_iterations, every, .. } = settings;
        let audit_every = settings.audit_every.unwrap_or(1);
        for (key, value) in [
            ("top", top),
            ("max_iterations", max_iterations),
            ("every", every),
            ("audit_every", audit_every),
        ] {
            if value == 0 {
                return Err(Error::setting(key, 0, "must not be zero", "give 1 or more"));
            }
        }
        let stability = StabilitySettings::at_resolution(device.precision().resolution());
        let chunk = device.chunk(&*task, samples.len(), chunk)?;
        Ok(Self {
            objective: device.objective(task, samples, chunk)?,
            settings,
            device: device.clone(),
            tracking: settings.tracker().map(Tracking::new),
            monitor: Monitor::new(&stability, settings.tolerance),
            seen: Vec::new(),
            checked: false,
            output: None,
            summary: SummaryBuilder::default(),
            started: Instant::now(),
            pending: None,
        })
    }

    /// Writes a run directory at `path` as well: a new or empty folder. `name` is its figure's title.
    ///
    /// # Errors
    /// [`Error::Output`] if the folder holds anything or cannot be made.
    pub fn with_run_directory(mut self, path: &Path, name: &str) -> Result<Self> {
        let directory = RunDirectory::create(path, false)?;
        self.output = Some(Output::Planned { directory, name: name.to_string() });
        Ok(self)
    }

    /// The loss that is profiled.
    pub fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    /// Measures at `theta` (length P, see [`crate::autodiff::flat_parameters`]), before update
    /// `step`. At a step that is not measured only norms and learning rate are filled in.
    ///
    /// # Errors
    /// [`Error::Length`] for a vector of another length; [`Error::NotDeterministic`] at the first
    /// step, for a loss that changes from one evaluation to the next; or if the device or the disk
    /// reports failure. Where training has diverged the row lacks its curvature, and the event
    /// `curvature_non_finite` says so.
    pub fn step(&mut self, step: usize, theta: &[f64], next: NextUpdate<'_>) -> Result<StepRow> {
        self.write_pending(Some(theta))?;
        let clock = Instant::now();
        self.objective.set_parameters(theta)?;
        if !self.checked {
            check_determinism(&*self.objective, self.device.precision())?;
            self.checked = true;
        }
        self.start_output(theta, next)?;
        let mut row =
            StepRow { step, lr: next.lr, param_norm: Some(norm(theta)), ..StepRow::default() };
        let mut remark = None;
        if step.is_multiple_of(self.settings.every) {
            let (full, products) = match &self.tracking {
                Some(tracking) => {
                    let (full, products) = self.objective.gradient_and_hvps(&tracking.probe())?;
                    (full, Some(products))
                }
                None => (self.objective.gradient(Samples::All)?, None),
            };
            row.train_loss = Some(full.evaluation.loss);
            row.train_accuracy = full.evaluation.accuracy;
            row.grad_norm = Some(norm(&full.gradient));
            row.threshold = threshold(&row, next.optimizer);
            row.step_ms = clock.elapsed().as_secs_f64() * 1e3;
            let clock = Instant::now();
            let start =
                Start { theta, gradient: Some(&full.gradient), products: products.as_deref() };
            remark = self.measure(&mut row, start, next)?;
            row.curvature_ms = Some(clock.elapsed().as_secs_f64() * 1e3);
        } else {
            row.threshold = threshold(&row, next.optimizer);
        }
        let remark = remark.map(|kind| Event { step, kind });
        self.pending = Some((row.clone(), theta.to_vec(), remark));
        Ok(row)
    }

    /// The events since this was last asked. Those of a row come with the next one, when the norm of
    /// its update is known.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.seen)
    }

    /// Ends the run and writes the closing files of its directory, if it has one.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn finish(mut self, status: ExitStatus) -> Result<Summary> {
        self.write_pending(None)?;
        let summary = self.summary.finish(status, self.started.elapsed().as_secs_f64());
        if let Some(Output::Started(writer)) = self.output {
            writer.finish(&summary, None)?;
        }
        Ok(summary)
    }

    fn measure(
        &mut self,
        row: &mut StepRow,
        start: Start<'_>,
        next: NextUpdate<'_>,
    ) -> Result<Option<EventKind>> {
        let meter = StepMeter {
            meter: self.settings.meter(),
            batch_sharpness: None,
            perturbed_sharpness: false,
        };
        let own = next.optimizer.operator();
        let operator = StabilityOperator {
            preconditioner: next.preconditioner.map(<[f64]>::to_vec).or(own.preconditioner),
            shift: own.shift,
        };
        let unknown = next.optimizer.is_preconditioned() && operator.preconditioner.is_none();
        let operator = if unknown { StabilityOperator::default() } else { operator };
        let objectives = Objectives { train: &mut *self.objective, curvature: None };
        let update = Update { operator: &operator, perturbed: None };
        let remark = meter.measure(row, objectives, start, update, self.tracking.as_mut())?;
        if unknown {
            // The plain Hessian's sharpness is not what this threshold bounds.
            row.edge_ratio = None;
        }
        Ok(remark)
    }

    /// Writes the row before this one, now that the update taken from it is known.
    fn write_pending(&mut self, theta: Option<&[f64]>) -> Result<()> {
        let Some((mut row, before, remark)) = self.pending.take() else { return Ok(()) };
        if let Some(theta) = theta.filter(|theta| theta.len() == before.len()) {
            let change: Vec<f64> = theta.iter().zip(&before).map(|(a, b)| a - b).collect();
            let (update, parameters) = (norm(&change), norm(&before));
            row.update_norm = Some(update);
            row.relative_update = (parameters > 0.0).then(|| update / parameters);
        }
        let mut events = self.monitor.judge(&mut row);
        events.extend(remark);
        if theta.is_none() {
            events.extend(self.monitor.finish());
        }
        self.seen.extend(events.iter().cloned());
        self.summary.row(&row);
        events.iter().for_each(|event| self.summary.event(event));
        if let Some(Output::Started(writer)) = &mut self.output {
            writer.row(&row)?;
            events.iter().try_for_each(|event| writer.event(event))?;
        }
        Ok(())
    }

    /// Writes the first files of the run directory, if one is planned.
    fn start_output(&mut self, theta: &[f64], next: NextUpdate<'_>) -> Result<()> {
        let Some(Output::Planned { directory, name }) = &self.output else { return Ok(()) };
        let layout = self.objective.layout();
        let precision = self.device.precision();
        let settings = &self.settings;
        let manifest = Manifest {
            schema_version: 1,
            version: env!("CARGO_PKG_VERSION").to_string(),
            git_revision: git_revision(),
            started: crate::rundir::now(),
            resumed: Vec::new(),
            finished: None,
            exit_code: None,
            error: None,
            config: serde_json::json!({
                "name": name,
                "lr": next.lr,
                "top": settings.top,
                "smallest": settings.smallest,
                "tolerance": settings.tolerance,
                "max_iterations": settings.max_iterations,
                "every": settings.every,
                "audit_every": settings.audit_every,
                "seed": settings.seed,
            }),
            backend: self.device.backend().to_string(),
            adapter: self.device.adapter().to_string(),
            precision,
            parameters: layout.len(),
            dataset_sha256: String::new(),
            train_indices: self.objective.sample_numbers().to_vec(),
            validation_indices: Vec::new(),
            curvature_indices: None,
        };
        let labels = FigureLabels {
            title: name.clone(),
            threshold: next.optimizer.formula().unwrap_or_else(|| "threshold".to_string()),
        };
        let columns = Columns { top: settings.top, ..Columns::default() };
        let writer = RunWriter::start(directory.clone(), manifest, columns, labels, layout, theta)?;
        self.output = Some(Output::Started(Box::new(writer)));
        Ok(())
    }
}

impl std::fmt::Debug for Profiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiler")
            .field("settings", &self.settings)
            .field("parameters", &self.objective.dim())
            .finish_non_exhaustive()
    }
}
