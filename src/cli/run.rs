//! `sharpscope run`.

use std::path::Path;

use serde::Serialize;

use super::args::RunArgs;
use super::in_shell::in_shell;
use super::logging::Terminal;
use super::progress::Progress;
use super::signals::watch_for_interrupts;
use super::watch::LiveScreen;
use crate::config::{RunConfig, Settings};
use crate::error::Error;
use crate::experiment::{Finished, Prepared, prepare, resume};
use crate::objective::ObjectiveSpec;
use crate::profile::Observer;
use crate::record::{ExitStatus, Summary, short};
use crate::rundir::StoredRun;

/// Runs and returns the exit code.
pub(super) fn run(args: RunArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    if args.watch {
        LiveScreen::check()?;
    }
    let from_file = match &args.config {
        Some(path) => Settings::read(path)?,
        None => Settings::default(),
    };
    let mut settings = args.settings.or(from_file);
    let resumed = settings.resume.take();
    let started = match &resumed {
        Some(run) => resume(&StoredRun::open(run)?, settings)?,
        None => prepare(RunConfig::resolve(settings)?)?.start()?,
    };
    let interrupted = watch_for_interrupts();
    // Not before: an error is to stand alone.
    let prepared = started.prepared();
    for notice in [prepared.device.notice(), prepared.notice.as_deref()].into_iter().flatten() {
        terminal.note(notice);
    }
    if prepared.config.objective().is_none() {
        terminal.note(&format!("data: {}", prepared.dataset.description()));
    }
    terminal.note(&describe(started.prepared()));
    started.notices().iter().for_each(|notice| terminal.note(notice));
    if let Some(remark) = started.prepared().config.learning_rate().remark() {
        terminal.note(&remark);
    }
    if resumed.is_some() {
        match started.only_closes() {
            true => terminal.note("no step is left: its closing files are written"),
            false => terminal.note(&format!("goes on at step {}", started.first_step())),
        }
    }
    let formula = started.formula();
    let config = &started.prepared().config;
    if formula.is_none() {
        terminal.note(&format!(
            "no stability threshold is known for {}: threshold and edge_ratio stay empty",
            config.optimizer
        ));
    }
    let shown: Box<dyn Observer> = match args.watch {
        true => Box::new(LiveScreen::new(terminal, &interrupted)),
        false => Box::new(Progress::start(terminal, config.steps, formula.as_deref())),
    };
    let finished = started.train(vec![shown], &interrupted)?;
    report(&finished, formula.as_deref(), args.json, terminal)?;
    if let Some(line) = next_line(&finished).filter(|_| !args.json) {
        terminal.result(&line);
    }
    match finished.error {
        Some(error) => Err(error.into()),
        None => Ok(finished.summary.status.code()),
    }
}

pub(super) fn describe(prepared: &Prepared) -> String {
    let config = &prepared.config;
    if let Some(objective) = config.objective() {
        return describe_objective(prepared, objective);
    }
    let test = match prepared.split.test.len() {
        0 => String::new(),
        test => format!(" ({test} for a test)"),
    };
    format!(
        "{}: {} parameters, {} training and {} validation samples of {}{test}, {} loss, {} {}, \
         lr {}, seed {}, on {} ({}, {})",
        config.place.name,
        prepared.theta.len(),
        prepared.split.train.len(),
        prepared.split.validation.len(),
        config.dataset,
        config.loss,
        config.optimizer,
        config.batch_size.describe(),
        config.lr,
        config.seed,
        prepared.device.backend(),
        prepared.device.adapter(),
        config.precision,
    )
}

fn describe_objective(prepared: &Prepared, objective: &ObjectiveSpec) -> String {
    let config = &prepared.config;
    format!(
        "{}: {} of {} variables, {}; {}, lr {}, seed {}, on {} ({}, {})",
        config.place.name,
        objective.kind(),
        prepared.theta.len(),
        objective.facts().about(),
        config.optimizer,
        config.lr,
        config.seed,
        prepared.device.backend(),
        prepared.device.adapter(),
        config.precision,
    )
}

