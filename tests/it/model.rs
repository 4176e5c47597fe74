//! Architectures and their initial weights: presets against the folder they come from, and the
//! distributions against their bounds and moments.

use sharpscope::Error;
use sharpscope::model::{ModelSpec, initial_parameters, preset_names};
use sharpscope::rng::{Stream, stream};

fn spec(json: serde_json::Value) -> ModelSpec {
    serde_json::from_value(json).unwrap()
}

#[test]
fn every_file_in_models_is_a_preset_and_loads() {
    let mut files: Vec<String> = std::fs::read_dir("models")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_string())
        .collect();
    files.sort();
    assert_eq!(files, preset_names());
    for name in preset_names() {
        let preset = ModelSpec::load(name).unwrap();
        assert_eq!(ModelSpec::load(&format!("models/{name}.json")).unwrap(), preset);
    }
}

#[test]
fn an_architecture_that_cannot_be_used_is_refused_with_its_line() {
    let load = |text: &str| {
        let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
        std::fs::write(file.path(), text).unwrap();
        ModelSpec::load(file.path().to_str().unwrap())
    };
    let message = |text: &str| load(text).unwrap_err().to_string();
    assert!(load(r#"{"kind": "mlp", "hidden": [3]}"#).is_ok(), "the rest has defaults");
    assert!(message("{\n\"kind\": \"mlp\",\n\"hiden\": [3]}").contains("`hidden`?"));
    assert!(message(r#"{"kind": "mlp", "hidden": [3], "activation": "tahn"}"#).contains("`tanh`?"));
    assert!(message(r#"{"kind": "mlq", "hidden": [3]}"#).contains("`mlp`"));
    assert!(message(r#"{"kind": "mlp", "hidden": [3, 0]}"#).contains("zero"));
    assert!(message(r#"{"kind": "mlp", "hidden": [-3]}"#).contains("-3"));
    let wide = load(r#"{"kind": "mlp", "hidden": [400000, 400000]}"#).unwrap();
    assert!(wide.parameters(64, 10).unwrap_err().to_string().contains("parameters"));
    assert_eq!(ModelSpec::load("mlp").unwrap().parameters(64, 10).unwrap(), 8970);
    assert!(message("{").contains(".json:1"));
    assert!(matches!(ModelSpec::load("mpl"), Err(Error::UnknownName { nearest: Some(_), .. })));
    assert!(matches!(ModelSpec::load("no/such.json"), Err(Error::File { .. })));
}

struct Layer {
    weights: Vec<f64>,
    biases: Vec<f64>,
}

/// The one hidden layer of 200 inputs and 400 outputs, drawn by `init`.
fn drawn(init: &str) -> Layer {
    let model = spec(serde_json::json!({ "kind": "mlp", "hidden": [400], "init": init }));
    let mut rng = stream(3, Stream::Initialisation);
    let theta = initial_parameters(&model, 200, 7, &mut rng);
    assert_eq!(theta.len(), 200 * 400 + 400 + 400 * 7 + 7);
    Layer { weights: theta[..80_000].to_vec(), biases: theta[80_000..80_400].to_vec() }
}

fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

fn moment(x: &[f64], power: i32) -> f64 {
    x.iter().map(|x| x.powi(power)).sum::<f64>() / x.len() as f64
}

/// Checks mean 0, the variance, and the kurtosis that tells uniform (1.8) from normal (3), each to
/// five standard errors.
fn assert_moments(x: &[f64], variance: f64, kurtosis: f64) {
    let n = x.len() as f64;
    assert!(mean(x).abs() < 5.0 * (variance / n).sqrt());
    let spread = 5.0 * ((kurtosis - 1.0) / n).sqrt();
    assert!((moment(x, 2) / variance - 1.0).abs() < spread, "{}", moment(x, 2));
    let found = moment(x, 4) / moment(x, 2).powi(2);
    assert!((found - kurtosis).abs() < 0.15, "kurtosis {found}");
}

#[test]
fn pytorch_initialisation_is_uniform_within_one_over_root_fan_in() {
    let layer = drawn("pytorch");
    let bound = 1.0 / 200f64.sqrt();
    for x in layer.weights.iter().chain(&layer.biases) {
        assert!(x.abs() <= bound);
    }
    assert_moments(&layer.weights, bound * bound / 3.0, 1.8);
    assert!((moment(&layer.biases, 2) / (bound * bound / 3.0) - 1.0).abs() < 0.25);
}

#[test]
fn the_other_initialisations_have_their_variance_and_zero_biases() {
    for (init, variance, kurtosis) in [
        ("xavier", 2.0 / (200.0 + 400.0), 1.8),
        ("kaiming", 2.0 / 200.0, 3.0),
        ("lecun", 1.0 / 200.0, 3.0),
    ] {
        let layer = drawn(init);
        assert_moments(&layer.weights, variance, kurtosis);
        assert!(layer.biases.iter().all(|&b| b == 0.0), "{init}");
    }
}

#[test]
fn weights_depend_on_the_seed_alone() {
    let model = spec(serde_json::json!({ "kind": "mlp", "hidden": [5], "bias": false }));
    let draw = |seed| initial_parameters(&model, 4, 3, &mut stream(seed, Stream::Initialisation));
    assert_eq!(draw(0), draw(0));
    assert_ne!(draw(0), draw(1));
    assert_eq!(draw(0).len(), 4 * 5 + 5 * 3);
}
