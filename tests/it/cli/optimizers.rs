//! Optimizers and schedules in `steps.csv`: which columns there are, and what sharpness is held
//! against which threshold. Thresholds are recomputed from the row's other cells.

use super::*;

/// Runs, and checks the end and that the cells of each row agree.
fn table_of(place: &Place, flags: &str) -> (Table, Value) {
    place.run_well(&small(&format!("--force --out r {flags}")));
    let (table, summary, _) = check_end(place.made("r"), "completed", 0);
    for row in 0..table.rows.len() {
        check_operator(&table, row);
    }
    (table, summary)
}

/// The sharpness of the operator that the threshold belongs to, over the threshold, is the edge
/// ratio, to the last bit.
fn check_operator(table: &Table, row: usize) {
    let value = |name| (!table.cell(row, name).is_empty()).then(|| table.number(row, name));
    let sharpness = value("preconditioned_sharpness").or(value("sharpness"));
    let ratio = sharpness.zip(value("threshold")).map(|(sharpness, tau)| sharpness / tau);
    assert_eq!(value("edge_ratio"), ratio, "in row {row}");
}

/// Whether two numbers are the same but for the rounding of a few operations.
fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-14 * b.abs()
}

#[test]
fn the_threshold_is_the_optimizers_own() {
    let place = Place::new();
    type Case = (&'static str, fn(f64) -> f64);
    let cases: [Case; 16] = [
        ("sgd --lr 0.05", |lr| 2.0 / lr),
        ("momentum --lr 0.05 --momentum 0.6", |lr| 3.2 / lr),
        ("nesterov --lr 0.05 --momentum 0.5", |lr| 3.0 / (2.0 * lr)),
        ("ema-momentum --momentum 0.75", |lr| 3.5 / (0.25 * lr)),
        ("adam --beta1 0.5 --lr 0.01", |lr| 3.0 / (0.5 * lr)),
        ("adamw --beta1 0.5 --weight-decay 0.5 --lr 0.01", |lr| {
            1.5 * (2.0 - 0.5 * lr) / (0.5 * lr)
        }),
        ("rmsprop --lr 0.01", |lr| 2.0 / lr),
        ("adagrad", |lr| 2.0 / lr),
        ("qhm --momentum 0.5 --nu 0.5 --lr 0.05", |lr| 3.0 / lr),
        ("adafactor --weight-decay 0.5", |lr| (2.0 - 0.5 * lr) / lr),
        ("lamb --beta1 0.5", |lr| 3.0 / (0.5 * lr)),
        ("shampoo --lr 0.05", |lr| 2.0 / lr),
        ("soap --beta1 0.5 --lr 0.01", |lr| 3.0 / (0.5 * lr)),
        // Without a radius, SAM and ASAM are their base.
        ("sam --rho 0 --base momentum --momentum 0.6 --lr 0.05", |lr| 3.2 / lr),
        ("asam --rho 0 --lr 0.05", |lr| 2.0 / lr),
        ("asam --rho 0 --base adam --beta1 0.5 --lr 0.01", |lr| 3.0 / (0.5 * lr)),
    ];
    for (flags, threshold) in cases {
        let (table, summary) = table_of(&place, &format!("--optimizer {flags}"));
        assert_eq!(table.header, COLUMNS.join(","), "{flags}");
        for row in 0..3 {
            let (written, expected) =
                (table.number(row, "threshold"), threshold(table.number(row, "lr")));
            assert!(close(written, expected), "{flags}: {written}, not {expected}");
        }
        assert_eq!(summary["final_threshold"], table.number(2, "threshold"), "{flags}");
    }
}

/// Its momentum rises from half of beta1, and the threshold with it.
#[test]
fn nadams_threshold_is_that_of_the_momentum_so_far() {
    let place = Place::new();
    let (table, _) = table_of(&place, "--optimizer nadam --beta1 0.5 --lr 0.01");
    for row in 0..3 {
        let mu = 0.5 * (1.0 - 0.5 * 0.96_f64.powf(0.004 * (row + 1) as f64));
        let (written, expected) = (table.number(row, "threshold"), 3.0 / ((1.5 - mu) * 0.01));
        assert!(close(written, expected), "{written}, not {expected}");
        assert!(table.number(row, "preconditioned_sharpness") > table.number(row, "sharpness"));
    }
}

#[test]
fn adam_is_held_against_its_preconditioned_sharpness() {
    let place = Place::new();
    let (table, summary) = table_of(&place, "--optimizer adam --lr 0.01 --steps 5");
    for row in 0..5 {
        let value = |name: &str| table.number(row, name);
        assert_eq!(value("sharpness"), value("lambda_1"));
        // The preconditioner is about the size of a gradient's entry, far below one.
        assert!(value("preconditioned_sharpness") > 2.0 * value("sharpness"));
        assert!(value("residual") <= 1e-3 && table.cell(row, "converged") == "true");
    }
    let column = table.column("preconditioned_sharpness");
    assert_eq!(summary["final_preconditioned_sharpness"], column[4]);
    let peak = column.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    assert_eq!(summary["peak_preconditioned_sharpness"], peak);
    assert_eq!(summary["final_sharpness"], table.number(4, "sharpness"));
    let at_edge = table.column("edge_ratio").iter().filter(|ratio| **ratio >= 0.95).count();
    assert_eq!(summary["share_at_edge"], at_edge as f64 / 5.0);
}

/// The edge is reached by the sharpness that the threshold belongs to, here at once.
#[test]
fn the_event_at_the_edge_names_the_preconditioned_sharpness() {
    let place = Place::new();
    let (table, summary) = table_of(&place, "--optimizer rmsprop --lr 0.01");
    assert!(table.number(0, "edge_ratio") >= 1.0);
    assert!(table.number(0, "sharpness") < table.number(0, "threshold"));
    let events = events(place.made("r"));
    let expected = json!({
        "step": 0, "kind": "edge_entered",
        "sharpness": table.number(0, "preconditioned_sharpness"),
        "threshold": table.number(0, "threshold"), "edge_ratio": table.number(0, "edge_ratio"),
        "assumes": "the optimizer's threshold holds as on a local quadratic"
    });
    assert_eq!(events[0], expected);
    assert_eq!(summary["events"]["edge_entered"], 1);
    assert_eq!(summary["first_step_at_edge"], 0);
}

#[test]
fn coupled_weight_decay_shifts_the_sharpness() {
    let place = Place::new();
    for optimizer in ["sgd", "momentum --lr 0.01", "nesterov --lr 0.01"] {
        let flags = format!("--optimizer {optimizer} --weight-decay 0.5");
        let (table, _) = table_of(&place, &flags);
        for row in 0..3 {
            let shifted = table.number(row, "sharpness") + 0.5;
            assert_eq!(table.number(row, "preconditioned_sharpness"), shifted, "{flags}");
        }
    }
    let (table, _) = table_of(&place, "--weight-decay 0");
    assert!(table.column("preconditioned_sharpness").is_empty());
}

/// Where the decay is not in the threshold it is in the operator, P^-1/2 (H + lambda I) P^-1/2. With
/// a large one its largest eigenvalue lies between lambda and lambda + lambda_1(H) over P's least
/// entry, H being positive semi-definite for a linear model under squared error.
#[test]
fn coupled_weight_decay_is_in_the_preconditioned_sharpness_of_every_optimizer() {
    let place = Place::new();
    for (flags, decay) in [
        ("adam", 1000.0),
        ("rmsprop", 1000.0),
        ("adagrad", 1000.0),
        ("sam --base adam", 1000.0),
        ("sam --rho 0 --base adam", 1000.0),
        ("asam --base adam", 1000.0),
        // Decoupled: no part of the loss that is descended.
        ("adamw", 0.0),
        ("adam --weight-decay 0", 0.0),
        ("sam --base adam --weight-decay 0", 0.0),
    ] {
        let given = if flags.contains("--weight-decay") { "" } else { "--weight-decay 1000" };
        // So small a rate that the weights stay as they are.
        let flags = format!("--optimizer {flags} {given} --lr 1e-9");
        let (table, _) = table_of(&place, &format!("{flags} --tolerance 1e-6"));
        // P of the last row's step.
        place.run_well(&small(&format!("{flags} --steps 2 --force --out p")));
        let path = place.made("p/checkpoints/step-2.preconditioner.safetensors");
        let bytes = std::fs::read(path).unwrap();
        let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let entries = tensors.iter().flat_map(|(_, tensor)| tensor.data().chunks_exact(8));
        let p = entries.map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap()));
        let least = p.fold(f64::INFINITY, f64::min);
        let found = table.number(2, "preconditioned_sharpness");
        let (low, high) = (decay / least, (decay + table.number(2, "sharpness")) / least);
        assert!(low * 0.9999 <= found && found <= high * 1.0001, "{flags}: {found}, {low}, {high}");
    }
    // Without a preconditioner: ASAM has no threshold that the decay could be in.
    let (table, _) = table_of(&place, "--optimizer asam --weight-decay 0.5");
    for row in 0..3 {
        let shifted = table.number(row, "sharpness") + 0.5;
        assert_eq!(table.number(row, "preconditioned_sharpness"), shifted);
    }
}

