//! Architectures and their initial weights: presets against the folder they come from, and the
//! distributions against their bounds and moments.

use sharpscope::Error;
use sharpscope::data::InputShape;
use sharpscope::model::{ModelSpec, ParameterTensor, initial_parameters, preset_names};
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
    let mut names = preset_names();
    names.sort_unstable();
    assert_eq!(files, names);
    for name in preset_names() {
        let preset = ModelSpec::load(name).unwrap();
        assert_eq!(ModelSpec::load(&format!("models/{name}.json")).unwrap(), preset);
    }
}

/// The architecture in a file of this text.
fn load(text: &str) -> Result<ModelSpec, Error> {
    let file = tempfile::Builder::new().suffix(".json").tempfile().unwrap();
    std::fs::write(file.path(), text).unwrap();
    ModelSpec::load(file.path().to_str().unwrap())
}

const DIGITS: InputShape = InputShape::Features(64);
const FASHION: InputShape = InputShape::Image { channels: 1, height: 28, width: 28 };
const COLOURS: InputShape = InputShape::Image { channels: 3, height: 32, width: 32 };
const TEXT: InputShape = InputShape::Tokens { vocabulary: 65, context: 32 };

#[test]
fn presets_have_the_sizes_that_their_layers_add_up_to() {
    for (name, inputs, outputs, parameters) in [
        ("linear", DIGITS, 10, 64 * 10 + 10),
        ("mlp", DIGITS, 10, 8970),
        ("deep-linear", DIGITS, 10, 3 * 64 * 64 + 64 * 10),
        ("fc-tanh", FASHION, 10, 784 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10),
        ("fc-relu", COLOURS, 10, 3072 * 200 + 200 + 200 * 200 + 200 + 200 * 10 + 10),
        ("cnn-tanh", FASHION, 10, 9 * 32 + 32 + 9 * 32 * 32 + 32 + 32 * 7 * 7 * 10 + 10),
        ("cnn-relu", FASHION, 10, 25_258),
        ("cnn-tanh", COLOURS, 10, 3 * 9 * 32 + 32 + 9 * 32 * 32 + 32 + 32 * 8 * 8 * 10 + 10),
        // Tables of 65 and 32 rows and a head of 65; in the block 4 + 8 matrices of 32x32.
        ("transformer-tiny", TEXT, 65, (65 + 32 + 65 + 12 * 32) * 32 + (9 + 4 + 2) * 32),
        // The same with 64 rows of positions, 64 columns and four blocks.
        ("transformer-small", TEXT, 65, (65 + 64 + 65 + 48 * 64) * 64 + (4 * 13 + 2) * 64),
    ] {
        let found = ModelSpec::load(name).unwrap().parameters(inputs, outputs).unwrap();
        assert_eq!(found, parameters, "{name} on {inputs}");
    }
}

#[test]
fn presets_are_what_their_names_say() {
    let json = |name: &str| serde_json::to_value(ModelSpec::load(name).unwrap()).unwrap();
    for name in ["tanh", "relu"] {
        let fc = json(&format!("fc-{name}"));
        assert_eq!((&fc["activation"], &fc["hidden"]), (&name.into(), &[200, 200].into()));
        assert_eq!(json(&format!("cnn-{name}"))["activation"], name);
    }
    assert_eq!(json("cnn-tanh")["pooling"], "average");
    assert_eq!(json("cnn-relu")["pooling"], "max");
    assert_eq!(json("deep-linear")["activation"], "identity");
    for (name, context) in [("transformer-tiny", 32), ("transformer-small", 64)] {
        assert_eq!(ModelSpec::load(name).unwrap().context(), Some(context));
    }
    assert_eq!(ModelSpec::load("mlp").unwrap().context(), None);
}

#[test]
fn every_preset_is_written_as_it_is_read() {
    for name in preset_names() {
        let preset = ModelSpec::load(name).unwrap();
        let text = serde_json::to_string(&preset).unwrap();
        assert_eq!(load(&text).unwrap(), preset, "{text}");
    }
}

#[test]
fn keys_of_another_kind_are_refused_with_the_right_ones_and_the_line() {
    for (kind, key, right) in [
        ("mlp", "\"channels\": [3]", "hidden, activation, bias, init"),
        ("mlp", "\"width\": 3", "hidden, activation, bias, init"),
        ("cnn", "\"hidden\": [3]", "channels, activation, pooling, bias, init"),
        ("cnn", "\"tied\": true", "channels, activation, pooling, bias, init"),
        ("transformer", "\"bias\": true", "layers, heads, width, context, tied, init"),
        ("transformer", "\"activation\": \"relu\"", "layers, heads, width, context, tied, init"),
        ("transformer", "\"pooling\": \"max\"", "layers, heads, width, context, tied, init"),
    ] {
        let text = format!("{{\n\"kind\": \"{kind}\",\n{key},\n\"init\": \"lecun\"}}");
        let refusal = load(&text).unwrap_err();
        let Error::File { line: Some(3), problem, .. } = &refusal else { panic!("{refusal:?}") };
        let name = key.split('"').nth(1).unwrap();
        let problem = problem.to_string();
        assert!(problem.contains(&format!("`{kind}`")), "{problem}");
        assert!(problem.contains(&format!("`{name}`")), "{problem}");
        assert!(problem.contains(right), "{problem}");
    }
}

