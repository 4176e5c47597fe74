//! Reading what the user named: files as they are, and JSON with its errors told by line.

use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result, nearest, reason};

/// Whether a name is meant as a path: it has a separator or an extension, or such a file exists.
pub(crate) fn looks_like_file(name: &str) -> bool {
    let path = Path::new(name);
    path.components().count() > 1 || path.extension().is_some() || path.is_file()
}

/// The bytes of a file.
pub(crate) fn read(path: &Path, remedy: &str) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(|e| cannot_read(path, &e, remedy))
}

/// The text of a file.
pub(crate) fn read_text(path: &Path, remedy: &str) -> Result<String> {
    std::fs::read_to_string(path).map_err(|e| cannot_read(path, &e, remedy))
}

fn cannot_read(path: &Path, error: &std::io::Error, remedy: &str) -> Error {
    Error::file(path, None, format!("cannot be read ({})", reason(error)), remedy)
}

/// The value that the JSON object in `text`, the content of `path`, describes.
pub(crate) fn parse_json<T: DeserializeOwned>(text: &str, path: &Path, remedy: &str) -> Result<T> {
    // serde would take an array's elements for the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(Error::file(path, Some(1), "not a JSON object", remedy));
    }
    serde_json::from_str(text).map_err(|e| {
        let line = Some(e.line() as u64).filter(|&line| line > 0);
        Error::file(path, line, describe_json_error(&e), remedy)
    })
}

/// serde's message without its position; for an unknown name, the nearest known one, or all of them
/// where none is near.
fn describe_json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text);
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(unknown), true) = (quoted.next(), message.starts_with("unknown")) else {
        return message.to_string();
    };
    match nearest(unknown, &quoted.collect::<Vec<_>>()) {
        Some(nearest) => {
            let what = if message.starts_with("unknown field") { "key" } else { "name" };
            format!("unknown {what} `{unknown}` (did you mean `{nearest}`?)")
        }
        None => message.to_string(),
    }
}
