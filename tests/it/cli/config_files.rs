//! Settings from a JSON file, and from flags over it.

use super::*;

fn config_of(place: &Place, words: &str) -> Value {
    let done = place.run_well(&format!("run {words} --force --out r"));
    assert!(done.out.contains('r'));
    json_file(place.made("r/manifest.json"))["config"].clone()
}

/// An object's entries as flags.
fn as_flags(settings: &Value) -> String {
    let entries = settings.as_object().unwrap().iter();
    let flag = |(key, value): (&String, &Value)| {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_string);
        format!("--{}={value}", key.replace('_', "-"))
    };
    entries.map(flag).collect::<Vec<_>>().join(" ")
}

/// No run takes all keys: between them, these take each at least once.
#[test]
fn keys_are_the_flags_and_flags_win() {
    let place = Place::new();
    let rows = (0..90).map(|i| format!("{i},{},{}\n", i % 7, i * i));
    let table = format!("x,y,z\n{}", rows.collect::<String>());
    place.file("d.csv", &table).file("v.csv", &table);
    place.run_well(
        "run --backend cpu --model linear --dataset @/d.csv --regression --steps 1 --out @/r",
    );
    let path = |name: &str| place.files.path().join(name);

    let shared = json!({
        "model": "linear", "dataset": "digits", "loss": "mse", "train_size": 60,
        "validation_size": 20, "standardize": true, "optimizer": "sgd", "lr": 0.05,
        "weight_decay": 0.0, "schedule": "constant", "warmup": 0, "batch_size": 16, "steps": 4,
        "seed": 7, "eval_every": 2, "top": 2, "smallest": true, "every": 2, "tolerance": 0.01,
        "max_iterations": 50, "solver": "lanczos", "hvp": "reverse", "samples": 30, "sharpness_batches": 3,
        "sharpness_error": 0.5, "realized": "off", "perturbed_sharpness": false, "measure": ["update_sharpness"],
        "probes": 2, "iterations": 5, "backend": "cpu", "precision": "f64", "chunk": 25,
        "out": "elsewhere", "name": "from-file", "checkpoint_every": 3, "force": true
    });
    let over_shared =
        json!({"lr": 0.1, "steps": 2, "smallest": false, "hvp": "forward", "name": "here"});
    let cases = [
        (
            json!({
                "loss": "ce", "label_noise": 0.25, "optimizer": "sam", "base": "momentum",
                "momentum": 0.5, "rho": 0.02, "weight_decay": 0.001, "schedule": "cosine",
                "warmup": 1, "final_lr": 0.004, "perturbed_sharpness": true,
                "on_warning": "checkpoint"
            }),
            json!({
                "loss": "mse", "label_noise": 0.0, "optimizer": "asam", "momentum": 0.6, "rho": 0.3,
                "weight_decay": 0.0, "schedule": "linear", "warmup": 0, "final_lr": 0.001,
                "sharpness_batches": 2, "perturbed_sharpness": false, "on_warning": "halve-lr"
            }),
        ),
        (
            json!({
                "dataset": "blobs", "points": 90, "classes": 4, "noise": 0.2, "label_noise": 0.0,
                "optimizer": "adam", "beta1": 0.8, "beta2": 0.9, "eps": 1e-6, "weight_decay": 0.002,
                "schedule": "step", "warmup": 2, "decay_factor": 0.5, "decay_every": 2
            }),
            json!({
                "points": 80, "classes": 3, "noise": 0.0, "optimizer": "adamw", "beta1": 0.0,
                "beta2": 0.99, "eps": 1e-4, "weight_decay": 0.5, "warmup": 3, "decay_factor": 2.0,
                "decay_every": 1
            }),
        ),
        (
            json!({
                "label_noise": 0.0, "optimizer": "ademamix", "beta1": 0.8, "beta2": 0.9, "beta3": 0.99, "alpha": 3.0, "eps": 1e-6
            }),
            json!({"beta3": 0.5, "alpha": 0.0, "weight_decay": 0.1}),
        ),
        (
            json!({"label_noise": 0.0, "optimizer": "qhm", "momentum": 0.5, "nu": 0.4}),
            json!({"nu": 1.0, "momentum": 0.0}),
        ),
        (
            json!({"label_noise": 0.0, "optimizer": "soap", "beta1": 0.8, "beta2": 0.9, "eps": 1e-6, "refresh": 3.0}),
            json!({"refresh": 2.0}),
        ),
        (
            json!({
                "dataset": "chebyshev", "points": 80, "degree": 3, "spectrum_every": 2,
                "sigma": 0.25, "smallest": false, "solver": "davidson", "audit_every": 3
            }),
            json!({
                "degree": 4, "spectrum_every": 1, "sigma": 0.5, "probes": 1, "iterations": 3,
                "checkpoint_every": 1, "audit_every": 1
            }),
        ),
        (
            json!({
                "dataset": path("d.csv"), "header": "yes", "target": "y", "regression": true,
                "validation": path("v.csv"), "test": 0.1,
                "init": path("r/init.safetensors")
            }),
            json!({"header": "auto", "target": "x", "test": path("v.csv"), "batch_size": 10}),
        ),
    ];
    let mut seen = BTreeSet::new();
    for (own, changes) in cases {
        let given = with(&shared, &own);
        place.file("c.json", given.to_string());
        let mut expected = with(&not_taken(), &given);
        expected["model"] = json!({"kind": "mlp", "hidden": [], "activation": "identity",
                                   "bias": true, "init": "pytorch"});
        expected["out"] = json!("r");
        assert_eq!(config_of(&place, "--config @/c.json"), expected);
        seen.extend(given.as_object().unwrap().keys().cloned());

        let changes = with(&over_shared, &changes);
        let words = format!("--config @/c.json {}", as_flags(&changes));
        assert_eq!(config_of(&place, &words), with(&expected, &changes));
        assert_eq!(names_in(place.cwd.path()), ["r"]);
    }
    let config = json_file(place.made("r/manifest.json"))["config"].clone();
    let keys: BTreeSet<String> = config.as_object().unwrap().keys().cloned().collect();
    // Of a run that goes on nothing else may be given.
    seen.insert("resume".to_string());
    assert_eq!(seen, keys, "a key is not covered here");
}

