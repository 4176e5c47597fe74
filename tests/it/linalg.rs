//! The eigensolvers and vector operations of `sharpscope::linalg`.
//!
//! Lanczos runs on matrices A = Q diag(lambda) Q' with chosen eigenvalues and a random orthogonal Q
//! (a Householder QR of Gaussian entries), so that every eigenvalue and eigenvector is known
//! beforehand. [`Problem::solve`] recomputes what each solve reports (residuals, orthonormality,
//! flags, the count of products) from A's entries by plain loops. One matrix given by a formula is
//! compared with SciPy. The dense and tridiagonal solvers are checked against closed forms and
//! against the definition of an eigenpair.

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

mod lanczos_values {
    use super::*;

    #[test]
    fn well_separated_eigenvalues_are_found_in_order() {
        let problem = Problem::rotated((0..60).map(|i| 100.0 * 0.8_f64.powi(i)), 1);
        let outcome = problem.solve(precisely(6));
        assert_eq!(outcome.stop, StopReason::Converged);
        assert!(outcome.applications < 60, "{} products", outcome.applications);
        problem.assert_ends(&outcome);
    }

    #[test]
    fn a_clustered_top_is_resolved() {
        let top = [1.0, 0.99, 0.989, 0.988];
        let problem = Problem::rotated(top.into_iter().chain(spread(0.0, 0.5, 96)), 2);
        let outcome = problem.solve(precisely(4));
        assert_eq!(outcome.stop, StopReason::Converged);
        problem.assert_ends(&outcome);
    }

    /// The Krylov space holds one direction of each eigenspace, that of the start vector's part in
    /// it: the double eigenvalue comes once, with that direction, and the next distinct one
    /// follows.
    #[test]
    fn a_repeated_top_eigenvalue_is_returned_once() {
        let problem =
            Problem::rotated([3.0, 3.0, 2.0, 1.5].into_iter().chain(spread(0., 1., 76)), 3);
        let weight = |i: usize| [0.6, -0.8].get(i).copied().unwrap_or(1.0);
        // At a tighter tolerance, rounding would in the end bring in the second direction too.
        let settings = Lanczos { tolerance: 1e-6, ..precisely(2) };
        let outcome = problem.solve_from(settings, &problem.combination(weight));
        assert_eq!(outcome.stop, StopReason::Converged);
        // Error of second order: residual^2 / gap, with gaps of 1 and 0.5.
        assert_values(&outcome.largest, &[3.0, 2.0], 2.0 * (2e-6_f64).powi(2) / 0.5);
        let direction = problem.combination(|i| if i < 2 { weight(i) } else { 0.0 });
        // The angle to the eigenvector is at most the residual (3e-6) over the gap (1).
        assert_near(dot(&direction, &outcome.largest[0].vector).abs(), 1.0, 1e-10, "|cosine|");
    }

    /// Largest means algebraically: the huge negative value is no candidate.
    #[test]
    fn of_negative_eigenvalues_the_least_negative_is_the_largest() {
        let problem = Problem::rotated(spread(-60.0, -1.0, 60).chain([-1e4]), 4);
        let outcome = problem.solve(precisely(3));
        problem.assert_ends(&outcome);
        assert_near(outcome.largest[0].value, -1.0, problem.rounding(), "largest");
    }

    #[test]
    fn both_ends_of_a_mixed_spectrum_are_found_together() {
        let problem = Problem::rotated(spread(-5.0, 7.0, 80).chain([-9.0, 8.0, 8.5]), 5);
        let outcome = problem.solve(Lanczos { smallest: 3, ..precisely(4) });
        assert_eq!(outcome.stop, StopReason::Converged);
        problem.assert_ends(&outcome);
        assert_eq!((outcome.largest.len(), outcome.smallest.len()), (4, 3));
    }

    #[test]
    fn the_smallest_alone_are_found() {
        let problem = Problem::rotated(spread(-3.0, 1.0, 60).chain([-5.0, -4.0]), 6);
        let outcome = problem.solve(Lanczos { smallest: 3, ..precisely(0) });
        assert_eq!(outcome.stop, StopReason::Converged);
        assert!(outcome.largest.is_empty());
        problem.assert_ends(&outcome);
    }

