//! The same settings give the same rows to the last digit, on any number of threads.

use super::*;

fn table(place: &Place, flags: &str, threads: &str, out: &str) -> Vec<BTreeMap<String, String>> {
    let words = format!("run --backend cpu --steps 4 --train-size 600 {flags} --out {out}");
    let mut program = place.program();
    program.env("RAYON_NUM_THREADS", threads).args(place.arguments(&words));
    assert_eq!(Done::of(&mut program).code, Some(0), "{words}");
    Table::of(place.made(out)).untimed().rows
}

fn check_repeats(flags: &str) {
    let place = Place::new();
    let first = table(&place, flags, "2", "first");
    assert_eq!(first, table(&place, flags, "2", "again"), "{flags}");
    assert_eq!(first, table(&place, flags, "1", "alone"), "{flags} on one thread");
    let other = table(&place, &format!("{flags} --seed 1"), "2", "other");
    for (row, other) in first.iter().zip(&other) {
        for name in ["train_loss", "val_loss", "sharpness", "param_norm"] {
            assert_ne!(row[name], other[name], "{name} is the same for another seed");
        }
    }
}

#[test]
fn a_full_batch_run_repeats_to_the_last_digit() {
    check_repeats("--top 2");
}

#[test]
fn a_minibatch_run_repeats_to_the_last_digit() {
    check_repeats("--batch-size 250");
}

#[test]
fn an_adam_run_repeats_to_the_last_digit() {
    check_repeats("--optimizer adam --lr 0.01 --warmup 2");
}

#[test]
fn a_sam_run_repeats_to_the_last_digit() {
    check_repeats("--optimizer sam --perturbed-sharpness --batch-size 250");
}

#[test]
fn a_double_precision_run_repeats_to_the_last_digit() {
    check_repeats("--model linear --precision f64");
}
