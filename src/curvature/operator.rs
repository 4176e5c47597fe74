//! The operators whose eigenvalues are measured.

use std::ops::Range;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::Metric;
use crate::autodiff::{Objective, OutputMatrix};
use crate::error::{Error, Result, check_length};
use crate::linalg::{SymmetricOperator, each_column};
use crate::names::choices;
use crate::optim::StabilityOperator;

/// The Hessian of an objective at its current parameters, of dimension P. One product is one
/// transfer to the device and one back.
pub struct Hessian<'a> {
    objective: &'a dyn Objective,
}

impl<'a> Hessian<'a> {
    /// The Hessian of `objective`.
    pub fn new(objective: &'a dyn Objective) -> Self {
        Self { objective }
    }
}

impl SymmetricOperator for Hessian<'_> {
    fn dim(&self) -> usize {
        self.objective.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        y.copy_from_slice(&finite(self.objective.hvp(x)?)?);
        Ok(())
    }

    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        y.copy_from_slice(&finite(self.objective.hvps(x)?)?);
        Ok(())
    }
}

/// Products, if they are finite: solvers would refuse others too, but do not know of what they are.
fn finite(products: Vec<f64>) -> Result<Vec<f64>> {
    match products.iter().all(|x| x.is_finite()) {
        true => Ok(products),
        false => Err(Error::NonFinite { what: "a Hessian-vector product" }),
    }
}

/// P^-1/2 (A + lambda I) P^-1/2 for a symmetric A, a positive P, diagonal in known coordinates, and a weight
/// decay lambda. P is applied on the host, around the product with A: no further transfer.
pub struct Preconditioned<A> {
    inner: A,
    metric: Metric,
    shift: f64,
    scaled: Vec<f64>,
}

impl<A: SymmetricOperator> Preconditioned<A> {
    /// Around `inner`, as `operator` says.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if the preconditioner's length is not the dimension of `inner`.
    pub fn new(inner: A, operator: &StabilityOperator) -> Result<Self> {
        let metric = Metric::of(operator, inner.dim())?;
        Ok(Self { inner, metric, shift: operator.shift, scaled: Vec::new() })
    }
}

impl<A: SymmetricOperator> SymmetricOperator for Preconditioned<A> {
    fn dim(&self) -> usize {
        self.inner.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.apply_block(x, y)
    }

    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let mut scaled = std::mem::take(&mut self.scaled);
        scaled.clear();
        scaled.extend_from_slice(x);
        self.metric.shorten(&mut scaled);
        self.inner.apply_block(&scaled, y)?;
        y.iter_mut().zip(&scaled).for_each(|(y, scaled)| *y += self.shift * scaled);
        self.metric.shorten(y);
        self.scaled = scaled;
        Ok(())
    }
}

choices! {
    /// A matrix of curvature at the current parameters.
    #[derive(Default)]
    pub enum Matrix ("matrix") {
        /// The Hessian H.
        #[default]
        Hessian = "hessian",
        /// The generalised Gauss-Newton matrix G.
        GaussNewton = "gauss-newton",
        /// The Fisher matrix, its expectation over targets taken exactly.
        Fisher = "fisher",
        /// The Fisher matrix from one drawn target for each sample.
        SampledFisher = "sampled-fisher",
        /// The gradients' second moment with the data's own targets.
        EmpiricalFisher = "empirical-fisher",
        /// H - G: what the curvature of the model itself adds.
        Residual = "residual",
    }
}

/// A curvature matrix of an objective as an operator of dimension P.
pub struct CurvatureOperator<'a> {
    objective: &'a dyn Objective,
    matrix: Matrix,
    seed: u64,
    /// Where the seeds of the products to come are drawn from, if each has its own.
    seeds: Option<ChaCha8Rng>,
}

impl<'a> CurvatureOperator<'a> {
    /// That matrix of `objective`; `seed` is for the targets of a sampled Fisher matrix.
    pub fn new(objective: &'a dyn Objective, matrix: Matrix, seed: u64) -> Self {
        Self { objective, matrix, seed, seeds: None }
    }