    /// Products come from one and the same Krylov space, whichever pairs are wanted, so that asking
    /// for the largest too reveals the magnitude that the smallest pair's residual is relative to.
    #[test]
    fn the_smallest_pairs_residual_is_relative_to_the_largest_magnitude() {
        let problem = Problem::rotated(spread(-1.0, 50.0, 100), 7);
        let start = problem.random_start();
        let settings = Lanczos { largest: 0, smallest: 1, tolerance: 1e-12, max_iterations: 20 };
        let alone = settings.solve(&mut problem.operator(), &start).expect("solve");
        let both = problem.solve_from(Lanczos { largest: 1, ..settings }, &start);
        assert_eq!(alone.smallest, both.smallest);
        assert!(both.largest[0].value > 10.0 * both.smallest[0].value.abs());
        assert!(alone.smallest[0].residual > 1e-6, "far from rounding");
    }

    /// Without reorthogonalisation a converged outlier comes back as a second, false copy after
    /// some twenty steps; here 150 and more follow.
    #[test]
    fn no_ghost_copies_of_an_outlier_appear() {
        let problem = Problem::rotated(spread(0.0, 1.0, 400).chain([1e3]), 8);
        let outcome = problem.solve(Lanczos { tolerance: 1e-12, ..precisely(3) });
        assert!(outcome.applications >= 150, "{} products", outcome.applications);
        assert_eq!(outcome.stop, StopReason::Converged);
        problem.assert_ends(&outcome);
    }

    /// For a separated eigenvalue the error is at most (absolute residual)^2 / gap, where the gap
    /// is from the Ritz value to the other eigenvalues: 0.5 less the error itself.
    #[test]
    fn the_error_of_a_value_is_of_second_order_in_the_residual() {
        let problem = Problem::rotated([2.0].into_iter().chain(spread(0.0, 1.5, 149)), 9);
        let mut seen = 0;
        for max_iterations in 4..16 {
            let outcome = problem.solve(Lanczos { max_iterations, ..precisely(1) });
            let pair = &outcome.largest[0];
            let residual = pair.residual * pair.value;
            if (1e-5..0.1).contains(&residual) {
                seen += 1;
                assert_near(pair.value, 2.0, residual.powi(2) / 0.4 + problem.rounding(), "top");
            }
        }
        assert!(seen >= 5, "only {seen} residuals were of a size that shows the order");
    }

    #[derive(Deserialize)]
    struct Reference {
        size: usize,
        largest: Vec<f64>,
        smallest: Vec<f64>,
    }

    /// The file is made by scripts/scipy/lanczos_reference.py, from the same formula.
    #[test]
    fn values_equal_those_of_scipy() {
        let reference: Reference =
            serde_json::from_str(include_str!("../data/lanczos.json")).expect("reference file");
        let n = reference.size;
        let entry =
            |i: usize, j: usize| ((i * j + i + j) as f64).cos() / (1 + i.abs_diff(j)) as f64;
        let entries = (0..n * n).map(|ij| entry(ij / n, ij % n)).collect();
        let mut operator = DenseOperator::new(n, entries).expect("n * n entries");
        let settings = Lanczos {
            largest: reference.largest.len(),
            smallest: reference.smallest.len(),
            ..precisely(0)
        };
        assert_eq!((settings.largest, settings.smallest), (5, 3));
        let start = random_unit_vector(n, &mut rng(10));
        let found = settings.solve(&mut operator, &start).expect("solve");
        let pairs = found.largest.iter().chain(&found.smallest);
        for (pair, value) in pairs.zip(reference.largest.iter().chain(&reference.smallest)) {
            assert_near(pair.value, *value, 1e-10 * value.abs(), "against SciPy");
        }
    }

