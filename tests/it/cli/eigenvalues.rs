//! Eigenvalues of whole runs beside right values, by both solvers.

use super::*;

/// Right values by dense decompositions in double precision, by an implementation of its own.
fn check(place: &Place, flags: &str, rows: usize, right: &[f64]) {
    for solver in ["davidson", "lanczos"] {
        place.run_well(&format!(
            "run --backend cpu --precision f64 --model linear {flags} --solver {solver} --force --out r"
        ));
        let table = Table::of(place.made("r"));
        for row in 0..rows {
            assert_eq!(table.cell(row, "converged"), "true");
            for (i, right) in right.iter().enumerate() {
                let found = table.number(row, &format!("lambda_{}", i + 1));
                let what = format!("{flags}, {solver}, step {row}, eigenvalue {}", i + 1);
                assert!((found - right).abs() < 2e-6, "{what}: {found}, not {right}");
            }
        }
    }
}

/// A linear model with squared error has each eigenvalue as often as it has outputs.
#[test]
fn repeated_eigenvalues_come_as_often_as_they_are() {
    let place = Place::new();
    check(&place, "--train-size 500 --lr 0.1 --steps 3 --top 3", 3, &[11.4580858336; 3]);
    let row = |i: i32| {
        let (a, b) = (f64::from(7 * i).sin(), f64::from(11 * i).cos());
        let (a, b) = ((1e3 * a).round() / 1e3, (1e3 * b).round() / 1e3);
        format!("{a},{b},{}\n", u8::from(a + b > 0.0))
    };
    place.file("base.csv", format!("x1,x2,y\n{}", (0..60).map(row).collect::<String>()));
    let right = [1.000878, 1.000878, 0.517645, 0.517645, 0.490342, 0.490342];
    check(&place, "--dataset @/base.csv --train-size 40 --steps 2 --top 6", 2, &right);
}

#[test]
fn a_spectrum_lists_repeated_eigenvalues() {
    let place = Place::new();
    place.run_well(
        "run --backend cpu --precision f64 --model linear --train-size 500 --lr 0.1 --steps 3 --out r",
    );
    place.run_well("spectrum r --top 4 --probes 2 --iterations 5");
    let spectra = place.made("r").join("spectra");
    let name = names_in(&spectra).into_iter().find(|name| name.ends_with(".json")).unwrap();
    let found = json_file(spectra.join(name));
    let largest: Vec<f64> = found["ends"]["largest"]
        .as_array()
        .unwrap_or_else(|| panic!("no largest eigenvalues in {found}"))
        .iter()
        .filter_map(Value::as_f64)
        .collect();
    let right = |x: &f64| (x - 11.4580858336).abs() < 2e-6;
    assert!(largest.len() == 4 && largest.iter().all(right), "{largest:?}");
}

/// Weight decay in an adaptive optimizer's metric is a diagonal of full rank, whose largest entries belong to
/// weights of dead units: a tracker passed over the largest eigenvalue (112.35 at step 95).
#[test]
fn the_largest_eigenvalue_is_found_under_weight_decay_in_an_adaptive_metric() {
    let place = Place::new();
    let flags = "run --backend cpu --precision f64 --optimizer adagrad --lr 0.02 --weight-decay 0.02 \
                 --model mlp-relu --train-size 200 --validation-size 0 --steps 100 --every 19";
    place.run_well(&format!("{flags} --out followed"));
    place.run_well(&format!(
        "{flags} --solver lanczos --tolerance 1e-6 --max-iterations 400 --out anew"
    ));
    let [followed, anew] = ["followed", "anew"].map(|name| Table::of(place.made(name)));
    for row in (0..100).step_by(19) {
        assert_eq!(followed.cell(row, "converged"), "true");
        let [found, right] =
            [&followed, &anew].map(|table| table.number(row, "preconditioned_sharpness"));
        assert!((found / right - 1.0).abs() < 1e-4, "step {row}: {found}, not {right}");
    }
    let found = followed.number(95, "preconditioned_sharpness");
    assert!((found / 174.9931 - 1.0).abs() < 1e-4, "step 95: {found}");
}
