//! Going on with a run that was stopped.

use std::path::Path;

use super::start::labels;
use super::{Started, prepare, stored_monitor, stored_settings};
use crate::config::{RunConfig, Settings};
use crate::error::{Error, Result};
use crate::optim::ScheduleKind;
use crate::record::{Event, EventKind, StepRow};
use crate::report::{Resumption, RunDirectory, RunWriter, now};
use crate::stability::Monitor;
use crate::train::History;

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
    let directory = RunDirectory::at(path);
    let stored = stored_settings(&directory)?;
    let (init, chunk) = (stored.init.clone(), stored.chunk);
    let settings = changed(path, changes, Settings { init: None, chunk: None, ..stored })?;
    let config = RunConfig::resolve(settings)?;
    let mut prepared = prepare(config.clone())?;
    // A chunk that was given holds for all samples, the default differs between them.
    if prepared.config.chunk != chunk {
        prepared = prepare(RunConfig { chunk, ..config })?;
    }
    prepared.config.init = init;
    prepared.config.out = Some(path.to_path_buf());

    let mut table = directory.steps()?;
    let step = last_complete(&directory, table.cells.len())?;
    let steps = prepared.config.steps;
    if step >= steps {
        let problem = format!("all {steps} steps are taken");
        let remedy = "give more with --steps";
        return Err(Error::setting("--resume", path.display(), problem, remedy));
    }
    table.cells.truncate(step);
    let rows = table.rows()?;
    let monitor = stored_monitor(&directory, None)?;
    let events = still_true(directory.events()?, &rows, monitor);

    let mut optimizer = prepared.config.optimizer.build();
    let layout = prepared.problem.train.layout();
    let state = directory.training_state(step, layout, &mut *optimizer)?;
    let mut manifest = prepared.manifest()?;
    directory.check_same_problem(&manifest)?;
    let head = directory.manifest_head()?;
    if let Some(head) = head {
        manifest.started = head.started.unwrap_or(manifest.started);
        manifest.resumed = head.resumed;
    }
    manifest.resumed.push(Resumption { time: now(), step });
    let history = History { rows, events };
    let labels = labels(&prepared, &*optimizer);
    let columns = prepared.config.columns();
    let writer = RunWriter::resume(directory, manifest, columns, labels, layout, &table, &history)?;
    Ok(Started { prepared, optimizer, writer, state, history })
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

/// The latest checkpoint that can be gone on from and whose rows are all there.
fn last_complete(directory: &RunDirectory, rows: usize) -> Result<usize> {
    let complete = |&step: &usize| step <= rows && directory.checkpoint_is_complete(step);
    let last = directory.checkpoints().into_iter().rev().find(complete);
    match last {
        Some(step) => Ok(step),
        None if rows == 0 => Ok(0),
        None => {
            let problem = "the run has no complete checkpoint to go on from";
            let remedy = "run it again with --force, and with --checkpoint-every";
            Err(Error::file(directory.file("checkpoints"), None, problem, remedy))
        }
    }
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
