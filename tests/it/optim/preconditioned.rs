//! Thresholds and operators of optimizers with a preconditioner P, against their updates with P
//! held still.
//!
//! P follows the squared gradients, and a gradient that grows and falls would take it along. Two
//! ways hold it: gradients so small that only epsilon is left of P, which is then the same in each
//! coordinate; and large gradients beforehand, at learning rate zero, beside which the small ones
//! that follow do not count.

use sharpscope::optim::{
    Adam, AdamW, CoupledDecay, ENTRIES, Hyperparameters, NAdam, Optimizer, StabilityContext,
};

use super::edge::{Quadratic, Trial};
use super::{NONE, build, build_for, nowhere};

const BETAS: [f64; 4] = [0.0, 0.5, 0.9, 0.99];
/// Not a power of ten, and far from 1.
const EPSILON: f64 = 0.037;
/// The size of the large gradients in each coordinate.
const LARGE: [f64; 2] = [3.0, 0.25];

fn decay(weight_decay: f64) -> Hyperparameters {
    Hyperparameters { weight_decay: Some(weight_decay), ..NONE }
}

/// After so many steps at rate zero along no gradient that Adam's bias correction is gone: it
/// multiplies the first steps by up to 1/(1 - beta1), which is more than they bear at the threshold
/// of all later ones.
fn warmed_up(mut optimizer: Box<dyn Optimizer>) -> Box<dyn Optimizer> {
    for _ in 0..3000 {
        optimizer.step(0.0, &mut [0.0, 0.0], &[0.0, 0.0], &mut nowhere).unwrap();
    }
    optimizer
}

#[test]
fn with_epsilon_alone_in_p_the_threshold_is_that_of_the_update() {
    let check = |name: &str, given: Hyperparameters, lr: f64| {
        let given = Hyperparameters { eps: Some(EPSILON), ..given };
        let trial = Trial {
            name: format!("{name}, {given:?}"),
            make: &|| warmed_up(build(name, given)),
            quadratic: &Quadratic::plane,
            lr,
            steps: 2000,
        };
        trial.check(1e-6);
    };
    for lr in [0.003, 2.0] {
        for beta1 in BETAS {
            check("adam", Hyperparameters { beta1: Some(beta1), ..NONE }, lr);
            // Taking off 0, 1 and 40 percent of the weights at each step.
            for share in [0.0, 0.01, 0.4] {
                check("adamw", Hyperparameters { beta1: Some(beta1), ..decay(share / lr) }, lr);
            }
        }
        for name in ["rmsprop", "adagrad"] {
            check(name, NONE, lr);
            check(name, decay(0.01 / lr), lr);
        }
        check("adam", decay(0.01 / lr), lr);
    }
}

/// NAdam's mu stands at beta1/2 without a momentum decay, and at beta1 with a large one.
const STANDING: [f64; 2] = [0.0, 1e9];

#[test]
fn with_epsilon_alone_in_p_nadam_is_stable_up_to_the_threshold_of_its_momentum() {
    let check = |momentum_decay: f64, beta1: f64, weight_decay: f64, lr: f64| {
        let nadam = || Box::new(NAdam::new(beta1, 0.999, EPSILON, momentum_decay));
        let trial = Trial {
            name: format!("nadam {momentum_decay}, beta1 {beta1}, decay {weight_decay}"),
            make: &|| warmed_up(Box::new(CoupledDecay::new(nadam(), weight_decay))),
            quadratic: &Quadratic::plane,
            lr,
            steps: 2000,
        };
        trial.check(1e-6);
    };
    for momentum_decay in STANDING {
        for lr in [0.003, 2.0] {
            BETAS.into_iter().for_each(|beta1| check(momentum_decay, beta1, 0.0, lr));
            check(momentum_decay, 0.9, 0.01 / lr, lr);
        }
    }
}

/// Beyond its edge NAdam oscillates as it says, with mu at its end.
#[test]
fn nadams_oscillation_grows_by_the_factor_that_it_states() {
    let lr = 0.003;
    for beta1 in [0.0, 0.5, 0.9] {
        for edge_ratio in [1.05, 1.3, 2.0] {
            let mut nadam = warmed_up(Box::new(NAdam::new(beta1, 0.999, EPSILON, STANDING[1])));
            let context = StabilityContext { lr, grad_norm: None };
            let curvature = edge_ratio * nadam.threshold(&context).unwrap() * EPSILON;
            let mut theta = [1e-30, 0.0];
            let mut path = vec![theta[0]];
            for _ in 0..40 {
                let gradient = [curvature * theta[0], 0.0];
                nadam.step(lr, &mut theta, &gradient, &mut nowhere).unwrap();
                path.push(theta[0]);
            }
            let grown = (path[40] / path[30]).abs().powf(0.1);
            let stated = nadam.growth().unwrap()(edge_ratio);
            assert!(
                (grown / stated - 1.0).abs() < 1e-3,
                "beta1 {beta1}, ratio {edge_ratio}: {grown}, not {stated}"
            );
        }
    }
}

/// With the momentum decay that it has by name, mu is beta1 in late steps.
#[test]
fn late_steps_of_nadam_are_stable_up_to_nesterovs_threshold_at_a_smaller_rate() {
    let given = Hyperparameters { eps: Some(EPSILON), ..NONE };
    let mut late = build("nadam", given);
    for _ in 0..200_000 {
        late.step(0.0, &mut [0.0, 0.0], &[0.0, 0.0], &mut nowhere).unwrap();
    }
    let state = late.state();
    let make = || {
        let mut nadam = build("nadam", given);
        nadam.restore(&state).unwrap();
        nadam
    };
    let context = StabilityContext { lr: 0.003, grad_norm: None };
    let nesterovs = build("nesterov", NONE);
    let slower = StabilityContext { lr: 0.1 * 0.003, grad_norm: None };
    let [own, expected] =
        [make().threshold(&context).unwrap(), nesterovs.threshold(&slower).unwrap()];
    assert!((own / expected - 1.0).abs() < 1e-12, "{own}, not {expected}");
    let name = "nadam, late".to_string();
    Trial { name, make: &make, quadratic: &Quadratic::plane, lr: 0.003, steps: 2000 }.check(1e-6);
}

