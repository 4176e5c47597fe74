//! How many samples an update sees.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Samples in a minibatch; `None` for the full batch, written `full`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BatchSize(pub Option<usize>);

impl std::fmt::Display for BatchSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            Some(size) => size.fmt(f),
            None => f.write_str("full"),
        }
    }
}

impl BatchSize {
    /// In words.
    pub fn describe(self) -> String {
        match self.0 {
            Some(size) => format!("batch {size}"),
            None => "full batch".to_string(),
        }
    }
}

impl std::str::FromStr for BatchSize {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        match text {
            "full" => Ok(BatchSize(None)),
            number => match number.parse() {
                Ok(samples) => Ok(BatchSize(Some(samples))),
                Err(_) => Err("give a number of samples or 'full'".to_string()),
            },
        }
    }
}

impl<'de> Deserialize<'de> for BatchSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Size;

        fn parse<E: de::Error>(text: impl ToString) -> std::result::Result<BatchSize, E> {
            let text = text.to_string();
            text.parse().map_err(|e| E::custom(format!("batch_size = {text}: {e}")))
        }

        impl de::Visitor<'_> for Size {
            type Value = BatchSize;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of samples or \"full\" for batch_size")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<BatchSize, E> {
                parse(text)
            }

            fn visit_u64<E: de::Error>(self, samples: u64) -> std::result::Result<BatchSize, E> {
                parse(samples)
            }

            fn visit_i64<E: de::Error>(self, samples: i64) -> std::result::Result<BatchSize, E> {
                parse(samples)
            }

            fn visit_f64<E: de::Error>(self, samples: f64) -> std::result::Result<BatchSize, E> {
                parse(samples)
            }
        }

        deserializer.deserialize_any(Size)
    }
}

impl Serialize for BatchSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self.0 {
            Some(samples) => serializer.serialize_u64(samples as u64),
            None => serializer.serialize_str("full"),
        }
    }
}
