//! Choosing a device, and wgpu against the CPU backend.
//!
//! The same losses are differentiated in single precision by wgpu and in single and double
//! precision by the CPU backend, whose derivatives have their own tests. A machine without a GPU
//! runs these tests on a software Vulkan driver; without any adapter they fail.

use std::sync::OnceLock;

use sharpscope::Error;
use sharpscope::autodiff::{Evaluation, GradientEvaluation, Objective, Samples, check_determinism};
use sharpscope::device::{Adapter, AdapterKind, BackendChoice, Device, Precision, adapters};
use sharpscope::linalg::Lanczos;
use sharpscope::model::Activation;
use sharpscope::problem::Loss;

use crate::derivatives::activations::{POINTS, check_values};
use crate::derivatives::{
    ACTIVATIONS, Case, Data, assert_close, combinations, cpu, gradient, measure, normal,
    perceptron, rows,
};

/// Relative errors of vectors, some 160 times single precision's epsilon: a few layers and sums over
/// 50 samples cost a few epsilon, but graphics drivers may compute exp and tanh to fewer digits than
/// a CPU does. A wrong weight, factor or derivative is far above it.
const SINGLE: f64 = 2e-5;

const NEEDS_AN_ADAPTER: &str = "the device tests need a wgpu adapter; without a GPU, install a \
    software Vulkan driver (Debian: mesa-vulkan-drivers and libvulkan1)";

/// The one wgpu device of this process.
fn wgpu() -> &'static Device {
    static DEVICE: OnceLock<Device> = OnceLock::new();
    DEVICE.get_or_init(|| {
        Device::open(BackendChoice::Wgpu, Precision::F32)
            .unwrap_or_else(|error| panic!("{NEEDS_AN_ADAPTER}: {error}"))
    })
}

fn found_adapters() -> &'static [Adapter] {
    let found = adapters();
    assert!(!found.is_empty(), "{NEEDS_AN_ADAPTER}");
    found
}

// --------------------------------------------------------------------------------------- numbers

const DATA: Data = Data { samples: 50, inputs: 6, classes: 4 };

fn case(activation: Activation, loss: Loss) -> Case {
    Case::random(&[9, 7], activation, loss, DATA)
}

/// Loss, accuracy and gradient at a fixed point, and the product with a fixed vector.
fn derivatives_at(
    theta: &[f64],
    mut objective: Box<dyn Objective>,
) -> (GradientEvaluation, Vec<f64>, Box<dyn Objective>) {
    objective.set_parameters(theta).unwrap();
    let found = objective.gradient(Samples::All).unwrap();
    let product = objective.hvp(&normal(theta.len(), 2)).unwrap();
    (found, product, objective)
}

/// The two largest eigenvalues; their error is second order in the residual.
fn top_eigenvalues(objective: &dyn Objective) -> Vec<f64> {
    let max_iterations = objective.dim();
    let found =
        measure(objective, Lanczos { largest: 2, smallest: 0, tolerance: 1e-4, max_iterations });
    assert!(found.converged, "residual {:.1e}", found.residual);
    found.lambda
}

/// wgpu in one chunk and in ragged ones, and the CPU in single precision, against the CPU in double.
fn check_agreement(loss: Loss) {
    let (single, double) = (cpu(Precision::F32), cpu(Precision::F64));
    for activation in ACTIVATIONS {
        let case = case(activation, loss);
        let reference = case.objective(&double, DATA.samples);
        let theta = case.smooth_point(reference.dim());
        let (expected, expected_product, reference) = derivatives_at(&theta, reference);
        let expected_lambda = top_eigenvalues(&*reference);
        for (device, chunk) in [(&single, DATA.samples), (wgpu(), DATA.samples), (wgpu(), 17)] {
            let name = format!("{} on {} by {chunk}", case.name(), device.backend());
            let (found, product, objective) = derivatives_at(&theta, case.objective(device, chunk));
            let Evaluation { loss, accuracy } = objective.evaluate().unwrap();
            let expected_loss = expected.evaluation.loss;
            assert_close(&[loss, found.evaluation.loss], &[expected_loss; 2], SINGLE, &name);
            assert_eq!(accuracy, expected.evaluation.accuracy, "{name}");
            assert_eq!(found.evaluation.accuracy, accuracy, "{name}");
            assert_close(&found.gradient, &expected.gradient, SINGLE, &name);
            assert_close(&product, &expected_product, SINGLE, &name);
            if chunk == DATA.samples {
                let lambda = top_eigenvalues(&*objective);
                assert_close(&lambda, &expected_lambda, SINGLE, &name);
            }
        }
    }
}