/// Nothing moves at a learning rate of zero, whatever the curvature: the cells stay empty, and what is
/// summed up is the last threshold that there was.
#[test]
fn there_is_no_threshold_where_the_rate_has_come_to_zero() {
    let place = Place::new();
    let schedule = "--schedule step --decay-factor 1e-200 --decay-every 1 --steps 4";
    for optimizer in ["sgd", "adam", "sam"] {
        let (table, summary) = table_of(&place, &format!("--optimizer {optimizer} {schedule}"));
        assert_eq!(table.column("lr")[2..], [0.0, 0.0], "{optimizer}");
        for row in 0..4 {
            let there = |name| !table.cell(row, name).is_empty();
            assert!(there("sharpness") && there("grad_norm"), "{optimizer}");
            assert_eq!(there("threshold"), row < 2, "{optimizer}, row {row}");
            assert_eq!(there("edge_ratio"), row < 2, "{optimizer}, row {row}");
        }
        assert_eq!(summary["final_threshold"], table.number(1, "threshold"));
        for name in ["steps.csv", "summary.json", "events.jsonl", "sharpness.svg"] {
            let text = read(place.made("r").join(name));
            assert!(!text.contains("inf") && !text.contains("NaN"), "{optimizer}: {name}");
        }
    }
}

/// Long and Bartlett's (2023) edge, from the gradient norm in the same row. With a coupled weight
/// decay, which the gradient at the perturbed point has too, the base bears that much less.
#[test]
fn the_edge_of_sam_follows_the_gradient_norm() {
    let place = Place::new();
    for (flags, rho, tau) in [
        ("--lr 0.1", 0.05, 20.0),
        ("--lr 0.02 --rho 0.3", 0.3, 100.0),
        ("--base momentum --lr 0.02 --momentum 0.5", 0.05, 150.0),
        ("--lr 0.1 --weight-decay 0.25", 0.05, 19.75),
    ] {
        let (table, _) = table_of(&place, &format!("--optimizer sam {flags} --steps 5"));
        for row in 0..5 {
            let norm = table.number(row, "grad_norm");
            let edge = norm / (2.0 * rho) * ((1.0 + 4.0 * rho * tau / norm).sqrt() - 1.0);
            let written = table.number(row, "threshold");
            // The difference loses digits where the radius is small.
            assert!((written - edge).abs() <= 1e-13 * edge, "{flags}: {written}, not {edge}");
            assert!(written < tau);
            assert_eq!(table.cell(row, "preconditioned_sharpness"), "");
        }
    }
}

