//! Thresholds of optimizers without a preconditioner, against their updates.

use sharpscope::optim::{
    Base, CoupledDecay, Decay, ENTRIES, Hyperparameters, Optimizer, StabilityContext,
};

use super::edge::{Quadratic, Trial};
use super::{NONE, ascending, build, build_for, momentum, nowhere, step};

/// What the bisection leaves, and the modes that are not quite gone.
const TOLERANCE: f64 = 1e-6;
const BETAS: [f64; 4] = [0.0, 0.5, 0.9, 0.99];
const RATES: [f64; 3] = [0.003, 0.01, 2.0];
const MOMENTA: [&str; 3] = ["momentum", "nesterov", "ema-momentum"];

/// Checks it in one dimension and in two, at that rate.
fn check(name: &str, given: Hyperparameters, lr: f64) {
    for quadratic in [Quadratic::line, Quadratic::plane] {
        let trial = Trial {
            name: format!("{name}, {given:?}"),
            make: &|| build(name, given),
            quadratic: &quadratic,
            lr,
            steps: 2000,
        };
        trial.check(TOLERANCE);
    }
}

#[test]
fn gradient_descent_is_stable_up_to_its_threshold() {
    RATES.into_iter().for_each(|lr| check("sgd", NONE, lr));
}

#[test]
fn momentum_is_stable_up_to_its_threshold() {
    for name in MOMENTA {
        for beta in BETAS {
            RATES.into_iter().for_each(|lr| check(name, momentum(beta), lr));
        }
    }
}

/// The operator is H + lambda I.
#[test]
fn coupled_weight_decay_takes_its_share_of_the_threshold() {
    for decay in [0.3, 40.0] {
        check("sgd", Hyperparameters { weight_decay: Some(decay), ..NONE }, 0.01);
        for name in MOMENTA {
            let given = Hyperparameters { weight_decay: Some(decay), ..momentum(0.9) };
            check(name, given, 0.01);
        }
    }
}

/// The norm of the gradient is held by a further parameter with a constant slope: the gradient in
/// the quadratic's parameters is a trillionth of it.
#[test]
fn sam_is_stable_up_to_its_threshold_at_a_fixed_gradient_norm() {
    let bases = [
        Hyperparameters { base: Some(Base::Sgd), ..NONE },
        Hyperparameters { base: Some(Base::Momentum), ..momentum(0.5) },
        Hyperparameters { base: Some(Base::Momentum), ..momentum(0.9) },
    ];
    for base in bases {
        for (rho, grad_norm) in [(0.1, 1.0), (0.02, 0.5), (1.0, 0.1), (1e-5, 10.0)] {
            for (lr, decay) in [(0.01, 0.0), (0.01, 40.0), (2.0, 0.0), (2.0, 0.1)] {
                let given = Hyperparameters { rho: Some(rho), weight_decay: Some(decay), ..base };
                let trial = Trial {
                    name: format!("sam at gradient norm {grad_norm}, {given:?}"),
                    make: &|| build("sam", given),
                    quadratic: &|lambda| Quadratic::plane(lambda).with_slope(grad_norm),
                    lr,
                    steps: 2000,
                };
                trial.check(TOLERANCE);
            }
        }
    }
}

#[test]
fn thresholds_have_their_known_values_at_one_rate() {
    let context = StabilityContext { lr: 0.01, grad_norm: Some(1.0) };
    let adam = |beta1: f64| Hyperparameters { beta1: Some(beta1), ..NONE };
    // NAdam's momentum at its first step.
    let mu = 0.9 * (1.0 - 0.5 * 0.96_f64.powf(4e-3));
    let known = [
        ("sgd", NONE, 200.0),
        ("momentum", momentum(0.9), 380.0),
        ("nesterov", momentum(0.9), 380.0 / 2.8),
        ("ema-momentum", momentum(0.9), 3800.0),
        ("adam", adam(0.9), 3800.0),
        ("adam", adam(0.5), 600.0),
        ("adamw", Hyperparameters { weight_decay: Some(10.0), ..adam(0.9) }, 3610.0),
        ("nadam", adam(0.9), 380.0 / (1.9 - 1.8 * mu)),
        ("nadam", adam(0.0), 200.0),
        ("rmsprop", NONE, 200.0),
        ("adagrad", NONE, 200.0),
        ("sam", ascending(Base::Sgd, 0.1), 40.0),
        ("sam", ascending(Base::Momentum, 0.1), 5.0 * (153.0_f64.sqrt() - 1.0)),
    ];
    for (name, given, expected) in known {
        let found = build(name, given).threshold(&context).expect("a threshold");
        let error = (found / expected - 1.0).abs();
        assert!(error <= 1e-12, "{name}, {given:?}: {found} against {expected}");
    }
}

