//! Slices of losses that are known, and their directions.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sharpscope::autodiff::ParameterLayout;
use sharpscope::landscape::{
    Plane, RANDOM_WALK_SHARES, Surface, coordinates, cosine, filter_normalised,
    principal_components, rise_unit, second_difference, slice_1d, slice_2d, spread,
};
use sharpscope::linalg::{dot, norm, random_unit_vector};

use super::{Separable, Term, close};

/// Along an eigenvector, with and without terms of fourth order.
#[test]
fn second_differences_are_eigenvalues() {
    let mut objective = Separable::quadratic(&[7.0, -2.0, 0.5], &[1.0, 2.0, 3.0]);
    for (i, eigenvalue) in [7.0, -2.0, 0.5].into_iter().enumerate() {
        let direction: Vec<f64> = (0..3).map(|k| f64::from(u8::from(k == i))).collect();
        let found = second_difference(&mut objective, &[0.2, 0.1, -4.0], &direction, 0.05).unwrap();
        close(found, eigenvalue, 1e-9);
    }
    let quartic: Term = Box::new(|w| [w.powi(4), 4.0 * w.powi(3), 12.0 * w * w]);
    let found = second_difference(&mut Separable::new(vec![quartic]), &[0.5], &[1.0], 0.1).unwrap();
    // (L(h) - 2L + L(-h))/h^2 is 12 w^2 + 2 h^2; extrapolation takes the second term away.
    close(found, 3.0, 1e-10);
}

#[test]
fn slices_are_the_loss_there() {
    let mut objective = Separable::quadratic(&[4.0, 1.0], &[0.0, 0.0]);
    let mut surface = Surface::new(&mut objective);
    let unit = rise_unit(2.0, 4.0).unwrap();
    close(unit, 1.0, 1e-12);
    // One unit along the eigenvector, the loss has risen by dL.
    let line = slice_1d(&mut surface, &[0.0, 0.0], &[1.0, 0.0], &[0.0, unit]).unwrap();
    close(line[1].train.loss - line[0].train.loss, 2.0, 1e-12);
    assert_eq!((rise_unit(1.0, 0.0), rise_unit(0.0, 1.0)), (None, None));
    let (xs, ys) = (spread(-1.0, 1.0, 5), spread(0.0, 3.0, 4));
    assert_eq!((xs[2], ys.clone()), (0.0, vec![0.0, 1.0, 2.0, 3.0]));
    let directions = [&[1.0, 0.0][..], &[0.5, 1.0][..]];
    let grid = slice_2d(&mut surface, &[0.1, 0.2], directions, &xs, &ys, |_| {}).unwrap();
    for (at, values) in grid.iter().enumerate() {
        let (x, y) = (xs[at % 5], ys[at / 5]);
        let (w, z): (f64, f64) = (0.1 + x + 0.5 * y, 0.2 + y);
        close(values.train.loss, 2.0 * w * w + 0.5 * z * z, 1e-12);
    }
}

#[test]
fn random_directions_are_as_long_as_each_outputs_weights() {
    let layout =
        ParameterLayout::new([("weight", vec![3, 4]), ("bias", vec![3]), ("conv", vec![2, 2, 3])]);
    let theta: Vec<f64> = (0..layout.len()).map(|i| (i as f64 * 0.7).sin()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let first = filter_normalised(&layout, &theta, &mut rng).unwrap();
    let second = filter_normalised(&layout, &theta, &mut rng).unwrap();
    for (offset, size, count) in [(0, 4, 3), (15, 6, 2)] {
        for output in 0..count {
            let part = offset + output * size..offset + (output + 1) * size;
            close(norm(&first[part.clone()]), norm(&theta[part]), 1e-8);
        }
    }
    assert!(first[12..15].iter().all(|&x| x == 0.0));
    assert!(cosine(&first, &second).abs() < 0.9 && first != second);
}

#[test]
fn planes_go_through_their_points() {
    let points = [[1.0, 0.0, 2.0, 1.0], [3.0, 1.0, 2.0, 1.0], [0.0, 5.0, 1.0, 1.0]];
    let [a, b, c] = &points;
    let plane = Plane::through([a, b, c]).unwrap();
    let [u, v] = &plane.basis;
    close(norm(u), 1.0, 1e-12);
    close(norm(v), 1.0, 1e-12);
    close(dot(u, v), 0.0, 1e-12);
    let known = [[0.0, 0.0], [5f64.sqrt(), 0.0]];
    for (point, known) in points.iter().zip(known) {
        let (at, off) = plane.coordinates(point).unwrap();
        close(at[0], known[0], 1e-12);
        close(at[1], known[1], 1e-12);
        close(off, 0.0, 1e-7);
    }
    let (at, _) = plane.coordinates(c).unwrap();
    assert!(at[1] > 0.0);
    // Off the plane by 2 along an axis that it does not touch.
    let (_, off) = plane.coordinates(&[1.0, 0.0, 2.0, 3.0]).unwrap();
    close(off, 2.0, 1e-12);
    assert!(Plane::through([a, b, &[2.0, 0.5, 2.0, 1.0]]).is_err());
    assert!(Plane::through([a, a, c]).is_err());
    // Directions that are neither orthogonal nor of unit length.
    let (at, off) =
        coordinates(&[0.0; 3], [&[2.0, 0.0, 0.0], &[1.0, 1.0, 0.0]], &[5.0, 3.0, 4.0]).unwrap();
    close(at[0], 1.0, 1e-12);
    close(at[1], 3.0, 1e-12);
    close(off, 4.0, 1e-12);
}

#[test]
fn components_of_points_in_a_plane_are_found() {
    // An ellipse in a plane of R^50: variances 9/2 and 1/2.
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let (u, mut v) = (random_unit_vector(50, &mut rng), random_unit_vector(50, &mut rng));
    let along = dot(&u, &v);
    v.iter_mut().zip(&u).for_each(|(v, u)| *v -= along * u);
    let length = norm(&v);
    v.iter_mut().for_each(|v| *v /= length);
    let point = |i: i32| -> Vec<f64> {
        let angle = f64::from(i) * std::f64::consts::TAU / 16.0;
        u.iter().zip(&v).map(|(u, v)| 7.0 + 3.0 * angle.cos() * u + angle.sin() * v).collect()
    };
    let points: Vec<Vec<f64>> = (0..16).map(point).collect();
    let points: Vec<&[f64]> = points.iter().map(|point| &point[..]).collect();
    let found = principal_components(&points, 5).unwrap();
    assert_eq!(found.directions.len(), 2);
    close(found.shares[0], 0.9, 1e-12);
    close(found.shares[1], 0.1, 1e-12);
    close(dot(&found.directions[0], &u).abs(), 1.0, 1e-12);
    close(dot(&found.directions[1], &v).abs(), 1.0, 1e-12);
    assert!(principal_components(&points[..1], 1).is_err());
}

/// A walk of 300 steps in 3000 dimensions has nearly the shares of an endless one.
#[test]
fn components_of_a_random_walk_are_those_warned_of() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut at = vec![0.0; 3000];
    let walk: Vec<Vec<f64>> = (0..300)
        .map(|_| {
            at.iter_mut().zip(random_unit_vector(3000, &mut rng)).for_each(|(w, x)| *w += x);
            at.clone()
        })
        .collect();
    let walk: Vec<&[f64]> = walk.iter().map(|point| &point[..]).collect();
    let found = principal_components(&walk, 2).unwrap();
    for (found, known) in found.shares.iter().zip(RANDOM_WALK_SHARES) {
        close(*found, known, 0.03);
    }
}
