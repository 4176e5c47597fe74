//! Profiling a training loop that is somebody else's.
//!
//! Whoever trains keeps their module, their data and their optimizer. They say once what the loss
//! is ([`Task`]: a module and its mean loss on some samples, on whatever backend; or an
//! [`Objective`] of their own), and hand the parameters to a [`Profiler`] before each update. They get
//! back a [`StepRow`]: eigenvalues with their residuals, the optimizer's stability threshold, the edge
//! ratio; and, through observers, the same run directory that `sharpscope run` writes.
//!
//! `examples/custom_module.rs` is a complete program.

use std::sync::Arc;
use std::time::Instant;

use super::{
    Descended, Measured, Modes, Objectives, Observer, Quantity, Realized, Recorder, RunInfo, Start,
    StepMeter, Update, monitor, row, threshold,
};
use crate::autodiff::{Objective, Samples, Task, check_determinism};
use crate::curvature::{CurvatureMeter, DifferenceStep, Tracking};
use crate::device::{Device, Precision};
use crate::error::{Error, Result};
use crate::linalg::{AUDIT_EVERY, Extremes, Solver};
use crate::optim::{Optimizer, Schedule, StabilityOperator};
use crate::record::{Columns, Event, EventKind, ExitStatus, StepRow, Summary};
use crate::stability::StabilitySettings;

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
    /// Where the realized edge of each measured update is found, for the loss that is profiled: one more product.
    pub realized: Realized,
    /// Whether the largest eigenvalues are found at the midpoint of the oscillation too,
    /// (theta_{t-1} + 2 theta_t + theta_{t+1})/4, where they are those of a flow.
    pub midpoint_sharpness: bool,
    /// Whether the mechanism that holds the sharpness at the edge is measured there, with these eigenvalues. Of a rule
    /// that divides by a preconditioner it is where that is known.
    pub mechanism: bool,
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
            realized: Realized::Step,
            midpoint_sharpness: false,
            mechanism: false,
            seed: 0,
        }
    }
}

impl ProfilerSettings {
    /// Eigenvalues are followed unless they are to be audited at each measurement. The smallest comes from a
    /// solve only.
    fn meter(&self) -> CurvatureMeter {
        let &Self { top, smallest, tolerance, max_iterations, audit_every, seed, .. } = self;
        let extremes = Extremes {
            largest: top,
            smallest: usize::from(smallest),
            tolerance,
            max_products: max_iterations,
        };
        let solver = match audit_every {
            Some(_) if !smallest => Solver::Davidson,
            _ => Solver::Lanczos,
        };
        let audit_every = audit_every.unwrap_or(AUDIT_EVERY);
        CurvatureMeter { extremes, solver, audit_every, seed }
    }

    /// Whether anything is measured at midpoints.
    fn at_midpoints(&self) -> bool {
        self.midpoint_sharpness || self.mechanism
    }

    fn check(&self) -> Result<()> {
        let &Self { top, max_iterations, every, audit_every, .. } = self;
        let audit_every = audit_every.unwrap_or(1);
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
        Ok(())
    }

