//! Batch sharpness: the curvature that minibatch gradients meet on their own batch.

use rand::seq::index;

use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result};
use crate::linalg::{Estimate, dot};
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
    /// where every gradient drawn is zero.
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

/// mean(a)/mean(b) with the standard error of the linearised ratio, sd(a - r b)/(mean(b) sqrt(n))
/// (Cochran 1977, section 6.4).
fn ratio_of_means(a: &[f64], b: &[f64]) -> Option<Estimate> {
    let draws = a.len();
    let mean = |x: &[f64]| x.iter().sum::<f64>() / draws as f64;
    let scale = mean(b);
    if scale == 0.0 {
        return None;
    }
    let value = mean(a) / scale;
    let standard_error = (draws > 1).then(|| {
        // These differences have mean zero.
        let square: f64 = a.iter().zip(b).map(|(a, b)| (a - value * b).powi(2)).sum();
        (square / ((draws - 1) * draws) as f64).sqrt() / scale
    });
    Some(Estimate { value, standard_error })
}
