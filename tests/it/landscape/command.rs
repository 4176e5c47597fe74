//! The commands on small runs: what they write and print, and what they refuse.

use serde_json::Value;

use super::close;
use crate::support::{Place, Table, names_in, png_size, read, svg_texts};

const RUN: &str = "run --quiet --backend cpu --model linear --train-size 60 --validation-size 40 --steps 12 --every 12 \
     --checkpoint-every 1 --lr 0.01";

/// Two runs of different weights on the same samples, and one that began as the first with another rate.
fn place() -> Place {
    let place = Place::new();
    place.run_well(&format!("{RUN} --out a"));
    place.run_well(&format!("{RUN} --out b --seed 1 --data-seed 0"));
    let slower = RUN.replace("--lr 0.01", "--lr 0.005");
    place.run_well(&format!("{slower} --out c --init a/init.safetensors"));
    place
}

fn json(place: &Place, name: &str) -> Value {
    serde_json::from_str(&read(place.made(name))).unwrap()
}

#[test]
fn lines_slices_and_averages_of_small_runs() {
    let place = place();
    lines(&place);
    slices(&place);
    averages(&place);
    refusals(&place);
}

/// A mean that is kept while training goes on as it would, through a stop, and is what the checkpoints' is.
#[test]
fn a_mean_kept_while_training() {
    let place = Place::new();
    let run = "run --quiet --backend cpu --model linear --train-size 60 --validation-size 40 --every 9 --lr 0.01 \
               --optimizer adam --batch-size 16 --sharpness-batches 0 --checkpoint-every 1";
    let swa = "--swa-start 3 --swa-every 2 --swa-lr 0.002";
    place.run_well(&format!("{run} {swa} --steps 9 --out whole"));
    place.run_well(&format!("{run} {swa} --steps 6 --out stopped"));
    place.run_well("run --quiet --resume stopped --steps 9");
    place.run_well(&format!("{run} --steps 9 --lr 0.01 --out plain").replacen("--lr 0.01", "", 1));
    let bytes = |name: &str| std::fs::read(place.made(name)).unwrap();
    assert_eq!(bytes("whole/swa.safetensors"), bytes("stopped/swa.safetensors"));
    assert!(!place.made("plain/swa.safetensors").exists());
    let rates = Table::of(place.made("whole")).column("lr");
    for (step, rate) in [(0, 0.01), (1, 0.01), (3, 0.002), (8, 0.002)] {
        close(rates[step], rate, 1e-15);
    }
    // By the run, and from its checkpoints at steps 3, 5, 7 and 9.
    let done = place.run_well("landscape average whole --out kept");
    assert!(
        done.out.contains("swa of 4") && done.out.contains("kept while training"),
        "{}",
        done.out
    );
    place.run_well("landscape average whole --start 3 --every 2 --out read");
    let loss =
        |folder: &str| Table::read(place.made(folder).join("average.csv")).column("train_loss")[9];
    close(loss("kept"), loss("read"), 1e-6);
    for (words, part) in [
        ("--swa-lr 0.1", "--swa-start"),
        ("--swa-every 2", "--swa-start"),
        ("--swa-start 99 --steps 9", "9 steps"),
        ("--schedule swa --swa-start 3", "--swa-lr"),
        ("--schedule cosine --swa-start 3 --swa-lr 0.1", "cosine"),
    ] {
        let line = place.run(&format!("run --backend cpu {words} --out none")).refusal().unwrap();
        assert!(line.contains(part), "{words}: {line}");
    }
}

