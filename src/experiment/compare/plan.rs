//! Which runs a comparison is made of.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::ComparisonManifest;
use crate::config::{CompareSettings, Place, RunConfig, Seeds, Settings};
use crate::data;
use crate::error::{Error, Result};
use crate::experiment::{Prepared, prepare, timestamped};
use crate::optim::ScheduleKind;
use crate::optim::help::short;
use crate::record::WarningAction;
use crate::rundir::{ManifestHead, RunDirectory};

/// A comparison about to start, or to go on.
#[derive(Debug, Clone)]
pub struct Comparison {
    /// Its name.
    pub name: String,
    /// Where it is written.
    pub directory: PathBuf,
    /// What is compared.
    pub settings: Vec<Setting>,
    /// The runs: for each setting, one for each seed.
    pub members: Vec<Member>,
    /// What was made of the data, in a line.
    pub data: String,
    /// Runs at a time.
    pub jobs: usize,
    /// Whether runs that are done already are done again.
    pub force: bool,
    /// SHA-256 of the dataset that all of them are of, with the first seed.
    pub dataset_sha256: Option<String>,
}

/// One of the settings that are compared.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// The optimizer and what sets it apart from the others here, such as `sam ρ=0.05`.
    pub label: String,
    /// The same for a folder's name, whatever else is compared, such as `sam-lr-0.2-rho-0.05`.
    pub slug: String,
    /// Its configuration, with the first seed.
    pub config: RunConfig,
}

/// One run of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Index of its setting.
    pub setting: usize,
    /// Its configuration, with data-dependent defaults filled in.
    pub config: RunConfig,
    /// Its directory.
    pub directory: PathBuf,
}

pub(super) const MANIFEST: &str = "comparison.json";

impl Comparison {
    /// Lists the runs and checks all of them, and what is on disk, before anything is written.
    ///
    /// # Errors
    /// As [`Comparison::list`]; [`Error::Output`] for a folder that holds something else.
    pub fn plan(compare: CompareSettings) -> Result<Self> {
        let comparison = Self::list(compare)?;
        comparison.check_directory()?;
        Ok(comparison)
    }

    /// Lists the runs and checks their settings; what is on disk is not looked at.
    ///
    /// # Errors
    /// Every error of a run's input; [`Error::Setting`] where there is nothing to compare or the
    /// same is named twice.
    pub fn list(compare: CompareSettings) -> Result<Self> {
        let seeds = seeds(&compare)?;
        let jobs = compare.jobs.unwrap_or(1);
        if jobs == 0 {
            return Err(Error::setting("--jobs", 0, "nothing would run", "give 1 or more"));
        }
        if jobs > MOST_JOBS {
            let remedy = format!("give at most {MOST_JOBS}");
            return Err(Error::setting("--jobs", jobs, "more than can be meant", remedy));
        }
        let shared = compare.settings;
        shared.check()?;
        let groups: Vec<Settings> = match compare.runs {
            None => vec![shared.clone()],
            Some(runs) => runs
                .into_iter()
                .map(|run| Ok(only_optimizer(run)?.or(shared.clone())))
                .collect::<Result<_>>()?,
        };
        if shared.on_warning == Some(WarningAction::Stop) {
            let problem = "runs of unequal length cannot be compared";
            let remedy = "use halve-lr or checkpoint, or leave it out";
            return Err(Error::setting("--on-warning", "stop", problem, remedy));
        }
        if let Some(directory) = &shared.resume {
            let problem = "a comparison goes on by itself where it was stopped";
            let remedy = "give the same command with the same --out";
            return Err(Error::setting("--resume", directory.display(), problem, remedy));
        }
        let (out, name) = (shared.out.clone(), shared.name.clone());
        let force = shared.force.unwrap_or(false);

        let (mut configs, mut problem) = (Vec::new(), None);
        for group in groups {
            for settings in group.product()? {
                let settings = Settings {
                    seed: Some(seeds[0]),
                    out: None,
                    name: None,
                    force: None,
                    ..settings
                };
                let config = RunConfig::resolve(settings)?;
                configs.push(match &problem {
                    // All are of one problem, which need not be put on a device for each.
                    Some(first) => Prepared::sibling(first, config)?,
                    None => {
                        let first = prepare(config)?;
                        check_jobs(jobs, &first)?;
                        let config = first.config.clone();
                        problem = Some(first);
                        config
                    }
                });
            }
        }
        let dataset_sha256 = problem.as_ref().map(|first| first.dataset.sha256.clone());
        let data = problem.map(|first| first.dataset.description()).unwrap_or_default();
        if configs.is_empty() {
            let remedy = "name at least one group of settings, or leave 'runs' out";
            return Err(Error::setting("runs", "[]", "nothing to compare", remedy));
        }

        let runs = configs.len().saturating_mul(seeds.len());
        if runs > MOST_RUNS {
            let (problem, remedy) =
                ("more runs than can be meant", format!("ask for at most {MOST_RUNS}"));
            return Err(Error::setting("comparison", format!("{runs} runs"), problem, remedy));
        }
        let settings = label(configs)?;
        let default_name = format!("compare-{}", shared_name(&settings[0].config));
        let name = name.unwrap_or(default_name);
        let directory = out.unwrap_or_else(|| default_directory(&name));
        let members = settings
            .iter()
            .enumerate()
            .flat_map(|(index, setting)| seeds.iter().map(move |&seed| (index, setting, seed)))
            .map(|(index, setting, seed)| {
                let folder = directory.join(member_folder(setting, seed));
                let out = Some(folder.clone());
                let place = Place { out, ..setting.config.place.clone() };
                let config = RunConfig { seed, place, ..setting.config.clone() };
                Member { setting: index, config, directory: folder }
            })
            .collect();
        Ok(Self { name, directory, settings, members, data, jobs, force, dataset_sha256 })
    }

