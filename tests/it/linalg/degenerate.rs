//! Matrices as ordinary states of training make them: zero, of low rank, with entries that differ by
//! hundreds of orders of magnitude, repeated eigenvalues, denormal numbers.

use sharpscope::linalg::{
    HutchPlusPlus, Hutchinson, Secant, StochasticLanczos, Tracker, TrackerSettings, each_column,
    random_unit_vectors,
};

use super::*;

/// A number of any size, zeros and denormal ones among them.
fn any_size() -> impl Strategy<Value = f64> {
    let graded = (-1.0..1.0_f64, -320..300_i32).prop_map(|(x, e)| x * 10.0_f64.powi(e));
    prop_oneof![
        3 => Just(0.0),
        2 => Just(1.0),
        2 => -1.0..1.0_f64,
        3 => (-1.0..1.0_f64, -40..1_i32).prop_map(|(x, e)| x * 10.0_f64.powi(e)),
        2 => graded,
        1 => Just(5e-324),
        1 => Just(f64::MIN_POSITIVE),
        1 => Just(6.000000802354467),
    ]
}

/// Symmetric entries: of any size each, or a sum of few dyads of such vectors.
fn matrix_of(n: usize) -> impl Strategy<Value = Vec<f64>> {
    let entries = |n: usize| {
        prop::collection::vec(any_size(), n * n).prop_map(move |x| {
            (0..n * n).map(|at| x[(at / n).max(at % n) * n + (at / n).min(at % n)]).collect()
        })
    };
    let dyads = |n: usize| {
        prop::collection::vec((any_size(), prop::collection::vec(any_size(), n)), 1..4).prop_map(
            move |dyads| {
                let entry =
                    |at: usize| dyads.iter().map(|(s, x)| s * (x[at / n] * x[at % n])).sum::<f64>();
                let usable = |x: f64| if x.is_nan() { 0.0 } else { x.clamp(-1e300, 1e300) };
                (0..n * n).map(entry).map(usable).collect()
            },
        )
    };
    any::<bool>()
        .prop_flat_map(move |full| if full { entries(n).boxed() } else { dyads(n).boxed() })
}

fn any_matrix() -> impl Strategy<Value = (usize, Vec<f64>)> {
    (1..12_usize).prop_flat_map(|n| (Just(n), matrix_of(n)))
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn any_matrix_decomposes((n, entries) in any_matrix()) {
        check(n, &entries, &symmetric_eigen(n, &entries).expect("dense"));
    }

    #[test]
    fn any_tridiagonal_matrix_decomposes(x in (1..20_usize).prop_flat_map(|n| prop::collection::vec(any_size(), 2 * n - 1))) {
        let n = x.len().div_ceil(2);
        let found = tridiagonal_eigen(&x[..n], &x[n..]).expect("tridiagonal");
        check(n, &dense::filled(&x[..n], &x[n..]), &found);
    }
}

/// By the definition, on the scale of the largest entry.
fn check(n: usize, entries: &[f64], found: &EigenDecomposition) {
    let most = max_abs(entries);
    let unit = if most == 0.0 { 1.0 } else { 2.0_f64.powi(-(most.log2().floor() as i32 / 2)) };
    let entries: Vec<f64> = entries.iter().map(|x| x * unit * unit).collect();
    let allowed = 16.0 * n as f64 * EPS;
    let vectors: Vec<&[f64]> = (0..n).map(|i| found.vector(i)).collect();
    assert!(found.values.is_sorted(), "ascending: {:?}", found.values);
    assert_orthonormal(&vectors, allowed);
    for (value, vector) in found.values.iter().zip(&vectors) {
        let residual = true_residual(&entries, value * unit * unit, vector);
        // A denormal number has fewer digits.
        assert_near(
            residual,
            0.0,
            allowed * max_abs(&entries) * n as f64 + 8.0 * n as f64 * 5e-324 * unit * unit,
            "||A v - lambda v||",
        );
    }
}

