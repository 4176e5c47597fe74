//! What a setting is, and what is done with all of them: merging, reading, checking. Each is written
//! once, in a [`settings!`] table; whoever needs them all visits them.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::marker::PhantomData;

use serde::de::{self, Deserializer, MapAccess};

use super::value::{ReadOptional, Value};
use crate::error::{Error, Result, flag};

/// A setting: a flag of the command line and a key of a config, which is the flag with underscores
/// for dashes.
pub(crate) struct Setting<'a, T> {
    /// Its key.
    pub name: &'static str,
    /// Another name for it.
    pub alias: Option<&'static str>,
    /// What it stands under in help; `None` for a key without a flag.
    pub heading: Option<&'static str>,
    /// What stands for its value in help.
    pub value_name: &'static str,
    /// What it is, and its default.
    pub help: &'a dyn Fn() -> String,
    /// Whether a value can be one of its values at all.
    pub check: Option<Check<T>>,
}

/// Says what is wrong with a value, if anything.
pub(crate) type Check<T> = fn(&T) -> std::result::Result<(), Unfit>;

/// A value that cannot be used.
#[derive(Debug)]
pub(crate) struct Unfit {
    /// The value, as the user may have written it.
    pub value: String,
    /// What is wrong with it.
    pub problem: &'static str,
    /// What to give instead.
    pub remedy: String,
}

impl Unfit {
    pub fn new(value: impl ToString, problem: &'static str, remedy: impl Into<String>) -> Self {
        Self { value: value.to_string(), problem, remedy: remedy.into() }
    }
}

/// Whoever does something with each setting.
pub(crate) trait Visitor {
    /// What ends the visit.
    type Error;

    /// Looks at a setting, whose value is there where it was given.
    fn setting<T: Value>(
        &mut self,
        setting: &Setting<'_, T>,
        value: &mut Option<T>,
    ) -> std::result::Result<(), Self::Error>;
}

/// Settings that can be visited, in the order of help.
pub(crate) trait Visit: Clone + Default {
    fn visit<V: Visitor>(&mut self, visitor: &mut V) -> std::result::Result<(), V::Error>;
}

/// Defines a struct of settings, each an `Option`, with everything that is said of them: under a
/// heading of help, for each its help (the doc comment), its type, and, where there is something to
/// say: `shown` as what for its value, another name (`also`), how help is `told` where it takes more
/// than a fixed text, what is `checked`, and that it is `without flag`. Settings that another struct
/// defines stand `+` before the heading that they come before.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $Settings:ident {
            $(
                $($(#[$about:meta])+ + $part:ident: $Part:ty;)?
                $heading:literal {
                    $(
                        $(#[doc = $help:literal])+
                        $field:ident: $type:ty
                        $(, shown $value_name:literal)?
                        $(, also $alias:literal)?
                        $(, told $told:expr)?
                        $(, checked $check:expr)?
                        $(, without $flag:tt)?
                        ;
                    )+
                }
            )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq)]
        pub struct $Settings {
            $(
                $($(#[$about])+ pub $part: $Part,)?
                $($(#[doc = $help])+ pub $field: Option<$type>,)+
            )+
        }

        impl $Settings {
            /// These settings where given, else those of `other`.
            pub fn or(self, other: Self) -> Self {
                Self {
                    $(
                        $($part: self.$part.or(other.$part),)?
                        $($field: self.$field.or(other.$field),)+
                    )+
                }
            }
        }

        impl $crate::config::setting::Visit for $Settings {
            fn visit<V: $crate::config::setting::Visitor>(
                &mut self,
                visitor: &mut V,
            ) -> std::result::Result<(), V::Error> {
                use $crate::config::setting::{Setting, chosen};
                use $crate::config::value::Value;

                $(
                    $($crate::config::setting::Visit::visit(&mut self.$part, visitor)?;)?
                    $(
                        let setting = Setting::<$type> {
                            name: stringify!($field),
                            alias: chosen!([$(Some($alias))?] None),
                            heading: chosen!([$($crate::config::setting::no!($flag))?] Some($heading)),
                            value_name: chosen!([$($value_name)?] <$type as Value>::VALUE_NAME),
                            help: &chosen!([$($told)?] || concat!($($help),+).trim().to_string()),
                            check: chosen!([$(Some($check))?] None),
                        };
                        visitor.setting(&setting, &mut self.$field)?;
                    )+
                )+
                Ok(())
            }
        }

        impl<'de> serde::Deserialize<'de> for $Settings {
            fn deserialize<D: serde::Deserializer<'de>>(
                deserializer: D,
            ) -> std::result::Result<Self, D::Error> {
                $crate::config::setting::read(deserializer)
            }
        }
    };
}

/// What is in the brackets, or else the default behind them.
macro_rules! chosen {
    ([] $default:expr) => {
        $default
    };
    ([$given:expr] $default:expr) => {
        $given
    };
}

/// That there is none of what is named.
macro_rules! no {
    ($what:tt) => {
        None
    };
}

pub(crate) use {chosen, no, settings};

/// Settings from an object whose keys are theirs, each at most once.
pub(super) fn read<'de, S: Visit, D: Deserializer<'de>>(
    deserializer: D,
) -> std::result::Result<S, D::Error> {
    struct Keys<S>(PhantomData<S>);

    impl<'de, S: Visit> de::Visitor<'de> for Keys<S> {
        type Value = S;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("an object of settings")
        }

        fn visit_map<A: MapAccess<'de>>(self, map: A) -> std::result::Result<S, A::Error> {
            let mut settings = S::default();
            let mut reader = Reader {
                map,
                lifetime: PhantomData,
                key: String::new(),
                found: true,
                seen: BTreeSet::new(),
            };
            while let Some(key) = reader.map.next_key()? {
                (reader.key, reader.found) = (key, false);
                settings.visit(&mut reader)?;
                if !reader.found {
                    return Err(unknown::<S, A::Error>(&reader.key));
                }
            }
            Ok(settings)
        }
    }

    deserializer.deserialize_map(Keys(PhantomData))
}

