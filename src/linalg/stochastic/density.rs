//! The density of eigenvalues by stochastic Lanczos quadrature (Ubaru, Chen and Saad 2017).
//!
//! A probe of random signs, scaled to unit length, starts the Lanczos recurrence; the eigenvalues
//! theta_i of its tridiagonal matrix, weighted by the squared first components of their vectors, are
//! a Gauss quadrature of the spectrum as that probe sees it. The mean over probes of
//! sum_i w_i N(lambda; theta_i, sigma^2) is the density; every average of a function of the
//! eigenvalues comes from the same nodes, and its standard error from the scatter over probes. What that
//! scatter does not show is in the errors of `stated`.

use rand::Rng;

use super::bracket::Recurrence;
use crate::error::{Error, Result};
use crate::linalg::dense::{matrix_vector, tridiagonal_eigen};
use crate::linalg::estimate::SignScatter;
use crate::linalg::lanczos::krylov::Krylov;
use crate::linalg::{Estimate, SymmetricOperator, rademacher_vector};

/// Settings of the quadrature; see [`StochasticLanczos::run`].
///
/// ```
/// use sharpscope::linalg::{DenseOperator, StochasticLanczos};
/// use sharpscope::rng::{Stream, stream};
///
/// let mut operator = DenseOperator::new(3, vec![1.0, 0.0, 0.0, 0.0, 2.0, 0.0, 0.0, 0.0, 3.0])?;
/// let mut rng = stream(0, Stream::Probes { step: 0 });
/// let density = StochasticLanczos { probes: 2, iterations: 3 }.run(&mut operator, &mut rng)?;
/// // Sums over the eigenvalues: the trace.
/// assert!((density.sum(|lambda| lambda).value - 6.0).abs() < 1e-9);
/// assert!(density.at(2.0, 0.1) > density.at(2.5, 0.1));
/// # Ok::<(), sharpscope::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StochasticLanczos {
    /// Probes, at least 1; a standard error needs 2.
    pub probes: usize,
    /// Lanczos steps for each, at least 1; also the basis vectors held.
    pub iterations: usize,
}

/// The spectrum as one probe sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Quadrature {
    /// The nodes, ascending.
    pub nodes: Vec<f64>,
    /// Their weights, whose sum is 1.
    pub weights: Vec<f64>,
    /// Where they come from; `None` where the Krylov space was invariant, so that they are eigenvalues
    /// with the probe's own weights.
    pub recurrence: Option<Recurrence>,
}

/// The spectrum as all probes see it.
#[derive(Debug, Clone, PartialEq)]
pub struct SpectralDensity {
    /// Dimension of the operator.
    pub dim: usize,
    /// One quadrature for each probe.
    pub probes: Vec<Quadrature>,
    /// Products with the operator.
    pub products: usize,
    /// The covariances, over probes z of random signs, of z'Az and z'A^2z, estimated coordinate by
    /// coordinate; `None` from a single probe or a single step.
    pub signs: Option<[[f64; 2]; 2]>,
}

/// Most probes multiplied at once, and the bytes that their bases may take together (one probe's is
/// always allowed).
const MOST_AT_ONCE: usize = 4;
const MOST_BYTES: usize = 1 << 30;

impl StochasticLanczos {
    /// Probes that take their products together. Each holds a basis of `iterations` vectors of length
    /// `dim` in double precision.
    fn at_once(&self, dim: usize) -> usize {
        let basis = dim.saturating_mul(self.iterations).saturating_mul(size_of::<f64>()).max(1);
        (MOST_BYTES / basis).clamp(1, MOST_AT_ONCE)
    }

    /// Runs the method on `operator` with probes drawn from `rng`.
    ///
    /// # Errors
    /// [`Error::Numerical`] without probes or steps, [`Error::NonFinite`] if a product has an
    /// infinite or undefined entry, and whatever the operator reports.
    pub fn run<R: Rng>(
        &self,
        operator: &mut dyn SymmetricOperator,
        rng: &mut R,
    ) -> Result<SpectralDensity> {
        self.check()?;
        let dim = operator.dim();
        let mut gathered = Gathered::new(dim);
        let mut left = self.probes;
        while left > 0 {
            let count = left.min(self.at_once(dim));
            left -= count;
            let bases = (0..count).map(|_| Krylov::new(dim, &rademacher_vector(dim, rng)));
            for krylov in self.extend_together(operator, bases.collect::<Result<_>>()?)? {
                gathered.take(&krylov)?;
            }
        }
        Ok(gathered.finish())
    }

