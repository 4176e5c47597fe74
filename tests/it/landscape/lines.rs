//! Straight lines whose losses, barriers and eigenvalues are known.

use sharpscope::landscape::{
    FollowSettings, PathPoint, SharpnessFollower, Surface, along, barriers, evenly, is_monotone,
    line,
};

use super::{Separable, Term, close};

fn measured(
    objective: &mut Separable,
    a: &[f64],
    b: &[f64],
    points: usize,
    top: usize,
) -> Vec<PathPoint> {
    let mut follower = (top > 0).then(|| {
        let settings = FollowSettings { audit_every: 1, ..FollowSettings::new(top) };
        SharpnessFollower::new(settings)
    });
    let mut surface = Surface::new(objective);
    let path = line(a, b).unwrap();
    along(&mut surface, &evenly(points), path, follower.as_mut(), |_| Ok(())).unwrap()
}

/// On a quadratic L(t) is the line between its ends less t(1 - t)/2 d'Ad, d being the difference of the ends.
#[test]
fn barriers_of_a_quadratic_have_a_closed_form() {
    let (a, b) = ([1.0, -2.0, 0.5], [-0.5, 1.0, 2.5]);
    for curvature in [[1.0, 2.0, 3.0], [-1.0, -2.0, -3.0]] {
        let mut objective = Separable::quadratic(&curvature, &[0.3, 0.0, -1.0]);
        let points = measured(&mut objective, &a, &b, 21, 0);
        let squared: f64 =
            curvature.iter().zip(a.iter().zip(&b)).map(|(h, (a, b))| h * (a - b) * (a - b)).sum();
        let loss = |i: usize| points[i].values.train.loss;
        for point in &points {
            let expected = (1.0 - point.t) * loss(0) + point.t * loss(20)
                - 0.5 * point.t * (1.0 - point.t) * squared;
            close(point.values.train.loss, expected, 1e-12);
        }
        let (train, validation) = barriers(&points);
        let train = train.unwrap();
        assert_eq!((validation, train.error), (None, None));
        // Highest in the middle where it curves down, and next to an end, below 0, where it curves up.
        let (value, t) = match squared < 0.0 {
            true => (-squared / 8.0, 0.5),
            false => (-0.5 * 0.05 * 0.95 * squared, 0.05),
        };
        close(train.loss.value, value, 1e-12);
        close(train.loss.t, t, 1e-12);
        let inner = (1..20).map(loss).fold(f64::NEG_INFINITY, f64::max);
        close(train.over_worse_end.value, inner - loss(0).max(loss(20)), 1e-12);
        close(train.saddle.value, inner.max(loss(0)).max(loss(20)), 1e-12);
        let length = a.iter().zip(&b).map(|(a, b)| (a - b) * (a - b)).sum::<f64>().sqrt();
        close(points[20].arc_length, length, 1e-12);
    }
}

#[test]
fn the_error_barrier_is_over_the_mean_of_the_ends() {
    // Right for 9 of 10 at the first end, 7 of 10 at the second, 2 of 10 between.
    let accuracy = |w: &[f64]| {
        Some(if w[0] == 0.0 {
            0.9
        } else if w[0] == 1.0 {
            0.7
        } else {
            0.2
        })
    };
    let mut objective = Separable::quadratic(&[1.0], &[0.0]).with_accuracy(accuracy);
    let points = measured(&mut objective, &[0.0], &[1.0], 5, 0);
    let error = barriers(&points).0.unwrap().error.unwrap();
    close(error.value, 0.8 - 0.2, 1e-12);
    // The first of equals.
    close(error.t, 0.25, 1e-12);
}

#[test]
fn losses_that_are_not_finite_are_infinite_barriers() {
    let term: Term = Box::new(|w| [if w > 0.4 && w < 0.6 { f64::NAN } else { w }, 1.0, 0.0]);
    let points = measured(&mut Separable::new(vec![term]), &[0.0], &[1.0], 3, 1);
    let train = barriers(&points).0.unwrap();
    assert_eq!((train.loss.value, train.loss.t), (f64::INFINITY, 0.5));
    assert_eq!(points[1].sharpness, None);
    assert!(points[2].sharpness.is_some());
}

/// f_i(w) = a_i w^4/12 has the curvature a_i w^2, so that eigenvalues cross along a line: at each point they are the
/// largest of that point, with the overlap falling to 0 where the first changes hands.
#[test]
fn eigenvalues_are_followed_through_a_crossing() {
    let scales: Vec<f64> = (1..=40).map(|i| 10.0 / f64::from(i)).collect();
    let term = |&a: &f64| -> Term {
        Box::new(move |w| [a * w.powi(4) / 12.0, a * w.powi(3) / 3.0, a * w * w])
    };
    let mut objective = Separable::new(scales.iter().map(term).collect());
    let a: Vec<f64> = vec![1.0; 40];
    let b: Vec<f64> = (0..40).map(|i| 1.0 + 0.09 * f64::from(i)).collect();
    let points = measured(&mut objective, &a, &b, 13, 3);
    let mut changed = 0;
    for point in &points {
        let mut known: Vec<f64> = (0..40)
            .map(|i| scales[i] * ((1.0 - point.t) * a[i] + point.t * b[i]).powi(2))
            .collect();
        known.sort_by(|x, y| y.total_cmp(x));
        let found = point.sharpness.as_ref().unwrap();
        assert!(found.converged && found.residual.iter().all(|&r| r <= 1e-3));
        for (found, known) in found.lambda.iter().zip(&known) {
            close(*found, *known, 1e-3 * known);
        }
        changed += found.overlap.iter().filter(|&&overlap| overlap < 0.5).count();
    }
    assert!(changed > 0 && points[0].sharpness.as_ref().unwrap().overlap.is_empty());
}

#[test]
fn monotone_lines_only_fall() {
    assert_eq!(is_monotone(&[3.0, 2.0, 2.0, 1.0], 0.0), (true, 0.0));
    assert_eq!(is_monotone(&[3.0, 1.0, 1.5, 0.5], 0.1), (false, 0.5));
    assert!(is_monotone(&[3.0, 1.0, 1.05, 0.5], 0.1).0);
    assert_eq!(is_monotone(&[3.0, f64::NAN, 0.5], 0.1), (false, f64::INFINITY));
}
