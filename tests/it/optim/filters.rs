//! Momentum as a filter: thresholds against the updates, and against the modes of the filter itself.

use sharpscope::optim::{AdEmaMix, Averaging, Filter, Hyperparameters, Optimizer, ScheduleFree};

use super::edge::{Quadratic, Trial};
use super::{NONE, build, nowhere};

const EPSILON: f64 = 0.037;

fn check(name: String, make: &dyn Fn() -> Box<dyn Optimizer>, lr: f64) {
    Trial { name, make, quadratic: &Quadratic::plane, lr, steps: 2000 }.check(1e-6);
}

#[test]
fn quasi_hyperbolic_momentum_is_stable_up_to_its_threshold() {
    for (nu, momentum) in [(0.0, 0.9), (0.7, 0.999), (0.5, 0.9), (1.0, 0.9), (0.9, 0.9)] {
        for (lr, decay) in [(0.003, 0.0), (2.0, 0.0), (0.01, 40.0)] {
            let given = Hyperparameters {
                nu: Some(nu),
                momentum: Some(momentum),
                weight_decay: Some(decay),
                ..NONE
            };
            check(format!("qhm {nu}, {momentum}"), &|| build("qhm", given), lr);
        }
    }
}

/// P is held by epsilon alone; the corrections of the first steps are gone.
#[test]
fn ademamix_is_stable_up_to_its_threshold() {
    for (beta1, beta3, alpha) in
        [(0.9, 0.999, 8.0), (0.9, 0.99, 8.0), (0.5, 0.9, 2.0), (0.9, 0.99, 0.0)]
    {
        for (lr, share) in [(0.003, 0.0), (2.0, 0.0), (0.003, 0.01)] {
            let betas = [beta1, 0.999, beta3];
            let mut warm = AdEmaMix::new(betas, alpha, EPSILON, share / lr);
            for _ in 0..3000 {
                let still = &mut [0.0, 0.0];
                Optimizer::step(&mut warm, 0.0, still, &[0.0, 0.0], &mut nowhere).unwrap();
            }
            let make = || Box::new(warm.clone()) as Box<dyn Optimizer>;
            check(format!("ademamix {beta1}, {beta3}, {alpha}, decay {share}"), &make, lr);
        }
    }
}

/// At each weight of the average.
#[test]
fn schedule_free_descent_is_stable_up_to_its_threshold() {
    for c in [1.0, 0.1, 0.01] {
        for beta in [0.6, 0.9] {
            let sgd = || ScheduleFree::new(beta, Averaging::Fixed(c));
            for lr in [0.003, 2.0] {
                check(format!("schedule-free {beta}, {c}"), &|| Box::new(sgd()), lr);
            }
            for decay in [0.0, 20.0] {
                let adamw = || Box::new(sgd().preconditioned(0.999, EPSILON, decay));
                check(format!("schedule-free-adamw {beta}, {c}, {decay}"), &|| adamw(), 0.003);
            }
        }
    }
}

/// In units of one over the rate; found by bisection elsewhere.
#[test]
fn thresholds_of_filters_have_their_known_values() {
    let mean = Filter::mean;
    let averaged = |c: f64| Filter::gradient().times(0.1).plus(Filter::sum(0.9 * c, 1.0 - c));
    for (filter, expected) in [
        (mean(0.9).plus(mean(0.9999).times(8.0)), 37.71),
        (Filter::gradient().times(0.3).plus(mean(0.999).times(0.7)), 6.659),
        (Filter::gradient().times(0.1).plus(mean(0.9).times(0.9)), 13.57),
        (averaged(1e-9), 20.0),
        (averaged(0.01), 19.13),
        (averaged(0.1), 13.57),
        (averaged(0.5), 5.0),
        (averaged(1.0), 2.0),
    ] {
        let found = filter.threshold(1.0, 0.0).unwrap();
        assert!((found / expected - 1.0).abs() < 3e-4, "{filter:?}: {found}, not {expected}");
        assert_eq!(filter.threshold(0.0, 0.0), None);
        // No mode leaves before, and at the threshold one does.
        let growth = filter.growth();
        for below in [0.05, 0.3, 0.7, 0.99] {
            assert!(growth(below) < 1.0, "{expected}: {} at {below}", growth(below));
        }
        assert!((growth(1.0) - 1.0).abs() < 1e-6 && growth(1.01) > 1.0, "{expected}");
    }
}

/// c is one over the step at a constant rate, so that the edge rises from gradient descent's.
#[test]
fn the_edge_of_schedule_free_descent_rises_as_the_average_grows() {
    let mut optimizer = build("schedule-free", NONE);
    let context = |lr| sharpscope::optim::StabilityContext { lr, grad_norm: None };
    let mut theta = [1.0];
    for t in 1..=100 {
        let c = 1.0 / f64::from(t);
        let expected = (4.0 - 2.0 * c) / ((0.2 + 0.8 * c) * 0.25);
        let found = optimizer.threshold(&context(0.25)).unwrap();
        assert!((found / expected - 1.0).abs() < 1e-12, "step {t}: {found}, not {expected}");
        optimizer.step(0.25, &mut theta, &[0.1], &mut nowhere).unwrap();
    }
}