/// On minibatches it is by the norm of the batch's gradient, which every update takes, and not by that of all
/// samples, which is measured at some rows.
#[test]
fn the_edge_of_sam_is_by_the_gradient_of_the_minibatch() {
    let place = Place::new();
    let flags = "--optimizer sam --batch-size 25 --every 4 --eval-every 2 --steps 6";
    let (table, _) = table_of(&place, flags);
    for row in 0..6 {
        assert_eq!(!table.cell(row, "grad_norm").is_empty(), row % 2 == 0, "row {row}");
        let norm = table.number(row, "batch_grad_norm");
        let edge = norm / 0.1 * ((1.0 + 4.0 * 0.05 * 10.0 / norm).sqrt() - 1.0);
        assert!((table.number(row, "threshold") - edge).abs() <= 1e-13 * edge, "row {row}");
        assert!(table.number(row, "update_norm") > 0.0);
    }
    assert_eq!(table.column("edge_ratio").len(), 2);
}

#[test]
fn where_no_threshold_is_known_the_user_is_told_and_the_cells_are_empty() {
    let place = Place::new();
    for (flags, name) in [("asam", "asam"), ("sam --base adam --lr 0.01", "sam over adam")] {
        let done = place.run_well(&small(&format!("--force --out r --optimizer {flags}")));
        let told = format!("no stability threshold is known for {name}");
        assert!(done.err.contains(&told), "{}", done.err);
        assert!(done.out.contains("none known"), "{}", done.out);
        let (table, summary, _) = check_end(place.made("r"), "completed", 0);
        assert_eq!(table.header, COLUMNS.join(","));
        for name in ["threshold", "edge_ratio"] {
            assert!(table.column(name).is_empty(), "{name}");
        }
        assert_eq!(table.column("sharpness").len(), 3);
        for key in ["final_threshold", "final_edge_ratio", "share_at_edge", "first_step_at_edge"] {
            assert_eq!(summary[key], Value::Null, "{key}");
        }
    }
    let known = place.run_well(&small("--force --out r --optimizer sam"));
    assert!(!known.err.contains("no stability threshold"), "{}", known.err);
}

