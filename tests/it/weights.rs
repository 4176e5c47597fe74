//! Weights in and out, against a file that Python's safetensors wrote (`scripts/pytorch/weights.py`).

use serde_json::json;
use sharpscope::autodiff::ParameterLayout;
use sharpscope::device::Precision;
use sharpscope::rundir::{read_given_weights, read_safetensors, to_safetensors};

use crate::support::{Place, read};

const FROM_PYTHON: &[u8] = include_bytes!("../data/weights.safetensors");
const RUN: &str =
    "run --backend cpu --dataset moons --points 40 --model @/m.json --steps 1 --out r";

fn place() -> Place {
    let place = Place::new();
    place.file("m.json", r#"{"kind": "mlp", "hidden": [3]}"#);
    place.file("python.safetensors", FROM_PYTHON);
    place
}

/// What the script writes: tensor t holds 0, 1, 2, … over 8, less t, row by row.
fn expected() -> Vec<f64> {
    let sizes = [6, 3, 6, 2];
    let values = |(t, n): (usize, usize)| (0..n).map(move |i| i as f64 / 8.0 - t as f64);
    sizes.into_iter().enumerate().flat_map(values).collect()
}

fn layout() -> ParameterLayout {
    let settings = json!({
        "backend": "cpu", "dataset": "moons", "points": 40, "steps": 1,
        "model": {"kind": "mlp", "hidden": [3]}
    });
    let settings = serde_json::from_value(settings).unwrap();
    let config = sharpscope::config::RunConfig::resolve(settings).unwrap();
    sharpscope::experiment::prepare(config).unwrap().problem.train.layout().clone()
}

#[test]
fn weights_written_by_python_are_those_that_a_run_starts_from_and_writes() {
    let place = place();
    place.run_well(&format!("{RUN} --init @/python.safetensors"));
    let layout = layout();
    let names: Vec<&str> = layout.entries().iter().map(|entry| &entry.name[..]).collect();
    assert_eq!(names, ["layers.0.weight", "layers.0.bias", "layers.1.weight", "layers.1.bias"]);
    let written = read_safetensors(&place.made("r/init.safetensors"), &layout).unwrap();
    assert_eq!(written, expected());
    let python = place.files.path().join("python.safetensors");
    assert_eq!(read_safetensors(&python, &layout).unwrap(), expected());
}

#[test]
fn a_runs_last_weights_start_another_run() {
    let place = place();
    place.run_well(&RUN.replace("--steps 1", "--steps 3"));
    let last = place.made("r/checkpoints/step-3.safetensors");
    let init = last.to_str().unwrap().to_string();
    place.run_well(&format!("{} --init {init}", RUN.replace("--out r", "--out s")));
    let bytes = |name: &str| std::fs::read(place.made(name)).unwrap();
    assert_eq!(bytes("s/init.safetensors"), bytes("r/checkpoints/step-3.safetensors"));
    let manifest = read(place.made("s/manifest.json"));
    assert!(manifest.contains("step-3.safetensors"), "{manifest}");
}

#[test]
fn double_precision_survives() {
    let place = place();
    let layout = layout();
    let theta: Vec<f64> = (1..=layout.len()).map(|i| 1.0 / i as f64).collect();
    let bytes = to_safetensors(&layout, &theta, Precision::F64).unwrap();
    place.file("d.safetensors", bytes);
    assert_eq!(
        read_safetensors(&place.files.path().join("d.safetensors"), &layout).unwrap(),
        theta
    );
}

#[test]
fn weights_of_another_model_are_refused_with_both_sides() {
    let place = place();
    place.file("m.json", r#"{"kind": "mlp", "hidden": [4, 3]}"#);
    let before = place.snapshot();
    let refused = || {
        let done = place.run(&format!("{RUN} --init @/python.safetensors"));
        assert_eq!((done.code, done.out.as_str()), (Some(2), ""));
        let (first, lines) = done.err.split_once('\n').unwrap();
        assert!(first.starts_with("error: ") && first.contains("python.safetensors"), "{first}");
        assert!(first.contains("it does not fit the model; give weights"), "{first}");
        lines.lines().map(str::to_string).collect::<Vec<_>>()
    };
    // A line for each difference.
    assert_eq!(
        refused(),
        [
            "  layers.0.weight is [3, 2] in the file and [4, 2] in the model",
            "  layers.0.bias is [3] in the file and [4] in the model",
            "  layers.1.weight is [2, 3] in the file and [3, 4] in the model",
            "  layers.1.bias is [2] in the file and [3] in the model",
            "  layers.2.weight [2, 3] is not in the file",
            "  layers.2.bias [2] is not in the file",
        ]
    );
    place.file("m.json", r#"{"kind": "mlp", "hidden": []}"#);
    assert!(refused().contains(&"  layers.1.bias [2] is not in the model".to_string()));
    place.file("m.json", r#"{"kind": "mlp", "hidden": [4, 3]}"#);
    assert_eq!(place.snapshot(), before);
}

#[test]
fn what_is_no_file_of_weights_is_refused() {
    let place = place();
    place.file("text.safetensors", "not weights").file("empty.safetensors", "");
    place.file("cut.safetensors", &FROM_PYTHON[..FROM_PYTHON.len() - 3]);
    let mut spoilt = FROM_PYTHON.to_vec();
    let end = spoilt.len();
    spoilt[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    place.file("nan.safetensors", spoilt);
    for name in ["text", "empty", "cut", "nan", "missing"] {
        let line = place.run(&format!("{RUN} --init @/{name}.safetensors")).refusal().unwrap();
        assert!(line.contains(&format!("{name}.safetensors")), "{line}");
    }
    assert!(!place.made("r").exists());
}

/// Files that PyTorch wrote of the same numbers (`scripts/pytorch/files.py`).
#[test]
fn weights_under_other_names_and_in_half_precision_are_those_of_the_model() {
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/files");
    let layout = layout();
    for (name, said) in [
        ("wrapped", Some("'module._orig_mod.'")),
        ("sequential", Some("0 as layers.0, 2 as layers.1")),
        ("net", Some("net.0 as layers.0, net.2 as layers.1")),
        ("half", None),
        ("bfloat", None),
    ] {
        let path = format!("{files}/{name}.safetensors");
        let given = read_given_weights(path.as_ref(), &layout).unwrap();
        assert_eq!(given.theta, expected(), "{name}");
        assert_eq!(given.renamed.is_some(), said.is_some(), "{name}");
        assert!(
            said.is_none_or(|said| given.renamed.as_ref().unwrap().contains(said)),
            "{given:?}"
        );
    }
    let text = read_given_weights(format!("{files}/whole.safetensors").as_ref(), &layout);
    let text = text.unwrap_err().to_string();
    assert!(text.contains("holds I32, not real numbers"), "{text}");

    let place = place();
    let done = place.run_well(&format!("{RUN} --init {files}/sequential.safetensors"));
    assert!(done.err.contains("0 as layers.0"), "{}", done.err);
    let written = read_safetensors(&place.made("r/init.safetensors"), &layout).unwrap();
    assert_eq!(written, expected());
    place.file("m.json", r#"{"kind": "mlp", "hidden": [3, 3]}"#);
    let done =
        place.run(&format!("{} --init {files}/wrapped.safetensors", RUN.replace("out r", "out s")));
    let line = "  module._orig_mod.layers.2.weight [2, 3] is not in the file\n";
    assert!(done.code == Some(2) && done.err.contains(line), "{}", done.err);
    place.file("model.safetensors", b"PK\x03\x04...");
    let line = place.run(&format!("{RUN} --init @/model.safetensors --force")).refusal().unwrap();
    assert!(line.contains("pickle") && line.contains("save_file"), "{line}");
}
