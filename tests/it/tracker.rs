//! Following eigenpairs of dense matrices that change, beside all their eigenvalues at each step.

use sharpscope::Error;
use sharpscope::error::Result;
use sharpscope::linalg::{
    DenseOperator, Secant, SymmetricOperator, Tracked, Tracker, TrackerSettings, dot, norm,
    random_unit_vector, symmetric_eigen,
};
use sharpscope::rng::{Stream, stream};

/// Counts products, and the blocks that they were asked for in.
struct Counted {
    matrix: DenseOperator,
    products: usize,
    passes: usize,
}

impl Counted {
    fn new(n: usize, entries: Vec<f64>) -> Self {
        Self { matrix: DenseOperator::new(n, entries).unwrap(), products: 0, passes: 0 }
    }
}

impl SymmetricOperator for Counted {
    fn dim(&self) -> usize {
        self.matrix.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.products += 1;
        self.passes += 1;
        self.matrix.apply(x, y)
    }

    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.products += x.len() / self.dim();
        self.passes += usize::from(!x.is_empty());
        self.matrix.apply_block(x, y)
    }
}

/// The sum of value * v v'.
fn matrix(n: usize, pairs: &[(f64, &[f64])]) -> Counted {
    let mut entries = vec![0.0; n * n];
    for (value, v) in pairs {
        for j in 0..n {
            for i in 0..n {
                entries[j * n + i] += value * v[i] * v[j];
            }
        }
    }
    Counted::new(n, entries)
}

/// An orthonormal basis, turned by `angle` in a few fixed planes.
fn basis(n: usize, seed: u64, angle: f64) -> Vec<Vec<f64>> {
    let mut rng = stream(seed, Stream::Split);
    let mut basis: Vec<Vec<f64>> = Vec::new();
    while basis.len() < n {
        let mut v = random_unit_vector(n, &mut rng);
        for _ in 0..2 {
            for b in &basis {
                let along = dot(b, &v);
                v.iter_mut().zip(b).for_each(|(v, b)| *v -= along * b);
            }
        }
        let length = norm(&v);
        basis.push(v.iter().map(|x| x / length).collect());
    }
    let (sin, cos) = angle.sin_cos();
    for (i, j) in [(0, n - 1), (1, n - 2), (0, 1), (2, n - 3)] {
        let (a, b) = (basis[i].clone(), basis[j].clone());
        basis[i] = a.iter().zip(&b).map(|(a, b)| cos * a + sin * b).collect();
        basis[j] = a.iter().zip(&b).map(|(a, b)| cos * b - sin * a).collect();
    }
    basis
}

fn step(tracker: &mut Tracker, operator: &mut Counted) -> Tracked {
    let x = tracker.directions().to_vec();
    let mut ax = vec![0.0; x.len()];
    operator.apply_block(&x, &mut ax).unwrap();
    let tracked = tracker.update(operator, &ax, None).unwrap();
    assert_eq!(tracked.products, operator.products, "products");
    assert_eq!(tracked.passes, operator.passes, "passes");
    tracked
}

fn exact(operator: &Counted) -> Vec<f64> {
    let eigen = symmetric_eigen(operator.dim(), operator.matrix.entries()).unwrap();
    eigen.values.iter().rev().copied().collect()
}

/// Residuals are what they say, and no value is further from an eigenvalue than its residual.
fn check_pairs(tracked: &Tracked, operator: &mut Counted) {
    let values = exact(operator);
    for pair in &tracked.pairs {
        let mut image = vec![0.0; operator.dim()];
        operator.matrix.apply(&pair.vector, &mut image).unwrap();
        image.iter_mut().zip(&pair.vector).for_each(|(y, u)| *y -= pair.value * u);
        let residual = norm(&image) / pair.value.abs();
        assert!(
            (residual - pair.residual).abs() < 1e-10,
            "{residual} said to be {}",
            pair.residual
        );
        assert!((norm(&pair.vector) - 1.0).abs() < 1e-12);
        let nearest = values.iter().map(|v| (v - pair.value).abs()).fold(f64::INFINITY, f64::min);
        assert!(nearest <= pair.residual * pair.value.abs() + 1e-10);
    }
}