/// At a rate of zero nothing moves, and at the least numbers above it the quotient is none.
#[test]
fn without_a_learning_rate_there_is_no_threshold() {
    let plain = ENTRIES.iter().map(|entry| (entry.name, NONE));
    let over = [Base::Sgd, Base::Momentum, Base::Adam].into_iter().flat_map(|base| {
        ["sam", "asam"]
            .into_iter()
            .flat_map(move |name| [0.0, 0.1].map(|rho| (name, ascending(base, rho))))
    });
    for (name, given) in plain.chain(over) {
        for weight_decay in [None, Some(0.1)] {
            let optimizer = build(name, Hyperparameters { weight_decay, ..given });
            for lr in [0.0, 5e-324] {
                let context = StabilityContext { lr, grad_norm: Some(1.0) };
                assert_eq!(optimizer.threshold(&context), None, "{name}, {given:?} at {lr}");
            }
        }
    }
}

/// A coupled decay is in the operator, or else in SAM's own threshold; a decoupled one in neither.
#[test]
fn the_decay_is_in_the_operator_unless_it_is_in_the_threshold() {
    let shift = |name: &str, given: Hyperparameters| {
        build(name, Hyperparameters { weight_decay: Some(0.3), ..given }).operator().shift
    };
    for entry in ENTRIES.iter().filter(|entry| entry.defaults.base.is_none()) {
        let expected = if entry.decay == Decay::Decoupled { 0.0 } else { 0.3 };
        assert_eq!(shift(entry.name, NONE), expected, "{}", entry.name);
    }
    for base in [Base::Sgd, Base::Momentum, Base::Adam] {
        for rho in [0.0, 0.1] {
            let own_edge = rho > 0.0 && base != Base::Adam;
            let expected = if own_edge { 0.0 } else { 0.3 };
            assert_eq!(shift("sam", ascending(base, rho)), expected, "sam over {base:?}, {rho}");
            assert_eq!(shift("asam", ascending(base, rho)), 0.3, "asam over {base:?}, {rho}");
        }
    }
}

/// Long and Bartlett's edge lies below 2/eta, and comes to it as the radius vanishes.
#[test]
fn sams_threshold_falls_with_the_radius_and_keeps_its_digits() {
    let context = StabilityContext { lr: 0.01, grad_norm: Some(1.0) };
    let at = |rho: f64| build("sam", ascending(Base::Sgd, rho)).threshold(&context).unwrap();
    let edges: Vec<f64> = [0.0, 1e-6, 1e-3, 0.1, 10.0].into_iter().map(at).collect();
    assert!(edges.windows(2).all(|pair| pair[1] < pair[0]), "{edges:?}");
    assert_eq!(edges[0], 200.0);
    // The first terms of the root's series: tau (1 - rho tau/||g||).
    assert!((at(1e-12) / (200.0 * (1.0 - 200e-12)) - 1.0).abs() < 1e-15);
}

#[test]
fn sam_without_a_gradient_norm_has_a_formula_but_no_threshold() {
    let context = StabilityContext { lr: 0.01, grad_norm: None };
    for base in [Base::Sgd, Base::Momentum] {
        let optimizer = build("sam", ascending(base, 0.1));
        assert_eq!(optimizer.threshold(&context), None);
        assert!(optimizer.formula().is_some());
    }
}

#[test]
fn where_no_formula_is_known_there_is_no_threshold() {
    for name in ["signgd", "signum", "lion", "muon"] {
        let optimizer = build(name, NONE);
        let context = StabilityContext { lr: 0.01, grad_norm: Some(1.0) };
        assert_eq!((optimizer.formula(), optimizer.threshold(&context)), (None, None), "{name}");
    }
    let unknown = [("sam", Base::Adam), ("asam", Base::Sgd), ("asam", Base::Momentum)];
    for (name, base) in unknown.into_iter().chain([("asam", Base::Adam)]) {
        for weight_decay in [None, Some(0.1)] {
            let given = Hyperparameters { weight_decay, ..ascending(base, 0.1) };
            let optimizer = build(name, given);
            assert_eq!(optimizer.formula(), None, "{name} over {base:?}");
            for grad_norm in [None, Some(1.0)] {
                let context = StabilityContext { lr: 0.01, grad_norm };
                assert_eq!(optimizer.threshold(&context), None, "{name} over {base:?}");
            }
        }
    }
}

