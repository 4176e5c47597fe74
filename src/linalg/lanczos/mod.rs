//! The block Lanczos method with full reorthogonalisation.
//!
//! An eigenpair (theta, s) of the block tridiagonal T of the recurrence ([`BlockKrylov`]) gives
//! the Ritz pair (theta, Q s) of A, whose residual is ||A Q s - theta Q s|| = ||R s_last||
//! (Saad, Numerical Methods for Large Eigenvalue Problems, 2011, section 6.6).
//!
//! What is promised: each returned pair is an eigenpair to within its residual. A small residual does
//! not prove that it is the largest. From one start vector an eigenvalue is skipped where that vector
//! holds next to nothing of its eigenvector, and a repeated eigenvalue is seen once. From
//! [`Lanczos::starts`] random vectors, one more than pairs are wanted, an eigenvalue is found as often as
//! it is wanted, and skipped only where all of the vectors are nearly orthogonal to it: if one vector is with
//! probability p, then b of them are with p^b. Besides, a *guard* pair, the next one inwards, must converge too before
//! the solver stops, since a Ritz pair can settle on the second eigenvalue for a few iterations.

mod block_krylov;
pub(super) mod krylov;

use self::block_krylov::BlockKrylov;
use super::dense::{EigenDecomposition, matrix_vector};
use super::norm;
use super::{EigenSolver, Method, SymmetricOperator};
use crate::error::{Error, Result};

/// Settings of the solver; see [`Lanczos::solve`].
///
/// ```
/// use sharpscope::linalg::{DenseOperator, Lanczos, random_unit_vectors};
/// use sharpscope::rng::{Stream, stream};
///
/// // Any `SymmetricOperator` will do; this one has the eigenvalues 2 - √2, 2 and 2 + √2.
/// let entries = vec![2.0, -1.0, 0.0, -1.0, 2.0, -1.0, 0.0, -1.0, 2.0];
/// let mut operator = DenseOperator::new(3, entries)?;
/// let lanczos = Lanczos { largest: 1, smallest: 1, tolerance: 1e-6, max_iterations: 100 };
/// let mut rng = stream(0, Stream::Krylov { step: 0 });
/// let start = random_unit_vectors(3, lanczos.starts(), &mut rng);
/// let found = lanczos.solve(&mut operator, &start)?;
/// assert!((found.largest[0].value - (2.0 + 2.0_f64.sqrt())).abs() < 1e-9);
/// assert!((found.smallest[0].value - (2.0 - 2.0_f64.sqrt())).abs() < 1e-9);
/// # Ok::<(), sharpscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lanczos {
    /// How many of the algebraically largest eigenpairs are wanted.
    pub largest: usize,
    /// How many of the algebraically smallest eigenpairs are wanted.
    pub smallest: usize,
    /// Relative residual at which a pair has converged.
    pub tolerance: f64,
    /// Most products with the operator; also the most basis vectors held.
    pub max_iterations: usize,
}

/// Why the solver stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// Every wanted pair met the tolerance.
    Converged,
    /// The basis spans an invariant subspace (or the whole space): its pairs are exact.
    InvariantSubspace,
    /// The iteration limit was reached first.
    IterationLimit,
}

impl std::fmt::Display for StopReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            StopReason::Converged => "converged",
            StopReason::InvariantSubspace => "invariant subspace",
            StopReason::IterationLimit => "iteration limit",
        })
    }
}

/// An approximate eigenpair.
#[derive(Debug, Clone, PartialEq)]
pub struct EigenPair {
    /// The Ritz value.
    pub value: f64,
    /// The Ritz vector, of unit length n.
    pub vector: Vec<f64>,
    /// `||A u - value u||` relative to `|value|` for the largest pairs, and relative to the largest
    /// Ritz value in magnitude for the smallest, whose own magnitude may be zero.
    pub residual: f64,
    /// Whether the residual met the tolerance.
    pub converged: bool,
}