    /// As the manifest of a run directory writes them.
    fn config(&self, name: &str, lr: f64) -> serde_json::Value {
        let mut config = serde_json::json!({
            "name": name,
            "lr": lr,
            "top": self.top,
            "smallest": self.smallest,
            "tolerance": self.tolerance,
            "max_iterations": self.max_iterations,
            "every": self.every,
            "audit_every": self.audit_every,
            "realized": self.realized,
            "seed": self.seed,
        });
        for (key, asked) in
            [("midpoint_sharpness", self.at_midpoints()), ("mechanism", self.mechanism)]
        {
            if asked {
                config[key] = true.into();
            }
        }
        config
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
///
/// ```
/// use std::sync::Arc;
///
/// use burn::module::Param;
/// use burn::tensor::Tensor;
/// use burn::tensor::backend::Backend;
/// use sharpscope::prelude::*;
///
/// /// The loss w1² + 3 w2², whose Hessian has the eigenvalues 6 and 2.
/// struct Bowl;
///
/// impl Task for Bowl {
///     type Model<B: Backend> = Param<Tensor<B, 2>>;
///     type Batch<B: Backend> = Tensor<B, 2>;
///
///     fn model<B: Backend>(&self, placement: &Placement<B::Device>) -> Self::Model<B> {
///         Param::from_tensor(placement.float(&[0.0, 0.0], [1, 2]))
///     }
///
///     fn batch<B: Backend>(&self, _: &[usize], placement: &Placement<B::Device>) -> Self::Batch<B> {
///         placement.float(&[1.0, 3.0], [1, 2])
///     }
///
///     fn loss<B: Backend>(&self, w: &Self::Model<B>, scale: &Self::Batch<B>) -> Tensor<B, 1> {
///         (w.val().square() * scale.clone()).sum()
///     }
/// }
///
/// let device = Device::open(BackendChoice::Cpu, Precision::F64)?;
/// let settings = ProfilerSettings::default();
/// let mut profiler = Profiler::new(Arc::new(Bowl), vec![0], None, &device, settings)?;
/// let descent = OptimizerSpec::resolve("sgd", Hyperparameters::NONE)?.build();
/// let mut theta = vec![1.0, 1.0];
/// for step in 0..3 {
///     let next = NextUpdate { lr: 0.1, optimizer: &*descent, preconditioner: None };
///     let row = profiler.step(step, &theta, next)?;
///     // A sharpness of 6, where 2/η = 20 is allowed.
///     assert!((row.edge_ratio.unwrap() - 0.3).abs() < 1e-3);
///     theta.iter_mut().for_each(|w| *w *= 0.8); // whatever training does
/// }
/// assert_eq!(profiler.finish()?.steps, 3);
/// # Ok::<(), Error>(())
/// ```
pub struct Profiler {
    objective: Box<dyn Objective>,
    settings: ProfilerSettings,
    device: MadeOn,
    tracking: Option<Tracking>,
    quantities: Vec<Quantity>,
    name: String,
    schedule: Option<Schedule>,
    /// Until the first step.
    observers: Vec<Box<dyn Observer>>,
    /// Whether an observer reported that it could not begin.
    refused: bool,
    /// From the first step on.
    recorder: Option<Recorder<'static>>,
    seen: Vec<Event>,
    /// The row that waits for its update, with the parameters it describes.
    pending: Option<Pending>,
    /// The parameters before those of the row that waits.
    previous: Option<Vec<f64>>,
    /// The latest row that is complete.
    completed: Option<StepRow>,
}

/// What an objective computes with.
struct MadeOn {
    backend: String,
    adapter: String,
    precision: Precision,
}

struct Pending {
    row: StepRow,
    theta: Vec<f64>,
    /// The gradient there, where curvature was measured.
    gradient: Option<Vec<f64>>,
    /// The operator that the threshold bounds, where it is known and needed still.
    operator: Option<StabilityOperator>,
    remark: Option<EventKind>,
    /// The modes there, likewise.
    modes: Option<Modes>,
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
        settings.check()?;
        let chunk = device.chunk(&*task, samples.len(), chunk)?;
        let objective = device.objective(task, samples, chunk)?;
        let mut profiler = Self::over(objective, device.precision(), settings)?;
        profiler.device.backend = device.backend().to_string();
        profiler.device.adapter = device.adapter().to_string();
        Ok(profiler)
    }

    /// Profiles any loss that can be differentiated twice, on whatever device and backend it computes:
    /// such as a [`crate::autodiff::ForwardObjective`] over a burn backend of one's own. Its
    /// numbers are as good as `precision`.
    ///
    /// # Errors
    /// [`Error::Setting`] for settings that measure nothing.
    pub fn over(
        objective: Box<dyn Objective>,
        precision: Precision,
        settings: ProfilerSettings,
    ) -> Result<Self> {
        settings.check()?;
        let mut profiler = Self {
            objective,
            settings,
            device: MadeOn { backend: "own".to_string(), adapter: String::new(), precision },
            tracking: None,
            quantities: Vec::new(),
            name: String::new(),
            schedule: None,
            observers: Vec::new(),
            refused: false,
            recorder: None,
            seen: Vec::new(),
            pending: None,
            previous: None,
            completed: None,
        };
        profiler.tracking = profiler.meter().tracking();
        Ok(profiler)
    }

    /// Under this name, which figures show.
    pub fn named(mut self, name: &str) -> Self {
        self.name = name.to_string();
        self
    }

    /// Measures these quantities too. [`Quantity::UpdateSharpness`] stays empty: the update is not known yet
    /// when its row is measured; and those about classes have no column.
    pub fn measuring(mut self, quantities: &[Quantity]) -> Self {
        self.quantities = quantities.to_vec();
        self
    }

    /// Tells warnings of spikes the learning rates to come.
    pub fn with_schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = Some(schedule);
        self
    }

