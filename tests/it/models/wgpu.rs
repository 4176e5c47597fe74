//! wgpu in single precision against the CPU in double.

use std::sync::OnceLock;

use sharpscope::autodiff::{Samples as Over, check_determinism};
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::model::ModelSpec;

use super::{Case, cases, pooling};
use crate::derivatives::{assert_close, cpu};

/// Relative errors of vectors: some hundred roundings of single precision.
const SINGLE: f64 = 2e-5;

fn wgpu() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        Device::open(BackendChoice::Wgpu, Precision::F32)
            .unwrap_or_else(|error| panic!("these tests need a wgpu adapter: {error}"))
    })
}

/// Loss, accuracy, gradient and product in one chunk and in ragged ones.
fn check_agreement(case: &Case) {
    for (device, chunk) in [(&cpu(Precision::F32), 100), (wgpu(), 100), (wgpu(), 3)] {
        let mut objective = case.problem().objective(device, chunk);
        objective.set_parameters(&case.weights).unwrap();
        let found = objective.gradient(Over::All).unwrap();
        let name = format!("{} on {} by {chunk}", case.name(), device.backend());
        assert_close(&[found.evaluation.loss], &[case.value], SINGLE, &name);
        match (found.evaluation.accuracy, case.accuracy) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-6, "{name}"),
            (found, expected) => assert_eq!(found, expected, "{name}"),
        }
        assert_close(&found.gradient, &case.gradient, SINGLE, &name);
        assert_close(&objective.hvp(&case.vector).unwrap(), &case.hvp, SINGLE, &name);
        check_determinism(&*objective, Precision::F32).expect("the same each time");
    }
}

#[test]
fn a_transformer_agrees_on_wgpu_and_in_single_precision() {
    let is_deep = |case: &&Case| matches!(&case.model, ModelSpec::Transformer(t) if t.layers > 1);
    check_agreement(cases().iter().find(is_deep).expect("a transformer"));
}

#[test]
fn convolutional_networks_agree_on_wgpu_and_in_single_precision() {
    let is_deep =
        |case: &&Case| matches!(&case.model, ModelSpec::Cnn(c) if c.channels.len() > 1 && c.bias);
    let cases = cases();
    let deep: Vec<&Case> = cases.iter().filter(is_deep).collect();
    assert_eq!(deep.len(), 2, "one for each pooling");
    deep.into_iter().for_each(check_agreement);
}

#[test]
fn of_equal_pixels_max_pooling_takes_the_first_on_wgpu_too() {
    pooling::check_ties(wgpu());
}
