//! The eigenvalues that Lanczos returns, of spectra that are hard in one way or another.

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
    let problem = Problem::rotated([3.0, 3.0, 2.0, 1.5].into_iter().chain(spread(0., 1., 76)), 3);
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
        serde_json::from_str(include_str!("../../data/lanczos.json")).expect("reference file");
    let n = reference.size;
    let entry = |i: usize, j: usize| ((i * j + i + j) as f64).cos() / (1 + i.abs_diff(j)) as f64;
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
