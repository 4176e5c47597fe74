//! Going on with a run that was stopped.

use std::path::Path;

use super::start::Ending;
use super::{Prepared, Started};
use crate::config::{RunConfig, Settings};
use crate::device::BackendChoice;
use crate::error::{Error, Result};
use crate::optim::Optimizer;
use crate::profile::{History, TrainingState, action_taken, rate_factor_after};
use crate::record::{Event, EventKind, StepRow, WarningAction};
use crate::rundir::{RunWriter, StepTable, StoredRun, read_safetensors};
use crate::stability::{Monitor, StabilitySettings};

/// What may be changed.
const CHANGEABLE: &str = "--steps, --checkpoint-every and --on-warning";

/// Makes a run ready to go on from its latest complete checkpoint, or from the one that was named, with
/// its own settings but for `changes`. Rows after the checkpoint are taken anew, the updates being the
/// same, and followed eigenvalues go on where they stood. A run that took its last step, but was killed
/// before its files were complete, gets those.
///
/// # Errors
/// [`Error::Setting`] for changes that cannot be made, where no step is left, or where a checkpoint was
/// named that is not the last, without `force`; [`Error::File`] for what is no run, has no checkpoint to
/// go on from, or was made from other data.
pub fn resume(stored: &StoredRun, changes: Settings) -> Result<Started> {
    let closed = stored.is_closed();
    let started = go_on(stored, changes)?;
    let (step, steps) = (started.first_step(), started.prepared.config.steps);
    if step >= steps && closed {
        let problem = format!("the run has {step} steps already");
        let shown = stored.path().display();
        return Err(Error::setting("--resume", shown, problem, "give more with --steps"));
    }
    Ok(started)
}

/// As [`resume`], for a run that may have taken its last step, but was not ended well.
pub(crate) fn go_on(stored: &StoredRun, changes: Settings) -> Result<Started> {
    let path = stored.path();
    let forced = changes.force.unwrap_or(false);
    let settings = stored.settings()?;
    let (init, before) = (settings.init.clone(), settings.on_warning);
    let changes = Settings { force: None, ..changes };
    let settings = changed(path, changes, Settings { init: None, ..settings })?;
    let lowers = [WarningAction::HalveLr, WarningAction::LowerLr];
    let newly = settings.on_warning.filter(|action| Some(*action) != before);
    let newly_lowers = newly.filter(|action| lowers.contains(action));
    let mut prepared = prepare_there(stored, RunConfig::resolve(settings)?)?;
    prepared.config.init = init;
    prepared.config.place.out = Some(stored.seen_from_there(path));
    prepared.config.place.resume = Some(stored.seen_from_there(path));
    let mut run = prepared.run_info()?;
    stored.check_same_problem(&run)?;

    let mut table = match stored.has_table()? {
        true => stored.table_in_order()?,
        false => StepTable::empty(stored.directory().file("steps.csv"), &run.columns),
    };
    let mut optimizer = prepared.config.build_optimizer(prepared.problem.train.layout());
    let ending = Ending::of(stored, &table)?;
    let (mut state, notices) = match &ending {
        Some(_) => {
            stored.check_tables(&table)?;
            (TrainingState { step: table.cells.len(), ..start(stored, &prepared)? }, Vec::new())
        }
        None => point(stored, forced, &table, &prepared, &mut *optimizer)?,
    };
    let step = state.step;
    table.cells.truncate(step);
    let rows = table.rows()?;
    let events = still_true(stored.events()?, &rows, stored.monitor(None));
    let seconds = stored.summary().map_or_else(|| spent(&rows), |summary| summary.total_seconds);
    let mut history = History { rows, events, seconds };
    if let Some(action) = newly_lowers {
        lower_where_warned(action, &mut state, &mut history, &prepared.config);
    }
    run.first_step = step;
    run.theta.clone_from(&state.theta);
    run.history = history;
    let mut directory = stored.directory().clone();
    directory.lock()?;
    let head = stored.head().cloned();
    let writer = RunWriter::resume(directory, head, table, &run.columns);
    let directory = path.to_path_buf();
    Ok(Started { prepared, optimizer, writer, directory, state, run, notices, ending })
}

