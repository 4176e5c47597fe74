//! States that training comes to of itself, and that leave nothing to measure: they end no run.

use super::*;

/// One sample, fitted until no update changes anything.
#[test]
fn a_sample_that_is_fitted_exactly_is_trained_on() {
    let place = Place::new();
    place.file("one.csv", "1,2,0\n");
    place.run_well(
        "run --backend cpu --model linear --dataset @/one.csv --lr 0.1 --steps 600 --out r",
    );
    let (table, summary, _) = check_end(place.made("r"), "completed", 0);
    assert_eq!((table.rows.len(), &summary["unconverged_rows"]), (600, &json!(0)));
    // H = x x' with a one for the bias: its eigenvalue is 1 + 1 + 4.
    assert!((table.number(599, "sharpness") - 6.0).abs() < 1e-5);
}

/// No features but the bias, one class, every number zero, loss and gradient zero.
#[test]
fn nothing_to_learn_is_trained_on() {
    let data = ["0,0,0\n", "0,0,0\n0,0,1\n", "1,2,0\n1,2,0\n2,4,0\n", "1e-42,0,0\n3e-44,0,1\n"];
    for text in data {
        let place = Place::new();
        place.file("data.csv", text);
        for flags in
            ["--loss ce", "--solver lanczos --smallest", "--optimizer adam --spectrum-every 20"]
        {
            place.run_well(&format!(
                "run --backend cpu --model linear --dataset @/data.csv --lr 0.02 --steps 60 --out r \
                 --force {flags}"
            ));
            let table = Table::of(place.made("r"));
            assert_eq!(table.rows.len(), 60, "{text:?} {flags}");
            assert!(table.number(59, "sharpness").is_finite(), "{text:?} {flags}");
        }
    }
}

/// Numbers whose squares are beyond the precision: a divergence, not a model that is not deterministic.
#[test]
fn a_loss_that_is_not_finite_from_the_start_is_a_divergence() {
    let place = Place::new();
    place.file("data.csv", "1e30,0,0\n2e30,1,1\n-1e30,2,0\n");
    let done = place.run("run --backend cpu --model linear --dataset @/data.csv --steps 9 --out r");
    assert_eq!(done.code, Some(3), "{}", done.err);
    assert_eq!(Table::of(place.made("r")).rows.len(), 1);
}
