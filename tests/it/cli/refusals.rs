//! What is refused: one line with a remedy, exit code 2, and nothing written.

use std::io::Read;

use proptest::prelude::*;

use super::*;
use crate::support::{self, Case, all, refused};

fn all_flags_refused(cases: &[Case]) {
    support::all_flags_refused("run", cases);
}

fn all_files_refused(name: &str, flag: &str, cases: &[Case]) {
    support::all_files_refused(name, "run", flag, cases);
}

#[test]
fn unknown_names_are_refused_with_the_nearest_known_one() {
    all_flags_refused(&[
        ("--model mlp-rleu", &["model", "'mlp-rleu'", "'mlp-relu'?", "linear"]),
        ("--model mpl", &["model", "'mpl'", "'mlp'?"]),
        ("--dataset digts", &["dataset", "'digts'", "'digits'?"]),
        ("--loss mes", &["loss", "'mes'", "'mse'?", "ce"]),
        ("--optimizer sgdd", &["optimizer", "'sgdd'", "'sgd'?", "ema-momentum", "asam"]),
        ("--optimizer Adam", &["optimizer", "'Adam'", "'adam'?"]),
        ("--optimizer sam --base adma", &["base", "'adma'", "'adam'?", "momentum"]),
        ("--optimizer asam --base sam", &["base", "'sam'", "sgd, momentum, adam"]),
        ("--schedule cosin", &["schedule", "'cosin'", "'cosine'?", "linear", "step"]),
        ("--backend wgup", &["backend", "'wgup'", "'wgpu'?", "cpu"]),
        ("--precision f46", &["precision", "'f46'", "'f64'?", "f32"]),
        ("--lrr 0.1", &["'--lrr'", "'--lr'"]),
    ]);
    all([refused(&[], "rum", &["'rum'", "'run'"])]);
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    all_flags_refused(&[
        ("--lr", &["--lr"]),
        ("--lr -0.1", &["--lr", "-0.1", "above 0"]),
        ("--lr 0", &["--lr", "0", "above 0"]),
        ("--lr nan", &["--lr", "nan", "finite"]),
        ("--lr inf", &["--lr", "inf", "finite"]),
        ("--lr abc", &["--lr", "'abc'"]),
        ("--steps 0", &["--steps", "0", "1 or more"]),
        ("--steps -5", &["--steps", "-5"]),
        ("--steps 1.5", &["--steps", "1.5"]),
        ("--seed -1", &["--seed", "-1"]),
        ("--batch-size 5000", &["--batch-size", "5000", "1000"]),
        ("--batch-size 0", &["--batch-size", "0", "1 or more"]),
        ("--batch-size x", &["--batch-size", "'x'", "full"]),
        ("--top 0", &["--top", "0", "1 or more"]),
        ("--top 651 --max-iterations 651 --model linear", &["--top", "651", "650"]),
        ("--top 200 --max-iterations 100", &["200", "--max-iterations", "100", "--top"]),
        ("--every 0", &["--every", "0", "1 or more"]),
        ("--eval-every 0", &["--eval-every", "0", "1 or more"]),
        ("--tolerance 0", &["--tolerance", "0", "1e-6"]),
        ("--tolerance 1", &["--tolerance", "1", "below 1"]),
        ("--tolerance 1e-9", &["--tolerance", "1e-9", "1e-6", "f64"]),
        ("--tolerance 1e-13 --precision f64", &["--tolerance", "1e-13", "1e-12"]),
        ("--audit-every 0", &["--audit-every", "0", "1 or more"]),
        ("--audit-every 5 --solver lanczos", &["--audit-every", "5", "davidson"]),
        ("--audit-every 5 --smallest", &["--audit-every", "5", "davidson"]),
        ("--solver davidson --smallest", &["--solver", "davidson", "--smallest", "lanczos"]),
        ("--solver davison", &["davison", "davidson"]),
        ("--hvp reversed", &["reversed", "reverse"]),
        ("--samples 5000", &["--samples", "5000", "1000"]),
        ("--samples 0", &["--samples", "0", "1 or more"]),
        ("--train-size 0", &["--train-size", "0", "1 or more"]),
        ("--train-size 5000", &["--train-size", "5000", "1797"]),
        ("--validation-size 5000", &["--validation-size", "5000", "797"]),
        ("--chunk 0", &["--chunk", "0", "1 or more"]),
        ("--chunk 5000", &["--chunk", "5000", "1797"]),
        ("--max-iterations 0", &["--max-iterations", "0", "1 or more"]),
        ("--name a/b", &["--name", "a/b", "slash"]),
        ("--smallest=maybe", &["--smallest", "'maybe'", "true, false"]),
        ("extra", &["'extra'"]),
        ("--quiet -v", &["--quiet", "--verbose"]),
    ]);
}

