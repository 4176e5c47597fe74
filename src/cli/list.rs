//! `sharpscope list`.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt::Write;

use serde_json::{Value, json};

use super::args::ListArgs;
use super::logging::Terminal;
use crate::config::flag;
use crate::data::{DataOptions, Dataset, InputShape, dataset_list};
use crate::model::{Activation, ModelSpec, preset_names};
use crate::objective::{NAMES, ObjectiveSpec};
use crate::optim::ENTRIES;

/// Prints what can be named: models, datasets, objectives, activations, optimizers.
pub(super) fn list(args: &ListArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let models = models(args.dataset.as_deref().unwrap_or("digits"))?;
    let objectives = objectives()?;
    match args.json {
        true => terminal.json(&as_json(&models, &objectives))?,
        false => drop(terminal.output(&as_text(&models, &objectives)?)),
    }
    Ok(0)
}

struct Model {
    name: &'static str,
    spec: ModelSpec,
    /// Number of parameters, and the dataset that it is for.
    parameters: Option<(usize, String)>,
}

/// The presets, with their parameter counts for the dataset, or, where they cannot read it, for the
/// text.
fn models(dataset: &str) -> crate::Result<Vec<Model>> {
    // What models read, by dataset and context: each is loaded once.
    let mut sizes: HashMap<(&str, Option<usize>), (InputShape, usize)> = HashMap::new();
    preset_names()
        .into_iter()
        .map(|name| {
            let spec = ModelSpec::load(name)?;
            let text = spec.context().map(|_| "shakespeare");
            let dataset = text.unwrap_or(dataset);
            let (inputs, outputs) = match sizes.entry((dataset, spec.context())) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(unknown) => {
                    let options = DataOptions::default();
                    let (data, _) = Dataset::load_with(dataset, &options, spec.context(), 0)?;
                    *unknown.insert((data.input_shape(), data.outputs()))
                }
            };
            let parameters = spec.parameters(inputs, outputs);
            let parameters = match parameters {
                Ok(count) => Some((count, dataset.to_string())),
                // The model cannot read these data; anything else is the user's to know.
                Err(crate::Error::Setting { key, .. }) if key == "model" => None,
                Err(error) => return Err(error),
            };
            Ok(Model { name, spec, parameters })
        })
        .collect()
}

/// Each objective with its usual numbers; `None` for the one that has none.
type Objectives = Vec<(&'static str, Option<ObjectiveSpec>)>;

fn objectives() -> crate::Result<Objectives> {
    let usual = |&name: &&'static str| match name {
        "expression" => Ok((name, None)),
        name => ObjectiveSpec::load(name).map(|spec| (name, Some(spec))),
    };
    NAMES.iter().map(usual).collect()
}

/// What an objective is, in a line.
fn about(spec: Option<&ObjectiveSpec>) -> &'static str {
    spec.map_or("a formula of your own, in a JSON file", |spec| spec.facts().about())
}

fn as_json(models: &[Model], objectives: &Objectives) -> Value {
    let models: Vec<Value> = models
        .iter()
        .map(|model| {
            let (parameters, dataset) = model.parameters.clone().unzip();
            let spec = &model.spec;
            json!({ "name": model.name, "spec": spec, "parameters": parameters, "dataset": dataset })
        })
        .collect();
    let datasets: Vec<Value> = dataset_list()
        .iter()
        .map(|data| {
            json!({
                "name": data.name, "samples": data.samples, "inputs": data.inputs,
                "targets": data.targets, "licence": data.licence
            })
        })
        .collect();
    let optimizers: Vec<Value> = ENTRIES
        .iter()
        .map(|entry| {
            json!({
                "name": entry.name, "update": entry.about(), "lr": entry.lr,
                "threshold": entry.formula(), "defaults": entry.defaults
            })
        })
        .collect();
    let objectives: Vec<Value> = objectives
        .iter()
        .map(|(name, spec)| {
            let variables = spec.as_ref().map(|spec| spec.facts().dimension());
            json!({
                "name": name, "about": about(spec.as_ref()), "spec": spec, "variables": variables
            })
        })
        .collect();
    json!({
        "models": models, "datasets": datasets, "objectives": objectives, "activations": Activation::NAMES,
        "optimizers": optimizers
    })
}

/// A JSON object without its quotes.
fn plain(value: &impl serde::Serialize) -> serde_json::Result<String> {
    let text = serde_json::to_string(value)?;
    Ok(text.replace('"', "").replace(',', ", ").replace(':', ": "))
}

fn as_text(models: &[Model], objectives: &Objectives) -> anyhow::Result<String> {
    let mut text = String::from("models (--model)\n");
    for model in models {
        let count = match &model.parameters {
            Some((count, dataset)) => format!("{count} parameters on {dataset}"),
            None => "reads other data".to_string(),
        };
        writeln!(text, "  {:18} {count:34} {}", model.name, plain(&model.spec)?)?;
    }
    text += "\ndatasets (--dataset)\n";
    for data in dataset_list() {
        let samples = format!("{} samples", data.samples);
        writeln!(text, "  {:18} {samples:16} {}, {}", data.name, data.inputs, data.targets)?;
        writeln!(text, "  {:18} {}", "", data.licence)?;
    }
    text += "\nobjectives (--objective)\n";
    for (name, spec) in objectives {
        writeln!(text, "  {name:20} {}", about(spec.as_ref()))?;
        if let Some(spec) = spec {
            writeln!(text, "  {:20} {}", "", plain(spec)?)?;
        }
    }
    writeln!(text, "\nactivations (in a model's JSON)\n  {}", Activation::NAMES.join(" "))?;
    text += "\noptimizers (--optimizer)\n";
    for entry in ENTRIES {
        writeln!(text, "  {:18} {}", entry.name, entry.about())?;
        let numbers = entry.defaults.numbers();
        let flags = numbers
            .filter_map(|(number, value)| Some(format!("{} {:?}", flag(number.name), value?)));
        let flags: Vec<String> =
            [format!("--lr {:?}", entry.lr)].into_iter().chain(flags).collect();
        writeln!(text, "  {:18} {}", "", flags.join(" "))?;
        let threshold = entry.formula().unwrap_or_else(|| "none known".to_string());
        writeln!(text, "  {:18} threshold: {threshold}", "")?;
    }
    Ok(text)
}
