//! A small subspace of R^n in which everything is known by its coordinates.
//!
//! What costs n operations is done here and nowhere else in the tracker: W'x and W c for a block at a
//! time, and one product W R when directions are given up.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};

use crate::error::Result;
use crate::linalg::dense::{add_product, matrix_product, matrix_vector, orthonormal};
use crate::linalg::norm;

/// Orthonormal columns W (n x q) that grow with what they have to hold.
#[derive(Debug, Clone)]
pub(super) struct Space {
    n: usize,
    /// W, column after column.
    basis: Vec<f64>,
    /// Where the next W is made, so that pages are not asked for at each step.
    spare: Vec<f64>,
    turns: usize,
}

/// What is left of a unit vector outside W is rounding below this, and no new direction.
const ROUNDING: f64 = 1e-12;

/// A direction of which less than this is left, relative to the longest, does not survive
/// [`Space::rescale`].
const LEAST: f64 = 1e-6;

/// Rows that stay in the cache from one product with them to the next.
const ROWS: usize = 512;

impl Space {
    /// The space that holds zero alone.
    pub fn new(n: usize) -> Self {
        Self { n, basis: Vec::new(), spare: Vec::new(), turns: 0 }
    }

    /// One with these columns, which has been turned so often.
    pub fn restored(n: usize, basis: Vec<f64>, turns: usize) -> Self {
        Self { n, basis, spare: Vec::new(), turns }
    }

    /// W, and how often it was turned.
    pub fn memory(&self) -> (&[f64], usize) {
        (&self.basis, self.turns)
    }

    /// The number of columns q of W.
    pub fn rank(&self) -> usize {
        self.basis.len() / self.n.max(1)
    }

    /// W C for coordinates C (q x m), column after column.
    pub fn vectors(&self, coordinates: &[f64]) -> Vec<f64> {
        let columns = coordinates.len() / self.rank().max(1);
        let c = MatRef::from_column_major_slice(coordinates, self.rank(), columns);
        matrix_product(self.columns(0), c)
    }

    /// The coordinates (q x m) of the columns of `x` (n x m), after columns have been added to W for what
    /// of them lies outside.
    pub fn absorb(&mut self, x: &[f64]) -> Vec<f64> {
        /// The share of W in what is left at which that counts as orthogonal to W.
        const CLEAN: f64 = 1e-14;
        if x.is_empty() {
            return Vec::new();
        }
        let (n, old) = (self.n, self.rank());
        let mut rest = x.to_vec();
        let mut inside = self.inside(&rest);
        let missed = self.subtract(&mut rest, &inside);
        let spoilt = |j: usize| {
            let left = norm(&rest[j * n..(j + 1) * n]);
            let (inside, missed) =
                (&inside[j * old..(j + 1) * old], &missed[j * old..(j + 1) * old]);
            left > ROUNDING * norm(inside) && norm(missed) > CLEAN * left
        };
        if (0..x.len() / n).any(spoilt) {
            add_product(&mut rest, self.columns(0), &missed, -1.0);
        }
        inside.iter_mut().zip(&missed).for_each(|(c, missed)| *c += missed);
        let mut coordinates = Vec::new();
        for (j, rest) in rest.chunks_exact_mut(n).enumerate() {
            let mut c = inside[j * old..(j + 1) * old].to_vec();
            self.settle(rest, &mut c, old);
            coordinates.push(c);
        }
        let q = self.rank();
        coordinates.iter_mut().for_each(|c| c.resize(q, 0.0));
        coordinates.concat()
    }

    /// Takes what is left of a vector outside the first `old` columns out of the later ones as well, and
    /// adds a column for what remains. Its coordinates `c` are completed.
    fn settle(&mut self, rest: &mut [f64], c: &mut Vec<f64>, old: usize) {
        // A pass that leaves most of a vector leaves it orthogonal (Daniel et al. 1976).
        const MOST: f64 = 0.7;
        let q = self.rank();
        let mut left = norm(rest);
        let length = norm(c).hypot(left);
        c.resize(q, 0.0);
        for from in [old, 0] {
            if from == q || left <= ROUNDING * length {
                break;
            }
            let columns = self.columns(from);
            let mut h = vec![0.0; q - from];
            matrix_vector(&mut h, columns.transpose(), rest, 1.0, false);
            matrix_vector(rest, columns, &h, -1.0, true);
            c[from..].iter_mut().zip(&h).for_each(|(c, h)| *c += h);
            let before = std::mem::replace(&mut left, norm(rest));
            if left > MOST * before {
                break;
            }
        }
        if left > ROUNDING * length && q < self.n {
            self.basis.extend(rest.iter().map(|rest| rest / left));
            c.push(left);
        }
    }

