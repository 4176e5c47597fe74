//! One run with its values beside the right ones.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::Parser;
use sharpscope::autodiff::{Objective, Samples};
use sharpscope::config::{RunConfig, Settings};
use sharpscope::curvature::{Curvature, CurvatureMeter};
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::experiment::prepare;
use sharpscope::linalg::Lanczos;
use sharpscope::optim::StabilityOperator;
use sharpscope::problem::{Supervised, supervised};
use sharpscope::profile::{Checkpoint, History, Observer, TrainingState};
use sharpscope::record::{Event, StepRow};
use sharpscope::train::BatchOrder;

use super::plan::Run;
use super::reference::Reference;
use super::store::{Kind, Record, Value};

/// What is compared with the reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probe {
    /// The rows of the run.
    Logged,
    /// Solves from nothing at the run's parameters.
    Cold,
}

/// Eigenvalues that are solved for from nothing.
const COLD_TOPS: [usize; 2] = [1, 6];

#[derive(Parser)]
#[command(no_binary_name = true)]
struct Flags {
    #[command(flatten)]
    settings: Settings,
}

fn resolve(command: &str) -> Result<RunConfig> {
    let flags = Flags::try_parse_from(command.split_whitespace())?;
    Ok(RunConfig::resolve(flags.settings)?)
}

/// Keeps rows, and where each step started with the operator of its update.
#[derive(Default)]
struct Kept {
    rows: BTreeMap<usize, StepRow>,
    points: Vec<(TrainingState, StabilityOperator)>,
    /// Points are kept at steps divisible by this.
    every: usize,
}

impl Observer for Kept {
    fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
        self.rows.insert(row.step, row.clone());
        Ok(())
    }

    fn event(&mut self, _event: &Event) -> sharpscope::Result<()> {
        Ok(())
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> sharpscope::Result<()> {
        if checkpoint.state.step.is_multiple_of(self.every) {
            self.points.push((checkpoint.state.clone(), checkpoint.operator.clone()));
        }
        Ok(())
    }
}

/// Makes the run and compares.
pub fn measure(run: &Run, probe: Probe) -> Result<Record> {
    let clock = Instant::now();
    let mut config = resolve(&run.command)?;
    config.checkpoint_every = Some(1);
    let stride = config.every * run.every;
    if probe == Probe::Cold {
        // At the first step only.
        (config.every, config.eval_every) = (usize::MAX, usize::MAX);
    }
    let prepared = prepare(config)?;
    let config = prepared.config.clone();
    let task = Arc::new(Supervised {
        model: config.model.clone(),
        data: Arc::clone(&prepared.dataset),
        loss: config.loss,
    });
    let samples = prepared.curvature_samples.clone().unwrap_or(prepared.split.train.clone());
    let chunk = prepared.device.chunk(&*task, samples.len(), None)?;
    let device = Device::open(BackendChoice::Cpu, Precision::F64)?;
    let double = supervised(&device, &task, samples.clone(), chunk)?;
    let own = supervised(&prepared.device, &task, samples, chunk)?;

    let mut kept = Kept { every: stride, ..Kept::default() };
    let never = AtomicBool::new(false);
    let (trainer, start) = prepared.trainer(&never);
    let adaptive = trainer.optimizer.is_preconditioned();
    let end = trainer.run(start, &History::default(), &mut [&mut kept])?;
    if let Some(error) = end.error {
        return Err(error.into());
    }

    let mut record = Record {
        name: run.name.clone(),
        command: run.command.clone(),
        cold: probe == Probe::Cold,
        every: run.every,
        parameters: double.dim(),
        solver: name_of(&config.solver),
        optimizer: config.optimizer.to_string(),
        model: model_of(&run.command),
        loss: name_of(&config.loss),
        adaptive,
        decay: config.optimizer.hyperparameters.weight_decay.is_some_and(|decay| decay != 0.0),
        minibatch: config.batch_size.0.is_some(),
        status: name_of(&end.summary.status),
        edge: end.summary.share_at_edge.unwrap_or(0.0),
        products: Vec::new(),
        absent: 0,
        values: Vec::new(),
        seconds: 0.0,
    };
    // The first step knows nothing yet.
    let measured = kept.rows.values().skip(1).filter(|row| row.converged.is_some());
    record.products = measured.map(|row| row.hvps).collect();

    let mut at = Point { config: &config, double, own, record: &mut record };
    for (state, operator) in &kept.points {
        // The last checkpoint is after the last row.
        let Some(row) = kept.rows.get(&state.step) else { continue };
        match probe {
            Probe::Logged => at.compare_row(row, state, operator)?,
            Probe::Cold => at.compare_solves(state, operator)?,
        }
    }
    record.seconds = clock.elapsed().as_secs_f64();
    Ok(record)
}

/// Products of each step of the default run, without its first.
pub fn products_of_default_run() -> Result<Vec<usize>> {
    let prepared = prepare(resolve("--backend cpu --steps 300")?)?;
    let mut kept = Kept { every: usize::MAX, ..Kept::default() };
    let never = AtomicBool::new(false);
    let (trainer, start) = prepared.trainer(&never);
    match trainer.run(start, &History::default(), &mut [&mut kept])?.error {
        Some(error) => bail!(error),
        None => Ok(kept.rows.values().skip(1).map(|row| row.hvps).collect()),
    }
}

/// The name under which serde writes a value.
fn name_of(value: &impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

fn model_of(command: &str) -> String {
    let model = command.split_whitespace().skip_while(|&word| word != "--model").nth(1);
    let file = model.unwrap_or("mlp").rsplit('/').next().unwrap_or_default();
    file.trim_end_matches(".json").to_string()
}

/// Where values are compared.
struct Point<'a> {
    config: &'a RunConfig,
    /// The loss in double precision.
    double: Box<dyn Objective>,
    /// The loss as the run evaluates it.
    own: Box<dyn Objective>,
    record: &'a mut Record,
}

