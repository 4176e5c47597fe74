//! Several runs of the same problem, each at a checkpoint.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::config::RunConfig;
use crate::device::BackendChoice;
use crate::error::{Error, Result};
use crate::experiment::Prepared;
use crate::landscape::Surface;
use crate::rundir::{StoredRun, read_safetensors};

/// Runs of one model, one dataset and one loss, at a checkpoint each. What is evaluated is the first one's
/// problem: its training, validation and curvature samples.
pub struct Compared {
    /// The runs, in the order given.
    pub members: Vec<Member>,
    /// The first one's problem.
    pub prepared: Prepared,
    /// What the user should know before reading the numbers: which runs trained on other samples.
    pub notes: Vec<String>,
}

/// A run at a checkpoint.
#[derive(Debug)]
pub struct Member {
    /// `RUN@STEP`, as it is called in tables and pictures.
    pub name: String,
    /// The run.
    pub run: StoredRun,
    /// Its configuration.
    pub config: RunConfig,
    /// Updates taken.
    pub step: usize,
    /// The weights there (length P).
    pub theta: Vec<f64>,
}

/// A run that was opened, before its weights are read.
struct Opened {
    path: PathBuf,
    run: StoredRun,
    config: RunConfig,
    step: usize,
    weights: PathBuf,
}

impl Compared {
    /// Opens `RUN` or `RUN@STEP` each, at least one, and uploads the first one's problem.
    ///
    /// # Errors
    /// [`Error::Setting`] where one is given twice, differs from the first in model, loss or data, or has no such
    /// checkpoint; [`Error::File`] for what is no run; and as [`StoredRun::problem`].
    pub fn open(runs: &[PathBuf], backend: Option<BackendChoice>) -> Result<Self> {
        let opened: Vec<Opened> =
            runs.iter().map(|run| Opened::open(run)).collect::<Result<_>>()?;
        let Some(first) = opened.first() else {
            let remedy = "name one run or more";
            return Err(Error::setting("RUN", "", "no run is given", remedy));
        };
        for (at, other) in opened.iter().enumerate().skip(1) {
            if let Some(same) = opened[..at].iter().find(|before| before.is_same(other)) {
                let problem = format!("it is given twice, as {} too", same.path.display());
                let remedy = "name each checkpoint once";
                return Err(Error::setting("RUN", other.path.display(), problem, remedy));
            }
            first.check_same_problem(other)?;
        }
        let notes = opened[1..].iter().filter_map(|other| first.other_samples(other)).collect();
        let prepared = first.run.problem(backend)?;
        let layout = prepared.problem.train.layout();
        let member = |Opened { path, run, config, step, weights }| {
            let theta = read_safetensors(&weights, layout)?;
            Ok(Member { name: name(&path, step), run, config, step, theta })
        };
        let mut members: Vec<Member> = opened.into_iter().map(member).collect::<Result<_>>()?;
        name_apart(&mut members);
        Ok(Self { members, prepared, notes })
    }

    /// The losses of the first run's problem.
    pub fn surface(&mut self) -> Surface<'_> {
        self.prepared.problem.surface()
    }

    /// A member's weights, rounded as this problem's device holds them.
    pub fn theta(&self, member: usize) -> &[f64] {
        &self.members[member].theta
    }

    /// What was compared, for a manifest.
    ///
    /// # Errors
    /// If the model cannot be written as JSON.
    pub fn described(&self) -> Result<Value> {
        let config = &self.prepared.config;
        let encode = |e: serde_json::Error| Error::Encode { what: "JSON", reason: e.to_string() };
        let runs: Vec<Value> = self.members.iter().map(Member::described).collect();
        Ok(json!({
            "model": serde_json::to_value(&config.model).map_err(encode)?,
            "dataset": config.objective().is_none().then_some(&config.dataset),
            "dataset_sha256": self.prepared.dataset.sha256,
            "loss": config.objective().is_none().then(|| config.loss.to_string()),
            "parameters": self.prepared.problem.train.dim(),
            "backend": self.prepared.device.backend(),
            "adapter": self.prepared.device.adapter(),
            "precision": config.precision,
            "train_indices": self.prepared.train_samples(),
            "validation_indices": self.prepared.split.validation,
            "curvature_indices": self.prepared.curvature_samples,
            "notes": self.notes,
            "runs": runs,
        }))
    }
}

impl Member {
    fn described(&self) -> Value {
        let path = std::path::absolute(self.run.path()).unwrap_or(self.run.path().to_path_buf());
        json!({
            "name": self.name,
            "directory": path.to_string_lossy(),
            "step": self.step,
            "seed": self.config.seed,
            "optimizer": self.config.optimizer.to_string(),
            "lr": self.config.lr,
            "started": self.run.head().and_then(|head| head.started.clone()),
        })
    }
}

