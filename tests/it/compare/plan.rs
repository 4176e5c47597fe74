//! Which runs a comparison is made of.

use std::collections::BTreeSet;

use sharpscope::config::{RunConfig, Settings};

use super::*;

#[test]
fn settings_are_the_product_of_the_values_and_each_optimizer_gets_what_it_takes() {
    let place = Place::new();
    let flags = "--optimizer sgd,sam --lr 0.1,0.2 --rho 0.05,0.1 --seeds 2 --out c";
    place.run_well(&small(flags));
    let manifest = manifest(place.made("c"));
    // Label, folder, optimizer, lr, rho.
    let settings = [
        ("sgd η=0.1", "sgd-lr-0.1", "sgd", 0.1, json!(null)),
        ("sgd η=0.2", "sgd-lr-0.2", "sgd", 0.2, json!(null)),
        ("sam η=0.1 ρ=0.05", "sam-lr-0.1", "sam", 0.1, json!(0.05)),
        ("sam η=0.1 ρ=0.1", "sam-lr-0.1-rho-0.1", "sam", 0.1, json!(0.1)),
        ("sam η=0.2 ρ=0.05", "sam-lr-0.2", "sam", 0.2, json!(0.05)),
        ("sam η=0.2 ρ=0.1", "sam-lr-0.2-rho-0.1", "sam", 0.2, json!(0.1)),
    ];
    let of_settings =
        settings.iter().map(|(label, folder, ..)| json!({"label": label, "folder": folder}));
    assert_eq!(manifest["settings"], Value::Array(of_settings.collect()));

    let mut members = Vec::new();
    for (label, folder, optimizer, lr, rho) in settings {
        assert_eq!(names_in(place.made("c").join(folder)), ["seed-0", "seed-1"]);
        for seed in 0..2 {
            let run = format!("{folder}/seed-{seed}");
            let config = &json_file(place.made("c").join(&run).join("manifest.json"))["config"];
            assert_eq!(
                [&config["optimizer"], &config["lr"], &config["rho"], &config["seed"]],
                [&json!(optimizer), &json!(lr), &rho, &json!(seed)]
            );
            members.push(json!({
                "setting": label, "seed": seed, "folder": run, "status": "completed",
                "error": null
            }));
        }
    }
    assert_eq!(manifest["members"], Value::Array(members));
    assert_eq!(
        (&manifest["exit_code"], &manifest["name"]),
        (&json!(0), &json!("compare-linear-digits"))
    );
    let time = |key: &str| -> jiff::Timestamp { manifest[key].as_str().unwrap().parse().unwrap() };
    assert!(time("started") <= time("finished"));
    let files = ["compare.csv", "comparison.json", "summary.csv"].map(str::to_string);
    let figures = FIGURES.iter().flat_map(|name| [format!("{name}.svg"), format!("{name}.png")]);
    let folders = settings_folders(&manifest);
    let mut expected: Vec<String> = files.into_iter().chain(figures).chain(folders).collect();
    expected.sort();
    assert_eq!(names_in(place.made("c")), expected);
}

fn settings_folders(manifest: &Value) -> Vec<String> {
    listed(manifest, "settings", "folder").into_iter().map(str::to_string).collect()
}

/// Two values of everything, for every optimizer over every base: as many settings as the numbers
/// that each takes give, none of them twice.
#[test]
fn no_combination_is_missing_and_none_comes_twice() {
    let two = json!([0.125, 0.25]);
    let settings: Settings = serde_json::from_value(json!({
        "optimizers": ["asam", "sgd", "momentum", "nesterov", "ema-momentum", "adam", "adamw",
                       "rmsprop", "adagrad", "sam"],
        "base": ["momentum", "sgd", "adam"], "lr": two, "momentum": two, "beta1": two,
        "beta2": two, "eps": two, "rho": two, "weight_decay": two,
    }))
    .unwrap();
    // Powers of two: lr and weight decay, and what else there is.
    let over_bases = (1 << 4) + (1 << 3) + (1 << 6);
    let counts = [
        ("asam", over_bases),
        ("sgd", 1 << 2),
        ("momentum", 1 << 3),
        ("nesterov", 1 << 3),
        ("ema-momentum", 1 << 3),
        ("adam", 1 << 5),
        ("adamw", 1 << 5),
        ("rmsprop", 1 << 4),
        ("adagrad", 1 << 3),
        ("sam", over_bases),
    ];
    let all = settings.product().unwrap();
    let configs: Vec<RunConfig> =
        all.into_iter().map(|settings| RunConfig::resolve(settings).unwrap()).collect();
    let optimizers: Vec<&str> = configs.iter().map(|config| config.optimizer.name).collect();
    let expected: Vec<&str> =
        counts.iter().flat_map(|&(name, count)| std::iter::repeat_n(name, count)).collect();
    assert_eq!(optimizers, expected);
    let distinct: BTreeSet<String> =
        configs.iter().map(|config| serde_json::to_string(config).unwrap()).collect();
    assert_eq!(distinct.len(), configs.len());
    // Of the optimizer's own settings, the base varies slowest and the weight decay fastest.
    let sgd: Vec<_> = configs.iter().filter(|config| config.optimizer.name == "sgd").collect();
    let pair = |config: &RunConfig| (config.lr, config.optimizer.hyperparameters.weight_decay);
    let pairs: Vec<_> = sgd.into_iter().map(pair).collect();
    let expected = [(0.125, 0.125), (0.125, 0.25), (0.25, 0.125), (0.25, 0.25)];
    assert_eq!(pairs, expected.map(|(lr, decay)| (lr, Some(decay))));
}

