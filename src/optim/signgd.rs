//! Sign descent.

use super::rule::sign;
use super::{Decay, Direction, Entry, Hyperparameters, Rule};

pub(super) const ENTRY: Entry = Entry {
    name: "signgd",
    update: "w -= η sign(g)",
    remark: None,
    lr: 1e-3,
    decay: Decay::Coupled,
    defaults: Hyperparameters { weight_decay: Some(0.0), ..Hyperparameters::NONE },
    build: |_, _| Box::new(SignGd),
};

/// w -= eta sign(g), the sign of 0 being 0. No eigenvalue decides of its stability: on a quadratic it ends
/// in a cycle of amplitude eta/2 in each coordinate, whatever the curvature.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignGd;

impl Rule for SignGd {
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a> {
        let numerator = gradient.iter().map(|&g| sign(g)).collect();
        Direction { rate: lr, numerator, preconditioner: None }
    }

    fn formula(&self) -> Option<String> {
        None
    }
}
