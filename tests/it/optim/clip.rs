//! Clipping by norm.

use sharpscope::optim::{Base, Clipped, Optimizer, OptimizerSpec, StabilityContext};

use super::{NONE, ascending, build, nowhere, step};

/// As `clip_grad_norm_` of PyTorch, but for the 1e-6 that it adds to the norm.
#[test]
fn longer_gradients_are_shortened_and_others_left() {
    for (gradient, factor) in [([3.0, 4.0], 0.4), ([0.6, 0.8], 1.0), ([0.0, 0.0], 1.0)] {
        let mut clipped = Clipped::new(build("sgd", NONE), 2.0);
        assert_eq!(clipped.clip_factor(), None);
        let mut theta = [1.0, 1.0];
        clipped.step(0.1, &mut theta, &gradient, &mut nowhere).unwrap();
        let expected = gradient.map(|g| 1.0 - 0.1 * factor * g);
        assert!(theta.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-15));
        assert_eq!(clipped.clip_factor(), Some(factor));
    }
}

/// SAM climbs to where it climbed, and descends the gradient there at the norm that is allowed.
#[test]
fn with_sam_the_gradient_that_is_descended_is_clipped() {
    let gradient = |w: &[f64]| vec![5.0 * w[0], 0.5 * w[1]];
    for name in ["sam", "asam"] {
        let given = ascending(Base::Sgd, 0.3);
        let (mut plain, mut clipped) = (build(name, given), Clipped::new(build(name, given), 1.0));
        let (mut free, mut bound) = ([1.0, 2.0], [1.0, 2.0]);
        step(&mut *plain, 0.1, &mut free, &gradient);
        step(&mut clipped, 0.1, &mut bound, &gradient);
        let (Some(point), Some(other)) = (plain.perturbed(), clipped.perturbed()) else {
            panic!("{name} climbs")
        };
        assert!(point.iter().zip(other).all(|(a, b)| (a - b).abs() < 1e-14), "{name}");
        let there = gradient(point);
        let factor = 1.0 / there[0].hypot(there[1]);
        assert!((clipped.clip_factor().unwrap() - factor).abs() < 1e-14, "{name}");
        for (i, g) in there.iter().enumerate() {
            let expected = [1.0, 2.0][i] - 0.1 * factor * g;
            assert!((bound[i] - expected).abs() < 1e-14, "{name}");
        }
    }
}

/// Beyond the edge a clipped descent does not diverge: it goes to and fro where the factor is one over
/// the edge ratio.
#[test]
fn beyond_its_edge_clipped_descent_oscillates_where_the_factor_is_one_over_the_edge_ratio() {
    for edge_ratio in [1.5, 4.0, 30.0] {
        let mut clipped = Clipped::new(build("sgd", NONE), 0.7);
        let context = StabilityContext { lr: 0.1, grad_norm: None };
        let lambda = edge_ratio * clipped.threshold(&context).unwrap();
        // Half a clipped step from the minimum.
        let mut theta = [0.5 * 0.1 * 0.7];
        for _ in 0..100 {
            step(&mut clipped, 0.1, &mut theta, &|w| vec![lambda * w[0]]);
            let factor = clipped.clip_factor().unwrap();
            assert!((factor * edge_ratio - 1.0).abs() < 1e-9, "{edge_ratio}: {factor}");
        }
        // From elsewhere the path stays as near.
        let mut theta = [3.0];
        (0..200).for_each(|_| step(&mut clipped, 0.1, &mut theta, &|w| vec![lambda * w[0]]));
        assert!(theta[0].abs() <= 0.07 + 1e-12, "{edge_ratio}: {theta:?}");
    }
}

/// What clipping goes around keeps what it says of itself.
#[test]
fn a_clipped_optimizer_is_its_base_otherwise() {
    for name in ["adam", "sam", "schedule-free", "nadam"] {
        let spec =
            OptimizerSpec { clip_norm: Some(1e9), ..OptimizerSpec::resolve(name, NONE).unwrap() };
        let (mut clipped, mut plain) = (spec.build(), build(name, NONE));
        let gradient = |w: &[f64]| vec![w[0].powi(3), 2.0 * w[1]];
        let (mut a, mut b) = ([0.7, -0.3], [0.7, -0.3]);
        for _ in 0..10 {
            step(&mut *clipped, 0.05, &mut a, &gradient);
            step(&mut *plain, 0.05, &mut b, &gradient);
        }
        assert_eq!((a, clipped.operator()), (b, plain.operator()), "{name}");
        assert_eq!(clipped.state(), plain.state());
        assert_eq!(
            clipped.perturbed().map(<[f64]>::to_vec),
            plain.perturbed().map(<[f64]>::to_vec)
        );
        assert_eq!(clipped.averaged().is_some(), name == "schedule-free");
        assert_eq!(clipped.formula(), plain.formula());
        assert_eq!(clipped.clip_factor(), Some(1.0));
    }
}
