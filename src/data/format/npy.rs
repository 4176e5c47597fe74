//! numpy's `.npy`: a magic number, a Python dictionary that describes the array, and its entries.
//!
//! Source: `numpy.lib.format`. The dictionary is `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), }`,
//! and only these three keys may be in it. (Crates that read it bring a parser of all of Python's literals.)

use std::borrow::Cow;

use super::array::{Array, Element, entries};

/// What every such file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";
/// Most dimensions.
const MOST_DIMENSIONS: usize = 8;

/// The array in the bytes of a file, or what is wrong with them.
pub(super) fn parse(bytes: &[u8]) -> Result<Array<'_>, String> {
    const SHORT: &str = "it ends within its header";
    let rest = bytes.strip_prefix(MAGIC).ok_or("it is no .npy file")?;
    let (version, rest) = rest.split_first_chunk::<2>().ok_or(SHORT)?;
    let (length, rest) = match version[0] {
        1 => {
            let (length, rest) = rest.split_first_chunk().ok_or(SHORT)?;
            (usize::from(u16::from_le_bytes(*length)), rest)
        }
        2 | 3 => {
            let (length, rest) = rest.split_first_chunk().ok_or(SHORT)?;
            (u32::from_le_bytes(*length) as usize, rest)
        }
        other => {
            return Err(format!("it is in version {other} of the format, and 1 to 3 are read"));
        }
    };
    let (header, data) = rest.split_at_checked(length).ok_or(SHORT)?;
    let header = std::str::from_utf8(header).map_err(|_| "its header is no text")?;
    let (element, big_endian) = element(quoted(after(header, "descr")?)?)?;
    let by_columns = match after(header, "fortran_order")? {
        text if text.starts_with("True") => true,
        text if text.starts_with("False") => false,
        _ => return Err("its header does not say the order of its entries".to_string()),
    };
    let shape = shape(after(header, "shape")?)?;
    let claimed = entries(&shape).and_then(|entries| entries.checked_mul(element.size()));
    if claimed != Some(data.len()) {
        let shape = shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
        return Err(format!("its header claims {shape} entries, but {} bytes follow", data.len()));
    }
    let bytes = match by_columns && shape.len() > 1 {
        true => Cow::Owned(last_fastest(data, &shape, element.size())),
        false => Cow::Borrowed(data),
    };
    Ok(Array { shape, element, big_endian, bytes })
}

/// What stands behind a key of the dictionary.
fn after<'a>(header: &'a str, key: &str) -> Result<&'a str, String> {
    let missing = || format!("its header has no '{key}'");
    let keys = [format!("'{key}'"), format!("\"{key}\"")];
    let rest = keys.iter().find_map(|key| header.split_once(key)).ok_or_else(missing)?.1;
    Ok(rest.trim_start().strip_prefix(':').ok_or_else(missing)?.trim_start())
}

/// The text in quotes that this begins with.
fn quoted(text: &str) -> Result<&str, String> {
    let inner = text.strip_prefix(['\'', '"']);
    let end = inner.and_then(|inner| inner.find(['\'', '"']).map(|end| &inner[..end]));
    end.ok_or_else(|| "its entries are records, not numbers".to_string())
}

/// The type of that name, and whether its bytes begin with the highest.
fn element(name: &str) -> Result<(Element, bool), String> {
    let (big_endian, kind) = match name.split_at_checked(1) {
        Some(("<" | "|" | "=", kind)) => (false, kind),
        Some((">", kind)) => (true, kind),
        _ => (false, name),
    };
    let element = match kind {
        "u1" | "b1" => Element::U8,
        "i1" => Element::I8,
        "u2" => Element::U16,
        "i2" => Element::I16,
        "u4" => Element::U32,
        "i4" => Element::I32,
        "u8" => Element::U64,
        "i8" => Element::I64,
        "f2" => Element::F16,
        "f4" => Element::F32,
        "f8" => Element::F64,
        _ => return Err(format!("its entries are of type '{name}', not whole or real numbers")),
    };
    Ok((element, big_endian))
}

/// The numbers in round brackets that this begins with.
fn shape(text: &str) -> Result<Vec<usize>, String> {
    let wrong = || "its header has no shape".to_string();
    let inner = text.strip_prefix('(').and_then(|text| text.split_once(')')).ok_or_else(wrong)?.0;
    let sizes = inner.split(',').map(str::trim).filter(|size| !size.is_empty());
    let sizes: Vec<usize> =
        sizes.map(|size| size.parse().map_err(|_| wrong())).collect::<Result<_, _>>()?;
    match sizes.len() {
        0 => Err("it is a single number".to_string()),
        dimensions if dimensions > MOST_DIMENSIONS => {
            Err(format!("it has {dimensions} dimensions"))
        }
        _ => Ok(sizes),
    }
}

/// Entries whose first dimension is fastest, with the last one fastest.
fn last_fastest(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut ordered = Vec::with_capacity(data.len());
    let mut place = vec![0; shape.len()];
    for _ in 0..data.len() / size {
        let at = place.iter().zip(shape).rev().fold(0, |at, (place, length)| at * length + place);
        ordered.extend_from_slice(&data[at * size..(at + 1) * size]);
        for (place, &length) in place.iter_mut().zip(shape).rev() {
            *place += 1;
            if *place < length {
                break;
            }
            *place = 0;
        }
    }
    ordered
}
