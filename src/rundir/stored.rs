//! A run that is on disk: the one door to it.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use super::reader::ManifestHead;
use super::{CheckpointState, RunDirectory, RunFacts, ScheduleHead, StepTable, pictures};
use crate::autodiff::ParameterLayout;
use crate::config::{RunConfig, Settings, TestSet};
use crate::data;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::optim::Optimizer;
use crate::profile::{RunInfo, TrainingState, monitor, rate_factor_after};
use crate::record::{Event, EventKind, StepRow, Summary};
use crate::stability::{Monitor, StabilitySettings};

const REMEDY: &str = "name the directory of a 'sharpscope run'";
/// What `run` asks for unless told otherwise.
const TOLERANCE: f64 = 1e-3;

/// A run directory, opened for reading. Each file is read when it is first asked for, and once.
///
/// `RUN@STEP` opens the run as it stood at a checkpoint: rows and events of later steps are not in it.
///
/// ```no_run
/// use sharpscope::rundir::StoredRun;
///
/// let run = StoredRun::open("runs/mine@200".as_ref())?;
/// let last = run.rows()?.last().expect("a run has rows");
/// println!("sharpness {:?} after {} updates", last.sharpness, run.rows()?.len());
/// # Ok::<(), sharpscope::Error>(())
/// ```
#[derive(Debug)]
pub struct StoredRun {
    directory: RunDirectory,
    step: Option<usize>,
    head: Option<ManifestHead>,
    table: OnceCell<StepTable>,
    rows: OnceCell<Vec<StepRow>>,
    /// The rows before it was looked whether all are there.
    as_they_are: OnceCell<Vec<StepRow>>,
    events: OnceCell<Vec<Event>>,
}

impl StoredRun {
    /// Opens `RUN` or `RUN@STEP`, STEP being a checkpoint of it: the number of updates taken.
    ///
    /// # Errors
    /// [`Error::File`] for a manifest that cannot be read, or that a later version wrote;
    /// [`Error::Setting`] for a step without a checkpoint.
    pub fn open(run: &Path) -> Result<Self> {
        let (path, step) = split(run);
        let directory = RunDirectory::at(&path);
        let head = directory.manifest_head()?;
        let (table, rows, events) = (OnceCell::new(), OnceCell::new(), OnceCell::new());
        let as_they_are = OnceCell::new();
        let stored = Self { directory, step, head, table, rows, as_they_are, events };
        if let Some(step) = step {
            if stored.head.is_none() && !stored.directory.file("steps.csv").is_file() {
                return Err(stored.no_manifest());
            }
            stored.check_checkpoint("RUN@STEP", step)?;
        }
        Ok(stored)
    }

    /// Its folder.
    pub fn directory(&self) -> &RunDirectory {
        &self.directory
    }

    /// Its folder's path.
    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// What its manifest says; `None` where there is none.
    pub fn head(&self) -> Option<&ManifestHead> {
        self.head.as_ref()
    }

    /// The settings that it was made with; its folder, and that an earlier one may be replaced, are not
    /// among them. A file of data is named as it is seen from here.
    ///
    /// # Errors
    /// [`Error::File`] for what is no run directory, or whose manifest does not say.
    pub fn settings(&self) -> Result<Settings> {
        let path = self.directory.file("manifest.json");
        let wrong = |problem: String| Error::file(&path, None, problem, REMEDY);
        let head = self.head.as_ref().ok_or_else(|| self.no_manifest())?;
        if self.is_own_loop() {
            return Err(wrong("it does not say which model was trained".to_string()));
        }
        let settings = Settings::of_manifest(&head.config)
            .map_err(|e| wrong(format!("its config cannot be used ({e})")))?;
        self.check_config(&head.config)?;
        let dataset = settings.dataset.map(|name| self.seen_from_here(name));
        let validation = settings.validation.map(|name| self.seen_from_here(name));
        let test = settings.test.map(|test| match test {
            TestSet::File(name) => TestSet::File(self.seen_from_here(name)),
            share => share,
        });
        // None at all, where the default depends on the batch.
        let none = head.config.get("sharpness_batches").is_some_and(serde_json::Value::is_null);
        let sharpness_batches = if none { Some(0) } else { settings.sharpness_batches };
        let settings = Settings { dataset, validation, test, sharpness_batches, ..settings };
        Ok(Settings { out: None, force: None, resume: None, ..settings })
    }