    /// The same, but that each product of a sampled Fisher matrix is about targets of its own: what
    /// scatters between probes then holds what the drawing of targets does to it.
    pub fn redrawn(objective: &'a dyn Objective, matrix: Matrix, seed: u64) -> Self {
        Self { seeds: Some(ChaCha8Rng::seed_from_u64(seed)), ..Self::new(objective, matrix, seed) }
    }
}

impl SymmetricOperator for CurvatureOperator<'_> {
    fn dim(&self) -> usize {
        self.objective.dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        if let Some(seeds) = &mut self.seeds {
            self.seed = seeds.random();
        }
        let over_outputs = |matrix| self.objective.output_product(matrix, x);
        let product = match self.matrix {
            Matrix::Hessian => self.objective.hvp(x)?,
            Matrix::GaussNewton => over_outputs(OutputMatrix::GaussNewton)?,
            Matrix::Fisher => over_outputs(OutputMatrix::Fisher)?,
            Matrix::SampledFisher => over_outputs(OutputMatrix::SampledFisher { seed: self.seed })?,
            Matrix::EmpiricalFisher => over_outputs(OutputMatrix::EmpiricalFisher)?,
            Matrix::Residual => {
                let gauss_newton = over_outputs(OutputMatrix::GaussNewton)?;
                let hessian = self.objective.hvp(x)?;
                hessian.iter().zip(&gauss_newton).map(|(h, g)| h - g).collect()
            }
        };
        y.copy_from_slice(&finite(product)?);
        Ok(())
    }

    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        if self.matrix == Matrix::Hessian {
            return Hessian::new(self.objective).apply_block(x, y);
        }
        each_column(self, x, y)
    }
}

/// The diagonal block of an operator that belongs to some of the coordinates.
pub struct Block<A> {
    inner: A,
    coordinates: Vec<Range<usize>>,
}

impl<A: SymmetricOperator> Block<A> {
    /// The block of `inner` on these ranges of coordinates, one after the other.
    ///
    /// # Errors
    /// [`crate::Error::Length`] if a range ends beyond the dimension.
    pub fn new(inner: A, coordinates: Vec<Range<usize>>) -> Result<Self> {
        let dim = inner.dim();
        if let Some(end) = coordinates.iter().map(|range| range.end).find(|&end| end > dim) {
            check_length("block of coordinates", end, dim)?;
        }
        Ok(Self { inner, coordinates })
    }
}

impl<A: SymmetricOperator> SymmetricOperator for Block<A> {
    fn dim(&self) -> usize {
        self.coordinates.iter().map(ExactSizeIterator::len).sum()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        self.apply_block(x, y)
    }

    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        let (n, dim) = (self.dim(), self.inner.dim());
        let mut whole = vec![0.0; x.len() / n.max(1) * dim];
        for (x, whole) in x.chunks_exact(n).zip(whole.chunks_exact_mut(dim)) {
            let mut from = 0;
            for range in &self.coordinates {
                whole[range.clone()].copy_from_slice(&x[from..from + range.len()]);
                from += range.len();
            }
        }
        let mut products = vec![0.0; whole.len()];
        self.inner.apply_block(&whole, &mut products)?;
        for (y, product) in y.chunks_exact_mut(n).zip(products.chunks_exact(dim)) {
            let mut to = 0;
            for range in &self.coordinates {
                y[to..to + range.len()].copy_from_slice(&product[range.clone()]);
                to += range.len();
            }
        }
        Ok(())
    }
}

impl<A: SymmetricOperator + ?Sized> SymmetricOperator for &mut A {
    fn dim(&self) -> usize {
        (**self).dim()
    }

    fn apply(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        (**self).apply(x, y)
    }

    fn apply_block(&mut self, x: &[f64], y: &mut [f64]) -> Result<()> {
        (**self).apply_block(x, y)
    }
}
