//! Measuring the spectrum of a network: against PyTorch's whole matrices, and against the dense
//! eigenvalues of a network of some hundred parameters.

use sharpscope::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use sharpscope::curvature::{
    CurvatureOperator, Group, Matrix, Preconditioned, Spectrum, SpectrumMeter, groups, named_group,
};
use sharpscope::device::Precision;
use sharpscope::linalg::{Estimate, StochasticLanczos, symmetric_eigen};
use sharpscope::model::Activation;
use sharpscope::optim::StabilityOperator;
use sharpscope::problem::Loss;
use sharpscope::{Error, Result};

use super::known::wasserstein;
use super::{block, cases, dense};
use crate::derivatives::{Case as Perceptron, Data, LOSSES, cpu, normal, scaled};

/// Ends to nearly full precision; 40 probes of 40 steps; a trace from 120 products.
fn meter(matrix: Matrix) -> SpectrumMeter {
    SpectrumMeter {
        quadrature: StochasticLanczos { probes: 40, iterations: 40 },
        sigma: None,
        matrix,
        operator: StabilityOperator::default(),
        group: None,
        top: 3,
        tolerance: 1e-8,
        max_iterations: 1000,
        trace_accuracy: 0.02,
        trace_products: 120,
        seed: 7,
    }
}

/// Asserts that an estimate is within so many standard errors, and rounding of something of this
/// size.
#[track_caller]
fn assert_within(units: f64, found: Estimate, exact: f64, size: f64, what: &str) {
    let error = (found.value - exact).abs();
    let allowed = units * found.standard_error.unwrap() + 1e-10 * size;
    assert!(error <= allowed, "{what}: {found:?} for {exact}");
}

#[test]
fn ends_and_traces_are_pytorchs() {
    for case in cases() {
        let objective = case.objective();
        for (matrix, recorded) in case.matrices() {
            let name = format!("{matrix:?}, {}", case.name());
            let found = meter(matrix).measure(&*objective, 3).unwrap();
            let magnitude = recorded.magnitude();
            assert!(found.ends.converged && found.ends.residual <= 1e-8, "{name}");
            assert_eq!(found.ends.largest.len(), 3, "{name}");
            for (found, expected) in found.ends.largest.iter().zip(recorded.largest) {
                assert!((found - expected).abs() < 1e-10 * magnitude, "{name}: {found}");
            }
            let smallest = found.ends.smallest.unwrap();
            assert!((smallest - recorded.smallest).abs() < 1e-10 * magnitude, "{name}: {smallest}");
            let size = objective.dim() as f64 * magnitude;
            let Spectrum { trace, quadrature_trace, .. } = found;
            assert_within(3.0, trace.estimate, recorded.trace, size, &name);
            assert_within(4.0, quadrature_trace, recorded.trace, size, &name);
            assert!(trace.products <= 120 && found.density.probes.len() == 40, "{name}");
            assert_eq!((found.step, found.matrix, &found.group), (3, matrix, &None), "{name}");
            assert!(!found.preconditioned, "{name}");
        }
    }
}

/// With as many steps as parameters the quadratures are exact, so that shares too can be compared.
#[test]
fn norms_ranks_and_masses_are_those_of_the_dense_eigenvalues() {
    for case in &cases()[..2] {
        let objective = case.objective();
        let n = objective.dim();
        for matrix in [Matrix::Hessian, Matrix::GaussNewton, Matrix::Residual] {
            let entries = dense(&mut CurvatureOperator::new(&*objective, matrix, 7));
            let values = symmetric_eigen(n, &entries).unwrap().values;
            let quadrature = StochasticLanczos { probes: 60, iterations: n };
            let found = SpectrumMeter { quadrature, ..meter(matrix) }.measure(&*objective, 0);
            let found = found.unwrap();
            let name = format!("{matrix:?}, {}", case.name());
            let (sum, squares): (f64, f64) =
                values.iter().fold((0.0, 0.0), |(sum, squares), x| (sum + x, squares + x * x));
            assert_within(4.0, found.frobenius, squares.sqrt(), squares.sqrt(), &name);
            assert_within(4.0, found.effective_rank, sum * sum / squares, n as f64, &name);
            let magnitude = values[n - 1].max(-values[0]);
            let near = found.masses.near_zero;
            assert!((near - 1e-3 * magnitude).abs() < 1e-12 * magnitude, "{name}: {near}");
            let share = |inside: &dyn Fn(f64) -> bool| {
                values.iter().filter(|&&x| inside(x)).count() as f64 / n as f64
            };
            assert_within(4.0, found.masses.negative, share(&|x| x < -near), 1.0, &name);
            assert_within(4.0, found.masses.zero, share(&|x| x.abs() <= near), 1.0, &name);
            assert_within(4.0, found.masses.positive, share(&|x| x > near), 1.0, &name);
            let error = found.density.frobenius(near / 1e-3).standard_error.unwrap();
            let stated = found.frobenius.standard_error.unwrap();
            assert!((stated - error).abs() < 1e-12 * error, "{name}: {stated}, {error}");
            // Of 60 probes, hardly more than the textbook's.
            let norm = found.density.sum(|x| x * x);
            let plain = norm.standard_error.unwrap() / (2.0 * found.frobenius.value);
            assert!((0.7..1.6).contains(&(stated / plain)), "{name}: {stated}, {plain}");
        }
    }
}

