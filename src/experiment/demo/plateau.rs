//! Plateaus.

use super::bench::{Bench, at, ends, first, gradient_factor, steps_to};
use super::{Demo, Example, Part};
use crate::autodiff::ParameterLayout;
use crate::curvature::named_group;
use crate::error::Result;
use crate::experiment::Prepared;
use crate::linalg::{norm, symmetric_eigen};

pub(super) const DEMO: Demo = Demo {
    name: "plateau",
    title: "Plateaus: small gradients without a minimum",
    definition: "A plateau is a region in which the gradient is small and not zero: the loss stands still for many steps and \
                 then falls. It is no critical point, though one may be near. How long it takes to cross is the \
                 integral of 1/speed, and not to be seen from the loss.",
    examples: &[
        Example {
            name: "saturated",
            what: "Saturated units: at tanh^2 far out the gradient falls as exp(-2 |x|).",
            settings: r#"{"objective": "plateau", "start": [3, 3], "lr": 0.5, "steps": 300, "smallest": true}"#,
            event: Some("plateau"),
        },
        Example {
            name: "monkey",
            what: "About a monkey saddle, whose Hessian is zero, the gradient is of the order of the distance squared.",
            settings: r#"{"objective": "monkey-saddle", "start": [-0.02, 0], "lr": 0.05, "steps": 450, "smallest": true}"#,
            event: Some("plateau"),
        },
        Example {
            name: "chain",
            what: "Three factors that begin small: each one's gradient has the other two in it.",
            settings: r#"{"objective": {"kind": "expression", "variables": ["x", "y", "z"], "formula": "0.5*(x*y*z - 1)^2"}, "start": [0.08, 0.08, 0.08], "lr": 0.05, "steps": 400, "smallest": true}"#,
            event: Some("plateau"),
        },
    ],
    non_examples: &[
        Example {
            name: "slope",
            what: "The loss falls by the same factor in each step, however small it is.",
            settings: r#"{"objective": {"kind": "quadratic", "spectrum": [1, 1]}, "start": [1, 1], "lr": 0.05, "steps": 120, "smallest": true}"#,
            event: Some("plateau"),
        },
        Example {
            name: "minimum",
            what: "At a minimum above 0 the loss stands still as well (a plateau by the loss alone); the gradient goes on \
                   falling, and minimum_suspected tells it apart.",
            settings: r#"{"objective": {"kind": "strict-saddle", "offset": 1}, "start": [0.6, 1], "lr": 0.1, "steps": 150, "smallest": true}"#,
            event: None,
        },
    ],
    derivation: "Gradient descent with a small rate follows x' = -f'(x), so that crossing from x0 to x1 takes the \
                 integral of dx/|f'(x)| over lr steps. For tanh(x)^2/2, f' = tanh/cosh^2 and that is ln(sinh x0/sinh x1) + (sinh^2 x0 - \
                 sinh^2 x1)/2. Along the way down of the monkey saddle r' = 3r^2 - c r^3: (c/9) ln(r1/r0) + (1/r0 - 1/r1)/3 - \
                 (c/9) ln((3 - c r1)/(3 - c r0)). For three equal factors w' = w^2 (1 - w^3). Units of a \
                 network that are off for every sample (relu, gelu far below 0) are flat to all orders: with the output's biases at the \
                 logarithms of the classes' shares p the loss is the entropy of p, and the Hessian is diag(p) - pp' on \
                 these biases and zero elsewhere.",
    column: "train_loss and grad_norm",
    event: "plateau",
    small,
    large,
};

fn small(bench: &mut Bench) -> Result<()> {
    let run = bench.run("saturated")?;
    let slope = |x: f64| x.tanh() / x.cosh().powi(2);
    let start = first(&run, |row| row.grad_norm)?;
    bench.check("gradient at (3, 3), tanh/(cosh^2 sqrt 2)", slope(3.0) / 2f64.sqrt(), start, 1e-12);
    let square = 3f64.tanh().powi(2);
    let curved = 0.5 * (1.0 - square) * (1.0 - 3.0 * square);
    let lambda_min = first(&run, |row| row.lambda_min)?;
    bench.check("smallest eigenvalue there, (1 - t^2)(1 - 3t^2)/2", curved, lambda_min, 1e-6);
    // Two variables share the loss, so that each moves at half the speed.
    let integral = |x: f64| x.sinh().ln() + 0.5 * x.sinh().powi(2);
    let steps = (integral(3.0) - integral(0.5)) / (0.5 * 0.5);
    let found = steps_to(&run, 0.5 * 0.5f64.tanh().powi(2))?;
    bench.check("steps from 3 to 1/2 across saturated units", steps, found, 0.02);
    let c = 3.0;
    let integral = |r: f64| c / 9.0 * (r / (3.0 - c * r)).ln() - 1.0 / (3.0 * r);
    let steps = (integral(0.5) - integral(0.02)) / 0.05;
    let height = |r: f64| 27.0 / (4.0 * c * c * c) - r.powi(3) + 0.25 * c * r.powi(4);
    let found = steps_to(&bench.run("monkey")?, height(0.5))?;
    bench.check("steps from 0.02 to 1/2 off the monkey saddle", steps, found, 0.02);
    let integral = |w: f64| {
        let angle = ((2.0 * w + 1.0) / 3f64.sqrt()).atan() / 3f64.sqrt();
        -1.0 / w - (1.0 - w).ln() / 3.0 + (1.0 + w + w * w).ln() / 6.0 - angle
    };
    let steps = (integral(0.5) - integral(0.08)) / 0.05;
    let found = steps_to(&bench.run("chain")?, 0.5 * (1.0 - 0.125f64).powi(2))?;
    bench.check("steps of three factors from 0.08 to 1/2", steps, found, 0.02);
    let factor = gradient_factor(&bench.run("minimum")?, 80)?;
    bench.check("factor of the gradient in a step at the minimum", 0.8, factor, 1e-6);
    Ok(())
}

