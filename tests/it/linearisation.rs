//! Products from what was noted once: the same numbers whatever is kept of it, and none of other
//! parameters or samples.

use std::sync::Arc;

use sharpscope::autodiff::{Objective, OutputMatrix, Samples};
use sharpscope::device::{Device, Precision};
use sharpscope::problem::{Supervised, supervised};

use crate::derivatives::cpu;
use crate::differentiation::{block, tasks, theta};

const SAMPLES: usize = 10;
const CHUNK: usize = 3;

/// The loss of `task` in four chunks, the last smaller.
fn objective(device: &Device, task: &Arc<Supervised>) -> Box<dyn Objective> {
    let samples = (0..SAMPLES).collect();
    let mut objective = supervised(device, task, samples, CHUNK).expect("an objective");
    objective.set_parameters(&theta(task)).unwrap();
    objective
}

/// Gradient and products, twice, so that what is kept is used, and Gauss-Newton products.
fn numbers(objective: &dyn Objective) -> Vec<Vec<f64>> {
    let vectors = block(objective.dim(), 3);
    let v = &vectors[..objective.dim()];
    let gradient_and_products = || {
        let (evaluated, products) = objective.gradient_and_hvps(&vectors).unwrap();
        assert!(evaluated.evaluation.accuracy.is_some());
        [vec![evaluated.evaluation.loss], evaluated.gradient, products]
    };
    let batch = Samples::Batch(&[7, 2, 5, 0]);
    let mut numbers = Vec::new();
    for _ in 0..2 {
        numbers.extend(gradient_and_products());
        numbers.push(objective.hvps(&vectors).unwrap());
        numbers.push(objective.hvp_over(batch, v).unwrap());
        numbers.push(objective.output_product(OutputMatrix::GaussNewton, v).unwrap());
    }
    numbers
}

#[test]
fn what_is_kept_changes_no_bit() {
    for precision in [Precision::F32, Precision::F64] {
        for (name, task) in tasks() {
            let device = cpu(precision);
            let all = objective(&device, &task);
            let expected = numbers(&*all);
            let kept = device.memory().taken();
            assert!(0 < kept && kept <= device.memory().bytes(), "{name}: {kept} bytes are kept");
            // No chunk, some, and all.
            for bytes in [0, kept / 3, kept] {
                let device = cpu(precision).with_memory(bytes);
                let some = objective(&device, &task);
                assert_eq!(numbers(&*some), expected, "{name}, {bytes} bytes");
                assert!(device.memory().taken() <= bytes, "{name}, {bytes} bytes");
                assert_eq!(device.memory().taken() == 0, bytes == 0, "{name}, {bytes} bytes");
            }
        }
    }
}

#[test]
fn other_parameters_are_linearised_anew() {
    let (_, task) = tasks().swap_remove(0);
    let device = cpu(Precision::F64);
    let mut moved = objective(&device, &task);
    let v = block(moved.dim(), 1);
    let before = moved.hvp(&v).unwrap();
    let elsewhere: Vec<f64> = theta(&task).iter().map(|w| w * 1.5 + 0.01).collect();
    assert!(device.memory().taken() > 0);
    moved.set_parameters(&elsewhere).unwrap();
    assert_eq!(device.memory().taken(), 0);
    let after = moved.hvp(&v).unwrap();
    assert_ne!(before, after);
    let mut fresh = objective(&cpu(Precision::F64), &task);
    fresh.set_parameters(&elsewhere).unwrap();
    assert_eq!(after, fresh.hvp(&v).unwrap());
    drop(moved);
    assert_eq!(device.memory().taken(), 0);
}

#[test]
fn a_batch_is_kept_until_another_is_asked_for() {
    let (_, task) = tasks().swap_remove(0);
    let device = cpu(Precision::F64);
    let objective = objective(&device, &task);
    let v = block(objective.dim(), 1);
    let product = |positions: &[usize]| objective.hvp_over(Samples::Batch(positions), &v).unwrap();
    let (one, other) = (product(&[1, 2, 3]), product(&[4, 5, 6]));
    let kept = device.memory().taken();
    assert_ne!(one, other);
    assert_eq!(product(&[4, 5, 6]), other);
    assert_eq!(product(&[1, 2, 3]), one);
    assert_eq!(device.memory().taken(), kept);
    assert_eq!(objective.gradient(Samples::Batch(&[1, 2, 3])).unwrap().gradient.len(), v.len());
}

#[test]
fn a_gradient_is_the_same_linearised_or_not() {
    for (name, task) in tasks() {
        let device = cpu(Precision::F32);
        let [plain, linearised] = [objective(&device, &task), objective(&device, &task)];
        let expected = plain.gradient(Samples::All).unwrap();
        assert_eq!(linearised.gradient_and_hvps(&[]).unwrap().0, expected, "{name}");
        // From what is kept.
        assert_eq!(linearised.gradient(Samples::All).unwrap(), expected, "{name}");
    }
}
