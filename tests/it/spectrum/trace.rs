//! Traces by Hutchinson's estimator and by Hutch++, on matrices whose trace is known.

use sharpscope::error::{Error, Result};
use sharpscope::linalg::{
    DenseOperator, Estimate, HutchPlusPlus, Hutchinson, SymmetricOperator, TraceEstimate, dot,
};

use super::known::{Broken, Known, rng, spread};

/// So many probes, whatever the accuracy.
fn fixed(probes: usize) -> Hutchinson {
    Hutchinson { least_probes: probes, most_probes: probes, accuracy: 0.0 }
}

struct Counted(DenseOperator, usize);

impl SymmetricOperator for Counted {
    fn dim(&self) -> usize {
        self.0.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.1 += 1;
        self.0.apply(x, y)
    }
}

/// The estimate; its count of products is held against one taken outside.
fn estimate(known: &Known, method: HutchPlusPlus, seed: u64) -> TraceEstimate {
    let mut operator = Counted(known.operator(), 0);
    let found = method.estimate(&mut operator, &mut rng(seed)).unwrap();
    assert_eq!(found.products, operator.1, "products");
    found
}

/// Without a range that is taken out.
fn plain(rest: Hutchinson) -> HutchPlusPlus {
    HutchPlusPlus { rank: 0, rest }
}

fn error_in_units(found: TraceEstimate, exact: f64) -> f64 {
    (found.estimate.value - exact).abs() / found.estimate.standard_error.unwrap()
}

