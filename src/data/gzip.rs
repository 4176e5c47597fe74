//! Gzip, recognised by its magic number.

use std::borrow::Cow;
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;

use crate::error::{Error, Result};

/// Most bytes that a file is unpacked to.
const MOST: u64 = 2 << 30;
/// No byte of gzip stands for more than so many.
const MOST_PACKED: u64 = 1032;

/// The bytes themselves, or what they are the gzip of. `path` is for messages.
///
/// # Errors
/// [`Error::File`] where the gzip data end early or are damaged, naming the line where text does, or go
/// on for more than 2 GiB.
pub(super) fn unpack<'a>(bytes: &'a [u8], path: &Path) -> Result<Cow<'a, [u8]>> {
    unpack_at_most(bytes, path, MOST)
}

fn unpack_at_most<'a>(bytes: &'a [u8], path: &Path, most: u64) -> Result<Cow<'a, [u8]>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        check_no_page(bytes, path)?;
        return Ok(Cow::Borrowed(bytes));
    }
    // Counted before anything is kept. An error is met again, and told, below.
    let count =
        || std::io::copy(&mut MultiGzDecoder::new(bytes).take(most + 1), &mut std::io::sink());
    if bytes.len() as u64 > most / MOST_PACKED && count().is_ok_and(|count| count > most) {
        let (size, most) = (bytes.len(), most >> 20);
        let problem =
            format!("its {size} bytes unpack to more than {most} MiB, the most that is read");
        return Err(Error::file(path, None, problem, "give a smaller file"));
    }
    let mut unpacked = Vec::new();
    match MultiGzDecoder::new(bytes).take(most).read_to_end(&mut unpacked) {
        Ok(_) => {
            check_no_page(&unpacked, path)?;
            Ok(Cow::Owned(unpacked))
        }
        Err(e) => {
            let line = (!is_binary(&unpacked)).then(|| lines(&unpacked));
            let after = unpacked.len();
            let problem =
                format!("the gzip data end early or are damaged, after {after} bytes ({e})");
            Err(Error::file(path, line, problem, "download or copy the file again"))
        }
    }
}

/// Refuses a web page, which is what a link to a file may lead to.
fn check_no_page(bytes: &[u8], path: &Path) -> Result<()> {
    let start = bytes.trim_ascii_start();
    let tag = |tag: &str| {
        start.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
    };
    if tag("<!doctype html") || tag("<html") {
        let remedy = "download the file itself, by the link to its raw content";
        return Err(Error::file(path, None, "it is a web page and no data", remedy));
    }
    Ok(())
}

/// Whether these bytes are certainly not text: some near the start are zero.
pub(super) fn is_binary(bytes: &[u8]) -> bool {
    const LOOKED_AT: usize = 4096;
    bytes.iter().take(LOOKED_AT).any(|&byte| byte == 0)
}

fn lines(text: &[u8]) -> u64 {
    text.iter().filter(|&&byte| byte == b'\n').count() as u64 + 1
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    #[test]
    fn what_unpacks_to_too_much_is_refused_and_not_unpacked() {
        const MIB: usize = 1 << 20;
        let mut member = GzEncoder::new(Vec::new(), Compression::best());
        member.write_all(&vec![0; MIB]).unwrap();
        let bytes = member.finish().unwrap().repeat(9);
        let unpacked = |most: usize| unpack_at_most(&bytes, Path::new("b.gz"), most as u64);
        assert_eq!(unpacked(9 * MIB).unwrap().len(), 9 * MIB);
        let text = unpacked(9 * MIB - 1).unwrap_err().to_string();
        assert!(text.starts_with("b.gz: ") && text.contains("more than 8 MiB"), "{text}");
    }
}