#[test]
fn sizes_that_make_no_network_are_refused() {
    for (text, words) in [
        (r#"{"kind": "cnn", "channels": [8, 0]}"#, ["model.channels", "zero", "1 channel"]),
        (r#"{"kind": "transformer", "width": 0}"#, ["model.width", "zero", "1 or more"]),
        (r#"{"kind": "transformer", "heads": 0}"#, ["heads", "zero", "1 or more"]),
        (r#"{"kind": "transformer", "context": 0}"#, ["context", "zero", "1 or more"]),
        (r#"{"kind": "transformer", "width": 32, "heads": 3}"#, ["32", "3 heads", "multiple"]),
    ] {
        let refusal = load(text).unwrap_err();
        assert!(refusal.is_input(), "{refusal:?}");
        let message = refusal.to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{text}: {message}");
    }
    for (text, inputs) in [
        (r#"{"kind": "cnn", "channels": [30000, 30000]}"#, FASHION),
        (r#"{"kind": "cnn", "channels": [9223372036854775807, 2]}"#, FASHION),
        (r#"{"kind": "transformer", "width": 4000000000000000000}"#, TEXT),
        (r#"{"kind": "transformer", "context": 4000000000000000000}"#, TEXT),
        (r#"{"kind": "transformer", "layers": 1000, "width": 512}"#, TEXT),
    ] {
        let refusal = load(text).unwrap().parameters(inputs, 10).unwrap_err().to_string();
        assert!(refusal.contains("more than 100000000 parameters"), "{text}: {refusal}");
    }
}

#[test]
fn a_model_refuses_data_that_it_cannot_read() {
    let small = InputShape::Image { channels: 1, height: 28, width: 3 };
    for (name, inputs, words) in [
        ("mlp", TEXT, ["numbers", "windows of 32 of 65 tokens", "transformer-tiny"]),
        ("cnn-tanh", TEXT, ["images", "windows of 32 of 65 tokens", "digits"]),
        ("cnn-relu", DIGITS, ["images", "64 features", "digits"]),
        ("cnn-tanh", small, ["halve", "1x28x3 pixels", "larger images"]),
        ("transformer-tiny", DIGITS, ["text", "64 features", "shakespeare"]),
        ("transformer-small", COLOURS, ["text", "3x32x32 pixels", "shakespeare"]),
    ] {
        let refusal = ModelSpec::load(name).unwrap().tensors(inputs, 10).unwrap_err();
        assert!(refusal.is_input(), "{refusal:?}");
        let message = refusal.to_string();
        assert!(words.iter().all(|word| message.contains(word)), "{message}");
    }
    // The smallest image that two poolings leave a pixel of; a perceptron reads images too.
    let least = InputShape::Image { channels: 1, height: 4, width: 5 };
    assert!(ModelSpec::load("cnn-tanh").unwrap().tensors(least, 10).is_ok());
    assert_eq!(ModelSpec::load("linear").unwrap().parameters(COLOURS, 10).unwrap(), 30_730);
}

#[test]
fn an_architecture_that_cannot_be_used_is_refused_with_its_line() {
    let message = |text: &str| load(text).unwrap_err().to_string();
    assert!(load(r#"{"kind": "mlp", "hidden": [3]}"#).is_ok(), "the rest has defaults");
    assert!(message("{\n\"kind\": \"mlp\",\n\"hiden\": [3]}").contains("`hidden`?"));
    assert!(message(r#"{"kind": "mlp", "hidden": [3], "activation": "tahn"}"#).contains("`tanh`?"));
    assert!(message(r#"{"kind": "mlq", "hidden": [3]}"#).contains("`mlp`"));
    assert!(message(r#"{"kind": "mlp", "hidden": [3, 0]}"#).contains("zero"));
    assert!(message(r#"{"kind": "mlp", "hidden": [-3]}"#).contains("-3"));
    let wide = load(r#"{"kind": "mlp", "hidden": [400000, 400000]}"#).unwrap();
    assert!(wide.parameters(DIGITS, 10).unwrap_err().to_string().contains("parameters"));
    assert_eq!(ModelSpec::load("mlp").unwrap().parameters(DIGITS, 10).unwrap(), 8970);
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
    let inputs = InputShape::Features(200);
    let theta = initial_parameters(&model, inputs, 7, &mut rng).unwrap();
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

/// The entries that a tensor of the model starts with.
fn start(model: &ModelSpec, inputs: InputShape, outputs: usize, name: &str) -> Vec<f64> {
    let mut rng = stream(3, Stream::Initialisation);
    let theta = initial_parameters(model, inputs, outputs, &mut rng).unwrap();
    let tensors = model.tensors(inputs, outputs).unwrap();
    let place = tensors.iter().position(|tensor| tensor.name == name).expect("a tensor");
    let offset: usize = tensors[..place].iter().map(ParameterTensor::len).sum();
    theta[offset..offset + tensors[place].len()].to_vec()
}

fn largest(x: &[f64]) -> f64 {
    x.iter().fold(0.0, |largest, x| largest.max(x.abs()))
}

#[test]
fn a_convolution_has_nine_inputs_for_each_channel() {
    let model =
        |init: &str| spec(serde_json::json!({ "kind": "cnn", "channels": [32, 64], "init": init }));
    let pytorch = |name: &str| start(&model("pytorch"), COLOURS, 10, name);
    for (layer, fan_in) in
        [("convolutions.0", 3.0 * 9.0), ("convolutions.1", 32.0 * 9.0), ("head", 64.0 * 64.0)]
    {
        let bound = 1.0 / f64::sqrt(fan_in);
        let weights = pytorch(&format!("{layer}.weight"));
        assert_moments(&weights, bound * bound / 3.0, 1.8);
        // The largest of hundreds of uniform numbers is near the bound, and none is beyond.
        assert!((0.98 * bound..=bound).contains(&largest(&weights)), "{layer}");
        let biases = largest(&pytorch(&format!("{layer}.bias")));
        assert!((0.5 * bound..=bound).contains(&biases), "{layer}: {biases}");
    }
    let second = |init: &str| start(&model(init), COLOURS, 10, "convolutions.1.weight");
    assert_moments(&second("xavier"), 2.0 / (9.0 * (32.0 + 64.0)), 1.8);
    assert_moments(&second("kaiming"), 2.0 / (9.0 * 32.0), 3.0);
    assert_moments(&second("lecun"), 1.0 / (9.0 * 32.0), 3.0);
    for name in ["convolutions.0.bias", "convolutions.1.bias", "head.bias"] {
        assert_eq!(largest(&start(&model("kaiming"), COLOURS, 10, name)), 0.0);
    }
}

#[test]
fn a_transformer_starts_with_small_tables_plain_norms_and_uniform_layers() {
    let model = ModelSpec::load("transformer-small").unwrap();
    let tensor = |name: &str| start(&model, TEXT, 65, name);
    for name in ["embedding.weight", "positions.weight"] {
        assert_moments(&tensor(name), 0.02 * 0.02, 3.0);
    }
    for norm in ["blocks.0.norm1", "blocks.3.norm2", "norm"] {
        assert_eq!(tensor(&format!("{norm}.weight")), [1.0; 64], "{norm}");
        assert_eq!(tensor(&format!("{norm}.bias")), [0.0; 64], "{norm}");
    }
    for (name, fan_in) in [
        ("blocks.0.self_attn.in_proj_weight", 64.0),
        ("blocks.1.self_attn.out_proj.weight", 64.0),
        ("blocks.2.linear1.weight", 64.0),
        ("blocks.3.linear2.weight", 256.0),
        ("head.weight", 64.0),
    ] {
        let bound = 1.0 / f64::sqrt(fan_in);
        let weights = tensor(name);
        assert_moments(&weights, bound * bound / 3.0, 1.8);
        assert!((0.98 * bound..=bound).contains(&largest(&weights)), "{name}");
    }
    assert_eq!(largest(&tensor("blocks.2.self_attn.in_proj_bias")), 0.0);
    let tied = spec(serde_json::json!({ "kind": "transformer", "tied": true }));
    let tensors = tied.tensors(TEXT, 65).unwrap();
    assert_eq!(tensors.last().unwrap().name, "norm.bias", "a tied head has no tensor of its own");
}

#[test]
fn weights_depend_on_the_seed_alone() {
    let mlp = spec(serde_json::json!({ "kind": "mlp", "hidden": [5], "bias": false }));
    let cnn = ModelSpec::load("cnn-tanh").unwrap();
    let transformer = ModelSpec::load("transformer-tiny").unwrap();
    let features = InputShape::Features(4);
    for (model, inputs) in [(&mlp, features), (&cnn, FASHION), (&transformer, TEXT)] {
        let draw = |seed| {
            initial_parameters(model, inputs, 3, &mut stream(seed, Stream::Initialisation)).unwrap()
        };
        assert_eq!(draw(0), draw(0));
        assert_ne!(draw(0), draw(1));
        assert_eq!(draw(0).len(), model.parameters(inputs, 3).unwrap());
    }
    assert_eq!(mlp.parameters(features, 3).unwrap(), 4 * 5 + 5 * 3);
}
