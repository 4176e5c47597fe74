//! Which files a run writes. Only these are ever removed or replaced; whatever else is in the folder is somebody
//! else's.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

/// What a run writes into its folder.
pub(super) const FILES: [&str; 10] = [
    "steps.csv",
    "events.jsonl",
    "summary.json",
    "init.safetensors",
    "swa.safetensors",
    "sharpness.svg",
    "sharpness.png",
    "branch.svg",
    "branch.png",
    // Last: without it, a folder that was emptied half-way would not be known for a run's.
    "manifest.json",
];

/// Folders in it, with what tells the step of a file that a run wrote there.
pub(super) const FOLDERS: [(&str, StepOf); 3] =
    [("checkpoints", checkpoint_step), ("spectra", spectrum_step), (FLOWS, flow_step)];

/// The folder of flows in a run directory.
pub(crate) const FLOWS: &str = "flows";

/// The step of a file: `Some(None)` for one that belongs to all steps, `None` for a file of somebody else's.
pub(super) type StepOf = fn(&Path) -> Option<Option<usize>>;

/// What the names of event files for TensorBoard begin and end with, around their first step.
const EVENTS: &str = "events.out.tfevents.";
const EVENTS_OF: &str = ".sharpscope";

/// The event file for TensorBoard that begins at a step. Readers take such files by their names, in order.
pub(crate) fn event_file(step: usize) -> String {
    format!("{EVENTS}{step:010}{EVENTS_OF}")
}

/// The step that it begins at.
fn event_file_step(path: &Path) -> Option<usize> {
    let name = path.file_name()?.to_str()?;
    let step = name.strip_prefix(EVENTS)?.strip_suffix(EVENTS_OF)?.parse().ok()?;
    (event_file(step) == name).then_some(step)
}

/// The event files in a folder, with the steps that they begin at.
pub(super) fn event_files(folder: &Path) -> Vec<(usize, PathBuf)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let files = entries.map(|entry| entry.path()).filter(|path| !path.is_dir());
    let mut found: Vec<_> =
        files.filter_map(|path| Some((event_file_step(&path)?, path))).collect();
    found.sort();
    found
}

/// What every manifest of a run has had since the first version.
const KEYS: [&str; 8] = [
    "schema_version",
    "version",
    "started",
    "config",
    "backend",
    "parameters",
    "dataset_sha256",
    "train_indices",
];

/// What the id of a run begins with.
const ID: &str = "sharpscope-";

/// An id for a run that begins now.
pub(super) fn new_id() -> String {
    let now = jiff::Timestamp::now().as_nanosecond();
    format!("{ID}{now:x}-{:x}", std::process::id())
}

/// Whether a run wrote this folder: by its manifest or, where that is lost or cannot be understood, by the
/// header of its table.
pub(super) fn is_run(folder: &Path) -> bool {
    let manifest = fs::read(folder.join("manifest.json")).ok();
    match manifest.map(|bytes| serde_json::from_slice::<Value>(&bytes)) {
        Some(Ok(manifest)) => is_manifest(&manifest),
        Some(Err(_)) | None => has_table(folder),
    }
}

fn is_manifest(manifest: &Value) -> bool {
    let id = manifest.get("id").is_none_or(|id| id.as_str().is_some_and(|id| id.starts_with(ID)));
    let keys = KEYS.iter().all(|key| manifest.get(key).is_some());
    id && keys && manifest["schema_version"].is_u64() && manifest["config"].is_object()
}

fn has_table(folder: &Path) -> bool {
    let table = fs::read(folder.join("steps.csv")).unwrap_or_default();
    table.starts_with(b"step,lr,train_loss,train_accuracy,")
}

/// The files in the folder's own folders that a run wrote, with their steps where they have one, and its event
/// files. What tells of others comes behind them.
pub(super) fn in_folders(folder: &Path) -> Vec<(PathBuf, Option<usize>)> {
    let events = event_files(folder).into_iter();
    let mut found: Vec<_> = events.map(|(step, path)| (Some(step), path)).collect();
    for (name, step_of) in FOLDERS {
        let entries = fs::read_dir(folder.join(name)).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path()).filter(|path| !path.is_dir());
        found.extend(paths.filter_map(|path| Some((step_of(&path)?, path))));
    }
    found.sort_by_key(|(_, path)| path.extension().is_some_and(|ending| ending == "json"));
    found.into_iter().map(|(step, path)| (path, step)).collect()
}

/// Removes the folder's own folders where nothing is left in them.
pub(super) fn remove_empty_folders(folder: &Path) {
    for (name, _) in FOLDERS {
        // One that somebody else has a file in stays.
        let _ = fs::remove_dir(folder.join(name));
    }
}

