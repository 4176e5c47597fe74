//! Measures of flatness against whole Hessians and closed forms, and what rescaling a relu network does
//! to each of them.

use sharpscope::Error;
use sharpscope::autodiff::{Objective, ParameterLayout, Samples};
use sharpscope::curvature::{
    CurvatureMeter, Flatness, FlatnessSettings, Hessian, flatness, rescale,
};
use sharpscope::device::Precision;
use sharpscope::linalg::{Lanczos, dot, symmetric_eigen};
use sharpscope::model::Activation;
use sharpscope::problem::Loss;

use super::known::{gaussian, rng};
use super::{cases, dense, trace_of};
use crate::derivatives::{Case, Data, LOSSES, assert_close, cpu, gradient, normal, scaled};

pub const SETTINGS: FlatnessSettings = FlatnessSettings {
    meter: CurvatureMeter::lanczos(
        Lanczos { largest: 1, smallest: 0, tolerance: 1e-10, max_iterations: 500 },
        3,
    ),
    step: 0,
    epsilon: 1e-3,
    rho: 0.05,
    adaptive_rho: 0.5,
    ascent_steps: 20,
    probes: 60,
};

const DATA: Data = Data { samples: 20, inputs: 4, classes: 3 };

/// A network and a point.
pub struct Point {
    pub objective: Box<dyn Objective>,
    pub theta: Vec<f64>,
}

impl Point {
    fn new(hidden: &[usize], activation: Activation, loss: Loss, seed: u64) -> Self {
        let case = Case::random(hidden, activation, loss, DATA);
        let objective = case.objective(&cpu(Precision::F64), DATA.samples);
        let theta = scaled(&normal(objective.dim(), seed), 0.5);
        let mut point = Self { objective, theta };
        point.go_home();
        point
    }

    /// A network with two hidden layers of relus.
    pub fn relu(loss: Loss, seed: u64) -> Self {
        Self::new(&[6, 5], Activation::Relu, loss, seed)
    }

    /// A loss that is quadratic.
    pub fn linear(seed: u64) -> Self {
        Self::new(&[], Activation::Identity, Loss::Mse, seed)
    }

    pub fn go_home(&mut self) {
        self.objective.set_parameters(&self.theta).unwrap();
    }

    pub fn measure_with(&mut self, settings: FlatnessSettings, seed: u64) -> Flatness {
        flatness(&mut *self.objective, &self.theta, &settings, &mut rng(seed)).unwrap()
    }

    pub fn measure(&mut self) -> Flatness {
        self.measure_with(SETTINGS, 1)
    }

    /// Loss and gradient at theta + change.
    pub fn at(&mut self, change: &[f64]) -> (f64, Vec<f64>) {
        let point: Vec<f64> = self.theta.iter().zip(change).map(|(w, d)| w + d).collect();
        self.objective.set_parameters(&point).unwrap();
        let found = self.objective.gradient(Samples::All).unwrap();
        self.go_home();
        (found.evaluation.loss, found.gradient)
    }

    pub fn rise(&mut self, change: &[f64]) -> f64 {
        self.at(change).0 - self.objective.evaluate().unwrap().loss
    }

    pub fn gradient(&self) -> Vec<f64> {
        gradient(&*self.objective)
    }

    pub fn hessian(&self) -> Vec<f64> {
        dense(&mut Hessian::new(&*self.objective))
    }

    pub fn magnitudes(&self) -> Vec<f64> {
        self.theta.iter().map(|w| w.abs()).collect()
    }

    /// Half-widths of Keskar's box.
    pub fn sides(&self) -> Vec<f64> {
        self.theta.iter().map(|w| SETTINGS.epsilon * (w.abs() + 1.0)).collect()
    }
}

pub fn largest_eigenvalue(n: usize, entries: &[f64]) -> f64 {
    symmetric_eigen(n, entries).unwrap().values[n - 1]
}

pub fn elementwise(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect()
}

/// D A D for a diagonal D.
pub fn scaled_both_sides(entries: &[f64], d: &[f64]) -> Vec<f64> {
    let n = d.len();
    (0..n * n).map(|k| d[k / n] * entries[k] * d[k % n]).collect()
}

/// sum over layers of sum_{s,s'} <w_s, w_s'> tr(H_{s,s'}), from the whole Hessian.
fn dense_relative_flatness(layout: &ParameterLayout, theta: &[f64], hessian: &[f64]) -> f64 {
    let n = theta.len();
    let mut total = 0.0;
    for entry in layout.entries().iter().filter(|entry| entry.shape.len() > 1) {
        let (neurons, inputs) = (entry.shape[0], entry.len / entry.shape[0]);
        let place = |neuron: usize, input: usize| entry.offset + neuron * inputs + input;
        for s in 0..neurons {
            for r in 0..neurons {
                let weights = |neuron| &theta[place(neuron, 0)..place(neuron, 0) + inputs];
                let trace: f64 = (0..inputs).map(|k| hessian[place(s, k) * n + place(r, k)]).sum();
                total += dot(weights(s), weights(r)) * trace;
            }
        }
    }
    total
}

