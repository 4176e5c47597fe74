//! Schedule-free descent: the average of the iterates instead of a falling rate.

use super::rule::SecondMoment;
use super::{
    Decay, Entry, Filter, GradientAt, Hyperparameters, Memory, Optimizer, OscillationGrowth,
    StabilityContext, StabilityOperator,
};
use crate::error::Result;

pub(super) const SGD: Entry = Entry {
    name: "schedule-free",
    update: "z -= η g(y); x = (1-c) x + c z, c = η²/Ση²; y = (1-β) z + β x; \
             rows and checkpoints are of y, validation is at x",
    remark: None,
    lr: 0.5,
    decay: Decay::Coupled,
    defaults: Hyperparameters {
        momentum: Some(0.9),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| Box::new(ScheduleFree::new(h.momentum(), Averaging::Even)),
};

pub(super) const ADAMW: Entry = Entry {
    name: "schedule-free-adamw",
    update: "z -= η (g(y)/P + λ y), P Adam's; x = (1-c) x + c z, c = η²/Ση²; y = (1-β₁) z + β₁ x; \
             rows and checkpoints are of y, validation is at x",
    remark: None,
    lr: 0.01,
    decay: Decay::Decoupled,
    defaults: Hyperparameters {
        beta1: Some(0.9),
        beta2: Some(0.999),
        eps: Some(1e-8),
        weight_decay: Some(0.0),
        ..Hyperparameters::NONE
    },
    build: |h, _| {
        let averages = ScheduleFree::new(h.beta1(), Averaging::Even);
        Box::new(averages.preconditioned(h.beta2(), h.eps(), h.weight_decay()))
    },
};

/// The weight c with which an iterate enters the average.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Averaging {
    /// Each by the square of the largest rate so far: at a constant rate c = 1/t, the mean of all.
    Even,
    /// Always this one, in (0, 1].
    Fixed(f64),
}

/// Schedule-free SGD or AdamW (Defazio et al. 2024). The parameters that are stepped, y, are where gradients
/// are taken and of what rows tell; the average x is what the model is to be used with
/// ([`Optimizer::averaged`]).
///
/// Of the gradients at y, y = (1 - beta) z + beta x makes the [`Filter`] (1 - beta) + beta c sum_k (1 - c)^k: z
/// moves against each gradient once, and x follows it as a mean with decay 1 - c. With c and P held,
/// P^-1/2 H P^-1/2 at y may grow to (4 - 2c)/((2 (1 - beta) + c (2 beta - 1)) eta), which is 2/eta at the first
/// step (c = 1) and goes to 2/((1 - beta) eta), of which AdamW's decay takes lambda off. The threshold is
/// that of c at the step to come.
#[derive(Debug, Clone)]
pub struct ScheduleFree {
    beta: f64,
    averaging: Averaging,
    adaptive: Option<Adaptive>,
    steps: i32,
    /// Sum of the weights so far and the largest rate; empty before the first step.
    weights: Vec<f64>,
    z: Vec<f64>,
    x: Vec<f64>,
}

/// What the AdamW form has besides.
#[derive(Debug, Clone)]
struct Adaptive {
    beta2: f64,
    decay: f64,
    square: SecondMoment,
}

impl ScheduleFree {
    /// The SGD form with `beta`, the share of the average in y, in [0, 1).
    pub fn new(beta: f64, averaging: Averaging) -> Self {
        let (weights, z, x) = Default::default();
        Self { beta, averaging, adaptive: None, steps: 0, weights, z, x }
    }

    /// The AdamW form, with `beta2` in [0, 1), `eps` above 0 and `decay` at least 0.
    pub fn preconditioned(self, beta2: f64, eps: f64, decay: f64) -> Self {
        let square = SecondMoment::new(eps);
        Self { adaptive: Some(Adaptive { beta2, decay, square }), ..self }
    }