    /// Refuses a folder that holds something else, or a run of other settings under a member's name.
    fn check_directory(&self) -> Result<()> {
        self.check_folder()?;
        if self.force {
            return Ok(());
        }
        for member in &self.members {
            if let Some(head) = RunDirectory::at(&member.directory).manifest_head()? {
                self.check_member(member, &head)?;
            }
        }
        Ok(())
    }

    /// Refuses a folder that holds something else than a comparison.
    pub(super) fn check_folder(&self) -> Result<()> {
        let problem = |problem: String, remedy: &str| Error::Output {
            path: self.directory.clone(),
            problem,
            remedy: remedy.to_string(),
        };
        if self.directory.to_str().is_none() {
            let text = "its name is not UTF-8, and could not be written down".to_string();
            return Err(problem(text, "choose another --out"));
        }
        let used = match std::fs::read_dir(&self.directory) {
            Ok(mut entries) => entries.next().is_some(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => false,
            Err(e) => return Err(Error::folder(&self.directory, "be used", &e)),
        };
        if used && ComparisonManifest::read(&self.directory).is_err() {
            let text = "it holds something else than a comparison".to_string();
            return Err(problem(text, "choose another --out"));
        }
        Ok(())
    }

    /// Refuses a run of other settings, or of other data, under a member's name.
    pub(super) fn check_member(&self, member: &Member, head: &ManifestHead) -> Result<()> {
        let problem = |problem: String, remedy: &str| Error::Output {
            path: member.directory.clone(),
            problem,
            remedy: remedy.to_string(),
        };
        // Made-up data are another for each seed, and follow from what is compared below.
        let is_file = !data::is_builtin(&member.config.dataset);
        let there = head.dataset_sha256.as_ref();
        if is_file && there.is_some_and(|sum| Some(sum) != self.dataset_sha256.as_ref()) {
            let remedy = "put the dataset back as it was, choose another --out, or do all runs \
                          again with --force";
            return Err(problem(holds_other_data(&member.config.dataset), remedy));
        }
        if let Some((key, there, wanted)) = other_config(&head.config, &member.config) {
            let text = format!("it holds a run with {key} = {there}, not {wanted}");
            let remedy = "choose another --out, or do all runs again with --force";
            return Err(problem(text, remedy));
        }
        Ok(())
    }
}

/// What is wrong with runs of a dataset that has changed.
pub(super) fn holds_other_data(dataset: &str) -> String {
    format!("it holds a run of other data: {dataset} has changed since")
}

/// Where a member is, from the comparison's folder.
pub(super) fn member_folder(setting: &Setting, seed: u64) -> String {
    format!("{}/seed-{seed}", setting.slug)
}

/// Devices other than the CPU do one run at a time.
fn check_jobs(jobs: usize, prepared: &Prepared) -> Result<()> {
    if jobs > 1 && prepared.device.backend() != "cpu" {
        let problem = format!("{} runs one at a time", prepared.device.adapter());
        let remedy = "leave it out, or use --backend cpu";
        return Err(Error::setting("--jobs", jobs, problem, remedy));
    }
    Ok(())
}

/// The first key in which a configuration on disk is not the one wanted, with both values. One that it lacks,
/// being made by an earlier version, is at its default.
pub(super) fn other_config(config: &Value, wanted: &RunConfig) -> Option<(String, String, String)> {
    let all = wanted.what().ok()?.into_iter();
    let defaults = OnceCell::new();
    let default = |key: &str| {
        let defaults = defaults.get_or_init(|| {
            RunConfig::resolve(Settings::default()).and_then(|config| config.what()).ok()
        });
        defaults.as_ref().and_then(|defaults| defaults.get(key)).unwrap_or(&Value::Null)
    };
    let there = |key: &str| config.get(key).unwrap_or_else(|| default(key));
    all.map(|(key, wanted)| (there(&key), key, wanted))
        // An earlier version wrote null for none.
        .filter(|(there, key, wanted)| {
            !(key == "sharpness_batches" && there.is_null() && *wanted == 0)
        })
        .find(|(there, _, wanted)| *there != wanted)
        .map(|(there, key, wanted)| (key, there.to_string(), wanted.to_string()))
}

/// Most seeds of a comparison, its most runs, and the most of them at a time.
const MOST_SEEDS: usize = 10_000;
const MOST_RUNS: usize = 100_000;
const MOST_JOBS: usize = 1024;

fn seeds(compare: &CompareSettings) -> Result<Vec<u64>> {
    let first = compare.settings.seed.unwrap_or(0);
    let problem = |shown: String, problem: &str, remedy: &str| {
        Err(Error::setting("--seeds", shown, problem, remedy))
    };
    match &compare.seeds {
        None => Ok(vec![first]),
        Some(Seeds::Count(0)) => problem("0".to_string(), "nothing would run", "give 1 or more"),
        Some(Seeds::Count(n)) if *n > MOST_SEEDS => {
            let remedy = format!("give at most {MOST_SEEDS}");
            problem(n.to_string(), "more runs than can be meant", &remedy)
        }
        Some(Seeds::Count(n)) => match first.checked_add(*n as u64 - 1) {
            Some(last) => Ok((first..=last).collect()),
            None => problem(n.to_string(), "seeds would run over", "lower --seed"),
        },
        Some(Seeds::List(list)) => {
            let shown = list.iter().map(u64::to_string).collect::<Vec<_>>().join(",");
            if list.is_empty() {
                return problem("[]".to_string(), "nothing would run", "give one seed or more");
            }
            if compare.settings.seed.is_some() {
                return problem(shown, "--seed is given too", "give one of the two");
            }
            if list.iter().collect::<BTreeSet<_>>().len() < list.len() {
                return problem(shown, "a seed is named twice", "name each once");
            }
            Ok(list.clone())
        }
    }
}

/// A group of `runs`, which may set what belongs to the optimizer and nothing else: all members
/// share the problem and how it is measured.
fn only_optimizer(group: Settings) -> Result<Settings> {
    let Some(other) = group.beside_optimizer() else { return Ok(group) };
    let problem =
        "a group may set the optimizer, its numbers, batch_size and the learning rate only";
    let remedy = "set the rest beside 'runs', for all of them";
    Err(Error::setting("runs", format!("[{{\"{other}\": …}}]"), problem, remedy))
}

/// Something that may tell a setting from others.
struct Part {
    /// Its key, with dashes.
    key: String,
    /// What is written before its value in a label.
    symbol: String,
    /// Its value; `None` where the setting does not take it.
    value: Option<String>,
    /// Whether it is what the optimizer takes when nothing is given.
    is_default: bool,
}

fn parts(config: &RunConfig) -> Vec<Part> {
    let part = |key: &str, symbol: &str, value| {
        let (key, symbol) = (key.replace('_', "-"), symbol.to_string());
        Part { key, symbol, value, is_default: false }
    };
    let number = |key: &str, symbol: &str, value: Option<f64>, default: Option<f64>| Part {
        is_default: value == default,
        ..part(key, symbol, value.map(short))
    };
    let defaults = config.optimizer.defaults();
    let numbers = config.optimizer.hyperparameters.numbers().zip(defaults.numbers());
    let numbers = numbers.map(|((of, value), (_, default))| {
        number(of.name, &format!("{}=", of.symbol), value, default)
    });
    let schedule = config.schedule;
    let schedule = (schedule != ScheduleKind::Constant).then(|| schedule.to_string());
    let rate = [part("lr", "η=", Some(short(config.lr)))];
    let rest = [
        part("batch", "batch ", config.batch_size.0.map(|size| size.to_string())),
        part("schedule", "", schedule),
        part("warmup", "warm-up ", (config.warmup > 0).then(|| config.warmup.to_string())),
        number("final_lr", "to η=", config.final_lr, Some(0.0)),
        part("decay_factor", "×", config.decay_factor.map(short)),
        part("decay_every", "every ", config.decay_every.map(|steps| steps.to_string())),
    ];
    rate.into_iter().chain(numbers).chain(rest).collect()
}

/// Whether each part has several values among these settings.
fn varies<'a>(mut settings: impl Iterator<Item = &'a Vec<Part>>) -> Vec<bool> {
    let Some(first) = settings.next() else { return Vec::new() };
    let mut varies = vec![false; first.len()];
    for parts in settings {
        for (key, part) in parts.iter().enumerate() {
            varies[key] |= part.value != first[key].value;
        }
    }
    varies
}