#[test]
fn loss_largest_eigenvalue_and_trace_are_those_of_the_whole_hessian() {
    for loss in LOSSES {
        let mut point = Point::relu(loss, 31);
        let (n, hessian) = (point.theta.len(), point.hessian());
        let found = point.measure();
        assert_eq!(found.loss, point.objective.evaluate().unwrap().loss);
        assert_close(&[found.lambda_max], &[largest_eigenvalue(n, &hessian)], 1e-10, "largest");
        assert!(found.residual <= 1e-10);
        let error = (found.trace.estimate.value - trace_of(n, &hessian)).abs();
        assert!(error < 3.0 * found.trace.estimate.standard_error.unwrap(), "trace off by {error}");
        assert!(found.trace.products <= 60, "{:?}", found.trace);
    }
}

/// 68% of intervals of one standard error hold the exact value: 27 of 40, give or take 3.
#[test]
fn relative_flatness_is_that_of_its_definition() {
    for loss in LOSSES {
        let mut point = Point::relu(loss, 32);
        let layout = point.objective.layout().clone();
        let exact = dense_relative_flatness(&layout, &point.theta, &point.hessian());
        let mut held = 0;
        for seed in 0..40 {
            let settings = FlatnessSettings { ascent_steps: 1, ..SETTINGS };
            let found = point.measure_with(settings, seed).relative_flatness;
            let error = (found.value - exact).abs() / found.standard_error.unwrap();
            assert!(error < 4.5, "{loss:?}, seed {seed}: {error:.1} standard errors from {exact}");
            held += usize::from(error < 1.0);
        }
        assert!((17..=37).contains(&held), "{loss:?}: {held} of 40");
    }
}

/// Kernels of [out, in, 3, 3] and tables of [tokens, width].
#[test]
fn relative_flatness_of_convolutions_and_transformers() {
    for case in &cases()[2..5] {
        let mut objective = case.objective();
        let layout = objective.layout().clone();
        let hessian = dense(&mut Hessian::new(&*objective));
        let exact = dense_relative_flatness(&layout, &case.weights, &hessian);
        let settings = FlatnessSettings { probes: 100, ascent_steps: 1, ..SETTINGS };
        let found = flatness(&mut *objective, &case.weights, &settings, &mut rng(2)).unwrap();
        let found = found.relative_flatness;
        let error = (found.value - exact).abs() / found.standard_error.unwrap();
        assert!(error < 4.0, "{}: {error:.1} standard errors from {exact}", case.name());
    }
}

/// The diagonal that takes theta to the rescaled one.
fn diagonal(layout: &ParameterLayout, layer: usize, factor: f64) -> Vec<f64> {
    let mut d = vec![1.0; layout.len()];
    for entry in layout.entries() {
        let scale = match &entry.name[..] {
            name if name.starts_with(&format!("layers.{layer}.")) => factor,
            name if name == format!("layers.{}.weight", layer + 1) => 1.0 / factor,
            _ => 1.0,
        };
        d[entry.offset..entry.offset + entry.len].fill(scale);
    }
    d
}

/// Every sample keeps its loss; derivatives follow the chain rule, H' = D^-1 H D^-1. What is meant not
/// to change does not: relative flatness with the same random signs, and the adaptive rise. All else
/// does.
#[test]
fn rescaling_a_relu_network_changes_all_but_its_function_and_the_adaptive_measures() {
    for loss in LOSSES {
        let mut here = Point::relu(loss, 33);
        let (n, hessian, slope) = (here.theta.len(), here.hessian(), here.gradient());
        let before = here.measure();
        for (layer, factor) in [(0, 0.1), (0, 3.0), (0, 10.0), (1, 0.1), (1, 3.0), (1, 10.0)] {
            let name = format!("{loss:?}, layer {layer} by {factor}");
            let layout = here.objective.layout().clone();
            let mut there = Point::relu(loss, 33);
            there.theta = rescale(&here.theta, &layout, layer, factor).unwrap();
            there.go_home();
            let d = diagonal(&layout, layer, factor);
            assert_close(&there.theta, &elementwise(&here.theta, &d, |w, d| w * d), 1e-15, &name);

            for sample in 0..DATA.samples {
                let loss_of = |point: &Point| {
                    let only = point.objective.gradient(Samples::Batch(&[sample])).unwrap();
                    only.evaluation.loss
                };
                assert_close(&[loss_of(&there)], &[loss_of(&here)], 1e-12, &name);
            }
            let inverse: Vec<f64> = d.iter().map(|d| 1.0 / d).collect();
            let expected = elementwise(&slope, &inverse, |g, d| g * d);
            assert_close(&there.gradient(), &expected, 1e-12, &name);
            let expected = scaled_both_sides(&hessian, &inverse);
            assert_close(&there.hessian(), &expected, 1e-12, &name);

            let after = there.measure();
            assert_close(&[after.loss], &[before.loss], 1e-12, &name);
            let sharpest = largest_eigenvalue(n, &expected);
            assert_close(&[after.lambda_max], &[sharpest], 1e-9, &name);
            let flat = |flatness: &Flatness| {
                let found = flatness.relative_flatness;
                [found.value, found.standard_error.unwrap()]
            };
            assert_close(&flat(&after), &flat(&before), 1e-9, &format!("flatness of {name}"));
            assert_close(&[after.adaptive_rise], &[before.adaptive_rise], 1e-8, &name);
            for (measure, before, after) in [
                ("largest eigenvalue", before.lambda_max, after.lambda_max),
                ("epsilon-sharpness", before.epsilon_sharpness, after.epsilon_sharpness),
                ("rise in SAM's ball", before.sam_rise, after.sam_rise),
            ] {
                let change = (after / before - 1.0).abs();
                assert!(change > 0.05, "{name}: {measure} changes by {change:.3} only");
            }
        }
    }
}

