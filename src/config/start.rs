//! The point that an objective starts from.

use serde::{Deserialize, Deserializer};

use super::value::{Form, Value};

/// A number for each variable.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct StartPoint(pub Vec<f64>);

impl std::fmt::Display for StartPoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<String> = self.0.iter().map(f64::to_string).collect();
        f.write_str(&shown.join(","))
    }
}

/// In a flag separated by commas.
impl Value for StartPoint {
    const FORM: Form = Form::Point;
    const VALUE_NAME: &'static str = "X,Y,…";

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(<f64 as Value>::parse).collect::<Result<_, _>>().map(StartPoint)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}
