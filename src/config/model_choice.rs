//! Which model is trained.

use serde::{Deserialize, Deserializer, de};

use crate::model::ModelSpec;

/// A model by name or file, or written out in the config.
#[derive(Debug, Clone, PartialEq)]
pub enum ModelChoice {
    /// A preset's name or a file's path.
    Named(String),
    /// The architecture itself.
    Spec(ModelSpec),
}

impl std::str::FromStr for ModelChoice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        Ok(ModelChoice::Named(text.to_string()))
    }
}

impl<'de> Deserialize<'de> for ModelChoice {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Choice;

        impl<'de> de::Visitor<'de> for Choice {
            type Value = ModelChoice;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a preset's name, a file, or an object with \"kind\"")
            }

            fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<ModelChoice, E> {
                Ok(ModelChoice::Named(name.to_string()))
            }

            fn visit_map<A: de::MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<ModelChoice, A::Error> {
                let object = de::value::MapAccessDeserializer::new(map);
                ModelSpec::deserialize(object).map(ModelChoice::Spec)
            }
        }

        deserializer.deserialize_any(Choice)
    }
}
