//! Checksums.

use sha2::{Digest, Sha256};

/// SHA-256 over these bytes, one part after the other, in hexadecimal.
pub(crate) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hexadecimal(hash)
}

/// A hash that is complete, in hexadecimal.
pub(crate) fn hexadecimal(hash: Sha256) -> String {
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