    /// W <- W R for orthonormal columns R (q x r).
    pub fn turn(&mut self, rotation: &[f64]) {
        /// Products with rotations lose orthogonality slowly, step after step.
        const RESTORED_EVERY: usize = 32;
        let (n, q) = (self.n, self.rank());
        let r = rotation.len() / q.max(1);
        let rotation = MatRef::from_column_major_slice(rotation, q, r);
        self.turns += 1;
        let mut restored = Vec::new();
        if self.turns.is_multiple_of(RESTORED_EVERY) {
            // W (W'W)^(-1/2) is the nearest orthonormal basis; to first order the root is this.
            let mut root = matrix_product(self.columns(0).transpose(), self.columns(0));
            root.iter_mut().for_each(|g| *g *= -0.5);
            root.iter_mut().step_by(q + 1).for_each(|g| *g += 1.5);
            restored = matrix_product(MatRef::from_column_major_slice(&root, q, q), rotation);
        }
        let rotation = match restored.is_empty() {
            true => rotation,
            false => MatRef::from_column_major_slice(&restored, q, r),
        };
        let mut next = std::mem::take(&mut self.spare);
        next.resize(n * r, 0.0);
        let target = MatMut::from_column_major_slice_mut(&mut next, n, r);
        matmul(target, Accum::Replace, self.columns(0), rotation, 1.0, Par::Seq);
        self.spare = std::mem::replace(&mut self.basis, next);
    }

    /// Goes over to a W that spans D W, for the diagonal D with these entries, all above zero. Returns U
    /// (r x q) with D W = W U for the new W.
    ///
    /// # Errors
    /// As [`orthonormal`].
    pub fn rescale(&mut self, diagonal: &[f64]) -> Result<Vec<f64>> {
        let n = self.n;
        let scaled: Vec<f64> =
            self.basis.iter().zip(diagonal.iter().cycle()).map(|(w, d)| w * d).collect();
        let most = scaled.chunks_exact(n.max(1)).map(norm).fold(0.0, f64::max);
        let (basis, u) = orthonormal(scaled, n, LEAST * most)?;
        self.basis = basis;
        Ok(u)
    }

    /// The columns of W from `from` on.
    fn columns(&self, from: usize) -> MatRef<'_, f64> {
        let columns = self.rank() - from;
        MatRef::from_column_major_slice(&self.basis[from * self.n..], self.n, columns)
    }

    /// W'X for the columns of `x`.
    fn inside(&self, x: &[f64]) -> Vec<f64> {
        let x = MatRef::from_column_major_slice(x, self.n, x.len() / self.n);
        matrix_product(self.columns(0).transpose(), x)
    }

    /// X <- X - W C for the columns of `x` and C (q x m). Returns W'X of the new X, for which W is not read
    /// once more.
    fn subtract(&self, x: &mut [f64], c: &[f64]) -> Vec<f64> {
        let (n, q, m) = (self.n, self.rank(), x.len() / self.n);
        let mut x = MatMut::from_column_major_slice_mut(x, n, m);
        let c = MatRef::from_column_major_slice(c, q, m);
        let mut inside = vec![0.0; q * m];
        let mut target = MatMut::from_column_major_slice_mut(&mut inside, q, m);
        for start in (0..n).step_by(ROWS) {
            let rows = ROWS.min(n - start);
            let w = self.columns(0).subrows(start, rows);
            let mut x = x.as_mut().subrows_mut(start, rows);
            matmul(x.as_mut(), Accum::Add, w, c, -1.0, Par::Seq);
            matmul(target.as_mut(), Accum::Add, w.transpose(), x.as_ref(), 1.0, Par::Seq);
        }
        inside
    }
}