impl Opened {
    fn open(path: &Path) -> Result<Self> {
        let run = StoredRun::open(path)?;
        let config = run.config()?;
        let (step, weights) = run.checkpoint(None)?;
        Ok(Self { path: run.path().to_path_buf(), run, config, step, weights })
    }

    fn is_same(&self, other: &Self) -> bool {
        let place = |path: &Path| std::fs::canonicalize(path).unwrap_or(path.to_path_buf());
        self.step == other.step && place(&self.path) == place(&other.path)
    }

    /// Whether the same loss is meant, whatever samples of the same data it is over.
    fn check_same_problem(&self, other: &Self) -> Result<()> {
        let differs = |what: &str, own: String, others: String, remedy: &str| {
            let first = self.path.display();
            let problem = format!("its {what} is {others}, and that of {first} is {own}");
            Err(Error::setting("RUN", other.path.display(), problem, remedy))
        };
        let (a, b) = (&self.config, &other.config);
        // Where an objective starts is no part of what it is.
        let same = match (a.objective(), b.objective()) {
            (Some(a), Some(b)) => a.function == b.function && a.offset == b.offset,
            _ => a.model == b.model,
        };
        if !same {
            let shown = |config: &RunConfig| {
                serde_json::to_string(&config.model)
                    .unwrap_or_else(|_| format!("{:?}", config.model))
            };
            return differs("model", shown(a), shown(b), "give runs of one model");
        }
        if a.loss != b.loss {
            let (own, others) = (a.loss.to_string(), b.loss.to_string());
            return differs("loss", own, others, "give runs with one loss");
        }
        let sum = |run: &StoredRun| run.head().and_then(|head| head.dataset_sha256.clone());
        let shown = |opened: &Self| {
            let sum = sum(&opened.run).unwrap_or_default();
            let short: String = sum.chars().take(12).collect();
            let classes = opened.config.data.classes.as_ref();
            let classes = classes.map_or(String::new(), |classes| format!(", classes {classes}"));
            format!("'{}' (SHA-256 {short}…{classes})", opened.config.dataset)
        };
        if sum(&self.run) != sum(&other.run) || a.data != b.data {
            return differs("dataset", shown(self), shown(other), "give runs on the same data");
        }
        let scales = |config: &RunConfig| config.standardize.to_string();
        if a.standardize != b.standardize {
            let remedy = "give runs with one --standardize";
            return differs("--standardize", scales(a), scales(b), remedy);
        }
        // What was made of the samples depends on which of them train.
        let made = a.standardize || a.data.label_noise.is_some_and(|share| share > 0.0);
        if made && self.samples(true) != other.samples(true) {
            let seed = |opened: &Self| format!("that of --seed {}", opened.config.seed);
            let what = "split, from which the scaling or the label noise comes,";
            return differs(
                what,
                seed(self),
                seed(other),
                "give runs on the same samples, by one --data-seed",
            );
        }
        Ok(())
    }

    fn samples(&self, train: bool) -> &[usize] {
        let head = self.run.head();
        head.map_or(&[], |head| match train {
            true => &head.train_indices,
            false => &head.validation_indices,
        })
    }

    /// That the other run trained on other samples than this one, if it did.
    fn other_samples(&self, other: &Self) -> Option<String> {
        let [own, others] = [self.samples(true), other.samples(true)];
        if own == others {
            return None;
        }
        let shared = |of: &[usize]| of.iter().filter(|sample| others.contains(sample)).count();
        Some(format!(
            "{} trained on {} of the {} training samples here, which are those of {}, and on {} of its \
             {} validation samples",
            other.path.display(),
            shared(own),
            own.len(),
            self.path.display(),
            shared(self.samples(false)),
            self.samples(false).len()
        ))
    }
}

/// Those whose folders are called alike are called by their paths.
fn name_apart(members: &mut [Member]) {
    let names: Vec<String> = members.iter().map(|member| member.name.clone()).collect();
    for member in members {
        if names.iter().filter(|name| **name == member.name).count() > 1 {
            member.name = format!("{}@{}", member.run.path().display(), member.step);
        }
    }
}

/// The last part of the path with the step.
fn name(path: &Path, step: usize) -> String {
    let folder = path.file_name().map(|name| name.to_string_lossy().into_owned());
    format!("{}@{step}", folder.unwrap_or_else(|| path.display().to_string()))
}
