//! What is refused: one line with a remedy, exit code 2, and nothing written.

use proptest::prelude::*;

use super::*;
use crate::support::{self, Case, Done, all, refused};

fn all_flags_refused(cases: &[Case]) {
    support::all_flags_refused(&small(""), cases);
}

fn all_files_refused(cases: &[Case]) {
    support::all_files_refused("c.json", &small(""), "--config", cases);
}

#[test]
fn numbers_of_seeds_and_jobs_that_make_no_sense_are_refused() {
    all_flags_refused(&[
        ("--seeds 0", &["--seeds", "0", "1 or more"]),
        ("--seeds 3,3", &["--seeds", "3,3", "twice"]),
        ("--seeds 1,2 --seed 3", &["--seeds", "1,2", "--seed is given", "one of the two"]),
        ("--seeds x", &["--seeds", "'x'", "number of seeds"]),
        ("--seeds -1", &["--seeds", "'-1'"]),
        ("--seeds 1.5", &["--seeds", "'1.5'"]),
        ("--seeds 1,,2", &["--seeds", "'1,,2'"]),
        ("--seeds 2 --seed 18446744073709551615", &["--seeds", "2", "--seed"]),
        ("--jobs 0", &["--jobs", "0", "1 or more"]),
        ("--jobs -1", &["--jobs", "'-1'", "1 or more"]),
        ("--jobs two", &["--jobs", "'two'"]),
    ]);
}

#[test]
fn flags_that_no_setting_takes_are_refused() {
    all_flags_refused(&[
        ("--rho 0.1", &["--rho", "0.1", "sgd does not take it", "sam, asam"]),
        ("--optimizer sgd,adam --rho 0.1,0.2", &["--rho", "sam, asam"]),
        ("--optimizer sgd,sam --momentum 0.5", &["--momentum", "0.5", "--base momentum"]),
        ("--optimizer sgd,momentum --base adam", &["--base", "sam, asam"]),
        (
            "--schedule constant,step --final-lr 0.1",
            &["--final-lr", "0.1", "cosine, linear and cyclic"],
        ),
        ("--sharpness-batches 3", &["--sharpness-batches", "3", "--batch-size"]),
        ("--perturbed-sharpness --optimizer sgd,adam", &["--perturbed-sharpness", "sam, asam"]),
    ]);
}

/// One of the values is enough.
#[test]
fn a_value_that_makes_no_sense_is_refused_among_others() {
    all_flags_refused(&[
        ("--optimizer sgd,adma", &["optimizer", "'adma'", "'adam'?"]),
        ("--optimizer sgd,", &["optimizer", "''"]),
        ("--optimizer sam --base sgd,adma", &["base", "'adma'", "'adam'?"]),
        ("--schedule constant,cosin", &["schedule", "'cosin'", "'cosine'?"]),
        ("--optimizer sgd,sam --rho 0.1,-1", &["--rho", "-1", "0 or more"]),
        ("--optimizer sgd,adam --beta1 0.9,1", &["--beta1", "1", "[0, 1)"]),
        ("--lr 0.1,0", &["--lr", "0", "above 0"]),
        ("--lr 0.1,x", &["--lr", "'0.1,x'"]),
        ("--lr 0.1,", &["--lr", "'0.1,'"]),
        ("--batch-size full,60", &["--batch-size", "60", "50"]),
        ("--batch-size full,0", &["--batch-size", "0", "1 or more"]),
        ("--warmup 0,-1", &["--warmup", "'0,-1'"]),
        ("--top 651 --max-iterations 651", &["--top", "651", "650"]),
        ("--optimzer sgd", &["'--optimzer'", "'--optimizer'"]),
    ]);
}

#[test]
fn the_same_settings_twice_are_refused() {
    all_flags_refused(&[
        ("--optimizer sgd,sgd", &["sgd", "twice", "once"]),
        ("--lr 0.1,0.1", &["sgd", "twice", "once"]),
        ("--lr 0.1,1e-1", &["twice"]),
        // What the optimizer takes by itself, named and not named.
        ("--optimizer sam --rho 0.05,0.05", &["sam", "twice"]),
    ]);
    all_files_refused(&[
        ("{\"runs\": [{}, {}]}", &["sgd", "twice", "once"]),
        ("{\"runs\": [{\"lr\": [0.1, 0.2]}, {\"lr\": 0.2}]}", &["sgd", "twice"]),
        (
            "{\"runs\": [{\"optimizer\": \"sam\"}, {\"optimizer\": \"sam\", \"rho\": 0.05}]}",
            &["twice"],
        ),
    ]);
}

