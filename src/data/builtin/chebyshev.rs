//! Values of a Chebyshev polynomial (Cohen et al. 2021, their toy regression).

use super::generated::{LICENCE, bytes};
use super::{Builtin, DatasetInfo, Defaults, Request};
use crate::data::dataset::{Dataset, digest};
use crate::error::Result;

pub(super) const ENTRY: Builtin = Builtin {
    info: DatasetInfo {
        name: "chebyshev",
        samples: 20,
        inputs: "1 feature",
        targets: "regression",
        licence: LICENCE,
    },
    defaults: Defaults { points: Some(20), degree: Some(5), ..Defaults::NONE },
    text: false,
    standardized: false,
    load,
};

fn load(request: &Request) -> Result<Dataset> {
    let (x, values) = chebyshev(request.points, request.degree);
    let sha256 = digest(&[&bytes(&x), &bytes(&values)]);
    let dataset = Dataset::from_values(request.name, x, 1, values, 1)?;
    Ok(Dataset { sha256, ..dataset })
}

/// `points` numbers (at least 2) evenly spaced on [-1, 1], and the values there of the Chebyshev
/// polynomial of the first kind T_k, k = `degree`, by its recurrence
/// T_k(x) = 2 x T_(k-1)(x) - T_(k-2)(x).
fn chebyshev(points: usize, degree: usize) -> (Vec<f64>, Vec<f64>) {
    let last = (points - 1) as f64;
    let x: Vec<f64> = (0..points).map(|i| 2.0 * i as f64 / last - 1.0).collect();
    let values = x.iter().map(|&x| {
        let (mut now, mut next) = (1.0, x);
        for _ in 0..degree {
            (now, next) = (next, 2.0 * x * next - now);
        }
        now
    });
    let values = values.collect();
    (x, values)
}
