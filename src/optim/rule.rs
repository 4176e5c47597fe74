//! What most update rules share: a step along one direction, over a diagonal or not.

use std::borrow::Cow;

use super::{
    Filter, GradientAt, Memory, Optimizer, OscillationGrowth, StabilityContext, StabilityOperator,
};
use crate::error::Result;

/// Where a step goes: theta -= rate * numerator / P.
#[derive(Debug, Clone, PartialEq)]
pub struct Direction<'a> {
    /// The learning rate, corrected for what the rule corrects.
    pub rate: f64,
    /// What the parameters move against, of length P.
    pub numerator: Cow<'a, [f64]>,
    /// The diagonal of P, of length P; `None` for the identity.
    pub preconditioner: Option<&'a [f64]>,
}

/// An update rule that needs no gradient but the one where it stands. Every one is an [`Optimizer`].
pub trait Rule: Send {
    /// Whether it divides by a preconditioner of its own.
    const PRECONDITIONED: bool = false;

    /// Takes in the gradient of the step, and says where the step goes with learning rate `lr`.
    fn direction<'a>(&'a mut self, lr: f64, gradient: &'a [f64]) -> Direction<'a>;

    /// The preconditioner that the latest step divided by; `None` before the first step, and without
    /// one.
    fn preconditioner(&self) -> Option<Cow<'_, [f64]>> {
        None
    }

    /// Weight decay lambda beside the step: the weights shrink by 1 - lr * lambda before it.
    fn decoupled_decay(&self) -> f64 {
        0.0
    }

    /// What the step of rate `lr` to come makes of the gradients so far, where that is a linear filter in
    /// front of the preconditioner; the threshold follows from it.
    fn filter(&self, _lr: f64) -> Option<Filter> {
        None
    }

    /// As [`Optimizer::threshold`].
    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        self.filter(context.lr)?.threshold(context.lr, self.decoupled_decay())
    }

    /// As [`Optimizer::batch_edges`].
    fn batch_edges(&self, context: &StabilityContext) -> Option<[f64; 2]> {
        let filter = self.filter(context.lr).filter(|_| !Self::PRECONDITIONED)?;
        filter.batch_edges(context.lr)
    }

    /// As [`Optimizer::early_factor`].
    fn early_factor(&self) -> Option<f64> {
        None
    }

    /// As [`Optimizer::formula`].
    fn formula(&self) -> Option<String>;

    /// As [`Optimizer::growth`].
    fn growth(&self) -> Option<OscillationGrowth> {
        None
    }

    /// As [`Optimizer::memory`].
    fn memory(&mut self) -> Memory<'_> {
        Memory::default()
    }
}

impl<R: Rule> Optimizer for R {
    fn is_preconditioned(&self) -> bool {
        R::PRECONDITIONED
    }

    fn operator(&self) -> StabilityOperator {
        let preconditioner = self.preconditioner().map(Cow::into_owned);
        StabilityOperator { preconditioner, ..StabilityOperator::default() }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        Rule::threshold(self, context)
    }

    fn batch_edges(&self, context: &StabilityContext) -> Option<[f64; 2]> {
        Rule::batch_edges(self, context)
    }

    fn early_factor(&self) -> Option<f64> {
        Rule::early_factor(self)
    }

    fn formula(&self) -> Option<String> {
        Rule::formula(self)
    }

    fn growth(&self) -> Option<OscillationGrowth> {
        Rule::growth(self)
    }

    fn memory(&mut self) -> Memory<'_> {
        Rule::memory(self)
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        let decay = self.decoupled_decay();
        if decay != 0.0 {
            theta.iter_mut().for_each(|w| *w *= 1.0 - lr * decay);
        }
        let Direction { rate, numerator, preconditioner } = self.direction(lr, gradient);
        let moves = theta.iter_mut().zip(numerator.iter());
        match preconditioner {
            Some(p) => moves.zip(p).for_each(|((w, n), p)| *w -= rate * n / p),
            None => moves.for_each(|(w, n)| *w -= rate * n),
        }
        Ok(())
    }
}

/// A second moment s of the gradient, and P = diag(sqrt(s/correction) + eps) with it.
#[derive(Debug, Clone, Default)]
pub(super) struct SecondMoment {
    eps: f64,
    /// Empty before the first step.
    moment: Vec<f64>,
    /// P of the latest step; empty where it is not known.
    diagonal: Vec<f64>,
}

impl SecondMoment {
    /// Zero, with `eps` above 0.
    pub fn new(eps: f64) -> Self {
        Self { eps, ..Self::default() }
    }

    /// s = beta s + weight g^2, and P with it.
    pub fn take(&mut self, beta: f64, weight: f64, gradient: &[f64], correction: f64) -> &[f64] {
        accumulate(&mut self.moment, beta, weight, gradient, |g| g * g);
        self.diagonal.clear();
        self.diagonal.extend(entries(&self.moment, correction, self.eps));
        &self.diagonal
    }

    /// P, the correction being that of the latest step.
    pub fn diagonal(&self, correction: f64) -> Option<Cow<'_, [f64]>> {
        match (self.moment.is_empty(), self.diagonal.is_empty()) {
            (true, _) => None,
            (false, true) => Some(entries(&self.moment, correction, self.eps).collect()),
            (false, false) => Some(Cow::from(&self.diagonal)),
        }
    }

    /// The moment, to be read or written: what P was is forgotten, for it may change.
    pub fn memory(&mut self) -> &mut Vec<f64> {
        self.diagonal.clear();
        &mut self.moment
    }
}

fn entries(moment: &[f64], correction: f64, eps: f64) -> impl Iterator<Item = f64> {
    moment.iter().map(move |s| (s / correction).sqrt() + eps)
}

/// The sign of a number, that of zero being zero.
pub(super) fn sign(x: f64) -> f64 {
    if x == 0.0 { 0.0 } else { x.signum() }
}

/// A threshold of `numerator` over a multiple of the learning rate; none where that is zero, so that
/// nothing moves whatever the curvature, or too small for the quotient to be a number.
pub(super) fn over_rate(numerator: f64, rate: f64) -> Option<f64> {
    let threshold = numerator / rate;
    (rate > 0.0 && threshold.is_finite()).then_some(threshold)
}

/// state = beta * state + weight * value(gradient), from a state that starts at zero.
pub(super) fn accumulate(
    state: &mut Vec<f64>,
    beta: f64,
    weight: f64,
    gradient: &[f64],
    value: impl Fn(f64) -> f64,
) {
    state.resize(gradient.len(), 0.0);
    for (s, &g) in state.iter_mut().zip(gradient) {
        *s = beta * *s + weight * value(g);
    }
}
