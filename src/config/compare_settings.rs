//! Settings of a comparison as given: those of a run, several values of some, and its own.

use std::path::Path;

use serde::{Deserialize, Deserializer};

use super::setting::settings;
use super::value::{Form, Value};
use super::{Seeds, Settings};
use crate::error::Result;
use crate::input;

settings! {
    /// Settings of a comparison, each optional.
    pub struct CompareSettings {
        /// Settings of the runs.
        + settings: Settings;
        "Comparison" {
            /// Seeds: how many, counted up from --seed, or which, as 3,5,9 [default: 1]
            seeds: Seeds;
            /// Runs at a time, on the CPU [default: 1]
            jobs: usize;
            /// Groups of optimizer settings, each a product of its own; what they leave out is taken
            /// from `settings`. In JSON only.
            runs: Vec<Settings>, without flag;
        }
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
}

/// In JSON only.
impl Value for Vec<Settings> {
    const FORM: Form = Form::Word;

    fn parse(_: &str) -> std::result::Result<Self, String> {
        Err("give groups in a --config file".to_string())
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        Self::deserialize(deserializer)
    }
}
