//! Going on with a run that was stopped.

use std::path::Path;

use super::Started;
use crate::config::{RunConfig, Settings};
use crate::error::{Error, Result};
use crate::profile::{History, TrainingState, action_taken};
use crate::record::{Event, EventKind, StepRow, WarningAction};
use crate::rundir::{RunWriter, StoredRun};
use crate::stability::{Monitor, StabilitySettings};

/// What may be changed.
const CHANGEABLE: &str = "--steps, --checkpoint-every and --on-warning";

/// Makes a run ready to go on from its latest complete checkpoint, or from the one that was named, with
/// its own settings but for `changes`. Rows after the checkpoint are taken anew, the updates being the
/// same. Eigenvalues that are followed begin with an audit.
///
/// # Errors
/// [`Error::Setting`] for changes that cannot be made, where no step is left, or where a checkpoint was
/// named that is not the last, without `force`; [`Error::File`] for what is no run, has no checkpoint to
/// go on from, or was made from other data.
pub fn resume(stored: &StoredRun, changes: Settings) -> Result<Started> {
    let started = go_on(stored, changes)?;
    let (step, steps) = (started.first_step(), started.prepared.config.steps);
    if step >= steps {
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
    let halves_now = settings.on_warning == Some(WarningAction::HalveLr);
    let newly_halves = halves_now && settings.on_warning != before;
    let mut prepared = stored.prepare(RunConfig::resolve(settings)?)?;
    prepared.config.init = init;
    prepared.config.place.out = Some(stored.seen_from_there(path));
    prepared.config.place.resume = Some(stored.seen_from_there(path));

    let step = checkpoint(stored, forced)?;
    let mut table = stored.table()?.clone();
    table.cells.truncate(step);
    let rows = stored.rows()?[..step].to_vec();
    let events = still_true(stored.events()?, &rows, stored.monitor(None));

    let mut optimizer = prepared.config.optimizer.build();
    let mut state = stored.state(step, prepared.problem.train.layout(), &mut *optimizer)?;
    if state.batches.is_some() != (step > 0 && prepared.config.batch_size.0.is_some()) {
        let problem = format!("step {step} does not say where the minibatches stood");
        let checkpoints = stored.directory().file("checkpoints");
        return Err(Error::file(checkpoints, None, problem, "run again"));
    }
    let seconds = stored.summary().map_or_else(|| spent(&rows), |summary| summary.total_seconds);
    let mut history = History { rows, events, seconds };
    if newly_halves {
        halve_where_warned(&mut state, &mut history, &prepared.config);
    }
    let mut run = prepared.run_info()?;
    stored.check_same_problem(&run)?;
    run.first_step = step;
    run.theta.clone_from(&state.theta);
    run.history = history;
    let mut directory = stored.directory().clone();
    directory.lock()?;
    let head = stored.head().cloned();
    let writer = RunWriter::resume(directory, head, table, &run.columns);
    let directory = path.to_path_buf();
    Ok(Started { prepared, optimizer, writer, directory, state, run })
}

/// The checkpoint that a run goes on from.
fn checkpoint(stored: &StoredRun, forced: bool) -> Result<usize> {
    let step = stored.resumable()?.filter(|&step| stored.named_step().is_none_or(|n| n == step));
    let step = step.ok_or_else(|| nothing(stored))?;
    let Some(named) = stored.named_step().filter(|_| !forced) else { return Ok(step) };
    let rows = stored.directory().steps()?.cells.len();
    // Without a step named the run would go on from here as well.
    if stored.directory().resumable(rows) == Some(step) {
        return Ok(step);
    }
    let later = stored.directory().checkpoints().into_iter().filter(|&other| other > step).count();
    let problem = match later {
        0 => format!("{} rows after step {step} would be lost", rows.saturating_sub(step)),
        later => format!("{later} checkpoints after step {step} would be lost"),
    };
    let remedy = "leave the step out, or go on from there with --force";
    let shown = format!("{}@{named}", stored.path().display());
    Err(Error::setting("--resume", shown, problem, remedy))
}

/// Wall-clock time of rows, in seconds.
pub(super) fn spent(rows: &[StepRow]) -> f64 {
    rows.iter().map(|row| (row.step_ms + row.curvature_ms.unwrap_or(0.0)) / 1e3).sum()
}

/// A run that now is to halve its rate on a warning does so for the one that still stands.
fn halve_where_warned(state: &mut TrainingState, history: &mut History, config: &RunConfig) {
    let Some(last) = state.step.checked_sub(1) else { return };
    let horizon = StabilitySettings::default().warning.warning_horizon;
    let stands = |event: &&Event| {
        matches!(event.kind, EventKind::SpikeWarning { .. }) && event.step + horizon >= last
    };
    if history.events.iter().any(|event| stands(&event)) {
        let action = WarningAction::HalveLr;
        state.rate_factor *= action.rate_factor();
        let kind = action_taken(action, state.step, &config.learning_rate(), state.rate_factor);
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
/// middle of a spike has told of one without an end.)
pub(super) fn still_true(stored: &[Event], rows: &[StepRow], mut monitor: Monitor) -> Vec<Event> {
    let seen: Vec<Event> = rows.iter().flat_map(|row| monitor.observe(row).events).collect();
    let holds = |event: &Event| {
        let closing = matches!(event.kind, EventKind::LossSpike { .. });
        event.step < rows.len() && (!closing || seen.contains(event))
    };
    stored.iter().filter(|event| holds(event)).cloned().collect()
}