/// Each number's range, at its ends and outside of it.
#[test]
fn hyperparameters_out_of_range_are_refused() {
    for (flag, optimizer) in [("--momentum", "nesterov"), ("--beta1", "adam"), ("--beta2", "adamw")]
    {
        for value in ["1", "1.5", "-0.1", "nan", "inf"] {
            let words = format!("run --out new --optimizer {optimizer} {flag} {value}");
            all([refused(&[], &words, &[flag, value, "[0, 1)", "0.9"])]);
        }
    }
    all_flags_refused(&[
        ("--optimizer adam --eps 0", &["--eps", "0", "above 0", "1e-8"]),
        ("--optimizer rmsprop --eps=-1e-8", &["--eps", "-1e-8", "above 0"]),
        ("--optimizer adagrad --eps nan", &["--eps", "nan", "above 0"]),
        ("--optimizer adam --eps inf", &["--eps", "inf", "finite"]),
        ("--optimizer sam --rho -0.01", &["--rho", "-0.01", "negative", "0 or more"]),
        ("--optimizer asam --rho nan", &["--rho", "nan", "0 or more"]),
        ("--optimizer sam --rho inf", &["--rho", "inf", "finite"]),
        ("--weight-decay -0.5", &["--weight-decay", "-0.5", "negative", "0 or more"]),
        ("--optimizer adamw --weight-decay nan", &["--weight-decay", "nan", "0 or more"]),
        ("--weight-decay inf", &["--weight-decay", "inf", "finite"]),
        ("--optimizer momentum --momentum x", &["--momentum", "'x'", "0.1"]),
        ("--optimizer adam --lr 0", &["--lr", "0", "above 0"]),
    ]);
}

#[test]
fn a_flag_of_another_optimizer_is_refused_with_those_that_take_it() {
    let sam = &["--rho", "0.1", "does not take it", "sam, asam"];
    all_flags_refused(&[
        ("--rho 0.1", sam),
        ("--optimizer adam --rho 0.1", sam),
        ("--base sgd", &["--base", "sgd", "does not take it", "sam, asam"]),
        ("--optimizer adam --base adam", &["--base", "adam does not take it", "sam, asam"]),
        (
            "--momentum 0.9",
            &["--momentum", "sgd does not", "momentum, nesterov, ema-momentum", "--base momentum"],
        ),
        ("--optimizer adam --momentum 0.5", &["--momentum", "0.5", "adam does not", "nesterov"]),
        (
            "--optimizer momentum --beta1 0.9",
            &["--beta1", "momentum does not", "adam, adamw", "sam and asam with --base adam"],
        ),
        ("--optimizer rmsprop --beta1 0.9", &["--beta1", "rmsprop does not", "adam, adamw"]),
        (
            "--optimizer adagrad --beta2 0.9",
            &["--beta2", "adagrad does not", "adamw, nadam, rmsprop"],
        ),
        ("--eps 1e-6", &["--eps", "1e-6", "sgd does not", "adam, adamw, nadam, rmsprop, adagrad"]),
        // What a base takes depends on the base.
        ("--optimizer sam --momentum 0.9", &["--momentum", "sam over sgd", "--base momentum"]),
        ("--optimizer sam --base momentum --beta1 0.9", &["--beta1", "sam over momentum"]),
        ("--optimizer asam --base adam --momentum 0.9", &["--momentum", "asam over adam"]),
    ]);
}