/// Numbers that are not given are the optimizer's, and those that it does not take are null.
#[test]
fn what_is_left_out_depends_on_optimizer_batch_and_schedule() {
    let adam = json!({"lr": 1e-3, "beta1": 0.9, "beta2": 0.999, "eps": 1e-8, "weight_decay": 0.0});
    let momentum = json!({"lr": 0.02, "momentum": 0.9, "weight_decay": 0.0});
    let sam = json!({"lr": 0.2, "base": "sgd", "rho": 0.05, "weight_decay": 0.0});
    let digits = with(&not_taken(), &json!({"label_noise": 0.0, "audit_every": 50}));
    let of = |base: &Value, over: Value| with(base, &over);
    let cases = [
        ("", json!({"optimizer": "sgd", "lr": 0.2, "weight_decay": 0.0})),
        ("--optimizer momentum", momentum.clone()),
        ("--optimizer nesterov", momentum.clone()),
        ("--optimizer ema-momentum", of(&momentum, json!({"lr": 0.2}))),
        ("--optimizer adam", adam.clone()),
        ("--optimizer adamw", of(&adam, json!({"weight_decay": 0.01}))),
        ("--optimizer nadam", of(&adam, json!({"lr": 2e-3}))),
        (
            "--optimizer rmsprop",
            json!({"lr": 1e-3, "beta2": 0.99, "eps": 1e-8, "weight_decay": 0.0}),
        ),
        ("--optimizer adagrad", json!({"lr": 0.01, "eps": 1e-10, "weight_decay": 0.0})),
        ("--optimizer sam", sam.clone()),
        ("--optimizer asam", of(&sam, json!({"rho": 0.5}))),
        (
            "--optimizer sam --base momentum",
            of(&sam, json!({"base": "momentum", "lr": 0.02, "momentum": 0.9})),
        ),
        ("--optimizer asam --base adam", of(&adam, json!({"base": "adam", "rho": 0.5}))),
        ("--batch-size 20", json!({"batch_size": 20, "sharpness_batches": 16})),
        // Null would read back as 16.
        (
            "--batch-size 20 --sharpness-batches 0",
            json!({"batch_size": 20, "sharpness_batches": 0}),
        ),
        ("--sharpness-batches 0", json!({"batch_size": "full"})),
        ("--schedule cosine", json!({"schedule": "cosine", "final_lr": 0.0})),
        ("--schedule linear", json!({"schedule": "linear", "final_lr": 0.0})),
        (
            "--schedule step --steps 2",
            json!({"schedule": "step", "decay_factor": 0.1, "decay_every": 1}),
        ),
        (
            "--schedule step --steps 7",
            json!({"schedule": "step", "decay_factor": 0.1, "decay_every": 3}),
        ),
        ("--solver lanczos", json!({"solver": "lanczos", "audit_every": null})),
        ("--smallest", json!({"solver": "lanczos", "audit_every": null})),
        ("--warmup 4", json!({"schedule": "constant", "warmup": 4})),
    ];
    let place = Place::new();
    for (flags, expected) in cases {
        let steps = if flags.contains("--steps") { "" } else { "--steps 1" };
        let words =
            format!("--backend cpu --model linear --train-size 50 --every 9 {steps} {flags}");
        let config = config_of(&place, &words);
        let optimizer_unless_given = match flags.strip_prefix("--optimizer ") {
            Some(rest) => json!({"optimizer": rest.split(' ').next()}),
            None => json!({"optimizer": "sgd", "weight_decay": 0.0}),
        };
        let expected = with(&with(&digits, &optimizer_unless_given), &expected);
        for (key, value) in expected.as_object().unwrap() {
            assert_eq!(&config[key], value, "{key} with '{flags}'");
        }
    }
}

