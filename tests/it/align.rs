//! Weight matching: planted rearrangements are found again, and none changes a network's function.

use std::sync::Arc;

use rand::seq::SliceRandom;
use rand::{Rng, RngExt};
use serde_json::{Value, json};
use sharpscope::autodiff::ParameterLayout;
use sharpscope::config::RunConfig;
use sharpscope::data::{Dataset, InputShape};
use sharpscope::device::{BackendChoice, Device, Precision};
use sharpscope::experiment::prepare;
use sharpscope::landscape::align::{
    MatchSettings, Matching, Rearrangement, Symmetry, UnitMove, match_weights,
};
use sharpscope::model::{Activation, ModelSpec, initial_parameters};
use sharpscope::problem::{Loss, Supervised, supervised};
use sharpscope::rng::{Stream, stream};

use crate::support::{Place, Table, json_file};

/// A network without data: its symmetry, and weights drawn from a seed.
struct Net {
    spec: ModelSpec,
    inputs: InputShape,
    outputs: usize,
    symmetry: Symmetry,
}

impl Net {
    fn new(model: Value, inputs: InputShape, outputs: usize) -> Self {
        let spec: ModelSpec = serde_json::from_value(model).unwrap();
        let tensors = spec.tensors(inputs, outputs).unwrap();
        let layout = ParameterLayout::new(tensors.into_iter().map(|t| (t.name, t.shape)));
        let symmetry = Symmetry::new(&layout, &spec.unit_groups()).unwrap();
        Self { spec, inputs, outputs, symmetry }
    }

    fn weights(&self, seed: u64) -> Vec<f64> {
        let mut rng = stream(seed, Stream::Initialisation);
        initial_parameters(&self.spec, self.inputs, self.outputs, &mut rng).unwrap()
    }

    /// How many of `count` planted rearrangements are found exactly but for rounding.
    fn found(&self, count: u64, settings: &MatchSettings) -> usize {
        let one = |seed: &u64| {
            let a = self.weights(*seed);
            let planted = planted(&self.spec, &self.symmetry, *seed);
            let b = self.symmetry.apply(&planted, &a).unwrap();
            assert_ne!(a, b);
            let found = match_weights(&self.symmetry, &a, &b, settings).unwrap();
            never_falls(&found);
            largest_difference(&found.aligned, &a) < 1e-9
        };
        (0..count).filter(one).count()
    }
}

/// A random order of all units, with signs and scales where the model leaves them free.
fn planted(spec: &ModelSpec, symmetry: &Symmetry, seed: u64) -> Rearrangement {
    let mut rng = stream(seed, Stream::Generation);
    let mut planted = symmetry.identity();
    for (group, unit_move) in spec.unit_groups().iter().zip(&mut planted.moves) {
        unit_move.from.shuffle(&mut rng);
        for factor in &mut unit_move.factors {
            *factor = factor_of(group.flips, group.scales, &mut rng);
        }
    }
    planted
}

fn factor_of<R: Rng>(flips: bool, scales: bool, rng: &mut R) -> f64 {
    let sign = if flips && rng.random::<bool>() { -1.0 } else { 1.0 };
    let scale = if scales { (4.0 * rng.random::<f64>() - 2.0).exp() } else { 1.0 };
    sign * scale
}