#[test]
fn a_run_takes_one_value_of_each_setting() {
    let one: &[&str] = &["a run takes one value", "sharpscope compare"];
    let cases = [
        ("--optimizer", "sgd,sam", ""),
        ("--lr", "0.1,0.2", ""),
        ("--batch-size", "10,full", ""),
        ("--base", "sgd,adam", "--optimizer sam"),
        ("--momentum", "0.8,0.9", "--optimizer momentum"),
        ("--beta1", "0.8,0.9", "--optimizer adam"),
        ("--beta2", "0.8,0.9", "--optimizer adam"),
        ("--eps", "0.1,0.2", "--optimizer adam"),
        ("--rho", "0.05,0.1", "--optimizer sam"),
        ("--weight-decay", "0.5,0.1", ""),
        ("--schedule", "constant,cosine", ""),
        ("--warmup", "0,3", ""),
    ];
    all(cases.iter().map(|(flag, values, rest)| {
        let words = format!("run --out new {rest} {flag} {values}");
        refused(&[], &words, &[one, &[flag, values]].concat())
    }));
    all_files_refused(
        "c.json",
        "--config",
        &[
            ("{\"lr\": [0.1, 0.2]}", &["--lr", "0.1,0.2", "sharpscope compare"]),
            ("{\"optimizers\": [\"sgd\", \"sam\"]}", &["--optimizer", "sgd,sam", "compare"]),
            ("{\"warmup\": []}", &["--warmup", "[]", "no value"]),
        ],
    );
}

#[test]
fn a_flag_of_another_schedule_or_batch_is_refused() {
    all_flags_refused(&[
        ("--final-lr 0.1", &["--final-lr", "0.1", "cosine, linear and cyclic", "--schedule"]),
        ("--schedule step --final-lr 0.1", &["--final-lr", "0.1", "cosine, linear and cyclic"]),
        ("--decay-factor 0.5", &["--decay-factor", "0.5", "step", "--schedule"]),
        ("--schedule cosine --decay-factor 0.5", &["--decay-factor", "0.5", "step"]),
        ("--schedule linear --decay-every 5", &["--decay-every", "5", "step"]),
        ("--schedule cosine --final-lr -0.1", &["--final-lr", "-0.1", "0 or more"]),
        ("--schedule linear --final-lr nan", &["--final-lr", "nan", "finite"]),
        ("--schedule step --decay-factor 0", &["--decay-factor", "0", "above 0"]),
        ("--schedule step --decay-factor inf", &["--decay-factor", "inf", "finite"]),
        ("--schedule step --decay-every 0", &["--decay-every", "0", "1 or more"]),
        ("--warmup -1", &["--warmup", "-1"]),
        ("--warmup 1.5", &["--warmup", "1.5"]),
        ("--sharpness-batches 8", &["--sharpness-batches", "8", "full-batch", "--batch-size"]),
        (
            "--sharpness-batches 1 --batch-size 10",
            &["--sharpness-batches", "1", "standard error", "2 or more"],
        ),
        ("--sharpness-batches -2 --batch-size 10", &["--sharpness-batches", "-2"]),
        ("--perturbed-sharpness", &["--perturbed-sharpness", "sgd does not perturb", "sam, asam"]),
        (
            "--perturbed-sharpness --optimizer adam",
            &["--perturbed-sharpness", "adam does not perturb", "sam, asam"],
        ),
    ]);
}