/// What a solver says of finite pairs must hold, whatever the matrix.
fn check_pairs(n: usize, entries: &[f64], pairs: &[EigenPair], tolerance: f64, what: &str) {
    let most = max_abs(entries);
    for EigenPair { value, vector, residual, converged } in pairs {
        assert!(value.is_finite() && vector.iter().all(|x| x.is_finite()), "{what}: {value}");
        assert!(!residual.is_nan(), "{what}: residual of {value}");
        assert_eq!(*converged, *residual <= tolerance, "{what}: {residual:e}");
        assert_near(norm(vector), 1.0, 1e-6, what);
        let rounding = 1e-9 * n as f64 * most + 1e-279 * n as f64;
        if *converged {
            let found = true_residual(entries, *value, vector);
            assert_near(found, 0.0, tolerance * value.abs().max(most) + rounding, what);
        }
    }
}

/// Finite matrices are solved; those whose squares overflow may be refused as such.
fn solved<T>(found: Result<T>, entries: &[f64]) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(Error::NonFinite { .. }) if max_abs(entries) > 1e100 => None,
        Err(error) => panic!("{error}: {entries:?}"),
    }
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn lanczos_solves_any_matrix(
        (n, entries) in any_matrix(),
        ends in (1..3_usize, 0..3_usize),
        seed in any::<u64>(),
    ) {
        let settings =
            Lanczos { largest: ends.0, smallest: ends.1, tolerance: 1e-6, max_iterations: 30 };
        let mut operator = DenseOperator::new(n, entries.clone()).expect("n * n entries");
        let start = random_unit_vectors(n, settings.starts().min(n), &mut rng(seed));
        if let Some(found) = solved(settings.solve(&mut operator, &start), &entries) {
            check_pairs(n, &entries, &found.largest, settings.tolerance, "largest");
            check_pairs(n, &entries, &found.smallest, settings.tolerance, "smallest");
        }
    }

    #[test]
    fn probes_see_any_matrix((n, entries) in any_matrix(), seed in any::<u64>()) {
        let mut operator = DenseOperator::new(n, entries.clone()).expect("n * n entries");
        let slq = StochasticLanczos { probes: 3, iterations: 8 };
        if let Some(density) = solved(slq.run(&mut operator, &mut rng(seed)), &entries) {
            for probe in &density.probes {
                assert_near(probe.weights.iter().sum(), 1.0, 1e-9, "weights");
            }
            let shares = density.shares(1e-3 * max_abs(&entries)).expect("shares");
            shares.iter().for_each(|share| assert!(share.estimate.value.is_finite()));
            assert!(density.curve(density.default_sigma()).iter().all(|(x, y)| !x.is_nan() && !y.is_nan()));
        }
        let rest = Hutchinson { least_probes: 2, most_probes: 4, accuracy: 0.1 };
        let trace = HutchPlusPlus { rank: 2, rest }.estimate(&mut operator, &mut rng(seed));
        if let Some(trace) = solved(trace, &entries) {
            let exact: f64 = (0..n).map(|i| entries[i * n + i]).sum();
            assert!(trace.estimate.value.is_finite() || max_abs(&entries) > 1e100, "{trace:?} {exact}");
        }
    }

    #[test]
    fn a_tracker_follows_from_any_matrix_to_any_other(
        steps in (1..10_usize).prop_flat_map(|n| (Just(n), prop::collection::vec((matrix_of(n), 1..5_usize), 1..5))),
        largest in 1..4_usize,
        seed in any::<u64>(),
    ) {
        let (n, steps) = steps;
        let settings = TrackerSettings { seed, audit_every: 3, ..TrackerSettings::new(largest, 1e-6) };
        let mut tracker = Tracker::new(n, settings);
        let (mut theta, mut gradient) = (vec![0.0; n], vec![0.0; n]);
        for (entries, times) in &steps {
            for time in 0..*times {
                let mut operator = DenseOperator::new(n, entries.clone()).expect("n * n entries");
                let x = tracker.directions().to_vec();
                assert!(x.iter().all(|x| x.is_finite()));
                let mut ax = vec![0.0; x.len()];
                each_column(&mut operator, &x, &mut ax).expect("products");
                let s: Vec<f64> = (0..n).map(|i| if time == 0 { 0.0 } else { theta[i] + 1.0 }).collect();
                let secant = Secant { s: &s, y: &product(entries, &s) };
                let Some(found) = solved(tracker.update(&mut operator, &ax, Some(secant)), entries) else {
                    tracker = Tracker::new(n, settings);
                    continue;
                };
                check_pairs(n, entries, &found.pairs, settings.tolerance, "followed");
                (theta, gradient) = (s, gradient);
            }
        }
    }
}
