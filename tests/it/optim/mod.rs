//! Optimizers: their updates, their thresholds and operators, their hyperparameters, and schedules.

mod burn_optim;
mod clip;
mod edge;
mod filters;
mod hyperparameters;
mod layered;
mod minibatches;
mod preconditioned;
mod schedules;
mod state;
mod thresholds;
mod trajectories;

use serde::Deserialize;
use sharpscope::Result;
use sharpscope::autodiff::ParameterLayout;
use sharpscope::optim::{Base, Hyperparameters, Optimizer, OptimizerSpec};

/// What is given for a hyperparameter in the tests; nothing else is.
const NONE: Hyperparameters = Hyperparameters::NONE;

fn build(name: &str, given: Hyperparameters) -> Box<dyn Optimizer> {
    OptimizerSpec::resolve(name, given).expect("a specification").build()
}

/// For one tensor of that shape.
fn build_for(name: &str, given: Hyperparameters, shape: &[usize]) -> Box<dyn Optimizer> {
    let layout = ParameterLayout::new([("weight", shape.to_vec())]);
    OptimizerSpec::resolve(name, given).expect("a specification").build_for(&layout)
}

/// Steps with `gradient`, a function of the parameters.
fn step(
    optimizer: &mut dyn Optimizer,
    lr: f64,
    theta: &mut [f64],
    gradient: &dyn Fn(&[f64]) -> Vec<f64>,
) {
    let here = gradient(theta);
    let mut elsewhere = |point: &[f64]| Ok(gradient(point));
    optimizer.step(lr, theta, &here, &mut elsewhere).expect("a step");
}

/// Where an optimizer has no need of the gradient elsewhere.
fn nowhere(_: &[f64]) -> Result<Vec<f64>> {
    panic!("this optimizer evaluates no gradient of its own");
}

/// Numbers made by `scripts/pytorch/optimizers.py` and `written_out.py`.
#[derive(Deserialize)]
struct Reference {
    widths: Vec<usize>,
    initial: Vec<f64>,
    inputs: Vec<Vec<f64>>,
    labels: Vec<usize>,
    cases: Vec<trajectories::Case>,
    #[serde(default)]
    schedules: Vec<schedules::Case>,
}

impl Reference {
    fn load() -> Self {
        serde_json::from_str(include_str!("../../data/optimizers.json")).expect("reference numbers")
    }

    /// The same, and the optimizers on a network of square matrices.
    fn all() -> [Self; 2] {
        let square = include_str!("../../data/optimizers_square.json");
        [Self::load(), serde_json::from_str(square).expect("reference numbers")]
    }
}

/// Momentum as the only hyperparameter given.
fn momentum(beta: f64) -> Hyperparameters {
    Hyperparameters { momentum: Some(beta), ..NONE }
}

/// A base and an ascent radius.
fn ascending(base: Base, rho: f64) -> Hyperparameters {
    Hyperparameters { base: Some(base), rho: Some(rho), ..NONE }
}