    /// That the settings in the manifest are those that the run's checkpoints were written with.
    ///
    /// # Errors
    /// [`Error::File`] naming the first that is not, with both values.
    pub fn check_settings(&self) -> Result<()> {
        self.head.as_ref().map_or(Ok(()), |head| self.check_config(&head.config))
    }

    /// That the manifest says what it said when the last checkpoint was written.
    fn check_config(&self, config: &serde_json::Value) -> Result<()> {
        let steps = self.directory.checkpoints().into_iter().rev();
        let Some((step, head)) = steps
            .filter_map(|step| Some((step, self.directory.sound_head(step)?)))
            .find(|(_, head)| !head.config.is_empty())
        else {
            return Ok(());
        };
        let Some((key, now, then)) = head.difference(config) else { return Ok(()) };
        let problem = format!(
            "config.{key} = {now}, but it was {then} when the checkpoint at step {step} was written"
        );
        let path = self.directory.file("manifest.json");
        Err(Error::file(path, None, problem, "put the manifest back as it was, or run again"))
    }

    fn no_manifest(&self) -> Error {
        Error::file(self.directory.file("manifest.json"), None, "there is none", REMEDY)
    }

    /// Its configuration, checked.
    ///
    /// # Errors
    /// As [`StoredRun::settings`] and [`RunConfig::resolve`].
    pub fn config(&self) -> Result<RunConfig> {
        RunConfig::resolve(self.settings()?)
    }

    /// A dataset's file, named relative to the folder that the run was started in.
    fn seen_from_here(&self, name: String) -> String {
        let from = self.head.as_ref().and_then(|head| head.working_directory.as_ref());
        let joined = from.map(|folder| folder.join(&name));
        match joined {
            Some(path) if !data::is_builtin(&name) && path.exists() => {
                path.to_string_lossy().into_owned()
            }
            _ => name,
        }
    }

    /// A path in the manifest, relative to the folder that the run was started in, as it is seen from here.
    pub(crate) fn path_from_here(&self, path: &Path) -> PathBuf {
        let from = self.head.as_ref().and_then(|head| head.working_directory.as_ref());
        from.map_or_else(|| path.to_path_buf(), |folder| folder.join(path))
    }

    /// A path as paths in the manifest are seen: from the folder that the run was started in.
    pub(crate) fn seen_from_there(&self, path: &Path) -> PathBuf {
        let from = self.head.as_ref().and_then(|head| head.working_directory.as_ref());
        match (from, std::env::current_dir(), std::path::absolute(path)) {
            (Some(from), Ok(here), Ok(absolute)) if *from != here => absolute,
            _ => path.to_path_buf(),
        }
    }

    /// Whether it has a table of steps, if one without rows.
    ///
    /// # Errors
    /// [`Error::File`] if there is one that cannot be read.
    pub fn has_table(&self) -> Result<bool> {
        self.directory.has_steps()
    }

    /// Whether its manifest says how it ended.
    pub fn has_ended(&self) -> bool {
        self.head.as_ref().is_some_and(|head| head.exit_code.is_some())
    }

    /// Whether it has ended, with all files that are written then.
    pub fn is_closed(&self) -> bool {
        let there = |name: &&str| self.directory.file(name).is_file();
        self.has_ended() && there(&"summary.json") && pictures::NAMES.iter().all(there)
    }

    /// Its table of steps.
    ///
    /// # Errors
    /// As [`StepTable::read`]; [`Error::File`] with the line of a row that is missing, doubled or out of
    /// order.
    pub fn table(&self) -> Result<&StepTable> {
        if let Some(table) = self.table.get() {
            return Ok(table);
        }
        let table = self.table_in_order()?;
        self.check_tables(&table)?;
        Ok(self.table.get_or_init(|| table))
    }