    proptest! {
        #![proptest_config(cases(64))]

        /// Eigenvalues at least half a unit apart, shifted so that either end may be the larger in
        /// magnitude; the limit lets the Krylov space fill R^n.
        #[test]
        fn any_separated_spectrum_is_recovered(
            jitter in prop::collection::vec(0.0..0.5_f64, 1..14),
            shift in -14.0..2.0_f64,
            ends in (1..4_usize, 0..4_usize),
            seed in any::<u64>(),
        ) {
            let values = jitter.iter().enumerate().map(|(i, x)| i as f64 + x + shift);
            let problem = Problem::rotated(values, seed);
            let outcome = problem.solve(Lanczos { smallest: ends.1, ..precisely(ends.0) });
            problem.assert_ends(&outcome);
        }
    }
}

mod lanczos_stops {
    use super::*;

    fn assert_exhausted_after(outcome: &LanczosOutcome, products: usize) {
        assert_eq!((outcome.stop, outcome.applications), (StopReason::InvariantSubspace, products));
        assert!(outcome.largest.iter().chain(&outcome.smallest).all(|p| p.converged));
    }

    /// The Krylov space has one direction for each distinct eigenvalue, zero among them.
    #[test]
    fn a_matrix_of_low_rank_is_exhausted_after_its_rank_and_one() {
        let zeros = std::iter::repeat_n(0.0, 97);
        let problem = Problem::rotated([5.0, 2.0, -1.0].into_iter().chain(zeros), 20);
        let outcome = problem.solve(Lanczos { smallest: 1, ..precisely(6) });
        assert_exhausted_after(&outcome, 4);
        assert_values(&outcome.largest, &[5.0, 2.0, 0.0, -1.0], problem.rounding());
        assert_values(&outcome.smallest, &[-1.0], problem.rounding());
    }

    #[test]
    fn dimensions_below_the_limit_and_the_wanted_count_are_solved_wholly() {
        for n in [1, 2, 3, 5] {
            let problem = Problem::rotated(spread(-2.0, 1.0, n + 1).skip(1), 21);
            let outcome = problem.solve(Lanczos { smallest: 5, ..precisely(5) });
            assert_exhausted_after(&outcome, n);
            assert_eq!((outcome.largest.len(), outcome.smallest.len()), (n, n));
            problem.assert_ends(&outcome);
        }
    }

    #[test]
    fn a_multiple_of_the_identity_is_exhausted_at_once() {
        for factor in [1.0, -7.5, 1e-30, 0.0] {
            let problem = Problem::diagonal([factor; 50]);
            let outcome = problem.solve(Lanczos { smallest: 1, ..precisely(3) });
            assert_exhausted_after(&outcome, 1);
            assert_eq!((outcome.largest.len(), outcome.smallest.len()), (1, 1));
            problem.assert_ends(&outcome);
        }
    }

    /// Another eigenvector than the top one: nothing outside its line can be found from it.
    #[test]
    fn an_eigenvector_as_start_returns_its_own_eigenvalue() {
        for problem in
            [Problem::diagonal(spread(5.0, 1.0, 9)), Problem::rotated(spread(5., 1., 9), 22)]
        {
            let start = problem.combination(|i| if i == 4 { 2.5 } else { 0.0 });
            let outcome = problem.solve_from(precisely(2), &start);
            assert_exhausted_after(&outcome, 1);
            assert_values(&outcome.largest, &[3.0], problem.rounding());
            let cosine = dot(&outcome.largest[0].vector, &start) / norm(&start);
            assert_near(cosine.abs(), 1.0, 8.0 * 9.0 * EPS, "|cosine| with the start");
        }
    }

    /// The eigenvalues inside lie far apart, so that the rounding of the start vector, which leads
    /// out of the subspace, is not amplified on the way to the breakdown.
    #[test]
    fn a_start_in_an_invariant_subspace_returns_the_eigenvalues_there() {
        let inside = [1, 7, 13];
        for problem in
            [Problem::diagonal(spread(15.0, 1.0, 15)), Problem::rotated(spread(15., 1., 15), 23)]
        {
            let start = problem.combination(|i| f64::from(u8::from(inside.contains(&i))));
            let outcome = problem.solve_from(Lanczos { smallest: 2, ..precisely(5) }, &start);
            assert_exhausted_after(&outcome, 3);
            assert_values(&outcome.largest, &[14.0, 8.0, 2.0], problem.rounding());
            assert_values(&outcome.smallest, &[2.0, 8.0], problem.rounding());
        }
    }