/// Reads the value of one key into the setting of that name.
struct Reader<'de, A> {
    map: A,
    lifetime: PhantomData<&'de ()>,
    key: String,
    found: bool,
    seen: BTreeSet<&'static str>,
}

impl<'de, A: MapAccess<'de>> Visitor for Reader<'de, A> {
    type Error = A::Error;

    fn setting<T: Value>(
        &mut self,
        setting: &Setting<'_, T>,
        value: &mut Option<T>,
    ) -> std::result::Result<(), A::Error> {
        if self.found || (self.key != setting.name && setting.alias != Some(&self.key)) {
            return Ok(());
        }
        self.found = true;
        if !self.seen.insert(setting.name) {
            return Err(de::Error::duplicate_field(setting.name));
        }
        *value = self.map.next_value_seed(ReadOptional(PhantomData))?;
        Ok(())
    }
}

/// As serde says it, with every key there is, so that the nearest can be found.
fn unknown<S: Visit, E: de::Error>(key: &str) -> E {
    let keys = keys::<S>().join("`, `");
    E::custom(format_args!("unknown field `{key}`, expected one of `{keys}`"))
}

/// Every key there is.
pub(super) fn keys<S: Visit>() -> Vec<&'static str> {
    struct Keys(Vec<&'static str>);

    impl Visitor for Keys {
        type Error = Infallible;

        fn setting<T: Value>(
            &mut self,
            setting: &Setting<'_, T>,
            _: &mut Option<T>,
        ) -> std::result::Result<(), Infallible> {
            self.0.push(setting.name);
            self.0.extend(setting.alias);
            Ok(())
        }
    }

    let mut keys = Keys(Vec::new());
    let Ok(()) = S::default().visit(&mut keys);
    keys.0
}

/// Refuses values that can never be used.
///
/// # Errors
/// [`Error::Setting`] naming the flag.
pub(super) fn check<S: Visit>(settings: &S) -> Result<()> {
    struct Checks;

    impl Visitor for Checks {
        type Error = Error;

        fn setting<T: Value>(
            &mut self,
            setting: &Setting<'_, T>,
            value: &mut Option<T>,
        ) -> Result<()> {
            let (Some(check), Some(value)) = (setting.check, value) else { return Ok(()) };
            check(value).map_err(|unfit| {
                Error::setting(flag(setting.name), unfit.value, unfit.problem, unfit.remedy)
            })
        }
    }

    settings.clone().visit(&mut Checks)
}