    /// Its table of steps, whose steps are those that should be there.
    ///
    /// # Errors
    /// As [`StoredRun::table`].
    pub(crate) fn table_in_order(&self) -> Result<StepTable> {
        let table = self.table_as_it_is()?;
        // A loop of somebody else's may profile some of its steps only.
        table.check_steps(!self.is_own_loop())?;
        Ok(table)
    }

    /// That rows and events are those that were written before the last checkpoint that tells.
    ///
    /// # Errors
    /// [`Error::File`] naming the table that is not.
    pub(crate) fn check_tables(&self, table: &StepTable) -> Result<()> {
        let steps = self.checkpoints().into_iter().rev();
        let mut told = steps.map(|step| self.check_tables_at(step, table));
        told.find(|told| !matches!(told, Ok(false))).map_or(Ok(()), |told| told.map(drop))
    }

    /// The same before the checkpoint at `step`; whether it tells.
    ///
    /// # Errors
    /// As [`StoredRun::check_tables`].
    pub(crate) fn check_tables_at(&self, step: usize, table: &StepTable) -> Result<bool> {
        let head = self.directory.sound_head(step);
        let Some(sums) = head.and_then(|head| head.tables) else { return Ok(false) };
        let wrong = |name: &str, what: String| {
            let problem = format!(
                "{what} before step {step} are not what was written, by their checksum in the checkpoint there"
            );
            let remedy =
                "put the file back as it was, go on from an earlier checkpoint, or run again";
            Err(Error::file(self.directory.file(name), None, problem, remedy))
        };
        match sums.are_of(table) {
            None => return Ok(false),
            Some(false) => return wrong("steps.csv", format!("the {} rows", sums.rows)),
            Some(true) => {}
        }
        match sums.are_of_events(&self.directory.events_text()?) {
            true => Ok(true),
            false => wrong("events.jsonl", format!("the {} events", sums.events)),
        }
    }

    /// Whether it is of a loop of somebody else's: neither a model nor an objective is known.
    fn is_own_loop(&self) -> bool {
        let says =
            |key: &str| self.head.as_ref().is_some_and(|head| head.config.get(key).is_some());
        !says("model") && !says("objective")
    }

    /// The names of its table's columns, without its rows.
    ///
    /// # Errors
    /// As [`StepTable::read`].
    #[cfg(feature = "figures")]
    pub(crate) fn columns(&self) -> Result<Vec<String>> {
        // In the first version of the layout the rows tell what a column is.
        match self.head.as_ref().is_some_and(|head| head.schema_version < 2) {
            true => Ok(self.table()?.columns.clone()),
            false => StepTable::header(&self.directory.file("steps.csv")),
        }
    }

    fn table_as_it_is(&self) -> Result<StepTable> {
        let mut table = self.directory.steps()?;
        if let Some(step) = self.step {
            table.cells.truncate(step);
        }
        Ok(table)
    }

    /// Its rows whether or not all are there, in order and each once: for who looks for what is wrong.
    ///
    /// # Errors
    /// As [`StepTable::read`], and for a cell that is not what its column holds.
    pub fn rows_as_they_are(&self) -> Result<&[StepRow]> {
        if let Some(rows) = self.as_they_are.get() {
            return Ok(rows);
        }
        let rows = self.table_as_it_is()?.rows()?;
        Ok(self.as_they_are.get_or_init(|| rows))
    }

    /// Its rows.
    ///
    /// # Errors
    /// As [`StoredRun::table`], and for a cell that is not what its column holds.
    pub fn rows(&self) -> Result<&[StepRow]> {
        if let Some(rows) = self.rows.get() {
            return Ok(rows);
        }
        let rows = self.table()?.rows()?;
        Ok(self.rows.get_or_init(|| rows))
    }

    /// Its events, as they were told.
    ///
    /// # Errors
    /// [`Error::File`] with the line that is not an event.
    pub fn events(&self) -> Result<&[Event]> {
        if let Some(events) = self.events.get() {
            return Ok(events);
        }
        let mut events = self.directory.events()?;
        events.retain(|event| self.step.is_none_or(|step| event.step < step));
        Ok(self.events.get_or_init(|| events))
    }

    /// Its summary; `None` where it has not ended, or is looked at before its end.
    pub fn summary(&self) -> Option<Summary> {
        self.directory.summary().ok().filter(|_| self.step.is_none())
    }

