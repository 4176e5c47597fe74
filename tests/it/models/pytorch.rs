//! Against PyTorch's own modules.

use sharpscope::autodiff::Samples as Over;
use sharpscope::linalg::Lanczos;
use sharpscope::model::{Activation, CnnSpec, ModelSpec, Pooling, TransformerSpec};
use sharpscope::problem::Loss;

use super::{Case, Samples, cases};
use crate::derivatives::{assert_close, measure};

/// Some thousand roundings of double precision: both sides sum in their own order.
const DOUBLE: f64 = 1e-12;

#[test]
fn the_reference_has_every_kind_of_network() {
    let cases = cases();
    let has_transformer = |what: &dyn Fn(&TransformerSpec, Loss) -> bool| {
        let is = |case: &Case| match &case.model {
            ModelSpec::Transformer(spec) => spec.layers > 0 && what(spec, case.loss),
            _ => false,
        };
        assert!(cases.iter().any(is));
    };
    let has_cnn = |what: &dyn Fn(&CnnSpec, &Case) -> bool| {
        let is = |case: &Case| match &case.model {
            ModelSpec::Cnn(spec) => what(spec, case),
            _ => false,
        };
        assert!(cases.iter().any(is));
    };
    for loss in [Loss::Mse, Loss::Ce] {
        has_transformer(&|_, its| its == loss);
        has_cnn(&|_, case| case.loss == loss);
    }
    for yes in [false, true] {
        has_transformer(&|spec, _| spec.tied == yes);
        has_transformer(&|spec, _| (spec.layers > 1) == yes);
        has_cnn(&|spec, _| spec.bias == yes && spec.pooling == Pooling::Average);
        has_cnn(&|spec, _| spec.bias == yes && spec.pooling == Pooling::Max);
        has_cnn(&|_, case| case.is_smooth() == yes);
        has_cnn(&|_, case| match case.samples {
            Samples::Images { image: [_, _, width], .. } => width.is_multiple_of(2) == yes,
            Samples::Text { .. } => false,
        });
    }
    for activation in [Activation::Tanh, Activation::Relu] {
        has_cnn(&|spec, _| spec.activation == activation);
    }
}

#[test]
fn parameters_have_pytorchs_names_shapes_and_order() {
    for case in cases() {
        let objective = case.objective();
        let entries = objective.layout().entries();
        let laid_out: Vec<_> = entries.iter().map(|e| (e.name.clone(), e.shape.clone())).collect();
        assert_eq!(laid_out, case.tensors, "{}", case.name());

        let data = case.data();
        let tensors = case.model.tensors(data.input_shape(), data.outputs()).unwrap();
        let specified: Vec<_> = tensors.into_iter().map(|t| (t.name, t.shape)).collect();
        assert_eq!(specified, laid_out, "{}", case.name());
    }
}

#[test]
fn loss_accuracy_gradient_and_product_agree_with_pytorch() {
    for case in cases() {
        let objective = case.objective();
        let found = objective.gradient(Over::All).unwrap();
        let product = objective.hvp(&case.vector).unwrap();
        let name = case.name();
        assert_close(&[found.evaluation.loss], &[case.value], DOUBLE, &name);
        match (found.evaluation.accuracy, case.accuracy) {
            (Some(found), Some(expected)) => assert!((found - expected).abs() < 1e-12, "{name}"),
            (found, expected) => assert_eq!(found, expected, "{name}"),
        }
        assert_eq!(found.evaluation, objective.evaluate().unwrap(), "{name}");
        assert_close(&found.gradient, &case.gradient, DOUBLE, &format!("gradient of {name}"));
        assert_close(&product, &case.hvp, DOUBLE, &format!("product of {name}"));
    }
}

#[test]
fn lanczos_finds_pytorchs_top_eigenvalues() {
    for case in cases() {
        let objective = case.objective();
        let max_iterations = objective.dim();
        let found = measure(
            &*objective,
            Lanczos { largest: 3, smallest: 0, tolerance: 1e-8, max_iterations },
        );
        let name = case.name();
        assert!(found.converged, "{name}: residual {:.1e}", found.residual);
        for (found, expected) in found.lambda.iter().zip(&case.eigenvalues) {
            assert_close(&[*found], &[*expected], 1e-10, &name);
        }
        assert_eq!(found.lambda.len(), 3, "{name}");
    }
}
