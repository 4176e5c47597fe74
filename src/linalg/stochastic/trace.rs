//! The trace of an operator from products with random vectors.

use rand::Rng;

use crate::error::Result;
use crate::linalg::estimate::SignScatter;
use crate::linalg::lanczos::krylov::orthogonalise;
use crate::linalg::operator::{check_finite, check_products};
use crate::linalg::{Estimate, SymmetricOperator, dot, norm, rademacher_vector};

/// A trace and what it cost.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct TraceEstimate {
    /// The trace with its standard error, of which two cover 95% ([`Estimate::covering`]); 0 where it is
    /// exact but for rounding.
    #[serde(flatten)]
    pub estimate: Estimate,
    /// Products with the operator.
    pub products: usize,
    /// Whether the standard error met the accuracy asked for.
    pub converged: bool,
}

/// Hutchinson's estimator (1990): the mean of z'Az over vectors z of random signs. Probes are added
/// until the standard error is at most `accuracy` times the trace's magnitude.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hutchinson {
    /// Probes taken at least; 2 for a standard error.
    pub least_probes: usize,
    /// Probes taken at most.
    pub most_probes: usize,
    /// Relative standard error asked for.
    pub accuracy: f64,
}

/// Hutch++ (Meyer, Musco, Musco and Woodruff 2021): the trace on the range of A S, S random signs,
/// is exact, and Hutchinson's estimator takes care of the rest, whose scatter is smaller where a few
/// eigenvalues dominate. Probes for the rest are added as in [`Hutchinson`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct HutchPlusPlus {
    /// Columns of S.
    pub rank: usize,
    /// How the rest is estimated.
    pub rest: Hutchinson,
}

impl Hutchinson {
    /// The trace of `operator`, with probes from `rng`.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] if a product is not finite, and whatever the operator reports.
    pub fn estimate<R: Rng>(
        &self,
        operator: &mut dyn SymmetricOperator,
        rng: &mut R,
    ) -> Result<TraceEstimate> {
        HutchPlusPlus { rank: 0, rest: *self }.estimate(operator, rng)
    }
}

impl HutchPlusPlus {
    /// The trace of `operator`, with probes from `rng`.
    ///
    /// # Errors
    /// [`crate::Error::NonFinite`] if a product is not finite, and whatever the operator reports.
    pub fn estimate<R: Rng>(
        &self,
        operator: &mut dyn SymmetricOperator,
        rng: &mut R,
    ) -> Result<TraceEstimate> {
        self.with(operator, rng, false)
    }

    /// The trace of the mean of `operator`, each of whose products is with a matrix drawn anew: the trace
    /// on the range is taken once for each probe, so that the scatter between probes holds that of the
    /// matrices. Takes `rank` products, and `rank` + 1 for each probe.
    ///
    /// # Errors
    /// As [`HutchPlusPlus::estimate`].
    pub fn estimate_of_mean<R: Rng>(
        &self,
        operator: &mut dyn SymmetricOperator,
        rng: &mut R,
    ) -> Result<TraceEstimate> {
        self.with(operator, rng, true)
    }

    fn with<R: Rng>(
        &self,
        operator: &mut dyn SymmetricOperator,
        rng: &mut R,
        drawn: bool,
    ) -> Result<TraceEstimate> {
        let n = operator.dim();
        let mut products = 0;
        let mut apply = |x: &[f64], y: &mut [f64]| -> Result<()> {
            products += 1;
            operator.apply(x, y)?;
            check_products(y)
        };
        let mut y = vec![0.0; n];

        // An orthonormal basis of A S; what is rounding of a vector that is in it already is left out.
        let mut basis: Vec<f64> = Vec::new();
        for _ in 0..self.rank.min(n) {
            apply(&rademacher_vector(n, rng), &mut y)?;
            let before = norm(&y);
            let after = if basis.is_empty() { before } else { orthogonalise(&mut y, &basis, n).1 };
            if after > 1e-10 * before {
                basis.extend(y.iter().map(|y| y / after));
            }
        }
        let on_basis = if drawn { 0.0 } else { trace_on(&basis, &mut apply, &mut y)? };

        let mut draws: Vec<f64> = Vec::new();
        let mut scatter = SignScatter::<1>::new();
        let estimate_of = |draws: &[f64], scatter: &SignScatter<1>| {
            let variance = scatter.covariance().map(|covariance| covariance[0][0]);
            let known = Estimate::covering(draws, variance);
            // The signs' own variance says nothing of how skew the matrices are.
            let sample = drawn.then(|| Estimate::covering(draws, None).standard_error).flatten();
            let standard_error = known.standard_error.map(|error| error.max(sample.unwrap_or(0.0)));
            Estimate { standard_error, ..known }
        };
        let converged = loop {
            let so_far = estimate_of(&draws, &scatter);
            if basis.len() == n * n && !drawn {
                break true;
            }
            if draws.len() >= self.rest.least_probes.max(1)
                && let Some(error) = so_far.standard_error
                && error <= self.rest.accuracy * (on_basis + so_far.value).abs()
            {
                break true;
            }
            if draws.len() >= self.rest.most_probes {
                break false;
            }
            let signs = rademacher_vector(n, rng);
            let mut z = signs.clone();
            if !basis.is_empty() {
                orthogonalise(&mut z, &basis, n);
            }
            let share = if drawn { trace_on(&basis, &mut apply, &mut y)? } else { 0.0 };
            apply(&z, &mut y)?;
            draws.push(share + dot(&z, &y));
            // The matrix that the signs meet is projected from both sides.
            if !basis.is_empty() {
                orthogonalise(&mut y, &basis, n);
            }
            scatter.add([signs.iter().zip(&y).map(|(sign, y)| sign * y).collect()]);
        };
        let rest = match draws.is_empty() {
            // Without probes nothing is known of the rest, unless there is none.
            true => Estimate { value: 0.0, standard_error: converged.then_some(0.0) },
            false => estimate_of(&draws, &scatter),
        };
        let estimate = Estimate { value: on_basis + rest.value, ..rest };
        Ok(TraceEstimate { estimate, products, converged })
    }
}

/// The sum of q'Aq over the columns q of `basis`, each as long as `y`.
fn trace_on(
    basis: &[f64],
    apply: &mut impl FnMut(&[f64], &mut [f64]) -> Result<()>,
    y: &mut [f64],
) -> Result<f64> {
    let mut sum = 0.0;
    for q in basis.chunks_exact(y.len()) {
        apply(q, y)?;
        sum += dot(q, y);
    }
    Ok(sum)
}

/// The trace from the diagonal, one product for each of the n coordinates: for small operators.
///
/// # Errors
/// [`crate::Error::NonFinite`] if a product is not finite, and whatever the operator reports.
pub fn exact_trace(operator: &mut dyn SymmetricOperator) -> Result<TraceEstimate> {
    let n = operator.dim();
    let (mut x, mut y) = (vec![0.0; n], vec![0.0; n]);
    let mut value = 0.0;
    for i in 0..n {
        x[i] = 1.0;
        operator.apply(&x, &mut y)?;
        value += y[i];
        x[i] = 0.0;
    }
    check_finite(&[value])?;
    let estimate = Estimate { value, standard_error: Some(0.0) };
    Ok(TraceEstimate { estimate, products: n, converged: true })
}
