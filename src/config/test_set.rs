//! What is kept for a test.

use serde::{Deserializer, Serialize, de};

use super::value::{Form, Value};

/// What is kept for a test at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum TestSet {
    /// That share of the dataset's samples.
    Share(f64),
    /// All samples of a file.
    File(String),
}

impl TestSet {
    fn share(share: f64) -> Result<Self, String> {
        match share > 0.0 && share < 1.0 {
            true => Ok(TestSet::Share(share)),
            false => Err("give a share above 0 and below 1, such as 0.2, or a file".to_string()),
        }
    }
}

impl Value for TestSet {
    const FORM: Form = Form::Number;
    const VALUE_NAME: &'static str = "FILE|SHARE";

    fn parse(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(share) => Self::share(share),
            Err(_) => Ok(TestSet::File(text.to_string())),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct FileOrShare;

        impl de::Visitor<'_> for FileOrShare {
            type Value = TestSet;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a file, or a share between 0 and 1")
            }

            fn visit_f64<E: de::Error>(self, share: f64) -> Result<TestSet, E> {
                TestSet::share(share).map_err(|e| E::custom(format!("test = {share:?}: {e}")))
            }

            fn visit_u64<E: de::Error>(self, share: u64) -> Result<TestSet, E> {
                self.visit_f64(share as f64)
            }

            fn visit_str<E: de::Error>(self, file: &str) -> Result<TestSet, E> {
                Ok(TestSet::File(file.to_string()))
            }
        }

        deserializer.deserialize_any(FileOrShare)
    }
}
