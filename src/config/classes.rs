//! Classes of a dataset, as a setting: a number of them, or which.

use serde::Deserialize;
use serde::de::{self, Deserializer};

use super::value::{Form, Value};
use crate::data::{Classes, Label};

const WANTED: &str = "give a number of classes, or which, such as 0,1,2";

impl Value for Classes {
    const FORM: Form = Form::Number;
    const VALUE_NAME: &'static str = "N|LIST";

    /// A number alone is how many; with commas between them, numbers and names are which.
    fn parse(text: &str) -> Result<Self, String> {
        if let Ok(count) = text.trim().parse() {
            return Ok(Classes::Count(count));
        }
        let labels: Vec<Label> = text.split(',').map(Label::of_text).collect();
        match labels.contains(&Label::Name(String::new())) {
            true => Err(WANTED.to_string()),
            false => Ok(Classes::Chosen(labels)),
        }
    }

    fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Given {
            Number(u64),
            Name(String),
        }

        struct CountOrList;

        impl<'de> de::Visitor<'de> for CountOrList {
            type Value = Classes;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number of classes, or a list of which")
            }

            fn visit_u64<E: de::Error>(self, count: u64) -> Result<Classes, E> {
                usize::try_from(count).map(Classes::Count).map_err(E::custom)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Classes, A::Error> {
                let mut labels = Vec::new();
                while let Some(label) = list.next_element()? {
                    labels.push(match label {
                        Given::Number(number) => Label::Number(number),
                        Given::Name(name) => Label::of_text(&name),
                    });
                }
                Ok(Classes::Chosen(labels))
            }
        }

        deserializer.deserialize_any(CountOrList)
    }
}
