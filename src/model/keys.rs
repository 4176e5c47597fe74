//! A model's JSON object. Its keys are read in the order in which they stand, so that an error has its
//! line (serde's own tagged enums forget it): a value may come before the kind that says whether the key
//! is taken. So a key must have the same type in all kinds that take it.

use std::any::Any;
use std::sync::LazyLock;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::architecture::Architecture;
use super::{Initialisation, Kind, ModelSpec};

/// A value that was read, of the type of its key; `None` for null, which is as if it were not given.
pub(super) type Value = Option<Box<dyn Any>>;

/// The keys of a kind, with what is given of them. [`keys!`] implements it.
pub(super) trait Keys: Sized {
    /// Their names, as messages list them.
    const NAMES: &'static [&'static str];

    /// Reads the value of one of them.
    ///
    /// # Errors
    /// Those of the value; an unknown key.
    fn read<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Value, A::Error>;

    /// Takes them out of what is given.
    ///
    /// # Errors
    /// [`WrongKey`] for a value that was read as another type, for another kind.
    fn take(given: &mut Given) -> Result<Self, WrongKey>;
}

/// Defines the keys of a kind and their types: a struct in which all are optional.
macro_rules! keys {
    ($(#[$meta:meta])* struct $Keys:ident { $($key:ident: $T:ty),+ $(,)? }) => {
        $(#[$meta])*
        pub(in crate::model) struct $Keys {
            $($key: Option<$T>),+
        }

        impl $crate::model::keys::Keys for $Keys {
            const NAMES: &'static [&'static str] = &[$(stringify!($key)),+];

            fn read<'de, A: serde::de::MapAccess<'de>>(
                key: &str,
                map: &mut A,
            ) -> std::result::Result<$crate::model::keys::Value, A::Error> {
                $(if key == stringify!($key) {
                    let value: Option<$T> = map.next_value()?;
                    return Ok(value.map(|value| Box::new(value) as Box<dyn std::any::Any>));
                })+
                Err(serde::de::Error::unknown_field(key, Self::NAMES))
            }

            fn take(
                given: &mut $crate::model::keys::Given,
            ) -> std::result::Result<Self, $crate::model::keys::WrongKey> {
                Ok(Self { $($key: given.take(stringify!($key))?),+ })
            }
        }
    };
}

pub(super) use keys;

/// A key that its kind does not take, or that it lacks.
pub(super) struct WrongKey {
    /// A key on whose line the mistake is.
    pub key: &'static str,
    /// What is wrong.
    pub problem: String,
}

/// What is given, by key.
#[derive(Default)]
pub(super) struct Given(Vec<(&'static str, Value)>);

impl Given {
    fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(given, _)| *given == key)
    }

    /// Takes a value out; `None` where it is not given.
    ///
    /// # Errors
    /// [`WrongKey`] where it is of another type.
    pub fn take<T: 'static>(&mut self, key: &'static str) -> Result<Option<T>, WrongKey> {
        let value = self.0.iter_mut().find(|(given, _)| *given == key);
        let Some(value) = value.and_then(|(_, value)| value.take()) else { return Ok(None) };
        let wrong = |_| {
            let problem = format!("`{key}` was read as the value of another kind");
            WrongKey { key, problem }
        };
        value.downcast::<T>().map(|value| Some(*value)).map_err(wrong)
    }
}

/// The JSON object as read, with keys of any kind.
pub(super) struct ModelFields {
    kind: Kind,
    init: Initialisation,
    given: Given,
}

/// The keys of all kinds, each once.
static OF_KINDS: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
    let mut keys: Vec<&'static str> = Vec::new();
    for &key in Kind::ALL.iter().flat_map(|kind| kind.keys()) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
});

/// All keys.
static KNOWN: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| ["kind", "init"].into_iter().chain(OF_KINDS.iter().copied()).collect());

impl<'de> Deserialize<'de> for ModelFields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;

        impl<'de> Visitor<'de> for Object {
            type Value = ModelFields;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object with \"kind\"")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<ModelFields, A::Error> {
                read_object(map)
            }
        }

        deserializer.deserialize_struct("ModelFields", &KNOWN, Object)
    }
}

fn read_object<'de, A: MapAccess<'de>>(mut map: A) -> Result<ModelFields, A::Error> {
    let (mut kind, mut init, mut given) = (None, None, Given::default());
    while let Some(key) = map.next_key::<String>()? {
        match key.as_str() {
            "kind" if kind.is_some() => return Err(A::Error::duplicate_field("kind")),
            "kind" => kind = Some(map.next_value()?),
            "init" if init.is_some() => return Err(A::Error::duplicate_field("init")),
            "init" => init = Some(map.next_value()?),
            key => {
                let Some(&known) = OF_KINDS.iter().find(|known| **known == key) else {
                    return Err(A::Error::unknown_field(key, &KNOWN));
                };
                if given.has(known) {
                    return Err(A::Error::duplicate_field(known));
                }
                // All kinds that take it agree about its type.
                let takes = Kind::ALL.iter().find(|kind| kind.keys().contains(&known));
                let value = takes.map(|kind| kind.read(known, &mut map)).transpose()?;
                given.0.push((known, value.flatten()));
            }
        }
    }
    let kind = kind.ok_or_else(|| A::Error::missing_field("kind"))?;
    Ok(ModelFields { kind, init: init.unwrap_or_default(), given })
}

impl ModelFields {
    /// The model.
    ///
    /// # Errors
    /// [`WrongKey`].
    pub fn specification(mut self) -> Result<ModelSpec, WrongKey> {
        let taken = self.kind.keys();
        for &key in OF_KINDS.iter().filter(|key| !taken.contains(key)) {
            if self.given.0.iter().any(|(given, value)| *given == key && value.is_some()) {
                let (kind, own) = (self.kind.name(), taken.join(", "));
                let problem = format!("kind `{kind}` does not take `{key}`, but {own}, init");
                return Err(WrongKey { key, problem });
            }
        }
        self.kind.specification(&mut self.given, self.init)
    }
}

impl<'de> Deserialize<'de> for ModelSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let fields = ModelFields::deserialize(deserializer)?;
        fields.specification().map_err(|wrong| D::Error::custom(wrong.problem))
    }
}

/// The keys of a kind.
pub(super) fn of<A: Architecture>() -> &'static [&'static str] {
    <A::Keys as Keys>::NAMES
}

/// Reads the value of a key of a kind.
pub(super) fn read<'de, T: Architecture, A: MapAccess<'de>>(
    key: &str,
    map: &mut A,
) -> Result<Value, A::Error> {
    <T::Keys as Keys>::read(key, map)
}

/// The specification of a kind that what is given makes.
pub(super) fn specification<A: Architecture>(
    given: &mut Given,
    init: Initialisation,
) -> Result<A, WrongKey> {
    A::from_keys(A::Keys::take(given)?, init).map_err(|missing| {
        let problem = format!("missing field `{}`", missing.0);
        WrongKey { key: "kind", problem }
    })
}
