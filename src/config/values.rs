//! Settings that a comparison varies: one value, or several.

use std::str::FromStr;

use serde::{Deserialize, Deserializer, de};

use super::choice;
use crate::names::Choice;

/// One or more values of a setting, in the order given.
#[derive(Debug, Clone, PartialEq)]
pub struct Values<T>(pub Vec<T>);

impl<T> From<T> for Values<T> {
    fn from(value: T) -> Self {
        Values(vec![value])
    }
}

impl<T: std::fmt::Display> std::fmt::Display for Values<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown: Vec<String> = self.0.iter().map(T::to_string).collect();
        f.write_str(&shown.join(","))
    }
}

impl<T: FromStr> Values<T> {
    /// The values of a flag, separated by commas.
    pub(super) fn split(text: &str) -> Result<Self, T::Err> {
        text.split(',').map(|part| part.trim().parse()).collect::<Result<_, _>>().map(Values)
    }
}

impl<T: Choice> Values<T> {
    /// The choices of a flag, separated by commas.
    pub(super) fn choices(text: &str) -> Result<Self, String> {
        text.split(',').map(|part| choice(part.trim())).collect::<Result<_, _>>().map(Values)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Values<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(std::marker::PhantomData<T>);

        /// Hands a single value on to the value's own type, whose messages are about it.
        macro_rules! single {
            ($($name:ident: $type:ty),*) => {
                $(fn $name<E: de::Error>(self, value: $type) -> Result<Values<T>, E> {
                    T::deserialize(de::IntoDeserializer::into_deserializer(value)).map(Values::from)
                })*
            };
        }

        impl<'de, T: Deserialize<'de>> de::Visitor<'de> for OneOrMany<T> {
            type Value = Values<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value or a list of values")
            }

            single!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Values<T>, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element()? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }

        deserializer.deserialize_any(OneOrMany(std::marker::PhantomData))
    }
}
