//! Which objective is descended.

use serde::{Deserialize, Deserializer, de};

use crate::objective::ObjectiveSpec;

/// An objective by name or file, or written out in the config.
#[derive(Debug, Clone, PartialEq)]
pub enum ObjectiveChoice {
    /// A name or a file's path.
    Named(String),
    /// The objective itself.
    Spec(ObjectiveSpec),
}

impl<'de> Deserialize<'de> for ObjectiveChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Choice;

        impl<'de> de::Visitor<'de> for Choice {
            type Value = ObjectiveChoice;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an objective's name, a file, or an object with \"kind\"")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<Self::Value, E> {
                Ok(ObjectiveChoice::Named(name.to_string()))
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<Self::Value, A::Error> {
                let object = de::value::MapAccessDeserializer::new(map);
                ObjectiveSpec::deserialize(object).map(ObjectiveChoice::Spec)
            }
        }

        deserializer.deserialize_any(Choice)
    }
}
