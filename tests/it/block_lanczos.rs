//! Lanczos from as many random vectors as [`Lanczos::starts`] asks for: what one start vector skips.
//!
//! Matrices are diagonal: the start vectors are random in every direction, so that an eigenvalue's
//! vector may as well be a unit vector.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sharpscope::error::Result;
use sharpscope::linalg::{
    EigenPair, Lanczos, LanczosOutcome, StopReason, SymmetricOperator, norm, random_unit_vectors,
};

struct Diagonal(Vec<f64>);

impl SymmetricOperator for Diagonal {
    fn dim(&self) -> usize {
        self.0.len()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        y.iter_mut().zip(x.iter().zip(&self.0)).for_each(|(y, (x, d))| *y = d * x);
        Ok(())
    }
}

fn settings(largest: usize, smallest: usize) -> Lanczos {
    Lanczos { largest, smallest, tolerance: 1e-3, max_iterations: 300 }
}

fn solve(values: &[f64], settings: Lanczos, starts: usize, seed: u64) -> LanczosOutcome {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let start = random_unit_vectors(values.len(), starts, &mut rng);
    settings.solve(&mut Diagonal(values.to_vec()), &start).unwrap()
}

fn values(pairs: &[EigenPair]) -> Vec<f64> {
    pairs.iter().map(|pair| pair.value).collect()
}

/// The values off by more than 1%, all of which have converged.
fn missed(pairs: &[EigenPair], right: &[f64]) -> usize {
    let off = |(pair, right): (&EigenPair, &f64)| {
        pair.converged && (pair.value - right).abs() > 0.01 * right.abs()
    };
    pairs.iter().zip(right).filter(|&pair| off(pair)).count()
}

/// Each of `tops` so many times over a bulk of small ones, descending.
fn spectrum(tops: &[(f64, usize)], bulk: usize) -> Vec<f64> {
    let repeated = tops.iter().flat_map(|&(value, times)| std::iter::repeat_n(value, times));
    repeated.chain((0..bulk).map(|i| 0.5 * (-0.05 * i as f64).exp())).collect()
}

#[test]
fn a_repeated_eigenvalue_is_found_as_often_as_it_is_wanted() {
    let right = spectrum(&[(11.458, 10), (6.0, 2), (2.0, 1)], 200);
    for seed in 0..20 {
        for k in [1, 3, 6, 12, 13] {
            let settings = settings(k, 0);
            let found = solve(&right, settings, settings.starts(), seed).largest;
            let close = |(found, right): (&EigenPair, &f64)| (found.value - right).abs() < 1e-4;
            assert!(found.len() == k && found.iter().all(|pair| pair.converged));
            assert!(found.iter().zip(&right).all(close), "seed {seed}: {:?}", values(&found));
        }
        let alone = solve(&right, settings(3, 0), 1, seed).largest;
        assert!(missed(&alone, &right) > 0, "one start vector sees it once: {:?}", values(&alone));
    }
}

#[test]
fn at_the_lower_end_as_well() {
    let mut right: Vec<f64> = spectrum(&[(7.0, 4), (3.0, 1)], 150).iter().map(|x| -x).collect();
    right.push(1.0);
    let settings = settings(1, 5);
    let outcome = solve(&right, settings, settings.starts(), 3);
    assert!((outcome.largest[0].value - 1.0).abs() < 1e-4);
    let found = values(&outcome.smallest);
    let expected = [-7.0, -7.0, -7.0, -7.0, -3.0];
    assert!(found.iter().zip(expected).all(|(x, y)| (x - y).abs() < 1e-4), "{found:?}");
}

/// Four eigenvalues within 1% of each other, a fifth apart from the bulk: clusters are resolved, or pairs are
/// within the cluster, and what follows is not taken for one of it.
#[test]
fn clusters_are_counted_in_full() {
    let cluster = [1.5372, 1.5094, 1.5055, 1.5011, 1.5001, 1.4996, 1.2];
    let mut right = cluster.to_vec();
    right.extend((0..300).map(|i| 0.9 * (-0.02 * f64::from(i)).exp()));
    let settings = settings(7, 0);
    for seed in 0..60 {
        let found = solve(&right, settings, settings.starts(), seed).largest;
        assert!(found.iter().all(|pair| pair.converged));
        assert_eq!(missed(&found, &right), 0, "seed {seed}: {:?}", values(&found));
    }
}

/// A start vector that happens to hold nothing of the largest eigenvector, and others.
#[test]
fn a_start_vector_orthogonal_to_the_largest_is_made_good_by_the_others() {
    let right = spectrum(&[(4.0, 1), (3.0, 1)], 100);
    let settings = settings(1, 0);
    for seed in 0..10 {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut start = random_unit_vectors(right.len(), settings.starts(), &mut rng);
        start[0] = 0.0;
        let mut operator = Diagonal(right.clone());
        let found = settings.solve(&mut operator, &start).unwrap().largest;
        assert!((found[0].value - 4.0).abs() < 1e-4, "seed {seed}: {}", found[0].value);
        let alone = settings.solve(&mut operator, &start[..right.len()]).unwrap().largest;
        assert!((alone[0].value - 3.0).abs() < 1e-4, "from the first alone: {}", alone[0].value);
    }
}

/// Where the start vectors span an invariant subspace the pairs are exact, however many of the vectors say the
/// same.
#[test]
fn dependent_start_vectors_and_exhausted_spaces_end_well() {
    let right = [5.0, 5.0, 5.0, 1.0, 0.0, 0.0];
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let one = random_unit_vectors(6, 1, &mut rng);
    let twice = [&one[..], &one[..]].concat();
    let outcome = settings(2, 0).solve(&mut Diagonal(right.to_vec()), &twice).unwrap();
    assert_eq!((outcome.stop, outcome.applications), (StopReason::InvariantSubspace, 3));

    let settings = settings(3, 0);
    let outcome = solve(&right, settings, settings.starts(), 6);
    assert_eq!(outcome.stop, StopReason::InvariantSubspace);
    assert!(outcome.passes < outcome.applications && outcome.applications <= 6);
    let found = values(&outcome.largest);
    assert!(found.iter().all(|value| (value - 5.0).abs() < 1e-12), "{found:?}");
    for pair in &outcome.largest {
        assert!((norm(&pair.vector) - 1.0).abs() < 1e-12);
    }
}

#[test]
fn the_limit_of_products_is_kept() {
    let right = spectrum(&[(4.0, 2)], 200);
    for limit in 1..12 {
        let settings = Lanczos { max_iterations: limit, ..settings(2, 0) };
        let outcome = solve(&right, settings, settings.starts(), 7);
        assert!(outcome.applications <= limit && outcome.applications + 3 > limit);
        assert_eq!(outcome.stop, StopReason::IterationLimit);
    }
}