#[test]
fn model_files_that_cannot_be_used_are_refused_with_file_and_line() {
    all_files_refused(
        "m.json",
        "--model",
        &[
            ("{\n\"kind\": \"mlp\",\n\"hiden\": [3]}", &["@/m.json:3", "`hiden`", "`hidden`?"]),
            (
                "{\"kind\": \"mlp\",\n\"hidden\": [3], \"activation\": \"tahn\"}",
                &["@/m.json:2", "`tahn`", "`tanh`?"],
            ),
            (
                "{\"kind\": \"mlp\",\n\"hidden\": [3], \"init\": \"xaver\"}",
                &["@/m.json:2", "`xaver`", "`xavier`?"],
            ),
            ("{\"kind\": \"mlp\",\n\n\"hidden\": 3}", &["@/m.json:3", "3"]),
            ("{\"kind\": \"mlp\",\n\"hidden\": [-3]}", &["@/m.json:2", "-3"]),
            ("{\"kind\": \"mlp\", \"hidden\": [8, 0, 4]}", &["hidden", "[8, 0, 4]", "at least 1"]),
            ("{\"kind\": \"mlp\"}", &["@/m.json", "`hidden`"]),
            ("{\"kind\": \"mpl\", \"hidden\": []}", &["@/m.json", "`mpl`", "`mlp`"]),
            ("hidden: 3\n", &["@/m.json:1"]),
            ("", &["@/m.json"]),
        ],
    );
    let missing = &["@/m.json", "cannot be read", "mlp-relu"];
    all([refused(&[], "run --out new --model @/m.json", missing)]);
}

#[test]
fn a_model_too_large_for_memory_is_refused_before_it_is_made() {
    let wide = "{\"kind\": \"mlp\", \"hidden\": [100000000]}";
    all_files_refused("m.json", "--model", &[(wide, &["hidden", "parameters"])]);
}

#[test]
fn config_files_that_cannot_be_used_are_refused_with_file_line_and_key() {
    all_files_refused(
        "c.json",
        "--config",
        &[
            ("{\n\"lr\": 0.1,\n\"stps\": 3\n}", &["@/c.json:3", "`stps`", "`steps`?"]),
            ("{\n\"eval-every\": 3\n}", &["@/c.json:2", "`eval-every`", "`eval_every`?"]),
            ("{\n\"lr\": \"fast\"\n}", &["@/c.json:2", "fast"]),
            ("{\n\"steps\": 1.5\n}", &["@/c.json:2", "1.5"]),
            ("{\n\"top\": -5\n}", &["@/c.json:2", "-5"]),
            ("{\n\"loss\": 3\n}", &["@/c.json:2", "3"]),
            ("{\n\"smallest\": \"yes\"\n}", &["@/c.json:2", "yes"]),
            ("{\n\"batch_size\": \"x\"\n}", &["@/c.json:2", "batch_size", "x", "full"]),
            ("{\n\"batch_size\": 1.5\n}", &["@/c.json:2", "batch_size", "1.5", "full"]),
            (
                "{\n\"model\": {\"kind\": \"mlp\", \"hiden\": [3]}\n}",
                &["@/c.json:2", "`hiden`", "`hidden`?"],
            ),
            ("{\n\"model\": 5\n}", &["@/c.json:2", "5"]),
            ("{\"lr\": 0.1,\n\"lr\": 0.2}", &["@/c.json:2", "`lr`"]),
            ("{\"lr\": 0.1,\n", &["@/c.json:2"]),
            ("[\"linear\"]", &["@/c.json:1"]),
            ("{\n\"warmpu\": 3\n}", &["@/c.json:2", "`warmpu`", "`warmup`?"]),
            ("{\n\"optimzer\": \"sam\"\n}", &["@/c.json:2", "`optimzer`", "`optimizer`?"]),
            ("{\n\"weight-decay\": 0\n}", &["@/c.json:2", "`weight-decay`", "`weight_decay`?"]),
            ("{\n\"seeds\": 3\n}", &["@/c.json:2", "`seeds`", "`seed`?"]),
            ("{\n\"rho\": \"big\"\n}", &["@/c.json:2", "big"]),
            ("{\n\"optimizer\": 3\n}", &["@/c.json:2", "3"]),
            ("{\n\"optimizer\": \"sgd\",\n\"optimizers\": \"sam\"}", &["@/c.json:3", "optimizer"]),
            ("{\n\"schedule\": true\n}", &["@/c.json:2", "true"]),
            ("{\n\"warmup\": 2.5\n}", &["@/c.json:2", "2.5"]),
            ("{\n\"final_lr\": [0.1]\n}", &["@/c.json:2", "sequence"]),
            ("{\n\"perturbed_sharpness\": 1\n}", &["@/c.json:2", "1"]),
            ("{\n\"momentum\": {\"value\": 0.9}\n}", &["@/c.json:2", "map"]),
            ("{\"rho\": 0.1}", &["--rho", "sgd does not take it", "sam, asam"]),
            ("{\"optimizer\": \"adma\"}", &["optimizer", "'adma'", "'adam'?"]),
            ("{\"optimizer\": \"adam\", \"beta2\": 1}", &["--beta2", "1", "[0, 1)"]),
            (
                "{\"sharpness_batches\": 1, \"batch_size\": 5}",
                &["--sharpness-batches", "2 or more"],
            ),
            ("{\"lr\": -1}", &["lr", "-1", "above 0"]),
            ("{\"steps\": 3,\n\"loss\": \"mes\"}", &["@/c.json:2", "loss", "'mes'", "'mse'?"]),
            ("{\n\"base\": [\"sgd\", \"adma\"]}", &["@/c.json:2", "base", "'adma'", "'adam'?"]),
            ("{\n\"schedule\": \"cosin\"}", &["@/c.json:2", "schedule", "'cosin'", "'cosine'?"]),
            ("{\n\"precision\": 64}", &["@/c.json:2", "64", "f32, f64"]),
            (
                "{\"model\": {\"kind\": \"mlp\", \"hidden\": [0]}}",
                &["model.hidden", "[0]", "at least 1"],
            ),
        ],
    );
    all([refused(&[], "run --out new --config @/c.json", &["@/c.json", "cannot be read"])]);
}