    /// A start vector that is an eigenvector up to 1e-11 leaves a beta of that size, which is small
    /// but no rounding: the solve goes on to the true ends.
    #[test]
    fn a_start_close_to_an_eigenvector_is_no_breakdown() {
        let problem = Problem::diagonal(spread(30.0, 1.0, 30));
        let start = problem.combination(|i| if i == 14 { 1.0 } else { 1e-11 });
        let outcome = problem.solve_from(Lanczos { smallest: 1, ..precisely(2) }, &start);
        problem.assert_ends(&outcome);
        assert_values(&outcome.largest, &[30.0, 29.0], problem.rounding());
    }

    /// The outlier has converged by then, the edge of the rest has not. The second limit lies where
    /// the small eigenproblem is no longer solved at every step.
    #[test]
    fn the_iteration_limit_is_kept_and_unconverged_pairs_are_flagged() {
        let problem = Problem::rotated(spread(0.0, 1.0, 300).chain([100.0]), 24);
        for limit in [12, 53] {
            let outcome =
                problem.solve(Lanczos { tolerance: 1e-9, max_iterations: limit, ..precisely(3) });
            assert_eq!(outcome.stop, StopReason::IterationLimit);
            assert_eq!(outcome.applications, limit);
            let flags: Vec<bool> = outcome.largest.iter().map(|p| p.converged).collect();
            assert_eq!(flags, [true, false, false]);
            assert!(outcome.largest[2].residual > 1e-6, "far from rounding");
        }
    }

    #[test]
    fn a_limit_below_the_wanted_count_returns_as_many_pairs_as_products() {
        let problem = Problem::rotated(spread(0.0, 1.0, 40), 25);
        let outcome = problem.solve(Lanczos { max_iterations: 2, ..precisely(5) });
        assert_eq!((outcome.stop, outcome.applications), (StopReason::IterationLimit, 2));
        assert_eq!(outcome.largest.len(), 2);
        assert!(outcome.largest.iter().all(|p| !p.converged));
    }

    /// Every wanted pair meets the tolerance at the end, and with one product less some wanted pair
    /// or the guard did not: a looser tolerance must cost less.
    #[test]
    fn a_looser_tolerance_takes_fewer_products() {
        let problem = Problem::rotated(spread(0.0, 1.0, 200).chain([1.5, 1.4, 1.3]), 26);
        let products = [1e-1, 1e-3, 1e-6, 1e-9].map(|tolerance| {
            let outcome = problem.solve(Lanczos { tolerance, ..precisely(2) });
            assert_eq!(outcome.stop, StopReason::Converged);
            outcome.applications
        });
        assert!(products.is_sorted_by(|a, b| a < b), "{products:?}");
    }

    #[test]
    fn neither_the_starts_length_nor_the_operators_unit_matter() {
        let problem = Problem::rotated(spread(-1.0, 1.0, 80).chain([1.5]), 27);
        let start = problem.random_start();
        let settings = Lanczos { smallest: 1, tolerance: 1e-6, ..precisely(2) };
        let expected = problem.solve_from(settings, &start);
        let longer: Vec<f64> = start.iter().map(|x| x * 1024.0).collect();
        assert_eq!(problem.solve_from(settings, &longer), expected);

        for unit in [2.0_f64.powi(-60), 2.0_f64.powi(60)] {
            let scaled = Problem {
                values: problem.values.iter().map(|x| x * unit).collect(),
                vectors: problem.vectors.clone(),
                entries: problem.entries.iter().map(|x| x * unit).collect(),
            };
            let found = scaled.solve_from(settings, &start);
            assert_eq!(found.applications, expected.applications);
            for (a, b) in found.largest.iter().zip(&expected.largest) {
                assert_near(a.value, b.value * unit, scaled.rounding(), "scaled value");
            }
        }
    }

