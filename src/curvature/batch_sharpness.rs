//! Batch sharpness: the curvature that minibatch gradients meet on their own batch.

use rand::seq::index;

use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result};
use crate::linalg::{Estimate, dot, skewed_quantile};
use crate::rng::{self, Stream};

/// How batch sharpness is estimated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSharpness {
    /// Minibatches drawn, at least 2 for a standard error.
    pub batches: usize,
    /// Samples in each, drawn without replacement.
    pub batch_size: usize,
    /// Seed of the run.
    pub seed: u64,
}

impl BatchSharpness {
    /// E_B[g_B' H_B g_B] / E_B[||g_B||^2] (Andreyev and Beneventano 2024) at the objective's current
    /// parameters, over batches drawn independently of the training's; `step` chooses them. `None`
    /// where every gradient drawn is zero. Batches are drawn independently of each other, so that their
    /// number is not counted against that of all batches; the standard error is the half-width of a 95%
    /// interval over two, and absent where a few gradients dominate so much that there is none.
    ///
    /// # Errors
    /// [`Error::NonFinite`], or if the device reports failure.
    pub fn measure(&self, objective: &dyn Objective, step: usize) -> Result<Option<Estimate>> {
        let stream = Stream::SharpnessBatches { step: step as u32 };
        let mut rng = rng::stream(self.seed, stream);
        let (mut curvatures, mut squares) = (Vec::new(), Vec::new());
        for _ in 0..self.batches {
            let batch = index::sample(&mut rng, objective.samples(), self.batch_size).into_vec();
            let batch = Samples::Batch(&batch);
            let gradient = objective.gradient(batch)?.gradient;
            curvatures.push(dot(&gradient, &objective.hvp_over(batch, &gradient)?));
            squares.push(dot(&gradient, &gradient));
        }
        let estimate = ratio_of_means(&curvatures, &squares);
        match estimate {
            Some(estimate) if !estimate.value.is_finite() => {
                Err(Error::NonFinite { what: "batch sharpness" })
            }
            estimate => Ok(estimate),
        }
    }
}

/// mean(a)/mean(b) with half the distance to the farther end of Fieller's interval (1954, Some problems
/// in interval estimation; Cochran 1977, section 6.4, has the linearised error that it tends to), so
/// that two of them cover 95%: of all ratios r for which mean(a - r b) lies within q of its errors from
/// zero. q is Student's quantile moved by the skewness of a - r b at the estimate, since gradients of a few
/// samples dominate both means alike. No error where the interval has no end, that is where the
/// batches do not tell mean(b) from zero.
fn ratio_of_means(a: &[f64], b: &[f64]) -> Option<Estimate> {
    let draws = a.len() as f64;
    let mean = |x: &[f64]| x.iter().sum::<f64>() / draws;
    let scale = mean(b);
    if scale == 0.0 {
        return None;
    }
    let value = mean(a) / scale;
    // These differences have mean zero.
    let rest: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - value * b).collect();
    let own: Vec<f64> = b.iter().map(|b| b - scale).collect();
    let standard_error = (a.len() > 1).then(|| {
        let per = scale * scale * (draws - 1.0) * draws;
        let (error, together) = (dot(&rest, &rest) / per, dot(&rest, &own) / per);
        let spread = dot(&own, &own) / per;
        let square = skewed_quantile(&rest).powi(2);
        // The ends are where d = r - value solves
        // d^2 (1 - square * spread) + 2 square * together * d = square * error.
        let lead = 1.0 - square * spread;
        let middle = -square * together;
        let reach = middle.abs() + (middle * middle + lead * square * error).max(0.0).sqrt();
        (lead > 0.0).then(|| 0.5 * reach / lead)
    });
    Some(Estimate { value, standard_error: standard_error.flatten() })
}