#[test]
fn data_that_cannot_be_used_are_refused_with_file_and_line() {
    all_files_refused(
        "d.csv",
        "--dataset",
        &[
            ("", &["@/d.csv", "no rows"]),
            ("a,b,label\n", &["@/d.csv", "no rows"]),
            ("1,2,0\n1,2\n", &["@/d.csv:2", "2 cells", "3"]),
            ("1,2,0\n1,2,3,0\n", &["@/d.csv:2", "4 cells", "3"]),
            ("a,b,label\n1,2,0\n1,x,1\n", &["@/d.csv:3", "'x'", "column 2"]),
            ("1,2,0\n1,NaN,1\n", &["@/d.csv:2", "'NaN'", "column 2"]),
            ("1,2,0\ninf,2,1\n", &["@/d.csv:2", "'inf'", "column 1"]),
            ("1,2,0\n1,,1\n", &["@/d.csv:2", "''", "column 2"]),
            ("1,2,0\n1,2,-1\n", &["@/d.csv:2", "'-1'", "label"]),
            ("1,2,0\n1,2,0.5\n", &["@/d.csv:2", "'0.5'", "label"]),
            ("1,2,0\n1,2,99999999\n", &["@/d.csv:2", "'99999999'", "label"]),
            ("1\n2\n", &["@/d.csv:1", "1 cell"]),
            ("1,2,0\r\n1,2,1\r\n1,x,1\r\n", &["@/d.csv:3", "'x'"]),
            ("1,2,0\n\n\n1,x,1\n", &["@/d.csv:4", "'x'"]),
            ("1|2|0\n3|4|1\n", &["@/d.csv:2", "1 cell", "comma"]),
        ],
    );
    let words = "run --out new --dataset @/d.csv";
    let missing = &["@/d.csv", "cannot be read", "digits"];
    let folder = &["@/d.csv", "the folder", "data_batch_1.bin"];
    all([refused(&[], words, missing), refused(&[("d.csv/x", "")], words, folder)]);
}

