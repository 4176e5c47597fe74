//! What a density says of the whole spectrum, with errors of which two cover 95%.
//!
//! Three parts make such an error. *Probe scatter*: the sample's, by Student's quantile, or that of
//! random-sign quadratic forms from their coordinates, whichever is larger ([`Estimate::covering`]).
//! *Skewness*: roots and ratios are taken at both ends of their argument's interval, and the farther end
//! counts. *Node spacing*: the bracket that each probe's moments prove (`bracket`), whose half-width
//! is in the error whole.

use crate::error::Result;
use crate::linalg::{Estimate, SpectralDensity};

/// A share of the eigenvalues.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Share {
    /// The share with its error, both parts in it.
    pub estimate: Estimate,
    /// The least and the largest share that the probes' moments allow, in the mean over probes: what is
    /// open between the two no number of probes would tell, but more steps would.
    pub bracket: [f64; 2],
}

impl SpectralDensity {
    /// The trace: the sum over all eigenvalues.
    pub fn trace(&self) -> Estimate {
        Estimate::covering(&self.per_probe(|x| x), self.signs.map(|signs| signs[0][0]))
    }

    /// The Frobenius norm, the root of the sum over all squared eigenvalues. Its error is that of the
    /// farther end of the square's interval. `least` is known to be no more than it, such as the root of
    /// the sum over some squared eigenvalues; 0 where nothing is.
    pub fn frobenius(&self, least: f64) -> Estimate {
        let squares = self.per_probe(|x| x * x);
        let squares = Estimate::covering(&squares, self.signs.map(|signs| signs[1][1]));
        let value = squares.value.max(0.0).sqrt();
        let standard_error = squares.standard_error.map(|error| {
            let low = (squares.value - 2.0 * error).max(0.0).sqrt();
            let high = (squares.value + 2.0 * error + self.missing_square()).sqrt();
            (value - low.max(least)).max(high - value) / 2.0
        });
        Estimate { value, standard_error }
    }

    /// (sum lambda)^2 / sum lambda^2, at most n: how many equal eigenvalues would have these sums. Its
    /// error is that of the farther end of the square of |sum lambda| / sqrt(sum lambda^2), whose own is
    /// the one of its linearisation.
    pub fn rank(&self) -> Estimate {
        let (n, first, second) =
            (self.dim as f64, self.per_probe(|x| x), self.per_probe(|x| x * x));
        let (sum, squares) = (mean(&first), mean(&second));
        if squares <= 0.0 {
            let standard_error = (self.probes.len() > 1).then_some(0.0);
            return Estimate { value: 0.0, standard_error };
        }
        let root = sum.abs() / squares.sqrt();
        let value = root * root;
        let slope = [sum.signum() / squares.sqrt(), -0.5 * root / squares];
        let linear: Vec<f64> =
            first.iter().zip(&second).map(|(a, b)| slope[0] * a + slope[1] * b).collect();
        let variance = self.signs.map(|signs| {
            slope[0] * (slope[0] * signs[0][0] + 2.0 * slope[1] * signs[0][1])
                + slope[1] * slope[1] * signs[1][1]
        });
        let error = Estimate::covering(&linear, variance).standard_error;
        let standard_error = error.map(|error| {
            // A larger square makes it smaller.
            let least = root / (1.0 + self.missing_square() / squares).sqrt();
            let low = (least - 2.0 * error).max(0.0).powi(2);
            let high = (root + 2.0 * error).powi(2).min(n.max(value));
            (value - low).max(high - value) / 2.0
        });
        Estimate { value, standard_error }
    }

    /// The share of eigenvalues below -near, within near of zero, and above near. The values add up to 1:
    /// that near zero is the middle of its bracket, the others those of theirs, less what is then too
    /// much.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] if a small eigenproblem does not converge.
    pub fn shares(&self, near: f64) -> Result<[Share; 3]> {
        let mut ends: [[Vec<f64>; 2]; 3] = Default::default();
        for probe in &self.probes {
            let [low, high] = match &probe.recurrence {
                Some(recurrence) => {
                    let below = |x| recurrence.mass_below(x, &probe.nodes, &probe.weights);
                    [below(-near)?, below(near)?]
                }
                None => {
                    let negative = probe.mean(|x| f64::from(x < -near));
                    let up_to = probe.mean(|x| f64::from(x <= near));
                    [[negative; 2], [up_to; 2]]
                }
            };
            let within = [high[0] - low[1], high[1] - low[0]];
            let brackets = [low, within, [1.0 - high[1], 1.0 - high[0]]];
            for (ends, bracket) in ends.iter_mut().zip(brackets) {
                ends[0].push(bracket[0].max(0.0));
                ends[1].push(bracket[1].max(0.0));
            }
        }
        let brackets = ends.each_ref().map(|[low, high]| [mean(low), mean(high)]);
        let middles = brackets.map(|[low, high]| 0.5 * (low + high));
        let excess = middles.iter().sum::<f64>() - 1.0;
        let values = [middles[0] - 0.5 * excess, middles[1], middles[2] - 0.5 * excess];
        Ok(std::array::from_fn(|i| {
            let (value, bracket) = (values[i], brackets[i]);
            // Of z'Pz and z'(I - P)z alike, P the projector: at most twice the smaller rank.
            let variance = 2.0 * value.min(1.0 - value).max(0.0) / self.dim as f64;
            let scatter = |draws: &[f64]| Estimate::covering(draws, Some(variance)).standard_error;
            let [low, high] = ends[i].each_ref().map(|draws| scatter(draws));
            let spacing = (value - bracket[0]).max(bracket[1] - value);
            let standard_error = low.zip(high).map(|(low, high)| low.max(high) + 0.5 * spacing);
            Share { estimate: Estimate { value, standard_error }, bracket }
        }))
    }

    /// n times the mean over the spectrum of f, as each probe sees it.
    fn per_probe(&self, f: fn(f64) -> f64) -> Vec<f64> {
        self.probes.iter().map(|probe| self.dim as f64 * probe.mean(f)).collect()
    }

    /// What the sum of the squared nodes lacks: nothing from two steps on, and after one the square of
    /// what led out of the space.
    fn missing_square(&self) -> f64 {
        let missing = self.probes.iter().filter_map(|probe| {
            let recurrence = probe.recurrence.as_ref().filter(|_| probe.nodes.len() == 1)?;
            recurrence.subdiagonal.first().map(|beta| beta * beta)
        });
        self.dim as f64 * missing.sum::<f64>() / self.probes.len() as f64
    }
}

fn mean(draws: &[f64]) -> f64 {
    draws.iter().sum::<f64>() / draws.len() as f64
}
