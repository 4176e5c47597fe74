//! Rod flow where its fixed points are known.

use crate::landscape::{Separable, Term, close};
use sharpscope::flow::{CentralFlow, Flow, Law, RodFlow, TopSettings};

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
