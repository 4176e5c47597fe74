//! Gzip, recognised by its magic number.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// The bytes themselves, or what they are the gzip of. `path` is for messages.
///
/// # Errors
/// [`Error::File`] where the gzip data end early or are damaged, naming the line where text does.
pub(super) fn unpack<'a>(bytes: &'a [u8], path: &Path) -> Result<Cow<'a, [u8]>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(Cow::Borrowed(bytes));
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(bytes).read_to_end(&mut unpacked) {
        Ok(_) => Ok(Cow::Owned(unpacked)),
        Err(e) => {
            let line = (!is_binary(&unpacked)).then(|| lines(&unpacked));
            let after = unpacked.len();
            let problem =
                format!("the gzip data end early or are damaged, after {after} bytes ({e})");
            Err(Error::file(path, line, problem, "download or copy the file again"))
        }
    }
}

/// Whether these bytes are certainly not text: some near the start are zero.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 4096;
    bytes.iter().take(LOOKED_AT).any(|&byte| byte == 0)
}

fn lines(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1
}
