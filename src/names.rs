//! Choices with names: an enum lists its variants beside what they are called, once. What is read,
//! written, listed and suggested comes from that list.

use serde::de::{self, Deserializer};

use crate::error::{Error, Result};

/// One of a few things, each with a name.
pub(crate) trait Choice: Copy + PartialEq + Send + Sync + 'static {
    /// What is chosen, in a message.
    const WHAT: &'static str;
    /// All of them.
    const ALL: &'static [Self];
    /// Their names.
    const NAMES: &'static [&'static str];
    /// The names with bars between them.
    const BARRED: &'static str;

    /// The one of that name.
    ///
    /// # Errors
    /// [`Error::UnknownName`], with the nearest name.
    fn named(name: &str) -> Result<Self> {
        let place = Self::NAMES.iter().position(|known| *known == name);
        let found = place.and_then(|place| Self::ALL.get(place).copied());
        found.ok_or_else(|| Error::unknown_name(Self::WHAT, name, Self::NAMES))
    }
}

/// Defines an enum of choices without data.
///
/// ```text
/// choices! {
///     /// A colour.
///     #[derive(Default)]
///     pub enum Colour ("colour") {
///         /// Of blood.
///         #[default]
///         Red = "red",
///         /// Of grass.
///         Green = "green",
///     }
/// }
/// ```
macro_rules! choices {
    (
        $(#[$meta:meta])*
        $vis:vis enum $Choice:ident ($what:literal) {
            $($(#[$about:meta])* $Variant:ident = $name:literal),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $Choice {
            $($(#[$about])* $Variant),+
        }

        impl $Choice {
            /// All of them.
            pub const ALL: [Self; [$($name),+].len()] = [$(Self::$Variant),+];
            /// All of them, by name.
            pub const NAMES: [&'static str; [$($name),+].len()] = [$($name),+];

            /// Its name.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$Variant => $name),+
                }
            }
        }

        impl $crate::names::Choice for $Choice {
            const WHAT: &'static str = $what;
            const ALL: &'static [Self] = &$Choice::ALL;
            const NAMES: &'static [&'static str] = &$Choice::NAMES;
            const BARRED: &'static str = {
                let names = concat!($($name, "|"),+);
                names.split_at(names.len() - 1).0
            };
        }

        impl std::fmt::Display for $Choice {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $Choice {
            type Err = $crate::error::Error;

            fn from_str(name: &str) -> $crate::error::Result<Self> {
                $crate::names::Choice::named(name)
            }
        }

        impl serde::Serialize for $Choice {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Choice {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
                $crate::names::read(deserializer)
            }
        }
    };
}

pub(crate) use choices;

/// A choice by its name, an unknown one being serde's error for an unknown variant.
pub(crate) fn read<'de, T: Choice, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<T, D::Error> {
    struct Name<T>(std::marker::PhantomData<T>);

    impl<T: Choice> de::Visitor<'_> for Name<T> {
        type Value = T;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            write!(f, "one of {}", T::NAMES.join(", "))
        }

        fn visit_str<E: de::Error>(self, name: &str) -> std::result::Result<T, E> {
            T::named(name).map_err(|_| E::unknown_variant(name, T::NAMES))
        }
    }

    deserializer.deserialize_str(Name(std::marker::PhantomData))
}
