//! Whether a constant can be used; each check names the key and what to give instead.

use crate::error::{Error, Result};

/// That it is a number above 0.
pub(super) fn positive(key: &str, value: f64) -> Result<()> {
    let usable = value.is_finite() && value > 0.0;
    check(usable, key, value, "not a positive number", "give one above 0")
}

/// That it is a number of at least 0.
pub(super) fn not_negative(key: &str, value: f64) -> Result<()> {
    let usable = value.is_finite() && value >= 0.0;
    check(usable, key, value, "below 0 or not a number", "give one of at least 0")
}

/// That it is above 0 and at most 1.
pub(super) fn share(key: &str, value: f64) -> Result<()> {
    positive(key, value)?;
    check(value <= 1.0, key, value, "a share above 1", "give one of at most 1")
}

/// That it is a number of at least 1.
pub(super) fn factor(key: &str, value: f64) -> Result<()> {
    check(value.is_finite(), key, value, "not a finite number", "give one of at least 1")?;
    check(value >= 1.0, key, value, "below 1", "give one of at least 1")
}

/// That there are so many.
pub(super) fn at_least(key: &str, value: usize, least: usize) -> Result<()> {
    match value < least {
        true => Err(Error::setting(key, value, "too few", format!("give {least} or more"))),
        false => Ok(()),
    }
}

/// That there are at least as many as `other` wants.
pub(super) fn not_below(key: &str, value: usize, other: &str, least: usize) -> Result<()> {
    match value < least {
        true => {
            let remedy = format!("give {least} or more, or lower {other}");
            Err(Error::setting(key, value, format!("below {other}"), remedy))
        }
        false => Ok(()),
    }
}

/// That what is entered at `high` is not left at once, at `low`.
pub(super) fn ordered(low: (&str, f64), high: (&str, f64)) -> Result<()> {
    let ((key, value), (bound, above)) = (low, high);
    // An undefined number is in no order, and does not pass.
    let (problem, remedy) =
        (format!("above {bound}"), format!("give at most {above} or raise {bound}"));
    check(value <= above, key, value, &problem, &remedy)
}

/// That all are finite.
pub(super) fn finite(key: &str, values: &[f64]) -> Result<()> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(&value) => check(false, key, value, "not a finite number", "fit them again"),
        None => Ok(()),
    }
}

fn check(usable: bool, key: &str, value: f64, problem: &str, remedy: &str) -> Result<()> {
    match usable {
        true => Ok(()),
        false => Err(Error::setting(key, format!("{value:?}"), problem, remedy)),
    }
}
