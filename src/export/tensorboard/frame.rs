//! The frame of a record in an event file (TFRecord): its length, its bytes, and a checksum of each.

/// Bytes before a record's own: the length and its checksum.
const HEAD: usize = 12;
/// Bytes after them.
const TAIL: usize = 4;

/// A record in its frame.
pub(super) fn framed(bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u64).to_le_bytes();
    let mut framed = Vec::with_capacity(HEAD + bytes.len() + TAIL);
    framed.extend(length);
    framed.extend(checksum(&length).to_le_bytes());
    framed.extend(bytes);
    framed.extend(checksum(bytes).to_le_bytes());
    framed
}

/// CRC-32C, masked as TFRecord has it, so that a checksum of what holds checksums is another.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c(bytes).rotate_right(15).wrapping_add(0xa282_ead8)
}

/// The whole records of a file, each with where it ends. Ends at the first that is torn or not what was written.
pub(super) fn records(file: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let head = file.get(at..at + HEAD)?;
        let length = usize::try_from(u64::from_le_bytes(head[..8].try_into().ok()?)).ok()?;
        let end = at.checked_add(HEAD)?.checked_add(length)?;
        let bytes = file.get(at + HEAD..end)?;
        let told = |place: &[u8]| Some(u32::from_le_bytes(place.try_into().ok()?));
        let tail = told(file.get(end..end.checked_add(TAIL)?)?)?;
        if told(&head[8..])? != checksum(&head[..8]) || tail != checksum(bytes) {
            return None;
        }
        at = end + TAIL;
        Some((at, bytes))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Check values of CRC-32C: of "123456789", and of RFC 3720, B.4, 32 bytes of zeros.
    #[test]
    fn checksums_are_those_of_the_standard() {
        assert_eq!(crc32c::crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(crc32c::crc32c(&[0; 32]), 0x8a91_36aa);
    }

    #[test]
    fn whole_records_are_read_back_and_torn_ones_are_left_out() {
        let file = [framed(b"one"), framed(b""), framed(b"three")].concat();
        let read = |file: &[u8]| records(file).map(|(_, bytes)| bytes.to_vec()).collect::<Vec<_>>();
        assert_eq!(read(&file), [&b"one"[..], b"", b"three"]);
        assert_eq!(records(&file).last().map(|(end, _)| end), Some(file.len()));
        for cut in 1..framed(b"three").len() {
            assert_eq!(read(&file[..file.len() - cut]).len(), 2, "{cut}");
        }
        for at in 0..file.len() {
            let mut harmed = file.clone();
            harmed[at] ^= 1;
            assert!(read(&harmed).len() < 3, "{at}");
        }
    }
}
