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
    assert_eq!(list["optimizers"].as_array().unwrap().len(), 11);
    assert_eq!(list["datasets"].as_array().unwrap().len(), 8);
}

#[test]
fn a_dataset_that_is_not_there_is_refused() {
    let line = Place::new().run("list --dataset digit").refusal().unwrap();
    assert!(line.contains("did you mean 'digits'"), "{line}");
}