/// Labels and folders of a plan; nothing is written for it.
fn plan(over: Value) -> (Comparison, Vec<String>, Vec<String>) {
    let comparison = Comparison::plan(settings(over)).unwrap();
    let labels = comparison.settings.iter().map(|setting| setting.label.clone()).collect();
    let slugs = comparison.settings.iter().map(|setting| setting.slug.clone()).collect();
    (comparison, labels, slugs)
}

#[test]
fn labels_say_what_differs_and_folders_what_is_no_default() {
    let cases = [
        (json!({}), vec![("sgd", "sgd-lr-0.2")]),
        (
            json!({"optimizer": "adam", "beta1": [0.8, 0.9], "weight_decay": 0.1}),
            vec![
                ("adam β₁=0.8", "adam-lr-0.001-beta1-0.8-weight-decay-0.1"),
                ("adam β₁=0.9", "adam-lr-0.001-weight-decay-0.1"),
            ],
        ),
        (
            json!({"batch_size": ["full", 10], "warmup": [0, 2]}),
            vec![
                ("sgd", "sgd-lr-0.2"),
                ("sgd warm-up 2", "sgd-lr-0.2-warmup-2"),
                ("sgd batch 10", "sgd-lr-0.2-batch-10"),
                ("sgd batch 10 warm-up 2", "sgd-lr-0.2-batch-10-warmup-2"),
            ],
        ),
        (
            json!({"optimizer": ["sam", "asam"], "base": ["sgd", "momentum"], "lr": 0.1}),
            vec![
                ("sam", "sam-lr-0.1"),
                ("sam over momentum", "sam-momentum-lr-0.1"),
                ("asam", "asam-lr-0.1"),
                ("asam over momentum", "asam-momentum-lr-0.1"),
            ],
        ),
    ];
    for (over, expected) in cases {
        let (_, labels, slugs) = plan(over.clone());
        let (expected_labels, expected_slugs): (Vec<_>, Vec<_>) = expected.into_iter().unzip();
        assert_eq!(labels, expected_labels, "{over}");
        assert_eq!(slugs, expected_slugs, "{over}");
    }
    // Where everything differs, no two may be called the same.
    let (_, labels, slugs) = plan(json!({
        "optimizer": ["sam", "adam"], "base": ["sgd", "adam"], "batch_size": ["full", 10],
        "schedule": ["constant", "linear"], "warmup": [0, 2], "beta2": [0.9, 0.999]
    }));
    assert_eq!(labels.len(), (1 + 2 + 2) * 8);
    for names in [labels, slugs] {
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "{names:?}");
    }
}

#[test]
fn a_flag_that_only_some_settings_take_is_left_out_for_the_others() {
    let values = |over: Value, key: &str| -> Vec<Value> {
        let (comparison, ..) = plan(over);
        let config = |member: &Member| serde_json::to_value(&member.config).unwrap()[key].clone();
        comparison.members.iter().map(config).collect()
    };
    let schedules =
        json!({"schedule": ["constant", "cosine", "step"], "final_lr": 0.01, "decay_every": 2});
    assert_eq!(values(schedules.clone(), "final_lr"), [json!(null), json!(0.01), json!(null)]);
    assert_eq!(values(schedules, "decay_every"), [json!(null), json!(null), json!(2)]);
    let batches = json!({"batch_size": ["full", 10], "sharpness_batches": 3});
    assert_eq!(values(batches, "sharpness_batches"), [json!(null), json!(3)]);
    let perturbed = json!({"optimizer": ["sgd", "asam"], "perturbed_sharpness": true});
    assert_eq!(values(perturbed, "perturbed_sharpness"), [json!(false), json!(true)]);
    let bases = json!({"optimizer": "sam", "base": ["sgd", "momentum", "adam"], "momentum": 0.5});
    assert_eq!(values(bases, "momentum"), [json!(null), json!(0.5), json!(null)]);
}

