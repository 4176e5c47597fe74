//! Maps of basins against the ridges of their formulas, and runs that share one.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Place, read};

fn json(path: std::path::PathBuf) -> Value {
    serde_json::from_str(&read(path)).unwrap()
}

/// Along x_1 the sharp minimum is reached from above the ridge, b x² + 4x - b = 0 with b = ln 2, and the flat one
/// from below, whatever x_2 is.
#[test]
fn starts_lead_to_the_side_of_the_ridge_that_they_are_on() {
    let place = Place::new();
    place.run_well(
        "run --objective two-basins --lr 0.1 --steps 150 --backend cpu --precision f64 --out run",
    );
    place.run_well("landscape basins run --points 8 --out map");
    let numbers = json(place.made("map/basins.json"));
    let minima = numbers["minima"].as_array().unwrap();
    let of = |number: usize, key: &str| minima[number][key].clone();
    assert_eq!(minima.len(), 2, "{numbers}");
    for (number, (at, sharpness)) in [(-1.0, 2.0), (1.0, 8.0)].into_iter().enumerate() {
        assert!((of(number, "at")[0].as_f64().unwrap() - at).abs() < 1e-4, "{numbers}");
        assert!((of(number, "sharpness").as_f64().unwrap() - sharpness).abs() < 1e-2, "{numbers}");
    }
    let b = 2f64.ln();
    let ridge = ((4.0 + b * b).sqrt() - 2.0) / b;
    let table = read(place.made("map/basins.csv"));
    let mut counts = BTreeMap::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let wanted = if cells[0].parse::<f64>().unwrap() < ridge { "1" } else { "2" };
        assert_eq!((cells[3], cells[4]), (wanted, "settled"), "{line}");
        *counts.entry(wanted).or_insert(0) += 1;
    }
    assert_eq!(counts.values().sum::<i32>(), 64);
    assert!(place.made("map/basins.png").is_file());
    // The ridge itself leads to the saddle.
    place.run_well(
        "run --objective strict-saddle --lr 0.1 --steps 150 --backend cpu --precision f64 --out two",
    );
    let done = place.run_well("landscape basins two --points 3 --range 1.2 --out saddles");
    assert!(done.out.contains("saddle 3"), "{}", done.out);
    for (words, says) in [
        ("run --which 1,3", "two of 2 variables"),
        ("run --which 1,1", "two of 2 variables"),
        ("run --center 1", "two variables"),
        ("run --range 0", "above 0"),
        ("run --points 1", "two sides"),
        ("run two --points 5", "model"),
    ] {
        let line = place.run(&format!("landscape basins {words} --out x")).refusal().unwrap();
        assert!(line.contains(says), "{words}: {line}");
    }
}

#[test]
fn runs_share_a_basin_where_no_barrier_is_between() {
    let place = Place::new();
    let run = |start: &str, out: &str| {
        place.run_well(&format!(
            "run --objective two-basins --start {start} --lr 0.05 --steps 40 --checkpoint-every 20 \
             --backend cpu --out {out}"
        ));
    };
    run("0.4,1", "a");
    run("-0.4,1", "b");
    run("1.2,-1", "c");
    place.run_well("landscape basins a b c a@20 --out shared");
    let basins = json(place.made("shared/basins.json"))["basins"].clone();
    assert_eq!(basins, serde_json::json!([["a@40", "c@40", "a@20"], ["b@40"]]));
    // Of a network too, whose map cannot be drawn.
    place.run_well(
        "run --model linear --train-size 20 --steps 2 --checkpoint-every 1 --backend cpu --out n",
    );
    place.run_well("landscape basins n n@1 --points 3 --out near");
    assert_eq!(json(place.made("near/basins.json"))["basins"].as_array().unwrap().len(), 1);
    let line = place.run("landscape basins n --out x").refusal().unwrap();
    assert!(line.contains("--objective"), "{line}");
}
