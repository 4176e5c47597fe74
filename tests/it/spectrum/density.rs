//! Stochastic Lanczos quadrature on matrices whose eigenvalues are known.
//!
//! What a probe z says of a function f is z'f(A)z/n: its mean over probes is that of f over the
//! eigenvalues, and for random signs and a projector on k of n directions its variance is
//! 2 (k/n)(1 - k/n)/n, near enough. This sets how near an estimated density can come to the exact
//! one, and so the sizes used here.

use sharpscope::error::Error;
use sharpscope::linalg::{
    DenseOperator, Estimate, Quadrature, SpectralDensity, StochasticLanczos, SymmetricOperator,
    dot, rademacher_vector,
};

use super::known::{Broken, Known, gaussian, rng, spread, wasserstein};

/// Whether `exact` lies within Student's 95% interval of an estimate from 10 draws.
fn covers(estimate: Estimate, exact: f64) -> bool {
    const TEN_DRAWS: f64 = 2.262;
    (estimate.value - exact).abs() <= TEN_DRAWS * estimate.standard_error.unwrap()
}

/// Few large eigenvalues beside a bulk, as a network's Hessian has; two clusters, the second a tenth;
/// evenly spread; of random data.
fn spectra(seed: u64) -> [(&'static str, Known); 4] {
    let clusters = spread(-1.0, 1.0, 360).chain(spread(9.0, 10.0, 40));
    let outliers = spread(-0.5, 0.5, 390).chain((0..10).map(|i| 20.0 * 0.7f64.powi(i)));
    [
        ("outliers", Known::rotated(outliers, seed)),
        ("two clusters", Known::rotated(clusters, seed + 1)),
        ("uniform", Known::rotated(spread(-2.0, 3.0, 400), seed + 2)),
        ("Wishart", Known::wishart(400, 800, seed + 3)),
    ]
}

#[test]
fn the_density_comes_near_the_exact_spectrum() {
    for (name, known) in spectra(10) {
        let (low, high) = (known.values[0], known.values[399]);
        for seed in 0..3 {
            let density = known.density(30, 60, seed);
            let sigma = density.default_sigma();
            let error = wasserstein(&density, &known.values, sigma) / (high - low);
            assert!(error < 0.01, "{name}, seed {seed}: {error:.4} of the range");
            let (lowest, highest) = density.range();
            assert!(
                lowest >= low - 1e-12 && highest <= high + 1e-12,
                "{name}: beyond the spectrum"
            );
            assert!((sigma - 0.01 * (highest - lowest)).abs() < 1e-15, "{name}: sigma {sigma}");
        }
    }
}

/// The same distance, for 30 probes and for all that 60 steps see, that is to be had from the exact
/// spectrum of another matrix: the measure tells spectra apart.
#[test]
fn the_distance_tells_spectra_apart() {
    let [(_, outliers), (_, clusters), (_, uniform), _] = spectra(10);
    let density = uniform.density(30, 60, 0);
    let moved: Vec<f64> = uniform.values.iter().map(|x| x + 0.2).collect();
    let shifted = wasserstein(&density, &moved, 0.05);
    // Every eigenvalue moves by 0.2.
    assert!((shifted - 0.2).abs() < 0.03, "{shifted}");
    assert!(wasserstein(&density, &clusters.values, 0.05) > 0.5);
    assert!(wasserstein(&clusters.density(30, 60, 0), &outliers.values, 0.1) > 0.5);
}

#[test]
fn the_curve_integrates_to_one() {
    for (name, known) in spectra(20) {
        let density = known.density(10, 40, 1);
        let suits = density.default_sigma();
        for sigma in [1e-7 * suits, 1e-3 * suits, suits, 10.0 * suits, 1e3 * suits] {
            let curve = density.curve(sigma);
            assert!(curve.windows(2).all(|pair| pair[0].0 < pair[1].0), "{name}, sigma {sigma}");
            let integral = trapezoid(&curve);
            assert!((integral - 1.0).abs() < 1e-6, "{name}, sigma {sigma}: {integral}");
            for (at, value) in curve.iter().step_by(97) {
                assert_eq!(*value, density.at(*at, sigma), "{name}");
            }
        }
        let curve = density.curve(suits);
        let (low, high) = density.range();
        assert!((curve[0].0 - (low - 8.0 * suits)).abs() < 1e-12 * high.abs());
        assert!((curve[curve.len() - 1].0 - (high + 8.0 * suits)).abs() < 1e-12 * high.abs());
    }
}

fn trapezoid(curve: &[(f64, f64)]) -> f64 {
    curve.windows(2).map(|pair| 0.5 * (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1)).sum()
}

/// Gauss quadrature of m nodes is exact up to the power 2m - 1, and no further.
#[test]
fn a_probes_moments_are_exact_up_to_twice_the_steps() {
    let known = Known::rotated(gaussian(50, 3), 4);
    let n = known.n();
    for steps in [1, 2, 3, 7] {
        let density = known.density(3, steps, 5);
        let mut same = rng(5);
        for probe in &density.probes {
            let z = rademacher_vector(n, &mut same);
            let mut power = z.clone();
            for k in 0..=2 * steps {
                let direct = dot(&z, &power) / n as f64;
                let pairs = probe.nodes.iter().zip(&probe.weights);
                let found: f64 = pairs.map(|(node, weight)| weight * node.powi(k as i32)).sum();
                let error = (found - direct).abs() / known.magnitude().powi(k as i32);
                match k < 2 * steps {
                    true => assert!(error < 1e-13, "power {k} of {steps} steps: {error:.1e}"),
                    false => assert!(error > 1e-6, "power {k} of {steps} steps: {error:.1e}"),
                }
                let mut next = vec![0.0; n];
                known.operator().apply(&power, &mut next).unwrap();
                power = next;
            }
        }
    }
}

#[test]
fn as_many_steps_as_rows_give_every_eigenvalue_with_the_probes_own_weight() {
    let known = Known::rotated(spread(-1.0, 2.0, 40), 6);
    let n = known.n();
    let density = known.density(2, 1000, 7);
    assert_eq!(density.products, 2 * n);
    let mut same = rng(7);
    for probe in &density.probes {
        let z = rademacher_vector(n, &mut same);
        assert_eq!(probe.nodes.len(), n);
        for i in 0..n {
            let along: f64 = (0..n).map(|row| known.vectors[(row, i)] * z[row]).sum();
            assert!((probe.nodes[i] - known.values[i]).abs() < 1e-12, "node {i}");
            // An eigenvector moves by rounding over the gap of 3/39 to the next.
            assert!((probe.weights[i] - along * along / n as f64).abs() < 1e-12, "weight {i}");
        }
    }
}

/// The Krylov space of k different eigenvalues has k dimensions: the recurrence stops there, with
/// each eigenspace's whole share of the probe.
#[test]
fn repeated_eigenvalues_end_the_recurrence() {
    let times = |value: f64, count: usize| std::iter::repeat_n(value, count);
    let groups: [(&str, Vec<f64>, usize); 5] = [
        ("identity", vec![1.0; 80], 1),
        ("zero", vec![0.0; 80], 1),
        ("rank one", times(0.0, 79).chain([5.0]).collect(), 2),
        ("a projector", times(0.0, 50).chain(times(1.0, 30)).collect(), 2),
        ("four values", four_values(20), 4),
    ];
    for (name, values, different) in groups {
        let known = Known::rotated(values, 8);
        let n = known.n();
        let density = known.density(4, 30, 9);
        let mut same = rng(9);
        for probe in &density.probes {
            assert_eq!(probe.nodes.len(), different, "{name}: {:?}", probe.nodes);
            let z = rademacher_vector(n, &mut same);
            for (node, weight) in probe.nodes.iter().zip(&probe.weights) {
                let near = |i: &usize| (known.values[*i] - node).abs() < 1e-12;
                let eigenspace: Vec<usize> = (0..n).filter(near).collect();
                assert!(!eigenspace.is_empty(), "{name}: there is no eigenvalue {node}");
                let along = |i: usize| (0..n).map(|row| known.vectors[(row, i)] * z[row]).sum();
                let share: f64 = eigenspace.into_iter().map(along).map(|x: f64| x * x).sum();
                assert!((weight - share / n as f64).abs() < 1e-12, "{name}: weight of {node}");
            }
        }
    }
}

/// -2, 0, 1 and 3, in the proportions 2 : 5 : 3 : 2.
fn four_values(unit: usize) -> Vec<f64> {
    let counts = [(-2.0, 2 * unit), (0.0, 5 * unit), (1.0, 3 * unit), (3.0, 2 * unit)];
    counts.into_iter().flat_map(|(value, count)| std::iter::repeat_n(value, count)).collect()
}

/// Coverage over 400 seeds: a 95% interval holds the truth 380 times, give or take 4.4; skewness of
/// few draws and of a ratio takes some.
#[test]
fn what_is_read_off_the_nodes_is_right_within_its_standard_error() {
    const SEEDS: u64 = 400;
    let known = Known::rotated(four_values(8), 12);
    let n = known.n() as f64;
    let exact = |f: fn(f64) -> f64| known.values.iter().map(|&x| f(x)).sum::<f64>();
    let (trace, squares) = (exact(|x| x), exact(|x| x * x));
    let shares = [2.0 / 12.0, 5.0 / 12.0, 5.0 / 12.0];
    type Reading = (&'static str, f64, fn(&SpectralDensity) -> Estimate);
    let readings: [Reading; 7] = [
        ("negative", shares[0], |d| d.masses(0.01)[0]),
        ("near zero", shares[1], |d| d.masses(0.01)[1]),
        ("positive", shares[2], |d| d.masses(0.01)[2]),
        ("trace", trace, |d| d.sum(|x| x)),
        ("squared Frobenius norm", squares, |d| d.sum(|x| x * x)),
        ("effective rank", trace * trace / squares, SpectralDensity::effective_rank),
        ("mean of exp", exact(f64::exp) / n, |d| d.mean(f64::exp)),
    ];
    let mut covered = [0; 7];
    let mut scatter = [0.0; 7];
    let mut claimed = [0.0; 7];
    for seed in 0..SEEDS {
        let density = known.density(10, 10, seed);
        for (i, (_, exact, read)) in readings.iter().enumerate() {
            let found = read(&density);
            covered[i] += usize::from(covers(found, *exact));
            scatter[i] += (found.value - exact).powi(2) / SEEDS as f64;
            claimed[i] += found.standard_error.unwrap().powi(2) / SEEDS as f64;
        }
        let all: f64 = density.masses(0.01).iter().map(|mass| mass.value).sum();
        assert!((all - 1.0).abs() < 1e-12, "masses add up to {all}");
    }
    for (i, (name, ..)) in readings.iter().enumerate() {
        assert!((362..=396).contains(&covered[i]), "{name}: {} intervals of 400", covered[i]);
        // Each is a mean of 400 squares: within 7% of its expectation, as a standard deviation.
        let ratio = claimed[i] / scatter[i];
        assert!((0.75..1.33).contains(&ratio), "{name}: variance claimed over observed {ratio:.2}");
    }
}

/// A gap of 1e-8 of the largest eigenvalue is no rounding.
#[test]
fn near_eigenvalues_are_told_apart() {
    let pair = std::iter::repeat_n(1.0, 20).chain(std::iter::repeat_n(1.0 + 1e-7, 20));
    let known = Known::rotated(pair.chain([10.0]), 8);
    for probe in known.density(4, 30, 9).probes {
        assert_eq!(probe.nodes.len(), 3, "{:?}", probe.nodes);
        for (node, expected) in probe.nodes.iter().zip([1.0, 1.0 + 1e-7, 10.0]) {
            assert!((node - expected).abs() < 1e-12, "{node}");
        }
    }
}

/// Two probes of a matrix of four rows: at 0 and 2, evenly, and at 0 and -4, one to three.
#[test]
fn two_probes_by_hand() {
    let probes = vec![
        Quadrature { nodes: vec![0.0, 2.0], weights: vec![0.5, 0.5], recurrence: None },
        Quadrature { nodes: vec![-4.0, 0.0], weights: vec![0.75, 0.25], recurrence: None },
    ];
    let density = SpectralDensity { dim: 4, probes, products: 4, signs: None };
    // The deviation of two draws over the root of two is half their difference.
    let expect = |found: Estimate, first: f64, second: f64| {
        let error = found.standard_error.unwrap() - 0.5 * (first - second).abs();
        assert!(error.abs() < 1e-14 && found.value == 0.5 * (first + second), "{found:?}");
    };
    expect(density.mean(|x| x + 1.0), 2.0, -2.0);
    expect(density.sum(|x| x), 4.0, -12.0);
    expect(density.sum(|x| x * x), 8.0, 48.0);
    let [negative, zero, positive] = density.masses(2.0);
    expect(negative, 0.0, 0.75);
    expect(zero, 1.0, 0.25);
    expect(positive, 0.0, 0.0);
    assert_eq!(density.range(), (-4.0, 2.0));
    // (-4)^2 / 28; 3 and 2 with one probe left out each, whose squared deviations are 1/4 each.
    let rank = density.effective_rank();
    assert!((rank.value - 16.0 / 28.0).abs() < 1e-15);
    assert!((rank.standard_error.unwrap() - (0.5f64 / 2.0).sqrt()).abs() < 1e-15);
    // Gaussians at 0 and 2, and at -4 and 0.
    let gaussian = |x: f64| (-0.5 * (x / 0.5).powi(2)).exp() / (0.5 * 2.506_628_274_631_000_5);
    for x in [-4.1, 0.3, 1.0] {
        let first = 0.5 * gaussian(x) + 0.5 * gaussian(x - 2.0);
        let second = 0.75 * gaussian(x + 4.0) + 0.25 * gaussian(x);
        assert!((density.at(x, 0.5) - 0.5 * (first + second)).abs() < 1e-15);
    }
}

/// Var z'Bz = 2 (||B||_F^2 - sum b_ii^2) for random signs.
#[test]
fn standard_errors_are_those_of_random_signs() {
    let known = Known::rotated(spread(-1.0, 3.0, 60), 14);
    let n = known.n();
    let a = &known.entries;
    let diagonal: f64 = (0..n).map(|i| a[i * n + i].powi(2)).sum();
    let variance = 2.0 * (dot(a, a) - diagonal);
    let probes = 2000;
    let found = known.density(probes, 2, 3).sum(|x| x);
    let expected = (variance / probes as f64).sqrt();
    let ratio = found.standard_error.unwrap() / expected;
    // A standard deviation of 2000 draws is known to 1/sqrt(4000) = 1.6%.
    assert!((ratio - 1.0).abs() < 0.05, "{ratio}");
    assert!((found.value - known.trace()).abs() < 4.0 * expected);
}

/// z'Dz is the trace for signs z and a diagonal D, and z'D^2z its squared norm.
#[test]
fn a_diagonal_matrix_leaves_no_doubt() {
    let values: Vec<f64> = spread(-1.0, 2.0, 30).collect();
    let entries = (0..900).map(|ij| if ij / 30 == ij % 30 { values[ij / 30] } else { 0.0 });
    let mut operator = DenseOperator::new(30, entries.collect()).unwrap();
    let density =
        StochasticLanczos { probes: 3, iterations: 5 }.run(&mut operator, &mut rng(1)).unwrap();
    let sum = |f: fn(f64) -> f64| values.iter().map(|&x| f(x)).sum::<f64>();
    let (trace, squares) = (sum(|x| x), sum(|x| x * x));
    let found = [density.sum(|x| x), density.sum(|x| x * x), density.effective_rank()];
    for (found, exact) in found.into_iter().zip([trace, squares, trace * trace / squares]) {
        assert!((found.value - exact).abs() < 1e-12 * exact, "{found:?} for {exact}");
        assert!(found.standard_error.unwrap() < 1e-12 * exact);
    }
}

#[test]
fn a_single_probe_claims_no_standard_error() {
    let density = Known::rotated(spread(0.0, 1.0, 20), 1).density(1, 10, 1);
    assert_eq!(density.sum(|x| x).standard_error, None);
    assert_eq!(density.effective_rank().standard_error, None);
    assert!(density.masses(0.1).iter().all(|mass| mass.standard_error.is_none()));
}

#[test]
fn probes_and_steps_beyond_the_first_ones_do_not_change_them() {
    let known = Known::rotated(spread(0.0, 1.0, 50), 1);
    let (few, many) = (known.density(3, 20, 2), known.density(5, 20, 2));
    assert_eq!(few.probes, many.probes[..3]);
    assert_ne!(many.probes[0], many.probes[1]);
    assert_ne!(few.probes, known.density(3, 20, 3).probes);
}

/// All eigenvalues the same, to the last bit or but for rounding: a hundredth of their magnitude; of
/// zero, a hundredth.
#[test]
fn the_width_suits_spectra_that_are_a_single_point() {
    for (value, expected) in [(1.0, 0.01), (5.0, 0.05), (-3.0, 0.03), (1e-9, 1e-11), (0.0, 0.01)] {
        let entries = (0..900).map(|ij| if ij / 30 == ij % 30 { value } else { 0.0 });
        let mut exact = DenseOperator::new(30, entries.collect()).unwrap();
        let quadrature = StochasticLanczos { probes: 4, iterations: 5 };
        let densities = [
            quadrature.run(&mut exact, &mut rng(1)).unwrap(),
            Known::rotated(vec![value; 30], 2).density(4, 5, 1),
        ];
        for density in densities {
            let sigma = density.default_sigma();
            assert!((sigma / expected - 1.0).abs() < 1e-6, "{value}: {sigma:e}, {expected:e}");
            let curve = density.curve(sigma);
            let integral = trapezoid(&curve);
            assert!((integral - 1.0).abs() < 1e-6, "{value}: {integral}");
            // The peak of a Gaussian, where the eigenvalues are.
            let peak = curve.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
            let height = 1.0 / (sigma * (2.0 * std::f64::consts::PI).sqrt());
            assert!((peak.0 - value).abs() <= 0.13 * sigma, "{value}: peak at {}", peak.0);
            assert!((peak.1 / height - 1.0).abs() < 0.01, "{value}: {} for {height}", peak.1);
        }
    }
}

#[test]
fn the_effective_rank_of_zero_is_zero() {
    let density = Known::rotated(vec![0.0; 20], 1).density(3, 5, 1);
    let rank = density.effective_rank();
    assert_eq!((rank.value, rank.standard_error), (0.0, Some(0.0)));
    assert_eq!(density.masses(0.0)[1].value, 1.0);
}

#[test]
fn no_probes_and_no_steps_are_refused() {
    for (probes, iterations) in [(0, 5), (5, 0), (0, 0)] {
        let refusal = StochasticLanczos { probes, iterations }
            .run(&mut Known::rotated([1.0, 2.0], 1).operator(), &mut rng(1))
            .unwrap_err();
        assert!(matches!(refusal, Error::Numerical { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains("at least one"), "{refusal}");
    }
}

#[test]
fn a_product_that_is_not_finite_and_an_operators_own_error_end_it() {
    let run = |entry| {
        let quadrature = StochasticLanczos { probes: 2, iterations: 6 };
        quadrature.run(&mut Broken { entry, products: 0 }, &mut rng(1)).unwrap_err()
    };
    for entry in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let refusal = run(Some(entry));
        assert!(matches!(refusal, Error::NonFinite { .. }), "{entry}: {refusal:?}");
    }
    assert!(matches!(run(None), Error::Length { what: "mine", .. }));
}
