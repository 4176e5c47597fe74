//! PyTorch's numbers, in double precision.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use sharpscope::autodiff::{Objective, Samples};
use sharpscope::device::Precision;
use sharpscope::linalg::{Lanczos, symmetric_eigen};
use sharpscope::model::Activation;
use sharpscope::problem::Loss;

use super::{
    Case, assert_close, combinations, cpu, dense_hessian, measure, perceptron, rows, scaled,
};

#[derive(Deserialize)]
struct Reference {
    widths: Vec<usize>,
    parameters: usize,
    weights: BTreeMap<String, Value>,
    inputs: Vec<Vec<f64>>,
    labels: Vec<usize>,
    vector: Vec<f64>,
    cases: Vec<ReferenceCase>,
}

#[derive(Deserialize)]
struct ReferenceCase {
    activation: Activation,
    loss: Loss,
    value: f64,
    gradient: Vec<f64>,
    hvp: Vec<f64>,
    eigenvalues: Vec<f64>,
}

impl Reference {
    fn load() -> Self {
        serde_json::from_str(include_str!("../../data/activations.json"))
            .expect("reference numbers")
    }

    /// The objective of a case in double precision, at the reference's weights.
    fn objective(&self, case: &ReferenceCase) -> Box<dyn Objective> {
        let [inputs, hidden @ .., classes] = self.widths.as_slice() else {
            panic!("a network has an input and an output width");
        };
        let case = Case {
            spec: perceptron(hidden, case.activation),
            data: rows(self.inputs.concat(), *inputs, self.labels.clone(), *classes),
            loss: case.loss,
        };
        let mut objective = case.objective(&cpu(Precision::F64), self.labels.len());
        assert_eq!(objective.dim(), self.parameters);
        let mut theta = Vec::new();
        for entry in objective.layout().entries() {
            flatten(&self.weights[&entry.name], &mut theta);
            assert_eq!(theta.len(), entry.offset + entry.len, "{}", entry.name);
        }
        objective.set_parameters(&theta).expect("parameters");
        objective
    }
}

impl ReferenceCase {
    fn name(&self) -> String {
        format!("{:?}, {:?}", self.activation, self.loss)
    }

    /// What errors of eigenvalues are relative to.
    fn largest_magnitude(&self) -> f64 {
        self.eigenvalues.iter().fold(0.0, |largest, x| largest.max(x.abs()))
    }
}

fn flatten(value: &Value, out: &mut Vec<f64>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| flatten(item, out)),
        number => out.push(number.as_f64().expect("a number")),
    }
}

#[test]
fn the_reference_has_every_activation_with_both_losses() {
    let cases = Reference::load().cases;
    assert_eq!(cases.len(), combinations().count());
    for (activation, loss) in combinations() {
        assert!(cases.iter().any(|c| c.activation == activation && c.loss == loss));
    }
}

#[test]
fn loss_gradient_and_product_agree_with_pytorch_for_every_activation_and_loss() {
    let reference = Reference::load();
    for case in &reference.cases {
        let objective = reference.objective(case);
        let found = objective.gradient(Samples::All).unwrap();
        let product = objective.hvp(&reference.vector).unwrap();
        let name = case.name();
        assert_close(&[found.evaluation.loss], &[case.value], 1e-12, &name);
        assert_eq!(found.evaluation, objective.evaluate().unwrap(), "{name}");
        assert_close(&found.gradient, &case.gradient, 1e-12, &name);
        assert_close(&product, &case.hvp, 1e-12, &name);
    }
}

#[test]
fn the_dense_hessian_has_pytorchs_spectrum_for_every_activation_and_loss() {
    let reference = Reference::load();
    for case in &reference.cases {
        let objective = reference.objective(case);
        let found = symmetric_eigen(objective.dim(), &dense_hessian(&*objective)).unwrap().values;
        // Both solvers are backward stable: errors are some n eps of the largest magnitude.
        let tolerance = 1e-12 * case.largest_magnitude();
        for (i, (found, expected)) in found.iter().zip(&case.eigenvalues).enumerate() {
            let error = (found - expected).abs();
            assert!(error <= tolerance, "{}: eigenvalue {i}, error {error:.2e}", case.name());
        }
    }
}

#[test]
fn lanczos_finds_pytorchs_extreme_eigenvalues_for_every_activation_and_loss() {
    const TOP: usize = 3;
    let reference = Reference::load();
    for case in &reference.cases {
        let objective = reference.objective(case);
        let max_iterations = objective.dim();
        let lanczos = Lanczos { largest: TOP, smallest: 1, tolerance: 1e-10, max_iterations };
        let found = measure(&*objective, lanczos);
        let name = case.name();
        assert!(found.converged && found.residual <= 1e-10, "{name}: {:.1e}", found.residual);
        let largest: Vec<f64> = case.eigenvalues.iter().rev().take(TOP).copied().collect();
        assert_close(&found.lambda, &largest, 1e-8, &name);
        let smallest = found.lambda_min.expect("the smallest eigenvalue was asked for");
        let error = (smallest - case.eigenvalues[0]).abs();
        assert!(error <= 1e-8 * case.largest_magnitude(), "{name}: smallest, error {error:.2e}");
        let product = objective.hvp(&found.top_vector).unwrap();
        assert_close(&product, &scaled(&found.top_vector, found.lambda[0]), 1e-8, &name);
    }
}
