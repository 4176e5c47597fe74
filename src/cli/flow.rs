//! `sharpscope flow`.

use std::path::PathBuf;

use clap::Args;

use super::counted::Counted;
use super::flags::Read;
use super::logging::Terminal;
use super::signals::watch_for_interrupts;
use crate::device::BackendChoice;
use crate::experiment::flow::{
    Edge, FlowKind, FlowRow, Followed, Request, check_output, files, follow, numbers, write,
};
use crate::names::Choice;
use crate::record::{ExitStatus, short};
use crate::rundir::StoredRun;

/// Arguments of `flow`.
#[derive(Debug, Args)]
pub(super) struct FlowArgs {
    /// Run directory, RUN or RUN@STEP; a full-batch run
    #[arg(value_name = "RUN")]
    pub run: PathBuf,
    /// gradient (infinitely small steps), stable (the optimizer without its oscillation), central (the mean over its
    /// oscillation) or rod (the middle of two iterates and half of what is between them)
    #[arg(long, value_name = FlowKind::BARRED, value_parser = Read::<FlowKind>::new(),
          hide_possible_values = true)]
    pub kind: FlowKind,
    /// Updates taken where it starts: 0, or a checkpoint's number [default: 0, or STEP]
    #[arg(long, value_name = "STEP")]
    pub from: Option<usize>,
    /// Steps of the optimizer that it goes beside [default: as many as the run has from there]
    #[arg(long, value_name = "N")]
    pub steps: Option<usize>,
    /// It has left the run where it stays farther from it than this share of the way that the run has gone
    #[arg(long, value_name = "R", default_value_t = 0.05, allow_negative_numbers = true)]
    pub share: f64,
    /// Device: auto, wgpu or cpu [default: the run's]
    #[arg(long, value_name = BackendChoice::BARRED,
          value_parser = Read::<BackendChoice>::new(), hide_possible_values = true)]
    pub backend: Option<BackendChoice>,
    /// Replace a flow of this kind that is there already
    #[arg(long)]
    pub force: bool,
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

/// Follows it, prints and writes; returns the exit code.
pub(super) fn flow(args: &FlowArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let request = Request {
        kind: args.kind,
        from: args.from,
        steps: args.steps,
        share: args.share,
        backend: args.backend,
    };
    let run = StoredRun::open(&args.run)?;
    request.check(&run)?;
    check_output(&run, request.kind, args.force)?;
    let steps = request.count(&run)?;
    let mut prepared = run.problem(request.backend)?;
    terminal.note(&format!(
        "{} flow of {} from step {}, {steps} steps, on {} ({}, {})",
        request.kind,
        prepared.config.optimizer,
        request.start(&run)?,
        prepared.device.backend(),
        prepared.device.adapter(),
        prepared.config.precision
    ));
    let interrupted = watch_for_interrupts();
    let mut progress = Counted::start(terminal, "step", steps);
    let mut done = 0;
    let followed = follow(&run, &request, &mut prepared, &interrupted, |row| {
        done += 1;
        progress.show(done, || state(row));
    });
    progress.end();
    let followed = followed?;
    write(&run, &request, &followed)?;
    let stem = run.directory().file(&files(request.kind));
    if args.json {
        let mut numbers = numbers(&run, &request, &followed)?;
        numbers["written_to"] = serde_json::json!(stem);
        terminal.json(&numbers)?;
    } else {
        lines(&request, &followed).iter().for_each(|line| terminal.result(line));
        terminal.result(&format!("written    {}.csv, .json, .svg, .png", stem.display()));
    }
    Ok(if followed.interrupted { ExitStatus::Interrupted.code() } else { 0 })
}

fn state(row: &FlowRow) -> String {
    let value = |x: Option<f64>| x.map_or_else(|| "-".to_string(), short);
    format!(
        "loss {} (run {})  sharpness {}  threshold {}  distance {}",
        short(row.train_loss),
        value(row.run_train_loss),
        value(row.sharpness),
        value(row.threshold),
        value(row.distance)
    )
}

fn lines(request: &Request, followed: &Followed) -> Vec<String> {
    let findings = &followed.findings;
    let mut lines = Vec::new();
    let ratio = |row: &FlowRow| Some(row.sharpness? / row.threshold?);
    let peak = followed.rows.iter().filter_map(ratio).fold(f64::NAN, f64::max);
    let of_run = findings.run_at_edge.map_or("the run's stays below it".to_string(), |step| {
        format!("the run's reaches it at step {step}")
    });
    lines.push(format!("sharpness  up to {peak:.3} times the threshold; {of_run}"));
    lines.extend(findings.edge.iter().flat_map(edge_lines));
    if let Some([most, last]) = findings.relative_distance {
        let share = 100.0 * request.share;
        lines.push(match findings.departs {
            Some(step) => format!(
                "departs    at step {step}: from there on farther from the run than {share:.0}% of its way, {:.1}% at the end",
                100.0 * last
            ),
            None => format!(
                "departs    nowhere for good: at most {:.1}% of the run's way from it, {:.1}% at the end",
                100.0 * most,
                100.0 * last
            ),
        });
    }
    if let Some(off) = findings.replay_difference.filter(|off| *off > 1e-4) {
        lines.push(format!(
            "note       taken again, the run's losses differ from what it recorded by up to {off:.0e} of them"
        ));
    }
    lines.extend(followed.ended.iter().map(|why| format!("ended      {why}")));
    let times = findings.run_seconds.filter(|run| *run > 0.0);
    let times = times.map_or_else(String::new, |run| {
        format!(", {:.1} times what the steps took the run", findings.seconds / run)
    });
    lines.push(format!(
        "time       {:.1} s for {} gradients and Hessian-vector products{times}",
        findings.seconds, findings.products
    ));
    lines
}

fn edge_lines(edge: &Edge) -> Vec<String> {
    let mut lines = vec![
        format!(
            "edge       {} steps from step {} on, the sharpness within {:.2}% of the threshold",
            edge.steps,
            edge.first,
            100.0 * edge.sharpness_off
        ),
        format!(
            "loss       predicted within {:.1}% of the run's mean, {:.1}% on average",
            100.0 * edge.loss_off[1],
            100.0 * edge.loss_off[0]
        ),
    ];
    for (k, ratio) in edge.variance_ratio.iter().enumerate().take(3) {
        let correlation =
            edge.variance_correlation[k].map_or("-".to_string(), |c| format!("{c:.2}"));
        lines.push(format!(
            "variance   direction {}: the run's {ratio:.2} times what is predicted, correlation {correlation}",
            k + 1
        ));
    }
    lines
}
