//! When Lanczos stops, and what it says of pairs that it has not finished.

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
    for problem in [Problem::diagonal(spread(5.0, 1.0, 9)), Problem::rotated(spread(5., 1., 9), 22)]
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
    let names = [StopReason::Converged, StopReason::InvariantSubspace, StopReason::IterationLimit]
        .map(|reason| reason.to_string());
    assert_eq!(names, ["converged", "invariant subspace", "iteration limit"]);
}
