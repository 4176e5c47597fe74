//! A normal form for networks whose units may be scaled.

use super::UnitMove;
use super::symmetry::{Group, Rearrangement, Symmetry};
use crate::autodiff::Side;
use crate::error::Result;
use crate::linalg::norm;

const SWEEPS: usize = 1000;
/// Factors this near to 1 are none.
const NEAR: f64 = 1e-13;

/// The scales at which the parameters that make a unit are as large as those that read it: the point of
/// the least norm among all scalings (a convex problem in their logarithms), solved unit after unit.
/// Units that nothing makes or nothing reads stay.
///
/// # Errors
/// As [`Symmetry::apply`].
pub(super) fn balanced(symmetry: &Symmetry, theta: &[f64]) -> Result<(Rearrangement, Vec<f64>)> {
    let mut total = symmetry.identity();
    let mut theta = theta.to_vec();
    for _ in 0..SWEEPS {
        let mut farthest: f64 = 0.0;
        for (index, group) in symmetry.groups.iter().enumerate().filter(|(_, g)| g.scales) {
            let scaling = scaling(group, &theta);
            let far = |most: f64, f: &f64| most.max((f - 1.0).abs());
            farthest = scaling.factors.iter().fold(farthest, far);
            group.apply(&scaling, &mut theta);
            total.then(index, &scaling);
        }
        if farthest < NEAR {
            break;
        }
    }
    Ok((total, theta))
}

fn scaling(group: &Group, theta: &[f64]) -> UnitMove {
    let norms = |side| {
        let (units, length) = group.units(theta, Some(side));
        let norms: Vec<f64> = units.chunks_exact(length.max(1)).map(norm).collect();
        norms
    };
    let factor = |(makes, reads): (f64, f64)| {
        let factor = (reads / makes).sqrt();
        if factor.is_finite() && factor > 0.0 { factor } else { 1.0 }
    };
    let factors = norms(Side::Makes).into_iter().zip(norms(Side::Reads)).map(factor);
    UnitMove {
        group: group.name.clone(),
        from: (0..group.units).collect(),
        factors: factors.collect(),
    }
}