/// Two eigenvalues cross at step 50, while all vectors turn.
#[test]
fn a_crossing_is_followed() {
    const N: usize = 60;
    for k in [1, 3, 6] {
        let mut tracker = Tracker::new(N, TrackerSettings::new(k, 1e-3));
        let (mut products, mut passes) = (Vec::new(), Vec::new());
        for t in 0..100 {
            let time = t as f64 / 100.0;
            let vectors = basis(N, 7, 2.0 * time);
            let value = |i: usize| match i {
                0 => 12.0 - 4.0 * time,
                1 => 8.0 + 4.0 * time,
                i => 6.0 * 0.8_f64.powi(i as i32) - if i % 2 == 0 { 0.0 } else { 0.3 },
            };
            let pairs: Vec<(f64, &[f64])> =
                vectors.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
            let mut operator = matrix(N, &pairs);
            let tracked = step(&mut tracker, &mut operator);
            check_pairs(&tracked, &mut operator);
            assert_eq!(tracked.pairs.len(), k);
            for (pair, exact) in tracked.pairs.iter().zip(exact(&operator)) {
                assert!(pair.converged, "k {k}, step {t}");
                // At the crossing two eigenvalues are within the residual of each other.
                let error = (pair.value - exact).abs() / exact;
                assert!(error < 1e-3, "k {k}, step {t}: {} for {exact}", pair.value);
                assert!(error < 1e-4 || (45..=55).contains(&t), "k {k}, step {t}: {error:e}");
            }
            let audited = tracked.audit.as_ref().map_or(0, |audit| audit.products);
            products.push(tracked.products - audited);
            passes.push(tracked.passes - audited);
        }
        products.sort_unstable();
        passes.sort_unstable();
        // The first pass has the k vectors and the guard; another may be needed now and then.
        assert!(products[50] <= k + 2, "k {k}: median of {} products", products[50]);
        assert!(passes[95] <= 2, "k {k}: {} passes", passes[95]);
    }
}

/// Pairs that have not converged are improved together: each pass has a vector for each of them.
#[test]
fn unconverged_pairs_share_a_pass() {
    const N: usize = 60;
    let mut tracker = Tracker::new(N, TrackerSettings::new(3, 1e-3));
    for t in 0..6 {
        let vectors = basis(N, 13, if t < 5 { 0.0 } else { 0.6 });
        let value = |i: usize| if i < 3 { 10.0 - i as f64 } else { 7.0 * 0.98_f64.powi(i as i32) };
        let pairs: Vec<(f64, &[f64])> =
            vectors.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
        let mut operator = matrix(N, &pairs);
        let tracked = step(&mut tracker, &mut operator);
        check_pairs(&tracked, &mut operator);
        if t == 5 {
            let (products, passes) = (tracked.products - 4, tracked.passes - 1);
            assert!(products >= 4, "the change is too small to tell: {products} products");
            assert!(2 * passes <= products, "{products} products in {passes} passes");
        }
    }
}

/// Steps at which the largest eigenvalue found is wrong by more than 1%, and audits that disagreed.
fn wrong_and_repaired(
    settings: TrackerSettings,
    operators: impl Iterator<Item = Counted>,
) -> (usize, usize) {
    let (mut tracker, mut wrong, mut repaired) = (None, 0, 0);
    for mut operator in operators {
        let tracker = tracker.get_or_insert_with(|| Tracker::new(operator.dim(), settings));
        let tracked = step(tracker, &mut operator);
        check_pairs(&tracked, &mut operator);
        let top = exact(&operator)[0];
        wrong += usize::from((tracked.pairs[0].value - top).abs() > 0.01 * top);
        repaired += usize::from(tracked.audit.is_some_and(|audit| audit.disagrees));
    }
    (wrong, repaired)
}

/// A direction orthogonal to all that is known becomes the largest from one step to the next.
#[test]
fn what_jumps_ahead_is_found_by_the_guard_and_at_the_latest_by_the_audit() {
    const N: usize = 80;
    let vectors = basis(N, 3, 0.0);
    let low = |i: usize| 5.0 * 0.85_f64.powi(i as i32);
    let run = |seed: u64, audit_every: usize| {
        let operators = (0..40).map(|t| {
            let jump = if t < 13 { 0.0 } else { 12.0 };
            let value = |i: usize| if i == N - 1 { jump } else { low(i) };
            let pairs: Vec<(f64, &[f64])> =
                vectors.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
            matrix(N, &pairs)
        });
        let settings = TrackerSettings { seed, audit_every, ..TrackerSettings::new(1, 1e-3) };
        wrong_and_repaired(settings, operators)
    };
    for seed in 0..10 {
        // Of what the guard is orthogonal to the largest is 5 * 0.85^12 = 0.7: it turns fast.
        let (wrong, repaired) = run(seed, 1000);
        assert!((1..=6).contains(&wrong), "seed {seed}: {wrong} steps wrong with the guard alone");
        assert_eq!(repaired, 0, "seed {seed}");
        assert_eq!(run(seed, 1), (0, 1), "seed {seed}: an audit at each step");
    }
}

