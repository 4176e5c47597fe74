//! The seeds of a comparison.

use serde::{Deserialize, Deserializer, de};

/// The seeds of a comparison.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seeds {
    /// So many, counted up from the seed.
    Count(usize),
    /// These.
    List(Vec<u64>),
}

impl std::str::FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let wrong = |_| "give a number of seeds, or seeds separated by commas".to_string();
        if !text.contains(',') {
            return text.trim().parse().map(Seeds::Count).map_err(wrong);
        }
        let list = text.split(',').map(|seed| seed.trim().parse());
        list.collect::<std::result::Result<_, _>>().map(Seeds::List).map_err(wrong)
    }
}

impl<'de> Deserialize<'de> for Seeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Seeds;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of seeds or a list of seeds for seeds")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> std::result::Result<Seeds, E> {
                Ok(Seeds::Count(count as usize))
            }

            fn visit_seq<A: de::SeqAccess<'de>>(
                self,
                seq: A,
            ) -> std::result::Result<Seeds, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(seq)).map(Seeds::List)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}
