//! Runs that diverge.

use super::*;

#[test]
fn divergence_keeps_every_row_and_says_so() {
    let place = Place::new();
    for model in ["linear", "mlp-relu"] {
        let done = place.run(&format!(
            "run --backend cpu --train-size 100 --steps 500 --lr 50 --every 50 --model {model} \
             --out {model}"
        ));
        assert_eq!(done.code, Some(3), "{}", done.err);
        assert!(done.err.contains("diverged"), "{}", done.err);
        let (table, summary, _) = check_end(place.made(model), "diverged", 3);
        let last = table.rows.len() - 1;
        assert!((1..499).contains(&last));
        let events = events(place.made(model));
        let end = events.last().unwrap();
        assert_eq!(end["kind"], "divergence");
        assert_eq!(end["step"], last);
        assert_eq!(end["train_loss"], table.number(last, "train_loss"));
        assert_eq!(summary["events"]["divergence"], 1);
        let loss = table.number(last, "train_loss");
        assert!(loss > 1e6 * table.number(0, "train_loss"), "{loss} is no divergence");
        assert!(table.number(last - 1, "train_loss") <= 1e6 * table.number(0, "train_loss"));
        assert_eq!(table.cell(last, "update_norm"), "", "no update was taken from it");
    }
}

#[test]
fn an_infinite_loss_ends_the_run_with_files_that_can_be_read() {
    let place = Place::new();
    let done = place.run(&small("--lr 1e30 --out r"));
    assert_eq!(done.code, Some(3), "{}", done.err);
    let (table, summary, _) = check_end(place.made("r"), "diverged", 3);
    let last = table.rows.len() - 1;
    assert!(!table.number(last, "train_loss").is_finite());
    assert_eq!(summary["final_train_loss"], Value::Null);
    assert_eq!(events(place.made("r")).last().unwrap()["train_loss"], Value::Null);
}