/// Columns of length `from`, as columns of the length `to` that end in zeros.
pub(super) fn widened(columns: &[f64], from: usize, to: usize) -> Vec<f64> {
    let zeros = || std::iter::repeat_n(0.0, to - from);
    columns.chunks_exact(from.max(1)).flat_map(|c| c.iter().copied().chain(zeros())).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::linalg::{dot, random_unit_vector};

    const N: usize = 1100;

    fn random(count: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
        (0..count).flat_map(|_| random_unit_vector(N, rng)).collect()
    }

    fn apart(a: &[f64], b: &[f64]) -> f64 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
    }

    /// How far W'W is from the identity.
    fn lost(space: &Space) -> f64 {
        let at = |i: usize| &space.basis[i * N..(i + 1) * N];
        let entries = (0..space.rank()).flat_map(|i| (0..=i).map(move |j| (i, j)));
        entries.map(|(i, j)| (dot(at(i), at(j)) - f64::from(i == j)).abs()).fold(0.0, f64::max)
    }

    #[test]
    fn what_is_absorbed_is_known_by_its_coordinates() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut space = Space::new(N);
        let x = random(5, &mut rng);
        let c = space.absorb(&x);
        assert!(space.rank() == 5 && apart(&space.vectors(&c), &x) < 1e-14);
        // Nothing new; little that is new; and, in a block, the same new direction twice, hardly and well.
        let (old, new) = (space.vectors(&[1.0, 2.0, 3.0, 4.0, 5.0]), random(2, &mut rng));
        let sum = |small: f64, new: &[f64]| -> Vec<f64> {
            old.iter().zip(new).map(|(old, new)| old + small * new).collect()
        };
        let (one, two) = new.split_at(N);
        let little: Vec<f64> = one.iter().zip(two).map(|(a, b)| a + 1e-5 * b).collect();
        let block = [old.clone(), sum(1e-5, one), little, sum(3.0, two), vec![0.0; N]].concat();
        let c = space.absorb(&block);
        // A direction known by little is followed by another for what rounding made of it.
        assert!((7..=8).contains(&space.rank()));
        assert!(apart(&space.vectors(&c), &block) < 1e-13);
        assert!(lost(&space) < 1e-14, "{:e}", lost(&space));
    }

    #[test]
    fn it_stays_orthonormal_however_often_it_is_turned() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut space = Space::new(N);
        space.absorb(&random(10, &mut rng));
        let mut most = 0.0_f64;
        for _ in 0..2000 {
            let (inside, new) = (space.vectors(&[0.3; 10]), random(2, &mut rng));
            let near: Vec<f64> =
                new.chunks(N).flat_map(|new| (0..N).map(|i| inside[i] + 1e-3 * new[i])).collect();
            space.absorb(&near);
            // The new ones are given up again; what stays is turned.
            let mut small = Space::new(10);
            small.absorb(
                &(0..10).flat_map(|_| random_unit_vector(10, &mut rng)).collect::<Vec<_>>(),
            );
            let rotation = widened(&small.basis, 10, 12);
            let kept = space.vectors(&rotation);
            space.turn(&rotation);
            assert!(space.rank() == 10 && apart(&space.basis, &kept) < 1e-13);
            most = most.max(lost(&space));
        }
        assert!(most < 1e-14, "{most:e}");
    }

    #[test]
    fn a_change_of_metric_is_known_by_coordinates() {
        let mut rng = ChaCha8Rng::seed_from_u64(3);
        for spread in [0.2, 4.0] {
            let mut space = Space::new(N);
            let x = random(6, &mut rng);
            let c = space.absorb(&x);
            let diagonal: Vec<f64> = (0..N).map(|i| (spread * (i as f64).sin()).exp()).collect();
            let u = space.rescale(&diagonal).unwrap();
            let u = MatRef::from_column_major_slice(&u, space.rank(), 6);
            let c = matrix_product(u, MatRef::from_column_major_slice(&c, 6, 6));
            let scaled: Vec<f64> =
                x.iter().zip(diagonal.iter().cycle()).map(|(x, d)| x * d).collect();
            assert!(apart(&space.vectors(&c), &scaled) < 1e-12, "spread {spread}");
            assert!(lost(&space) < 1e-13, "spread {spread}: {:e}", lost(&space));
        }
    }
}