#[test]
fn force_in_a_config_can_be_taken_back() {
    let place = Place::new();
    place.file("c.json", r#"{"force": true}"#).file("run/manifest.json", "{}");
    let before = place.snapshot();
    let line = place.run("run --config @/c.json --force=false --out @/run").refusal().unwrap();
    assert!(line.contains("--force"), "{line}");
    assert_eq!(place.snapshot(), before);
}

#[test]
fn a_model_that_is_written_out_names_the_run_by_its_kind() {
    let place = Place::new();
    for (kind, rest) in [("cnn", json!({"channels": [2]})), ("mlp", json!({"hidden": [3]}))] {
        let mut model = rest;
        model["kind"] = kind.into();
        place.file("written.json", json!({ "model": model }).to_string());
        let words = "--config @/written.json --backend cpu --train-size 20 --steps 1";
        let config = config_of(&place, words);
        let name = config["name"].as_str().unwrap();
        assert!(name.starts_with(&format!("{kind}-digits-")), "{name}");
    }
}

#[test]
fn a_model_can_be_named_written_out_or_kept_in_a_file() {
    let place = Place::new();
    let relu = r#"{"kind": "mlp", "hidden": [64, 64], "activation": "relu"}"#;
    place.file("relu.json", relu);
    place.file("object.json", format!(r#"{{"model": {relu}}}"#));
    place.file("preset.json", r#"{"model": "mlp-relu"}"#);
    let path = place.files.path().join("relu.json");
    place.file("file.json", json!({ "model": path }).to_string());
    let rest = "--backend cpu --train-size 50 --steps 1";
    let models = ["--model mlp-relu", "--model @/relu.json", "--config @/object.json"];
    for model in models.iter().chain(&["--config @/preset.json", "--config @/file.json"]) {
        let config = config_of(&place, &format!("{model} {rest}"));
        let expected = json!({"kind": "mlp", "hidden": [64, 64], "activation": "relu",
                              "bias": true, "init": "pytorch"});
        assert_eq!(config["model"], expected, "{model}");
    }
}
