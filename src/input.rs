//! Reading what the user named: files as they are, and JSON with its errors told by line.

use std::fs::{File, FileType};
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::error::{Error, Result, nearest, reason};

/// Whether a name is meant as a path: it has a separator or an extension, or such a file exists.
pub(crate) fn looks_like_file(name: &str) -> bool {
    let path = Path::new(name);
    path.components().count() > 1 || path.extension().is_some() || path.is_file()
}

/// Most bytes that are read of a file, and of what has no size to be looked at first, such as a pipe.
const MOST_OF_FILE: u64 = 4 << 30;
const MOST_OF_PIPE: u64 = 256 << 20;

/// The bytes of a file. One that is too large is refused before it is read, and a device at once: it may have
/// no end.
pub(crate) fn read(path: &Path, remedy: &str) -> Result<Vec<u8>> {
    let cannot = |e: std::io::Error| cannot_read(path, &e, remedy);
    let found = std::fs::metadata(path).map_err(cannot)?;
    if is_device(found.file_type()) {
        return Err(Error::file(path, None, "it is a device and no file", remedy));
    }
    let most = if found.is_file() { MOST_OF_FILE } else { MOST_OF_PIPE };
    let mut bytes = Vec::new();
    if found.len() <= most {
        let file = File::open(path).map_err(cannot)?;
        file.take(most + 1).read_to_end(&mut bytes).map_err(cannot)?;
    }
    if found.len().max(bytes.len() as u64) > most {
        let problem = format!("it has more than {} MiB, the most that is read", most >> 20);
        return Err(Error::file(path, None, problem, "give a smaller file"));
    }
    Ok(bytes)
}

#[cfg(unix)]
fn is_device(kind: FileType) -> bool {
    use std::os::unix::fs::FileTypeExt;
    kind.is_char_device() || kind.is_block_device()
}

#[cfg(not(unix))]
fn is_device(_: FileType) -> bool {
    false
}

/// The text of a file.
pub(crate) fn read_text(path: &Path, remedy: &str) -> Result<String> {
    text(read(path, remedy)?, path)
}

/// Bytes as the text that they are in UTF-8, without its mark. `path` is for messages.
///
/// # Errors
/// [`Error::File`] for another encoding, naming it where it can be told, or the line.
pub(crate) fn text(bytes: Vec<u8>, path: &Path) -> Result<String> {
    const UTF_8_MARK: &str = "\u{feff}";
    check_encoding(&bytes, path)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        let before = &e.as_bytes()[..e.utf8_error().valid_up_to()];
        let line = before.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1;
        Error::file(path, Some(line), "it is not text in UTF-8", "save it as UTF-8")
    })?;
    Ok(match text.strip_prefix(UTF_8_MARK) {
        Some(rest) => rest.to_string(),
        None => text,
    })
}

/// Refuses text in UTF-16, which some editors and spreadsheets write: by its mark, or by its zeros.
///
/// # Errors
/// [`Error::File`].
pub(crate) fn check_encoding(bytes: &[u8], path: &Path) -> Result<()> {
    let marked = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    let (pairs, _) = bytes[..bytes.len().min(64)].as_chunks::<2>();
    let zero_in = |place: usize| {
        pairs.len() > 1 && pairs.iter().all(|pair| pair[place] == 0 && pair[1 - place] >= b'\t')
    };
    if marked || zero_in(0) || zero_in(1) {
        return Err(Error::file(path, None, "it is text in UTF-16", "save it as UTF-8"));
    }
    Ok(())
}

fn cannot_read(path: &Path, error: &std::io::Error, remedy: &str) -> Error {
    Error::file(path, None, format!("cannot be read ({})", reason(error)), remedy)
}

/// Header and rows of a table in CSV, the content of `path`.
#[cfg(any(feature = "export", feature = "report"))]
pub(crate) fn parse_table(
    bytes: &[u8],
    path: &Path,
    remedy: &str,
) -> Result<(csv::StringRecord, Vec<csv::StringRecord>)> {
    let wrong = |e: csv::Error| {
        let line = e.position().map(csv::Position::line);
        Error::file(path, line, format!("not a table ({e})"), remedy)
    };
    let mut reader = csv::ReaderBuilder::new().from_reader(bytes);
    let header = reader.headers().map_err(wrong)?.clone();
    let rows = reader.records().collect::<csv::Result<_>>().map_err(wrong)?;
    Ok((header, rows))
}

/// The value that the JSON object in `text`, the content of `path`, describes.
pub(crate) fn parse_json<T: DeserializeOwned>(text: &str, path: &Path, remedy: &str) -> Result<T> {
    // serde would take an array's elements for the fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err(Error::file(path, Some(1), "not a JSON object", remedy));
    }
    let wrong = |e: &serde_json::Error, key: Option<String>| {
        let line = Some(e.line() as u64).filter(|&line| line > 0);
        let key = key.map(|key| format!("{key}: ")).unwrap_or_default();
        Error::file(path, line, format!("{key}{}", describe_json_error(e)), remedy)
    };
    let json = &mut serde_json::Deserializer::from_str(text);
    let value = serde_path_to_error::deserialize(&mut *json).map_err(|e| {
        // Of an unknown or a missing key the message says which.
        let data = e.inner().is_data() && e.inner().to_string().starts_with("invalid");
        let key = e.path().iter().next().is_some() && data;
        wrong(e.inner(), key.then(|| e.path().to_string()))
    })?;
    json.end().map_err(|e| wrong(&e, None))?;
    Ok(value)
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
