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

/// Euclidean norm, also of entries whose squares overflow or vanish.
pub fn norm(a: &[f64]) -> f64 {
    /// The squared norms in which no square that counts has been lost.
    const USUAL: std::ops::Range<f64> = 1e-250..1e300;
    let squared = dot(a, a);
    if USUAL.contains(&squared) {
        return squared.sqrt();
    }
    let most = a.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    if !(most > 0.0 && most.is_finite()) || squared.is_nan() {
        return squared.sqrt();
    }
    most * a.iter().map(|x| (x / most).powi(2)).sum::<f64>().sqrt()
}

/// y += a x, for vectors of the same length.
pub(crate) fn axpy(y: &mut [f64], a: f64, x: &[f64]) {
    debug_assert_eq!(y.len(), x.len());
    y.iter_mut().zip(x).for_each(|(y, x)| *y += a * x);
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
    use super::{dot, norm};

    #[test]
    fn a_norm_is_one_whatever_the_size() {
        assert_eq!(norm(&[5e-324]), 5e-324);
        assert!((norm(&[3e-200, 4e-200]) / 5e-200 - 1.0).abs() < 1e-15);
        assert!((norm(&[3e200, 4e200]) / 5e200 - 1.0).abs() < 1e-15);
        assert_eq!(norm(&[]), 0.0);
        assert_eq!(norm(&[0.0; 3]), 0.0);
        assert_eq!(norm(&[1.0, f64::NEG_INFINITY]), f64::INFINITY);
        assert!(norm(&[f64::NAN, f64::INFINITY]).is_nan() && norm(&[1e200, f64::NAN]).is_nan());
    }

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
