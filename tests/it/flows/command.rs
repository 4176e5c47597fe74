//! `sharpscope flow`.

use crate::support::{Place, Table, json_file, read, refused};

const TINY: &str = "run --model linear --train-size 30 --lr 0.05 --steps 12 --checkpoint-every 4 --backend cpu \
                    --out run";

/// A cell, unless it is empty.
fn number(table: &Table, row: usize, column: &str) -> Option<f64> {
    table.cell(row, column).parse().ok()
}

#[test]
fn a_flow_is_written_beside_its_run() {
    let place = Place::new();
    place.run_well(TINY);
    for kind in ["gradient", "stable", "central", "rod"] {
        let done = place.run_well(&format!("flow run --kind {kind}"));
        assert!(done.out.contains("departs"), "{}", done.out);
        for ending in ["csv", "json", "svg", "png"] {
            assert!(place.made(&format!("run/flows/{kind}.{ending}")).is_file(), "{kind}.{ending}");
        }
        let table = Table::read(place.made(&format!("run/flows/{kind}.csv")));
        assert_eq!(table.rows.len(), 12);
        // The run is taken again to the digit.
        let steps = Table::of(place.made("run"));
        for row in 0..12 {
            let again = table.number(row, "run_train_loss");
            assert_eq!(again, steps.number(row, "train_loss"), "{kind}, row {row}");
            // Far below the edge all flows are near the run.
            assert!(number(&table, row, "relative_distance").unwrap_or(0.0) < 0.2, "{kind}, {row}");
        }
        let numbers = json_file(place.made(&format!("run/flows/{kind}.json")));
        assert_eq!(numbers["findings"]["replay_difference"], 0.0);
    }
    place.run_well("report run --out page.html");
    assert!(read(place.made("page.html")).contains("central flow beside run"));
    // Another of the kind replaces the first with --force alone, and leaves the others.
    let told = place.run("flow run --kind rod").refusal().unwrap();
    assert!(told.contains("--force"), "{told}");
    let done = place.run_well("flow run@4 --kind rod --steps 3 --force --json");
    let numbers: serde_json::Value = serde_json::from_str(&done.out).unwrap();
    assert_eq!((&numbers["first_step"], &numbers["steps"]), (&5.into(), &3.into()));
    assert!(place.made("run/flows/central.csv").is_file());
    // A new run in the folder takes them along.
    place.run_well(&format!("{TINY} --force"));
    assert!(!place.made("run/flows").exists());
}

#[test]
fn objectives_and_decay_have_flows() {
    let place = Place::new();
    place.run_well(
        "run --objective quartic --lr 0.25 --steps 60 --precision f64 --backend cpu --out quartic",
    );
    place.run_well("flow quartic --kind central");
    let table = Table::read(place.made("quartic/flows/central.csv"));
    let ratio = table.number(59, "edge_ratio");
    assert!((ratio - 1.0).abs() < 1e-3, "{ratio}");
    place.run_well(
        "run --model linear --train-size 30 --weight-decay 0.5 --steps 5 --backend cpu --out decayed",
    );
    place.run_well("flow decayed --kind gradient");
    let flow = Table::read(place.made("decayed/flows/gradient.csv"));
    let steps = Table::of(place.made("decayed"));
    for column in ["train_loss", "grad_norm", "preconditioned_sharpness", "threshold"] {
        let (a, b) = (flow.number(0, column), steps.number(0, column));
        assert!((a / b - 1.0).abs() < 1e-4, "{column}: {a} and {b}");
    }
}

/// The rod knows what the optimizer remembers; the stable flow has the rate of the long run from the start.
#[test]
fn rods_of_optimizers_with_momentum_follow_their_runs() {
    let place = Place::new();
    for (optimizer, lr) in [("momentum", 0.01), ("nesterov", 0.01), ("ema-momentum", 0.1)] {
        let run = TINY.replace("--out run", &format!("--out {optimizer}"));
        let run = run.replace("--lr 0.05", &format!("--lr {lr} --optimizer {optimizer}"));
        place.run_well(&run);
        let last = |kind: &str| {
            place.run_well(&format!("flow {optimizer} --kind {kind}"));
            let table = Table::read(place.made(&format!("{optimizer}/flows/{kind}.csv")));
            let steps = Table::of(place.made(optimizer));
            let (a, b) = (table.number(3, "threshold"), steps.number(3, "threshold"));
            assert_eq!(a, b, "{optimizer}, {kind}");
            table.number(11, "relative_distance")
        };
        let (rod, stable) = (last("rod"), last("stable"));
        assert!(rod < 0.05 && rod < 0.1 * stable, "{optimizer}: {rod}, {stable}");
        // From a checkpoint with what was remembered there.
        place.run_well(&format!("flow {optimizer}@4 --kind rod --force"));
        let table = Table::read(place.made(&format!("{optimizer}/flows/rod.csv")));
        let (first, last) = (table.number(0, "distance"), table.number(5, "relative_distance"));
        assert!(first < 1e-6 && last < 0.05, "{optimizer}: {first}, {last}");
    }
}

#[test]
fn what_has_no_flow_is_refused() {
    let place = Place::new();
    let cases: [(&str, &str, &[&str]); 7] = [
        ("--optimizer adam", "central", &["no central flow of adam", "sgd", "rmsprop"]),
        ("--optimizer adam", "rod", &["rod flow of adam (arXiv:2605.06821) is not built", "sgd"]),
        ("--optimizer momentum", "central", &["momentum is known", "--kind gradient"]),
        ("--batch-size 10", "gradient", &["minibatches of 10", "--batch-size full"]),
        ("--clip-norm 1", "stable", &["--clip-norm"]),
        ("", "gradient --from 7", &["--from = 7", "give one of 0"]),
        ("", "gradient --share 0", &["--share", "above 0"]),
    ];
    for (at, (run, kind, parts)) in cases.into_iter().enumerate() {
        let common = "--model linear --train-size 30 --steps 2 --backend cpu";
        place.run_well(&format!("run {common} {run} --out run{at}"));
        let before = place.snapshot();
        let told = place.run(&format!("flow run{at} --kind {kind}")).refusal().unwrap();
        assert!(parts.iter().all(|part| told.contains(part)), "{told}");
        assert!(place.snapshot() == before, "{told}: something was written");
    }
    refused(&[], "flow nowhere --kind central", &["nowhere", "sharpscope run"]).unwrap();
    refused(&[], "flow nowhere --kind centre", &["centre", "central"]).unwrap();
}