/// The problem on the kind of device that the run was on, whatever `auto` would take here.
fn prepare_there(stored: &StoredRun, config: RunConfig) -> Result<Prepared> {
    let asked = config.backend;
    let recorded = stored.head().and_then(|head| head.backend.as_deref()?.parse().ok());
    let backend: BackendChoice = recorded.unwrap_or(asked);
    let prepared = stored.prepare(RunConfig { backend, ..config });
    let mut prepared = prepared.map_err(|error| match error {
        // Its remedies name flags that a run does not go on with.
        Error::Device { problem, .. } => Error::Device {
            problem,
            remedy:
                "a run goes on with the kind of device that it began on: do so where there is one, \
                     or begin anew, from its weights (--init), in another --out"
                    .into(),
        },
        other => other,
    })?;
    prepared.config.backend = asked;
    Ok(prepared)
}

/// Where the run goes on, and what its user should know of that: from the checkpoint that was named, from
/// the latest that can be used, or, where no update was taken, from the start.
fn point(
    stored: &StoredRun,
    forced: bool,
    table: &StepTable,
    prepared: &Prepared,
    optimizer: &mut dyn Optimizer,
) -> Result<(TrainingState, Vec<String>)> {
    let rows = table.cells.len();
    if let Some(named) = stored.named_step() {
        check_named(stored, named, forced, rows)?;
    }
    let layout = prepared.problem.train.layout();
    let mut damaged: Vec<(usize, Error)> = Vec::new();
    let there = stored.directory().checkpoints().into_iter().rev();
    for step in there.filter(|&step| step <= rows) {
        if stored.named_step().is_some_and(|named| named != step) {
            continue;
        }
        // Without it, the run was killed between the checkpoint's parts.
        if !stored.directory().has_head(step) {
            continue;
        }
        let tables = stored.check_tables_at(step, table);
        match tables.and_then(|_| stored.state(step, layout, optimizer)) {
            Ok(state) => {
                let mut notices: Vec<String> =
                    damaged.iter().map(|(later, why)| passed_over(*later, why)).collect();
                if stored.directory().tracking_is_gone(step) {
                    notices.push(format!(
                        "followed eigenvalues begin anew with an audit: step {step} does not hold them \
                         any more"
                    ));
                }
                return Ok((state, notices));
            }
            Err(error @ Error::File { .. }) => damaged.push((step, error)),
            Err(error) => return Err(error),
        }
    }
    let from_start = rows == 0 && stored.named_step().is_none_or(|named| named == 0);
    match damaged.into_iter().next() {
        _ if from_start => Ok((start(stored, prepared)?, Vec::new())),
        Some((_, error)) => Err(error),
        None => Err(nothing(stored)),
    }
}

/// One line on a checkpoint that is not gone on from.
fn passed_over(step: usize, why: &Error) -> String {
    let why = match why {
        Error::File { path, problem, .. } => format!("{}: {problem}", path.display()),
        other => other.to_string(),
    };
    format!("the checkpoint at step {step} cannot be used ({why}): the one before it is")
}

/// Before the first update: the initial weights, drawn again where the run was killed before they were
/// written.
fn start(stored: &StoredRun, prepared: &Prepared) -> Result<TrainingState> {
    let layout = prepared.problem.train.layout();
    let theta = match (stored.directory().file("init.safetensors").is_file(), &prepared.config.init)
    {
        (true, _) => stored.directory().read_weights(0, layout)?,
        (false, Some(init)) => read_safetensors(&stored.path_from_here(init), layout)?,
        (false, None) => prepared.theta.clone(),
    };
    let precision = prepared.config.precision;
    let theta = theta.into_iter().map(|w| precision.round(w)).collect();
    Ok(TrainingState::initial(theta))
}

