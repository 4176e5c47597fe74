//! Forward-mode rules, each against central differences, and their second derivatives against a
//! tape over a tape where burn has one, against differences of a tape's gradient where it has not.

mod arithmetic;
mod checks;
mod layers;
mod nesting;
mod replays;
mod rows;
mod selection;

use checks::{first_order, second_order};
use replays::{replayed_gradients, replayed_tangents};
use rows::Row;

fn all_rows() -> Vec<Row> {
    [arithmetic::rows(), selection::rows(), layers::rows()].into_iter().flatten().collect()
}

/// Runs a check on every row and names all that fail.
fn every(check: impl Fn(&Row) -> Result<(), String>) {
    let failures: Vec<String> = all_rows()
        .iter()
        .filter_map(|row| check(row).err().map(|reason| format!("{}: {reason}", row.name)))
        .collect();
    assert!(failures.is_empty(), "{} rules fail:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn tangents_are_the_derivatives_of_the_value() {
    every(first_order);
}

#[test]
fn tangents_of_gradients_are_hessian_vector_products() {
    every(second_order);
}

#[test]
fn a_replay_gives_the_tangents() {
    every(replayed_tangents);
}

#[test]
fn a_replay_of_a_gradient_gives_hessian_vector_products() {
    every(replayed_gradients);
}
