//! What an optimizer remembers, taken out and put into another.

use sharpscope::Error;
use sharpscope::optim::{ENTRIES, OptimizerState};

use super::*;

/// The gradient of a quadratic with different curvatures.
fn gradient(w: &[f64]) -> Vec<f64> {
    w.iter().enumerate().map(|(i, w)| (0.5 + i as f64) * w).collect()
}

fn advance(optimizer: &mut dyn Optimizer, theta: &mut [f64], steps: usize) {
    for _ in 0..steps {
        step(optimizer, 0.01, theta, &gradient);
    }
}

/// Another optimizer of the kind goes on from the state exactly as the first.
#[test]
fn a_restored_optimizer_takes_the_same_steps() {
    let with_decay = |name| Hyperparameters { weight_decay: Some(0.1), ..over(name) };
    fn over(name: &str) -> Hyperparameters {
        Hyperparameters { base: (name == "sam").then_some(Base::Adam), ..NONE }
    }
    for name in ENTRIES.iter().map(|entry| entry.name) {
        let build = || build_for(name, with_decay(name), &[3, 2]);
        let mut first = build();
        let mut theta = vec![1.0, -2.0, 0.5, 0.7, -0.3, 0.145];
        assert!(first.state().accumulators.is_empty(), "{name} before its first step");
        advance(&mut *first, &mut theta, 7);
        let (state, mut copy) = (first.state(), theta.clone());
        let mut second = build();
        second.restore(&state).unwrap();
        advance(&mut *first, &mut theta, 7);
        advance(&mut *second, &mut copy, 7);
        assert_eq!(theta, copy, "{name}");
        assert_eq!(first.state(), second.state(), "{name}");
        // Without the state it is another path, but for rules without memory.
        let mut fresh = build();
        let mut other = theta.clone();
        advance(&mut *first, &mut theta, 3);
        advance(&mut *fresh, &mut other, 3);
        assert_eq!(theta == other, state.accumulators.is_empty(), "{name}");
        // Back to the start.
        second
            .restore(&OptimizerState { steps: state.steps.map(|_| 0), ..Default::default() })
            .unwrap();
        assert!(second.state().accumulators.is_empty(), "{name}");
    }
}

#[test]
fn the_state_of_another_kind_is_refused() {
    let mut adam = build("adam", NONE);
    advance(&mut *adam, &mut [1.0, 2.0], 1);
    let error = build("momentum", NONE).restore(&adam.state()).unwrap_err();
    assert!(matches!(error, Error::Length { .. }), "{error}");
    let mut rmsprop = build("rmsprop", NONE);
    advance(&mut *rmsprop, &mut [1.0, 2.0], 1);
    let error = build("momentum", NONE).restore(&rmsprop.state()).unwrap_err();
    assert!(error.to_string().contains("momentum_buffer"), "{error}");
}
