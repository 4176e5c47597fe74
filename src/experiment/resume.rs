//! Going on with a run that was stopped.

use std::path::Path;

use super::start::labels;
use super::{Started, prepare, stored_monitor, stored_settings};
use crate::config::{RunConfig, Settings};
use crate::error::{Error, Result};
use crate::optim::ScheduleKind;
use crate::profile::{History, TrainingState};
use crate::record::{Event, EventKind, StepRow, WarningAction};
use crate::rundir::{Resumption, RunDirectory, RunWriter, now};
use crate::stability::{Monitor, StabilitySettings};

/// What may be changed.
const CHANGEABLE: &str = "--steps, --checkpoint-every and --on-warning";

/// Makes the run in `path` ready to go on from its latest complete checkpoint, with its own settings
/// but for `changes`. Rows after the checkpoint are taken anew, the updates being the same.
/// Eigenvalues that are followed begin with an audit.
///
/// # Errors
/// [`Error::Setting`] for changes that cannot be made, or where no step is left;
/// [`Error::File`] for what is no run, has no checkpoint to go on from, or was made from other data.
pub fn resume(path: &Path, changes: Settings) -> Result<Started> {
    let mut directory = RunDirectory::at(path);
    let stored = stored_settings(&directory)?;
    let (init, before) = (stored.init.clone(), stored.on_warning.clone());
    let settings = changed(path, changes, Settings { init: None, ..stored })?;
    let halves_now = settings.on_warning.as_deref() == Some("halve-lr");
    let newly_halves = halves_now && settings.on_warning != before;
    let mut prepared = prepare(RunConfig::resolve(settings)?)?;
    prepared.config.init = init;
    prepared.config.out = Some(path.to_path_buf());
    prepared.config.resume = Some(path.to_path_buf());

    let mut table = directory.steps()?;
    let step = directory.resumable(table.cells.len()).ok_or_else(|| nothing(&directory))?;
    let steps = prepared.config.steps;
    if step >= steps {
        let problem = format!("the run has {step} steps already");
        let remedy = "give more with --steps";
        return Err(Error::setting("--resume", path.display(), problem, remedy));
    }
    table.cells.truncate(step);
    let rows = table.rows()?;
    let monitor = stored_monitor(&directory, None)?;
    let events = still_true(directory.events()?, &rows, monitor);

    let mut optimizer = prepared.config.optimizer.build();
    let layout = prepared.problem.train.layout();
    let mut state = directory.training_state(step, layout, &mut *optimizer)?;
    if state.batches.is_some() != (step > 0 && prepared.config.batch_size.0.is_some()) {
        let problem = format!("step {step} does not say where the minibatches stood");
        return Err(Error::file(directory.file("checkpoints"), None, problem, "run again"));
    }
    let seconds =
        directory.summary().map_or_else(|_| spent(&rows), |summary| summary.total_seconds);
    let mut manifest = prepared.manifest()?;
    directory.check_same_problem(&manifest)?;
    if let Some(head) = directory.manifest_head()? {
        manifest.started = head.started.unwrap_or(manifest.started);
        manifest.resumed = head.resumed;
    }
    manifest.resumed.push(Resumption { time: now(), step });
    let labels = labels(&prepared, &*optimizer);
    let columns = prepared.config.columns();
    let mut history = History { rows, events, seconds };
    if newly_halves {
        halve_where_warned(&mut state, &mut history, &prepared.config);
    }
    directory.lock()?;
    let writer = RunWriter::resume(directory, manifest, columns, labels, layout, &table, &history)?;
    Ok(Started { prepared, optimizer, writer, state, history })
}

/// Wall-clock time of rows, in seconds.
fn spent(rows: &[StepRow]) -> f64 {
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
        state.rate_factor /= 2.0;
        let lr = config.learning_rate().rate(state.step) * state.rate_factor;
        let action = WarningAction::HalveLr;
        let kind = EventKind::ActionTaken { action, next_step: state.step, lr };
        history.events.push(Event { step: last, kind });
    }
}

/// The run's settings with those changes.
fn changed(path: &Path, changes: Settings, stored: Settings) -> Result<Settings> {
    let allowed = Settings {
        steps: changes.steps,
        checkpoint_every: changes.checkpoint_every,
        on_warning: changes.on_warning.clone(),
        ..Settings::default()
    };
    if changes != allowed {
        let problem = "the run goes on with its own settings";
        let remedy = format!("leave out every flag and --config key but {CHANGEABLE}");
        return Err(Error::setting("--resume", path.display(), problem, remedy));
    }
    let before = RunConfig::resolve(stored.clone())?;
    let follows_length = matches!(before.schedule, ScheduleKind::Cosine | ScheduleKind::Linear);
    if let Some(steps) = changes.steps.filter(|&steps| follows_length && steps != before.steps) {
        let problem = format!(
            "the learning rates so far are those of a schedule over {} steps",
            before.steps
        );
        return Err(Error::setting("--steps", steps, problem, "leave it out"));
    }
    Ok(changes.or(stored))
}

fn nothing(directory: &RunDirectory) -> Error {
    let problem = "no checkpoint there has all its parts, and the rows before it";
    let remedy = "start anew in another --out, from its weights (--init) if there are any";
    Error::file(directory.file("checkpoints"), None, problem, remedy)
}

/// The events that the rows kept tell of, or that do not come from rows. (A run that stops in the
/// middle of a spike has told of one without an end.)
fn still_true(stored: Vec<Event>, rows: &[StepRow], mut monitor: Monitor) -> Vec<Event> {
    let seen: Vec<Event> = rows.iter().flat_map(|row| monitor.observe(row).events).collect();
    let holds = |event: &Event| {
        let closing = matches!(event.kind, EventKind::LossSpike { .. });
        event.step < rows.len() && (!closing || seen.contains(event))
    };
    stored.into_iter().filter(holds).collect()
}