/// That the checkpoint which was named is there with all its parts and, without `forced`, that nothing
/// later is lost.
fn check_named(stored: &StoredRun, named: usize, forced: bool, kept: usize) -> Result<()> {
    let directory = stored.directory();
    if named > kept || (!directory.has_head(named) && kept > 0) {
        return Err(nothing(stored));
    }
    let rows = if stored.has_table()? { directory.steps()?.cells.len() } else { 0 };
    // Without a step named the run would go on from here as well.
    if forced || directory.resumable(rows) == Some(named) {
        return Ok(());
    }
    let later = directory.checkpoints().into_iter().filter(|&other| other > named).count();
    let problem = match later {
        0 => format!("{} rows after step {named} would be lost", rows.saturating_sub(named)),
        later => format!("{later} checkpoints after step {named} would be lost"),
    };
    let remedy = "leave the step out, or go on from there with --force";
    let shown = format!("{}@{named}", stored.path().display());
    Err(Error::setting("--resume", shown, problem, remedy))
}

/// Wall-clock time of rows, in seconds.
pub(super) fn spent(rows: &[StepRow]) -> f64 {
    rows.iter().map(|row| (row.step_ms + row.curvature_ms.unwrap_or(0.0)) / 1e3).sum()
}

/// A run that now is to lower its rate on a warning does so for the one that still stands.
fn lower_where_warned(
    action: WarningAction,
    state: &mut TrainingState,
    history: &mut History,
    config: &RunConfig,
) {
    let Some(last) = state.step.checked_sub(1) else { return };
    let horizon = StabilitySettings::default().warning.warning_horizon;
    let standing = history.events.iter().rev().find_map(|event| match event.kind {
        EventKind::SpikeWarning { bearable, .. } if event.step + horizon >= last => Some(bearable),
        _ => None,
    });
    if let Some(bearable) = standing {
        let factor = action.factor_for(bearable);
        state.rate_factor = rate_factor_after(state.rate_factor, factor);
        let factors = [factor, state.rate_factor];
        let kind = action_taken(action, state.step, &config.learning_rate(), factors);
        history.events.push(Event { step: last, kind });
    }
}

/// The run's settings with those changes.
fn changed(path: &Path, changes: Settings, stored: Settings) -> Result<Settings> {
    let allowed = Settings {
        steps: changes.steps,
        checkpoint_every: changes.checkpoint_every,
        on_warning: changes.on_warning,
        ..Settings::default()
    };
    if changes != allowed {
        let problem = "the run goes on with its own settings";
        let remedy = format!("leave out every flag and --config key but {CHANGEABLE}");
        return Err(Error::setting("--resume", path.display(), problem, remedy));
    }
    let before = RunConfig::resolve(stored.clone())?;
    let follows_length = before.schedule.falls();
    if let Some(steps) = changes.steps.filter(|&steps| follows_length && steps != before.steps) {
        let problem = format!(
            "the learning rates so far are those of a schedule over {} steps",
            before.steps
        );
        return Err(Error::setting("--steps", steps, problem, "leave it out"));
    }
    Ok(changes.or(stored))
}

fn nothing(stored: &StoredRun) -> Error {
    let problem = match stored.named_step() {
        Some(step) => format!("step {step} lacks some of its parts, or the rows before it"),
        None => "no checkpoint there has all its parts, and the rows before it".to_string(),
    };
    let remedy = "start anew in another --out, from its weights (--init) if there are any";
    Error::file(stored.directory().file("checkpoints"), None, problem, remedy)
}

/// The events that the rows kept tell of, or that do not come from rows. (A run that stops in the
/// middle of a spike has told of one without an end, and divergence is seen again.)
pub(super) fn still_true(stored: &[Event], rows: &[StepRow], mut monitor: Monitor) -> Vec<Event> {
    let seen: Vec<Event> = rows.iter().flat_map(|row| monitor.observe(row).events).collect();
    let holds = |event: &Event| {
        let closing =
            matches!(event.kind, EventKind::LossSpike { .. } | EventKind::Divergence { .. });
        event.step < rows.len() && (!closing || seen.contains(event))
    };
    stored.iter().filter(|event| holds(event)).cloned().collect()
}
