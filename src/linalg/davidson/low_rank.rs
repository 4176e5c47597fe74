//! A low-rank symmetric model of an operator, corrected by products with it.
//!
//! The tracker's vectors are coordinates in a [`super::space::Space`], which makes all here small.

use faer::MatRef;

use super::space::widened;
use crate::error::Result;
use crate::linalg::dense::{
    EigenDecomposition, matrix_product, matrix_vector, orthonormal, symmetric_eigen,
};
use crate::linalg::lanczos::krylov::orthogonalise;
use crate::linalg::{dot, norm};

/// B = W T W' with orthonormal W (n x q) and symmetric T (q x q): an approximation of an operator
/// that may be out of date, zero on the complement of W.
#[derive(Debug, Clone)]
pub(super) struct LowRankModel {
    n: usize,
    /// W, column after column.
    basis: Vec<f64>,
    /// T, q * q entries.
    core: Vec<f64>,
    /// Its eigenpairs, once they have been asked for.
    eigen: Option<EigenDecomposition>,
}

/// What is left of a unit vector outside W may be rounding below this, and is no new direction: in a small
/// space rounding points to what else that holds, as the tracker's guard. More than the root of the
/// machine's precision, which is the least for which a direction is known better than it is told from none.
const ROUNDING: f64 = 1e-7;

/// A direction of which less than this is left outside W, relative to the longest, is left out of a sum.
const LEAST: f64 = 1e-6;

impl LowRankModel {
    /// The model that is zero.
    pub fn zero(n: usize) -> Self {
        Self { n, basis: Vec::new(), core: Vec::new(), eigen: None }
    }

    /// The model of this W (n x q) and T (q x q).
    pub fn restored(n: usize, basis: Vec<f64>, core: Vec<f64>) -> Self {
        Self { n, basis, core, eigen: None }
    }

    /// W and T.
    pub fn memory(&self) -> (&[f64], &[f64]) {
        (&self.basis, &self.core)
    }

    /// The number of columns q of W.
    pub fn rank(&self) -> usize {
        self.basis.len() / self.n
    }

    /// The columns of W.
    pub fn basis(&self) -> &[f64] {
        &self.basis
    }

    /// Corrects the model so that B v = y for the unit vector `v`, changing it least (in the Frobenius
    /// norm) among symmetric matrices: the Powell-symmetric-Broyden update
    /// B + (v d' + d v') - (v'd) v v' with d = y - B v (Dennis and Schnabel 1996, section 9.1).
    pub fn correct(&mut self, v: &[f64], y: &[f64]) {
        self.eigen = None;
        let mut c = self.coordinates(v);
        let d = self.coordinates(y);
        let q = self.rank();
        c.resize(q, 0.0);
        let core = MatRef::from_column_major_slice(&self.core, q, q);
        let mut change = d;
        matrix_vector(&mut change, core, &c, -1.0, true);
        let along = dot(&c, &change);
        for j in 0..q {
            for i in 0..q {
                self.core[j * q + i] += c[i] * change[j] + change[i] * c[j] - along * c[i] * c[j];
            }
        }
    }

    /// B x.
    pub fn apply(&self, x: &[f64]) -> Vec<f64> {
        let q = self.rank();
        let basis = MatRef::from_column_major_slice(&self.basis, self.n, q);
        let mut c = vec![0.0; q];
        matrix_vector(&mut c, basis.transpose(), x, 1.0, false);
        let core = MatRef::from_column_major_slice(&self.core, q, q);
        let mut d = vec![0.0; q];
        matrix_vector(&mut d, core, &c, 1.0, false);
        self.vector(&d)
    }