/// The rate of each step, and with it the threshold.
#[test]
fn the_threshold_follows_the_schedule() {
    type Rate = fn(f64) -> f64;
    let constant: Rate = |_| 0.1;
    let cosine: Rate = |t| 0.02 + 0.08 * (1.0 + (std::f64::consts::PI * t / 8.0).cos()) / 2.0;
    let linear: Rate = |t| 0.1 * (1.0 - t / 8.0);
    let step: Rate = |t| 0.1 * 0.5_f64.powf((t / 3.0).floor());
    let cases = [
        ("", constant),
        ("--schedule cosine --final-lr 0.02", cosine),
        ("--schedule linear", linear),
        ("--schedule step --decay-factor 0.5 --decay-every 3", step),
    ];
    let place = Place::new();
    for (flags, rate) in cases {
        for warmup in [0_usize, 4] {
            // The schedule itself takes 8 steps.
            let steps = warmup + 8;
            let flags = format!("--lr 0.1 {flags} --warmup {warmup} --steps {steps} --every 4");
            let (table, _) = table_of(&place, &flags);
            for row in 0..steps {
                let expected = match row.checked_sub(warmup) {
                    None => 0.1 * (row + 1) as f64 / warmup as f64,
                    Some(t) => rate(t as f64),
                };
                let lr = table.number(row, "lr");
                assert!(close(lr, expected), "{flags}: {lr}, not {expected}, in row {row}");
                assert_eq!(table.number(row, "threshold"), 2.0 / lr, "{flags}");
                // The update is the rate times the gradient, rounded to f32 where it lands.
                let (norm, update) = (table.number(row, "grad_norm"), "update_norm");
                let rounding = f64::from(f32::EPSILON) * table.number(row, "param_norm");
                assert!((table.number(row, update) - lr * norm).abs() <= rounding, "{flags}");
            }
        }
    }
}

