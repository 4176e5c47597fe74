//! A start vector that hides the wanted pair does not deceive the solve.

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
