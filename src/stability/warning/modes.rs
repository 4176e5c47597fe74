//! The modes of the local quadratic that a row knows.

use crate::record::StepRow;
use crate::stability::edge::edge_of;

/// One mode: an eigenvector of the operator that the threshold bounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Mode {
    /// Its eigenvalue over the threshold.
    pub edge_ratio: f64,
    /// What it adds to the loss: c^2/(2 lambda), c the gradient along it.
    pub energy: f64,
}

/// The modes of a row, that of the largest eigenvalue first; none where it has no edge ratio.
pub(super) fn modes_of(row: &StepRow) -> Vec<Mode> {
    let Some((sharpness, threshold, edge_ratio)) = edge_of(row) else { return Vec::new() };
    // Rows of earlier versions know the gradient along the top eigenvector of the Hessian alone.
    let along = || Some(vec![row.grad_norm? * row.gradient_alignment?]);
    let components = match row.gradient_component.is_empty() {
        true => along().unwrap_or_default(),
        false => row.gradient_component.clone(),
    };
    let shift = sharpness - row.lambda.first().copied().unwrap_or(sharpness);
    let eigenvalue = |i: usize| match i {
        0 => Some(sharpness),
        // With a preconditioner there is but one component.
        _ => row.lambda.get(i).map(|lambda| lambda + shift),
    };
    let mode = |(i, c): (usize, &f64)| {
        let lambda = eigenvalue(i)?;
        let energy = c * c / (2.0 * lambda);
        let edge_ratio = if i == 0 { edge_ratio } else { lambda / threshold };
        (lambda > 0.0 && energy.is_finite()).then_some(Mode { edge_ratio, energy })
    };
    components.iter().enumerate().filter_map(mode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_has_its_ratio_and_energy() {
        let row = StepRow {
            sharpness: Some(8.0),
            lambda: vec![8.0, 4.0, 2.0],
            preconditioned_sharpness: Some(9.0),
            threshold: Some(10.0),
            edge_ratio: Some(0.9),
            gradient_component: vec![3.0, 1.0],
            ..StepRow::default()
        };
        let modes = modes_of(&row);
        assert_eq!(modes.len(), 2);
        assert_eq!(modes[0], Mode { edge_ratio: 0.9, energy: 0.5 });
        // Weight decay of 1 is in the operator: 4 + 1.
        assert_eq!(modes[1], Mode { edge_ratio: 0.5, energy: 0.1 });

        let earlier = StepRow {
            gradient_component: Vec::new(),
            grad_norm: Some(6.0),
            gradient_alignment: Some(0.5),
            ..row.clone()
        };
        assert_eq!(modes_of(&earlier), modes[..1]);
        assert!(modes_of(&StepRow { threshold: None, ..row }).is_empty());
    }
}
