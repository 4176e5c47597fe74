//! Arrays of numbers of any type, in files of several formats.

use std::borrow::Cow;

/// The type of an array's entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    F32,
    F64,
}

impl Element {
    /// Bytes of an entry.
    pub fn size(self) -> usize {
        match self {
            Element::U8 | Element::I8 => 1,
            Element::U16 | Element::I16 | Element::F16 => 2,
            Element::U32 | Element::I32 | Element::F32 => 4,
            Element::U64 | Element::I64 | Element::F64 => 8,
        }
    }

    /// The number in these bytes, the lowest first; whole numbers above 2^53 are rounded.
    fn number(self, bytes: [u8; 8]) -> f64 {
        let [a, b, c, d, ..] = bytes;
        match self {
            Element::U8 => f64::from(a),
            Element::I8 => f64::from(a.cast_signed()),
            Element::U16 => f64::from(u16::from_le_bytes([a, b])),
            Element::I16 => f64::from(i16::from_le_bytes([a, b])),
            Element::U32 => f64::from(u32::from_le_bytes([a, b, c, d])),
            Element::I32 => f64::from(i32::from_le_bytes([a, b, c, d])),
            Element::U64 => u64::from_le_bytes(bytes) as f64,
            Element::I64 => i64::from_le_bytes(bytes) as f64,
            Element::F16 => half::f16::from_le_bytes([a, b]).to_f64(),
            Element::F32 => f64::from(f32::from_le_bytes([a, b, c, d])),
            Element::F64 => f64::from_le_bytes(bytes),
        }
    }
}

/// An array, its last dimension fastest.
#[derive(Debug, Clone)]
pub(super) struct Array<'a> {
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// The type of its entries.
    pub element: Element,
    /// Whether their bytes begin with the highest.
    pub big_endian: bool,
    /// Their bytes, as many as there are entries.
    pub bytes: Cow<'a, [u8]>,
}

impl Array<'_> {
    /// Its numbers.
    pub fn numbers(&self) -> Vec<f64> {
        let entry = |bytes: &[u8]| {
            let mut lowest_first = [0; 8];
            for (i, &byte) in bytes.iter().enumerate() {
                lowest_first[if self.big_endian { bytes.len() - 1 - i } else { i }] = byte;
            }
            self.element.number(lowest_first)
        };
        self.bytes.chunks_exact(self.element.size()).map(entry).collect()
    }
}

/// Entries of an array of this shape, if they can be counted.
pub(super) fn entries(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &size| product.checked_mul(size))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_from_either_end() {
        let cases: [(Element, &[u8], f64); 11] = [
            (Element::U8, &[200], 200.0),
            (Element::I8, &[200], -56.0),
            (Element::U16, &[1, 128], 32769.0),
            (Element::I16, &[1, 128], -32767.0),
            (Element::U32, &[1, 0, 0, 128], 2_147_483_649.0),
            (Element::I32, &[255, 255, 255, 255], -1.0),
            (Element::U64, &[0, 0, 0, 0, 0, 0, 0, 128], 9_223_372_036_854_775_808.0),
            (Element::I64, &[254, 255, 255, 255, 255, 255, 255, 255], -2.0),
            (Element::F16, &[0, 0xc1], -2.5),
            (Element::F32, &[0, 0, 32, 64], 2.5),
            (Element::F64, &[0, 0, 0, 0, 0, 0, 4, 192], -2.5),
        ];
        for (element, bytes, expected) in cases {
            for big_endian in [false, true] {
                let mut bytes = bytes.to_vec();
                if big_endian {
                    bytes.reverse();
                }
                let array = Array { shape: vec![1], element, big_endian, bytes: bytes.into() };
                assert_eq!(array.numbers(), [expected], "{element:?}");
            }
        }
    }
}
