//! Data made by formulas and seeded random numbers, on the host.

use std::f64::consts::{PI, TAU};

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

/// Points in the plane, each of a class.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Plane {
    /// Two numbers for each point.
    pub features: Vec<f64>,
    /// The class of each, point i being of class i modulo the number of classes.
    pub labels: Vec<usize>,
}

/// `points` numbers (at least 2) evenly spaced on [-1, 1], and the values there of the Chebyshev
/// polynomial of the first kind T_k, k = `degree`, by its recurrence
/// T_k(x) = 2 x T_(k-1)(x) - T_(k-2)(x) (Cohen et al. 2021, their toy regression).
pub(super) fn chebyshev(points: usize, degree: usize) -> (Vec<f64>, Vec<f64>) {
    let last = (points - 1) as f64;
    let x: Vec<f64> = (0..points).map(|i| 2.0 * i as f64 / last - 1.0).collect();
    let values = x.iter().map(|&x| {
        let (mut now, mut next) = (1.0, x);
        for _ in 0..degree {
            (now, next) = (next, 2.0 * x * next - now);
        }
        now
    });
    let values = values.collect();
    (x, values)
}

/// Gaussian blobs about centres evenly spaced on the unit circle.
pub(super) fn blobs<R: Rng>(points: usize, classes: usize, noise: f64, rng: &mut R) -> Plane {
    scattered(points, classes, noise, rng, |class, _| {
        let angle = TAU * class as f64 / classes as f64;
        [angle.cos(), angle.sin()]
    })
}

/// Two half circles of radius 1 that interlock: the upper one about (0, 0), the lower one about
/// (1, 1/2).
pub(super) fn moons<R: Rng>(points: usize, noise: f64, rng: &mut R) -> Plane {
    scattered(points, 2, noise, rng, |class, along| {
        let angle = PI * along;
        match class {
            0 => [angle.cos(), angle.sin()],
            _ => [1.0 - angle.cos(), 0.5 - angle.sin()],
        }
    })
}

/// Spiral arms that make one turn about the origin while their radius grows from 0.1 to 1.
pub(super) fn spirals<R: Rng>(points: usize, classes: usize, noise: f64, rng: &mut R) -> Plane {
    scattered(points, classes, noise, rng, |class, along| {
        let radius = 0.1 + 0.9 * along;
        let angle = TAU * (class as f64 / classes as f64 + along);
        [radius * angle.cos(), radius * angle.sin()]
    })
}

/// Points on the curve of each class, evenly spaced along it from 0 to 1, with Gaussian noise added
/// to either coordinate.
fn scattered<R: Rng>(
    points: usize,
    classes: usize,
    noise: f64,
    rng: &mut R,
    curve: impl Fn(usize, f64) -> [f64; 2],
) -> Plane {
    let mut plane = Plane { features: Vec::with_capacity(2 * points), labels: Vec::new() };
    for i in 0..points {
        let class = i % classes;
        let of_class = points / classes + usize::from(class < points % classes);
        let along = (i / classes) as f64 / (of_class - 1).max(1) as f64;
        for coordinate in curve(class, along) {
            let z: f64 = StandardNormal.sample(rng);
            plane.features.push(coordinate + noise * z);
        }
        plane.labels.push(class);
    }
    plane
}