/// `optimizer` after one step at rate zero along gradients of size LARGE * factor.
fn after_one_large(mut optimizer: Box<dyn Optimizer>, factor: f64) -> Box<dyn Optimizer> {
    let gradient = LARGE.map(|g| factor * g);
    optimizer.step(0.0, &mut [0.0, 0.0], &gradient, &mut nowhere).unwrap();
    optimizer
}

/// By how much Adam's P falls in a thousand small steps after a million large ones.
const DRIFT: f64 = 5e-4;

/// Adam corrects its bias, so that P is the root of a mean, and that mean halves when as many small
/// gradients follow as there were large ones: a million large ones hold it to DRIFT.
/// Their sign alternates, and zeros come last, so that the first moment ends at zero.
fn after_a_million_large(optimizer: &mut dyn Optimizer) {
    let mut advance = |gradient: [f64; 2]| {
        optimizer.step(0.0, &mut [0.0, 0.0], &gradient, &mut nowhere).unwrap();
    };
    for _ in 0..500_000 {
        advance(LARGE);
        advance(LARGE.map(|g| -g));
    }
    (0..10_000).for_each(|_| advance([0.0, 0.0]));
}

/// Checks it at a few rates in two dimensions, where P and H do not commute.
fn check_held(name: String, tolerance: f64, make: &dyn Fn() -> Box<dyn Optimizer>) {
    let p = make().operator().preconditioner.expect("P after a step");
    // As large as the gradients to a percent: Adam's zeros count as well.
    for (p, large) in p.iter().zip(LARGE) {
        assert!((p / large - 1.0).abs() < 0.01, "{name}: P is {p}, not {large}");
    }
    for lr in [0.003, 2.0] {
        let name = format!("{name} with P held");
        Trial { name, make, quadratic: &Quadratic::plane, lr, steps: 1000 }.check(tolerance);
    }
}

#[test]
fn with_p_held_adagrad_is_stable_up_to_its_threshold() {
    for weight_decay in [0.0, 0.1] {
        check_held(format!("adagrad, decay {weight_decay}"), 1e-6, &|| {
            after_one_large(build("adagrad", decay(weight_decay)), 1.0)
        });
    }
}

/// RMSProp's mean forgets at a rate of 1 - beta2, here a billionth a step.
#[test]
fn with_p_held_rmsprop_is_stable_up_to_its_threshold() {
    let beta2: f64 = 1.0 - 1e-9;
    for weight_decay in [0.0, 0.1] {
        let given = Hyperparameters { beta2: Some(beta2), ..decay(weight_decay) };
        check_held(format!("rmsprop, decay {weight_decay}"), 1e-6, &|| {
            after_one_large(build("rmsprop", given), 1.0 / (1.0 - beta2).sqrt())
        });
    }
}

#[test]
fn with_p_held_adam_is_stable_up_to_its_threshold() {
    let beta2 = 1.0 - 1e-9;
    for beta1 in BETAS {
        let mut adam = Adam::new(beta1, beta2, 1e-8);
        after_a_million_large(&mut adam);
        check_held(format!("adam, beta1 {beta1}"), DRIFT, &|| Box::new(adam.clone()));
        check_held(format!("adam, beta1 {beta1}, decay 0.1"), DRIFT, &|| {
            Box::new(CoupledDecay::new(Box::new(adam.clone()), 0.1))
        });
    }
}

#[test]
fn with_p_held_adamw_is_stable_up_to_its_threshold() {
    for (beta1, decay) in [(0.5, 0.2), (0.9, 0.0), (0.9, 0.2)] {
        let mut adamw = AdamW::new(beta1, 1.0 - 1e-9, 1e-8, decay);
        after_a_million_large(&mut adamw);
        check_held(format!("adamw, beta1 {beta1}, decay {decay}"), DRIFT, &|| {
            Box::new(adamw.clone())
        });
    }
}

#[test]
fn with_p_held_nadam_is_stable_up_to_its_threshold() {
    for (beta1, momentum_decay) in [(0.5, STANDING[0]), (0.9, STANDING[0]), (0.9, STANDING[1])] {
        let mut nadam = NAdam::new(beta1, 1.0 - 1e-9, 1e-8, momentum_decay);
        after_a_million_large(&mut nadam);
        check_held(format!("nadam, beta1 {beta1}, {momentum_decay}"), DRIFT, &|| {
            Box::new(nadam.clone())
        });
    }
}

/// Before any step no gradient has been seen, and the operator is the Hessian with its decay.
#[test]
fn there_is_no_preconditioner_before_the_first_step() {
    for entry in ENTRIES {
        let mut optimizer = build_for(entry.name, decay(0.0), &[2]);
        assert!(optimizer.operator().is_hessian(), "{}", entry.name);
        let gradient = [2.0, -0.5];
        optimizer.step(0.1, &mut [1.0, 1.0], &gradient, &mut |_| Ok(gradient.to_vec())).unwrap();
        let p = optimizer.operator().preconditioner;
        assert_eq!(p.is_some(), optimizer.is_preconditioned(), "{}", entry.name);
        assert_eq!(optimizer.operator().is_hessian(), p.is_none(), "{}", entry.name);
    }
}
