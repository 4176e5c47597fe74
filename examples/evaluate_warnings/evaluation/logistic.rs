//! Fitting the spike models: logistic regression by Newton's method (iteratively reweighted least
//! squares), whatever features they have.
//!
//! Some weights and a convex objective: Newton needs a dozen solves of a system of that size, which the
//! linear algebra in use already does. A crate for it would bring a second such library.

use anyhow::{Result, anyhow, bail};
use faer::linalg::solvers::Solve;
use faer::{Col, Mat, Side};

/// A row with what came after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LabelledRow<const N: usize> {
    /// The row's step.
    pub step: usize,
    /// Its features.
    pub features: [f64; N],
    /// The first step of the next spike, if one starts within the horizon.
    pub spike: Option<usize>,
}

impl<const N: usize> LabelledRow<N> {
    /// Steps to the spike.
    pub fn lead(&self) -> Option<usize> {
        self.spike.map(|start| start - self.step)
    }
}

/// How the models are fitted.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FitSettings {
    /// The early model tells the rows at most so many steps before a spike from quiet ones.
    pub near: usize,
    /// The imminent model counts a spike's one row as so many quiet ones.
    pub spike_weight: f64,
    /// The steps that the imminent model's probability speaks of.
    pub imminent_horizon: usize,
    /// Half of it times the weights' squares, the constant aside, is added to what is minimised.
    pub ridge: f64,
}

impl Default for FitSettings {
    fn default() -> Self {
        Self { near: 8, spike_weight: 8.0, imminent_horizon: 3, ridge: 1.0 }
    }
}

/// The weights of the two models, from runs of labelled rows.
///
/// The early one is fitted to all rows shortly before spikes. The imminent one is fitted to one row
/// of each spike, the one that stands out most, and all quiet rows: one warning is enough, and where
/// several modes compete only the last rows before a spike tell anything (multiple-instance learning
/// with the largest score; the row is chosen anew by each fit until it stays). Their scores are then
/// made probabilities of a spike within the horizon of the labels and within `imminent_horizon`, by a
/// logistic fit of that to the score (Platt 1999).
///
/// # Errors
/// If there are no spikes or no quiet rows, if Newton's method does not converge, or if a score turns
/// out to say nothing.
pub fn fit<const N: usize>(
    runs: &[Vec<LabelledRow<N>>],
    settings: FitSettings,
) -> Result<(Linear<N>, Linear<N>)> {
    const ROUNDS: usize = 20;
    let rows = || runs.iter().flatten();
    let of_quiet =
        || rows().filter(|row| row.spike.is_none()).map(|row| (row.features, false, 1.0));
    let early: Vec<_> = rows()
        .filter(|row| row.lead().is_some_and(|lead| lead <= settings.near))
        .map(|row| (row.features, true, 1.0))
        .chain(of_quiet())
        .collect();
    let early = newton(&early, settings.ridge)?;

    let mut imminent = early;
    let mut chosen = Vec::new();
    for _ in 0..ROUNDS {
        let witnesses: Vec<[f64; N]> =
            runs.iter().flat_map(|run| witnesses(run, &imminent)).collect();
        if witnesses == chosen {
            break;
        }
        let spikes = witnesses.iter().map(|row| (*row, true, settings.spike_weight));
        let samples: Vec<_> = spikes.chain(of_quiet()).collect();
        imminent = newton(&samples, settings.ridge)?;
        chosen = witnesses;
    }
    let within = settings.imminent_horizon;
    Ok((calibrated(early, runs, usize::MAX)?, calibrated(imminent, runs, within)?))
}

/// The row before each spike of a run that has the largest score.
fn witnesses<const N: usize>(run: &[LabelledRow<N>], model: &Linear<N>) -> Vec<[f64; N]> {
    let mut starts: Vec<usize> = run.iter().filter_map(|row| row.spike).collect();
    starts.dedup();
    let best = |start: usize| {
        let before = run.iter().filter(|row| row.spike == Some(start));
        before.map(|row| row.features).max_by(|a, b| model.score(a).total_cmp(&model.score(b)))
    };
    starts.into_iter().filter_map(best).collect()
}

/// The same model with a score whose logistic function is the share of rows with a spike within
/// `horizon` steps.
fn calibrated<const N: usize>(
    model: Linear<N>,
    runs: &[Vec<LabelledRow<N>>],
    horizon: usize,
) -> Result<Linear<N>> {
    let outcome = |row: &LabelledRow<N>| row.lead().is_some_and(|lead| lead <= horizon);
    let samples: Vec<([f64; 1], bool, f64)> = runs
        .iter()
        .flatten()
        .map(|row| ([model.score(&row.features)], outcome(row), 1.0))
        .collect();
    let Linear { constant, weights: [slope] } = newton(&samples, 0.0)?;
    if slope <= 0.0 {
        bail!("the spike model says nothing: higher scores are not followed by more spikes");
    }
    let constant = constant + slope * model.constant;
    Ok(Linear { constant, weights: model.weights.map(|weight| slope * weight) })
}

/// A constant and the weights of features.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Linear<const N: usize> {
    /// Constant.
    pub constant: f64,
    /// Of each feature.
    pub weights: [f64; N],
}

impl<const N: usize> Linear<N> {
    /// What it makes of a row's features: the log-odds of a spike.
    pub fn score(&self, row: &[f64; N]) -> f64 {
        self.constant + self.weights.iter().zip(row).map(|(w, x)| w * x).sum::<f64>()
    }

