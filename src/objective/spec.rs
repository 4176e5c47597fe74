//! Objectives by name or from files, and where they start.

use std::path::Path;

use rand::{Rng, RngExt};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser};
use serde_json::{Map, Value};

use super::{Facts, Function, NAMES, check};
use crate::error::{Error, Result, nearest};
use crate::input;

pub(super) const REMEDY: &str =
    r#"write an object such as {"kind": "quadratic", "spectrum": [10, 1]}"#;

/// An objective with its numbers, and its start where that is given.
#[derive(Debug, Clone, PartialEq)]
pub struct ObjectiveSpec {
    /// The function.
    pub function: Function,
    /// The point that a run starts from (length P); `None` for one drawn from the run's seed.
    pub start: Option<Vec<f64>>,
    /// What is added to the function: where the lowest value is above 0, shares of the loss, by which events are
    /// told, have a meaning there.
    pub offset: f64,
}

/// The keys that every kind takes.
#[derive(Deserialize)]
struct Common {
    start: Option<Vec<f64>>,
    offset: Option<f64>,
}

impl ObjectiveSpec {
    /// The objective of that name with its usual numbers, or that of a JSON file.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a name that is neither, [`Error::File`] for a file that does not hold an
    /// objective, naming the line, [`Error::Setting`] for numbers that cannot be used.
    pub fn load(name_or_file: &str) -> Result<Self> {
        let path = Path::new(name_or_file);
        if name_or_file == "expression" {
            let problem = "it is a formula of your own";
            let remedy = r#"give a file such as {"kind": "expression", "variables": ["x"], "formula": "x^4"}"#;
            return Err(Error::setting("--objective", name_or_file, problem, remedy));
        }
        if NAMES.contains(&name_or_file) {
            let object = serde_json::json!({ "kind": name_or_file });
            return Self::parse(&object.to_string(), path);
        }
        if !input::looks_like_file(name_or_file) {
            return Err(Error::unknown_name("objective", name_or_file, NAMES));
        }
        let remedy = format!("give a JSON file or one of {}", NAMES.join(", "));
        Self::parse(&input::read_text(path, &remedy)?, path)
    }

    /// The objective in the text of a file, whose path is for messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        let spec = Self::read(text, path)?;
        spec.check()?;
        Ok(spec)
    }

    /// The same, its numbers unchecked. Each pass reads the text itself, so that an error has its line.
    fn read(text: &str, path: &Path) -> Result<Self> {
        let given: Map<String, Value> = input::parse_json(text, path, REMEDY)?;
        let wrong = |key: &str, problem: String| {
            let stands = |line: &str| line.contains(&format!("\"{key}\""));
            let line = text.lines().position(stands).map(|line| line as u64 + 1);
            Error::file(path, line, problem, REMEDY)
        };
        let Some(kind) = given.get("kind") else {
            return Err(wrong("kind", "missing key `kind`".to_string()));
        };
        let Some(kind) = kind.as_str() else {
            return Err(wrong("kind", format!("kind {kind} is no name")));
        };
        let Some(function) = Function::of_kind(kind, text, path)? else {
            let known =
                meant(kind, NAMES).unwrap_or_else(|| format!(", known: {}", NAMES.join(", ")));
            return Err(wrong("kind", format!("unknown kind `{kind}`{known}")));
        };
        let Common { start, offset } = input::parse_json(text, path, REMEDY)?;
        let offset = offset.unwrap_or_else(|| function.facts().usual_offset());
        let spec = Self { function, start, offset };
        let taken = spec.to_map().map_err(|e| wrong("kind", e.to_string()))?;
        let keys: Vec<&str> = taken.keys().map(String::as_str).chain(["start"]).collect();
        match given.keys().find(|key| !keys.contains(&key.as_str())) {
            None => Ok(spec),
            Some(key) => {
                let own = meant(key, &keys)
                    .unwrap_or_else(|| format!(", {kind} takes {}", keys.join(", ")));
                Err(wrong(key, format!("unknown key `{key}`{own}")))
            }
        }
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the key.
    pub fn check(&self) -> Result<()> {
        self.facts().check()?;
        check::finite("offset", self.offset)?;
        let Some(start) = &self.start else { return Ok(()) };
        let shown = || start.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
        let dimension = self.facts().dimension();
        if start.len() != dimension {
            let problem = format!("the objective has {dimension} variables");
            let remedy = format!("give {dimension} numbers");
            return Err(Error::setting("--start", shown(), problem, remedy));
        }
        if start.iter().any(|x| !x.is_finite()) {
            let remedy = "give finite numbers";
            return Err(Error::setting("--start", shown(), "not all are finite", remedy));
        }
        Ok(())
    }

    /// Its kind, as in JSON.
    pub fn kind(&self) -> &'static str {
        self.function.kind()
    }

    /// What the function says of itself.
    pub fn facts(&self) -> &dyn Facts {
        self.function.facts()
    }

    /// Where a run starts (length P): the start given, or a point of the region drawn evenly.
    pub fn start_point<R: Rng>(&self, rng: &mut R) -> Vec<f64> {
        if let Some(start) = &self.start {
            return start.clone();
        }
        let region = self.facts().region();
        let draw = |center: &f64| center + region.half_width * (2.0 * rng.random::<f64>() - 1.0);
        region.center.iter().map(draw).collect()
    }

    /// Its JSON object.
    fn to_map(&self) -> serde_json::Result<Map<String, Value>> {
        let mut map = match serde_json::to_value(&self.function)? {
            Value::Object(map) => map,
            other => Map::from_iter([("kind".to_string(), other)]),
        };
        map.insert("offset".to_string(), serde_json::to_value(self.offset)?);
        if let Some(start) = &self.start {
            map.insert("start".to_string(), serde_json::to_value(start)?);
        }
        Ok(map)
    }
}

/// The nearest of the known words, as it is suggested.
fn meant(word: &str, known: &[&str]) -> Option<String> {
    nearest(word, known).map(|near| format!(" (did you mean `{near}`?)"))
}

impl Serialize for ObjectiveSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        self.to_map().map_err(ser::Error::custom)?.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for ObjectiveSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        let object = Map::<String, Value>::deserialize(deserializer)?;
        let text = Value::Object(object).to_string();
        Self::read(&text, Path::new("objective")).map_err(|error| match error {
            Error::File { problem, .. } => de::Error::custom(problem),
            other => de::Error::custom(other),
        })
    }
}
