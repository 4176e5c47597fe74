//! Batch sharpness: the curvature that minibatch gradients meet on their own batch; and how they scatter.

use rand::seq::index;

use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result};
use crate::linalg::{Estimate, dot, skewed_quantile};
use crate::rng::{self, Stream};

/// How batch sharpness is estimated.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BatchSharpness {
    /// Minibatches drawn, at least 2 for a standard error.
    pub batches: usize,
    /// Samples in each, drawn without replacement.
    pub batch_size: usize,
    /// No more are drawn once the standard error of the mean of ratios is at most this share of it;
    /// `None` draws all.
    pub accuracy: Option<f64>,
    /// Seed of the run.
    pub seed: u64,
}

/// What minibatch gradients g_B say, each with the Hessian H_B of its own batch. Two standard errors
/// cover 95%.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchCurvature {
    /// E_B[g_B' H_B g_B / ||g_B||^2], the batch sharpness of Andreyev and Beneventano 2024 (Definition 3), over
    /// batches whose gradient is not zero.
    pub mean_of_ratios: Estimate,
    /// E_B[g_B' H_B g_B] / E_B[||g_B||^2].
    pub ratio_of_means: Estimate,
    /// tr(Sigma)/||g||^2, Sigma the covariance of a sample's gradient and g the full one: the batch size at
    /// which noise and signal weigh alike, the simple noise scale of McCandlish et al. 2018. None
    /// where the batch is the whole set, or without g.
    pub noise_scale: Option<Estimate>,
    /// E_B[g_B' H g_B]/||g||^2, H the full Hessian: one step of gradient descent along g_B lowers the
    /// expected full loss, on a quadratic, exactly if it is below 2/eta. None without g.
    pub interaction: Option<Estimate>,
    /// E_B[(u'(g_B - g))^2], the variance of the minibatch gradient along a direction u. None without one, and
    /// without g.
    pub variance_along: Option<Estimate>,
    /// Batches drawn.
    pub batches: usize,
    /// Products taken.
    pub products: usize,
}

/// Fewest batches that [`BatchSharpness::accuracy`] is judged by.
const FEWEST: usize = 8;

impl BatchSharpness {
    /// Measures at the objective's current parameters, over batches drawn independently of the training's;
    /// `step` chooses them, and `full` is the gradient over all samples (length P), where that is known.
    /// `None` where every gradient drawn is zero. Batches are drawn independently of each other, so that
    /// their number is not counted against that of all batches.
    ///
    /// # Errors
    /// [`Error::NonFinite`], or if the device reports failure.
    pub fn measure(
        &self,
        objective: &dyn Objective,
        full: Option<&[f64]>,
        step: usize,
    ) -> Result<Option<BatchCurvature>> {
        self.measure_along(objective, full, None, step)
    }

    /// The same, and how the gradients scatter along a direction (length P).
    ///
    /// # Errors
    /// As [`BatchSharpness::measure`].
    pub fn measure_along(
        &self,
        objective: &dyn Objective,
        full: Option<&[f64]>,
        direction: Option<&[f64]>,
        step: usize,
    ) -> Result<Option<BatchCurvature>> {
        let stream = Stream::SharpnessBatches { step: step as u32 };
        let mut rng = rng::stream(self.seed, stream);
        let full = full.filter(|full| dot(full, full) > 0.0);
        let mut draws = Draws::of(full, direction);
        for _ in 0..self.batches {
            let batch = index::sample(&mut rng, objective.samples(), self.batch_size).into_vec();
            draws.take(objective, &batch)?;
            if self.accuracy.is_some_and(|accuracy| draws.are_within(accuracy)) {
                break;
            }
        }
        let found = draws.finish(self.batch_size, objective.samples());
        let finite = |found: &BatchCurvature| {
            let BatchCurvature { mean_of_ratios, ratio_of_means, .. } = found;
            mean_of_ratios.value.is_finite() && ratio_of_means.value.is_finite()
        };
        match found {
            Some(found) if !finite(&found) => Err(Error::NonFinite { what: "batch sharpness" }),
            found => Ok(found),
        }
    }
}

