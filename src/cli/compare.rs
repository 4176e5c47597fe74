//! `sharpscope compare`.

mod cells;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use indicatif::ProgressBar;

use super::args::CompareArgs;
use super::logging::Terminal;
use super::progress::steps_bar;
use super::signals::watch_for_interrupts;
use crate::config::CompareSettings;
use crate::experiment::compare::{
    Comparison, ComparisonEnd, ComparisonObserver, Member, MemberStatus,
};
use crate::export::{Source, document};
use crate::record::{StepRow, Summary, short};

/// Runs and returns the exit code.
pub(super) fn compare(args: CompareArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let from_file = match &args.config {
        Some(path) => CompareSettings::read(path)?,
        None => CompareSettings::default(),
    };
    let settings = args.settings.or(from_file);
    if cells::are_asked_for(&args.cells, &settings) {
        return cells::do_cells(&args.cells, settings, args.json, terminal);
    }
    let comparison = Comparison::plan(settings)?;
    let interrupted = watch_for_interrupts();
    describe(&comparison, terminal);
    let progress = Progress::start(terminal, &comparison, comparison.members.len());
    let end = comparison.run(&progress, &interrupted);
    progress.finish();
    let end = end?;
    tell(&comparison, &end, args.json, terminal)?;
    Ok(end.exit_code())
}

/// The table, or its numbers as JSON.
fn tell(
    comparison: &Comparison,
    end: &ComparisonEnd,
    json: bool,
    terminal: &Terminal,
) -> anyhow::Result<()> {
    match json {
        true => {
            let written = Source::of_comparison(&comparison.directory, &["summary"])?;
            terminal.json(&document(&written))?;
        }
        false => report(comparison, end, terminal),
    }
    Ok(())
}

fn describe(comparison: &Comparison, terminal: &Terminal) {
    terminal.note(&format!("data: {}", comparison.data));
    terminal.note(&format!(
        "{}: {} settings, {} runs of {} steps{}, in {}",
        comparison.name,
        comparison.settings.len(),
        comparison.members.len(),
        comparison.members[0].config.steps,
        if comparison.jobs > 1 {
            format!(", {} at a time", comparison.jobs)
        } else {
            String::new()
        },
        comparison.directory.display(),
    ));
}

/// Settings of which a line is printed.
const MOST_LINES: usize = 200;

/// Mean of a number over a setting's completed runs.
fn mean(summaries: &[&Summary], value: impl Fn(&Summary) -> Option<f64>) -> String {
    let values: Vec<f64> = summaries.iter().filter_map(|s| value(s)).collect();
    match values.len() {
        0 => "-".to_string(),
        n => short(values.iter().sum::<f64>() / n as f64),
    }
}

fn report(comparison: &Comparison, end: &ComparisonEnd, terminal: &Terminal) {
    let label_width = comparison.settings.iter().map(|s| s.label.chars().count()).max();
    let width = label_width.unwrap_or(0).max("setting".len());
    terminal.result(&format!(
        "{:width$}  {:>9}  {:>9}  {:>9}  {:>7}  {:>9}  {:>9}  {:>8}",
        "setting", "runs", "sharpness", "peak", "at edge", "loss", "val. loss", "val. acc"
    ));
    let mut by_setting: Vec<Vec<&MemberStatus>> = vec![Vec::new(); comparison.settings.len()];
    for (member, status) in comparison.members.iter().zip(&end.statuses) {
        by_setting[member.setting].push(status);
    }
    for (setting, statuses) in comparison.settings.iter().zip(&by_setting).take(MOST_LINES) {
        let completed: Vec<&Summary> = statuses
            .iter()
            .filter(|status| status.name() == "completed")
            .filter_map(|status| match status {
                MemberStatus::Done { summary, .. } => Some(&**summary),
                _ => None,
            })
            .collect();
        let mean = |value: fn(&Summary) -> Option<f64>| mean(&completed, value);
        terminal.result(&format!(
            "{:width$}  {:>9}  {:>9}  {:>9}  {:>7}  {:>9}  {:>9}  {:>8}",
            setting.label,
            format!("{} of {}", completed.len(), statuses.len()),
            mean(|s| s.final_sharpness),
            mean(|s| s.peak_sharpness),
            mean(|s| s.share_at_edge),
            mean(|s| s.final_train_loss),
            mean(|s| s.final_val_loss),
            mean(|s| s.final_val_accuracy),
        ));
    }
    if let Some(more) = comparison.settings.len().checked_sub(MOST_LINES + 1) {
        terminal.result(&format!("and {} more settings, in summary.csv", more + 1));
    }
    if end.interrupted {
        let path = comparison.directory.display();
        terminal.result(&format!("stopped; the same command with --out {path} goes on"));
    }
    terminal.result(&format!("written  {}", comparison.directory.display()));
}

