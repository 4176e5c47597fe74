//! A list of quantities, as a setting.

use serde::{Deserializer, Serialize};

use super::Values;
use super::value::{Form, Value};
use crate::autodiff::ParameterLayout;
use crate::profile::Quantity;

/// Quantities that are measured besides, in the order of their columns.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Quantities(pub Vec<Quantity>);

impl Quantities {
    /// The names of their columns, for parameters of this layout and so many classes.
    pub fn columns(&self, layout: &ParameterLayout, classes: usize) -> Vec<String> {
        self.0.iter().flat_map(|quantity| quantity.columns(layout, classes)).collect()
    }

    /// The first that is about classes of samples.
    pub fn of_classes(&self) -> Option<Quantity> {
        self.0.iter().copied().find(|quantity| quantity.needs_classes())
    }
}

impl Value for Quantities {
    const FORM: Form = Form::Word;
    const VALUE_NAME: &'static str = "NAMES";
    const NAMES: &'static [&'static str] = <Values<Quantity> as Value>::NAMES;

    fn parse(text: &str) -> Result<Self, String> {
        Values::parse(text).map(|Values(quantities)| Self(quantities))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <Values<Quantity> as Value>::read(deserializer).map(|Values(quantities)| Self(quantities))
    }
}