/// 432 parameters, at random weights.
fn network(loss: Loss) -> Box<dyn Objective> {
    let data = Data { samples: 60, inputs: 10, classes: 4 };
    let case = Perceptron::random(&[16, 12], Activation::Tanh, loss, data);
    case.at(&cpu(Precision::F64), &scaled(&normal(432, 21), 0.5))
}

#[test]
fn the_density_comes_near_the_dense_spectrum() {
    for loss in LOSSES {
        let objective = network(loss);
        assert_eq!(objective.dim(), 432);
        for matrix in [Matrix::Hessian, Matrix::GaussNewton] {
            let quadrature = StochasticLanczos { probes: 10, iterations: 80 };
            let meter = SpectrumMeter { quadrature, ..meter(matrix) };
            let found = meter.measure(&*objective, 0).unwrap();
            let entries = dense(&mut CurvatureOperator::new(&*objective, matrix, 7));
            let values = symmetric_eigen(432, &entries).unwrap().values;
            let range = values[431] - values[0];
            assert!((found.sigma / range - 0.01).abs() < 1e-6, "sigma {}", found.sigma);
            let error = wasserstein(&found.density, &values, found.sigma) / range;
            assert!(error < 0.01, "{matrix:?}, {loss:?}: {error:.4} of the range");
            let given = SpectrumMeter { sigma: Some(0.5), ..meter };
            assert_eq!(given.measure(&*objective, 0).unwrap().sigma, 0.5);
        }
    }
}

/// Passes on, and counts.
struct Counted {
    inner: Box<dyn Objective>,
    products: std::sync::atomic::AtomicUsize,
}

impl Objective for Counted {
    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn sample_numbers(&self) -> &[usize] {
        self.inner.sample_numbers()
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.inner.set_parameters(theta)
    }

    fn evaluate(&self) -> Result<Evaluation> {
        self.inner.evaluate()
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        self.inner.gradient(samples)
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        self.products.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.inner.hvp_over(samples, v)
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        self.products.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        self.inner.output_product(matrix, v)
    }
}

#[test]
fn every_product_is_counted() {
    for matrix in [Matrix::Hessian, Matrix::Fisher] {
        let counted = Counted { inner: cases()[0].objective(), products: 0.into() };
        let found = meter(matrix).measure(&counted, 0).unwrap();
        assert_eq!(found.products, counted.products.into_inner(), "{matrix:?}");
    }
}

#[test]
fn a_measurement_is_the_same_each_time_and_another_at_another_step_or_seed() {
    let case = &cases()[0];
    let objective = case.objective();
    let measure = |seed: u64, step: usize| {
        let mut found =
            SpectrumMeter { seed, ..meter(Matrix::Hessian) }.measure(&*objective, step).unwrap();
        found.seconds = 0.0;
        found
    };
    let first = measure(7, 0);
    assert_eq!(measure(7, 0), first);
    assert_ne!(measure(7, 1).density, first.density);
    assert_ne!(measure(8, 0).density, first.density);
}

#[test]
fn each_layers_block_has_pytorchs_largest_eigenvalue_and_trace() {
    for case in cases() {
        let objective = case.objective();
        let groups = groups(objective.layout());
        for (matrix, recorded) in case.matrices() {
            // Enough for the exact trace of a block of 40 rows.
            let found = meter(matrix).by_group(&*objective, &groups, 2).unwrap();
            let name = format!("{matrix:?}, {}", case.name());
            assert_eq!(found.len(), recorded.layers.len(), "{name}");
            for (found, (layer, parameters, largest, trace)) in found.iter().zip(&recorded.layers) {
                assert_eq!((&found.group, found.parameters), (layer, *parameters), "{name}");
                let what = format!("{layer}, {name}");
                let error = (found.lambda_max - largest).abs();
                assert!(error < 1e-9 * recorded.magnitude(), "{what}: {}", found.lambda_max);
                let size = *parameters as f64 * recorded.magnitude();
                assert_within(4.0, found.trace.estimate, *trace, size, &what);
                if *parameters <= 40 {
                    let error = (found.trace.estimate.value - trace).abs();
                    assert!(error < 1e-12 * size, "{what}: {:?}", found.trace);
                }
            }
            let blocks: f64 = recorded.layers.iter().map(|(.., trace)| trace).sum();
            assert!((blocks - recorded.trace).abs() < 1e-10 * recorded.magnitude(), "{name}");
        }
    }
}

