//! Plain text, for models that read it.

use super::{Format, Source};
use crate::data::dataset::{Dataset, digest};
use crate::data::gzip::is_binary;
use crate::data::{DataOptions, InputShape};
use crate::error::{Error, Result};
use crate::input;

/// Whatever is not binary, where the model reads text.
pub(super) const FORMAT: Format = Format {
    wanted: "text for a transformer",
    takes: &[],
    recognises: |source| {
        Ok(source.context.is_some()
            && !source.path.is_dir()
            && (!is_binary(source.unpacked()?)
                || input::check_encoding(source.unpacked()?, &source.path).is_err()))
    },
    load,
};

/// Most different characters: the model has a row of weights for each.
const MOST_CHARACTERS: usize = 10_000;

fn load(source: &Source, options: &DataOptions) -> Result<(Dataset, DataOptions)> {
    options.check(source.name, |_| false)?;
    let text = input::text(source.unpacked()?.to_vec(), &source.path)?;
    let dataset = Dataset::from_text(source.name, &text, source.context.unwrap_or(1))?;
    if let InputShape::Tokens { vocabulary, .. } = dataset.input_shape()
        && vocabulary > MOST_CHARACTERS
    {
        let problem = format!("it has {vocabulary} different characters");
        let remedy = format!("give text with at most {MOST_CHARACTERS}");
        return Err(Error::file(&source.path, None, problem, remedy));
    }
    let sha256 = digest(&[source.bytes()?]);
    Ok((Dataset { sha256, ..dataset }, DataOptions::default()))
}
