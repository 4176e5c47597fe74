//! `sharpscope list`.

use serde_json::Value;

use super::*;

#[test]
fn the_list_names_everything_that_can_be_named() {
    let place = Place::new();
    let text = place.run_well("list").out;
    for name in [
        "transformer-tiny",
        "cnn-relu",
        "deep-linear",
        "shakespeare",
        "fashion-mnist",
        "chebyshev",
        "tanh",
        "ema-momentum",
        "asam",
        "8970 parameters on digits",
    ] {
        assert!(text.contains(name), "{name} in {text}");
    }
}

/// Counts by hand: an mlp's (i + 1) o for each layer, on 784 pixels and 10 classes.
#[test]
fn models_are_counted_for_the_dataset_that_is_named() {
    let place = Place::new();
    let list: Value =
        serde_json::from_str(&place.run_well("list --json --dataset fashion-mnist").out).unwrap();
    let model = |name: &str| {
        let models = list["models"].as_array().unwrap().iter();
        models.clone().find(|model| model["name"] == name).unwrap().clone()
    };
    assert_eq!(model("mlp")["parameters"], 785 * 64 + 65 * 64 + 65 * 10);
    assert_eq!(model("fc-tanh")["parameters"], 785 * 200 + 201 * 200 + 201 * 10);
    let cnn = 32 * 9 + 32 + 32 * 32 * 9 + 32 + (32 * 49 + 1) * 10;
    assert_eq!(model("cnn-tanh")["parameters"], cnn);
    assert_eq!(model("transformer-tiny")["dataset"], "shakespeare");
    assert_eq!(list["optimizers"].as_array().unwrap().len(), 23);
    assert_eq!(list["datasets"].as_array().unwrap().len(), 8);
}

/// Help is made from the same lists.
#[test]
fn help_names_the_optimizers_and_what_they_take_by_themselves() {
    let help = Place::new().run_well("run --help").out;
    let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for text in [
        "Optimizer: sgd (gradient descent when the batch is full), momentum, nesterov,",
        "sam, asam, qhm, ademamix, schedule-free, schedule-free-adamw, adafactor, lamb, shampoo, soap, \
         signgd, signum, lion or muon [default: sgd]",
        "Learning rate [default: 0.2; 0.5 for schedule-free, 0.05 for shampoo, 0.02 for momentum and \
         nesterov, 0.01 for adagrad, schedule-free-adamw, adafactor and lamb, 0.003 for soap and muon, \
         0.002 for nadam, 0.001 for adam, adamw, rmsprop, ademamix, signgd, signum and lion]",
        "What sam and asam step with: sgd, momentum or adam [default: sgd]",
        "Decay of the second moment [default: 0.999; 0.99 for rmsprop and lion, 0.95 for soap and muon]",
        "[default: 1e-8; 0.0001 for shampoo, 1e-6 for lamb, 1e-10 for adagrad, 1e-30 for adafactor]",
        "Ascent radius [default: 0.05 for sam, 0.5 for asam]",
        "Weight decay lambda: decoupled for adamw, ademamix, schedule-free-adamw, adafactor, lamb, soap, \
         lion and muon, else added to the gradient [default: 0; 0.01 for adamw]",
        "constant, cosine, linear, step, edge, cdat, cyclic or swa [default: constant]",
        "Learning rate that cosine, linear and cyclic come to [default: 0]",
        "With sam or asam, log the sharpness",
        "--backend <auto|wgpu|cpu>",
        "--on-warning <stop|halve-lr|lower-lr|checkpoint>",
    ] {
        assert!(help.contains(text), "no '{text}' in {help}");
    }
}

/// Where no threshold is known, the list says so.
#[test]
fn the_list_has_each_optimizers_threshold() {
    let place = Place::new();
    let list: Value = serde_json::from_str(&place.run_well("list --json").out).unwrap();
    let threshold = |name: &str| {
        let optimizers = list["optimizers"].as_array().unwrap().iter();
        optimizers.clone().find(|own| own["name"] == name).unwrap()["threshold"].clone()
    };
    assert_eq!(threshold("sgd"), "2/η");
    for name in ["asam", "signgd", "signum", "lion", "muon"] {
        assert_eq!(threshold(name), Value::Null, "{name}");
    }
    let text = place.run_well("list").out;
    assert_eq!(text.matches("threshold: none known").count(), 5);
}

#[test]
fn a_dataset_that_is_not_there_is_refused() {
    let line = Place::new().run("list --dataset digit").refusal().unwrap();
    assert!(line.contains("did you mean 'digits'"), "{line}");
}