/// Vectors by hand: layers of 1 to 2 to 1 to 1, and no biases in the second network.
#[test]
fn rescaling_by_hand() {
    let layout_of = |bias: bool| {
        let data = Data { samples: 2, inputs: 1, classes: 1 };
        let mut case = Case::random(&[2, 1], Activation::Relu, Loss::Mse, data);
        case.spec.bias = bias;
        case.objective(&cpu(Precision::F64), 2).layout().clone()
    };
    let (with, without) = (layout_of(true), layout_of(false));
    let theta: Vec<f64> = (1..=9).map(f64::from).collect();
    // Weights 1 2, biases 3 4; weights 5 6, bias 7; weight 8, bias 9.
    let first = rescale(&theta, &with, 0, 2.0).unwrap();
    assert_eq!(first, [2.0, 4.0, 6.0, 8.0, 2.5, 3.0, 7.0, 8.0, 9.0]);
    let second = rescale(&theta, &with, 1, 0.5).unwrap();
    assert_eq!(second, [1.0, 2.0, 3.0, 4.0, 2.5, 3.0, 3.5, 16.0, 9.0]);
    // Weights 1 2; weights 3 4; weight 5.
    let bare = rescale(&theta[..5], &without, 0, 2.0).unwrap();
    assert_eq!(bare, [2.0, 4.0, 1.5, 2.0, 5.0]);

    for factor in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let refusal = rescale(&theta, &with, 0, factor).unwrap_err();
        assert!(matches!(refusal, Error::Setting { .. }), "{factor}: {refusal:?}");
    }
    for layer in [2, 3, 17] {
        let refusal = rescale(&theta, &with, layer, 2.0).unwrap_err();
        assert!(matches!(refusal, Error::Setting { .. }), "layer {layer}: {refusal:?}");
    }
}

#[test]
fn the_objective_is_left_where_it_was_and_probes_alone_are_random() {
    let mut point = Point::relu(Loss::Ce, 35);
    let before = point.gradient();
    let first = point.measure();
    assert_eq!(point.gradient(), before);
    assert_eq!(point.measure(), first);
    let other = point.measure_with(SETTINGS, 2);
    assert_ne!(other.trace, first.trace);
    assert_ne!(other.relative_flatness, first.relative_flatness);
    let exact = |f: &Flatness| [f.loss, f.lambda_max, f.sam_rise, f.adaptive_rise];
    assert_eq!(exact(&other), exact(&first));
}

/// Weights of zero do not move in the metric of the weights.
#[test]
fn at_zero_weights_the_adaptive_measures_are_zero() {
    let mut point = Point::linear(1);
    point.theta = vec![0.0; point.theta.len()];
    point.go_home();
    let found = point.measure();
    assert_eq!((found.adaptive_rise, found.relative_flatness.value), (0.0, 0.0));
    assert!(found.sam_rise > 0.0 && found.epsilon_sharpness > 0.0 && found.lambda_max > 0.0);
    // One weight alone moves, by half its length, in the direction that raises the loss.
    point.theta[3] = 0.8;
    point.go_home();
    let found = point.measure().adaptive_rise;
    let sides = [0.4, -0.4].map(|d| {
        let change: Vec<f64> =
            (0..point.theta.len()).map(|i| if i == 3 { d } else { 0.0 }).collect();
        point.rise(&change)
    });
    assert_close(&[found], &[sides[0].max(sides[1])], 1e-12, "adaptive rise");
}

#[test]
fn a_loss_that_is_not_finite_nearby_is_an_error() {
    let mut point = Point::linear(2);
    for settings in [
        FlatnessSettings { rho: 1e200, ..SETTINGS },
        FlatnessSettings { adaptive_rho: 1e200, ..SETTINGS },
        FlatnessSettings { epsilon: 1e200, ..SETTINGS },
    ] {
        let refusal = flatness(&mut *point.objective, &point.theta, &settings, &mut rng(1));
        assert!(matches!(refusal, Err(Error::NonFinite { .. })), "{refusal:?}");
    }
    let short = flatness(&mut *point.objective, &gaussian(3, 1), &SETTINGS, &mut rng(1));
    assert!(matches!(short, Err(Error::Length { found: 3, .. })), "{short:?}");
}
