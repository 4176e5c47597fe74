//! A field of an event, as JSON holds it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{PrecisionReason, WarningAction};

/// The type of a field.
pub(super) trait Field: Sized {
    /// As it is written.
    fn written(self) -> Value;

    /// From what was written; from `None` where there is no such key.
    ///
    /// # Errors
    /// What it is not.
    fn read(value: Option<&Value>) -> Result<Self, String>;
}

/// The field of that name.
///
/// # Errors
/// The words for a field that is missing or is not what it should be.
pub(super) fn read<T: Field>(fields: &Map<String, Value>, name: &str) -> Result<T, String> {
    T::read(fields.get(name)).map_err(|problem| match problem.is_empty() {
        true => format!("missing field `{name}`"),
        false => format!("{name}: {problem}"),
    })
}

/// JSON has no number for what is not finite: these words stand for it, as in tables. (Earlier versions
/// wrote null.)
impl Field for f64 {
    fn written(self) -> Value {
        serde_json::Number::from_f64(self).map_or_else(|| format!("{self:?}").into(), Value::Number)
    }

    fn read(value: Option<&Value>) -> Result<Self, String> {
        match value.ok_or_else(String::new)? {
            Value::Null => Ok(f64::NAN),
            Value::String(word) if ["NaN", "inf", "-inf"].contains(&word.as_str()) => {
                word.parse().map_err(|_| format!("'{word}' is not a number"))
            }
            other => other.as_f64().ok_or_else(|| format!("{other} is not a number")),
        }
    }
}

impl<T: Field> Field for Option<T> {
    fn written(self) -> Value {
        self.map_or(Value::Null, T::written)
    }

    fn read(value: Option<&Value>) -> Result<Self, String> {
        match value {
            None | Some(Value::Null) => Ok(None),
            some => T::read(some).map(Some),
        }
    }
}

/// Types that are written as serde writes them.
macro_rules! plain {
    ($($type:ty),+) => {
        $(impl Field for $type {
            fn written(self) -> Value {
                plainly(&self)
            }

            fn read(value: Option<&Value>) -> Result<Self, String> {
                from_plain(value.ok_or_else(String::new)?)
            }
        })+
    };
}

plain!(usize, bool, String, WarningAction, PrecisionReason);

fn plainly(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn from_plain<T: DeserializeOwned>(value: &Value) -> Result<T, String> {
    serde_json::from_value(value.clone()).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use crate::record::{Event, EventKind};

    fn residual(residual: f64) -> Event {
        Event { step: 3, kind: EventKind::CurvatureUnconverged { residual, tolerance: 1e-3 } }
    }

    fn text(event: &Event) -> String {
        serde_json::to_string(event).unwrap()
    }

    #[test]
    fn numbers_that_are_not_finite_are_read_back() {
        for value in [f64::INFINITY, f64::NEG_INFINITY, 0.1, 3.0, -0.0] {
            let event = residual(value);
            let back: Event = serde_json::from_str(&text(&event)).unwrap();
            assert_eq!(back, event, "{}", text(&event));
        }
        let written = text(&residual(f64::NAN));
        assert!(written.contains(r#""residual":"NaN","tolerance":0.001,"assumes":"#), "{written}");
        // As an earlier version wrote it.
        for written in [written.replace("\"NaN\"", "null"), written] {
            let back: Event = serde_json::from_str(&written).unwrap();
            let EventKind::CurvatureUnconverged { residual, .. } = back.kind else { panic!() };
            assert!(residual.is_nan());
        }
    }

    #[test]
    fn a_field_that_is_missing_or_no_number_is_named() {
        let wrong = |line: &str| serde_json::from_str::<Event>(line).unwrap_err().to_string();
        let missing = wrong(r#"{"step": 1, "kind": "curvature_unconverged", "residual": 1.0}"#);
        assert!(missing.contains("missing field `tolerance`"), "{missing}");
        for value in ["\"infinity\"", "true", "[1]"] {
            let line = format!(
                r#"{{"step": 1, "kind": "curvature_unconverged", "residual": {value}, "tolerance": 1}}"#
            );
            assert!(wrong(&line).contains("residual: "), "{}", wrong(&line));
        }
        let line = r#"{"step": 1, "kind": "edge_left", "entered": -1}"#;
        assert!(wrong(line).contains("sharpness"), "{}", wrong(line));
    }
}
