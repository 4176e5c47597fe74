//! The spectrum of a run that is on disk, at one of its checkpoints.

use crate::autodiff::Samples;
use crate::config::{RunConfig, Settings};
use crate::curvature::{
    Flatness, FlatnessSettings, GroupSpectrum, Matrix, Spectrum, flatness, groups, named_group,
    rescale,
};
use crate::device::BackendChoice;
use crate::error::{Error, Result};
use crate::experiment::Prepared;
use crate::linalg::{Lanczos, StochasticLanczos, norm};
use crate::model::{Activation, ModelSpec};
use crate::optim::{Optimizer, StabilityContext, StabilityOperator};
use crate::rng::{self, Stream};
use crate::rundir::{StoredRun, preconditioner_file, spectrum_stem};

/// What is asked of a run's spectrum.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    /// The number of updates taken; `None` for the checkpoint that the run was opened at, or the last
    /// there is.
    pub step: Option<usize>,
    /// Probes and Lanczos steps; `None` for those of the run.
    pub probes: Option<usize>,
    /// Lanczos steps for each probe.
    pub iterations: Option<usize>,
    /// Smoothing, in units of eigenvalues.
    pub sigma: Option<f64>,
    /// The matrix.
    pub matrix: Matrix,
    /// Whether the optimizer's preconditioner goes around it.
    pub preconditioned: bool,
    /// The layer, or the beginning of the names, of the parameters that it is restricted to.
    pub parameters: Option<String>,
    /// Largest eigenvalues found.
    pub top: usize,
    /// Whether each layer's block is measured too.
    pub layers: bool,
    /// Whether measures of flatness are taken.
    pub flatness: bool,
    /// The factor by which a relu network is rescaled, to see which measures change.
    pub reparametrize: Option<f64>,
    /// Device; `None` for the run's.
    pub backend: Option<BackendChoice>,
}

impl Request {
    /// Where in the run directory the answer is written, without its endings.
    ///
    /// # Errors
    /// [`Error::Setting`] for a step without a checkpoint.
    pub fn stem(&self, run: &StoredRun) -> Result<String> {
        let (step, _) = run.checkpoint(self.step)?;
        let group = self.parameters.as_deref();
        Ok(spectrum_stem(step, self.matrix, self.preconditioned, group))
    }

    /// Checks what can be checked without the run.
    ///
    /// # Errors
    /// [`Error::Setting`].
    pub fn check(&self) -> Result<()> {
        // They are as a run's own.
        Settings {
            probes: self.probes,
            iterations: self.iterations,
            top: Some(self.top),
            sigma: self.sigma,
            ..Settings::default()
        }
        .check()?;
        match self.reparametrize {
            Some(factor) if !(1e-30..=1e30).contains(&factor) => {
                let remedy = "give a number from 1e-30 to 1e30";
                let shown = format!("{factor:?}");
                Err(Error::setting("--reparametrize", shown, "out of range", remedy))
            }
            _ => Ok(()),
        }
    }
}

/// What was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The spectrum.
    pub spectrum: Spectrum,
    /// The formula of the optimizer's threshold, where it has one.
    pub formula: Option<String>,
    /// Why there is no threshold, where the formula bounds what was measured.
    pub no_threshold: Option<String>,
    /// Each layer's block.
    pub layers: Vec<GroupSpectrum>,
    /// Flatness as the network stands.
    pub flatness: Option<Flatness>,
    /// Flatness after rescaling, which changes no output.
    pub rescaled: Option<Flatness>,
}

