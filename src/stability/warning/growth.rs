//! How an oscillation along the top eigenvector grows.

use std::fmt;
use std::sync::Arc;

/// Factor by which an oscillation along an eigenvector grows in a step on a quadratic whose
/// curvature is `edge_ratio` times the threshold: the largest root in magnitude of
/// z^2 - (1 + beta)(1 - 2r) z + beta, which is heavy ball's for the curvature r (2 + 2 beta)/eta (and,
/// with beta = 0, gradient descent's 1 - 2r).
pub fn growth(edge_ratio: f64, beta: f64) -> f64 {
    let half = (1.0 + beta) * (0.5 - edge_ratio);
    let discriminant = half * half - beta;
    if discriminant < 0.0 { beta.sqrt() } else { half.abs() + discriminant.sqrt() }
}

/// Momentum's beta, from threshold times learning rate: that is 2 for gradient descent, 2 + 2 beta
/// for heavy ball and (2 + 2 beta)/(1 - beta) for momentum as a mean, which Adam's is. Below 2
/// (Nesterov, SAM) it counts as gradient descent, whose growth is a lower bound of theirs.
fn momentum(threshold_times_lr: f64) -> f64 {
    match threshold_times_lr {
        k if k > 4.0 => (k - 2.0) / (k + 2.0),
        k if k > 2.0 => k / 2.0 - 1.0,
        _ => 0.0,
    }
}

/// The optimizer's growth, as its user tells it or else as the rows let one guess.
#[derive(Clone, Default)]
pub(in crate::stability) struct Growth {
    told: Option<Arc<dyn Fn(f64) -> f64 + Send + Sync>>,
    /// What was told at the edge ratios 0, [`APART`], and so on: what is told may take the eigenvalues of a matrix.
    table: Arc<[f64]>,
}

/// From one edge ratio of the table to the next ...
const APART: f64 = 0.01;
/// ... up to this one.
const FARTHEST: f64 = 4.0;

impl Growth {
    /// Growth by `told`, a function of the edge ratio.
    pub fn new(told: impl Fn(f64) -> f64 + Send + Sync + 'static) -> Self {
        let last = (FARTHEST / APART).round() as usize;
        let table = (0..=last).map(|i| told(APART * i as f64)).collect();
        Self { told: Some(Arc::new(told)), table }
    }

    /// The factor at this edge ratio. Where none was told, or what was told is not a positive number,
    /// it is [`growth()`] with the momentum that `threshold_times_lr` lets one guess.
    pub fn at(&self, edge_ratio: f64, threshold_times_lr: f64) -> f64 {
        let told = self.told.as_ref().map(|told| told(edge_ratio));
        told.filter(|factor| factor.is_finite() && *factor > 0.0)
            .unwrap_or_else(|| growth(edge_ratio, momentum(threshold_times_lr)))
    }

    /// The same, between the values of a table where it was told: for the many ratios of a prediction.
    pub fn near(&self, edge_ratio: f64, threshold_times_lr: f64) -> f64 {
        let place = edge_ratio / APART;
        let between = self.table.get(place as usize).zip(self.table.get(place as usize + 1));
        match between {
            Some((below, above)) if edge_ratio >= 0.0 && below * above > 0.0 => {
                below + (above - below) * place.fract()
            }
            _ => self.at(edge_ratio, threshold_times_lr),
        }
    }
}

impl fmt::Debug for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.told.is_some() { "Growth(told)" } else { "Growth(guessed)" })
    }
}
