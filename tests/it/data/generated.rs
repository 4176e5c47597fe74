//! Generated datasets against their formulas.

use std::f64::consts::TAU;

use sharpscope::data::{Classes, DataOptions, Dataset};

fn load(name: &str, options: DataOptions, seed: u64) -> Dataset {
    Dataset::load_with(name, &options, None, seed).unwrap().0
}

fn quiet(points: usize) -> DataOptions {
    DataOptions { points: Some(points), noise: Some(0.0), ..DataOptions::default() }
}

#[test]
fn chebyshev_is_the_cosine_of_k_times_the_angle() {
    for degree in [0, 1, 2, 3, 5, 8, 40] {
        let options =
            DataOptions { points: Some(101), degree: Some(degree), ..DataOptions::default() };
        let data = load("chebyshev", options, 0);
        assert_eq!((data.len(), data.outputs()), (101, 1));
        for i in 0..data.len() {
            let x = data.features(i)[0];
            assert!((x - (-1.0 + 0.02 * i as f64)).abs() < 1e-15, "evenly spaced: {x}");
            let expected = (degree as f64 * x.acos()).cos();
            let found = data.values(i)[0];
            assert!((found - expected).abs() < 1e-12, "T_{degree}({x}) = {found}, not {expected}");
        }
    }
}

/// Expected numbers: the same recurrence in Python, its 20 numbers x and then its 20 values packed
/// with `struct.pack("<40d", ...)` for the checksum.
#[test]
fn chebyshev_has_twenty_points_of_degree_five_by_default() {
    let data = Dataset::load("chebyshev").unwrap();
    assert_eq!(data.len(), 20);
    assert_eq!([data.features(0)[0], data.features(19)[0]], [-1.0, 1.0]);
    assert_eq!([data.values(0)[0], data.values(19)[0]], [-1.0, 1.0]);
    // x = -17/19: 16 x^5 - 20 x^3 + 5 x.
    let x: f64 = -17.0 / 19.0;
    let expected = 16.0 * x.powi(5) - 20.0 * x.powi(3) + 5.0 * x;
    assert!((data.values(1)[0] - expected).abs() < 1e-14);
    assert_eq!(data.sha256, "3a1598b538f6a6caa3257a6d65fcca17bc18a71961a1f93cd4b0bf116cd8dda1");
    assert_eq!(data, load("chebyshev", DataOptions::default(), 7), "no seed in it");
}

#[test]
fn moons_without_noise_lie_on_two_half_circles() {
    let moons = load("moons", quiet(101), 0);
    assert_eq!((moons.len(), moons.outputs()), (101, 2));
    for i in 0..moons.len() {
        let [x, y] = &moons.features(i)[..] else { panic!("not in the plane") };
        let (dx, dy, upper) = match moons.label(i) {
            Some(0) => (*x, *y, *y >= -1e-15),
            _ => (x - 1.0, y - 0.5, *y <= 0.5 + 1e-15),
        };
        assert!((dx.hypot(dy) - 1.0).abs() < 1e-12 && upper, "point {i} at {x}, {y}");
    }
    // The ends of either: 51 points and 50.
    let close = |i: usize, expected: [f64; 2]| {
        let distance =
            (moons.features(i)[0] - expected[0]).hypot(moons.features(i)[1] - expected[1]);
        assert!(distance < 1e-12, "point {i}");
    };
    close(0, [1.0, 0.0]);
    close(100, [-1.0, 0.0]);
    close(1, [0.0, 0.5]);
    close(99, [2.0, 0.5]);
}

#[test]
fn spirals_without_noise_turn_once() {
    for classes in [2, 3] {
        let options = DataOptions { classes: Some(Classes::Count(classes)), ..quiet(20 * classes) };
        let spirals = load("spirals", options, 0);
        assert_eq!(spirals.outputs(), classes);
        for i in 0..spirals.len() {
            let arm = i % classes;
            assert_eq!(spirals.label(i), Some(arm));
            let along = (i / classes) as f64 / 19.0;
            let angle = TAU * (along + arm as f64 / classes as f64);
            let radius = 0.1 + 0.9 * along;
            let [x, y] = &spirals.features(i)[..] else { panic!("not in the plane") };
            assert!((x - radius * angle.cos()).abs() < 1e-12, "point {i}");
            assert!((y - radius * angle.sin()).abs() < 1e-12, "point {i}");
        }
    }
}

#[test]
fn blobs_lie_about_the_unit_circle() {
    const POINTS: usize = 20_000;
    const NOISE: f64 = 0.4;
    let options = DataOptions {
        points: Some(POINTS),
        classes: Some(Classes::Count(4)),
        noise: Some(NOISE),
        ..DataOptions::default()
    };
    let blobs = load("blobs", options, 3);
    let centres = [[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]];
    for (class, centre) in centres.into_iter().enumerate() {
        let points: Vec<_> = (0..POINTS)
            .filter(|&i| blobs.label(i) == Some(class))
            .map(|i| blobs.features(i))
            .collect();
        let n = points.len() as f64;
        assert_eq!(points.len(), POINTS / 4);
        for j in 0..2 {
            let mean = points.iter().map(|p| p[j]).sum::<f64>() / n;
            let variance = points.iter().map(|p| (p[j] - centre[j]).powi(2)).sum::<f64>() / n;
            // Five standard errors of either.
            assert!((mean - centre[j]).abs() < 5.0 * NOISE / n.sqrt(), "class {class}: {mean}");
            let relative = (variance / NOISE.powi(2) - 1.0).abs();
            assert!(relative < 5.0 * (2.0 / n).sqrt(), "class {class}: variance {variance}");
        }
    }
}

#[test]
fn points_come_from_the_seed() {
    for name in ["blobs", "moons", "spirals"] {
        let seeded = |seed| load(name, DataOptions::default(), seed);
        let first = seeded(0);
        assert_eq!(first, seeded(0), "{name}");
        assert_ne!(first.inputs, seeded(1).inputs, "{name}");
        assert_ne!(first.sha256, seeded(1).sha256, "{name}");
        assert_eq!(first.targets, seeded(1).targets, "{name}");
    }
}

#[test]
fn every_class_has_a_point_where_points_are_few() {
    let options =
        DataOptions { points: Some(5), classes: Some(Classes::Count(5)), ..DataOptions::default() };
    let spirals = load("spirals", options, 0);
    let labels: Vec<_> = (0..5).map(|i| spirals.label(i)).collect();
    assert_eq!(labels, [0, 1, 2, 3, 4].map(Some));
    assert!((0..5).all(|i| spirals.features(i).iter().all(|x| x.is_finite())));
}
