//! The curvature that spectral descent may meet.

use super::{At, Measured};
use crate::curvature::{Hessian, UnitBall};
use crate::error::Result;
use crate::linalg::rademacher_vector;
use crate::rng::{self, Stream};

/// Searches from random directions, besides those that are at hand.
const RANDOM_STARTS: usize = 4;
/// Most steps of a search.
const STEPS: usize = 20;

/// max d'Hd over d whose matrices, one a layer, have singular values of at most 1, as the largest that a search
/// from several starts meets: a lower bound. Beside it the edge of w -= eta U V', G = U S V' being the
/// gradient's matrices, 2 sum ||G||_*/eta; where the step has the nuclear norm as a factor it is 2/eta
/// (Islamov et al. 2026).
pub(super) fn measure(at: At<'_>) -> Result<Measured> {
    let ball = UnitBall::spectral(at.objective.layout());
    within(&ball, at)
}

/// The same over any ball, and 2 ||g||_*/eta with the dual of its norm.
pub(super) fn within(ball: &UnitBall, at: At<'_>) -> Result<Measured> {
    let mut rng = rng::stream(at.seed, Stream::Restarts { step: at.row.step as u32 });
    let at_hand = [at.gradient].into_iter().chain(at.update).chain(at.eigenvectors.iter().copied());
    let mut starts: Vec<f64> = at_hand.flatten().copied().collect();
    for _ in 0..RANDOM_STARTS {
        starts.extend(rademacher_vector(at.theta.len(), &mut rng));
    }
    let found = ball.sharpness(&mut Hessian::new(at.objective), &starts, STEPS)?;
    let edge = 2.0 * ball.dual_norm(at.gradient)? / at.row.lr;
    let values = vec![Some(found.sharpness), Some(edge).filter(|edge| edge.is_finite())];
    Ok(Measured { values, products: found.products })
}