#[test]
fn extra_columns_are_there_where_something_was_asked_for() {
    let place = Place::new();
    let noise = ",batch_sharpness_ratio_of_means,batch_sharpness_ratio_of_means_se,noise_scale,\
                 noise_scale_se,noise_interaction,noise_interaction_se,batch_edge_small,\
                 batch_edge_large,batch_edge_position,batch_grad_norm";
    let cases = [
        ("--optimizer sam", "", ""),
        ("--optimizer sam --perturbed-sharpness", ",perturbed_sharpness", ""),
        ("--optimizer sam --perturbed-sharpness=false", "", ""),
        (
            "--batch-size 25 --sharpness-batches 4 --optimizer momentum",
            ",batch_sharpness_se",
            noise,
        ),
        ("--batch-size 25 --sharpness-batches 0", "", ",batch_grad_norm"),
        (
            "--batch-size 25 --optimizer asam --perturbed-sharpness --rho 0.1",
            ",batch_sharpness_se,perturbed_sharpness",
            noise,
        ),
    ];
    for (flags, extra, last) in cases {
        let (table, _) = table_of(&place, flags);
        let realized = ",realized_ratio,step_is_ascent,step_curvature,gradient_component_1,\
                        step_component_1";
        let before = COLUMNS.join(",").replace(realized, "");
        assert_eq!(table.header, format!("{before}{extra}{realized}{last}"), "{flags}");
        let edges = |name: &&str| !(flags.contains("asam") && name.starts_with("batch_edge"));
        for name in extra.split(',').skip(1).chain(last.split(',').skip(1).filter(edges)) {
            assert_eq!(table.column(name).len(), 3, "{name} with {flags}");
        }
        let batch = if extra.contains("batch") { 3 } else { 0 };
        assert_eq!(table.column("batch_sharpness").len(), batch, "{flags}");
    }
}

/// With one batch that is all the data, each draw is the curvature along the gradient; with smaller
/// ones, draws differ. What is drawn costs products.
#[test]
fn batch_sharpness_and_its_error_shrink_to_the_full_batch() {
    let place = Place::new();
    let (full, _) = table_of(&place, "--batch-size 100 --sharpness-batches 4");
    let (small, _) = table_of(&place, "--batch-size 10 --sharpness-batches 4");
    let (none, _) = table_of(&place, "--batch-size 10 --sharpness-batches 0");
    for row in 0..3 {
        let value = |name: &str| full.number(row, name);
        // Draws differ in the order of their samples, so that sums are rounded differently.
        assert!(value("batch_sharpness_se") <= 1e-5 * value("batch_sharpness"));
        assert!(value("batch_sharpness") <= value("sharpness") * (1.0 + 2e-3));
        assert!(small.number(row, "batch_sharpness_se") > 1e-3);
        // A product for each batch, and one more for each two.
        assert_eq!(small.number(row, "hvps"), none.number(row, "hvps") + 6.0);
    }
}

/// SAM ascends by the radius: with none, the perturbed point is the point itself.
#[test]
fn perturbed_sharpness_is_that_of_a_point_a_radius_away() {
    let place = Place::new();
    let run = |rho: &str| {
        place.run_well(&format!(
            "run --backend cpu --train-size 100 --steps 3 --optimizer sam --rho {rho} \
             --perturbed-sharpness --solver lanczos --force --out r"
        ));
        Table::of(place.made("r"))
    };
    let (none, some) = (run("0"), run("0.5"));
    for row in 0..3 {
        let value = |table: &Table, name: &str| table.number(row, name);
        assert_eq!(value(&none, "perturbed_sharpness"), value(&none, "sharpness"));
        let (there, here) = (value(&some, "perturbed_sharpness"), value(&some, "sharpness"));
        // Far beyond what two solves to a residual of 1e-3 may differ by.
        assert!((there - here).abs() > 1e-2 * here, "{there} and {here}");
    }
}