fn lines(place: &Place) {
    let done = place.run_well("landscape interpolate a b c@6 --points 5 --top 2 --out line");
    assert!(done.out.contains("a@12 to b@12") && done.out.contains("loss barrier"), "{}", done.out);
    let files =
        ["barriers.csv", "barriers.png", "barriers.svg", "interpolate.csv", "interpolate.json"];
    let more = ["interpolate.png", "interpolate.svg", "manifest.json"];
    assert_eq!(names_in(place.made("line")), [&files[..], &more].concat());
    assert_eq!(png_size(place.made("line/interpolate.png")), (1600, 1200));
    assert!(svg_texts(&read(place.made("line/barriers.svg"))).contains(&"c@6".to_string()));
    let table = Table::read(place.made("line/interpolate.csv"));
    assert_eq!(table.rows.len(), 15);
    // A linear model's squared error is a quadratic: every line lies below its ends' average, and the Hessian is the
    // same all along.
    let run = Table::of(place.made("a"));
    close(table.number(0, "lambda_1"), run.column("sharpness")[0], 0.02);
    for row in 0..15 {
        close(table.number(row, "lambda_1"), table.number(0, "lambda_1"), 0.02);
        assert_eq!(table.cell(row, "converged"), "true");
    }
    let barriers = Table::read(place.made("line/barriers.csv"));
    assert!(barriers.column("train_loss_barrier").iter().all(|&barrier| barrier < 0.0));
    let manifest = json(place, "line/manifest.json");
    assert_eq!(
        (&manifest["kind"], &manifest["command"]),
        (&"landscape".into(), &"interpolate".into())
    );
    assert_eq!(manifest["runs"][2]["step"], 6);
    assert!(manifest["finished"].is_string());

    let done =
        place.run_well("landscape interpolate --init-to-final a --points 9 --top 0 --out monotone");
    assert!(done.out.contains("monotone    yes"), "{}", done.out);
    assert_eq!(json(place, "monotone/interpolate.json")["lines"][0]["monotone"], true);
    // Earlier results are replaced on demand, and only what they wrote.
    std::fs::write(place.made("monotone/mine.txt"), "kept").unwrap();
    place.run_well("landscape slice a --dimensions 1 --points 5 --out monotone --force");
    assert!(
        !place.made("monotone/interpolate.csv").exists()
            && place.made("monotone/mine.txt").exists()
    );
}

fn slices(place: &Place) {
    place.run_well("landscape slice a@12 --points 5 --out eigen");
    let numbers = json(place, "eigen/slice.json");
    for direction in numbers["directions"].as_array().unwrap() {
        let of = |key: &str| direction[key].as_f64().unwrap();
        close(of("second_difference"), of("eigenvalue"), 0.01 * of("eigenvalue"));
        close(of("norm"), 1.0, 1e-9);
        close(
            of("unit"),
            (2.0 * numbers["center_loss"].as_f64().unwrap() / of("eigenvalue")).sqrt(),
            1e-9,
        );
    }
    assert_eq!(Table::read(place.made("eigen/slice.csv")).rows.len(), 25);
    // On a line the quadratic of slope and eigenvalue is the loss itself.
    place.run_well("landscape slice a --dimensions 1 --which 3,1 --points 7 --out line1");
    let table = Table::read(place.made("line1/slice.csv"));
    assert_eq!(table.rows.len(), 14);
    for row in 0..14 {
        close(table.number(row, "quadratic"), table.number(row, "train_loss"), 1e-3);
    }
    place.run_well("landscape slice a --along random --points 3 --seed 4 --out random");
    let done = place.run_well("landscape slice a --along trajectory --points 3 --out walk");
    assert!(done.out.contains("random walk"), "{}", done.out);
    assert_eq!(Table::read(place.made("walk/points.csv")).rows.len(), 13);
    place.run_well("landscape slice a b c --along plane --points 4 --out plane");
    let points = Table::read(place.made("plane/points.csv"));
    assert!(points.column("off_plane").iter().all(|&off| off < 1e-5));
    assert_eq!((points.number(0, "x"), points.number(0, "y")), (0.0, 0.0));
}

