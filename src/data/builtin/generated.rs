//! What data made by formulas and seeded random numbers share.

use rand_distr::{Distribution, StandardNormal};

use super::Request;
use crate::data::dataset::{Dataset, digest};
use crate::error::Result;
use crate::rng::{self, Stream};

/// The licence of what is generated.
pub(super) const LICENCE: &str = "none needed (generated)";

/// Points in the plane on the curve of each class, evenly spaced along it from 0 to 1, with Gaussian
/// noise added to either coordinate. Point i is of class i modulo the number of classes.
///
/// # Errors
/// Those of [`Dataset::from_rows`].
pub(super) fn scattered(
    request: &Request,
    classes: usize,
    curve: impl Fn(usize, f64) -> [f64; 2],
) -> Result<Dataset> {
    let points = request.points;
    let rng = &mut rng::stream(request.seed, Stream::Generation);
    let mut features = Vec::with_capacity(2 * points);
    let mut labels = Vec::with_capacity(points);
    for i in 0..points {
        let class = i % classes;
        let of_class = points / classes + usize::from(class < points % classes);
        let along = (i / classes) as f64 / (of_class - 1).max(1) as f64;
        for coordinate in curve(class, along) {
            let z: f64 = StandardNormal.sample(rng);
            features.push(coordinate + request.noise * z);
        }
        labels.push(class);
    }
    let of_labels: Vec<u8> =
        labels.iter().flat_map(|&label| (label as u64).to_le_bytes()).collect();
    let sha256 = digest(&[&bytes(&features), &of_labels]);
    let dataset = Dataset::from_rows(request.name, features, 2, labels, classes)?;
    Ok(Dataset { sha256, ..dataset })
}

/// The numbers' bytes, lowest first.
pub(super) fn bytes(numbers: &[f64]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}