impl Point<'_> {
    fn compare_row(
        &mut self,
        row: &StepRow,
        state: &TrainingState,
        operator: &StabilityOperator,
    ) -> Result<()> {
        let Some(converged) = row.converged else { return Ok(()) };
        let top = self.config.top;
        self.double.set_parameters(&state.theta)?;
        let reference = Reference::new(&*self.double)?;
        let right = reference.eigenvalues(&StabilityOperator::default(), top)?;
        let mut compared = Compared { step: row.step, converged, record: &mut *self.record };
        compared.all(&row.lambda, &right, top, Kind::Lambda);
        if let (Some(smallest), Some(&least)) = (row.lambda_min, right.last())
            && right.len() == self.double.dim()
        {
            // Relative to the largest in magnitude, as its residual is.
            let scale = right[0].abs().max(least.abs());
            compared.one(smallest, &[least], 0, Kind::Smallest, scale);
        }
        if operator.preconditioner.is_some() {
            let right = reference.eigenvalues(operator, 1)?;
            let logged = row.preconditioned_sharpness.as_slice();
            compared.all(logged, &right, 1, |_| Kind::Preconditioned);
        }
        if self.config.perturbed_sharpness
            && let Some(point) = self.perturbed(row, state)?
        {
            self.double.set_parameters(&point)?;
            let reference = Reference::new(&*self.double)?;
            let right = reference.eigenvalues(&StabilityOperator::default(), 1)?;
            let mut compared = Compared { step: row.step, converged, record: &mut *self.record };
            let logged = row.perturbed_sharpness.as_slice();
            compared.all(logged, &right, 1, |_| Kind::Perturbed);
        }
        Ok(())
    }

    /// Where the step took its gradient: what the optimizer would do once more.
    fn perturbed(&self, row: &StepRow, state: &TrainingState) -> Result<Option<Vec<f64>>> {
        let batch = state.batches.zip(self.config.batch_size.0).map(|(position, size)| {
            let mut order = BatchOrder::at(self.double.samples(), size, self.config.seed, position);
            order.next_batch().to_vec()
        });
        let samples = batch.as_deref().map_or(Samples::All, Samples::Batch);
        let gradient = self.double.gradient(samples)?.gradient;
        let mut optimizer = self.config.optimizer.build();
        optimizer.restore(&state.optimizer)?;
        let mut theta = state.theta.clone();
        optimizer.step(row.lr, &mut theta, &gradient, &mut |point| Ok(vec![0.0; point.len()]))?;
        Ok(optimizer.perturbed().map(<[f64]>::to_vec))
    }

    fn compare_solves(
        &mut self,
        state: &TrainingState,
        operator: &StabilityOperator,
    ) -> Result<()> {
        self.double.set_parameters(&state.theta)?;
        self.own.set_parameters(&state.theta)?;
        let reference = Reference::new(&*self.double)?;
        let most = COLD_TOPS[1].min(self.double.dim());
        let right = reference.eigenvalues(&StabilityOperator::default(), most)?;
        let of_operator = match operator.preconditioner {
            Some(_) => Some(reference.eigenvalues(operator, 1)?),
            None => None,
        };
        let (tolerance, max_iterations) = (self.config.tolerance, self.config.max_iterations);
        let seed = self.config.seed;
        let meter = |largest| {
            let lanczos = Lanczos { largest, smallest: 0, tolerance, max_iterations };
            CurvatureMeter::lanczos(lanczos, seed)
        };
        for largest in COLD_TOPS {
            let solved = meter(largest).measure(&*self.own, state.step)?;
            let alone = |i| if largest == 1 { Kind::Alone } else { Kind::Lambda(i) };
            self.solved(state.step, &solved, &right, largest, alone);
        }
        if let Some(right) = of_operator {
            let solved = meter(1).measure_operator(&*self.own, operator, state.step)?;
            self.solved(state.step, &solved, &right, 1, |_| Kind::Preconditioned);
        }
        Ok(())
    }

    fn solved(
        &mut self,
        step: usize,
        solved: &Curvature,
        right: &[f64],
        wanted: usize,
        kind: impl Fn(usize) -> Kind,
    ) {
        let converged = solved.converged;
        let mut compared = Compared { step, converged, record: &mut *self.record };
        compared.all(&solved.lambda, right, wanted, kind);
        self.record.products.push(solved.hvps);
    }
}

/// Takes values of one step into the record.
struct Compared<'a> {
    step: usize,
    converged: bool,
    record: &'a mut Record,
}

impl Compared<'_> {
    fn all(&mut self, logged: &[f64], right: &[f64], wanted: usize, kind: impl Fn(usize) -> Kind) {
        self.record.absent += wanted.min(right.len()).saturating_sub(logged.len());
        for (i, &value) in logged.iter().enumerate().take(right.len()) {
            self.one(value, right, i, kind(i), right[0].abs());
        }
    }

    fn one(&mut self, logged: f64, right: &[f64], i: usize, kind: Kind, scale: f64) {
        let alike = |a: f64, b: f64| (a - b).abs() <= 1e-6 * scale;
        self.record.values.push(Value {
            step: self.step,
            kind,
            logged,
            right: right[i],
            scale,
            place: right.iter().position(|&other| (logged / other - 1.0).abs() <= 0.01),
            twins: right[..=i].windows(2).any(|pair| alike(pair[0], pair[1])),
            converged: self.converged,
        });
    }
}
