//! Eigenvalues that are followed beside eigenvalues that are solved for.

use super::*;

fn run(place: &Place, flags: &str) -> Table {
    place.run_well(&format!("run --backend cpu --force --out r {flags}"));
    Table::of(place.made("r"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The path of training does not depend on how its curvature is measured; the eigenvalues agree to
/// what their residuals of 1e-3 allow, and cost a fraction.
#[test]
fn followed_eigenvalues_are_those_of_cold_solves() {
    let place = Place::new();
    let cases = [
        // The default run, to its edge and beyond.
        ("--steps 110", vec!["lambda_1"], 5.0),
        ("--steps 60 --top 3", vec!["lambda_1", "lambda_2", "lambda_3"], 9.0),
        (
            "--steps 60 --train-size 200 --optimizer adam --lr 0.003",
            vec!["lambda_1", "preconditioned_sharpness"],
            9.0,
        ),
        (
            // Beyond its edge, where the path is chaotic.
            "--steps 60 --train-size 200 --model mlp-relu --loss ce --label-noise 0.25 --lr 0.5",
            vec!["lambda_1"],
            7.0,
        ),
        ("--steps 40 --train-size 200 --samples 50 --weight-decay 0.01", vec!["lambda_1"], 5.0),
        ("--steps 40 --train-size 200 --batch-size 50 --every 2", vec!["lambda_1"], 6.0),
    ];
    for (flags, columns, most) in cases {
        let followed = run(&place, flags);
        let solved = run(&place, &format!("{flags} --solver lanczos"));
        for row in 0..followed.rows.len() {
            let same = |name: &str| assert_eq!(followed.cell(row, name), solved.cell(row, name));
            same("train_loss");
            same("converged");
            for name in &columns {
                if solved.cell(row, name).is_empty() {
                    same(name);
                    continue;
                }
                let (a, b) = (followed.number(row, name), solved.number(row, name));
                assert!((a / b - 1.0).abs() < 1e-3, "{flags}, row {row}, {name}: {a} for {b}");
            }
        }
        let hvps = |table: &Table| {
            let rows = 1..table.rows.len();
            let own = |row: &usize| !table.cell(*row, "lambda_1").is_empty();
            median(rows.filter(own).map(|row| table.number(row, "hvps")).collect())
        };
        // Those of batch sharpness, and the one with the update.
        let batches = if flags.contains("--batch-size") { 24.0 + 1.0 } else { 1.0 };
        let (few, many) = (hvps(&followed) - batches, hvps(&solved) - batches);
        assert!(few <= most && many >= 10.0, "{flags}: medians {few} and {many}");
    }
}

/// At audited steps the products of a cold solve come on top.
#[test]
fn audits_are_where_they_are_asked_for() {
    let place = Place::new();
    let table = run(&place, "--train-size 200 --steps 25 --audit-every 8");
    let audited: Vec<usize> = (0..25).filter(|&row| table.number(row, "hvps") >= 10.0).collect();
    assert_eq!(audited, [0, 8, 16, 24]);
}

/// One path of training, whichever way products are differentiated.
#[test]
fn both_ways_of_differentiation_train_and_measure_alike() {
    let place = Place::new();
    let flags = "--train-size 100 --steps 15 --precision f64 --tolerance 1e-8";
    let forward = run(&place, flags);
    let reverse = run(&place, &format!("{flags} --hvp reverse"));
    for row in 0..15 {
        for name in ["train_loss", "grad_norm", "sharpness"] {
            let (a, b) = (forward.number(row, name), reverse.number(row, name));
            assert!((a / b - 1.0).abs() < 1e-10, "row {row}, {name}: {a} and {b}");
        }
    }
}
