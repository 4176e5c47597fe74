//! What a comparison writes: `comparison.json`, `compare.csv`, `summary.csv` and the figures. All of
//! it is made from the run directories, so that a comparison that was interrupted and taken up again
//! leaves what one in a single go leaves.

use statrs::statistics::Statistics;

use super::end::{ComparisonEnd, MemberStatus};
use super::plan::MANIFEST;
use super::{Comparison, ComparisonManifest, Member, Setting};
use crate::error::{Error, Result};
use crate::experiment::csv_table::Table;
use crate::figure::{
    ComparedRun, ComparisonFigure, ComparisonFigures, comparison_png, comparison_svg,
};
use crate::record::{ExitStatus, StepRow, Summary, optional};
use crate::rundir::{RunDirectory, StepTable, StoredRun, now, to_json};

/// A comparison's directory, once it is made.
pub(super) struct Directory {
    directory: RunDirectory,
    started: String,
}

/// Makes the directory and lists in it what will be done.
pub(super) fn start(comparison: &Comparison) -> Result<Directory> {
    let path = &comparison.directory;
    std::fs::create_dir_all(path).map_err(|e| Error::Output {
        path: path.clone(),
        problem: format!("it cannot be made ({})", crate::error::reason(&e)),
        remedy: "choose a folder that you may write to with --out".to_string(),
    })?;
    let directory = Directory { directory: RunDirectory::at(path), started: now() };
    directory.directory.remove_unfinished();
    directory.write_manifest(comparison, None)?;
    Ok(directory)
}

/// Writes tables and figures of the members that are done.
pub(super) fn finish(
    comparison: &Comparison,
    directory: &Directory,
    end: &ComparisonEnd,
) -> Result<()> {
    let done: Vec<Finished> = comparison
        .members
        .iter()
        .zip(&end.statuses)
        .filter_map(|(member, status)| match status {
            MemberStatus::Done { summary, .. } => Some((member, &**summary)),
            _ => None,
        })
        .map(|(member, summary)| Finished::read(member, summary))
        .collect::<Result<_>>()?;
    directory.write("compare.csv", &long_table(comparison, &done)?)?;
    directory.write("summary.csv", &summary_table(comparison, &done, end)?)?;
    let figures = ComparisonFigures {
        title: format!("{}: {} runs", comparison.name, done.len()),
        settings: comparison.settings.iter().map(|setting| setting.label.clone()).collect(),
        runs: done
            .into_iter()
            .map(|done| ComparedRun {
                setting: done.member.setting,
                seed: done.member.config.seed,
                diverged: done.summary.status == ExitStatus::Diverged,
                rows: done.rows,
            })
            .collect(),
    };
    for figure in ComparisonFigure::ALL {
        // The tables are there; a picture can be drawn from them at any time.
        if let Err(error) = directory.draw(&figures, figure) {
            tracing::warn!("the picture {} is missing: {error}", figure.stem());
        }
    }
    directory.write_manifest(comparison, Some(end))
}

impl Directory {
    fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.directory.write(name, bytes)
    }

    fn draw(&self, figures: &ComparisonFigures, figure: ComparisonFigure) -> Result<()> {
        let svg = comparison_svg(figures, figure)?;
        self.write(&format!("{}.svg", figure.stem()), svg.as_bytes())?;
        self.write(&format!("{}.png", figure.stem()), &comparison_png(figures, figure)?)
    }

    fn write_manifest(&self, comparison: &Comparison, end: Option<&ComparisonEnd>) -> Result<()> {
        let manifest = ComparisonManifest::of(comparison, &self.started, end);
        self.write(MANIFEST, &to_json(&manifest)?)
    }
}

/// A member whose run directory is complete.
struct Finished<'a> {
    member: &'a Member,
    summary: &'a Summary,
    table: StepTable,
    rows: Vec<StepRow>,
}

impl<'a> Finished<'a> {
    fn read(member: &'a Member, summary: &'a Summary) -> Result<Self> {
        let stored = StoredRun::open(&member.directory)?;
        let (table, rows) = (stored.table()?.clone(), stored.rows()?.to_vec());
        Ok(Self { member, summary, table, rows })
    }
}

/// What tells a setting from others: columns with their cells.
fn setting_columns(setting: &Setting) -> Vec<(&'static str, String)> {
    let config = &setting.config;
    let optimizer = &config.optimizer;
    let base = optimizer.hyperparameters.base;
    let names = [
        ("setting", setting.label.clone()),
        ("optimizer", optimizer.name.to_string()),
        ("base", base.map_or_else(String::new, |base| base.to_string())),
        ("base_lr", optional(Some(config.lr))),
    ];
    let numbers = optimizer.hyperparameters.numbers();
    let numbers = numbers.map(|(number, value)| (number.name, optional(value)));
    let rest = [
        ("batch_size", config.batch_size.to_string()),
        ("schedule", config.schedule.to_string()),
        ("warmup", config.warmup.to_string()),
    ];
    names.into_iter().chain(numbers).chain(rest).collect()
}

