//! Fifty full-batch steps of every optimizer on a small network, against PyTorch's in double
//! precision.

use serde::Deserialize;
use sharpscope::autodiff::{Objective, Samples};
use sharpscope::device::Precision;
use sharpscope::model::Activation;
use sharpscope::optim::{Base, ENTRIES, Hyperparameters, OptimizerSpec};
use sharpscope::problem::Loss;

use super::Reference;
use crate::derivatives::{assert_close, cpu, perceptron, rows};

/// Both sides compute in double precision; what is left is rounding, fifty times over.
const TOLERANCE: f64 = 1e-9;

/// An optimizer with the trajectory that PyTorch's took.
#[derive(Deserialize)]
pub(super) struct Case {
    optimizer: String,
    loss: Loss,
    lr: f64,
    /// What the rate is multiplied by after each step.
    rate_factor: f64,
    base: Option<Base>,
    momentum: Option<f64>,
    beta1: Option<f64>,
    beta2: Option<f64>,
    beta3: Option<f64>,
    alpha: Option<f64>,
    nu: Option<f64>,
    refresh: Option<f64>,
    eps: Option<f64>,
    rho: Option<f64>,
    weight_decay: f64,
    /// Before each update, and after the last.
    losses: Vec<f64>,
    r#final: Vec<f64>,
    /// What the last update divided by.
    preconditioner: Option<Vec<f64>>,
    /// Where the last update took its gradient.
    perturbed: Option<Vec<f64>>,
    /// The average of the iterates after the last update.
    averaged: Option<Vec<f64>>,
}

impl Case {
    fn spec(&self) -> OptimizerSpec {
        let given = Hyperparameters {
            base: self.base,
            momentum: self.momentum,
            beta1: self.beta1,
            beta2: self.beta2,
            beta3: self.beta3,
            alpha: self.alpha,
            nu: self.nu,
            refresh: self.refresh,
            eps: self.eps,
            rho: self.rho,
            weight_decay: Some(self.weight_decay),
        };
        OptimizerSpec::resolve(&self.optimizer, given).expect("a specification")
    }

    fn name(&self) -> String {
        format!("{} with weight decay {}", self.spec(), self.weight_decay)
    }
}

impl Reference {
    fn objective(&self, loss: Loss) -> Box<dyn Objective> {
        let [inputs, hidden @ .., classes] = self.widths.as_slice() else {
            panic!("a network has an input and an output width");
        };
        let case = crate::derivatives::Case {
            spec: perceptron(hidden, Activation::Tanh),
            data: rows(self.inputs.concat(), *inputs, self.labels.clone(), *classes),
            loss,
        };
        let objective = case.objective(&cpu(Precision::F64), self.labels.len());
        assert_eq!(objective.dim(), self.initial.len());
        objective
    }
}

#[test]
fn every_optimizer_follows_pytorchs_trajectory() {
    Reference::all().iter().for_each(follow);
}

fn follow(reference: &Reference) {
    for case in &reference.cases {
        let name = case.name();
        let mut objective = reference.objective(case.loss);
        let mut optimizer = case.spec().build_for(objective.layout());
        let mut theta = reference.initial.clone();
        let mut rate = case.lr;
        let (last, before) = case.losses.split_last().expect("losses");
        assert_eq!(before.len(), 50);

        for (step, expected) in before.iter().enumerate() {
            objective.set_parameters(&theta).unwrap();
            let here = objective.gradient(Samples::All).unwrap();
            let what = format!("{name}: loss at step {step}");
            assert_close(&[here.evaluation.loss], &[*expected], TOLERANCE, &what);
            let mut elsewhere = |point: &[f64]| {
                objective.set_parameters(point)?;
                Ok(objective.gradient(Samples::All)?.gradient)
            };
            optimizer.step(rate, &mut theta, &here.gradient, &mut elsewhere).unwrap();
            rate *= case.rate_factor;
        }
        objective.set_parameters(&theta).unwrap();
        let loss = objective.evaluate().unwrap().loss;
        assert_close(&[loss], &[*last], TOLERANCE, &format!("{name}: last loss"));
        assert_close(&theta, &case.r#final, TOLERANCE, &format!("{name}: parameters"));

        // A basis is free in its signs; that P is right is in the path.
        let operator = optimizer.operator();
        let preconditioner = operator.preconditioner.filter(|_| operator.basis.is_none());
        assert_eq!(preconditioner.is_some(), case.preconditioner.is_some(), "{name}");
        if let (Some(found), Some(expected)) = (preconditioner, &case.preconditioner) {
            assert_close(&found, expected, TOLERANCE, &format!("{name}: preconditioner"));
        }
        assert_eq!(optimizer.perturbed().is_some(), case.perturbed.is_some(), "{name}");
        if let (Some(found), Some(expected)) = (optimizer.perturbed(), &case.perturbed) {
            assert_close(found, expected, TOLERANCE, &format!("{name}: perturbed point"));
        }
        assert_eq!(optimizer.averaged().is_some(), case.averaged.is_some(), "{name}");
        if let (Some(found), Some(expected)) = (optimizer.averaged(), &case.averaged) {
            assert_close(found, expected, TOLERANCE, &format!("{name}: average"));
        }
    }
}

/// Each optimizer, over each of its bases, without weight decay and with it.
#[test]
fn the_reference_has_every_optimizer() {
    let cases: Vec<Case> = Reference::all().into_iter().flat_map(|own| own.cases).collect();
    let has = |name: &str, base: Option<Base>, decays: bool| {
        let fits = |c: &&Case| (c.optimizer.as_str(), c.base) == (name, base);
        cases.iter().filter(fits).any(|c| (c.weight_decay > 0.0) == decays)
    };
    for entry in ENTRIES {
        let bases = match entry.defaults.base {
            Some(_) => vec![Some(Base::Sgd), Some(Base::Momentum), Some(Base::Adam)],
            None => vec![None],
        };
        for base in bases {
            for decays in [false, true] {
                assert!(has(entry.name, base, decays), "{} over {base:?}", entry.name);
            }
        }
    }
}