#[test]
fn every_other_optimizer_has_a_formula_and_a_threshold() {
    let context = StabilityContext { lr: 0.01, grad_norm: Some(1.0) };
    let without = ["asam", "signgd", "signum", "lion", "muon"];
    for entry in ENTRIES.iter().filter(|entry| !without.contains(&entry.name)) {
        assert_eq!(entry.formula(), build(entry.name, NONE).formula());
        let optimizer = build(entry.name, NONE);
        assert!(optimizer.formula().is_some(), "{}", entry.name);
        let threshold = optimizer.threshold(&context).expect(entry.name);
        assert!(threshold.is_finite() && threshold > 0.0, "{}: {threshold}", entry.name);
    }
}

/// What can be seen of an optimizer from outside after some steps on a quartic.
fn seen(mut optimizer: Box<dyn Optimizer>) -> impl PartialEq + std::fmt::Debug {
    let gradient = |w: &[f64]| vec![w[0].powi(3) + 0.5 * w[1], 0.5 * w[0] + 2.0 * w[1]];
    let mut theta = vec![0.7, -0.3];
    let mut path = Vec::new();
    for _ in 0..20 {
        step(&mut *optimizer, 0.05, &mut theta, &gradient);
        path.extend_from_slice(&theta);
    }
    let thresholds = [None, Some(1.0)]
        .map(|grad_norm| optimizer.threshold(&StabilityContext { lr: 0.05, grad_norm }));
    let kind = (optimizer.is_preconditioned(), optimizer.formula());
    (path, optimizer.operator(), thresholds, kind)
}

#[test]
fn without_a_radius_sam_and_asam_are_exactly_their_base() {
    for (base, alone) in [(Base::Sgd, "sgd"), (Base::Momentum, "momentum"), (Base::Adam, "adam")] {
        for weight_decay in [None, Some(0.2)] {
            let expected = seen(build(alone, Hyperparameters { weight_decay, ..NONE }));
            for name in ["sam", "asam"] {
                let given = Hyperparameters { weight_decay, ..ascending(base, 0.0) };
                assert_eq!(seen(build(name, given)), expected, "{name} over {alone}");
            }
        }
    }
}

/// Weight decay around SAM, and not in its base, is SAM on the loss that includes the decay.
#[test]
fn weight_decay_reaches_gradients_evaluated_elsewhere() {
    let bare = || build("sam", ascending(Base::Momentum, 0.3));
    let gradient = |w: &[f64]| vec![w[0].powi(3) + 0.5 * w[1], 0.5 * w[0] + 2.0 * w[1]];
    let regularised = |w: &[f64]| {
        let g = gradient(w);
        vec![g[0] + 0.2 * w[0], g[1] + 0.2 * w[1]]
    };
    let (mut around, mut inside) = (CoupledDecay::new(bare(), 0.2), bare());
    let (mut found, mut expected) = (vec![0.7, -0.3], vec![0.7, -0.3]);
    for _ in 0..5 {
        step(&mut around, 0.05, &mut found, &gradient);
        step(&mut *inside, 0.05, &mut expected, &regularised);
        assert_eq!(found, expected);
        assert_eq!(around.perturbed(), inside.perturbed());
    }
}

/// Where the gradient vanishes there is no slope to climb.
#[test]
fn at_a_critical_point_sam_stays() {
    for name in ["sam", "asam"] {
        let mut theta = [0.5, -2.0];
        let mut optimizer = build(name, ascending(Base::Sgd, 0.5));
        step(&mut *optimizer, 0.1, &mut theta, &|_| vec![0.0, 0.0]);
        assert_eq!(theta, [0.5, -2.0]);
        assert_eq!(optimizer.perturbed(), Some([0.5, -2.0].as_slice()));
    }
}

#[test]
fn only_sam_and_asam_evaluate_the_gradient_elsewhere() {
    for entry in ENTRIES.iter().filter(|entry| entry.defaults.base.is_none()) {
        let given = Hyperparameters { weight_decay: Some(0.1), ..NONE };
        let mut optimizer = build_for(entry.name, given, &[1]);
        optimizer.step(0.1, &mut [1.0], &[1.0], &mut nowhere).unwrap();
        assert_eq!(optimizer.perturbed(), None);
    }
}
