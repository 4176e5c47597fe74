//! What the recurrence of a Gauss quadrature proves about the mass below a point.
//!
//! m steps of the Lanczos recurrence know the moments of a measure up to 2m. The rule of m + 1 nodes that
//! has these moments and a node at x (Golub 1973, Some modified matrix eigenvalue problems, section 7)
//! brackets every such measure's mass: below x there is at least the weight of the nodes below x, and up
//! to x at most that and the weight at x (inequalities of Chebyshev, Markov and Stieltjes; Szegő,
//! Orthogonal Polynomials, theorem 3.41.1; Golub and Meurant 2010, chapter 6). No measure with these
//! moments is refused by it, so that without further products nothing narrower can be claimed.

use crate::error::Result;
use crate::linalg::dense::tridiagonal_eigen;

/// The recurrence that a quadrature comes from, where its Krylov space was not yet invariant.
#[derive(Debug, Clone, PartialEq)]
pub struct Recurrence {
    /// The m diagonal entries of the tridiagonal matrix.
    pub diagonal: Vec<f64>,
    /// Its m - 1 subdiagonal entries, and the one that leads out of the space.
    pub subdiagonal: Vec<f64>,
}

impl Recurrence {
    /// The least and the largest mass, of measures with these moments, below `x` and up to it; `nodes`
    /// and `weights` are the Gauss rule's, ascending.
    ///
    /// # Errors
    /// [`crate::Error::Numerical`] if the small eigenproblem does not converge.
    pub(in crate::linalg) fn mass_below(
        &self,
        x: f64,
        nodes: &[f64],
        weights: &[f64],
    ) -> Result<[f64; 2]> {
        /// Nodes nearer to x than this, in units of the largest entry, are at x but for rounding.
        const ROUNDING: f64 = 1e-12;
        /// A last entry beyond this multiple of the others is a node at infinity, without weight: x is
        /// a node of the Gauss rule.
        const INFINITE: f64 = 1e8;
        let entries = self.diagonal.iter().chain(&self.subdiagonal);
        let scale = entries.fold(x.abs(), |scale: f64, entry| scale.max(entry.abs()));
        let last = self.last_entry(x);
        let at = |nodes: &[f64], weights: &[f64], reach: f64| {
            let up_to = |end: f64| {
                let pairs = nodes.iter().zip(weights);
                pairs.filter(|(node, _)| **node < end).map(|(_, weight)| weight).sum::<f64>()
            };
            [up_to(x - reach).clamp(0.0, 1.0), up_to(x + reach).clamp(0.0, 1.0)]
        };
        let reach = ROUNDING * scale;
        if last.is_some_and(|last| last.abs() <= INFINITE * scale) {
            let diagonal: Vec<f64> = self.diagonal.iter().copied().chain(last).collect();
            let rule = tridiagonal_eigen(&diagonal, &self.subdiagonal)?;
            let weights: Vec<f64> =
                (0..rule.values.len()).map(|i| rule.vector(i)[0].powi(2)).collect();
            let nearest = nearest(&rule.values, x);
            return Ok(at(&rule.values, &weights, nearest.max(reach) * (1.0 + ROUNDING)));
        }
        Ok(at(nodes, weights, nearest(nodes, x).max(reach) * (1.0 + ROUNDING)))
    }

    /// The last diagonal entry that gives the matrix with one row more the eigenvalue x:
    /// x + beta_m^2 [(T - x)^-1]_mm, by the pivots of T - x. None where x is an eigenvalue of T.
    fn last_entry(&self, x: f64) -> Option<f64> {
        let mut beta = 0.0;
        let mut pivot = 1.0;
        for (diagonal, next) in self.diagonal.iter().zip(&self.subdiagonal) {
            let before: f64 = if pivot == 0.0 { f64::MIN_POSITIVE } else { pivot };
            pivot = diagonal - x - beta / before;
            beta = next * next;
        }
        let entry = x + beta / pivot;
        entry.is_finite().then_some(entry)
    }
}

/// How far the nearest node is from x.
fn nearest(nodes: &[f64], x: f64) -> f64 {
    nodes.iter().fold(f64::INFINITY, |least, node| least.min((node - x).abs()))
}
