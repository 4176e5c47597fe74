//! burn-optim's optimizers beside ours: the equations are the same, but its coefficients are in
//! single precision, and so is its bias correction.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdaGradConfig, AdamConfig, AdamWConfig, RmsPropConfig, SgdConfig, SimpleOptimizer,
};
use burn::tensor::Tensor;
use sharpscope::device::{Compute, ComputeDevice, Placement, Precision};
use sharpscope::optim::Hyperparameters;

use super::{NONE, build, nowhere};
use crate::derivatives::{normal, relative_error};

const PARAMETERS: usize = 20;
const RATE: f64 = 0.01;
/// Exact in single precision, as are their powers for a few steps.
const EXACT: Coefficients =
    Coefficients { beta1: 0.875, beta2: 0.9375, eps: 0.03125, decay: 0.0625 };
/// The usual ones, which are not.
const USUAL: Coefficients = Coefficients { beta1: 0.9, beta2: 0.999, eps: 1e-8, decay: 0.01 };

/// beta1 is also the momentum.
#[derive(Clone, Copy)]
struct Coefficients {
    beta1: f64,
    beta2: f64,
    eps: f64,
    decay: f64,
}

fn gradients(steps: usize) -> Vec<Vec<f64>> {
    (0..steps as u64).map(|step| normal(PARAMETERS, 40 + step)).collect()
}

/// The updates, one after the other, that burn's optimizer takes along `gradients` in double
/// precision.
fn burns(optimizer: &impl SimpleOptimizer<Compute>, gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let placement = Placement { device: ComputeDevice::Cpu, precision: Precision::F64, workers: 1 };
    let upload = |v: &[f64]| placement.float::<Compute, 1>(v, [v.len()]);
    let mut theta: Tensor<Compute, 1> = upload(&normal(PARAMETERS, 39));
    let mut state = None;
    let mut take = |gradient: &Vec<f64>| {
        let before = placement.read(theta.clone()).unwrap();
        (theta, state) = optimizer.step(RATE, theta.clone(), upload(gradient), state.take());
        difference(&placement.read(theta.clone()).unwrap(), &before)
    };
    gradients.iter().map(&mut take).collect()
}

/// Our updates along the same.
fn ours(name: &str, given: Hyperparameters, gradients: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let mut optimizer = build(name, given);
    let mut theta = normal(PARAMETERS, 39);
    let mut take = |gradient: &Vec<f64>| {
        let before = theta.clone();
        optimizer.step(RATE, &mut theta, gradient, &mut nowhere).unwrap();
        difference(&theta, &before)
    };
    gradients.iter().map(&mut take).collect()
}

fn difference(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// How far burn's updates are from ours, relative to ours, at each step: by optimizer.
fn deviations(c: Coefficients, steps: usize) -> Vec<(&'static str, Vec<f64>)> {
    let gradients = gradients(steps);
    let [beta1, beta2, eps, decay] = [c.beta1, c.beta2, c.eps, c.decay].map(|x| x as f32);
    let coupled = Some(WeightDecayConfig::new(decay));
    let heavy_ball = MomentumConfig::new().with_momentum(c.beta1).with_dampening(0.0);
    let sgd = |nesterov| {
        let momentum = heavy_ball.clone().with_nesterov(nesterov);
        let config = SgdConfig::new().with_momentum(Some(momentum));
        burns(&config.with_weight_decay(coupled.clone()).build::<Compute>(), &gradients)
    };
    let adam = AdamConfig::new().with_beta_1(beta1).with_beta_2(beta2).with_epsilon(eps);
    let adamw = AdamWConfig::new().with_beta_1(beta1).with_beta_2(beta2).with_epsilon(eps);
    let rmsprop = RmsPropConfig::new().with_alpha(beta2).with_momentum(0.0).with_epsilon(eps);
    let adagrad = AdaGradConfig::new().with_epsilon(eps);

    let weight_decay = Some(c.decay);
    let momentum = Hyperparameters { momentum: Some(c.beta1), weight_decay, ..NONE };
    let dividing = Hyperparameters { eps: Some(c.eps), weight_decay, ..NONE };
    let second = Hyperparameters { beta2: Some(c.beta2), ..dividing };
    let both = Hyperparameters { beta1: Some(c.beta1), ..second };
    let theirs = [
        ("momentum", momentum, sgd(false)),
        ("nesterov", momentum, sgd(true)),
        ("adam", both, burns(&adam.with_weight_decay(coupled.clone()).build(), &gradients)),
        ("adamw", both, burns(&adamw.with_weight_decay(decay).build(), &gradients)),
        ("rmsprop", second, burns(&rmsprop.with_weight_decay(coupled.clone()).build(), &gradients)),
        ("adagrad", dividing, burns(&adagrad.with_weight_decay(coupled).build(), &gradients)),
    ];
    let compare = |(name, given, theirs): (_, _, Vec<Vec<f64>>)| {
        let ours = ours(name, given, &gradients);
        (name, theirs.iter().zip(&ours).map(|(a, b)| relative_error(a, b)).collect())
    };
    theirs.into_iter().map(compare).collect()
}

fn largest(errors: &[f64]) -> f64 {
    errors.iter().copied().fold(0.0, f64::max)
}

/// With coefficients that single precision holds exactly, nothing but rounding in double precision
/// is left; so the equations are the same.
#[test]
fn burns_optimizers_have_our_equations() {
    for (name, errors) in deviations(EXACT, 5) {
        let worst = largest(&errors);
        // The exception takes the root of its bias correction in single precision.
        let tolerance = if name == "adam" { 2e-7 } else { 1e-13 };
        println!("{name}: {worst:.1e}");
        assert!(worst <= tolerance, "{name}: {worst:.1e}");
    }
}

/// With the usual coefficients burn's updates, in double precision, are off by single precision's
/// rounding, magnified in 1 - beta2 and in the bias correction: this is why the equations are
/// written out here. Should this test fail because burn has become exact, they need not be.
#[test]
fn burns_adam_in_double_precision_is_only_good_to_single() {
    for (name, errors) in deviations(USUAL, 100) {
        let worst = largest(&errors);
        println!("{name}: {worst:.1e}, at step 1 {:.1e}", errors[0]);
        assert!(worst <= 1e-5, "{name}: {worst:.1e}");
        // AdaGrad has no betas.
        assert!(name == "adagrad" || worst > 1e-9, "{name}: {worst:.1e}");
    }
}