    /// Minus the log-likelihood of weighted samples, and the ridge's share.
    fn loss(&self, samples: &Samples<N>, ridge: f64) -> f64 {
        let loss = |(row, outcome, weight): &([f64; N], bool, f64)| {
            let margin = if *outcome { self.score(row) } else { -self.score(row) };
            // ln(1 + exp(-m)) without overflow.
            weight * ((-margin).max(0.0) + (-margin.abs()).exp().ln_1p())
        };
        let squares: f64 = self.weights.iter().map(|w| w * w).sum();
        samples.iter().map(loss).sum::<f64>() + ridge * squares / 2.0
    }
}

/// Samples of features, outcome and weight.
type Samples<const N: usize> = [([f64; N], bool, f64)];

/// The model of largest likelihood for these samples.
fn newton<const N: usize>(samples: &Samples<N>, ridge: f64) -> Result<Linear<N>> {
    const STEPS: usize = 100;
    if samples.iter().all(|sample| sample.1) || !samples.iter().any(|sample| sample.1) {
        bail!("the spike model cannot be fitted: all rows have the same outcome");
    }
    let mut model = Linear { constant: 0.0, weights: [0.0; N] };
    let mut value = model.loss(samples, ridge);
    for _ in 0..STEPS {
        let (gradient, hessian) = derivatives(&model, samples, ridge);
        let factor = hessian
            .llt(Side::Lower)
            .map_err(|e| anyhow!("the spike model cannot be fitted: {e:?}"))?;
        let step = factor.solve(&gradient);
        let decrease: f64 = (0..=N).map(|i| step[i] * gradient[i]).sum();
        (model, value) = descend(&model, &step, value, samples, ridge);
        if !value.is_finite() {
            bail!("the spike model cannot be fitted: the likelihood is not finite");
        }
        // Without a ridge, weights that only grow make the likelihood perfect.
        if value <= 1e-9 {
            bail!("a plane separates rows before spikes from quiet ones; raise the ridge");
        }
        if decrease <= 1e-12 * value.max(1.0) {
            return Ok(model);
        }
    }
    bail!("the fit of the spike model does not converge in {STEPS} steps; raise the ridge")
}

/// Gradient and Hessian of the model's loss, the constant first.
fn derivatives<const N: usize>(
    model: &Linear<N>,
    samples: &Samples<N>,
    ridge: f64,
) -> (Col<f64>, Mat<f64>) {
    let x = |row: &[f64; N], i: usize| if i == 0 { 1.0 } else { row[i - 1] };
    let penalised = |i: usize| if i == 0 { 0.0 } else { ridge * model.weights[i - 1] };
    let mut gradient = Col::from_fn(N + 1, penalised);
    let diagonal = |i: usize, j: usize| if i == j && i > 0 { ridge } else { 0.0 };
    let mut hessian = Mat::from_fn(N + 1, N + 1, diagonal);
    for (row, outcome, weight) in samples {
        let p = 1.0 / (1.0 + (-model.score(row)).exp());
        let error = p - f64::from(u8::from(*outcome));
        for i in 0..=N {
            gradient[i] += weight * error * x(row, i);
            for j in 0..=N {
                hessian[(i, j)] += weight * p * (1.0 - p) * x(row, i) * x(row, j);
            }
        }
    }
    (gradient, hessian)
}

/// The model after a step down, and its loss. Newton's steps are halved until the loss falls: far out
/// they overshoot.
fn descend<const N: usize>(
    model: &Linear<N>,
    step: &Col<f64>,
    value: f64,
    samples: &Samples<N>,
    ridge: f64,
) -> (Linear<N>, f64) {
    let mut length = 1.0;
    loop {
        let next = Linear {
            constant: model.constant - length * step[0],
            weights: std::array::from_fn(|i| model.weights[i] - length * step[i + 1]),
        };
        let reached = next.loss(samples, ridge);
        if reached <= value || length < 1e-8 {
            return (next, reached);
        }
        length /= 2.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Newton's method ends where the likelihood's derivative is zero, weights and ridge included.
    #[test]
    fn the_fit_is_where_the_likelihood_is_stationary() {
        let (ridge, mut state) = (0.5, 1u64);
        let mut draw = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 11) as f64 / (1u64 << 53) as f64 - 0.5
        };
        let samples: Vec<([f64; 3], bool, f64)> = (0..400)
            .map(|i| {
                let row: [f64; 3] = std::array::from_fn(|_| 2.0 * draw());
                let outcome = 2.0 * row[0] - row[2] + draw() > 0.5;
                (row, outcome, if i % 3 == 0 { 2.0 } else { 1.0 })
            })
            .collect();
        let model = newton(&samples, ridge).unwrap();
        assert!(model.weights[0] > 1.0 && model.weights[2] < -0.5, "{model:?}");
        for i in 0..=3 {
            let derivative = |(row, outcome, weight): &([f64; 3], bool, f64)| {
                let x = if i == 0 { 1.0 } else { row[i - 1] };
                let p = 1.0 / (1.0 + (-model.score(row)).exp());
                weight * (p - f64::from(u8::from(*outcome))) * x
            };
            let sum: f64 = samples.iter().map(derivative).sum();
            let penalty = if i == 0 { 0.0 } else { ridge * model.weights[i - 1] };
            assert!((sum + penalty).abs() < 1e-4, "{i}: {sum} and {penalty}");
        }
    }

    #[test]
    fn a_fit_that_has_no_end_is_refused() {
        assert!(newton(&[([1.0], true, 1.0); 3], 1.0).is_err());
        assert!(newton::<1>(&[], 1.0).is_err());
        // A plane separates the outcomes, and nothing holds the weights.
        let apart: Vec<_> = (0..10).map(|i| ([f64::from(i) - 4.5], i > 4, 1.0)).collect();
        assert!(newton(&apart, 0.0).is_err());
        assert!(newton(&apart, 1.0).is_ok());
    }
}
