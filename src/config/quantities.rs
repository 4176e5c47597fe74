//! A list of quantities, as a setting.

use serde::{Deserializer, Serialize};

use super::Values;
use super::value::{Form, Value};
use crate::profile::Quantity;

/// Quantities that are measured besides, in the order of their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantities(pub Vec<Quantity>);

impl Quantities {
    /// The names of their columns.
    pub fn columns(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }
}

impl Value for Quantities {
    const FORM: Form = Form::Word;
    const VALUE_NAME: &'static str = "NAMES";

    fn parse(text: &str) -> Result<Self, String> {
        Values::parse(text).map(|Values(quantities)| Self(quantities))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Values<Quantity> as Value>::read(deserializer).map(|Values(quantities)| Self(quantities))
    }
}
