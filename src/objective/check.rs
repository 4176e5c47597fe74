//! Checks that objectives share.

use crate::error::{Error, Result};

/// Most variables: what is drawn and shown of a point stays small.
const MOST_VARIABLES: usize = 100_000;

fn wrong(key: &str, value: impl ToString, problem: &str, remedy: &str) -> Error {
    let key = format!("objective.{key}");
    Error::setting(&key, value, problem.to_string(), remedy.to_string())
}

/// A size within bounds.
pub(super) fn size(key: &str, value: usize, least: usize) -> Result<()> {
    if value < least {
        let remedy = format!("give {least} or more");
        return Err(wrong(key, value, "too few", &remedy));
    }
    if value > MOST_VARIABLES {
        let remedy = format!("give at most {MOST_VARIABLES}");
        return Err(wrong(key, value, "too many", &remedy));
    }
    Ok(())
}

/// A finite number above zero.
pub(super) fn positive(key: &str, value: f64) -> Result<()> {
    if value.is_finite() && value > 0.0 {
        return Ok(());
    }
    Err(wrong(key, format!("{value:?}"), "out of range", "give a finite number above 0"))
}

/// A finite number that is zero or above.
pub(super) fn not_negative(key: &str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(wrong(key, format!("{value:?}"), "out of range", "give a finite number, 0 or above"))
}

/// A finite number.
pub(super) fn finite(key: &str, value: f64) -> Result<()> {
    if value.is_finite() {
        return Ok(());
    }
    Err(wrong(key, format!("{value:?}"), "no finite number", "give a finite number"))
}

/// Finite numbers, at least `least` of them.
pub(super) fn numbers(key: &str, values: &[f64], least: usize) -> Result<()> {
    size(&format!("{key} (how many)"), values.len(), least)?;
    values.iter().try_for_each(|&value| finite(key, value))
}

/// What does not go with another key.
pub(super) fn refuse(key: &str, value: impl ToString, problem: &str, remedy: &str) -> Result<()> {
    Err(wrong(key, value, problem, remedy))
}
