//! The few operations on plain vectors that the eigensolvers and the norms share.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Inner product of two vectors of the same length.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// Euclidean norm.
pub fn norm(a: &[f64]) -> f64 {
    dot(a, a).sqrt()
}

/// A vector drawn uniformly from the unit sphere of R^n (normalised Gaussian entries).
pub fn random_unit_vector<R: Rng>(n: usize, rng: &mut R) -> Vec<f64> {
    let mut v: Vec<f64> = StandardNormal.sample_iter(rng).take(n).collect();
    let length = norm(&v);
    if length > 0.0 {
        v.iter_mut().for_each(|x| *x /= length);
    }
    v
}

/// A vector of n independent signs, +1 or -1.
pub fn rademacher_vector<R: Rng>(n: usize, rng: &mut R) -> Vec<f64> {
    (0..n).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect()
}