    /// Tells `observer` of the run too, from its first step on.
    pub fn with_observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observers.push(Box::new(observer));
        self
    }

    /// The loss that is profiled.
    pub fn objective(&self) -> &dyn Objective {
        &*self.objective
    }

    /// The latest row whose update is known, with the norm of the update, its realized ratio and what is measured at
    /// midpoints: the one before that which [`Profiler::step`] returned last.
    pub fn completed(&self) -> Option<&StepRow> {
        self.completed.as_ref()
    }

    /// Measures at `theta` (length P, see [`crate::autodiff::flat_parameters`]), before update
    /// `step`. What belongs to the update, its norm, its realized ratio and the midpoint that it ends, is not in the row
    /// yet: it is known at the next step, in what observers are told and in [`Profiler::completed`]. At a step that is
    /// not measured only norms and learning rate are filled in.
    ///
    /// # Errors
    /// [`Error::Length`] for a vector of another length; [`Error::NotDeterministic`] at the first
    /// step, for a loss that changes from one evaluation to the next; or if the device or the disk
    /// reports failure. Where training has diverged the row lacks its curvature, and the event
    /// `curvature_non_finite` says so.
    pub fn step(&mut self, step: usize, theta: &[f64], next: NextUpdate<'_>) -> Result<StepRow> {
        self.record_pending(Some(theta))?;
        let clock = Instant::now();
        self.objective.set_parameters(theta)?;
        if self.recorder.is_none() {
            if self.refused {
                let reason = "an observer could not begin".to_string();
                return Err(Error::State { what: "profiling", reason });
            }
            self.begin(step, theta, next)?;
        }
        let mut row = row::begin(step, next.lr, theta);
        let (mut remark, mut modes, mut gradient, mut operator) = (None, None, None, None);
        if step.is_multiple_of(self.settings.every) {
            let probe = self.tracking.as_ref().map(Tracking::probe);
            let block = probe.as_deref().unwrap_or_default();
            let (full, products) = self.objective.gradient_and_hvps(block)?;
            let products = probe.map(|_| products);
            row::enter_evaluation(&mut row, &full);
            row.threshold = threshold(&row, next.optimizer);
            row.step_ms = clock.elapsed().as_secs_f64() * 1e3;
            let clock = Instant::now();
            let start = Start {
                theta,
                previous: None,
                update: None,
                descended: None,
                gradient: Some(&full.gradient),
                products: products.as_deref(),
            };
            let bounded = bounded(next);
            Measured { remark, modes } = self.measure(&mut row, start, next, bounded.as_ref())?;
            operator = bounded.filter(|_| self.settings.at_midpoints());
            gradient = Some(full.gradient);
            row.curvature_ms = Some(clock.elapsed().as_secs_f64() * 1e3);
        } else {
            row.threshold = threshold(&row, next.optimizer);
        }
        let theta = theta.to_vec();
        self.pending = Some(Pending { row: row.clone(), theta, gradient, operator, remark, modes });
        Ok(row)
    }

    /// The events since this was last asked. Those of a row come with the next one, when the norm of
    /// its update is known.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.seen)
    }

    /// Ends the run, as diverged where its rows show that, and tells observers: a run directory gets
    /// its closing files.
    ///
    /// # Errors
    /// Those of observers, such as a file that cannot be written.
    pub fn finish(mut self) -> Result<Summary> {
        self.record_pending(None)?;
        let Some(mut recorder) = self.recorder.take() else {
            return Ok(Summary { status: ExitStatus::Completed, ..Summary::default() });
        };
        recorder.end()?;
        let status = match recorder.has_diverged() {
            true => ExitStatus::Diverged,
            false => ExitStatus::Completed,
        };
        recorder.finish(status, None)
    }

    /// Begins the run at its first step.
    fn begin(&mut self, step: usize, theta: &[f64], next: NextUpdate<'_>) -> Result<()> {
        let precision = self.device.precision;
        check_determinism(&*self.objective, precision)?;
        let run = RunInfo {
            title: self.name.clone(),
            config: self.settings.config(&self.name, next.lr),
            seed: self.settings.seed,
            backend: self.device.backend.clone(),
            adapter: self.device.adapter.clone(),
            train_samples: self.objective.sample_numbers().to_vec(),
            columns: Columns {
                top: self.settings.top,
                components: self.settings.top,
                realized_ratio: self.settings.realized != Realized::Off,
                realized_ratio_midpoint: self.settings.realized == Realized::Midpoint,
                midpoint_sharpness: self.settings.at_midpoints(),
                midpoint_top: if self.settings.at_midpoints() { self.settings.top } else { 0 },
                mechanism: self.settings.mechanism,
                measured: {
                    let layout = self.objective.layout();
                    self.quantities.iter().flat_map(|q| q.columns(layout, 0)).collect()
                },
                ..Columns::default()
            },
            formula: next.optimizer.formula(),
            first_step: step,
            ..RunInfo::of(self.objective.layout(), theta, precision)
        };
        let settings = StabilitySettings::at_resolution(precision.resolution());
        let (tolerance, rule) = (self.settings.tolerance, next.optimizer);
        let monitor = monitor(&settings, tolerance, self.schedule, Some(rule));
        let observers = std::mem::take(&mut self.observers);
        self.refused = true;
        self.recorder = Some(Recorder::start(monitor, observers, &run)?);
        self.refused = false;
        Ok(())
    }

    fn measure(
        &mut self,
        row: &mut StepRow,
        start: Start<'_>,
        next: NextUpdate<'_>,
        bounded: Option<&StabilityOperator>,
    ) -> Result<Measured> {
        let meter = self.meter();
        let hessian = StabilityOperator::default();
        let operator = bounded.unwrap_or(&hessian);
        let objectives = Objectives { train: &mut *self.objective, curvature: None };
        let early_factor = next.optimizer.early_factor();
        let update = Update { operator, perturbed: None, batch_edges: None, early_factor };
        let measured = meter.measure(row, objectives, start, update, self.tracking.as_mut())?;
        if bounded.is_none() {
            // The plain Hessian's sharpness is not what this threshold bounds.
            row.edge_ratio = None;
        }
        Ok(measured)
    }

    fn meter(&self) -> StepMeter {
        StepMeter {
            meter: self.settings.meter(),
            batch_sharpness: None,
            realized: self.settings.realized,
            perturbed_sharpness: false,
            midpoint_sharpness: self.settings.at_midpoints(),
            mechanism: self
                .settings
                .mechanism
                .then(|| DifferenceStep::at_resolution(self.device.precision.resolution())),
            quantities: self.quantities.clone(),
            classes: Vec::new(),
        }
    }

    /// The realized ratio of the update from the row that waits, where the objective still stands, and what is asked for
    /// at the midpoint, where it is left.
    fn measure_update(&mut self, pending: &mut Pending, update: &[f64]) -> Result<()> {
        let Pending { row, theta, gradient: Some(gradient), operator, remark, modes } = pending
        else {
            return Ok(());
        };
        let clock = Instant::now();
        let start = Start {
            theta,
            previous: self.previous.as_deref(),
            update: Some(update),
            descended: Some(Descended { samples: Samples::All, gradient }),
            gradient: Some(gradient),
            products: None,
        };
        let meter = self.meter();
        if let Some(modes) = modes {
            modes.enter_step(row, update);
        }
        meter.fill_realized(row, &*self.objective, start)?;
        meter.fill_midpoint(row, &mut *self.objective, start)?;
        // Without its P an adaptive rule's mechanism has no metric.
        let mechanism = meter.mechanism.filter(|_| operator.is_some());
        let meter = StepMeter { mechanism, ..meter };
        let operator = operator.take().unwrap_or_default();
        let mut objectives = Objectives { train: &mut *self.objective, curvature: None };
        let tracking = self.tracking.as_mut();
        match meter.fill_midpoint_curvature(row, &mut objectives, start, &operator, tracking) {
            Err(Error::NonFinite { .. }) => {
                *remark = Some(EventKind::CurvatureNonFinite { train_loss: row.train_loss });
            }
            other => other?,
        }
        let spent = clock.elapsed().as_secs_f64() * 1e3;
        row.curvature_ms = row.curvature_ms.map(|before| before + spent);
        Ok(())
    }

    /// Records the row before this one, now that the update taken from it is known.
    fn record_pending(&mut self, theta: Option<&[f64]>) -> Result<()> {
        let Some(mut pending) = self.pending.take() else { return Ok(()) };
        if let Some(theta) = theta.filter(|theta| theta.len() == pending.theta.len()) {
            let update = row::enter_update(&mut pending.row, &pending.theta, theta);
            self.measure_update(&mut pending, &update)?;
        }
        let Some(recorder) = &mut self.recorder else { return Ok(()) };
        let Pending { mut row, theta, remark, .. } = pending;
        self.seen.extend(recorder.row(&mut row, remark)?);
        self.previous = Some(theta);
        self.completed = Some(row);
        Ok(())
    }
}

/// The operator that the update's threshold bounds; none where its preconditioner is not known.
fn bounded(next: NextUpdate<'_>) -> Option<StabilityOperator> {
    let own = next.optimizer.operator();
    let operator = StabilityOperator {
        preconditioner: next.preconditioner.map(<[f64]>::to_vec).or(own.preconditioner),
        basis: own.basis.filter(|_| next.preconditioner.is_none()),
        shift: own.shift,
    };
    let unknown = next.optimizer.is_preconditioned() && operator.preconditioner.is_none();
    (!unknown).then_some(operator)
}

impl std::fmt::Debug for Profiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Profiler")
            .field("settings", &self.settings)
            .field("parameters", &self.objective.dim())
            .finish_non_exhaustive()
    }
}
