//! Rod flow where its fixed points are known.

use crate::landscape::{Separable, Term, close};
use sharpscope::flow::{CentralFlow, Flow, FlowPoint, Law, Momentum, RodFlow, TopSettings};

/// S w^2/2 - Q w^4/4.
fn quartic(s: f64, q: f64) -> Separable {
    let term: Term = Box::new(move |w| {
        [0.5 * s * w * w - 0.25 * q * w.powi(4), s * w - q * w.powi(3), s - 3.0 * q * w * w]
    });
    Separable::new(vec![term])
}

#[test]
fn the_rod_in_a_quartic_is_as_long_as_gradient_descents_cycle() {
    let (s, q, lr) = (1.3, 0.7, 1.9);
    let mut objective = quartic(s, q);
    let mut flow = RodFlow::new(Law::Descent, &[0.05], &[-0.03], vec![], 3, TopSettings::default());
    let mut point = flow.step(&mut objective, lr).unwrap();
    for _ in 0..200 {
        point = flow.step(&mut objective, lr).unwrap();
    }
    let expected = s / q - 2.0 / (lr * q);
    close(lr * point.oscillations[0].variance, expected, 1e-9);
    close(point.theta[0], 0.0, 1e-9);
    // Gradient descent itself.
    let mut w: f64 = 0.05;
    for _ in 0..2000 {
        w -= lr * (s * w - q * w.powi(3));
    }
    close(w * w, expected, 1e-9);
}

#[test]
fn rods_grow_above_two_over_the_rate_alone() {
    for (edge_ratio, grows) in [(0.95, false), (1.05, true)] {
        let lr = 2.0 * edge_ratio;
        let mut objective = Separable::quadratic(&[1.0, 0.1], &[0.0, 0.0]);
        // The way that is gone along the second is longer than the oscillation along the first.
        let (here, next) = ([1e-3, 1.0], [-1e-3, 0.8]);
        let mut flow = RodFlow::new(Law::Descent, &here, &next, vec![], 3, TopSettings::default());
        let across = |point: &sharpscope::flow::FlowPoint| -> f64 {
            point.oscillations.iter().map(|o| o.variance * lr * o.covector[0].powi(2) * lr).sum()
        };
        let first = across(&flow.step(&mut objective, lr).unwrap());
        let mut last = first;
        for _ in 0..20 {
            last = across(&flow.step(&mut objective, lr).unwrap());
        }
        assert_eq!(last > first, grows, "{edge_ratio}: {first} to {last}");
    }
}

/// Each kind of momentum with what it can bear, times the rate.
fn kinds(beta: f64) -> [(Momentum, f64); 3] {
    [
        (Momentum::heavy_ball(beta), 2.0 + 2.0 * beta),
        (Momentum::nesterov(beta), (2.0 + 2.0 * beta) / (1.0 + 2.0 * beta)),
        (Momentum::mean(beta), (2.0 + 2.0 * beta) / (1.0 - beta)),
    ]
}

/// A step of each coordinate, written out: w, and what is remembered.
fn stepped(kind: Momentum, lr: f64, w: f64, m: f64, gradient: f64) -> (f64, f64) {
    let m = kind.beta * m + kind.share * gradient;
    (w - lr * (kind.through * m + kind.direct * gradient), m)
}

/// The flow from w (and nothing remembered), where the gradients are those of a diagonal Hessian.
fn with_momentum(
    kind: Momentum,
    lr: f64,
    start: &[f64],
    gradients: &[f64],
    most: usize,
) -> RodFlow {
    let both = start.iter().zip(gradients).map(|(&w, &g)| stepped(kind, lr, w, 0.0, g));
    let (next, remembered): (Vec<f64>, Vec<f64>) = both.unzip();
    RodFlow::new(Law::Descent, start, &next, vec![], most, TopSettings::default()).with_momentum(
        kind,
        &vec![0.0; start.len()],
        &remembered,
    )
}

