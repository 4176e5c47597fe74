//! The settings of several runs beside each other.

use serde::Serialize;
use serde_json::Value;

use super::Subject;

/// A setting and its value in each run.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct SettingRow {
    key: String,
    values: Vec<String>,
    /// Whether the runs do not agree.
    pub differs: bool,
}

/// All settings that any of the runs says, in the order of the first run's manifest.
pub(super) fn settings(subjects: &[Subject]) -> Vec<SettingRow> {
    let configs: Vec<Option<&Value>> =
        subjects.iter().map(|subject| subject.run.head().map(|head| &head.config)).collect();
    let mut keys: Vec<&String> = Vec::new();
    for key in
        configs.iter().flatten().filter_map(|config| config.as_object()).flat_map(|c| c.keys())
    {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let row = |key: &String| {
        let value = |config: &Option<&Value>| shown(config.and_then(|config| config.get(key)));
        let values: Vec<String> = configs.iter().map(value).collect();
        let differs = values.iter().any(|value| *value != values[0]);
        SettingRow { key: key.clone(), values, differs }
    };
    keys.into_iter().map(row).filter(|row| row.values.iter().any(|v| !v.is_empty())).collect()
}

/// A value as text; of a model, what sets it apart.
pub(super) fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Object(fields)) => {
            let part = |(key, value): (&String, &Value)| format!("{key} {}", shown(Some(value)));
            fields.iter().map(part).collect::<Vec<_>>().join(", ")
        }
        Some(Value::Array(items)) => {
            items.iter().map(|item| shown(Some(item))).collect::<Vec<_>>().join(" ")
        }
        Some(other) => other.to_string(),
    }
}