/// Loads the run, moves to the checkpoint, and measures.
///
/// # Errors
/// [`Error::File`] for what is no run directory or has no such checkpoint, [`Error::Setting`] for
/// what cannot be asked of this run, and whatever measuring reports.
pub fn measure(run: &StoredRun, request: &Request) -> Result<Measurement> {
    let mut prepared = run.problem(request.backend)?;
    let (step, _) = run.checkpoint(request.step)?;
    let layout = prepared.problem.train.layout().clone();
    let mut optimizer = prepared.config.build_optimizer(&layout);
    let theta = if run.directory().has_head(step) {
        let state = run.state(step, &layout, &mut *optimizer)?;
        // Some thresholds depend on the steps taken.
        optimizer.restore(&state.optimizer)?;
        state.theta
    } else {
        run.directory().read_weights(step, &layout)?
    };
    let operator = match request.preconditioned {
        false => StabilityOperator::default(),
        true => preconditioner(run, step, &prepared, &*optimizer)?,
    };
    if let Some(factor) = request.reparametrize {
        check_relu(&prepared.config.model, factor)?;
    }
    let group = request.parameters.as_ref().map(|name| named_group(&layout, name)).transpose()?;

    let mut meter = prepared.spectrum_meter();
    let StochasticLanczos { probes, iterations } = meter.quadrature;
    meter.quadrature = StochasticLanczos {
        probes: request.probes.unwrap_or(probes),
        iterations: request.iterations.unwrap_or(iterations),
    };
    meter.sigma = request.sigma.or(meter.sigma);
    meter.matrix = request.matrix;
    meter.operator = operator;
    meter.group = group;
    meter.top = request.top;
    meter.max_iterations = meter.max_iterations.max(Lanczos::usual_limit(request.top));

    let objective = match &mut prepared.problem.curvature {
        Some(objective) => objective,
        None => &mut prepared.problem.train,
    };
    objective.set_parameters(&theta)?;
    let mut spectrum = meter.measure(&**objective, step)?;
    let layers = match request.layers {
        true => meter.by_group(&**objective, &groups(&layout), step)?,
        false => Vec::new(),
    };
    let settings = FlatnessSettings {
        meter: meter.solver(1, 0),
        step,
        epsilon: 1e-3,
        rho: 0.05,
        adaptive_rho: 0.5,
        ascent_steps: 20,
        probes: 60,
    };
    let mut flat = |theta: &[f64]| {
        let mut rng = rng::stream(meter.seed, Stream::Probes { step: step as u32 });
        flatness(&mut **objective, theta, &settings, &mut rng)
    };
    let wanted = request.flatness || request.reparametrize.is_some();
    let measured = wanted.then(|| flat(&theta)).transpose()?;
    let rescaled = match request.reparametrize {
        Some(factor) => Some(flat(&rescale(&theta, &layout, 0, factor)?)?),
        None => None,
    };
    let formula = optimizer.formula();
    let bounds = request.matrix == Matrix::Hessian
        && request.preconditioned
            == (optimizer.is_preconditioned() || optimizer.operator().shift > 0.0)
        && request.parameters.is_none();
    let mut no_threshold = None;
    if bounds && formula.is_some() {
        let lr = rate(run, step, &prepared.config)?;
        let train = &mut prepared.problem.train;
        train.set_parameters(&theta)?;
        // SAM's threshold depends on it: on the minibatch's, where one was drawn.
        let drawn = run.rows()?.get(step).and_then(|row| row.batch_grad_norm);
        let own = || train.gradient(Samples::All).map(|full| norm(&full.gradient));
        let grad_norm = Some(drawn.map_or_else(own, Ok)?);
        spectrum.threshold = optimizer.threshold(&StabilityContext { lr, grad_norm });
        no_threshold =
            spectrum.threshold.is_none().then(|| format!("the learning rate there is {lr:?}"));
    }
    Ok(Measurement { spectrum, formula, no_threshold, layers, flatness: measured, rescaled })
}

/// The learning rate of the update from a checkpoint: that of its row, or, where the run did not go on
/// from there, the rate that would have come next. Either may be below the schedule's, after a warning.
fn rate(run: &StoredRun, step: usize, config: &RunConfig) -> Result<f64> {
    let rows = run.rows().unwrap_or_default();
    if let Some(row) = rows.iter().find(|row| row.step == step) {
        return Ok(row.lr);
    }
    if let Some(state) = run.checkpoint_state(step)? {
        return Ok(state.schedule.next_lr);
    }
    let lowered: f64 = run.rate_changes(0, step)?.iter().map(|(_, factor)| factor).product();
    Ok(config.learning_rate().rate(step) * lowered)
}

fn preconditioner(
    run: &StoredRun,
    step: usize,
    prepared: &Prepared,
    optimizer: &dyn Optimizer,
) -> Result<StabilityOperator> {
    let shift = optimizer.operator().shift;
    if !optimizer.is_preconditioned() {
        if shift > 0.0 {
            return Ok(StabilityOperator { shift, ..StabilityOperator::default() });
        }
        let problem = format!("{} has no preconditioner", prepared.config.optimizer);
        let remedy = "leave it out";
        return Err(Error::setting("--preconditioned", true, problem, remedy));
    }
    let path = run.directory().file(&preconditioner_file(step));
    if !path.is_file() {
        let problem = format!("there is no preconditioner at step {step}");
        let remedy = "give a --step with a checkpoint after the start";
        return Err(Error::setting("--preconditioned", true, problem, remedy));
    }
    let layout = prepared.problem.train.layout();
    let preconditioner = Some(run.directory().read_preconditioner(step, layout)?);
    let basis = run.directory().basis(step, layout)?;
    Ok(StabilityOperator { preconditioner, basis, shift })
}

fn check_relu(model: &ModelSpec, factor: f64) -> Result<()> {
    match model {
        ModelSpec::Mlp(mlp) if mlp.activation == Activation::Relu && !mlp.hidden.is_empty() => {
            Ok(())
        }
        _ => {
            let problem = "only a relu perceptron with a hidden layer keeps its function";
            let remedy = "use it on a run with such a model, such as mlp-relu";
            Err(Error::setting("--reparametrize", format!("{factor:?}"), problem, remedy))
        }
    }
}