#[test]
fn config_files_that_cannot_be_used_are_refused() {
    all_files_refused(&[
        ("{\"lr\": []}", &["--lr", "[]", "one value or more"]),
        ("{\"optimizers\": []}", &["--optimizer", "[]", "one value or more"]),
        ("{\"optimizer\": \"sam\", \"rho\": []}", &["--rho", "[]"]),
        ("{\"rho\": []}", &["--rho", "[]"]),
        ("{\"batch_size\": []}", &["--batch-size", "[]"]),
        ("{\"schedule\": []}", &["--schedule", "[]"]),
        ("{\"seeds\": 0}", &["--seeds", "0", "1 or more"]),
        ("{\"seeds\": []}", &["--seeds", "[]", "one seed or more"]),
        ("{\"seeds\": [3, 3]}", &["--seeds", "3,3", "twice"]),
        ("{\"seeds\": [1, 2], \"seed\": 2}", &["--seeds", "1,2", "--seed"]),
        ("{\"jobs\": 0}", &["--jobs", "0", "1 or more"]),
        ("{\n\"seeds\": \"two\"}", &["@/c.json:2", "two", "number of seeds"]),
        ("{\n\"seeds\": 1.5}", &["@/c.json:2", "1.5"]),
        ("{\n\"seeds\": -1}", &["@/c.json:2", "-1"]),
        ("{\n\"seeds\": [1.5]}", &["@/c.json:2", "1.5"]),
        ("{\n\"jobs\": \"two\"}", &["@/c.json:2", "two"]),
        ("{\n\"optimzers\": [\"sgd\"]}", &["@/c.json:2", "`optimzers`", "`optimizers`?"]),
        ("{\n\"max-iterations\": 3}", &["@/c.json:2", "`max-iterations`", "`max_iterations`?"]),
        ("{\"lr\": 0.1,\n\"lr\": 0.2}", &["@/c.json:2", "`lr`"]),
        ("{\n\"lr\": [0.1,\n\"x\"]}", &["@/c.json:3", "x"]),
        ("{\n\"lr\": {\"a\": 1}}", &["@/c.json:2", "list of values"]),
        ("{\n\"steps\": [3, 4]}", &["@/c.json:2", "sequence"]),
        ("[{\"lr\": 1}]", &["@/c.json:1"]),
        ("{\"lr\": 0.1,\n", &["@/c.json:2"]),
        ("", &["@/c.json"]),
    ]);
    let missing = format!("{} --out new --config @/c.json", small(""));
    all([refused(&[], &missing, &["@/c.json", "cannot be read"])]);
}

#[test]
fn groups_that_cannot_be_used_are_refused() {
    all_files_refused(&[
        ("{\"runs\": []}", &["runs", "[]", "at least one"]),
        ("{\"runs\": [{\"steps\": 3}]}", &["runs", "optimizer", "beside 'runs'"]),
        ("{\"runs\": [{\"optimizer\": \"sgd\", \"seed\": 3}]}", &["runs", "beside 'runs'"]),
        ("{\"runs\": [{\"model\": \"mlp\"}]}", &["runs", "beside 'runs'"]),
        ("{\"runs\": [{\"out\": \"there\"}]}", &["runs", "beside 'runs'"]),
        ("{\"runs\": [{\"lr\": []}]}", &["--lr", "[]"]),
        ("{\"runs\": [{\"rho\": 0.1}]}", &["--rho", "sgd does not take it", "sam, asam"]),
        ("{\"runs\": [{}, {\"optimizer\": \"adma\"}]}", &["'adma'", "'adam'?"]),
        ("{\"runs\": [{\n\"optimzer\": \"sgd\"}]}", &["@/c.json:2", "`optimzer`", "`optimizer`?"]),
        ("{\"runs\": [{\n\"seeds\": 2}]}", &["@/c.json:2", "`seeds`"]),
        ("{\"runs\": [{\n\"runs\": []}]}", &["@/c.json:2", "`runs`"]),
        ("{\n\"runs\": 3}", &["@/c.json:2", "3"]),
        ("{\n\"runs\": {\"lr\": 3}}", &["@/c.json:2", "map"]),
        ("{\n\"runs\": [3]}", &["@/c.json:2", "3"]),
    ]);
    all([refused(&[], &small("--out new --runs x"), &["'--runs'"])]);
}

/// The folder is refused last, so that nothing is written whatever is typed.
mod typed {
    use super::*;

    fn list() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[-+.0-9eE]{0,5}",
            prop::sample::select(vec!["0.1", "1", "sgd", "sam", "adam", "full", "cosine", "step"])
                .prop_map(str::to_string),
            "[^\\x00]{0,5}",
        ];
        prop::collection::vec(part, 1..4).prop_map(|parts| parts.join(","))
    }

    fn config() -> impl Strategy<Value = String> {
        let keys =
            vec!["optimizers", "lr", "rho", "seeds", "jobs", "runs", "base", "schedule", "x"];
        let values = vec![
            "[]",
            "{}",
            "[{}]",
            "[{}, {\"lr\": 0.1}]",
            "[1, 2]",
            "[0.1, 0.1]",
            "\"sam\"",
            "null",
            "[\"sgd\", \"sam\"]",
            "1",
            "-1",
            "1e400",
            "true",
            "[[1]]",
            "[null]",
        ];
        let entry = (prop::sample::select(keys), prop::sample::select(values))
            .prop_map(|(key, value)| format!("\"{key}\": {value}"));
        prop::collection::vec(entry, 0..4)
            .prop_map(|entries| format!("{{{}}}", entries.join(",\n")))
    }

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 48,
            failure_persistence: None,
            ..ProptestConfig::default()
        })]

        #[test]
        fn whatever_is_typed_ends_in_one_line_and_no_file(
            flag in prop::sample::select(vec![
                "optimizer", "base", "lr", "momentum", "beta1", "beta2", "eps", "rho",
                "weight-decay", "schedule", "warmup", "batch-size", "jobs", "config",
            ]),
            value in list(),
            config in config(),
        ) {
            let place = Place::new();
            place.file("file", "mine").file("c.json", config);
            let before = place.snapshot();
            let mut words = place.arguments(&small("--out @/file"));
            if flag == "config" {
                words.extend(place.arguments("--config @/c.json"));
            } else {
                words.push(format!("--{flag}={value}"));
            }
            let refusal = Done::of(place.program().args(&words)).refusal();
            prop_assert!(refusal.is_ok(), "{:?}", refusal);
            prop_assert_eq!(place.snapshot(), before);
        }
    }
}