    /// All eigenpairs of T, ascending.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn eigen(&mut self) -> Result<EigenDecomposition> {
        let eigen = match self.eigen.take() {
            Some(eigen) => eigen,
            None => symmetric_eigen(self.rank(), &self.core)?,
        };
        Ok(self.eigen.insert(eigen).clone())
    }

    /// W times `coordinates` (length q).
    pub fn vector(&self, coordinates: &[f64]) -> Vec<f64> {
        let mut x = vec![0.0; self.n];
        let basis = MatRef::from_column_major_slice(&self.basis, self.n, self.rank());
        matrix_vector(&mut x, basis, coordinates, 1.0, false);
        x
    }

    /// Eigenvectors of the `k` largest eigenvalues (fewer if the rank is less), largest first.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn largest_vectors(&mut self, k: usize) -> Result<Vec<f64>> {
        let eigen = self.eigen()?;
        let q = eigen.values.len();
        Ok((q.saturating_sub(k)..q).rev().flat_map(|i| self.vector(eigen.vector(i))).collect())
    }

    /// Keeps the `rank` algebraically largest eigenpairs, largest first in W.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn truncate(&mut self, rank: usize) -> Result<()> {
        let eigen = self.eigen()?;
        let q = self.rank();
        let kept: Vec<usize> = (q.saturating_sub(rank)..q).rev().collect();
        let r = kept.len();
        let rotation: Vec<f64> =
            kept.iter().flat_map(|&i| eigen.vector(i).iter().copied()).collect();
        let basis = MatRef::from_column_major_slice(&self.basis, self.n, q);
        let rotation = MatRef::from_column_major_slice(&rotation, q, r);
        self.basis = matrix_product(basis, rotation);
        self.eigen = None;
        self.core = vec![0.0; r * r];
        for (j, &i) in kept.iter().enumerate() {
            self.core[j * r + j] = eigen.values[i];
        }
        self.restore_orthogonality();
        Ok(())
    }

    /// Products with rotations lose orthogonality slowly, step after step.
    fn restore_orthogonality(&mut self) {
        const LOST: f64 = 1e-13;
        let r = self.rank();
        let basis = MatRef::from_column_major_slice(&self.basis, self.n, r);
        let gram = matrix_product(basis.transpose(), basis);
        let identity = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
        let lost = |&at: &usize| (gram[at] - identity(at % r, at / r)).abs() > LOST;
        if !(0..r * r).any(|at| lost(&at)) {
            return;
        }
        for w in std::mem::take(&mut self.basis).chunks_exact(self.n) {
            let mut w = w.to_vec();
            if !self.basis.is_empty() {
                orthogonalise(&mut w, &self.basis, self.n);
            }
            let length = norm(&w);
            self.basis.extend(w.iter().map(|x| x / length));
        }
    }

    /// a B + b C for another model C.
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn combined(&self, a: f64, other: &LowRankModel, b: f64) -> Result<Self> {
        let mut sum = self.clone();
        sum.core.iter_mut().for_each(|t| *t *= a);
        sum.add(b, &other.basis, &other.core)?;
        Ok(sum)
    }

    /// The same for vectors of length `n`, as long as before or longer: B on the first of their entries,
    /// zero on the others.
    pub fn widen(&mut self, n: usize) {
        self.basis = widened(&self.basis, self.n, n);
        self.n = n;
    }

    /// The same for vectors by their coordinates in the orthonormal columns R (n x m), which hold W.
    pub fn turn(&mut self, rotation: MatRef<'_, f64>) {
        let basis = MatRef::from_column_major_slice(&self.basis, self.n, self.rank());
        self.basis = matrix_product(rotation.transpose(), basis);
        self.n = rotation.ncols();
    }

    /// M B M' for M (m x n).
    ///
    /// # Errors
    /// As [`symmetric_eigen`].
    pub fn mapped(&self, map: MatRef<'_, f64>) -> Result<Self> {
        let basis = MatRef::from_column_major_slice(&self.basis, self.n, self.rank());
        let mut model = Self::zero(map.nrows());
        model.add(1.0, &matrix_product(map, basis), &self.core)?;
        Ok(model)
    }

    /// B + factor X S X' for vectors X, column after column, and a symmetric S.
    fn add(&mut self, factor: f64, x: &[f64], s: &[f64]) -> Result<()> {
        let (n, r, old) = (self.n, x.len() / self.n, self.rank());
        let columns = MatRef::from_column_major_slice(x, n, r);
        let mut outside = x.to_vec();
        for _ in 0..2 {
            let basis = MatRef::from_column_major_slice(&self.basis, n, old);
            let rest = MatRef::from_column_major_slice(&outside, n, r);
            let inside = matrix_product(basis.transpose(), rest);
            let inside = MatRef::from_column_major_slice(&inside, old, r);
            let along = matrix_product(basis, inside);
            outside.iter_mut().zip(along).for_each(|(x, along)| *x -= along);
        }
        let most = (0..r).map(|j| norm(&x[j * n..(j + 1) * n])).fold(0.0, f64::max);
        self.basis.extend(orthonormal(outside, n, LEAST * most)?.0);
        let q = self.rank();
        let basis = MatRef::from_column_major_slice(&self.basis, n, q);
        let c = matrix_product(basis.transpose(), columns);
        let c = MatRef::from_column_major_slice(&c, q, r);
        let weighted = matrix_product(c, MatRef::from_column_major_slice(s, r, r));
        let weighted = MatRef::from_column_major_slice(&weighted, q, r);
        let mut core = matrix_product(weighted, c.transpose());
        core.iter_mut().for_each(|t| *t *= factor);
        for j in 0..old {
            for i in 0..old {
                core[j * q + i] += self.core[j * old + i];
            }
        }
        // Rounding leaves products unsymmetric in the last place.
        for j in 0..q {
            for i in 0..j {
                let mean = 0.5 * (core[j * q + i] + core[i * q + j]);
                core[j * q + i] = mean;
                core[i * q + j] = mean;
            }
        }
        self.core = core;
        self.eigen = None;
        Ok(())
    }

    /// W'x, after a column for what of `x` lies outside W has been added to it.
    fn coordinates(&mut self, x: &[f64]) -> Vec<f64> {
        // A pass that leaves most of a vector leaves it orthogonal (Daniel et al. 1976).
        const MOST: f64 = 0.7;
        let length = norm(x);
        let mut rest = x.to_vec();
        let mut c = vec![0.0; self.rank()];
        let mut outside = length;
        if self.rank() > 0 {
            let basis = MatRef::from_column_major_slice(&self.basis, self.n, self.rank());
            for _ in 0..2 {
                let mut h = vec![0.0; self.rank()];
                matrix_vector(&mut h, basis.transpose(), &rest, 1.0, false);
                matrix_vector(&mut rest, basis, &h, -1.0, true);
                c.iter_mut().zip(&h).for_each(|(c, h)| *c += h);
                let before = std::mem::replace(&mut outside, norm(&rest));
                if outside > MOST * before || outside <= ROUNDING * length {
                    break;
                }
            }
        }
        if outside > ROUNDING * length && self.rank() < self.n {
            self.basis.extend(rest.iter().map(|r| r / outside));
            let (old, q) = (std::mem::take(&mut self.core), self.rank());
            self.core = vec![0.0; q * q];
            for j in 0..q - 1 {
                self.core[j * q..j * q + q - 1]
                    .copy_from_slice(&old[j * (q - 1)..(j + 1) * (q - 1)]);
            }
            c.push(outside);
        }
        c
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::linalg::random_unit_vector;

    fn dense(model: &LowRankModel) -> Vec<f64> {
        let unit = |i: usize| -> Vec<f64> { (0..model.n).map(|j| f64::from(i == j)).collect() };
        (0..model.n).flat_map(|i| model.apply(&unit(i))).collect()
    }

    /// A model of some products, with the vectors and products.
    fn model(n: usize, count: usize, seed: u64) -> LowRankModel {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut model = LowRankModel::zero(n);
        for _ in 0..count {
            let v = random_unit_vector(n, &mut rng);
            let y = random_unit_vector(n, &mut rng);
            model.correct(&v, &y);
            assert!(close(&model.apply(&v), &y));
        }
        model
    }

    fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-11)
    }

    fn orthonormal_basis(model: &LowRankModel) -> bool {
        let (n, q) = (model.n, model.rank());
        let at = |i: usize| &model.basis[i * n..(i + 1) * n];
        (0..q).all(|i| (0..q).all(|j| (dot(at(i), at(j)) - f64::from(i == j)).abs() < 1e-13))
    }

    #[test]
    fn corrections_are_met_and_symmetric() {
        let model = model(20, 3, 1);
        let b = dense(&model);
        assert!((0..400).all(|at| (b[at] - b[at % 20 * 20 + at / 20]).abs() < 1e-12));
        assert!(orthonormal_basis(&model));
    }

    #[test]
    fn sums_and_scalings_are_those_of_the_matrices() {
        let (a, b) = (model(20, 3, 1), model(20, 2, 2));
        let sum = a.combined(1.5, &b, -0.5).unwrap();
        let expected: Vec<f64> =
            dense(&a).iter().zip(dense(&b)).map(|(a, b)| 1.5 * a - 0.5 * b).collect();
        assert!(close(&dense(&sum), &expected) && orthonormal_basis(&sum));
        // Nothing is new in a model's own space.
        let twice = a.combined(1.0, &a, 1.0).unwrap();
        assert_eq!(twice.rank(), a.rank());
        assert!(close(&dense(&twice), &dense(&a).iter().map(|x| 2.0 * x).collect::<Vec<_>>()));

        let diagonal: Vec<f64> = (0..20).map(|i| 0.5 + 0.1 * i as f64).collect();
        let mut map = vec![0.0; 400];
        map.iter_mut().step_by(21).zip(&diagonal).for_each(|(entry, d)| *entry = *d);
        let scaled = a.mapped(MatRef::from_column_major_slice(&map, 20, 20)).unwrap();
        let expected: Vec<f64> = dense(&a)
            .iter()
            .enumerate()
            .map(|(at, x)| diagonal[at % 20] * x * diagonal[at / 20])
            .collect();
        assert!(close(&dense(&scaled), &expected) && orthonormal_basis(&scaled));
    }

    #[test]
    fn the_largest_eigenpairs_are_kept() {
        let mut model = model(20, 4, 3);
        let before = model.eigen().unwrap();
        model.truncate(3).unwrap();
        let after = model.eigen().unwrap();
        let most = &before.values[before.values.len() - 3..];
        assert!(close(&after.values, most) && orthonormal_basis(&model));
    }

    #[test]
    fn widening_and_turning_are_changes_of_coordinates() {
        let (mut a, b) = (model(20, 3, 1), model(20, 2, 2));
        let plain = dense(&a);
        a.widen(22);
        let wide: Vec<f64> = (0..22 * 22)
            .map(|at| (at % 22, at / 22))
            .map(|(i, j)| if i.max(j) < 20 { plain[j * 20 + i] } else { 0.0 })
            .collect();
        assert_eq!(dense(&a), wide);

        // Columns that hold the first model, and of the second what they happen to.
        let mut rotation = a.basis().to_vec();
        let mut rest: Vec<f64> = (0..22).map(|i| f64::from(i == 21)).collect();
        orthogonalise(&mut rest, &rotation, 22);
        let length = norm(&rest);
        rotation.extend(rest.iter().map(|x| x / length));
        let r = MatRef::from_column_major_slice(&rotation, 22, a.rank() + 1);
        let before = a.clone();
        a.turn(r);
        assert!(a.n == before.rank() + 1 && orthonormal_basis(&a));
        assert!(close(&dense(&a.mapped(r).unwrap()), &wide));
        let mut b = b;
        b.widen(22);
        let expected = matrix_product(
            matrix(&matrix_product(r.transpose(), matrix(&dense(&b), 22)), r.ncols()),
            r,
        );
        b.turn(r);
        assert!(close(&dense(&b), &expected));
    }

    fn matrix(entries: &[f64], rows: usize) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(entries, rows, entries.len() / rows)
    }

    #[test]
    fn eigenpairs_are_those_of_the_latest_core() {
        let mut model = model(20, 3, 1);
        let fresh = |model: &LowRankModel| symmetric_eigen(model.rank(), &model.core).unwrap();
        let check = |model: &mut LowRankModel| {
            assert_eq!(model.eigen().unwrap().values, fresh(model).values);
        };
        check(&mut model);
        let v: Vec<f64> = (0..20).map(|i| f64::from(i == 3)).collect();
        model.correct(&v, &v);
        check(&mut model);
        model.truncate(3).unwrap();
        check(&mut model);
        let mut sum = model.combined(2.0, &model, 0.5).unwrap();
        check(&mut sum);
    }
}