#[test]
fn wgpu_agrees_with_the_cpu_for_every_activation_with_squared_error() {
    check_agreement(Loss::Mse);
}

#[test]
fn wgpu_agrees_with_the_cpu_for_every_activation_with_cross_entropy() {
    check_agreement(Loss::Ce);
}

/// A perceptron whose derivatives can be read as an activation's values: one sample x = 1 of class
/// 0, hidden unit j given `points[j]`, two outputs with all weights `weight`, squared error.
fn readout(
    device: &Device,
    activation: Activation,
    points: &[f64],
    weight: f64,
) -> Box<dyn Objective> {
    let mut spec = perceptron(&[points.len()], activation);
    spec.bias = false;
    let case = Case { spec, data: rows(vec![1.0], 1, vec![0], 2), loss: Loss::Mse };
    let theta = [points, &vec![weight; 2 * points.len()]].concat();
    case.at(device, &theta)
}

/// f and f' at the points. With output weights w = 0 the gradient by w is `(w f - 1) f(x) = -f(x)`,
/// and its derivative along x is `-f'(x)`.
fn value_and_slope(device: &Device, activation: Activation, points: &[f64]) -> [Vec<f64>; 2] {
    let objective = readout(device, activation, points, 0.0);
    let n = points.len();
    let along_x = [vec![1.0; n], vec![0.0; 2 * n]].concat();
    [gradient(&*objective), objective.hvp(&along_x).unwrap()]
        .map(|found| found[n..2 * n].iter().map(|x| -x).collect())
}

#[test]
fn activations_and_their_slopes_are_right_to_single_precision_on_wgpu_too() {
    // A grid where erf and tanh are neither 0 nor 1, and far out.
    let mut points: Vec<f64> = (-20..=20).map(|i| f64::from(i) * 0.25).collect();
    points.extend(POINTS);
    for activation in ACTIVATIONS {
        let found = value_and_slope(wgpu(), activation, &points);
        check_values((activation, Precision::F32), &points, &found, |[f, slope, _]| [f, slope]);
    }
}

#[test]
fn second_derivatives_of_activations_stay_finite_far_out_on_wgpu() {
    for activation in ACTIVATIONS {
        let n = POINTS.len();
        let v = [normal(n, 4), vec![0.0; 2 * n]].concat();
        let product =
            |device| readout(device, activation, &POINTS, 0.25).hvp(&v).expect("a product");
        let found = product(wgpu());
        assert!(found.iter().all(|x| x.is_finite()), "{activation:?}: {found:?}");
        assert_close(&found, &product(&cpu(Precision::F64)), SINGLE, &format!("{activation:?}"));
    }
}

#[test]
fn wgpu_is_deterministic_enough_for_curvature() {
    for (activation, loss) in combinations() {
        let case = case(activation, loss);
        let mut objective = case.objective(wgpu(), 17);
        objective.set_parameters(&normal(objective.dim(), 1)).unwrap();
        check_determinism(&*objective, Precision::F32).expect("the same each time");
    }
}

// ---------------------------------------------------------------------------------------- choice