    /// Runs the method with an operator of its own for each probe, as `operator_of` its number makes it:
    /// where these are draws, the scatter between probes holds theirs.
    ///
    /// # Errors
    /// As [`StochasticLanczos::run`].
    pub fn run_each<'a, R: Rng>(
        &self,
        mut operator_of: impl FnMut(usize) -> Result<Box<dyn SymmetricOperator + 'a>>,
        rng: &mut R,
    ) -> Result<SpectralDensity> {
        self.check()?;
        let mut gathered = Gathered::new(0);
        for probe in 0..self.probes {
            let mut operator = operator_of(probe)?;
            gathered.density.dim = operator.dim();
            let start = rademacher_vector(operator.dim(), rng);
            let bases = vec![Krylov::new(operator.dim(), &start)?];
            for krylov in self.extend_together(&mut *operator, bases)? {
                gathered.take(&krylov)?;
            }
        }
        Ok(gathered.finish())
    }

    fn check(&self) -> Result<()> {
        if self.probes == 0 || self.iterations == 0 {
            let reason = "it needs at least one probe and one step".to_string();
            return Err(Error::Numerical { what: "a spectral density", reason });
        }
        Ok(())
    }

    /// Extends each basis to its full length, or until it is invariant.
    fn extend_together(
        &self,
        operator: &mut dyn SymmetricOperator,
        mut bases: Vec<Krylov>,
    ) -> Result<Vec<Krylov>> {
        let mut ended = vec![false; bases.len()];
        for _ in 0..self.iterations {
            let mut open: Vec<(&mut Krylov, &mut bool)> =
                bases.iter_mut().zip(&mut ended).filter(|(_, ended)| !**ended).collect();
            if open.is_empty() {
                break;
            }
            let mut x = Vec::new();
            for (krylov, _) in &mut open {
                krylov.advance();
                x.extend_from_slice(krylov.last());
            }
            let mut y = vec![0.0; x.len()];
            operator.apply_block(&x, &mut y)?;
            for ((krylov, ended), product) in open.into_iter().zip(y.chunks_exact(operator.dim())) {
                *ended = krylov.absorb(product.to_vec())?;
            }
        }
        Ok(bases)
    }
}

/// A density in the making.
struct Gathered {
    density: SpectralDensity,
    /// `None` once a probe has not told.
    scatter: Option<SignScatter<2>>,
}

impl Gathered {
    fn new(dim: usize) -> Self {
        let density = SpectralDensity { dim, probes: Vec::new(), products: 0, signs: None };
        Self { density, scatter: Some(SignScatter::new()) }
    }

    /// Takes a probe's finished basis.
    fn take(&mut self, krylov: &Krylov) -> Result<()> {
        self.density.products += krylov.len();
        match (&mut self.scatter, sign_products(krylov)) {
            (Some(scatter), Some(products)) => scatter.add(products),
            _ => self.scatter = None,
        }
        let ritz = tridiagonal_eigen(krylov.diagonal(), krylov.subdiagonal())?;
        let weights = (0..ritz.values.len()).map(|i| ritz.vector(i)[0].powi(2)).collect();
        let subdiagonal = krylov.subdiagonal().iter().copied().chain([krylov.beta()]);
        let recurrence = (krylov.beta() > 0.0).then(|| Recurrence {
            diagonal: krylov.diagonal().to_vec(),
            subdiagonal: subdiagonal.collect(),
        });
        self.density.probes.push(Quadrature { nodes: ritz.values, weights, recurrence });
        Ok(())
    }

    fn finish(mut self) -> SpectralDensity {
        self.density.signs = self.scatter.and_then(|scatter| scatter.covariance());
        self.density
    }
}

/// z * Az and z * A^2z for the probe z = sqrt(n) q_1, from the basis: A q_1 = Q T e_1 and
/// A^2 q_1 = Q T^2 e_1, whose last term may lie just beyond the basis. `None` where A^2 q_1 is not known.
fn sign_products(krylov: &Krylov) -> Option<[Vec<f64>; 2]> {
    let (a, b, basis) = (krylov.diagonal(), krylov.subdiagonal(), krylov.basis());
    let n = basis.nrows();
    let m = krylov.len().min(3);
    let (once, twice) = match m {
        1 if krylov.beta() == 0.0 => (vec![a[0]], vec![a[0] * a[0]]),
        1 => return None,
        2 => (vec![a[0], b[0]], vec![a[0] * a[0] + b[0] * b[0], b[0] * (a[0] + a[1])]),
        _ => (
            vec![a[0], b[0], 0.0],
            vec![a[0] * a[0] + b[0] * b[0], b[0] * (a[0] + a[1]), b[0] * b[1]],
        ),
    };
    let start = basis.col(0);
    let product = |coefficients: &[f64], beyond: f64| {
        let mut y = vec![0.0; n];
        matrix_vector(&mut y, basis.subcols(0, m), coefficients, n as f64, false);
        if beyond > 0.0 {
            y.iter_mut().zip(krylov.rest()).for_each(|(y, rest)| *y += n as f64 * beyond * rest);
        }
        y.iter_mut().zip(start.iter()).for_each(|(y, q)| *y *= q);
        y
    };
    let beyond = if m == 2 && krylov.beta() > 0.0 { b[0] } else { 0.0 };
    Some([product(&once, 0.0), product(&twice, beyond)])
}

impl Quadrature {
    /// The mean of f over the spectrum, as this probe sees it.
    pub(in crate::linalg) fn mean(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.nodes.iter().zip(&self.weights).map(|(&node, weight)| weight * f(node)).sum()
    }
}

