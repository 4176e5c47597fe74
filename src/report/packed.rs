//! Columns of numbers as a page holds them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

/// A column: one number where all are that number, else base64 of little-endian single-precision floats, those
/// that were not measured being NaN.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub(super) enum Packed {
    Constant(f64),
    Floats(String),
}

impl Packed {
    /// `None` for a column without any number.
    pub fn of(values: impl IntoIterator<Item = Option<f64>>) -> Option<Self> {
        let values: Vec<Option<f64>> = values.into_iter().collect();
        values.iter().flatten().next()?;
        match values[0] {
            Some(first) if first.is_finite() && values.iter().all(|v| *v == Some(first)) => {
                Some(Self::Constant(first))
            }
            _ => Some(Self::floats(values.into_iter().map(|v| v.unwrap_or(f64::NAN)))),
        }
    }

    pub fn floats(values: impl IntoIterator<Item = f64>) -> Self {
        let bytes: Vec<u8> = values.into_iter().flat_map(|x| (x as f32).to_le_bytes()).collect();
        Self::Floats(STANDARD.encode(bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_is_a_number_its_floats_or_nothing() {
        assert_eq!(Packed::of([None, None]), None);
        assert_eq!(Packed::of([]), None);
        assert_eq!(Packed::of([Some(0.1), Some(0.1)]), Some(Packed::Constant(0.1)));
        // 1.0 is 0x3f800000, and NaN 0x7fc00000.
        let floats = Packed::Floats("AACAPwAAwH8=".to_string());
        assert_eq!(Packed::of([Some(1.0), None]), Some(floats));
    }
}