/// What [`Lanczos::solve`] found.
#[derive(Debug, Clone, PartialEq)]
pub struct LanczosOutcome {
    /// The largest pairs, largest first.
    pub largest: Vec<EigenPair>,
    /// The smallest pairs, smallest first.
    pub smallest: Vec<EigenPair>,
    /// Why the iteration ended.
    pub stop: StopReason,
    /// Products with the operator.
    pub applications: usize,
    /// In how many blocks they were taken.
    pub passes: usize,
}

/// Pairs beyond the wanted ones that must converge at the same end.
const GUARDS: usize = 1;

pub(super) const METHOD: Method =
    Method { both_ends: true, cold: |wanted| Box::new(Lanczos::from(wanted)), follow: None };

impl EigenSolver for Lanczos {
    fn starts(&self) -> usize {
        Lanczos::starts(self)
    }

    fn solve(&self, operator: &mut dyn SymmetricOperator, start: &[f64]) -> Result<LanczosOutcome> {
        Lanczos::solve(self, operator, start)
    }
}

impl Lanczos {
    /// A limit of products that is seldom met for `wanted` pairs at one end: twenty blocks, and at least 100
    /// products. (Small networks took about eight blocks to a residual of 1e-3.)
    pub fn usual_limit(wanted: usize) -> usize {
        wanted.saturating_add(1).saturating_mul(20).max(100)
    }

    /// How many random start vectors find repeated eigenvalues as often as they are wanted, and skip
    /// none: one more than the pairs wanted at one end.
    pub fn starts(&self) -> usize {
        self.largest.max(self.smallest) + 1
    }

    /// Runs the method on `operator` from the columns of `start` (n x b, b at least 1, of any lengths above
    /// zero); see [`Lanczos::starts`] for how many there should be.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if `start` does not fit, [`crate::Error::Numerical`] if a column is zero or
    /// not finite, [`crate::Error::NonFinite`] if a product has an infinite or undefined entry, and
    /// whatever the operator reports.
    pub fn solve(
        &self,
        operator: &mut dyn SymmetricOperator,
        start: &[f64],
    ) -> Result<LanczosOutcome> {
        Ok(self.solve_with_products(operator, start, 0)?.0)
    }

    /// As [`Lanczos::solve`], with the `kept` largest Ritz vectors, converged or not, largest first,
    /// each with its product with the operator, which the recurrence knows:
    /// A Q s = theta Q s + Q_{j+1} R s_last.
    ///
    /// # Errors
    /// As [`Lanczos::solve`].
    pub(super) fn solve_with_products(
        &self,
        operator: &mut dyn SymmetricOperator,
        start: &[f64],
        kept: usize,
    ) -> Result<(LanczosOutcome, Vec<RitzProduct>)> {
        let n = operator.dim();
        if start.is_empty() || !start.len().is_multiple_of(n.max(1)) {
            let (found, expected) = (start.len(), n * (start.len() / n.max(1)).max(1));
            return Err(Error::Length { what: "start vectors", found, expected });
        }
        let limit = self.max_iterations.clamp(1, n);
        let mut krylov = BlockKrylov::new(n, &start[..start.len().min(limit * n)])?;
        loop {
            let before = krylov.len();
            let exhausted = krylov.extend(operator)?;
            let m = krylov.len();
            let last = m + krylov.width() > limit;
            if exhausted || last || self.is_checked(before, m) {
                let ritz = krylov.ritz()?;
                let stop = if exhausted {
                    Some(StopReason::InvariantSubspace)
                } else if self.all_converged(&ritz, &krylov) {
                    Some(StopReason::Converged)
                } else if last {
                    Some(StopReason::IterationLimit)
                } else {
                    None
                };
                if let Some(stop) = stop {
                    let products = ritz_products(&ritz, &krylov, kept);
                    return Ok((self.outcome(&ritz, &krylov, stop), products));
                }
            }
        }
    }

