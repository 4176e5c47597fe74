//! The few operations on plain vectors that the eigensolvers and the norms share.

use rand::{Rng, RngExt};
use rand_distr::{Distribution, StandardNormal};

/// Inner product of two vectors of the same length.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    debug_assert_eq!(a.len(), b.len());
    // One sum after the other would wait for each addition; these run side by side.
    let (a, a_rest) = a.as_chunks::<8>();
    let (b, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0; 8];
    for (a, b) in a.iter().zip(b) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum += a * b);
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f64>() + rest
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

/// `count` such vectors, one after the other.
pub fn random_unit_vectors<R: Rng>(n: usize, count: usize, rng: &mut R) -> Vec<f64> {
    (0..count).flat_map(|_| random_unit_vector(n, rng)).collect()
}

/// A vector of n independent signs, +1 or -1.
pub fn rademacher_vector<R: Rng>(n: usize, rng: &mut R) -> Vec<f64> {
    (0..n).map(|_| if rng.random::<bool>() { 1.0 } else { -1.0 }).collect()
}

#[cfg(test)]
mod tests {
    use super::dot;

    #[test]
    fn an_inner_product_takes_in_every_entry() {
        for n in 0..=20 {
            let a: Vec<f64> = (1..=n).map(f64::from).collect();
            let b: Vec<f64> = (1..=n).map(|i| f64::from(i * i)).collect();
            let expected = f64::from(n * (n + 1) / 2).powi(2);
            assert_eq!(dot(&a, &b), expected, "length {n}");
        }
    }
}
