//! Model, data and loss, or an objective.

use std::path::Path;

use crate::config::{ModelChoice, ObjectiveChoice, Settings};
use crate::data::{self, DataOptions};
use crate::error::{Error, Result};
use crate::model::{AnalyticSpec, ModelSpec};
use crate::objective::ObjectiveSpec;
use crate::problem::Loss;

/// What is trained on what.
pub(in crate::config) struct Problem {
    pub model: ModelSpec,
    pub dataset: String,
    pub loss: Loss,
    pub standardize: bool,
    pub data: DataOptions,
    /// Model and dataset, for the name of a run.
    pub name: String,
}

impl Problem {
    /// Reads the model where it is in a file.
    pub fn resolve(settings: &Settings) -> Result<Self> {
        if let Some(choice) = &settings.objective {
            refuse_samples(settings)?;
            return Self::of_objective(choice, settings);
        }
        let (model, model_name) = match &settings.model {
            None => (ModelSpec::load("mlp")?, "mlp".to_string()),
            Some(ModelChoice::Named(name)) => (ModelSpec::load(name)?, stem(name)),
            Some(ModelChoice::Spec(spec)) => {
                spec.validate()?;
                (spec.clone(), spec.kind().to_string())
            }
        };
        if model.objective().is_some() {
            let remedy = "give it with --objective";
            return Err(Error::setting("--model", model_name, "it is an objective", remedy));
        }
        if let Some(start) = &settings.start {
            let problem = "weights of a model have no such start";
            let remedy = "give it with --objective, or take --init for weights in a file";
            return Err(Error::setting("--start", start, problem, remedy));
        }
        let dataset = settings.dataset.clone().unwrap_or_else(|| "digits".to_string());
        // What reads tokens is given text.
        let text = data::is_text(&dataset) || model.context().is_some();
        let default_loss = if text { Loss::Ce } else { Loss::Mse };
        let standardize = data::standardized_by_default(&dataset);
        Ok(Self {
            name: format!("{model_name}-{}", stem(&dataset)),
            model,
            loss: settings.loss.unwrap_or(default_loss),
            standardize: settings.standardize.unwrap_or(standardize),
            data: DataOptions {
                points: settings.points,
                degree: settings.degree,
                classes: settings.classes.clone(),
                noise: settings.noise,
                label_noise: settings.label_noise,
                header: settings.header,
                target: settings.target.as_deref().map(str::to_string),
                regression: settings.regression,
            },
            dataset,
        })
    }

    /// That of an objective, whose samples are none.
    fn of_objective(choice: &ObjectiveChoice, settings: &Settings) -> Result<Self> {
        let (mut objective, name) = match choice {
            ObjectiveChoice::Named(name) => (ObjectiveSpec::load(name)?, stem(name)),
            ObjectiveChoice::Spec(spec) => (spec.clone(), spec.kind().to_string()),
        };
        if let Some(start) = &settings.start {
            objective.start = Some(start.0.clone());
        }
        objective.check()?;
        Ok(Self {
            model: ModelSpec::Analytic(AnalyticSpec { objective }),
            dataset: "none".to_string(),
            loss: Loss::Mse,
            standardize: false,
            data: DataOptions::default(),
            name,
        })
    }
}

/// Refuses what is said of samples and layers, which an objective does not have.
fn refuse_samples(settings: &Settings) -> Result<()> {
    let s = settings;
    let batch = s.batch_size.as_ref().filter(|sizes| sizes.0.iter().any(|size| size.0.is_some()));
    let model = s.model.as_ref().map(|model| match model {
        ModelChoice::Named(name) => name.clone(),
        ModelChoice::Spec(spec) => spec.kind().to_string(),
    });
    let given = [
        ("--model", model),
        ("--dataset", s.dataset.clone()),
        ("--validation", s.validation.clone()),
        ("--test", s.test.as_ref().map(|_| "given".to_string())),
        ("--loss", s.loss.map(|loss| loss.to_string())),
        ("--train-size", shown(s.train_size)),
        ("--validation-size", shown(s.validation_size)),
        ("--standardize", shown(s.standardize)),
        ("--points", shown(s.points)),
        ("--degree", shown(s.degree)),
        ("--classes", shown(s.classes.as_ref())),
        ("--noise", shown(s.noise)),
        ("--label-noise", shown(s.label_noise)),
        ("--header", s.header.map(|header| header.to_string())),
        ("--target", s.target.as_deref().map(str::to_string)),
        ("--regression", shown(s.regression)),
        ("--batch-size", shown(batch)),
        ("--order-seed", shown(s.order_seed)),
        ("--data-seed", shown(s.data_seed)),
        ("--samples", shown(s.samples)),
        ("--chunk", shown(s.chunk)),
        ("--sharpness-batches", shown(s.sharpness_batches.filter(|&batches| batches > 0))),
        ("--sharpness-error", shown(s.sharpness_error)),
    ];
    match given.into_iter().find_map(|(flag, value)| Some((flag, value?))) {
        None => Ok(()),
        Some((flag, value)) => {
            let problem = "an objective has neither samples nor layers";
            Err(Error::setting(flag, value, problem, "leave it out, or leave --objective out"))
        }
    }
}

fn shown(value: Option<impl ToString>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn stem(name_or_file: &str) -> String {
    let file = Path::new(name_or_file).file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().to_string()
}
