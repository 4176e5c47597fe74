//! Types of settings: how each is read from a flag's text and from JSON.

use std::marker::PhantomData;
use std::path::PathBuf;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer};

use super::{BatchSize, ModelChoice, ObjectiveChoice, Seeds};
use crate::names::Choice;

/// What a flag of a type looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// A flag whose value may be left out: then it is true.
    Switch,
    /// A file or folder.
    Path,
    /// A word, which [`Value::parse`] reads.
    Word,
    /// A number, or a word that a user may take for one: what begins with a minus sign is a value and
    /// no flag, so that [`Value::parse`] refuses it and not the reader of flags.
    Number,
}

/// A type of setting.
pub(crate) trait Value: Clone + PartialEq + Send + Sync + 'static {
    /// What its flag looks like.
    const FORM: Form;
    /// What stands for the value in help, where a setting has no better name.
    const VALUE_NAME: &'static str = "VALUE";
    /// The names that its values have, where there are a few only.
    const NAMES: &'static [&'static str] = &[];
    /// Whether it holds several values.
    const SEVERAL: bool = false;

    /// Reads a flag's text; the error says what to give instead.
    fn parse(text: &str) -> Result<Self, String>;

    /// Reads a JSON value.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error>;

    /// Whether it is a list of no values.
    fn is_empty(&self) -> bool {
        false
    }
}

/// Reads a JSON value where one is expected.
pub(super) struct Read<T>(pub PhantomData<T>);

impl<'de, T: Value> DeserializeSeed<'de> for Read<T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<T, D::Error> {
        T::read(deserializer)
    }
}

/// Reads a JSON value that may be null.
pub(super) struct ReadOptional<T>(pub PhantomData<T>);

impl<'de, T: Value> DeserializeSeed<'de> for ReadOptional<T> {
    type Value = Option<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        deserializer.deserialize_option(self)
    }
}

impl<'de, T: Value> de::Visitor<'de> for ReadOptional<T> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a value or null")
    }

    fn visit_none<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_unit<E>(self) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Option<T>, D::Error> {
        T::read(deserializer).map(Some)
    }
}

/// Types that JSON reads by themselves: their form, what stands for a value, and how text is read.
macro_rules! plain {
    ($($type:ty: $form:ident, $value_name:literal, $parse:expr;)+) => {
        $(impl Value for $type {
            const FORM: Form = Form::$form;
            const VALUE_NAME: &'static str = $value_name;

            fn parse(text: &str) -> Result<Self, String> {
                $parse(text)
            }

            fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::deserialize(deserializer)
            }
        })+
    };
}

plain! {
    bool: Switch, "BOOL", switch;
    PathBuf: Path, "FILE", as_it_is;
    String: Word, "NAME", as_it_is;
    usize: Number, "N", count;
    u64: Number, "N", seed;
    f64: Number, "X", real;
    BatchSize: Number, "N|full", str::parse;
    Seeds: Number, "N|LIST", str::parse;
    ModelChoice: Word, "NAME|FILE.json", named_model;
    ObjectiveChoice: Word, "NAME|FILE.json", named_objective;
}

fn as_it_is<T: for<'a> From<&'a str>>(text: &str) -> Result<T, String> {
    Ok(T::from(text))
}

fn switch(text: &str) -> Result<bool, String> {
    text.parse().map_err(|_| "give true or false".to_string())
}

/// A number of things.
fn count(text: &str) -> Result<usize, String> {
    text.parse().map_err(|_| "not a whole number; give 1 or more".to_string())
}

fn seed(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "not a whole number; give 0 or more".to_string())
}

fn real(text: &str) -> Result<f64, String> {
    text.trim().parse().map_err(|_| "not a number; give one such as 0.1 or 1e-3".to_string())
}

fn named_model(name: &str) -> Result<ModelChoice, String> {
    Ok(ModelChoice::Named(name.to_string()))
}

fn named_objective(name: &str) -> Result<ObjectiveChoice, String> {
    Ok(ObjectiveChoice::Named(name.to_string()))
}

impl<T: Choice> Value for T {
    const FORM: Form = Form::Word;
    const VALUE_NAME: &'static str = T::BARRED;
    const NAMES: &'static [&'static str] = <T as Choice>::NAMES;

    fn parse(name: &str) -> Result<Self, String> {
        T::named(name).map_err(|error| error.to_string())
    }

    /// A config is refused with the key's word for what is chosen, as a flag is.
    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Name<T>(PhantomData<T>);

        impl<T: Choice> de::Visitor<'_> for Name<T> {
            type Value = T;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "one of {}", <T as Choice>::NAMES.join(", "))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<T, E> {
                T::named(name).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Name(PhantomData))
    }
}

/// A column of a table: a name in its header, or a number from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TargetColumn(pub String);

impl std::ops::Deref for TargetColumn {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Value for TargetColumn {
    const FORM: Form = Form::Number;

    fn parse(text: &str) -> Result<Self, String> {
        Ok(TargetColumn(text.to_string()))
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrNumber;

        impl de::Visitor<'_> for NameOrNumber {
            type Value = TargetColumn;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a column's name or number")
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<TargetColumn, E> {
                Ok(TargetColumn(number.to_string()))
            }

            fn visit_str<E: de::Error>(self, name: &str) -> Result<TargetColumn, E> {
                Ok(TargetColumn(name.to_string()))
            }
        }

        deserializer.deserialize_any(NameOrNumber)
    }
}