#[test]
fn runs_of_one_seed_share_split_and_initial_weights() {
    let place = Place::new();
    let flags = "--optimizers sgd,adam,sam --seeds 4,1 --batch-size full,10 --steps 1 --out c";
    place.run_well(&small(flags));
    let manifest = manifest(place.made("c"));
    let mut starts: BTreeMap<u64, BTreeSet<(String, Vec<u8>)>> = BTreeMap::new();
    for member in manifest["members"].as_array().unwrap() {
        let run = place.made("c").join(member["folder"].as_str().unwrap());
        let own = json_file(run.join("manifest.json"));
        let split = format!("{} {}", own["train_indices"], own["validation_indices"]);
        assert_eq!(own["train_indices"].as_array().unwrap().len(), 50);
        let weights = std::fs::read(run.join("init.safetensors")).unwrap();
        starts.entry(member["seed"].as_u64().unwrap()).or_default().insert((split, weights));
    }
    assert_eq!(starts.len(), 2);
    assert!(starts.values().all(|starts| starts.len() == 1), "a start differs within a seed");
    assert_ne!(starts[&1], starts[&4]);
}

#[test]
fn seeds_are_counted_up_or_named_in_order() {
    let cases = [
        (json!({}), vec![0]),
        (json!({"seed": 5}), vec![5]),
        (json!({"seeds": 3}), vec![0, 1, 2]),
        (json!({"seeds": 3, "seed": 5}), vec![5, 6, 7]),
        (json!({"seeds": [9, 2]}), vec![9, 2]),
        (json!({"seeds": [7]}), vec![7]),
        (json!({"seeds": 1, "seed": u64::MAX}), vec![u64::MAX]),
    ];
    for (over, expected) in cases {
        let (comparison, ..) = plan(over.clone());
        let seeds: Vec<u64> = comparison.members.iter().map(|member| member.config.seed).collect();
        assert_eq!(seeds, expected, "{over}");
    }
    let place = Place::new();
    place.run_well(&small("--seeds 9,2 --steps 1 --out c"));
    assert_eq!(names_in(place.made("c/sgd-lr-0.2")), ["seed-2", "seed-9"]);
}

#[test]
fn a_config_file_is_worth_the_same_flags_and_flags_win() {
    let place = Place::new();
    let config = json!({
        "backend": "cpu", "model": "linear", "train_size": 50, "validation_size": 40, "steps": 3,
        "optimizers": ["sgd", "sam"], "lr": [0.05, 0.1], "rho": 0.1, "seeds": [3, 1], "jobs": 1,
        "batch_size": 10, "sharpness_batches": 2, "out": "file"
    });
    place.file("c.json", config.to_string());
    place.run_well("compare --config @/c.json");
    place.run_well(&small(
        "--optimizer sgd,sam --lr 0.05,0.1 --rho 0.1 --seeds 3,1 --batch-size 10 \
         --sharpness-batches 2 --out flags",
    ));
    assert_eq!(Results::of(place.made("file")), Results::of(place.made("flags")));

    place.run_well(
        "compare --config @/c.json --lr 0.2 --seeds 1 --batch-size full --sharpness-batches 0 \
         --out over",
    );
    place.run_well(&small("--optimizer sgd,sam --lr 0.2 --rho 0.1 --batch-size full --out same"));
    assert_eq!(Results::of(place.made("over")), Results::of(place.made("same")));
    assert_eq!(names_in(place.cwd.path()), ["file", "flags", "over", "same"]);
}

/// A group's own values win over those beside it, which are shared.
#[test]
fn groups_are_products_of_their_own() {
    let (comparison, labels, _) = plan(json!({
        "lr": [0.1, 0.2], "steps": 2, "seeds": 2,
        "runs": [
            {"optimizer": "sgd"},
            {"optimizer": "sgd", "lr": 0.05, "batch_size": 10},
            {"optimizer": ["sam", "asam"], "rho": 0.1, "lr": 0.3}
        ]
    }));
    let expected = ["sgd η=0.1", "sgd η=0.2", "sgd η=0.05 batch 10", "sam η=0.3", "asam η=0.3"];
    let label_starts: Vec<&str> = labels
        .iter()
        .zip(expected)
        .map(|(label, start)| if label.starts_with(start) { start } else { label })
        .collect();
    assert_eq!(label_starts, expected);
    let rates: Vec<f64> = comparison.settings.iter().map(|setting| setting.config.lr).collect();
    assert_eq!(rates, [0.1, 0.2, 0.05, 0.3, 0.3]);
    assert!(comparison.members.iter().all(|member| member.config.steps == 2));
    assert_eq!(comparison.members.len(), 10);
}

#[test]
fn default_folders_have_time_and_name() {
    let place = Place::new();
    let done = place.run_well(&small("--steps 1 --optimizer adam"));
    let named = place.run_well(&small("--steps 1 --name mine"));
    assert_eq!(names_in(place.cwd.path()), ["runs"]);
    for (done, end) in [(done, "-compare-linear-digits"), (named, "-mine")] {
        let path = done.out.lines().find_map(|line| line.strip_prefix("written")).unwrap();
        let name = path.trim().strip_prefix("runs/").unwrap();
        let time = name.strip_suffix(end).expect(name);
        let digits = time.replacen('-', "", 1);
        assert!(digits.len() == 14 && digits.bytes().all(|b| b.is_ascii_digit()), "{name}");
        assert!(place.made("runs").join(name).join("comparison.json").is_file());
    }
}
