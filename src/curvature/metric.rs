//! The metric of a preconditioner.

use crate::error::{Result, check_length};
use crate::optim::{Basis, StabilityOperator};

/// The length that a preconditioner P, diagonal in known coordinates, gives to vectors of dimension P;
/// without one the usual length.
#[derive(Debug, Clone)]
pub struct Metric {
    /// The diagonal of P^-1/2 in the coordinates where it is diagonal; `None` for the identity.
    inverse_root: Option<Vec<f64>>,
    basis: Option<Basis>,
    dim: usize,
}

impl Metric {
    /// That of the operator's preconditioner, for vectors of length `dim`.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if the preconditioner has another length.
    pub fn of(operator: &StabilityOperator, dim: usize) -> Result<Self> {
        let inverse_root = match &operator.preconditioner {
            Some(p) => {
                check_length("preconditioner", p.len(), dim)?;
                Some(p.iter().map(|p| 1.0 / p.sqrt()).collect())
            }
            None => None,
        };
        Ok(Self { inverse_root, basis: operator.basis.clone(), dim })
    }

    /// P^-1/2 times each vector of a block (length P each), in place.
    pub fn shorten(&self, block: &mut [f64]) {
        self.scale(block, |x, d| x * d);
    }

    /// P^1/2 times each vector of a block, in place.
    pub fn lengthen(&self, block: &mut [f64]) {
        self.scale(block, |x, d| x / d);
    }

    fn scale(&self, block: &mut [f64], by: impl Fn(f64, f64) -> f64) {
        let Some(inverse_root) = &self.inverse_root else { return };
        if let Some(basis) = &self.basis {
            basis.enter(block, self.dim);
        }
        block.iter_mut().zip(inverse_root.iter().cycle()).for_each(|(x, d)| *x = by(*x, *d));
        if let Some(basis) = &self.basis {
            basis.leave(block, self.dim);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_lengthens_what_it_shortened() {
        let operator =
            StabilityOperator { preconditioner: Some(vec![4.0, 0.25]), ..Default::default() };
        let metric = Metric::of(&operator, 2).unwrap();
        let mut block = [1.0, 1.0, -2.0, 3.0];
        metric.shorten(&mut block);
        assert_eq!(block, [0.5, 2.0, -1.0, 6.0]);
        metric.lengthen(&mut block);
        assert_eq!(block, [1.0, 1.0, -2.0, 3.0]);
        assert!(Metric::of(&operator, 3).is_err());
    }
}