#[test]
fn adapters_are_listed_with_real_gpus_first_and_with_their_limits() {
    let found = found_adapters();
    let first_without = found.iter().position(|adapter| !adapter.info.kind.is_gpu());
    let rest = &found[first_without.unwrap_or(found.len())..];
    assert!(rest.iter().all(|adapter| !adapter.info.kind.is_gpu()));
    for Adapter { info, .. } in found {
        assert!(!info.name.is_empty() && !info.api.is_empty(), "{info:?}");
        assert!(info.max_buffer_bytes > 0 && info.max_binding_bytes > 0, "{info:?}");
        if info.name.contains("llvmpipe") {
            assert_eq!(info.kind, AdapterKind::Software);
        }
    }
}

#[test]
fn kinds_are_ordered_from_the_fastest_to_software() {
    let kinds = [
        AdapterKind::DiscreteGpu,
        AdapterKind::IntegratedGpu,
        AdapterKind::VirtualGpu,
        AdapterKind::Other,
        AdapterKind::Software,
    ];
    assert!(kinds.is_sorted());
    assert_eq!(kinds.map(AdapterKind::is_gpu), [true, true, true, false, false]);
}

#[test]
fn wgpu_takes_the_first_adapter() {
    let device = wgpu();
    assert_eq!(device.backend(), "wgpu");
    assert_eq!(device.adapter(), found_adapters()[0].info.name);
    assert_eq!(device.precision(), Precision::F32);
    assert_eq!(device.notice(), None);
}

#[test]
fn double_precision_is_refused_on_wgpu_with_a_remedy() {
    let refusal = Device::open(BackendChoice::Wgpu, Precision::F64).expect_err("no f64 shaders");
    assert!(refusal.is_input());
    let Error::Device { problem, remedy } = refusal else { panic!("{refusal:?}") };
    let (problem, remedy) = (problem.to_string(), remedy.to_string());
    assert!(problem.contains("`precision` f64"), "{problem}");
    assert!(problem.contains(&found_adapters()[0].info.name), "{problem}");
    assert!(remedy.contains("`backend` cpu") && remedy.contains("`precision` f32"), "{remedy}");
}

#[test]
fn auto_computes_in_double_precision_on_the_cpu_and_says_so() {
    let device = Device::open(BackendChoice::Auto, Precision::F64).unwrap();
    assert_eq!((device.backend(), device.precision()), ("cpu", Precision::F64));
    assert!(device.notice().expect("a notice").contains("CPU"));
}

#[test]
fn auto_takes_a_real_gpu_or_else_the_cpu_with_a_notice() {
    let found = found_adapters();
    let device = Device::open(BackendChoice::Auto, Precision::F32).unwrap();
    let best = &found[0].info;
    if best.kind.is_gpu() {
        assert_eq!((device.backend(), device.adapter()), ("wgpu", best.name.as_str()));
        assert_eq!(device.notice(), None);
    } else {
        assert_eq!(device.backend(), "cpu");
        let notice = device.notice().expect("a notice");
        assert!(notice.contains(&best.name) && notice.contains("running on the CPU"), "{notice}");
    }
}

#[test]
fn the_cpu_is_taken_without_a_word_when_asked_for() {
    for precision in [Precision::F32, Precision::F64] {
        let device = cpu(precision);
        assert_eq!((device.backend(), device.precision()), ("cpu", precision));
        assert!(device.adapter().starts_with("CPU"));
        assert_eq!(device.notice(), None);
    }
}

#[test]
fn default_chunks_are_even_and_as_large_as_the_device_likes() {
    let device = cpu(Precision::F32);
    let chunks = [0, 1, 256, 257, 1000, 1797].map(|samples| device.default_chunk(samples));
    assert_eq!(chunks, [1, 1, 256, 129, 250, 225]);
    assert_eq!([1000, 8192, 8194].map(|samples| wgpu().default_chunk(samples)), [1000, 8192, 4097]);
}