/// 0.8^i, i^-2, i^-1/2, none and with both signs.
fn decays() -> [(&'static str, Known); 5] {
    let power = |p: f64| (1..=200).map(move |i| f64::from(i).powf(p));
    [
        ("exponential", Known::rotated((0..200).map(|i| 10.0 * 0.8f64.powi(i)), 1)),
        ("fast", Known::rotated(power(-2.0), 2)),
        ("slow", Known::rotated(power(-0.5), 3)),
        ("none", Known::rotated(spread(0.9, 1.1, 200), 4)),
        (
            "both signs",
            Known::rotated(power(-1.0).zip([1.0, -0.5].into_iter().cycle()).map(|(x, s)| s * x), 5),
        ),
    ]
}

/// A normal deviate is beyond 3 once in 370 times and beyond 1 once in 3. With a single large
/// eigenvalue z'Az is as skew as a squared normal deviate, which makes 3 once in 90 times for the mean
/// of 120, and once in 30 for that of 30.
#[test]
fn both_lie_within_their_standard_errors() {
    for (name, known) in decays() {
        let ranked = HutchPlusPlus { rank: 10, rest: fixed(40) };
        for (method, settings) in [("Hutchinson", plain(fixed(120))), ("Hutch++", ranked)] {
            let (mut within_three, mut within_one) = (0, 0);
            for seed in 0..100 {
                let found = estimate(&known, settings, seed);
                assert_eq!(found.products, 2 * settings.rank + settings.rest.most_probes);
                let units = error_in_units(found, known.trace());
                within_three += usize::from(units < 3.0);
                within_one += usize::from(units < 1.0);
            }
            assert!(within_three >= 95, "{method}, {name}: {within_three} of 100 within three");
            // 68 of 100, give or take 4.7.
            assert!((52..=84).contains(&within_one), "{method}, {name}: {within_one} within one");
        }
    }
}

#[test]
fn hutchinson_is_the_estimator_without_a_range() {
    let (_, known) = &decays()[1];
    let direct = fixed(12).estimate(&mut known.operator(), &mut rng(3)).unwrap();
    assert_eq!(direct, estimate(known, plain(fixed(12)), 3));
    assert_eq!(direct.products, 12);
}

/// Var z'Az = 2 (||A||_F^2 - sum a_ii^2) for random signs.
#[test]
fn hutchinsons_scatter_is_that_of_random_signs() {
    let known = Known::rotated(spread(-1.0, 2.0, 50), 7);
    let a = &known.entries;
    let diagonal: f64 = (0..50).map(|i| a[i * 50 + i].powi(2)).sum();
    let expected = (2.0 * (dot(a, a) - diagonal) / 4000.0).sqrt();
    let found = estimate(&known, plain(fixed(4000)), 1);
    let ratio = found.estimate.standard_error.unwrap() / expected;
    assert!((ratio - 1.0).abs() < 0.04, "{ratio}");
    assert!((found.estimate.value - known.trace()).abs() < 4.0 * expected);
}

/// What A S spans is all that there is.
#[test]
fn hutch_plus_plus_is_exact_below_its_rank() {
    for (rank_of_matrix, rank) in [(1, 1), (5, 5), (5, 8), (5, 100)] {
        let low = (0..60).map(|i| if i < rank_of_matrix { 1.0 + i as f64 } else { 0.0 });
        let known = Known::rotated(low, 8);
        for seed in 0..10 {
            let settings = HutchPlusPlus {
                rank,
                rest: Hutchinson { least_probes: 3, most_probes: 50, accuracy: 1e-9 },
            };
            let found = estimate(&known, settings, seed);
            let error = (found.estimate.value / known.trace() - 1.0).abs();
            assert!(error < 1e-13, "rank {rank}, seed {seed}: {error:.1e}");
            assert!(found.converged);
            // One product for each column of S and each basis vector of A S, and 3 that find nothing.
            assert_eq!(found.products, rank.min(60) + rank_of_matrix + 3);
            assert!(found.estimate.standard_error.unwrap() < 1e-13 * known.trace());
        }
    }
}

#[test]
fn a_basis_of_the_whole_space_needs_no_probes() {
    let known = Known::rotated(spread(-1.0, 2.0, 15), 9);
    for rank in [15, 40] {
        let found = estimate(&known, HutchPlusPlus { rank, rest: fixed(10) }, 1);
        assert!((found.estimate.value - known.trace()).abs() < 1e-12);
        assert_eq!(found.estimate.standard_error, Some(0.0));
        assert_eq!((found.products, found.converged), (30, true));
    }
}

/// At 60 products each. Where eigenvalues fall fast, what is left of them after the first ten or so is
/// small; where they do not fall at all, a range of 20 takes a tenth of them out for two thirds of
/// the products.
#[test]
fn hutch_plus_plus_is_nearer_where_a_few_eigenvalues_dominate() {
    let root_mean_square = |known: &Known, settings: HutchPlusPlus| {
        let square = |seed| {
            let found = estimate(known, settings, seed);
            assert_eq!(found.products, 60);
            (found.estimate.value / known.trace() - 1.0).powi(2)
        };
        ((0..100).map(square).sum::<f64>() / 100.0).sqrt()
    };
    let [(_, exponential), (_, fast), .., (_, none), _] = decays();
    for (name, known, gain) in [("exponential", exponential, 5.0), ("fast", fast, 5.0)] {
        let hutchinson = root_mean_square(&known, plain(fixed(60)));
        let ranked = root_mean_square(&known, HutchPlusPlus { rank: 20, rest: fixed(20) });
        assert!(gain * ranked < hutchinson, "{name}: {ranked:.1e} beside {hutchinson:.1e}");
    }
    let hutchinson = root_mean_square(&none, plain(fixed(60)));
    let ranked = root_mean_square(&none, HutchPlusPlus { rank: 20, rest: fixed(20) });
    assert!(ranked > hutchinson, "{ranked:.1e} beside {hutchinson:.1e}");
}

#[test]
fn probes_are_added_until_the_accuracy_is_reached() {
    let [_, (_, fast), (_, slow), _, (_, signs)] = decays();
    let negative = Known::rotated(fast.values.iter().map(|x| -x), 6);
    for (name, known) in
        [("fast", fast), ("slow", slow), ("both signs", signs), ("negative", negative)]
    {
        for accuracy in [0.1, 0.03] {
            let mut products = Vec::new();
            for rank in [0, 10] {
                let rest = Hutchinson { least_probes: 5, most_probes: 100_000, accuracy };
                let found = estimate(&known, HutchPlusPlus { rank, rest }, 1);
                let TraceEstimate { estimate: Estimate { value, standard_error }, .. } = found;
                let error = standard_error.unwrap();
                assert!(found.converged, "{name}");
                assert!(error <= accuracy * value.abs(), "{name}: {error:.1e} of {value:.1e}");
                assert!(error_in_units(found, known.trace()) < 4.0, "{name}");
                products.push(found.products);
                // One probe fewer would not have done, unless there were only the least of them.
                let probes = found.products - 2 * rank;
                if probes > 5 {
                    let rest = Hutchinson { most_probes: probes - 1, ..rest };
                    let before = estimate(&known, HutchPlusPlus { rank, rest }, 1);
                    assert!(!before.converged, "{name}");
                }
            }
            assert!(products[1] < products[0] || products[0] < 30, "{name}: {products:?}");
        }
    }
}

#[test]
fn an_accuracy_out_of_reach_is_said_so() {
    let (_, known) = &decays()[2];
    let rest = Hutchinson { least_probes: 5, most_probes: 20, accuracy: 1e-6 };
    let found = estimate(known, plain(rest), 1);
    assert_eq!((found.products, found.converged), (20, false));
    assert!(found.estimate.standard_error.unwrap() > 1e-6 * found.estimate.value);

    // Of a trace of zero no share can be reached.
    let balanced = Known::rotated(spread(-1.0, 1.0, 40), 3);
    let rest = Hutchinson { accuracy: 0.01, most_probes: 200, ..rest };
    for seed in 0..10 {
        let found = estimate(&balanced, plain(rest), seed);
        let close = error_in_units(found, 0.0) < 4.0;
        assert!(close && !found.converged, "{found:?}");
    }
}

#[test]
fn a_trace_of_nothing_is_zero() {
    let zero = Known::rotated(vec![0.0; 30], 1);
    let rest = Hutchinson { least_probes: 4, most_probes: 50, accuracy: 0.01 };
    for rank in [0, 6] {
        let found = estimate(&zero, HutchPlusPlus { rank, rest }, 1);
        assert_eq!(found.estimate, Estimate { value: 0.0, standard_error: Some(0.0) });
        assert!(found.converged);
        assert_eq!(found.products, rank + 4);
    }
}

/// Nothing is known of what was not probed.
#[test]
fn few_probes_claim_no_standard_error() {
    let (_, known) = &decays()[2];
    for rank in [0, 3] {
        for probes in [0, 1] {
            let found = estimate(known, HutchPlusPlus { rank, rest: fixed(probes) }, 1);
            assert_eq!(found.estimate.standard_error, None, "{rank}, {probes}");
            assert!(!found.converged);
        }
    }
}

#[test]
fn a_product_that_is_not_finite_and_an_operators_own_error_end_it() {
    let run = |rank, entry| {
        let mut operator = Broken { entry, products: 0 };
        HutchPlusPlus { rank, rest: fixed(8) }.estimate(&mut operator, &mut rng(1)).unwrap_err()
    };
    // The third product is a probe, one with a basis vector, one that makes the basis.
    for rank in [0, 2, 5] {
        for entry in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let refusal = run(rank, Some(entry));
            assert!(matches!(refusal, Error::NonFinite { .. }), "{entry}: {refusal:?}");
        }
        assert!(matches!(run(rank, None), Error::Length { what: "mine", .. }));
    }
}

#[test]
fn an_estimate_is_the_mean_with_its_sample_deviation_over_the_root_of_the_number() {
    let found = Estimate::of(&[1.0, 2.0, 3.0, 6.0]);
    assert_eq!(found.value, 3.0);
    // Squares 4, 1, 0, 9: sqrt(14/3)/2.
    assert!((found.standard_error.unwrap() - (14.0f64 / 3.0).sqrt() / 2.0).abs() < 1e-15);
    assert_eq!(Estimate::of(&[2.5]), Estimate { value: 2.5, standard_error: None });
}