fn averages(place: &Place) {
    let done = place
        .run_well("landscape average a --kind swa,ema,last,polyak,midpoint --start 4 --out mean");
    assert!(done.out.contains("swa of 9"), "{}", done.out);
    let table = Table::read(place.made("mean/average.csv"));
    assert_eq!(table.rows.len(), 12 + 5);
    // The weights are there, and a run can begin from them where the loss is what it says.
    place.run_well(&format!("{RUN} --out from --init mean/swa.safetensors"));
    close(
        Table::of(place.made("from")).number(0, "train_loss"),
        table.number(12, "train_loss"),
        1e-6,
    );
    let done = place.run_well("landscape average a c --out soup");
    assert!(done.out.contains("chose the greedy soup"), "{}", done.out);
    let soup = Table::read(place.made("soup/average.csv"));
    let held_out = |row| soup.number(row, "held_out_accuracy");
    assert!(held_out(3) >= held_out(0).max(held_out(1)));
    assert_eq!(json(place, "soup/average.json")["held_out_indices"].as_array().unwrap().len(), 20);
    place.run_well("landscape average a b --kind uniform --strangers --out strangers");
    // Of runs that keep samples for a test, those report.
    for (run, more) in [("d", ""), ("e", "--batch-size 20 --init d/init.safetensors")] {
        place.run_well(&format!("{RUN} --test 0.02 --out {run} {more}"));
    }
    let done = place.run_well("landscape average d e --kind greedy --top 0 --out tested");
    assert!(done.out.contains("over the 36 test samples"), "{}", done.out);
    let held_out = json(place, "tested/average.json")["held_out_indices"].clone();
    assert_eq!(held_out, json(place, "d/manifest.json")["validation_indices"]);
}

fn refusals(place: &Place) {
    place.run_well(&format!("{RUN} --loss ce --out ce"));
    place.run_well(&format!("{} --out mlp", RUN.replace("linear", "mlp")));
    place.run_well(&format!("{RUN} --dataset blobs --out blobs"));
    let before = place.snapshot();
    for (words, parts) in [
        ("interpolate a", &["RUN", "two runs"][..]),
        ("interpolate a a@12", &["twice", "a"]),
        ("interpolate a b --points 1", &["--points = 1", "2 or more"]),
        ("interpolate a ce", &["ce", "loss", "mse", "'a'|a is"]),
        ("interpolate a mlp", &["model", "\"mlp\"", "\"linear\"|\"hidden\""]),
        ("interpolate a blobs", &["dataset", "blobs", "digits"]),
        ("interpolate a@5 b@50", &["50", "0, 1, 2, 3"]),
        ("interpolate a line", &["line/manifest.json", "landscape interpolate"]),
        ("interpolate a b --out a", &["--force"]),
        ("interpolate a b --out a --force", &["something else"]),
        ("slice a --along plane", &["three"]),
        ("slice a b", &["one"]),
        ("slice a --which 1,1", &["--which = 1,1", "once"]),
        ("slice a --which 1,9999", &["9999", "parameters"]),
        ("slice a --dimensions 3", &["--dimensions = 3", "1 or 2"]),
        ("slice a --range -1", &["--range", "above 0"]),
        ("slice a --along trajectory --dimensions 1", &["plane"]),
        ("average a --kind uniform", &["soup", "two runs"]),
        ("average a b --kind swa", &["checkpoints"]),
        ("average a b", &["no common ancestor", "a@12 to b@12", "--strangers", "align"]),
        ("average a@1", &["2 checkpoints", "those there are 1"]),
        ("average a --decay 1", &["--decay"]),
    ] {
        let line = place.run(&format!("landscape {words}"));
        // Notes on what is compared may stand before a refusal, not results.
        let line = line.refusal().unwrap_or_else(|wrong| panic!("{words}: {wrong}"));
        for part in parts {
            assert!(
                part.split('|').any(|part| line.contains(part)),
                "{words}: no {part} in {line}"
            );
        }
    }
    assert_eq!(place.snapshot(), before, "what is refused changes nothing");
    // A result is no run that --force may replace.
    let line = place.run(&format!("{RUN} --out line --force")).refusal().unwrap();
    assert!(line.contains("something else"), "{line}");
}