    /// The precision that it computed in.
    pub fn precision(&self) -> Precision {
        let head = self.head.as_ref();
        let said = head.and_then(|head| head.precision.or(precision_of(&head.config)));
        said.unwrap_or(Precision::F32)
    }

    /// A monitor as the run had, with other constants if they are given: it knows the run's precision,
    /// tolerance and learning rates where the manifest says them.
    pub fn monitor(&self, settings: Option<StabilitySettings>) -> Monitor {
        let config = self.head.as_ref().map(|head| &head.config);
        let tolerance = config.and_then(|config| config["tolerance"].as_f64());
        let tolerance = tolerance.unwrap_or(TOLERANCE);
        let settings = settings
            .unwrap_or_else(|| StabilitySettings::at_resolution(self.precision().resolution()));
        // The rows of somebody else's loop come without a schedule.
        let config = self.config().ok();
        let schedule = config.as_ref().map(|config| config.learning_rate());
        let optimizer = config.map(|config| config.optimizer.build());
        let zero_output_loss = self.head.as_ref().and_then(|head| head.zero_output_loss);
        monitor(&settings, tolerance, schedule, optimizer.as_deref())
            .with_zero_output_loss(zero_output_loss)
    }

    /// The checkpoint that the run was opened at (`RUN@STEP`), if one was named.
    pub fn named_step(&self) -> Option<usize> {
        self.step
    }

    /// Steps whose weights are there, ascending, none later than the one that was named. The start, 0,
    /// needs none.
    pub fn checkpoints(&self) -> Vec<usize> {
        let mut steps = self.directory.checkpoints();
        steps.retain(|&step| self.step.is_none_or(|last| step <= last));
        steps
    }

    /// The checkpoint that is meant: `asked`, the one that was named, or the last; with its weights.
    ///
    /// # Errors
    /// [`Error::Setting`] for a step without a checkpoint, or where `asked` is another than was named.
    pub fn checkpoint(&self, asked: Option<usize>) -> Result<(usize, PathBuf)> {
        if let (Some(asked), Some(named)) = (asked, self.step)
            && asked != named
        {
            let problem = format!("the run is named at step {named}");
            return Err(Error::setting("--step", asked, problem, "give one of the two"));
        }
        let last = || self.checkpoints().last().copied().unwrap_or(0);
        let step = asked.or(self.step).unwrap_or_else(last);
        self.check_checkpoint("--step", step)?;
        Ok((step, self.directory.weights(step)))
    }

    fn check_checkpoint(&self, key: &str, step: usize) -> Result<()> {
        let there = self.directory.checkpoints();
        if step == 0 || there.contains(&step) {
            return Ok(());
        }
        let others = there.iter().filter(|&&step| step > 0);
        let steps: Vec<String> = [0].iter().chain(others).map(usize::to_string).collect();
        let problem = "the run has no checkpoint there";
        let remedy =
            format!("give one of {}, or run again with --checkpoint-every", steps.join(", "));
        Err(Error::setting(key, step, problem, remedy))
    }

    /// What a checkpoint says besides vectors of numbers; `None` where it does not.
    ///
    /// # Errors
    /// [`Error::File`] if what is there cannot be read.
    pub fn checkpoint_state(&self, step: usize) -> Result<Option<CheckpointState>> {
        let Some(mut state) = self.directory.checkpoint_state(step)? else { return Ok(None) };
        let factor = self.change_since(step, &state.schedule)?;
        if factor != 1.0 {
            let before = state.schedule.rate_factor;
            state.schedule.rate_factor = rate_factor_after(before, factor);
            state.schedule.next_lr *= state.schedule.rate_factor / before;
        }
        Ok(Some(state))
    }

    /// What the rates from update `step` on are multiplied by more than the checkpoint there says: a run that
    /// went on from it was told to lower them by an earlier warning.
    fn change_since(&self, step: usize, stood: &ScheduleHead) -> Result<f64> {
        let told = self.events()?.iter().rev().find_map(|event| match event.kind {
            EventKind::ActionTaken { action, next_step, lr, factor } if next_step == step => {
                Some((action.taken_factor(factor), lr))
            }
            _ => None,
        });
        Ok(match told {
            Some((factor, lr)) if factor != 1.0 && (lr / stood.next_lr - 1.0).abs() > 1e-6 => {
                factor
            }
            _ => 1.0,
        })
    }