/// Settings with labels that say how they differ.
fn label(configs: Vec<RunConfig>) -> Result<Vec<Setting>> {
    let all: Vec<_> = configs.iter().map(parts).collect();
    let optimizers: Vec<String> = configs.iter().map(|c| c.optimizer.to_string()).collect();
    let among_all = varies(all.iter());
    let mut of_optimizer: BTreeMap<&str, Vec<&Vec<Part>>> = BTreeMap::new();
    for (parts, optimizer) in all.iter().zip(&optimizers) {
        of_optimizer.entry(optimizer).or_default().push(parts);
    }
    let among_same: BTreeMap<&str, Vec<bool>> = of_optimizer
        .into_iter()
        .map(|(optimizer, parts)| (optimizer, varies(parts.into_iter())))
        .collect();
    let mut slugs = BTreeSet::new();
    let mut settings = Vec::new();
    for ((config, own), optimizer) in configs.into_iter().zip(&all).zip(&optimizers) {
        let mut label = optimizer.clone();
        let among_same = &among_same[optimizer.as_str()];
        for (key, part) in own.iter().enumerate() {
            let tells_apart = among_same[key] || (among_all[key] && !part.is_default);
            if let (Some(value), true) = (&part.value, tells_apart) {
                label += &format!(" {}{value}", part.symbol);
            }
        }
        let slug = slug(&config, own);
        if !slugs.insert(slug.clone()) {
            let remedy = "name each combination once";
            return Err(Error::setting("comparison", label, "the same settings twice", remedy));
        }
        settings.push(Setting { label, slug, config });
    }
    Ok(settings)
}

/// The optimizer, the learning rate and whatever is not its default.
fn slug(config: &RunConfig, parts: &[Part]) -> String {
    let mut slug = config.optimizer.slug();
    for part in parts {
        if let (Some(value), false) = (&part.value, part.is_default) {
            slug += &format!("-{}-{value}", part.key);
        }
    }
    slug
}

/// Model and dataset, from a run's name.
fn shared_name(config: &RunConfig) -> String {
    let end = format!("-{}", config.optimizer.slug());
    let name = &config.place.name;
    name.strip_suffix(&end).unwrap_or(name).to_string()
}

/// `runs/<time>-<name>`, with a number behind it where that is taken.
fn default_directory(name: &str) -> PathBuf {
    let base = timestamped(name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    let mut candidates = std::iter::once(base.clone()).chain(numbered);
    let free = candidates.find(|name| !Path::new("runs").join(name).exists());
    Path::new("runs").join(free.unwrap_or(base))
}
