//! A play of Shakespeare's, character by character.

use std::path::Path;

use super::{Builtin, DatasetInfo, Defaults, Request, embedded};
use crate::data::dataset::{Dataset, digest};
use crate::data::gzip::unpack;
use crate::data::plain_text;
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "shakespeare",
        // Windows of [`DEFAULT_CONTEXT`].
        samples: 5097,
        inputs: "windows of 32 of 66 tokens",
        targets: "next of 66 characters",
        licence: "public domain",
    },
    defaults: Defaults::NONE,
    text: true,
    standardized: false,
    load,
};

const PLAY: &[u8] = embedded!("coriolanus.md.gz");
/// Characters in a window where no model says otherwise.
const DEFAULT_CONTEXT: usize = 32;

fn load(request: &Request) -> Result<Dataset> {
    let markdown = unpack(PLAY, Path::new(request.name))?;
    let text = plain_text(&String::from_utf8_lossy(&markdown));
    let context = request.context.unwrap_or(DEFAULT_CONTEXT);
    let dataset = Dataset::from_text(request.name, &text, context)?;
    Ok(Dataset { sha256: digest(&[PLAY]), ..dataset })
}