    /// The small eigenproblem costs O(m^3), so that it is not solved after every late step.
    fn is_checked(&self, before: usize, m: usize) -> bool {
        m >= self.guarded(self.largest) + self.guarded(self.smallest)
            && (m < 48 || m / 8 > before / 8)
    }

    fn guarded(&self, wanted: usize) -> usize {
        if wanted == 0 { 0 } else { wanted + GUARDS }
    }

    fn all_converged(&self, ritz: &EigenDecomposition, krylov: &BlockKrylov) -> bool {
        let m = ritz.values.len();
        // The guard at the top may lie near zero: it is measured by the last wanted value.
        let least = match self.largest {
            0 => 0.0,
            wanted => ritz.values[m.saturating_sub(wanted)].abs(),
        };
        extremes(ritz, self.guarded(self.largest), self.guarded(self.smallest)).all(|(i, scale)| {
            let is_guard = i + self.largest < m;
            let scale = if is_guard { scale.max(least) } else { scale };
            relative_residual(ritz, i, krylov, scale) <= self.tolerance
        })
    }

    fn outcome(
        &self,
        ritz: &EigenDecomposition,
        krylov: &BlockKrylov,
        stop: StopReason,
    ) -> LanczosOutcome {
        let m = ritz.values.len();
        let (q, n) = (krylov.basis(), krylov.basis().nrows());
        let mut largest: Vec<EigenPair> = extremes(ritz, self.largest, self.smallest)
            .map(|(i, scale)| {
                let mut vector = vec![0.0; n];
                matrix_vector(&mut vector, q, ritz.vector(i), 1.0, false);
                let residual = relative_residual(ritz, i, krylov, scale);
                EigenPair {
                    value: ritz.values[i],
                    vector,
                    residual,
                    converged: residual <= self.tolerance,
                }
            })
            .collect();
        let smallest = largest.split_off(self.largest.min(m));
        LanczosOutcome { largest, smallest, stop, applications: m, passes: krylov.passes() }
    }
}

/// A Ritz vector and its product with the operator.
pub(super) type RitzProduct = (Vec<f64>, Vec<f64>);

fn ritz_products(ritz: &EigenDecomposition, krylov: &BlockKrylov, kept: usize) -> Vec<RitzProduct> {
    let (m, n) = (ritz.values.len(), krylov.basis().nrows());
    let product = |i: usize| {
        let (value, s) = (ritz.values[i], ritz.vector(i));
        let mut x = vec![0.0; n];
        matrix_vector(&mut x, krylov.basis(), s, 1.0, false);
        let mut ax: Vec<f64> = x.iter().map(|x| value * x).collect();
        if krylov.width() > 0 {
            matrix_vector(&mut ax, krylov.next(), &krylov.left_over(s), 1.0, true);
        }
        (x, ax)
    };
    (m.saturating_sub(kept)..m).rev().map(product).collect()
}

/// Indices of Ritz pairs, the `largest` from the top and then the `smallest` from the bottom, each
/// with the magnitude that its residual is relative to.
fn extremes(
    ritz: &EigenDecomposition,
    largest: usize,
    smallest: usize,
) -> impl Iterator<Item = (usize, f64)> {
    let m = ritz.values.len();
    let magnitude = ritz.values[0].abs().max(ritz.values[m - 1].abs());
    let from_top = (m.saturating_sub(largest)..m).rev();
    let from_bottom = 0..smallest.min(m);
    from_top.map(|i| (i, ritz.values[i].abs())).chain(from_bottom.map(move |i| (i, magnitude)))
}

/// ||R s_last|| / scale; an exact pair has residual 0 whatever its value.
fn relative_residual(ritz: &EigenDecomposition, i: usize, krylov: &BlockKrylov, scale: f64) -> f64 {
    let absolute = norm(&krylov.left_over(ritz.vector(i)));
    if absolute == 0.0 { 0.0 } else { absolute / scale }
}
