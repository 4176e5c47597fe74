//! From settings as given to a run's configuration: what is left out, and what does not go together.
//! (Values that can be used in no run are refused beside their settings, in `config::settings`.)

mod curvature;
mod optimizer;
mod problem;
mod rate;

pub(super) use curvature::Curvature;
pub(super) use optimizer::optimizer;
pub(super) use problem::Problem;
pub(super) use rate::Rate;

use super::Values;
use crate::error::{Error, Result};

/// The one value of a setting of a single run.
pub(super) fn one<T: Clone + std::fmt::Display>(
    flag: &str,
    values: &Option<Values<T>>,
) -> Result<Option<T>> {
    let Some(values) = values else { return Ok(None) };
    match values.0.as_slice() {
        [value] => Ok(Some(value.clone())),
        [] => Err(Error::setting(flag, "[]", "no value", "give one, or leave it out")),
        _ => {
            let remedy = "give one, or compare them with 'sharpscope compare'";
            Err(Error::setting(flag, values, "a run takes one value", remedy))
        }
    }
}
