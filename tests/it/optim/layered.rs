//! Thresholds of optimizers that go by tensors, against their updates with all that they divide by held still.

use sharpscope::Result;
use sharpscope::optim::{
    GradientAt, Hyperparameters, Optimizer, OptimizerState, StabilityContext, StabilityOperator,
};

use super::edge::{Quadratic, Trial};
use super::{NONE, build, build_for, nowhere, step};

const EPSILON: f64 = 0.037;

fn check(name: String, make: &dyn Fn() -> Box<dyn Optimizer>, lr: f64, tolerance: f64) {
    Trial { name, make, quadratic: &Quadratic::plane, lr, steps: 1000 }.check(tolerance);
}

fn steps_still(optimizer: &mut dyn Optimizer, gradient: &[f64], steps: usize) {
    let mut theta = vec![0.0; gradient.len()];
    for _ in 0..steps {
        optimizer.step(0.0, &mut theta, gradient, &mut nowhere).unwrap();
    }
}

#[test]
fn adafactor_is_stable_up_to_its_threshold() {
    for decay in [0.0, 3.0] {
        let given = Hyperparameters { weight_decay: Some(decay), ..NONE };
        // Epsilon alone in P, and P from gradients at a step so late that new ones count little.
        let tiny = Hyperparameters { eps: Some(EPSILON), ..given };
        for shape in [&[2_usize][..], &[2, 1], &[1, 2, 1]] {
            let name = format!("adafactor {shape:?}, decay {decay}");
            check(name.clone(), &|| build_for("adafactor", tiny, shape), 0.003, 1e-6);
            let late = || {
                let mut optimizer = build_for("adafactor", given, shape);
                steps_still(&mut *optimizer, &[3.0, 0.25], 1);
                let state = optimizer.state();
                optimizer.restore(&OptimizerState { steps: Some(2_000_000_000), ..state }).unwrap();
                optimizer
            };
            check(format!("{name}, P held"), &late, 0.003, 1e-4);
        }
    }
}

/// Holds a third parameter, and with it the norm of the weights.
struct Held(Box<dyn Optimizer>);

impl Held {
    const AT: f64 = 5.0;
}

impl Optimizer for Held {
    fn operator(&self) -> StabilityOperator {
        self.0.operator()
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        self.0.threshold(context)
    }

    fn formula(&self) -> Option<String> {
        self.0.formula()
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        theta[2] = Self::AT;
        self.0.step(lr, theta, gradient, elsewhere)?;
        theta[2] = Self::AT;
        Ok(())
    }
}

/// The constant slope of the third parameter holds the norm of the update.
#[test]
fn lamb_is_stable_up_to_its_threshold() {
    for beta1 in [0.0, 0.9] {
        for lr in [0.003, 2.0] {
            let given = Hyperparameters { beta1: Some(beta1), eps: Some(EPSILON), ..NONE };
            let make = || {
                let mut lamb = Held(build_for("lamb", given, &[3]));
                steps_still(&mut lamb, &[0.0, 0.0, 1.0], 3000);
                Box::new(lamb) as Box<dyn Optimizer>
            };
            let quadratic = |lambda: f64| Quadratic::plane(lambda).with_slope(1.0);
            let name = format!("lamb, beta1 {beta1}");
            Trial { name, make: &make, quadratic: &quadratic, lr, steps: 1000 }.check(1e-6);
        }
    }
    let context = StabilityContext { lr: 0.1, grad_norm: None };
    let decayed = build("lamb", Hyperparameters { weight_decay: Some(0.1), ..NONE });
    assert_eq!((decayed.threshold(&context), decayed.formula()), (None, None));
}

#[test]
fn shampoo_is_stable_up_to_its_threshold() {
    for shape in [&[2_usize][..], &[2, 1], &[1, 2]] {
        for (momentum, decay) in [(0.0, 0.0), (0.9, 0.0), (0.5, 0.3)] {
            let given =
                Hyperparameters { momentum: Some(momentum), weight_decay: Some(decay), ..NONE };
            let mut warm = build_for("shampoo", given, shape);
            for gradient in [[3.0, 0.25], [-1.0, 2.0]] {
                steps_still(&mut *warm, &gradient, 1);
            }
            steps_still(&mut *warm, &[0.0, 0.0], 1500);
            let state = warm.state();
            let make = || {
                let held = Hyperparameters { refresh: Some(1e9), ..given };
                let mut optimizer = build_for("shampoo", held, shape);
                optimizer.restore(&state).unwrap();
                optimizer
            };
            check(format!("shampoo {shape:?}, {momentum}, {decay}"), &make, 0.01, 1e-6);
        }
    }
}

/// Late, where new gradients count little, in a basis that is turned against the coordinates.
#[test]
fn soap_is_stable_up_to_its_threshold() {
    let (s, c) = 0.4_f64.sin_cos();
    for shape in [[2_usize, 1], [1, 2]] {
        let turn = [c, s, -s, c];
        let bases = if shape[0] == 2 { [&turn[..], &[1.0]] } else { [&[1.0][..], &turn[..]] };
        let accumulators = [
            ("exp_avg", vec![0.0, 0.0]),
            ("exp_avg_sq", vec![9.0, 0.0625]),
            ("factors", bases.concat()),
            ("bases", bases.concat()),
        ];
        let accumulators = accumulators.map(|(name, values)| (name.to_string(), values)).to_vec();
        let state = OptimizerState { steps: Some(1_500_000_000), accumulators };
        for (beta1, decay) in [(0.0, 0.0), (0.95, 0.0), (0.9, 3.0)] {
            let given = Hyperparameters {
                beta1: Some(beta1),
                beta2: Some(1.0 - 1e-9),
                refresh: Some(1e9),
                weight_decay: Some(decay),
                ..NONE
            };
            let make = || {
                let mut optimizer = build_for("soap", given, &shape);
                optimizer.restore(&state).unwrap();
                optimizer
            };
            check(format!("soap {shape:?}, {beta1}, {decay}"), &make, 0.003, 1e-6);
        }
    }
}

/// Without shapes an optimizer that goes by them does not step as if all were one vector.
#[test]
fn an_optimizer_that_goes_by_shapes_refuses_to_step_without_them() {
    for name in ["adafactor", "lamb", "shampoo", "soap", "muon"] {
        let error = build(name, NONE).step(0.1, &mut [1.0, 2.0], &[1.0, 1.0], &mut nowhere);
        assert!(error.is_err(), "{name}");
    }
}

/// Whatever the curvature, sign descent ends in a cycle of half the rate.
#[test]
fn sign_descent_has_a_cycle_and_no_threshold() {
    for lambda in [0.01, 1.0, 1e6] {
        let mut signgd = build("signgd", NONE);
        let mut theta = [0.25];
        (0..50).for_each(|_| step(&mut *signgd, 0.1, &mut theta, &|w| vec![lambda * w[0]]));
        assert!((theta[0].abs() - 0.05).abs() < 1e-9, "{lambda}: {theta:?}");
        assert_eq!(signgd.threshold(&StabilityContext { lr: 0.1, grad_norm: Some(1.0) }), None);
    }
}
