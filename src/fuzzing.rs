//! Entry points for fuzzers: each reads bytes as one kind of file that somebody else may have written. Any
//! bytes end in a value or an error, in little time and memory. `fuzz/` and a bounded test share them.

use std::path::Path;

use crate::autodiff::ParameterLayout;
use crate::config::{CompareSettings, RunConfig, Settings};
use crate::data::{DataOptions, Dataset, InputShape, in_memory};
use crate::error::Result;
use crate::input;
use crate::model::ModelSpec;
use crate::objective::ObjectiveSpec;
use crate::rng::{self, Stream};
use crate::rundir::{ManifestHead, StepTable, events_of_text, weights_of_bytes};

/// Reads bytes and says whether they were understood.
pub type Target = fn(&[u8]) -> bool;

/// All of them, by the name that their seeds have.
pub const TARGETS: [(&str, Target); 12] = [
    ("config", config),
    ("model", model),
    ("objective", objective),
    ("csv", csv),
    ("text", text),
    ("idx", idx),
    ("cifar", cifar),
    ("numpy", numpy),
    ("safetensors", safetensors),
    ("manifest", manifest),
    ("steps", steps),
    ("events", events),
];

/// Text that begins with an object.
fn json(bytes: &[u8]) -> Result<String> {
    input::text(bytes.to_vec(), Path::new("file.json"))
}

/// A configuration of a run, and of a comparison.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = json(bytes) else { return false };
    let path = Path::new("file.json");
    let comparison = input::parse_json::<CompareSettings>(&text, path, "");
    if let Ok(comparison) = &comparison {
        let _ = comparison.settings.product();
    }
    let run = input::parse_json::<Settings>(&text, path, "");
    let run = run.and_then(RunConfig::resolve).and_then(|config| config.to_json());
    run.is_ok() || comparison.is_ok()
}

/// A model, and its tensors for some inputs.
pub fn model(bytes: &[u8]) -> bool {
    let model = json(bytes).and_then(|text| ModelSpec::parse(&text, Path::new("file.json")));
    let Ok(model) = model else { return false };
    let context = model.context().unwrap_or(1);
    let inputs = [
        InputShape::Features(3),
        InputShape::Image { channels: 3, height: 32, width: 32 },
        InputShape::Tokens { vocabulary: 60, context },
    ];
    inputs.into_iter().any(|inputs| model.parameters(inputs, 10).is_ok())
}

/// An objective, and where a run of it starts.
pub fn objective(bytes: &[u8]) -> bool {
    let objective =
        json(bytes).and_then(|text| ObjectiveSpec::parse(&text, Path::new("file.json")));
    objective.is_ok_and(|objective| {
        let start = objective.start_point(&mut rng::stream(0, Stream::Initialisation));
        start.len() == objective.facts().dimension() && serde_json::to_string(&objective).is_ok()
    })
}

/// What is said of a dataset.
fn seen(dataset: Result<Dataset>) -> bool {
    dataset.is_ok_and(|dataset| {
        let _ = (dataset.description(), dataset.described());
        (0..dataset.len()).all(|i| dataset.features(i).len() <= dataset.input_shape().len())
    })
}

/// A table, of classes and of numbers.
pub fn csv(bytes: &[u8]) -> bool {
    let read = |regression| {
        let options = DataOptions { regression: Some(regression), ..DataOptions::default() };
        in_memory::load("file.csv", bytes.to_vec(), &options, None)
    };
    let (classes, numbers) = (seen(read(false)), seen(read(true)));
    classes || numbers
}

/// Text for a model of 4 tokens.
pub fn text(bytes: &[u8]) -> bool {
    seen(in_memory::load("file.txt", bytes.to_vec(), &DataOptions::default(), Some(4)))
}

/// Images and labels in IDX format, one behind the other: the first four bytes say how long the first is.
pub fn idx(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else { return false };
    let length = (u32::from_be_bytes(*length) as usize).min(rest.len());
    let (images, labels) = rest.split_at(length);
    seen(in_memory::idx(images, labels))
}

/// CIFAR-10 and CIFAR-100.
pub fn cifar(bytes: &[u8]) -> bool {
    let [ten, hundred] = [false, true].map(|hundred| in_memory::cifar(bytes, hundred).is_ok());
    ten || hundred
}

/// numpy's arrays, in an archive or by themselves.
pub fn numpy(bytes: &[u8]) -> bool {
    let options = DataOptions::default();
    let archive = seen(in_memory::npz(bytes, &options));
    let file = seen(in_memory::load("fuzzed-file.npy", bytes.to_vec(), &options, None));
    archive || file
}

/// Weights of a small perceptron.
pub fn safetensors(bytes: &[u8]) -> bool {
    let layout = ParameterLayout::new([
        ("layers.0.weight", vec![3, 2]),
        ("layers.0.bias", vec![3]),
        ("layers.1.weight", vec![2, 3]),
        ("layers.1.bias", vec![2]),
    ]);
    let given = weights_of_bytes(bytes, Path::new("file.safetensors"), &layout);
    given.is_ok_and(|given| given.theta.len() == layout.len())
}

/// A manifest, and the settings of its run.
pub fn manifest(bytes: &[u8]) -> bool {
    let head = json(bytes).and_then(|text| ManifestHead::parse(&text, Path::new("manifest.json")));
    head.is_ok_and(|head| {
        Settings::of_manifest(&head.config).is_ok_and(|settings| {
            let _ = RunConfig::resolve(settings);
            true
        })
    })
}

/// A table of steps.
pub fn steps(bytes: &[u8]) -> bool {
    let table = StepTable::parse(bytes, Path::new("steps.csv"));
    table.and_then(|table| table.rows()).is_ok()
}

/// Events.
pub fn events(bytes: &[u8]) -> bool {
    let text = input::text(bytes.to_vec(), Path::new("events.jsonl"));
    text.and_then(|text| events_of_text(&text, Path::new("events.jsonl"))).is_ok()
}
