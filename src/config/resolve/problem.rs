//! Model, data and loss.

use std::path::Path;

use crate::config::{ModelChoice, Settings};
use crate::data::{self, DataOptions};
use crate::error::Result;
use crate::model::ModelSpec;
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
        let (model, model_name) = match &settings.model {
            None => (ModelSpec::load("mlp")?, "mlp".to_string()),
            Some(ModelChoice::Named(name)) => (ModelSpec::load(name)?, stem(name)),
            Some(ModelChoice::Spec(spec)) => {
                spec.validate()?;
                (spec.clone(), spec.kind().to_string())
            }
        };
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
                classes: settings.classes,
                noise: settings.noise,
                label_noise: settings.label_noise,
                header: settings.header,
                target: settings.target.as_deref().map(str::to_string),
                regression: settings.regression,
            },
            dataset,
        })
    }
}

fn stem(name_or_file: &str) -> String {
    let file = Path::new(name_or_file).file_name().unwrap_or_default().to_string_lossy();
    file.split('.').next().unwrap_or_default().to_string()
}
