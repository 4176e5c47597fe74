//! What the integrators do where the solution is known.

use super::Plane;
use crate::landscape::{Separable, Term, close};
use sharpscope::flow::{Decayed, Flow, GradientFlow, Law, StableFlow, Tolerance, TopSettings};

const EXACT: Tolerance = Tolerance { relative: 1e-6, rounding: 1e-15 };

/// Goes so many steps; where the flow stands then.
fn gone(
    flow: &mut dyn Flow,
    objective: &mut dyn sharpscope::autodiff::Objective,
    lr: f64,
    steps: usize,
) -> Vec<f64> {
    for _ in 0..steps {
        flow.step(objective, lr).unwrap();
    }
    flow.step(objective, lr).unwrap().theta
}

#[test]
fn gradient_flow_of_a_quadratic_is_exact_however_stiff() {
    // Of 2 at the edge: 1000 and 0.2, both of which are followed.
    let (a, c) = ([5000.0, 1.0], [0.3, -1.0]);
    let start = [1.0, 2.0];
    for steps in [1, 7] {
        let mut objective = Separable::quadratic(&a, &c);
        let mut flow = GradientFlow::new(start.to_vec(), TopSettings::default(), EXACT);
        let found = gone(&mut flow, &mut objective, 0.2, steps);
        for i in 0..2 {
            let expected = c[i] + (start[i] - c[i]) * (-0.2 * a[i] * steps as f64).exp();
            close(found[i], expected, 1e-10);
        }
    }
}

#[test]
fn directions_that_are_not_followed_are_as_exact_as_is_asked() {
    let a: Vec<f64> = (0..30).map(|i| 0.25 * f64::from(i)).collect();
    let (c, start) = (vec![0.0; 30], vec![1.0; 30]);
    let mut objective = Separable::quadratic(&a, &c);
    let mut flow = GradientFlow::new(start, TopSettings::default(), EXACT);
    let found = gone(&mut flow, &mut objective, 0.2, 5);
    for (a, found) in a.iter().zip(&found) {
        close(*found, (-a).exp(), 2e-6);
    }
}

/// dw/dt = -w^3 has w = w0/sqrt(1 + 2 w0^2 t).
#[test]
fn gradient_flow_is_of_third_order() {
    let error = |relative: f64| {
        let term: Term = Box::new(|w| [0.25 * w.powi(4), w.powi(3), 3.0 * w * w]);
        let mut objective = Separable::new(vec![term]);
        let tolerance = Tolerance { relative, rounding: 0.0 };
        let mut flow = GradientFlow::new(vec![1.5], TopSettings::default(), tolerance);
        let found = gone(&mut flow, &mut objective, 1.0, 4);
        (found[0] - 1.5 / (1.0_f64 + 2.0 * 2.25 * 4.0).sqrt()).abs()
    };
    // The error of a step by its way is of order 2, that of the end of order 3: 100 times less of the one is 1000
    // times less of the other.
    let ratio = error(1e-4) / error(1e-6);
    assert!((300.0..3000.0).contains(&ratio), "{ratio}");
}

#[test]
fn the_stable_flow_is_of_first_order_and_stops_where_it_is_stiff() {
    let error = |lr: f64| {
        let mut objective = Separable::quadratic(&[1.0], &[0.0]);
        let mut flow = StableFlow::new(Law::Descent, vec![1.0], vec![], TopSettings::default());
        let found = gone(&mut flow, &mut objective, lr, (1.0 / lr).round() as usize);
        (found[0] - (-1.0_f64).exp()).abs()
    };
    close(error(0.1) / error(0.05), 2.0, 0.05);
    let mut objective = Separable::quadratic(&[101.0], &[0.0]);
    let mut flow = StableFlow::new(Law::Descent, vec![1.0], vec![], TopSettings::default());
    let told = flow.step(&mut objective, 1.0).unwrap_err().to_string();
    assert!(told.contains("times the threshold"), "{told}");
}

/// With a slope that stays, nu = g^2 + (nu0 - g^2) exp(-(1 - beta2)/beta2 t), and w is its integral.
#[test]
fn the_stable_flow_of_rmsprop_follows_its_second_moment() {
    let (beta2, eps, lr) = (0.9, 1e-8, 0.01);
    let term: Term = Box::new(|w| [3.0 * w, 3.0, 0.0]);
    let mut objective = Separable::new(vec![term]);
    let law = Law::RmsProp { beta2, eps };
    let mut flow = StableFlow::new(law, vec![0.0], vec![1.0], TopSettings::default());
    let found = gone(&mut flow, &mut objective, lr, 30);
    let speed = (1.0 - beta2) / beta2;
    let nu = |t: f64| 9.0 - 8.0 * (-speed * t).exp();
    let slope = |t: f64| -lr * 3.0 / (nu(t).sqrt() + eps);
    let pieces = 3000;
    let step = 30.0 / f64::from(pieces);
    let integral: f64 = (0..pieces).map(|i| step * slope(step * (f64::from(i) + 0.5))).sum();
    // Euler's method with four steps, whose error is half a step of what changes.
    close(found[0], integral, 0.5 * 0.25 * (slope(0.0) - slope(30.0)).abs() * 1.1);
}

#[test]
fn decay_is_a_term_of_the_loss() {
    let (a, lambda, lr) = ([3.0, 0.5], 0.2, 0.3);
    let mut inner = Separable::quadratic(&a, &[1.0, 1.0]);
    let mut objective = Decayed::new(&mut inner, lambda);
    let mut flow = GradientFlow::new(vec![0.0, 0.0], TopSettings::default(), EXACT);
    let point = flow.step(&mut objective, lr).unwrap();
    close(point.curvatures[0] / lr, 3.2, 1e-9);
    let found = flow.step(&mut objective, lr).unwrap().theta;
    for i in 0..2 {
        let (curvature, rest) = (a[i] + lambda, a[i] / (a[i] + lambda));
        close(found[i], rest * (1.0 - (-lr * curvature).exp()), 1e-9);
    }
}

/// Along x = 0 the flow sharpens past the threshold: y = t + (y0 - t) exp(-eta time).
#[test]
fn gradient_flow_sharpens_past_the_threshold() {
    let mut objective = Plane::sharpening(3.0);
    let mut flow = GradientFlow::new(vec![0.0, 1.0], TopSettings::default(), EXACT);
    let found = gone(&mut flow, &mut objective, 0.5, 3);
    close(found[1], 3.0 - 2.0 * (-1.5_f64).exp(), 1e-5);
}

/// f(u, v) = (uv - t)^2/2. The flow keeps u^2 - v^2, and with u = v it is that of p = u^2, dp/dt = 2 eta p (t - p).
#[test]
fn gradient_flow_of_two_layers_keeps_their_imbalance() {
    let (target, lr, steps) = (1.5, 0.1, 12);
    let follow = |start: [f64; 2]| {
        let mut objective = Plane::two_layers(target);
        let mut flow = GradientFlow::new(start.to_vec(), TopSettings::default(), EXACT);
        gone(&mut flow, &mut objective, lr, steps)
    };
    let found = follow([2.0, 0.3]);
    close(found[0] * found[0] - found[1] * found[1], 4.0 - 0.09, 1e-5);
    close(found[0] * found[1], target, 0.05);

    let found = follow([0.4, 0.4]);
    let growth = (-2.0 * target * lr * steps as f64).exp();
    let p = target / (1.0 + (target / 0.16 - 1.0) * growth);
    close(found[0] * found[0], p, 1e-5);
    close(found[0], found[1], 1e-12);
}