/// Its cells.
fn setting_cells(setting: &Setting) -> Vec<String> {
    setting_columns(setting).into_iter().map(|(_, cell)| cell).collect()
}

/// The names of these columns, which are the same for each setting.
fn setting_names(comparison: &Comparison) -> Vec<&'static str> {
    let columns = comparison.settings.first().map(setting_columns).unwrap_or_default();
    columns.into_iter().map(|(name, _)| name).collect()
}

/// Every step of every run, under the columns that any of them has.
fn long_table(comparison: &Comparison, done: &[Finished<'_>]) -> Result<Vec<u8>> {
    let mut columns: Vec<&str> = Vec::new();
    for name in done.iter().flat_map(|done| &done.table.columns) {
        if !columns.contains(&name.as_str()) {
            columns.push(name);
        }
    }
    let names = setting_names(comparison).into_iter().chain(["seed", "status"]);
    let mut table = Table::new(names.chain(columns.iter().copied()))?;
    for done in done {
        let status =
            if done.summary.status == ExitStatus::Diverged { "diverged" } else { "completed" };
        let mut before = setting_cells(&comparison.settings[done.member.setting]);
        before.extend([done.member.config.seed.to_string(), status.to_string()]);
        let places: Vec<Option<usize>> = columns
            .iter()
            .map(|name| done.table.columns.iter().position(|own| own == name))
            .collect();
        for record in &done.table.cells {
            let cells = places.iter().map(|place| place.and_then(|i| record.get(i)).unwrap_or(""));
            table.write(before.iter().map(String::as_str).chain(cells))?;
        }
    }
    table.finish()
}

/// What `summary.csv` averages over seeds.
type Metric = (&'static str, fn(&Summary) -> Option<f64>);

const METRICS: [Metric; 17] = [
    ("final_sharpness", |s| s.final_sharpness),
    ("peak_sharpness", |s| s.peak_sharpness),
    ("final_preconditioned_sharpness", |s| s.final_preconditioned_sharpness),
    ("peak_preconditioned_sharpness", |s| s.peak_preconditioned_sharpness),
    ("first_step_at_edge", |s| s.first_step_at_edge.map(|step| step as f64)),
    ("share_at_edge", |s| s.share_at_edge),
    ("final_train_loss", |s| s.final_train_loss),
    ("final_val_loss", |s| s.final_val_loss),
    ("final_train_accuracy", |s| s.final_train_accuracy),
    ("final_val_accuracy", |s| s.final_val_accuracy),
    ("loss_gap", |s| Some(s.final_val_loss? - s.final_train_loss?)),
    ("accuracy_gap", |s| Some(s.final_train_accuracy? - s.final_val_accuracy?)),
    ("hvps", |s| Some(s.hvps as f64)),
    ("seconds", |s| Some(s.total_seconds)),
    ("final_realized_ratio", |s| s.final_realized_ratio),
    ("share_realized_above", |s| s.share_realized_above),
    ("ascents", |s| s.share_realized_above.map(|_| s.ascents as f64)),
];

/// Mean, standard deviation and number of seeds of each metric, for each setting, over the runs that
/// were completed; how many were not stands beside.
fn summary_table(
    comparison: &Comparison,
    done: &[Finished<'_>],
    end: &ComparisonEnd,
) -> Result<Vec<u8>> {
    let metric_columns: Vec<String> = METRICS
        .iter()
        .flat_map(|(name, _)| ["mean", "sd", "n"].map(|what| format!("{name}_{what}")))
        .collect();
    let counts = ["completed", "diverged", "failed", "unfinished"];
    let columns = setting_names(comparison).into_iter().chain(counts);
    let mut table = Table::new(columns.chain(metric_columns.iter().map(String::as_str)))?;
    for (index, setting) in comparison.settings.iter().enumerate() {
        let mut cells = setting_cells(setting);
        let members = comparison.members.iter().zip(&end.statuses);
        let statuses: Vec<&str> =
            members.filter(|(m, _)| m.setting == index).map(|(_, status)| status.name()).collect();
        cells
            .extend(counts.map(|name| statuses.iter().filter(|s| **s == name).count().to_string()));
        let completed: Vec<&Summary> = done
            .iter()
            .filter(|done| done.member.setting == index)
            .map(|done| done.summary)
            .filter(|summary| summary.status == ExitStatus::Completed)
            .collect();
        for (_, metric) in METRICS {
            let values: Vec<f64> = completed.iter().filter_map(|summary| metric(summary)).collect();
            let n = values.len();
            cells.push(optional((n > 0).then(|| values.iter().mean())));
            cells.push(optional((n > 1).then(|| values.iter().std_dev())));
            cells.push(n.to_string());
        }
        table.write(cells.iter().map(String::as_str))?;
    }
    table.finish()
}
