//! Settings that a comparison varies: one value, or several.

use std::marker::PhantomData;

use serde::de::{self, Deserializer, IntoDeserializer};

use super::value::{Form, Read, Value};

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

/// In a flag separated by commas, in JSON a list or one value by itself.
impl<T: Value> Value for Values<T> {
    const FORM: Form = T::FORM;
    const VALUE_NAME: &'static str = T::VALUE_NAME;
    const SEVERAL: bool = true;

    fn parse(text: &str) -> Result<Self, String> {
        text.split(',').map(|part| T::parse(part.trim())).collect::<Result<_, _>>().map(Values)
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OneOrMany<T>(PhantomData<T>);

        /// Hands a single value on to the value's own type, whose messages are about it.
        macro_rules! single {
            ($($name:ident: $type:ty),*) => {
                $(fn $name<E: de::Error>(self, value: $type) -> Result<Values<T>, E> {
                    T::read(value.into_deserializer()).map(Values::from)
                })*
            };
        }

        impl<'de, T: Value> de::Visitor<'de> for OneOrMany<T> {
            type Value = Values<T>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a value or a list of values")
            }

            single!(visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_f64: f64, visit_str: &str);

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut seq: A) -> Result<Values<T>, A::Error> {
                let mut values = Vec::new();
                while let Some(value) = seq.next_element_seed(Read(PhantomData))? {
                    values.push(value);
                }
                Ok(Values(values))
            }
        }

        deserializer.deserialize_any(OneOrMany(PhantomData))
    }

    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