/// All runs on one bar.
struct Progress {
    terminal: Terminal,
    bar: Option<ProgressBar>,
    labels: Vec<String>,
    total: usize,
    steps: u64,
    ended: AtomicUsize,
    state: Mutex<State>,
}

struct State {
    /// Steps taken in runs under way, by directory.
    under_way: HashMap<PathBuf, u64>,
    /// Steps of runs that ended.
    done: u64,
    last_line: Instant,
}

/// Without a terminal, at most one line in this time.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

impl Progress {
    /// Of so many of a comparison's runs.
    fn start(terminal: &Terminal, comparison: &Comparison, total: usize) -> Self {
        let steps = comparison.members[0].config.steps as u64;
        let bar = terminal.is_interactive().then(|| steps_bar(terminal, steps * total as u64));
        Self {
            terminal: terminal.clone(),
            bar,
            labels: comparison.settings.iter().map(|setting| setting.label.clone()).collect(),
            total,
            steps,
            ended: AtomicUsize::new(0),
            state: Mutex::new(State {
                under_way: HashMap::new(),
                done: 0,
                last_line: Instant::now(),
            }),
        }
    }

    fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    fn name(&self, member: &Member) -> String {
        format!("{} seed {}", self.labels[member.setting], member.config.seed)
    }
}

impl ComparisonObserver for Progress {
    fn row(&self, member: &Member, row: &StepRow) {
        let Ok(mut state) = self.state.lock() else { return };
        state.under_way.insert(member.directory.clone(), row.step as u64 + 1);
        let taken = state.done + state.under_way.values().sum::<u64>();
        let message = || {
            let ended = self.ended.load(Ordering::SeqCst);
            format!("{ended} of {} runs done; {}", self.total, self.name(member))
        };
        match &self.bar {
            Some(bar) => {
                bar.set_position(taken);
                bar.set_message(message());
            }
            None if state.last_line.elapsed() >= LINE_INTERVAL => {
                state.last_line = Instant::now();
                let all = self.steps * self.total as u64;
                self.terminal.note(&format!("{taken} of {all} steps, {}", message()));
            }
            None => {}
        }
    }

    fn ended(&self, member: &Member, status: &MemberStatus) {
        if let Ok(mut state) = self.state.lock() {
            state.under_way.remove(&member.directory);
            state.done += self.steps;
            if let Some(bar) = &self.bar {
                bar.set_position(state.done + state.under_way.values().sum::<u64>());
            }
        }
        let ended = self.ended.fetch_add(1, Ordering::SeqCst) + 1;
        let name = self.name(member);
        let what = match status {
            MemberStatus::Done { resumed: true, .. } => "found on disk".to_string(),
            MemberStatus::Done { summary, .. } => {
                let sharpness = summary.final_sharpness.map_or_else(|| "-".to_string(), short);
                let seconds = summary.total_seconds;
                let status = status.name();
                format!("{status} in {seconds:.1} s, sharpness {sharpness}")
            }
            MemberStatus::Failed { reason } => {
                self.terminal.error(&format!("{name}: {reason}"));
                "failed".to_string()
            }
            MemberStatus::Unfinished | MemberStatus::Missing => "stopped".to_string(),
            MemberStatus::Running { by } => format!("being run by {by}"),
        };
        self.terminal.note(&format!("{ended}/{} {name}: {what}", self.total));
    }
}
