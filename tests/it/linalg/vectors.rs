//! Products, norms and random directions.

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
    let points: Vec<Vec<f64>> = (0..DRAWS).map(|_| random_unit_vector(3, &mut generator)).collect();
    for axis in 0..3 {
        for (power, expected) in [(1, 0.0), (2, 1.0 / 3.0), (3, 0.0), (4, 0.2)] {
            let mean = points.iter().map(|p| p[axis].powi(power)).sum::<f64>() / DRAWS as f64;
            let variance = 1.0 / f64::from(2 * power + 1) - expected * expected;
            let deviation = (variance / DRAWS as f64).sqrt();
            assert_near(mean, expected, 5.0 * deviation, &format!("moment {power}"));
        }
    }
}