/// `step-N`, and what follows it in a file's name.
fn after_step(path: &Path) -> Option<(usize, &str)> {
    let rest = path.file_name()?.to_str()?.strip_prefix("step-")?;
    let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    let (number, rest) = rest.split_at(digits);
    let step: usize = number.parse().ok()?;
    // No number is written with zeros before it.
    (step.to_string() == number).then_some((step, rest))
}

/// `step-N.json` and `step-N.safetensors`, with a word between for what is not the parameters.
fn checkpoint_step(path: &Path) -> Option<Option<usize>> {
    let (step, rest) = after_step(path)?;
    let stem = rest.strip_suffix(".json").or_else(|| rest.strip_suffix(".safetensors"))?;
    let word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    (stem.is_empty() || stem.strip_prefix('.').is_some_and(word)).then_some(Some(step))
}

/// `step-N` with the matrix, what is around it and the group; and the waterfall.
fn spectrum_step(path: &Path) -> Option<Option<usize>> {
    if matches!(path.file_name()?.to_str()?, "waterfall.svg" | "waterfall.png") {
        return Some(None);
    }
    let (step, rest) = after_step(path)?;
    let endings = [".csv", ".json", ".svg", ".png"];
    let stem = endings.iter().find_map(|ending| rest.strip_suffix(ending))?;
    // A group may have any name: what is written of it says which.
    let told = || {
        let numbers: Value = serde_json::from_slice(
            &fs::read(path.with_file_name(format!("step-{step}{stem}.json"))).ok()?,
        )
        .ok()?;
        let ours = numbers["step"] == step && numbers.get("dimension").is_some();
        ours.then_some(())
    };
    (stem.is_empty() || told().is_some()).then_some(Some(step))
}

/// A kind of flow, whose numbers say that it is one.
fn flow_step(path: &Path) -> Option<Option<usize>> {
    let name = path.file_name()?.to_str()?;
    let endings = [".csv", ".json", ".svg", ".png"];
    let kind = endings.iter().find_map(|ending| name.strip_suffix(ending))?;
    let numbers = fs::read(path.with_file_name(format!("{kind}.json"))).ok()?;
    let numbers: Value = serde_json::from_slice(&numbers).ok()?;
    (numbers["kind"] == kind && numbers.get("findings").is_some()).then_some(None)
}

/// The names of the flows in a folder of flows, sorted. Of one that is listed the table is there: it is written before
/// the numbers.
#[cfg(feature = "data")]
pub(super) fn flow_kinds(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let kind = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        flow_step(&entry.path()).and_then(|_| name.strip_suffix(".json").map(str::to_string))
    };
    let mut found: Vec<String> = entries.filter_map(kind).collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checkpoints_are_known_by_their_names() {
        let step = |name: &str| checkpoint_step(Path::new(name));
        assert_eq!(step("step-12.safetensors"), Some(Some(12)));
        assert_eq!(step("step-0.optimizer.safetensors"), Some(Some(0)));
        assert_eq!(step("step-7.json"), Some(Some(7)));
        for other in [
            "model.pt",
            "step-7.pt",
            "step-07.json",
            "step-7-best.json",
            "step-7.best model.json",
            "step-.json",
            "step-7",
            "epoch-7.json",
            "step-7..json",
            "step-7.json.bak",
            "step-99999999999999999999.json",
        ] {
            assert_eq!(step(other), None, "{other}");
        }
    }

    #[test]
    fn flows_are_known_by_their_numbers() {
        let folder = tempfile::TempDir::new().unwrap();
        let step = |name: &str| flow_step(&folder.path().join(name));
        fs::write(folder.path().join("rod.json"), r#"{"kind": "rod", "findings": {}}"#).unwrap();
        fs::write(folder.path().join("own.json"), r#"{"kind": "rod", "findings": {}}"#).unwrap();
        assert_eq!((step("rod.csv"), step("rod.json")), (Some(None), Some(None)));
        assert_eq!((step("own.csv"), step("central.csv"), step("rod.txt")), (None, None, None));
    }

    #[test]
    fn spectra_are_known_by_their_names_and_numbers() {
        let folder = tempfile::TempDir::new().unwrap();
        let step = |name: &str| spectrum_step(&folder.path().join(name));
        assert_eq!((step("step-3.csv"), step("waterfall.png")), (Some(Some(3)), Some(None)));
        fs::write(folder.path().join("step-3-layers.0.json"), r#"{"step": 3, "dimension": 8}"#)
            .unwrap();
        assert_eq!(step("step-3-layers.0.svg"), Some(Some(3)));
        assert_eq!(
            (step("step-3-mine.csv"), step("step-4-layers.0.svg"), step("notes.csv")),
            (None, None, None)
        );
    }
}