impl SpectralDensity {
    /// The smallest and the largest node.
    pub fn range(&self) -> (f64, f64) {
        let nodes = || self.probes.iter().flat_map(|probe| &probe.nodes);
        let low = nodes().fold(f64::INFINITY, |low, &node| low.min(node));
        (low, nodes().fold(f64::NEG_INFINITY, |high, &node| high.max(node)))
    }

    /// A width that suits the range: one hundredth of it, or of the magnitude where all eigenvalues
    /// are the same.
    pub fn default_sigma(&self) -> f64 {
        // Nodes that differ by less than this differ by rounding, in single precision too.
        const ROUNDING: f64 = 1e-6;
        let (low, high) = self.range();
        let (range, magnitude) = (high - low, low.abs().max(high.abs()));
        let scale = if range > ROUNDING * magnitude { range } else { magnitude };
        // Denormal numbers are too few to tell a hundredth of themselves.
        (0.01 * if scale > 0.0 { scale } else { 1.0 }).max(f64::MIN_POSITIVE)
    }

    /// The density at `lambda`, smoothed by a Gaussian of standard deviation `sigma` (in units of
    /// eigenvalues). Its integral over all lambda is 1.
    pub fn at(&self, lambda: f64, sigma: f64) -> f64 {
        let gaussian = |node: f64| (-0.5 * ((lambda - node) / sigma).powi(2)).exp();
        let total: f64 = self.probes.iter().map(|probe| probe.mean(gaussian)).sum();
        total / (self.probes.len() as f64 * sigma * (2.0 * std::f64::consts::PI).sqrt())
    }

    /// The smoothed density on a grid fine enough that the trapezoidal rule integrates it to 1
    /// within 1e-6, however narrow sigma is: at most a quarter of sigma apart within 8 sigma of a
    /// node, and with no points in between, where the density is below 1e-13 of its height at a node.
    /// Pairs of eigenvalue and density, ascending.
    pub fn curve(&self, sigma: f64) -> Vec<(f64, f64)> {
        const REACH: f64 = 8.0;
        let mut nodes: Vec<f64> =
            self.probes.iter().flat_map(|probe| probe.nodes.iter().copied()).collect();
        nodes.sort_by(f64::total_cmp);
        let near = |a: &f64, b: &f64| b - a <= 2.0 * REACH * sigma;
        nodes
            .chunk_by(near)
            .flat_map(|cluster| {
                let low = cluster[0] - REACH * sigma;
                let high = cluster[cluster.len() - 1] + REACH * sigma;
                let intervals = (4.0 * (high - low) / sigma).ceil().max(1.0);
                let gap = (high - low) / intervals;
                (0..=intervals as usize).map(move |i| low + gap * i as f64)
            })
            .map(|lambda| (lambda, self.at(lambda, sigma)))
            .collect()
    }

    /// The mean over all eigenvalues of f, with the textbook's standard error from the scatter over
    /// probes, as of the following.
    pub fn mean(&self, f: impl Fn(f64) -> f64) -> Estimate {
        Estimate::of(&self.probes.iter().map(|probe| probe.mean(&f)).collect::<Vec<_>>())
    }

    /// The sum over all eigenvalues of f: f(x) = x for the trace, x^2 for the squared Frobenius norm.
    pub fn sum(&self, f: impl Fn(f64) -> f64) -> Estimate {
        let n = self.dim as f64;
        self.mean(|x| n * f(x))
    }

    /// The share of eigenvalues below -near, within near of zero, and above near, as the nodes have it.
    /// How far apart nodes lie is left out; see [`SpectralDensity::shares`].
    pub fn masses(&self, near: f64) -> [Estimate; 3] {
        let share =
            |inside: fn(f64, f64) -> bool| self.mean(|x| if inside(x, near) { 1.0 } else { 0.0 });
        [share(|x, near| x < -near), share(|x, near| x.abs() <= near), share(|x, near| x > near)]
    }

    /// (sum lambda)^2 / sum lambda^2: how many equal eigenvalues would have these sums. Its standard
    /// error by the jackknife over probes, since it is no mean.
    pub fn effective_rank(&self) -> Estimate {
        let n = self.dim as f64;
        let sums: Vec<(f64, f64)> =
            self.probes.iter().map(|p| (n * p.mean(|x| x), n * p.mean(|x| x * x))).collect();
        let of = |skip: Option<usize>| {
            let kept = || sums.iter().enumerate().filter(|(i, _)| Some(*i) != skip);
            let count = kept().count() as f64;
            let first = kept().map(|(_, s)| s.0).sum::<f64>() / count;
            let second = kept().map(|(_, s)| s.1).sum::<f64>() / count;
            if second == 0.0 { 0.0 } else { first * first / second }
        };
        let probes = sums.len();
        let standard_error = (probes > 1).then(|| {
            let without: Vec<f64> = (0..probes).map(|i| of(Some(i))).collect();
            let mean = without.iter().sum::<f64>() / probes as f64;
            let square: f64 = without.iter().map(|x| (x - mean).powi(2)).sum();
            (square * (probes - 1) as f64 / probes as f64).sqrt()
        });
        Estimate { value: of(None), standard_error }
    }
}
