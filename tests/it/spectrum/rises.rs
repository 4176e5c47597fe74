//! How far the loss rises near a point: against random points, ascents written out here, and the exact
//! maximum of a quadratic.

use sharpscope::curvature::FlatnessSettings;
use sharpscope::linalg::{dot, norm, random_unit_vector, symmetric_eigen};

use super::flatness::{Point, SETTINGS, elementwise, largest_eigenvalue, scaled_both_sides};
use super::known::rng;
use crate::derivatives::{LOSSES, scaled};

/// No random point of the region is higher, nor is any that a single step along the gradient finds.
#[test]
fn rises_beat_random_directions_and_a_single_step() {
    for loss in LOSSES {
        let mut point = Point::relu(loss, 34);
        let n = point.theta.len();
        let found = point.measure();
        let epsilon_rise = found.epsilon_sharpness / 100.0 * (1.0 + found.loss);
        let (sides, magnitudes, slope) = (point.sides(), point.magnitudes(), point.gradient());
        let mut best = [f64::MIN; 3];
        let mut draw = rng(5);
        for number in 0..300 {
            let u = match number {
                0 => scaled(&slope, 1.0 / norm(&slope)),
                _ => random_unit_vector(n, &mut draw),
            };
            let along = elementwise(&u, &magnitudes, |u, w| u * w);
            // The gradient's own step in the metric of the weights.
            let along = match number {
                0 => scaled(&along, 1.0 / norm(&along)),
                _ => u.clone(),
            };
            let changes = [
                elementwise(&u, &sides, |u, side| u.signum() * side),
                scaled(&u, SETTINGS.rho),
                elementwise(&along, &magnitudes, |u, w| SETTINGS.adaptive_rho * u * w),
            ];
            for (best, change) in best.iter_mut().zip(&changes) {
                *best = best.max(point.rise(change));
            }
        }
        let measured = [epsilon_rise, found.sam_rise, found.adaptive_rise];
        for (measured, best) in measured.into_iter().zip(best) {
            assert!(best > 0.0 && measured >= best * (1.0 - 1e-12), "{measured} below {best}");
        }
        let single = point.measure_with(FlatnessSettings { ascent_steps: 1, ..SETTINGS }, 1);
        assert!(single.epsilon_sharpness <= found.epsilon_sharpness);
        assert!(single.sam_rise <= found.sam_rise && single.sam_rise > 0.0);
        assert!(single.adaptive_rise < found.adaptive_rise, "the ascent goes on");
    }
}

/// Each ascent is followed to its end, whatever an earlier one has found.
#[test]
fn rises_are_the_best_of_all_ascents() {
    for loss in LOSSES {
        for seed in 40..60 {
            let mut point = Point::relu(loss, seed);
            let found = point.measure();
            let n = point.theta.len();
            let eigen = symmetric_eigen(n, &point.hessian()).unwrap();
            let top = eigen.vector(n - 1).to_vec();
            let sides = point.sides();
            let to_corner = |g: &[f64]| elementwise(g, &sides, |g, side| g.signum() * side);
            let to_sphere = |g: &[f64]| scaled(g, SETTINGS.rho / norm(g));
            let starts = [point.gradient(), scaled(&top, -1.0), top];
            let mut best = |farthest: &dyn Fn(&[f64]) -> Vec<f64>| {
                let mut best = 0.0_f64;
                for start in &starts {
                    let (mut change, mut last) = (farthest(start), f64::MIN);
                    for _ in 0..SETTINGS.ascent_steps {
                        let rise = point.rise(&change);
                        if rise <= last {
                            break;
                        }
                        last = rise;
                        change = farthest(&point.at(&change).1);
                    }
                    best = best.max(last);
                }
                best
            };
            let (corner, sphere) = (best(&to_corner), best(&to_sphere));
            let sharpness = 100.0 * corner / (1.0 + found.loss);
            let name = format!("{loss:?}, seed {seed}");
            assert!(found.epsilon_sharpness >= sharpness * (1.0 - 1e-6), "{name}: {sharpness}");
            assert!(
                found.sam_rise >= sphere * (1.0 - 1e-6),
                "{name}: {sphere}, {}",
                found.sam_rise
            );
        }
    }
}

/// max of g'd + d'Hd/2 over ||d|| = radius, for a convex quadratic: (mu I - H) d = g with the mu above
/// the largest eigenvalue that gives d its length.
fn largest_on_sphere(gradient: &[f64], hessian: &[f64], radius: f64) -> f64 {
    let n = gradient.len();
    let eigen = symmetric_eigen(n, hessian).unwrap();
    let along: Vec<f64> = (0..n).map(|i| dot(eigen.vector(i), gradient)).collect();
    let step = |mu: f64| elementwise(&along, &eigen.values, |g, value| g / (mu - value));
    let top = eigen.values[n - 1];
    let (mut low, mut high) = (top, top + norm(gradient) / radius);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if norm(&step(middle)) > radius { low = middle } else { high = middle }
    }
    let d = step(high);
    assert!((norm(&d) / radius - 1.0).abs() < 1e-9, "the gradient has no part along the top");
    let curvature: f64 = d.iter().zip(&eigen.values).map(|(d, value)| value * d * d).sum();
    dot(&along, &d) + 0.5 * curvature
}

/// On a quadratic the largest rise is known: 20 steps come within a thousandth of it, and to rounding
/// where the gradient dominates.
#[test]
fn rises_of_a_quadratic_are_nearly_the_exact_ones() {
    for seed in 60..64 {
        let mut point = Point::linear(seed);
        let (hessian, slope, t) = (point.hessian(), point.gradient(), point.magnitudes());
        for (radius, short) in [(0.05, 1e-12), (0.5, 1e-9), (3.0, 1e-3), (30.0, 1e-3)] {
            let settings = FlatnessSettings { rho: radius, adaptive_rho: radius, ..SETTINGS };
            let found = point.measure_with(settings, 1);
            let in_weights = elementwise(&slope, &t, |g, t| g * t);
            let adaptive = largest_on_sphere(&in_weights, &scaled_both_sides(&hessian, &t), radius);
            let sam = largest_on_sphere(&slope, &hessian, radius);
            for (what, found, exact) in
                [("SAM", found.sam_rise, sam), ("adaptive", found.adaptive_rise, adaptive)]
            {
                let share = found / exact;
                let name = format!("{what}, seed {seed}, radius {radius}");
                assert!(share <= 1.0 + 1e-10, "{name}: above the maximum by {:.1e}", share - 1.0);
                assert!(share >= 1.0 - short, "{name}: {:.1e} short", 1.0 - share);
            }
        }
        // Over a box, between the corner along the gradient and what the norms allow.
        let found = point.measure();
        let rise = found.epsilon_sharpness / 100.0 * (1.0 + found.loss);
        let sides = point.sides();
        let corner = elementwise(&slope, &sides, |g, side| g.signum() * side);
        let first: f64 = slope.iter().zip(&sides).map(|(g, side)| g.abs() * side).sum();
        let second = 0.5 * largest_eigenvalue(t.len(), &hessian) * dot(&sides, &sides);
        let lowest = point.rise(&corner) * (1.0 - 1e-10);
        assert!((lowest..=first + second).contains(&rise), "{lowest}, {rise}, {}", first + second);
    }
}