    /// What its settings say of its checkpoints.
    fn facts(&self) -> Result<RunFacts> {
        let config = self.config()?;
        let samples = self.head.as_ref().map_or(0, |head| head.train_indices.len());
        Ok(RunFacts {
            schedule: config.learning_rate(),
            seed: config.seed,
            minibatches: config.batch_size.0.map(|size| (samples, size)),
        })
    }

    /// Where training stood at a checkpoint, for an optimizer of the run's kind.
    ///
    /// # Errors
    /// [`Error::File`] if the checkpoint is incomplete or not this model's or optimizer's.
    pub fn state(
        &self,
        step: usize,
        layout: &ParameterLayout,
        optimizer: &mut dyn Optimizer,
    ) -> Result<TrainingState> {
        let facts = self.facts()?;
        let mut state = self.directory.training_state(step, layout, optimizer, Some(&facts))?;
        if let Some(head) = self.checkpoint_state(step)? {
            state.rate_factor = head.schedule.rate_factor;
        }
        Ok(state)
    }

    /// The latest checkpoint that can be gone on from, no later than the one that was named; the start
    /// where no update was taken.
    ///
    /// # Errors
    /// As [`StoredRun::table`].
    pub fn resumable(&self) -> Result<Option<usize>> {
        Ok(self.directory.resumable(self.table()?.cells.len()))
    }

    /// The latest checkpoint at or before `step` that training can go on from; the start otherwise.
    pub fn complete_before(&self, step: usize) -> usize {
        self.directory.last_complete(step).unwrap_or(0)
    }

    /// Updates after `from` and up to `to` at which the rates were changed on a warning, each with the
    /// factor.
    ///
    /// # Errors
    /// As [`StoredRun::events`].
    pub fn rate_changes(&self, from: usize, to: usize) -> Result<Vec<(usize, f64)>> {
        let change = |event: &Event| match event.kind {
            EventKind::ActionTaken { action, next_step, factor, .. } => {
                let factor = action.taken_factor(factor);
                let changes = factor != 1.0 && next_step > from && next_step <= to;
                changes.then_some((next_step, factor))
            }
            _ => None,
        };
        Ok(self.events()?.iter().filter_map(change).collect())
    }

    /// Checks that `run` is of the same data and samples as this one.
    ///
    /// # Errors
    /// [`Error::File`] naming what differs.
    pub fn check_same_problem(&self, run: &RunInfo) -> Result<()> {
        let Some(head) = &self.head else { return Ok(()) };
        let same_data = head.dataset_sha256.as_ref() == Some(&run.dataset_sha256);
        let same_samples = head.train_indices == run.train_samples
            && head.validation_indices == run.validation_samples
            && head.test_indices == run.test_samples
            && head.curvature_indices == run.curvature_samples;
        let dataset = self.settings().ok().and_then(|settings| settings.dataset);
        let dataset = dataset.map(|name| format!(" {name}")).unwrap_or_default();
        let problem = match (same_data, same_samples) {
            (true, true) => return Ok(()),
            (false, _) => format!("the dataset has changed since:{dataset} has another checksum"),
            (true, false) => "other samples would train than did".to_string(),
        };
        let remedy = "put the dataset back as it was, or run again";
        Err(Error::file(self.directory.file("manifest.json"), None, problem, remedy))
    }
}

/// The folder and the step of `RUN@STEP`. A folder that has such a name itself is that folder.
fn split(run: &Path) -> (PathBuf, Option<usize>) {
    let whole = (run.to_path_buf(), None);
    if run.exists() {
        return whole;
    }
    let parts = run.to_str().and_then(|text| text.rsplit_once('@'));
    match parts.map(|(path, step)| (path, step.parse())) {
        Some((path, Ok(step))) => (PathBuf::from(path), Some(step)),
        _ => whole,
    }
}

fn precision_of(config: &serde_json::Value) -> Option<Precision> {
    serde_json::from_value(config["precision"].clone()).ok()
}
