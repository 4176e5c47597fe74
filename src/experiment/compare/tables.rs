//! What a comparison writes: `comparison.json`, `compare.csv`, `summary.csv` and the figures. All of
//! it is made from the run directories, so that a comparison that was interrupted and taken up again
//! leaves what one in a single go leaves.

use std::collections::BTreeSet;
use std::io::Write;

use statrs::statistics::Statistics;

use super::end::{ComparisonEnd, MemberStatus};
use super::pictures::Pictures;
use super::plan::MANIFEST;
use super::{Comparison, ComparisonManifest, Member, Setting};
use crate::error::{Error, Result};
use crate::experiment::csv_table::Table;
use crate::record::{ExitStatus, Summary, optional};
use crate::rundir::{RunDirectory, StoredRun, now, to_json};

/// A comparison's directory, once it is made.
pub(super) struct Directory {
    directory: RunDirectory,
    started: String,
}

/// Makes the directory and lists in it what will be done.
pub(super) fn start(comparison: &Comparison) -> Result<Directory> {
    let path = &comparison.directory;
    std::fs::create_dir_all(path).map_err(|e| Error::folder(path, "be made", &e))?;
    let directory = Directory { directory: RunDirectory::at(path), started: now() };
    directory.directory.remove_unfinished();
    directory.write_manifest(comparison, None)?;
    Ok(directory)
}

/// The directory of a comparison that was begun then, or when its manifest says.
pub(super) fn reopen(comparison: &Comparison, started: Option<String>) -> Result<Directory> {
    let path = &comparison.directory;
    let started = match started {
        Some(started) => started,
        None => ComparisonManifest::read(path)?.started,
    };
    Ok(Directory { directory: RunDirectory::at(path), started })
}

/// Writes tables and figures of the members that are done. Runs are read one after the other, and none is kept.
pub(super) fn finish(
    comparison: &Comparison,
    directory: &Directory,
    end: &ComparisonEnd,
) -> Result<()> {
    let members = comparison.members.iter().zip(&end.statuses);
    let done: Vec<Finished> = members
        .filter_map(|(member, status)| match status {
            MemberStatus::Done { summary, .. } => Some(Finished { member, summary }),
            _ => None,
        })
        .collect();
    let mut pictures = Pictures::of(comparison, done.len(), end);
    directory
        .directory
        .write_with("compare.csv", |out| long_table(comparison, &done, out, &mut pictures))?;
    directory.write("summary.csv", &summary_table(comparison, &done, end)?)?;
    pictures.draw(directory);
    directory.write_manifest(comparison, Some(end))
}

impl Directory {
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.directory.write(name, bytes)
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
}

impl Finished<'_> {
    fn diverged(&self) -> bool {
        self.summary.status == ExitStatus::Diverged
    }
}

/// What tells a setting from others: columns with their cells.
pub(super) fn setting_columns(setting: &Setting) -> Vec<(&'static str, String)> {
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

/// Every step of every run, under the columns that any of them has; each run is shown to the pictures on the way.
fn long_table(
    comparison: &Comparison,
    done: &[Finished<'_>],
    out: &mut dyn Write,
    pictures: &mut Pictures,
) -> Result<()> {
    let columns = columns(done)?;
    let names = setting_names(comparison).into_iter().chain(["seed", "status"]);
    let mut table = Table::over(out, names.chain(columns.iter().map(String::as_str)))?;
    for done in done {
        let stored = StoredRun::open(&done.member.directory)?;
        let own = stored.table()?;
        let status = if done.diverged() { "diverged" } else { "completed" };
        let mut before = setting_cells(&comparison.settings[done.member.setting]);
        before.extend([done.member.config.seed.to_string(), status.to_string()]);
        let places: Vec<Option<usize>> =
            columns.iter().map(|name| own.columns.iter().position(|own| own == name)).collect();
        for record in &own.cells {
            let cells = places.iter().map(|place| place.and_then(|i| record.get(i)).unwrap_or(""));
            table.write(before.iter().map(String::as_str).chain(cells))?;
        }
        pictures.take(done.member, done.diverged(), stored.rows()?);
    }
    table.flush()
}

/// The columns that any of the runs has, in the order in which they come.
fn columns(done: &[Finished<'_>]) -> Result<Vec<String>> {
    let (mut columns, mut seen) = (Vec::new(), BTreeSet::new());
    for done in done {
        let own = StoredRun::open(&done.member.directory)?.columns()?;
        if seen.insert(own.clone()) {
            let new = own.into_iter().filter(|name| !columns.contains(name));
            columns.extend(new.collect::<Vec<_>>());
        }
    }
    Ok(columns)
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
    let mut statuses: Vec<[usize; 4]> = vec![[0; 4]; comparison.settings.len()];
    for (member, status) in comparison.members.iter().zip(&end.statuses) {
        // What is still to come is unfinished, whoever is at it.
        let place = counts.iter().position(|name| *name == status.name()).unwrap_or(3);
        statuses[member.setting][place] += 1;
    }
    let mut completed: Vec<Vec<&Summary>> = vec![Vec::new(); comparison.settings.len()];
    for done in done.iter().filter(|done| done.summary.status == ExitStatus::Completed) {
        completed[done.member.setting].push(done.summary);
    }
    for (setting, (statuses, completed)) in
        comparison.settings.iter().zip(statuses.iter().zip(&completed))
    {
        let mut cells = setting_cells(setting);
        cells.extend(statuses.map(|count| count.to_string()));
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