    /// c of the step to come, with the sum of weights and the largest rate after it.
    fn averaging_weight(&self, lr: f64) -> (f64, [f64; 2]) {
        let (sum, largest) = match self.weights[..] {
            [sum, largest] => (sum, largest),
            _ => (0.0, 0.0),
        };
        let largest = lr.max(largest);
        let weight = largest * largest;
        let sum = sum + weight;
        let even = if sum > 0.0 { weight / sum } else { 0.0 };
        let c = match self.averaging {
            Averaging::Even => even,
            Averaging::Fixed(c) => c,
        };
        (c, [sum, largest])
    }

    fn filter(&self, c: f64) -> Filter {
        Filter::gradient().times(1.0 - self.beta).plus(Filter::sum(self.beta * c, 1.0 - c))
    }

    /// What z moves against.
    fn direction(&mut self, y: &[f64], gradient: &[f64]) -> Vec<f64> {
        let Some(Adaptive { beta2, decay, square }) = &mut self.adaptive else {
            return gradient.to_vec();
        };
        let correction = 1.0 - beta2.powi(self.steps);
        let p = square.take(*beta2, 1.0 - *beta2, gradient, correction);
        let moves = gradient.iter().zip(p).zip(y);
        moves.map(|((g, p), y)| g / p + *decay * y).collect()
    }
}

impl Optimizer for ScheduleFree {
    fn is_preconditioned(&self) -> bool {
        self.adaptive.is_some()
    }

    fn operator(&self) -> StabilityOperator {
        let diagonal = |own: &Adaptive| {
            let correction = 1.0 - own.beta2.powi(self.steps);
            Some(own.square.diagonal(correction)?.into_owned())
        };
        let preconditioner = self.adaptive.as_ref().and_then(diagonal);
        StabilityOperator { preconditioner, ..StabilityOperator::default() }
    }

    fn threshold(&self, context: &StabilityContext) -> Option<f64> {
        let (c, _) = self.averaging_weight(context.lr);
        let decay = self.adaptive.as_ref().map_or(0.0, |own| own.decay);
        let threshold = self.filter(c).threshold(context.lr, 0.0)? - decay;
        (threshold > 0.0).then_some(threshold)
    }

    fn formula(&self) -> Option<String> {
        let (beta, decay) = match &self.adaptive {
            None => ("β", ""),
            Some(own) => ("β₁", if own.decay == 0.0 { "" } else { " - λ" }),
        };
        Some(format!("(4-2c)/((2(1-{beta})+c(2{beta}-1))η){decay}"))
    }

    /// With c at its end, 0.
    fn growth(&self) -> Option<OscillationGrowth> {
        Some(Filter::gradient().growth())
    }

    fn averaged(&self) -> Option<&[f64]> {
        (!self.x.is_empty()).then_some(&self.x)
    }

    fn memory(&mut self) -> Memory<'_> {
        let mut accumulators =
            vec![("averaging", &mut self.weights), ("z", &mut self.z), ("x", &mut self.x)];
        if let Some(own) = &mut self.adaptive {
            accumulators.push(("exp_avg_sq", own.square.memory()));
        }
        Memory { steps: Some(&mut self.steps), accumulators }
    }

    fn step(
        &mut self,
        lr: f64,
        theta: &mut [f64],
        gradient: &[f64],
        _elsewhere: &mut GradientAt<'_>,
    ) -> Result<()> {
        self.steps = self.steps.saturating_add(1);
        if self.z.is_empty() {
            (self.z, self.x) = (theta.to_vec(), theta.to_vec());
        }
        let (c, weights) = self.averaging_weight(lr);
        self.weights = weights.to_vec();
        let direction = self.direction(theta, gradient);
        for (((y, z), x), d) in theta.iter_mut().zip(&mut self.z).zip(&mut self.x).zip(direction) {
            *z -= lr * d;
            *x = (1.0 - c) * *x + c * *z;
            *y = (1.0 - self.beta) * *z + self.beta * *x;
        }
        Ok(())
    }
}
