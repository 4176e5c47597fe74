//! The eigensolvers and vector operations of `sharpscope::linalg`.
//!
//! Lanczos runs on matrices A = Q diag(lambda) Q' with chosen eigenvalues and a random orthogonal Q
//! (a Householder QR of Gaussian entries), so that every eigenvalue and eigenvector is known
//! beforehand. [`Problem::solve`] recomputes what each solve reports (residuals, orthonormality,
//! flags, the count of products) from A's entries by plain loops. One matrix given by a formula is
//! compared with SciPy. The dense and tridiagonal solvers are checked against closed forms and
//! against the definition of an eigenpair.

mod degenerate;
mod dense;
mod lanczos_errors;
mod lanczos_guard;
mod lanczos_stops;
mod lanczos_values;
mod vectors;

use faer::Mat;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use serde::Deserialize;
use sharpscope::error::{Error, Result};
use sharpscope::linalg::{
    DenseOperator, EigenDecomposition, EigenPair, Lanczos, LanczosOutcome, StopReason,
    SymmetricOperator, dot, norm, random_unit_vector, symmetric_eigen, tridiagonal_eigen,
};

const EPS: f64 = f64::EPSILON;

fn rng(seed: u64) -> ChaCha8Rng {
    ChaCha8Rng::seed_from_u64(seed)
}

fn gaussian(n: usize, rng: &mut impl Rng) -> Vec<f64> {
    StandardNormal.sample_iter(rng).take(n).collect()
}

/// Random cases, new ones in each run; no file of failed ones is kept.
fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

fn max_abs(values: &[f64]) -> f64 {
    values.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

/// `count` values from `from` to `to`, evenly spaced, both included.
fn spread(from: f64, to: f64, count: usize) -> impl Iterator<Item = f64> {
    (0..count).map(move |i| from + (to - from) * i as f64 / (count - 1) as f64)
}

fn assert_near(found: f64, expected: f64, allowed: f64, what: &str) {
    assert!(
        (found - expected).abs() <= allowed,
        "{what}: found {found:e}, expected {expected:e}, difference {:e}, allowed {allowed:e}",
        (found - expected).abs()
    );
}

/// A symmetric operator that counts the products asked of it.
struct Counted<A> {
    inner: A,
    calls: usize,
}

impl<A: SymmetricOperator> SymmetricOperator for Counted<A> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.calls += 1;
        self.inner.apply(x, y)
    }
}

/// `A x` by the definition, for an n * n symmetric A.
fn product(entries: &[f64], x: &[f64]) -> Vec<f64> {
    entries.chunks_exact(x.len()).map(|row| row.iter().zip(x).map(|(a, b)| a * b).sum()).collect()
}

/// `||A u - lambda u||`, by the definition.
fn true_residual(entries: &[f64], value: f64, vector: &[f64]) -> f64 {
    let image = product(entries, vector);
    norm(&image.iter().zip(vector).map(|(a, u)| a - value * u).collect::<Vec<f64>>())
}

fn assert_orthonormal(vectors: &[&[f64]], allowed: f64) {
    for (i, a) in vectors.iter().enumerate() {
        for (j, b) in vectors.iter().enumerate().take(i + 1) {
            let expected = f64::from(u8::from(i == j));
            assert_near(dot(a, b), expected, allowed, &format!("vectors {i} and {j}"));
        }
    }
}

/// A matrix whose eigenvalues and eigenvectors are known.
struct Problem {
    /// The eigenvalues, in the order given.
    values: Vec<f64>,
    /// Column i is the eigenvector of `values[i]`.
    vectors: Mat<f64>,
    entries: Vec<f64>,
}