/// Of the preconditioned operator, and of one layer alone.
#[test]
fn a_preconditioned_spectrum_of_a_layer_is_that_of_the_dense_block() {
    let case = &cases()[1];
    let objective = case.objective();
    let n = objective.dim();
    let p: Vec<f64> = normal(n, 3).into_iter().map(f64::exp).collect();
    let operator = StabilityOperator { preconditioner: Some(p), basis: None, shift: 0.3 };
    let inner = CurvatureOperator::new(&*objective, Matrix::Hessian, 7);
    let entries = dense(&mut Preconditioned::new(inner, &operator).unwrap());
    let group = named_group(objective.layout(), "layers.1").unwrap();
    let at: Vec<usize> = group.coordinates.iter().cloned().flatten().collect();
    for (group, entries) in [(None, entries.clone()), (Some(group), block(n, &entries, &at))] {
        let size = group.as_ref().map_or(n, Group::len);
        let values = symmetric_eigen(size, &entries).unwrap().values;
        let name = group.as_ref().map(|group| group.name.clone());
        let operator = operator.clone();
        let meter = SpectrumMeter { operator, group, ..meter(Matrix::Hessian) };
        let found = meter.measure(&*objective, 0).unwrap();
        assert!(found.preconditioned);
        assert_eq!((found.density.dim, found.group), (size, name));
        for (found, expected) in found.ends.largest.iter().zip(values.iter().rev()) {
            assert!((found - expected).abs() < 1e-9 * values[size - 1], "{found}, {expected}");
        }
        let smallest = found.ends.smallest.unwrap();
        assert!((smallest - values[0]).abs() < 1e-9 * values[size - 1], "{smallest}");
        let trace: f64 = values.iter().sum();
        assert_within(3.0, found.trace.estimate, trace, trace.abs(), "trace");
        assert_within(4.0, found.quadrature_trace, trace, trace.abs(), "quadrature");
    }
}

#[test]
fn a_shift_alone_moves_the_spectrum() {
    let case = &cases()[0];
    let objective = case.objective();
    let plain = meter(Matrix::Hessian).measure(&*objective, 0).unwrap();
    let operator = StabilityOperator { preconditioner: None, basis: None, shift: 0.5 };
    let shifted = SpectrumMeter { operator, ..meter(Matrix::Hessian) };
    let shifted = shifted.measure(&*objective, 0).unwrap();
    assert!(shifted.preconditioned);
    let pairs = plain.ends.largest.iter().zip(&shifted.ends.largest);
    for (plain, shifted) in pairs {
        assert!((shifted - plain - 0.5).abs() < 1e-9, "{plain}, {shifted}");
    }
}

#[test]
fn groups_are_layers_in_order_and_cover_every_parameter_once() {
    for case in cases() {
        let objective = case.objective();
        let found = groups(objective.layout());
        let recorded = &case.matrices["hessian"].layers;
        let names: Vec<&String> = found.iter().map(|group| &group.name).collect();
        let expected: Vec<&String> = recorded.iter().map(|(name, ..)| name).collect();
        assert_eq!(names, expected, "{}", case.name());
        let mut all: Vec<usize> =
            found.iter().flat_map(|group| group.coordinates.iter().cloned().flatten()).collect();
        all.sort_unstable();
        assert!(all.iter().copied().eq(0..objective.dim()), "{}", case.name());
        assert!(found.iter().all(|group| !group.is_empty()));
    }
}

/// Eleven hidden layers, so that `layers.1` is how `layers.10` begins too.
#[test]
fn a_named_group_is_what_a_dot_follows() {
    let data = Data { samples: 4, inputs: 3, classes: 2 };
    let case = Perceptron::random(&[2; 11], Activation::Tanh, Loss::Mse, data);
    let objective = case.objective(&cpu(Precision::F64), 4);
    let layout = objective.layout();
    let named = |name: &str| named_group(layout, name).map(|group| group.coordinates);
    // 3 inputs make 6 weights and 2 biases; then 4 and 2 for each layer.
    assert_eq!(named("layers.0").unwrap(), [0..6, 6..8]);
    assert_eq!(named("layers.1").unwrap(), [8..12, 12..14]);
    assert_eq!(named("layers.10").unwrap(), [62..66, 66..68]);
    assert_eq!(named("layers.1.bias").unwrap(), std::iter::once(12..14).collect::<Vec<_>>());
    let whole = named_group(layout, "layers").unwrap();
    assert_eq!((whole.len(), whole.name.as_str()), (objective.dim(), "layers"));
    for unknown in ["layers.1.", "layers.12", "layer", "", "layers.1.weights"] {
        let refusal = named(unknown).unwrap_err();
        assert!(matches!(refusal, Error::UnknownName { .. }), "{unknown}: {refusal:?}");
        assert!(refusal.to_string().contains("layers.11.bias"), "{refusal}");
    }
    let refusal = named("layers.1.weights").unwrap_err().to_string();
    assert!(refusal.contains("did you mean 'layers.1.weight'"), "{refusal}");
    let none = Group { name: "none".to_string(), coordinates: Vec::new() };
    assert!(none.is_empty());
}