/// A direction orthogonal to all others rises slowly and overtakes them, while they turn among
/// themselves. (A guard orthogonal to the followed vector alone was 25 steps late at 1e-2.)
#[test]
fn what_rises_is_known_soon_after_it_overtakes() {
    const N: usize = 120;
    let fixed = basis(N, 8, 0.0);
    for tolerance in [1e-3, 1e-2] {
        for seed in 0..3 {
            let mut turning = fixed.clone();
            let operators = (0..120).map(|t| {
                for i in 0..40 {
                    let (sin, cos) = 0.02_f64.sin_cos();
                    let j = 41 + (7 * i + t) % (N - 42);
                    let (a, b) = (turning[i].clone(), turning[j].clone());
                    turning[i] = a.iter().zip(&b).map(|(a, b)| cos * a + sin * b).collect();
                    turning[j] = a.iter().zip(&b).map(|(a, b)| cos * b - sin * a).collect();
                }
                // It is the largest from step 66 on, by 1% from 67 on.
                let value = |i: usize| match i {
                    i if i == N - 1 => 0.15 * t as f64,
                    i if i == N - 2 => -12.0,
                    i => 10.0 / (1.0 + 0.3 * i as f64),
                };
                let pairs: Vec<(f64, &[f64])> =
                    turning.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
                matrix(N, &pairs)
            });
            let base = TrackerSettings::new(1, tolerance);
            let settings = TrackerSettings { seed, audit_every: 1000, ..base };
            let (wrong, _) = wrong_and_repaired(settings, operators);
            assert!(wrong <= 20, "tolerance {tolerance}, seed {seed}: {wrong} steps wrong");
        }
    }
}

/// A change of metric leaves the tracker as good as it was.
#[test]
fn a_diagonal_scaling_is_followed() {
    const N: usize = 40;
    let vectors = basis(N, 5, 0.0);
    let pairs: Vec<(f64, &[f64])> =
        vectors.iter().enumerate().map(|(i, v)| (9.0 * 0.7_f64.powi(i as i32), &v[..])).collect();
    let plain = matrix(N, &pairs);
    let diagonal = |t: usize| -> Vec<f64> {
        (0..N).map(|i| 1.0 + 0.5 * (0.3 * i as f64 + 0.1 * t as f64).sin()).collect()
    };
    let mut tracker = Tracker::new(N, TrackerSettings::new(2, 1e-3));
    let mut most = 0;
    for t in 0..40 {
        let d = diagonal(t);
        let entries: Vec<f64> = plain
            .matrix
            .entries()
            .iter()
            .enumerate()
            .map(|(at, a)| d[at % N] * a * d[at / N])
            .collect();
        let mut operator = Counted::new(N, entries);
        if t > 0 {
            let old = diagonal(t - 1);
            let ratio: Vec<f64> = d.iter().zip(&old).map(|(new, old)| new / old).collect();
            tracker.rescale(&ratio).unwrap();
            let x = tracker.directions().to_vec();
            let mut ax = vec![0.0; x.len()];
            operator.apply_block(&x, &mut ax).unwrap();
            let tracked = tracker.update(&mut operator, &ax, None).unwrap();
            check_pairs(&tracked, &mut operator);
            for (pair, exact) in tracked.pairs.iter().zip(exact(&operator)) {
                assert!((pair.value / exact - 1.0).abs() < 1e-4, "step {t}");
            }
            most = most.max(tracked.products);
        } else {
            step(&mut tracker, &mut operator);
        }
    }
    assert!(most <= 12, "{most} products");
    assert!(tracker.rescale(&[1.0]).is_err());
}

