//! numpy's `.npz`: a zip archive of `.npy` files, packed or not.

use std::io::Read;

use flate2::read::DeflateDecoder;
use rawzip::{CompressionMethod, ZipArchive};

use super::array::Array;
use super::npy;

/// What a zip archive begins with.
pub(super) const MAGIC: &[u8] = b"PK\x03\x04";
/// Most arrays in an archive, and most bytes of what is unpacked of one.
const MOST_ENTRIES: usize = 1000;
const MOST_BYTES: u64 = 2 << 30;

/// The names of the arrays in an archive, without `.npy`.
pub(super) fn names(bytes: &[u8]) -> Result<Vec<String>, String> {
    let mut names = Vec::new();
    visit(bytes, |name, _| {
        names.push(name.to_string());
        Ok(false)
    })?;
    Ok(names)
}

/// The array of that name.
pub(super) fn read(bytes: &[u8], wanted: &str) -> Result<Array<'static>, String> {
    let mut found = None;
    visit(bytes, |name, open| {
        if name == wanted {
            found = Some(open()?);
        }
        Ok(found.is_some())
    })?;
    let bytes = found.ok_or_else(|| format!("it has no array '{wanted}'"))?;
    let array = npy::parse(&bytes).map_err(|problem| format!("of array '{wanted}', {problem}"))?;
    Ok(Array { bytes: array.bytes.into_owned().into(), ..array })
}

type Open<'a> = &'a dyn Fn() -> Result<Vec<u8>, String>;

/// Shows each array's name, with what unpacks it, until `seen` says that it is enough.
fn visit(
    bytes: &[u8],
    mut seen: impl FnMut(&str, Open<'_>) -> Result<bool, String>,
) -> Result<(), String> {
    let damaged = |e: rawzip::Error| format!("it is no .npz archive that can be read ({e})");
    let archive = ZipArchive::from_slice(bytes).map_err(damaged)?;
    let mut entries = archive.entries();
    let mut count = 0;
    while let Some(entry) = entries.next_entry().map_err(damaged)? {
        count += 1;
        if count > MOST_ENTRIES {
            return Err(format!("it has more than {MOST_ENTRIES} arrays"));
        }
        let path = entry.file_path();
        let Some(name) = path.try_normalize().ok().map(|path| path.as_ref().to_string()) else {
            continue;
        };
        let open = || {
            let found = archive.get_entry(entry.wayfinder()).map_err(damaged)?;
            let packed: Box<dyn Read> = match entry.compression_method() {
                CompressionMethod::STORE => Box::new(found.data()),
                CompressionMethod::DEFLATE => Box::new(DeflateDecoder::new(found.data())),
                other => return Err(format!("array '{name}' is packed by method {other:?}")),
            };
            let mut bytes = Vec::new();
            found
                .verifying_reader(packed.take(MOST_BYTES + 1))
                .read_to_end(&mut bytes)
                .map_err(|e| format!("array '{name}' is damaged or too large ({e})"))?;
            match bytes.len() as u64 > MOST_BYTES {
                true => Err(format!("array '{name}' has more than {} MiB", MOST_BYTES >> 20)),
                false => Ok(bytes),
            }
        };
        if seen(name.strip_suffix(".npy").unwrap_or(&name), &open)? {
            break;
        }
    }
    Ok(())
}