#[test]
fn a_truncated_gzip_file_is_refused_at_the_line_where_it_ends() {
    let digits = include_bytes!("../../../datasets/digits.csv.gz");
    let place = Place::new();
    place.file("d.csv.gz", &digits[..20_000]);
    let before = place.snapshot();
    let line = place.run("run --out new --dataset @/d.csv.gz").refusal().unwrap();
    let mut whole = String::new();
    let mut part = flate2::read::GzDecoder::new(&digits[..20_000]);
    part.read_to_string(&mut whole).expect_err("it is truncated");
    let (_, rest) = line.split_once("d.csv.gz:").expect("no file and line");
    let number: usize = rest[..rest.find(':').unwrap()].parse().unwrap();
    // How much of the last block comes out is the decoder's affair: a line more or less.
    assert!(number.abs_diff(whole.lines().count()) <= 1, "{line}");
    assert!(line.contains("gzip"), "{line}");
    assert_eq!(place.snapshot(), before);
}

#[test]
fn folders_that_cannot_take_a_run_are_refused_and_kept_as_they_are() {
    let note = [("full/note.txt", "mine"), ("file", "mine")];
    let cases: [(&str, &[&str]); 8] = [
        ("--out @/full", &["@/full", "not empty", "--out", "--force"]),
        ("--out @/full --force", &["@/full", "--force", "--out"]),
        ("--out @/file", &["@/file", "--out"]),
        ("--out @/file --force", &["@/file", "--out"]),
        ("--out @/file/below", &["@/file/below", "--out"]),
        ("--out @/file/far/below", &["@/file/far/below", "--out"]),
        ("--out /proc/x", &["/proc/x", "--out"]),
        ("--out /proc/x/y --backend cpu", &["/proc/x/y", "--out"]),
    ];
    all(cases.iter().map(|(flags, parts)| refused(&note, &format!("run {flags}"), parts)));
}

#[test]
fn an_earlier_run_outlives_a_run_that_is_refused() {
    let run = [("run/manifest.json", "{}"), ("run/steps.csv", "step\n0\n")];
    let flags = ["--lr abc", "--loss mes", "--batch-size 5000", "--dataset @/none.csv"];
    let flags = flags.iter().chain(&["--backend wgpu", "--top 99 --max-iterations 9"]);
    all(flags.map(|flags| refused(&run, &format!("run --force --out @/run {flags}"), &[])));
    all([refused(&run, "run --out @/run", &["@/run", "--force"])]);
}

/// Text as a user may mistype it: words, numbers and rubbish.
fn value() -> impl Strategy<Value = String> {
    prop_oneof!["[-+.0-9eE]{0,8}", "[a-z./-]{0,10}", "[^\\x00]{0,12}"]
}

fn json_text() -> impl Strategy<Value = String> {
    let tokens = [
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        "\n",
        "null",
        "true",
        "1",
        "-1",
        "1e400",
        "\"lr\"",
        "\"model\"",
        "\"batch_size\"",
        "\"mlp\"",
        "\"kind\"",
        "\"out\"",
        "\u{1}",
        "{\"lr\": ",
        "{\"model\": {",
        "{\"model\": {\"kind\": \"mlp\", \"hidden\": ",
    ];
    prop::collection::vec(prop::sample::select(tokens.to_vec()), 0..10)
        .prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Where the value happens to be good, the output "folder", a file, is what is refused.
    #[test]
    fn whatever_is_typed_ends_in_one_line_and_no_file(
        flag in prop::sample::select(vec![
            "model", "dataset", "loss", "train-size", "validation-size", "standardize",
            "optimizer", "lr", "batch-size", "steps", "seed", "eval-every", "top", "smallest",
            "every", "tolerance", "max-iterations", "samples", "precision", "chunk", "name",
            "force", "base", "momentum", "beta1", "beta2", "eps", "rho", "weight-decay",
            "schedule", "warmup", "final-lr", "decay-factor", "decay-every",
            "sharpness-batches", "perturbed-sharpness", "solver", "audit-every", "hvp",
            "config",
        ]),
        value in value(),
        config in json_text(),
    ) {
        let place = Place::new();
        place.file("file", "mine").file("c.json", config);
        let before = place.snapshot();
        let mut words = place.arguments("run --backend cpu --out @/file");
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