/// In a cycle of two w = +-A what is remembered is +-c g/(1 + beta), and S - Q A^2 is the threshold.
#[test]
fn with_momentum_the_rod_in_a_quartic_is_as_long_as_its_cycle() {
    let (s, q, start) = (1.3, 0.7, 0.05);
    for (kind, edge) in kinds(0.5) {
        let threshold = 1.15;
        let lr = edge / threshold;
        let mut objective = quartic(s, q);
        let gradient = s * start - q * start.powi(3);
        let mut flow = with_momentum(kind, lr, &[start], &[gradient], 3);
        let mut point = flow.step(&mut objective, lr).unwrap();
        for _ in 0..400 {
            point = flow.step(&mut objective, lr).unwrap();
        }
        let expected = (s - threshold) / q;
        close(lr * point.oscillations[0].variance, expected, 1e-9);
        close(point.theta[0], 0.0, 1e-9);
        let (mut w, mut m) = (start, 0.0);
        for _ in 0..3000 {
            (w, m) = stepped(kind, lr, w, m, s * w - q * w.powi(3));
        }
        close(w * w, expected, 1e-9);
    }
}

#[test]
fn with_momentum_rods_grow_above_its_threshold_alone() {
    for beta in [0.5, 0.9] {
        for (kind, edge) in kinds(beta) {
            for (ratio, grows) in [(0.97, false), (1.03, true)] {
                let lr = edge * ratio;
                let mut objective = Separable::quadratic(&[1.0], &[0.0]);
                let mut flow = with_momentum(kind, lr, &[1e-3], &[1e-3], 3);
                let mut variance = |steps: usize| {
                    let mut point = flow.step(&mut objective, lr).unwrap();
                    (1..steps).for_each(|_| point = flow.step(&mut objective, lr).unwrap());
                    point.oscillations.first().map_or(0.0, |o| o.variance)
                };
                // What is not the oscillation goes first.
                let (first, last) = (variance(40), variance(80));
                assert_eq!(last > first, grows, "{kind:?}, {ratio}: {first} to {last}");
            }
        }
    }
}

/// Gradient descent is heavy ball that remembers nothing.
#[test]
fn without_memory_it_is_the_flow_of_gradient_descent() {
    let (a, start, lr) = ([1.0, 0.3], [1e-2, 1.0], 2.1);
    let gradients = [1e-2, 0.3];
    let next: Vec<f64> = start.iter().zip(&gradients).map(|(w, g)| w - lr * g).collect();
    let follow = |mut flow: RodFlow| -> FlowPoint {
        let mut objective = Separable::quadratic(&a, &[0.0, 0.0]);
        let mut point = flow.step(&mut objective, lr).unwrap();
        (0..10).for_each(|_| point = flow.step(&mut objective, lr).unwrap());
        point
    };
    // As many rods as there are directions, so that none is left out.
    let plain = RodFlow::new(Law::Descent, &start, &next, vec![], 4, TopSettings::default());
    let plain = follow(plain);
    let other = follow(with_momentum(Momentum::heavy_ball(0.0), lr, &start, &gradients, 4));
    for i in 0..2 {
        close(other.theta[i], plain.theta[i], 1e-12);
        let variances = [&other, &plain].map(|point| point.oscillations[i].variance);
        close(variances[0], variances[1], 1e-9 * variances[1]);
    }
    close(other.expected_loss, plain.expected_loss, 1e-10);
}

/// What holds the sharpness is its slope, and a quartic has none in the middle: the central flow says so.
#[test]
fn the_central_flow_has_no_oscillation_where_none_changes_the_sharpness() {
    let mut objective = quartic(1.0, 0.7);
    let flow = |resolution| {
        CentralFlow::new(Law::Descent, vec![0.0], vec![], TopSettings::default(), resolution)
    };
    let told = flow(1e-16).step(&mut objective, 2.05).unwrap_err().to_string();
    assert!(told.contains("none holds the sharpness"), "{told}");
}