/// Prints how a run ended, in lines or as its summary with where it was written.
pub(super) fn report(
    finished: &Finished,
    formula: Option<&str>,
    json: bool,
    terminal: &Terminal,
) -> crate::Result<()> {
    if json {
        return terminal.json(&Told { summary: &finished.summary, written: &finished.directory });
    }
    for line in summary_lines(&finished.summary, formula) {
        terminal.result(&line);
    }
    // What the folder holds is not all of it, where writing it failed.
    if !matches!(finished.error, Some(Error::Io { .. })) {
        terminal.result(&format!("written    {}", finished.directory.display()));
    }
    Ok(())
}

#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    written: &'a Path,
}

/// What to look at next, by how the run ended.
fn next_line(finished: &Finished) -> Option<String> {
    let Finished { summary, directory, error } = finished;
    if matches!(error, Some(Error::Io { .. })) {
        return None;
    }
    let run = in_shell(&directory.display().to_string());
    let suspect = summary.unconverged_rows > 0
        || ["precision_suspect", "curvature_non_finite", "curvature_repaired"]
            .iter()
            .any(|kind| summary.events.contains_key(*kind));
    Some(match summary.status {
        ExitStatus::Interrupted => {
            format!("next       sharpscope run --resume {run}    goes on where it was stopped")
        }
        ExitStatus::Diverged | ExitStatus::Failed => {
            format!("next       sharpscope events {run}    what was seen before it ended")
        }
        _ if suspect => {
            format!("next       sharpscope doctor {run}    is it fit to draw conclusions from?")
        }
        _ => format!("next       sharpscope report {run}    a page with its curves and events"),
    })
}

fn summary_lines(summary: &Summary, formula: Option<&str>) -> Vec<String> {
    let value = |x: Option<f64>| x.map_or_else(|| "-".to_string(), short);
    let percent =
        |x: Option<f64>| x.map_or_else(|| "-".to_string(), |x| format!("{:.1}%", 100.0 * x));
    let status = match summary.status {
        ExitStatus::Completed => "done      ",
        ExitStatus::Failed => "failed    ",
        ExitStatus::Diverged => "diverged  ",
        ExitStatus::Interrupted | ExitStatus::StoppedOnWarning => "stopped   ",
    };
    let mut lines = vec![
        format!(
            "{status} {} steps in {:.1} s: training {:.1} s, curvature {:.1} s for {} \
             Hessian-vector products",
            summary.steps,
            summary.total_seconds,
            summary.training_seconds,
            summary.curvature_seconds,
            summary.hvps
        ),
        format!(
            "loss       {} (validation {}), accuracy {} (validation {})",
            value(summary.final_train_loss),
            value(summary.final_val_loss),
            percent(summary.final_train_accuracy),
            percent(summary.final_val_accuracy)
        ),
        format!(
            "sharpness  {} -> {}, peak {}{}{}",
            value(summary.initial_sharpness),
            value(summary.final_sharpness),
            value(summary.peak_sharpness),
            summary.peak_sharpness_step.map_or_else(String::new, |s| format!(" at step {s}")),
            match summary.final_preconditioned_sharpness {
                Some(sharpness) => format!(
                    "; preconditioned {}, peak {}",
                    short(sharpness),
                    value(summary.peak_preconditioned_sharpness)
                ),
                None => String::new(),
            }
        ),
        format!(
            "threshold  {}",
            match (formula, summary.first_step_at_edge) {
                (None, _) => "none known".to_string(),
                (Some(formula), edge) => format!(
                    "{formula} = {}, {}",
                    value(summary.final_threshold),
                    edge.map_or_else(
                        || "not reached".to_string(),
                        |step| format!("reached at step {step}")
                    )
                ),
            }
        ),
    ];
    if let Some(loss) = summary.test_loss {
        let accuracy = percent(summary.test_accuracy);
        lines.insert(2, format!("test       loss {}, accuracy {accuracy}", short(loss)));
    }
    if let Some(share) = summary.share_realized_above {
        lines.push(format!(
            "realized   {} of the edge, 1 or more at {} of the measured updates{}",
            value(summary.final_realized_ratio),
            percent(Some(share)),
            match summary.ascents {
                0 => String::new(),
                ascents => format!("; {ascents} more ascend"),
            }
        ));
    }
    if summary.unconverged_rows > 0 {
        lines.push(format!(
            "warning    {} of {} sharpness values did not converge (largest residual {:.1e}); raise \
             --max-iterations",
            summary.unconverged_rows,
            summary.curvature_rows,
            summary.max_residual.unwrap_or(f64::NAN)
        ));
    }
    lines
}