fn largest_difference(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

fn never_falls(found: &Matching) {
    for pair in found.sweeps.windows(2) {
        let fell = pair[1].start == pair[0].start && pair[1].objective < pair[0].objective - 1e-9;
        assert!(!fell, "{pair:?}");
    }
}

fn mlp(hidden: &[usize], activation: &str) -> Net {
    let model = json!({"kind": "mlp", "hidden": hidden, "activation": activation});
    Net::new(model, InputShape::Features(20), 5)
}

const SETTINGS: MatchSettings =
    MatchSettings { starts: 10, sweeps: 100, flips: true, scales: true, seed: 0 };

#[test]
fn planted_orders_and_signs_of_perceptrons_are_found_in_100_of_100() {
    assert_eq!(mlp(&[24, 24], "tanh").found(100, &SETTINGS), 100);
    assert_eq!(mlp(&[16, 12, 16], "tanh").found(100, &SETTINGS), 100);
    // Without signs nothing fits.
    let no_flips = MatchSettings { flips: false, starts: 2, ..SETTINGS };
    assert_eq!(mlp(&[24, 24], "tanh").found(5, &no_flips), 0);
}

#[test]
fn planted_orders_and_scales_of_perceptrons_are_found_in_100_of_100() {
    assert_eq!(mlp(&[16, 12], "relu").found(100, &SETTINGS), 100);
    assert_eq!(mlp(&[16, 12], "gelu").found(100, &SETTINGS), 100);
    let no_scales = MatchSettings { scales: false, starts: 2, ..SETTINGS };
    assert_eq!(mlp(&[16, 12], "relu").found(5, &no_scales), 0);
}

#[test]
fn planted_orders_of_channels_are_found() {
    let inputs = InputShape::Image { channels: 1, height: 8, width: 8 };
    for (activation, pooling) in [("tanh", "average"), ("relu", "max"), ("tanh", "max")] {
        let model = json!({"kind": "cnn", "channels": [8, 12], "activation": activation, "pooling": pooling});
        let net = Net::new(model, inputs, 10);
        assert_eq!(net.found(20, &SETTINGS), 20, "{activation}, {pooling}");
    }
}

/// The residual stream ties all layers together, so that coordinate ascent has local optima.
#[test]
fn planted_orders_of_transformers_are_found_most_of_the_time() {
    let inputs = InputShape::Tokens { vocabulary: 20, context: 8 };
    let model = json!({"kind": "transformer", "layers": 2, "heads": 2, "width": 16, "context": 8});
    let net = Net::new(model, inputs, 20);
    let found = net.found(20, &SETTINGS);
    assert!(found >= 19, "{found} of 20");
}

#[test]
fn with_one_hidden_layer_the_first_sweep_is_the_last_that_gains() {
    let net = mlp(&[30], "tanh");
    let settings = MatchSettings { starts: 1, ..SETTINGS };
    let (a, b) = (net.weights(1), net.weights(2));
    let found = match_weights(&net.symmetry, &a, &b, &settings).unwrap();
    let objectives: Vec<f64> = found.sweeps.iter().map(|sweep| sweep.objective).collect();
    assert_eq!(objectives.len(), 3, "{objectives:?}");
    assert!(objectives[1] > objectives[0] && objectives[2] == objectives[1], "{objectives:?}");
}

#[test]
fn no_rearrangement_changes_the_loss() {
    let cases = [
        json!({"model": {"kind": "mlp", "hidden": [9, 7], "activation": "tanh"}}),
        json!({"model": {"kind": "mlp", "hidden": [9, 7], "activation": "relu"}}),
        json!({"model": {"kind": "mlp", "hidden": [9, 7], "activation": "identity", "bias": false}}),
        json!({"model": {"kind": "cnn", "channels": [4, 3], "activation": "tanh"}}),
        json!({"model": {"kind": "cnn", "channels": [4, 3], "activation": "relu", "pooling": "max"}}),
        json!({"model": {"kind": "transformer", "layers": 2, "heads": 2, "width": 8, "context": 6},
               "dataset": "shakespeare", "train_size": 4, "validation_size": 1}),
        json!({"model": {"kind": "transformer", "width": 8, "context": 6, "tied": true},
               "dataset": "shakespeare", "train_size": 4, "validation_size": 1}),
    ];
    for case in cases {
        let mut settings = json!({"backend": "cpu", "precision": "f64", "train_size": 20,
                                  "validation_size": 1});
        settings.as_object_mut().unwrap().extend(case.as_object().unwrap().clone());
        let config = RunConfig::resolve(serde_json::from_value(settings).unwrap()).unwrap();
        let mut run = prepare(config).unwrap();
        let spec = run.config.model.clone();
        let layout = run.problem.train.layout().clone();
        let symmetry = Symmetry::new(&layout, &spec.unit_groups()).unwrap();
        let moved = symmetry.apply(&planted(&spec, &symmetry, 3), &run.theta).unwrap();
        let mut loss = |theta: &[f64]| {
            run.problem.train.set_parameters(theta).unwrap();
            run.problem.train.evaluate().unwrap().loss
        };
        let (before, after) = (loss(&run.theta), loss(&moved));
        assert!((before - after).abs() < 1e-12 * before, "{case}: {before} and {after}");
        assert!(largest_difference(&moved, &run.theta) > 0.1 * 0.02, "{case}");
    }
}

#[test]
fn groups_that_do_not_fit_the_layout_are_refused() {
    let layout = ParameterLayout::new([("layers.0.weight", vec![4, 3])]);
    let spec: ModelSpec = serde_json::from_value(json!({"kind": "mlp", "hidden": [4]})).unwrap();
    let error = Symmetry::new(&layout, &spec.unit_groups()).unwrap_err().to_string();
    assert!(error.contains("layers.0.bias"), "{error}");
    let other = UnitMove { group: String::new(), from: vec![0], factors: vec![1.0] };
    let net = mlp(&[4], "tanh");
    let wrong = Rearrangement { moves: vec![other] };
    assert!(net.symmetry.apply(&wrong, &net.weights(0)).is_err());
    assert!(match_weights(&net.symmetry, &[0.0], &net.weights(0), &SETTINGS).is_err());
}

/// Activations on the host are those on the device.
#[test]
fn activations_on_the_host_are_those_of_tensors() {
    let device = Device::open(BackendChoice::Cpu, Precision::F64).unwrap();
    for activation in Activation::ALL {
        // One unit: the loss of f(wx + b) against a target of 0 is f^2 / 2.
        let model = json!({"kind": "mlp", "hidden": [1], "activation": activation.name()});
        let data = Dataset::from_values("one", vec![1.0], 1, vec![0.0], 1).unwrap();
        let task = Supervised {
            model: serde_json::from_value(model).unwrap(),
            data: Arc::new(data),
            loss: Loss::Mse,
        };
        let mut objective = supervised(&device, &Arc::new(task), vec![0], 1).unwrap();
        for x in [-3.0, -0.4, 0.0, 0.7, 2.5] {
            objective.set_parameters(&[x, 0.0, 1.0, 0.0]).unwrap();
            let loss = objective.evaluate().unwrap().loss;
            let expected = 0.5 * activation.of(x).powi(2);
            // gelu's erfc on the host, of statrs, is right to 1e-12 or so.
            let near = if activation == Activation::Gelu { 1e-11 } else { 1e-14 };
            assert!((loss - expected).abs() < near, "{activation} at {x}: {loss}, {expected}");
        }
    }
}

/// Two runs of which one is the other, rearranged: the aligned line is flat, and the weights written are
/// read by --init.
#[test]
fn a_rearranged_run_is_aligned_and_its_weights_start_another() {
    let place = Place::new();
    let run = "run --backend cpu --dataset moons --points 60 --model @/m.json --lr 0.5";
    place.file("m.json", r#"{"kind": "mlp", "hidden": [6, 5], "activation": "tanh"}"#);
    place.run_well(&format!("{run} --steps 30 --out a"));
    place.run_well(&format!("{run} --steps 30 --seed 1 --data-seed 0 --out b"));
    place.run_well("landscape align a b --points 5 --repair --out aligned");
    let result = json_file(place.made("aligned/align.json"));
    let number = |name: &str| result[name].as_f64().unwrap();
    assert!(number("distance_after") < number("distance_before"));
    let (before, after) = (number("train_loss_before"), number("train_loss_after"));
    assert!((before - after).abs() < 1e-5 * before, "{before} and {after}");
    let table = Table::read(place.made("aligned/align.csv"));
    assert_eq!(table.rows.len(), 15);
    let weights = place.made("aligned/aligned.safetensors");
    place.run_well(&format!("{run} --steps 1 --out c --init {}", weights.display()));
    place.run_well(&format!(
        "{run} --steps 1 --out d --init {}",
        place.made("b/checkpoints/step-30.safetensors").display()
    ));
    let loss = |name: &str| Table::of(place.made(name)).number(0, "train_loss");
    assert!((loss("c") - loss("d")).abs() < 1e-5 * loss("d"), "{} and {}", loss("c"), loss("d"));
    // Aligning the aligned one to itself once more moves nothing.
    place.run_well(&format!("{run} --steps 1 --out e --init {}", weights.display()));
    place.run_well("landscape align a e@0 --starts 1 --points 5 --top 0 --out again");
    let again = json_file(place.made("again/align.json"));
    assert_eq!((&again["moved"], &again["flipped"]), (&json!(0), &json!(0)));
}

#[test]
fn what_cannot_be_aligned_is_refused() {
    let place = Place::new();
    let run = "run --backend cpu --dataset moons --points 60 --model linear --steps 2";
    place.run_well(&format!("{run} --out a"));
    place.run_well(&format!("{run} --seed 1 --data-seed 0 --out b"));
    for (words, part) in [
        ("a b", "no hidden units"),
        ("a a", "given twice"),
        ("a b --points 1", "--points = 1"),
        ("a b --starts 0", "--starts = 0"),
        ("a b@7", "no checkpoint there"),
        ("a c", "manifest.json"),
    ] {
        let line = place.run(&format!("landscape align {words} --out new")).refusal().unwrap();
        assert!(line.contains(part), "{words}: {line}");
        assert!(!place.made("new").exists(), "{words}");
    }
}
