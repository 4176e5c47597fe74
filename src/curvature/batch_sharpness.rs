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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linalg::student;

    /// At the farther end r of the interval, mean(a - r b) is as far from zero as it may be, and at the
    /// nearer end not yet.
    #[test]
    fn two_errors_reach_the_farther_end_of_fiellers_interval() {
        let b = [1.0, 2.0, 1.5, 4.0, 2.5, 1.0];
        let a = [3.0, 7.0, 4.0, 19.0, 8.0, 2.5];
        let Estimate { value, standard_error } = ratio_of_means(&a, &b).unwrap();
        assert!((value - 43.5 / 12.0).abs() < 1e-12);
        let rest = |r: f64| a.iter().zip(&b).map(|(a, b)| a - r * b).collect::<Vec<f64>>();
        let quantile = skewed_quantile(&rest(value));
        let away = |r: f64| {
            let at = Estimate::of(&rest(r));
            at.value.abs() / at.standard_error.unwrap() / quantile
        };
        let reach = 2.0 * standard_error.unwrap();
        let ends = [away(value - reach), away(value + reach)];
        let (least, most) = (ends[0].min(ends[1]), ends[0].max(ends[1]));
        assert!((least - 1.0).abs() < 1e-9 && most > 1.0, "{ends:?}");
        // The linearised error is less.
        let linear = Estimate::of(&rest(value)).standard_error.unwrap() / 2.0;
        assert!(reach > quantile * linear && quantile >= student(5));
    }

    #[test]
    fn batches_that_do_not_tell_their_gradients_square_from_zero_state_no_error() {
        let one_of_three = ratio_of_means(&[0.0, 0.1, 50.0], &[0.01, 0.02, 10.0]).unwrap();
        assert!((one_of_three.value - 50.1 / 10.03).abs() < 1e-12);
        assert_eq!(one_of_three.standard_error, None);
        assert_eq!(ratio_of_means(&[1.0], &[2.0]).unwrap().standard_error, None);
        assert_eq!(ratio_of_means(&[0.0, 0.0], &[0.0, 0.0]), None);
        let alike = ratio_of_means(&[3.0; 4], &[2.0; 4]).unwrap();
        assert_eq!((alike.value, alike.standard_error), (1.5, Some(0.0)));
    }
}