impl Problem {
    /// `Q diag(values) Q'` with a random orthogonal Q.
    fn rotated(values: impl IntoIterator<Item = f64>, seed: u64) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        let draws = gaussian(n * n, &mut rng(seed));
        let q = Mat::from_fn(n, n, |i, j| draws[i * n + j]).qr().compute_Q();
        let scaled = Mat::from_fn(n, n, |i, j| q[(i, j)] * values[j]);
        let a = &scaled * q.transpose();
        let entries =
            (0..n * n).map(|ij| 0.5 * (a[(ij / n, ij % n)] + a[(ij % n, ij / n)])).collect();
        Self { values, vectors: q, entries }
    }

    /// `diag(values)`: products with it are exact.
    fn diagonal(values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().collect();
        let n = values.len();
        let entries =
            (0..n * n).map(|ij| if ij / n == ij % n { values[ij / n] } else { 0.0 }).collect();
        Self { values, vectors: Mat::identity(n, n), entries }
    }

    fn n(&self) -> usize {
        self.values.len()
    }

    fn operator(&self) -> DenseOperator {
        DenseOperator::new(self.n(), self.entries.clone()).expect("n * n entries")
    }

    /// What rounding may do to an eigenvalue or to a residual: forming A, its products and the
    /// orthogonalisation perturb A by a few n eps ||A|| at most.
    fn rounding(&self) -> f64 {
        8.0 * self.n() as f64 * EPS * max_abs(&self.values)
    }

    /// The combination of the eigenvectors with these weights.
    fn combination(&self, weight: impl Fn(usize) -> f64) -> Vec<f64> {
        let n = self.n();
        (0..n).map(|row| (0..n).map(|i| weight(i) * self.vectors[(row, i)]).sum()).collect()
    }

    fn random_start(&self) -> Vec<f64> {
        random_unit_vector(self.n(), &mut rng(99))
    }

    /// The eigenvalues from the largest to the smallest.
    fn descending(&self) -> Vec<f64> {
        let mut sorted = self.values.clone();
        sorted.sort_by(|a, b| b.total_cmp(a));
        sorted
    }

    /// Solves from `start`, and checks everything in the outcome that can be recomputed from A.
    fn solve_from(&self, settings: Lanczos, start: &[f64]) -> LanczosOutcome {
        let mut counted = Counted { inner: self.operator(), calls: 0 };
        let outcome = settings.solve(&mut counted, start).expect("a finite operator");
        assert_eq!(outcome.applications, counted.calls, "reported products against counted ones");
        self.check(settings, &outcome);
        outcome
    }

    fn solve(&self, settings: Lanczos) -> LanczosOutcome {
        self.solve_from(settings, &self.random_start())
    }

    fn check(&self, settings: Lanczos, outcome: &LanczosOutcome) {
        let LanczosOutcome { largest, smallest, stop, applications: m, passes } = outcome;
        assert!(*passes <= *m, "{passes} blocks of {m} products");
        assert!(*m <= settings.max_iterations && *m <= self.n(), "{m} products");
        assert_eq!(largest.len(), settings.largest.min(*m));
        assert_eq!(smallest.len(), settings.smallest.min(*m));
        assert!(largest.is_sorted_by(|a, b| a.value >= b.value), "largest first");
        assert!(smallest.is_sorted_by(|a, b| a.value <= b.value), "smallest first");

        let mut pairs: Vec<&EigenPair> = largest.iter().collect();
        if largest.len() + smallest.len() <= *m {
            pairs.extend(smallest);
        }
        let vectors: Vec<&[f64]> = pairs.iter().map(|p| p.vector.as_slice()).collect();
        assert_orthonormal(&vectors, 8.0 * self.n() as f64 * EPS);

        // Each end's first value is the extreme Ritz value there. Where only one end is wanted, its
        // first value must be the largest in magnitude (or its residuals be checked elsewhere).
        let ends = [largest.first(), smallest.first()];
        let magnitude = ends.into_iter().flatten().map(|p| p.value.abs()).fold(0.0, f64::max);
        let relative_to_itself = largest.iter().map(|p| (p, p.value.abs()));
        for (pair, unit) in relative_to_itself.chain(smallest.iter().map(|p| (p, magnitude))) {
            assert_near(
                pair.residual * unit,
                true_residual(&self.entries, pair.value, &pair.vector),
                self.rounding(),
                &format!("residual of the pair at {}", pair.value),
            );
            assert_eq!(pair.converged, pair.residual <= settings.tolerance, "{}", pair.residual);
        }

        let mut all = largest.iter().chain(smallest);
        match stop {
            StopReason::Converged => assert!(all.all(|p| p.converged)),
            StopReason::InvariantSubspace => assert!(all.all(|p| p.residual == 0.0)),
            StopReason::IterationLimit => assert_eq!(*m, settings.max_iterations),
        }
    }

    /// Checks the values at the two ends against those chosen, to rounding.
    fn assert_ends(&self, outcome: &LanczosOutcome) {
        let mut expected = self.descending();
        assert_values(&outcome.largest, &expected, self.rounding());
        expected.reverse();
        assert_values(&outcome.smallest, &expected, self.rounding());
    }
}

fn assert_values(pairs: &[EigenPair], expected: &[f64], allowed: f64) {
    for (i, (pair, value)) in pairs.iter().zip(expected).enumerate() {
        assert_near(pair.value, *value, allowed, &format!("eigenvalue {i}"));
    }
}

/// Settings for `largest` pairs to (nearly) full precision: the error of a value is of second order
/// in the residual, hence rounding.
fn precisely(largest: usize) -> Lanczos {
    Lanczos { largest, smallest: 0, tolerance: 1e-10, max_iterations: 1000 }
}