fn large(bench: &mut Bench) -> Result<()> {
    bench.on(Part::Softmax);
    let softmax = bench.softmax("relu")?;
    shares(bench, softmax)?;
    bench.on(Part::Transformer);
    let transformer = bench.transformer()?;
    let units = ["blocks.0.linear1.weight", "blocks.0.linear1.bias", "blocks.0.linear2.weight"];
    switched_off(bench, transformer, &units, "gelu units of the block")
}

/// That a network with all units off knows the shares of the classes, and nothing else.
fn shares(bench: &mut Bench, mut prepared: Prepared) -> Result<()> {
    let (data, train) = (&prepared.dataset, &prepared.split.train);
    let mut p = vec![0.0; data.outputs()];
    for class in train.iter().filter_map(|&sample| data.label(sample)) {
        p[class] += 1.0 / train.len() as f64;
    }
    let layout = prepared.problem.train.layout().clone();
    let mut theta = prepared.theta.clone();
    let place = place(&layout, "layers.0.bias")?;
    theta[place].fill(-100.0);
    let biases = self::place(&layout, "layers.1.bias")?;
    theta[biases].iter_mut().zip(&p).for_each(|(bias, p)| *bias = p.ln());
    let there = at(&mut *prepared.problem.train, &theta)?;
    let entropy = -p.iter().map(|p| p * p.ln()).sum::<f64>();
    bench.check(
        "loss with all units off, the classes' entropy",
        entropy,
        there.evaluation.loss,
        1e-12,
    );
    bench.check("gradient there", 0.0, norm(&there.gradient), 1e-12);
    let k = p.len();
    let entry = |at: usize| if at / k == at % k { p[at / k] } else { 0.0 } - p[at / k] * p[at % k];
    let entries: Vec<f64> = (0..k * k).map(entry).collect();
    let theory = symmetric_eigen(k, &entries)?.values.last().copied().unwrap_or(f64::NAN);
    let sharpness = ends(&*prepared.problem.train, 1)?.lambda[0];
    bench.check("sharpness there, that of diag(p) - pp'", theory, sharpness, 1e-8);
    prepared.theta = theta;
    let units = ["layers.0.weight", "layers.0.bias", "layers.1.weight"];
    switched_off(bench, prepared, &units, "relu units")
}

/// That units which are off for all samples have no gradient, and can be moved without a change of the loss.
fn switched_off(
    bench: &mut Bench,
    mut prepared: Prepared,
    units: &[&str; 3],
    what: &str,
) -> Result<()> {
    let layout = prepared.problem.train.layout().clone();
    let mut theta = prepared.theta.clone();
    theta[place(&layout, units[1])?].fill(-100.0);
    let objective = &mut *prepared.problem.train;
    let here = at(objective, &theta)?;
    let (mut own, mut moved) = (0.0, theta);
    for (number, name) in units.iter().enumerate() {
        let place = place(&layout, name)?;
        own += norm(&here.gradient[place.clone()]);
        for at in place {
            moved[at] += 0.1 * ((at * 7 + number) % 5) as f64 - 0.2;
        }
    }
    bench.check(format!("gradient by {what} that are off"), 0.0, own, 1e-15);
    let there = at(objective, &moved)?.evaluation.loss;
    bench.check(format!("loss with these {what} moved"), here.evaluation.loss, there, 1e-15);
    Ok(())
}

/// Where a tensor is.
fn place(layout: &ParameterLayout, name: &str) -> Result<std::ops::Range<usize>> {
    Ok(named_group(layout, name)?.coordinates[0].clone())
}