/// What the batches so far gave.
struct Draws<'a> {
    full: Option<&'a [f64]>,
    direction: Option<&'a [f64]>,
    /// g_B' H_B g_B.
    curvatures: Vec<f64>,
    /// ||g_B||^2.
    squares: Vec<f64>,
    /// ||g_B - g||^2.
    scatter: Vec<f64>,
    /// (u'(g_B - g))^2.
    along: Vec<f64>,
    /// g_A' H_B g_A of batches A and B in pairs, no batch in two of them.
    across: Vec<f64>,
    /// The gradient of a batch that waits for the other of its pair.
    waiting: Option<Vec<f64>>,
    products: usize,
}

impl<'a> Draws<'a> {
    fn of(full: Option<&'a [f64]>, direction: Option<&'a [f64]>) -> Self {
        let (curvatures, squares, scatter, along, across) = Default::default();
        let (waiting, products) = (None, 0);
        Self { full, direction, curvatures, squares, scatter, along, across, waiting, products }
    }

    fn take(&mut self, objective: &dyn Objective, batch: &[usize]) -> Result<()> {
        let batch = Samples::Batch(batch);
        let gradient = objective.gradient_and_hvps_over(batch, &[])?.0.gradient;
        // Over independent batches the mean of g_A' H_B g_A is that of g_A' H g_A.
        let other = self.waiting.take();
        let block = [&gradient[..], other.as_deref().unwrap_or_default()].concat();
        let products = objective.hvps_over(batch, &block)?;
        let (own, across) = products.split_at(gradient.len());
        self.products += block.len() / gradient.len().max(1);
        self.curvatures.push(dot(&gradient, own));
        self.squares.push(dot(&gradient, &gradient));
        let Some(full) = self.full else { return Ok(()) };
        self.scatter.push(gradient.iter().zip(full).map(|(g, f)| (g - f).powi(2)).sum());
        if let Some(u) = self.direction {
            self.along.push((dot(u, &gradient) - dot(u, full)).powi(2));
        }
        match other {
            Some(other) => self.across.push(dot(&other, across)),
            None => self.waiting = Some(gradient),
        }
        Ok(())
    }

    /// g_B' H_B g_B / ||g_B||^2 of each batch that has a gradient.
    fn ratios(&self) -> Vec<f64> {
        let pairs = self.curvatures.iter().zip(&self.squares);
        pairs.filter(|(_, square)| **square != 0.0).map(|(c, square)| c / square).collect()
    }

    fn are_within(&self, accuracy: f64) -> bool {
        let estimate = Estimate::covering(&self.ratios(), None);
        let within = |error: f64| error <= accuracy * estimate.value.abs();
        self.curvatures.len() >= FEWEST && estimate.standard_error.is_some_and(within)
    }

    fn finish(self, batch_size: usize, samples: usize) -> Option<BatchCurvature> {
        let ratio_of_means = ratio_of_means(&self.curvatures, &self.squares)?;
        let square = self.full.map_or(1.0, |full| dot(full, full));
        let over = |draws: &[f64], factor: f64| {
            let scaled: Vec<f64> = draws.iter().map(|draw| draw * factor / square).collect();
            (!scaled.is_empty()).then(|| Estimate::covering(&scaled, None))
        };
        // The mean over b of N samples, drawn without replacement, has (N - b)/(b (N - 1)) of the variance of one.
        let (b, n) = (batch_size as f64, samples as f64);
        let noise_scale = match batch_size < samples {
            true => over(&self.scatter, b * (n - 1.0) / (n - b)),
            false => None,
        };
        let along = &self.along;
        Some(BatchCurvature {
            variance_along: (!along.is_empty()).then(|| Estimate::covering(along, None)),
            mean_of_ratios: Estimate::covering(&self.ratios(), None),
            ratio_of_means,
            noise_scale,
            interaction: over(&self.across, 1.0),
            batches: self.curvatures.len(),
            products: self.products,
        })
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