/// What the gradient's change tells is known at once, and costs nothing: here the step was along a
/// direction, orthogonal to all that is known, that has become the largest.
#[test]
fn a_secant_along_a_new_direction_shows_it() {
    const N: usize = 60;
    let vectors = basis(N, 11, 0.0);
    for (with, expected) in [(true, 8.0), (false, 5.0)] {
        let mut tracker = Tracker::new(N, TrackerSettings::new(1, 1e-3));
        for t in 0..6 {
            let new = if t < 5 { 0.0 } else { 8.0 };
            let value = |i: usize| if i == N - 1 { new } else { 5.0 * 0.7_f64.powi(i as i32) };
            let pairs: Vec<(f64, &[f64])> =
                vectors.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
            let mut operator = matrix(N, &pairs);
            let x = tracker.directions().to_vec();
            let mut ax = vec![0.0; x.len()];
            operator.apply_block(&x, &mut ax).unwrap();
            let s: Vec<f64> = vectors[N - 1].iter().map(|x| 0.01 * x).collect();
            let y: Vec<f64> = s.iter().map(|s| new * s).collect();
            let secant = with.then_some(Secant { s: &s, y: &y });
            let tracked = tracker.update(&mut operator, &ax, secant).unwrap();
            if t == 5 {
                assert!((tracked.pairs[0].value - expected).abs() < 1e-3, "{with}");
                assert!(tracked.products <= 4);
            }
        }
    }
}

#[test]
fn the_largest_is_not_the_largest_in_magnitude() {
    const N: usize = 30;
    let mut tracker = Tracker::new(N, TrackerSettings::new(1, 1e-3));
    for t in 0..20 {
        let vectors = basis(N, 2, 0.02 * t as f64);
        let value = |i: usize| if i == 5 { -100.0 } else { 3.0 * 0.8_f64.powi(i as i32) };
        let pairs: Vec<(f64, &[f64])> =
            vectors.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
        let mut operator = matrix(N, &pairs);
        let tracked = step(&mut tracker, &mut operator);
        assert!((tracked.pairs[0].value - 3.0).abs() < 1e-3, "{}", tracked.pairs[0].value);
    }
}

#[test]
fn small_zero_and_repeated_spectra() {
    for n in 1..=4 {
        let mut tracker = Tracker::new(n, TrackerSettings::new(3, 1e-3));
        let entries = |zero: bool| -> Vec<f64> {
            let diagonal =
                |at: usize| if at / n == at % n && !zero { 1.0 + at as f64 } else { 0.0 };
            (0..n * n).map(diagonal).collect()
        };
        for zero in [false, false, true, true, false] {
            let mut operator = Counted::new(n, entries(zero));
            let tracked = step(&mut tracker, &mut operator);
            let expected = exact(&operator);
            assert!(!tracked.pairs.is_empty() && tracked.pairs.len() <= n.min(3));
            let top = tracked.pairs[0].value;
            assert!((top - expected[0]).abs() < 1e-3, "n {n}: {top} for {}", expected[0]);
        }
    }
    // A double largest eigenvalue: each pair is one, whichever vectors of their plane are found.
    let vectors = basis(20, 4, 0.0);
    let value = |i: usize| if i < 2 { 4.0 } else { 0.5_f64.powi(i as i32) };
    let pairs: Vec<(f64, &[f64])> =
        vectors.iter().enumerate().map(|(i, v)| (value(i), &v[..])).collect();
    let mut tracker = Tracker::new(20, TrackerSettings::new(2, 1e-3));
    let mut last = Vec::new();
    for _ in 0..12 {
        let mut operator = matrix(20, &pairs);
        let tracked = step(&mut tracker, &mut operator);
        check_pairs(&tracked, &mut operator);
        last = tracked.pairs.iter().map(|pair| pair.value).collect::<Vec<_>>();
    }
    // The guard brings in the second of them.
    assert!(last.iter().all(|value| (value - 4.0).abs() < 1e-3), "{last:?}");
}

#[test]
fn the_same_seed_gives_the_same_and_what_cannot_be_is_refused() {
    let run = || {
        let mut tracker = Tracker::new(30, TrackerSettings::new(2, 1e-3));
        (0..5)
            .map(|t| {
                let vectors = basis(30, 9, 0.1 * f64::from(t));
                let pairs: Vec<(f64, &[f64])> = vectors
                    .iter()
                    .enumerate()
                    .map(|(i, v)| (5.0 * 0.7_f64.powi(i as i32), &v[..]))
                    .collect();
                step(&mut tracker, &mut matrix(30, &pairs))
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(run(), run());

    let mut tracker = Tracker::new(3, TrackerSettings::new(1, 1e-3));
    let mut operator = Counted::new(3, vec![f64::NAN; 9]);
    let error = tracker.update(&mut operator, &[], None).unwrap_err();
    assert!(matches!(error, Error::NonFinite { .. }), "{error}");
    let mut other = matrix(4, &[]);
    assert!(matches!(tracker.update(&mut other, &[], None), Err(Error::Length { .. })));
}
