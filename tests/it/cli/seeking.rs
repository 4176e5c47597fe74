//! Rates that follow curvature, and clipping, in `steps.csv`. A linear model under the squared error has the same
//! Hessian everywhere, so that what a rate does is known.

use super::*;
use crate::support::all_flags_refused;

fn table(place: &Place, flags: &str) -> Table {
    let shared = "run --backend cpu --model linear --loss mse --train-size 60 --precision f64 --out r --force";
    place.run_well(&format!("{shared} {flags}"));
    Table::of(place.made("r"))
}

#[test]
fn the_schedule_edge_keeps_the_edge_ratio() {
    let place = Place::new();
    for (optimizer, target) in
        [("sgd --lr 0.01", 0.8), ("momentum --lr 0.2", 0.5), ("nesterov", 1.0)]
    {
        let flags = format!("--optimizer {optimizer} --schedule edge --edge-target {target}");
        let table = table(&place, &format!("{flags} --warmup 3 --steps 14"));
        // The warm-up is the schedule's; after it the rate at most doubles.
        let (rates, ratios) = (table.column("lr"), table.column("edge_ratio"));
        assert!((rates[2] / rates[0] - 3.0).abs() < 1e-12, "{rates:?}");
        assert!(rates.windows(2).skip(2).all(|pair| pair[1] <= 2.0 * pair[0]), "{rates:?}");
        for ratio in &ratios[10..] {
            assert!((ratio / target - 1.0).abs() < 1e-3, "{optimizer}: {ratios:?}");
        }
    }
}

/// Exact line search at a target of one half; on the edge of the quadratic at 1, where the loss stands.
#[test]
fn the_schedule_cdat_puts_each_update_where_it_is_told() {
    let place = Place::new();
    for (target, falls) in [(0.5, true), (1.0, false)] {
        let table = table(&place, &format!("--schedule cdat --edge-target {target} --steps 8"));
        let losses = table.column("train_loss");
        for pair in losses.windows(2) {
            let change = pair[1] / pair[0] - 1.0;
            let expected = if falls { change < -1e-3 } else { change.abs() < 1e-9 };
            assert!(expected, "target {target}: {losses:?}");
        }
        // Gradient descent goes along its gradient at the rate of its row.
        for row in 0..8 {
            let length = table.number(row, "lr") * table.number(row, "grad_norm");
            assert!((table.number(row, "update_norm") / length - 1.0).abs() < 1e-9);
            let threshold = table.number(row, "threshold");
            assert!((threshold * table.number(row, "lr") / 2.0 - 1.0).abs() < 1e-12);
        }
    }
    // With momentum, SAM and minibatches, each update's own ratio is the target.
    for flags in
        ["--optimizer momentum", "--optimizer sam", "--batch-size 16 --sharpness-batches 0"]
    {
        let table = table(&place, &format!("{flags} --schedule cdat --edge-target 0.4 --steps 8"));
        let ratios = (0..8).filter(|&row| !table.cell(row, "realized_ratio").is_empty());
        let ratios: Vec<f64> = ratios.map(|row| table.number(row, "realized_ratio")).collect();
        assert!(ratios.len() >= 4, "{flags}: {ratios:?}");
        assert!(ratios.iter().all(|ratio| (ratio / 0.4 - 1.0).abs() < 1e-6), "{flags}: {ratios:?}");
    }
}

#[test]
fn where_there_is_nothing_to_follow_a_seeking_schedule_is_refused() {
    all_flags_refused(
        "run",
        &[
            ("--schedule edge --every 5", &["--schedule", "edge", "--every is 5"]),
            ("--schedule cdat --optimizer lion", &["--schedule", "cdat", "lion has none known"]),
            ("--schedule edge --optimizer asam", &["--schedule", "edge", "asam has none known"]),
            ("--edge-target 1", &["--edge-target", "edge and cdat"]),
            ("--schedule edge --edge-target 0", &["--edge-target", "above 0"]),
            ("--clip-norm 0", &["--clip-norm", "above 0"]),
            ("--optimizer qhm --nu 1.5", &["--nu", "1.5", "[0, 1]"]),
            ("--optimizer soap --refresh 0.5", &["--refresh", "whole number"]),
        ],
    );
}

#[test]
fn clipping_is_in_a_column_of_its_own() {
    let place = Place::new();
    let table = table(&place, "--clip-norm 0.3 --steps 6");
    assert!(table.header.ends_with(",clip_factor"), "{}", table.header);
    for row in 0..6 {
        let norm = table.number(row, "grad_norm");
        let factor = table.number(row, "clip_factor");
        assert!((factor - (0.3 / norm).min(1.0)).abs() < 1e-12, "row {row}: {factor}");
        let length = table.number(row, "lr") * norm * factor;
        assert!((table.number(row, "update_norm") / length - 1.0).abs() < 1e-9);
    }
    assert!(!table_without_clipping(&place).header.contains("clip_factor"));
    let manifest = json_file(place.made("r").join("manifest.json"));
    assert!(manifest["config"].get("clip_norm").is_none());
}

fn table_without_clipping(place: &Place) -> Table {
    table(place, "--steps 2")
}

/// Validation is at the average, which lies behind from the third row on.
#[test]
fn schedule_free_descent_validates_at_the_average() {
    let place = Place::new();
    let averaged = table(&place, "--optimizer schedule-free --momentum 0 --lr 0.05 --steps 6");
    let plain = table(&place, "--optimizer sgd --lr 0.05 --steps 6");
    // Without beta the steps are gradient descent's, and only the validation differs.
    assert_eq!(averaged.column("train_loss"), plain.column("train_loss"));
    let (own, other) = (averaged.column("val_loss"), plain.column("val_loss"));
    // After one step the average is the iterate.
    assert_eq!(own[..2], other[..2]);
    assert!(own[2..].iter().zip(&other[2..]).all(|(a, b)| a != b), "{own:?} {other:?}");
}

/// A preconditioner that is not diagonal is measured with at the step and from a checkpoint.
#[test]
fn a_turned_preconditioner_is_in_the_checkpoint() {
    let place = Place::new();
    for optimizer in ["shampoo", "soap"] {
        let table =
            table(&place, &format!("--optimizer {optimizer} --steps 4 --checkpoint-every 3"));
        let measured = table.number(3, "preconditioned_sharpness");
        let names = names_in(place.made("r/checkpoints"));
        assert!(names.contains(&"step-3.basis.safetensors".to_string()), "{names:?}");
        place.run_well("spectrum r --step 3 --preconditioned --probes 2 --iterations 20");
        let spectrum = json_file(place.made("r/spectra/step-3-preconditioned.json"));
        let found = spectrum["ends"]["largest"][0].as_f64().expect("a number");
        assert!((found / measured - 1.0).abs() < 2e-3, "{optimizer}: {found}, not {measured}");
    }
}