    #[test]
    fn stop_reasons_have_names() {
        let names =
            [StopReason::Converged, StopReason::InvariantSubspace, StopReason::IterationLimit]
                .map(|reason| reason.to_string());
        assert_eq!(names, ["converged", "invariant subspace", "iteration limit"]);
    }
}

mod lanczos_guard {
    use super::*;

    /// Two extreme eigenvalues 0.6% apart beyond a dense rest, and a start vector with 50 times as
    /// much of the second as of the first.
    fn deceptive(sign: f64, seed: u64) -> (Problem, Vec<f64>) {
        let values = [1.006, 1.0].into_iter().chain(spread(0.0, 0.7, 198));
        let problem = Problem::rotated(values.map(|x| sign * x), seed);
        let mut weights = gaussian(problem.n(), &mut rng(1000 + seed));
        weights[1] = 10.0;
        weights[0] = 0.02 * weights[1];
        let start = problem.combination(|i| weights[i]);
        (problem, start)
    }

    /// What a solver without a guard returns: the pair at the first step at which it meets the
    /// tolerance.
    fn unguarded(
        problem: &Problem,
        settings: Lanczos,
        start: &[f64],
        wanted: impl Fn(LanczosOutcome) -> EigenPair,
    ) -> EigenPair {
        (1..problem.n())
            .map(|max_iterations| {
                let limited = Lanczos { max_iterations, ..settings };
                wanted(limited.solve(&mut problem.operator(), start).expect("solve"))
            })
            .find(|pair| pair.converged)
            .expect("some step converges")
    }

    fn assert_guarded(
        sign: f64,
        settings: Lanczos,
        wanted: impl Fn(LanczosOutcome) -> EigenPair + Copy,
    ) {
        for seed in 30..35 {
            let (problem, start) = deceptive(sign, seed);
            let fooled = unguarded(&problem, settings, &start, wanted);
            assert_near(fooled.value, sign, 1e-4, "without a guard it settles on the second");
            let outcome = problem.solve_from(settings, &start);
            assert_eq!(outcome.stop, StopReason::Converged);
            // Error of second order: (1e-3)^2 over the gap of 6e-3.
            assert_near(wanted(outcome).value, sign * 1.006, 2e-4, "with a guard");
        }
    }

    fn settings(largest: usize, smallest: usize) -> Lanczos {
        Lanczos { largest, smallest, tolerance: 1e-3, max_iterations: 150 }
    }

    #[test]
    fn a_start_nearly_without_the_largest_eigenvector_still_finds_it() {
        assert_guarded(1.0, settings(1, 0), |mut outcome| outcome.largest.remove(0));
    }

    #[test]
    fn a_start_nearly_without_the_smallest_eigenvector_still_finds_it() {
        assert_guarded(-1.0, settings(0, 1), |mut outcome| outcome.smallest.remove(0));
    }

    /// The guard lies in a bulk a thousand times smaller than the wanted value. To resolve it there
    /// relative to itself would take dozens of products.
    #[test]
    fn a_guard_near_zero_does_not_prolong_the_solve() {
        let problem = Problem::rotated(spread(-1e-3, 1e-3, 299).chain([1.0]), 36);
        let outcome = problem.solve(settings(1, 0));
        assert_eq!(outcome.stop, StopReason::Converged);
        assert!(outcome.applications <= 6, "{} products", outcome.applications);
        assert_near(outcome.largest[0].value, 1.0, 1e-5, "top");
    }
}

mod lanczos_errors {
    use super::*;

    /// diag(1, ..., 20), whose product number `at` (from 1) is spoilt.
    struct Failing<F> {
        at: usize,
        calls: usize,
        spoil: F,
    }

    impl<F: Fn(&mut [f64]) -> Result<()>> SymmetricOperator for Failing<F> {
        fn dim(&self) -> usize {
            20
        }

        fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
            self.calls += 1;
            y.iter_mut().zip(x).enumerate().for_each(|(i, (y, x))| *y = (1 + i) as f64 * x);
            if self.calls == self.at { (self.spoil)(y) } else { Ok(()) }
        }
    }

    fn error_of(spoil: impl Fn(&mut [f64]) -> Result<()>, at: usize) -> Error {
        let mut operator = Failing { at, calls: 0, spoil };
        let error = precisely(2).solve(&mut operator, &[1.0; 20]).expect_err("a spoilt product");
        assert_eq!(operator.calls, at, "products after the spoilt one");
        error
    }

    #[test]
    fn a_product_that_is_not_finite_is_an_error() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            for at in [1, 4] {
                let error = error_of(
                    |y| {
                        y[7] = bad;
                        Ok(())
                    },
                    at,
                );
                assert!(matches!(error, Error::NonFinite { .. }), "{error:?}");
            }
        }
    }

    #[test]
    fn an_operators_error_is_passed_on() {
        for at in [1, 4] {
            let error = error_of(
                |_| Err(Error::Numerical { what: "probe", reason: "asked to".into() }),
                at,
            );
            assert!(matches!(error, Error::Numerical { what: "probe", .. }), "{error:?}");
        }
    }

    fn error_of_start(start: &[f64]) -> Error {
        let mut counted =
            Counted { inner: Problem::diagonal([1.0, 2.0, 3.0]).operator(), calls: 0 };
        let error = precisely(1).solve(&mut counted, start).expect_err("a useless start vector");
        assert_eq!(counted.calls, 0, "products before the start vector was checked");
        error
    }

    #[test]
    fn a_start_of_the_wrong_length_is_refused() {
        for length in [0, 2, 4] {
            let error = error_of_start(&vec![1.0; length]);
            assert!(
                matches!(error, Error::Length { found, expected: 3, .. } if found == length),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_start_that_is_zero_or_not_finite_is_refused() {
        for bad in [0.0, f64::NAN, f64::INFINITY] {
            let error = error_of_start(&[0.0, bad, 0.0]);
            assert!(matches!(error, Error::Numerical { .. }), "{error:?}");
        }
    }

    #[test]
    fn an_operator_of_the_wrong_size_is_refused() {
        let error = DenseOperator::new(3, vec![0.0; 8]).expect_err("8 entries");
        assert!(matches!(error, Error::Length { found: 8, expected: 9, .. }), "{error:?}");
    }
}

mod dense {
    use super::*;

    /// Checks the decomposition of the matrix with these entries against the definition.
    fn assert_decomposes(n: usize, entries: &[f64], found: &EigenDecomposition) {
        // The backward error of a symmetric eigensolver is a small multiple of n eps ||A||.
        let allowed = 8.0 * n as f64 * EPS;
        let vectors: Vec<&[f64]> = (0..n).map(|i| found.vector(i)).collect();
        assert_eq!(found.values.len(), n);
        assert!(found.values.is_sorted(), "ascending: {:?}", found.values);
        assert_orthonormal(&vectors, allowed);
        for (value, vector) in found.values.iter().zip(&vectors) {
            let residual = true_residual(entries, *value, vector);
            assert_near(residual, 0.0, allowed * norm(entries), "||A v - lambda v||");
        }
        let trace: f64 = (0..n).map(|i| entries[i * n + i]).sum();
        assert_near(found.values.iter().sum(), trace, allowed * norm(entries), "trace");
        assert_near(norm(&found.values), norm(entries), allowed * norm(entries), "Frobenius norm");
    }

    /// The entries of a tridiagonal matrix.
    fn filled(diagonal: &[f64], subdiagonal: &[f64]) -> Vec<f64> {
        let n = diagonal.len();
        let entry = |i: usize, j: usize| match i.abs_diff(j) {
            0 => diagonal[i],
            1 => subdiagonal[i.min(j)],
            _ => 0.0,
        };
        (0..n * n).map(|ij| entry(ij / n, ij % n)).collect()
    }

    /// Both solvers on the same tridiagonal matrix.
    fn both(diagonal: &[f64], subdiagonal: &[f64]) -> [EigenDecomposition; 2] {
        let n = diagonal.len();
        let entries = filled(diagonal, subdiagonal);
        let found = [
            symmetric_eigen(n, &entries).expect("dense"),
            tridiagonal_eigen(diagonal, subdiagonal).expect("tridiagonal"),
        ];
        found.iter().for_each(|f| assert_decomposes(n, &entries, f));
        found
    }

    #[test]
    fn the_discrete_laplacian_has_its_known_eigenpairs() {
        for n in [1, 2, 3, 10, 75] {
            let angle = |k: usize| k as f64 * std::f64::consts::PI / (n + 1) as f64;
            for found in both(&vec![2.0; n], &vec![-1.0; n - 1]) {
                for k in 1..=n {
                    let expected = 2.0 - 2.0 * angle(k).cos();
                    assert_near(found.values[k - 1], expected, 32.0 * n as f64 * EPS, "value");
                    let mode: Vec<f64> = (1..=n).map(|j| (j as f64 * angle(k)).sin()).collect();
                    let cosine = dot(&mode, found.vector(k - 1)) / norm(&mode);
                    // The cosine's error is the square of the vector's, which is rounding (4 n eps)
                    // over a gap of at least 5e-3 here.
                    assert_near(cosine.abs(), 1.0, 8.0 * n as f64 * EPS, "|cosine|");
                }
            }
        }
    }

    /// [[2, 3], [3, -6]]: trace -4 and determinant -21, hence -7 and 3, with (-1, 3) and (3, 1).
    #[test]
    fn two_by_two_by_hand() {
        for found in both(&[2.0, -6.0], &[3.0]) {
            for (i, (value, [x, y])) in
                [(-7.0, [-1.0, 3.0]), (3.0, [3.0, 1.0])].into_iter().enumerate()
            {
                assert_near(found.values[i], value, 64.0 * EPS, "value");
                let cosine = dot(&[x, y], found.vector(i)) / 10.0_f64.sqrt();
                assert_near(cosine.abs(), 1.0, 16.0 * EPS, "|cosine|");
            }
        }
    }

    #[test]
    fn diagonal_and_zero_matrices_are_sorted() {
        for found in both(&[3.0, -1.0, 2.0, -1.0], &[0.0; 3]) {
            let expected = [-1.0, -1.0, 2.0, 3.0];
            found
                .values
                .iter()
                .zip(expected)
                .for_each(|(a, b)| assert_near(*a, b, 32.0 * EPS, "value"));
        }
        for found in both(&[0.0; 6], &[0.0; 5]) {
            assert_eq!(found.values, [0.0; 6]);
        }
    }

    #[test]
    fn wrong_lengths_are_refused() {
        let length = |result: Result<EigenDecomposition>| match result {
            Err(Error::Length { found, expected, .. }) => (found, expected),
            other => panic!("{other:?}"),
        };
        assert_eq!(length(symmetric_eigen(3, &[0.0; 8])), (8, 9));
        assert_eq!(length(symmetric_eigen(0, &[0.0])), (1, 0));
        assert_eq!(length(tridiagonal_eigen(&[1.0; 4], &[1.0; 4])), (4, 3));
        assert_eq!(length(tridiagonal_eigen(&[1.0; 4], &[1.0; 2])), (2, 3));
        assert!(tridiagonal_eigen(&[], &[]).is_err());
    }

    #[test]
    fn entries_that_are_not_finite_are_an_error() {
        for (n, bad) in [1, 2, 5].into_iter().flat_map(|n| [(n, f64::NAN), (n, f64::INFINITY)]) {
            let mut entries = vec![1.0; n * n];
            entries[n * n - 1] = bad;
            let dense = symmetric_eigen(n, &entries);
            assert!(matches!(dense, Err(Error::Numerical { .. })), "{n}, {bad}: {dense:?}");
            // The spoilt entry ends the diagonal, or the subdiagonal of a matrix one larger.
            let (spoilt, ones) = (&entries[n * n - n..], vec![1.0; n + 1]);
            for (diagonal, subdiagonal) in [(spoilt, &ones[2..]), (&ones, spoilt)] {
                let found = tridiagonal_eigen(diagonal, subdiagonal);
                assert!(matches!(found, Err(Error::Numerical { .. })), "{n}, {bad}: {found:?}");
            }
        }
    }

    proptest! {
        #![proptest_config(cases(128))]

        #[test]
        fn random_symmetric_matrices_decompose(
            (n, lower) in (1..16_usize)
                .prop_flat_map(|n| (Just(n), prop::collection::vec(-1.0..1.0_f64, n * n))),
            exponent in -100..100_i32,
        ) {
            let unit = 2.0_f64.powi(exponent);
            let entries: Vec<f64> = (0..n * n)
                .map(|ij| (ij / n, ij % n))
                .map(|(i, j)| unit * lower[i.max(j) * n + i.min(j)])
                .collect();
            assert_decomposes(n, &entries, &symmetric_eigen(n, &entries).expect("dense"));
        }

        #[test]
        fn random_tridiagonal_matrices_decompose(
            diagonal in prop::collection::vec(-1.0..1.0_f64, 1..40),
            off in prop::collection::vec(
                prop_oneof![Just(0.0), -1.0..1.0_f64, -1e-9..1e-9_f64],
                40,
            ),
        ) {
            let n = diagonal.len();
            let [dense, tridiagonal] = both(&diagonal, &off[..n - 1]);
            for (a, b) in dense.values.iter().zip(&tridiagonal.values) {
                assert_near(*a, *b, 32.0 * n as f64 * EPS, "the two solvers");
            }
        }
    }
}

mod vectors {
    use super::*;

    #[test]
    fn dot_and_norm_by_hand() {
        assert_eq!(dot(&[1.0, -2.0, 3.0], &[4.0, 5.0, 0.5]), -4.5);
        assert_eq!(norm(&[3.0, 0.0, -4.0]), 5.0);
        assert_eq!((dot(&[], &[]), norm(&[])), (0.0, 0.0));
    }

    #[test]
    fn random_unit_vectors_have_unit_length() {
        for n in [1, 2, 3, 17, 1000] {
            let v = random_unit_vector(n, &mut rng(40));
            assert_eq!(v.len(), n);
            assert_near(norm(&v), 1.0, (n as f64 + 4.0) * EPS, "length");
        }
    }

    #[test]
    fn the_seed_decides_the_vector() {
        let drawn = |seed| random_unit_vector(50, &mut rng(seed));
        assert_eq!(drawn(41), drawn(41));
        // The cosine of two independent directions has standard deviation 1 / sqrt(50).
        assert!(dot(&drawn(41), &drawn(42)).abs() < 5.0 / 50.0_f64.sqrt());
    }

    #[test]
    fn one_generator_gives_a_new_vector_at_each_draw() {
        let mut generator = rng(43);
        let first = random_unit_vector(50, &mut generator);
        assert_ne!(first, random_unit_vector(50, &mut generator));
    }

    /// In three dimensions each coordinate of a uniform point on the sphere is uniform on [-1, 1]:
    /// its moments are 0, 1/3, 0 and 1/5, and the fourth tells the sphere from a normalised cube.
    #[test]
    fn directions_are_uniform_on_the_sphere() {
        const DRAWS: usize = 40_000;
        let mut generator = rng(44);
        let points: Vec<Vec<f64>> =
            (0..DRAWS).map(|_| random_unit_vector(3, &mut generator)).collect();
        for axis in 0..3 {
            for (power, expected) in [(1, 0.0), (2, 1.0 / 3.0), (3, 0.0), (4, 0.2)] {
                let mean = points.iter().map(|p| p[axis].powi(power)).sum::<f64>() / DRAWS as f64;
                let variance = 1.0 / f64::from(2 * power + 1) - expected * expected;
                let deviation = (variance / DRAWS as f64).sqrt();
                assert_near(mean, expected, 5.0 * deviation, &format!("moment {power}"));
            }
        }
    }
}
