//! Settings of a comparison as given: those of a run, several values of some, and its own.

use std::path::Path;

use serde::de::{self, DeserializeSeed, IntoDeserializer, MapAccess};
use serde::{Deserialize, Deserializer};

use super::Settings;
use crate::error::Result;
use crate::input;

/// Settings of a comparison, each optional.
#[derive(Debug, Clone, Default, PartialEq, clap::Args)]
pub struct CompareSettings {
    /// Settings of the runs.
    #[command(flatten)]
    pub settings: Settings,
    /// Seeds: how many, counted up from --seed, or which, as 3,5,9 [default: 1]
    #[arg(long, value_name = "N|LIST", help_heading = "Comparison", allow_negative_numbers = true)]
    pub seeds: Option<Seeds>,
    /// Runs at a time, on the CPU [default: 1]
    #[arg(long, value_name = "N", help_heading = "Comparison",
          allow_negative_numbers = true, value_parser = super::settings::count)]
    pub jobs: Option<usize>,
    /// Groups of optimizer settings, each a product of its own; what they leave out is taken from
    /// `settings`. In JSON only.
    #[arg(skip)]
    pub runs: Option<Vec<Settings>>,
}

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

impl CompareSettings {
    /// Reads a JSON config whose keys are the flags, underscores for dashes, a list standing for
    /// several values.
    ///
    /// # Errors
    /// As [`Settings::read`].
    pub fn read(path: &Path) -> Result<Self> {
        const REMEDY: &str = "write settings as {\"optimizers\": [\"sgd\", \"sam\"], \"lr\": [0.1, \
                              0.2], \"seeds\": 5}; keys are the flags of 'sharpscope compare \
                              --help', underscores for dashes";
        let text = input::read_text(path, "give a JSON config file")?;
        input::parse_json(&text, path, REMEDY)
    }

    /// These settings where given, else those of `other`.
    pub fn or(self, other: Self) -> Self {
        Self {
            settings: self.settings.or(other.settings),
            seeds: self.seeds.or(other.seeds),
            jobs: self.jobs.or(other.jobs),
            runs: self.runs.or(other.runs),
        }
    }
}

impl<'de> Deserialize<'de> for CompareSettings {
    /// Takes the comparison's own keys and leaves the others to [`Settings`], which knows its own.
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = CompareSettings;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object of settings")
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                map: A,
            ) -> std::result::Result<CompareSettings, A::Error> {
                let mut own = CompareSettings::default();
                let rest = OwnKeysTaken { map, own: &mut own };
                let settings = Settings::deserialize(de::value::MapAccessDeserializer::new(rest))?;
                Ok(CompareSettings { settings, ..own })
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

/// The entries of a map without those that a comparison keeps for itself.
struct OwnKeysTaken<'a, A> {
    map: A,
    own: &'a mut CompareSettings,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OwnKeysTaken<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> std::result::Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            match key.as_str() {
                "seeds" => self.own.seeds = Some(self.map.next_value()?),
                "jobs" => self.own.jobs = Some(self.map.next_value()?),
                "runs" => self.own.runs = Some(self.map.next_value()?),
                _ => return seed.deserialize(key.into_deserializer()).map(Some),
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> std::result::Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}
