//! Small dense and tridiagonal eigenproblems, and products with a tall basis, through faer.

use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::evd::{
    ComputeEigenvectors, EvdError, self_adjoint_evd_scratch, tridiagonal_self_adjoint_evd,
};
use faer::linalg::matmul::matmul;
use faer::linalg::solvers::Solve;
use faer::prelude::default;
use faer::{Accum, ColMut, ColRef, Mat, MatMut, MatRef, Par, Side};

use super::jacobi;
use crate::error::{Error, Result, check_length};

/// Eigenvalues in ascending order, with their orthonormal eigenvectors.
#[derive(Debug, Clone)]
pub struct EigenDecomposition {
    /// The n eigenvalues, ascending.
    pub values: Vec<f64>,
    vectors: Mat<f64>,
}

impl EigenDecomposition {
    /// The eigenvector of `values[i]`, of length n.
    pub fn vector(&self, i: usize) -> &[f64] {
        self.vectors.col_as_slice(i)
    }
}

/// All eigenpairs of the symmetric matrix with the given `n * n` entries.
///
/// # Errors
/// [`Error::Length`] if there are not `n * n` entries, [`Error::Numerical`] if an entry is not finite
/// or the decomposition does not converge.
pub fn symmetric_eigen(n: usize, entries: &[f64]) -> Result<EigenDecomposition> {
    check_length("matrix", entries.len(), n * n)?;
    check_finite(entries)?;
    with_usual_size(entries, |entries| {
        let matrix = MatRef::from_column_major_slice(entries, n, n);
        let found = matrix.self_adjoint_eigen(Side::Lower);
        let found = found.map(|found| EigenDecomposition {
            values: found.S().column_vector().iter().copied().collect(),
            vectors: found.U().to_owned(),
        });
        found.or_else(|e| by_jacobi(n, entries.to_vec(), &e))
    })
}

/// All eigenpairs of the symmetric tridiagonal matrix with this diagonal (n) and subdiagonal
/// (n - 1).
///
/// # Errors
/// [`Error::Length`] if the lengths do not fit, [`Error::Numerical`] if an entry is not finite or the
/// decomposition does not converge.
pub fn tridiagonal_eigen(diagonal: &[f64], subdiagonal: &[f64]) -> Result<EigenDecomposition> {
    let n = diagonal.len();
    if subdiagonal.len() + 1 != n {
        return Err(Error::Length {
            what: "subdiagonal",
            found: subdiagonal.len(),
            expected: n.saturating_sub(1),
        });
    }
    check_finite(diagonal)?;
    check_finite(subdiagonal)?;
    with_usual_size(&[diagonal, subdiagonal].concat(), |entries| {
        let (diagonal, subdiagonal) = entries.split_at(n);
        tridiagonal(diagonal, subdiagonal).or_else(|e| {
            let mut full = vec![0.0; n * n];
            full.iter_mut().step_by(n + 1).zip(diagonal).for_each(|(x, d)| *x = *d);
            for (i, &below) in subdiagonal.iter().enumerate() {
                full[i * n + i + 1] = below;
                full[(i + 1) * n + i] = below;
            }
            by_jacobi(n, full, &e)
        })
    })
}

fn tridiagonal(diagonal: &[f64], subdiagonal: &[f64]) -> Result<EigenDecomposition, EvdError> {
    let n = diagonal.len();
    let diag: Diag<f64> = diagonal.iter().copied().collect::<faer::Col<f64>>().into_diagonal();
    // faer reads a subdiagonal as long as the diagonal; its last entry has no meaning.
    let sub: Diag<f64> = subdiagonal
        .iter()
        .copied()
        .chain(std::iter::once(0.0))
        .collect::<faer::Col<f64>>()
        .into_diagonal();
    let mut values = Diag::zeros(n);
    let mut vectors = Mat::zeros(n, n);
    let scratch = self_adjoint_evd_scratch::<f64>(n, ComputeEigenvectors::Yes, Par::Seq, default());
    tridiagonal_self_adjoint_evd(
        diag.as_ref(),
        sub.as_ref(),
        values.as_mut(),
        Some(vectors.as_mut()),
        Par::Seq,
        MemStack::new(&mut MemBuffer::new(scratch)),
        default(),
    )?;
    Ok(EigenDecomposition { values: values.column_vector().iter().copied().collect(), vectors })
}

/// Solves for entries whose squares neither overflow nor vanish: where they would, for the entries times a
/// power of two, which changes no digit.
fn with_usual_size(
    entries: &[f64],
    solve: impl FnOnce(&[f64]) -> Result<EigenDecomposition>,
) -> Result<EigenDecomposition> {
    /// Squares of entries this much above and below 1 have room to be added up, and to be seen.
    const USUAL: std::ops::Range<i32> = -400..400;
    let most = entries.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let exponent = if most > 0.0 { most.log2().floor() as i32 } else { 0 };
    if USUAL.contains(&exponent) {
        return solve(entries);
    }
    // In two halves, since 2^1074 is no number.
    let (half, rest) = (2.0_f64.powi(-exponent / 2), 2.0_f64.powi(-exponent - -exponent / 2));
    let mut found = solve(&entries.iter().map(|x| x * half * rest).collect::<Vec<_>>())?;
    found.values.iter_mut().for_each(|value| *value = *value / half / rest);
    Ok(found)
}

/// Where faer gives up, as it does on some matrices of low rank with entries far below the largest.
fn by_jacobi(n: usize, entries: Vec<f64>, error: &EvdError) -> Result<EigenDecomposition> {
    let (values, vectors) = jacobi::eigen(n, entries).ok_or_else(|| failed(error))?;
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&i, &j| values[i].total_cmp(&values[j]));
    Ok(EigenDecomposition {
        values: order.iter().map(|&i| values[i]).collect(),
        vectors: Mat::from_fn(n, n, |row, at| vectors[order[at] * n + row]),
    })
}

/// The largest modulus of an eigenvalue of the matrix with these `n * n` entries, column after column; not a
/// number where one is not finite.
pub(crate) fn spectral_radius(n: usize, entries: &[f64]) -> f64 {
    if entries.len() != n * n || check_finite(entries).is_err() {
        return f64::NAN;
    }
    let found = MatRef::from_column_major_slice(entries, n, n).eigenvalues();
    found.map_or(f64::NAN, |values| values.iter().map(|z| z.re.hypot(z.im)).fold(0.0, f64::max))
}

/// The x with A x = b, for the matrix with these `n * n` entries, column after column.
///
/// # Errors
/// [`Error::Length`] if the sizes do not fit, [`Error::Numerical`] where an entry is not finite or the matrix has no
/// inverse.
pub(crate) fn solve(n: usize, entries: &[f64], b: &[f64]) -> Result<Vec<f64>> {
    check_length("matrix", entries.len(), n * n)?;
    check_length("right side", b.len(), n)?;
    let failed = |reason: &str| {
        let reason = reason.to_string();
        Err(Error::Numerical { what: "a small linear system", reason })
    };
    if !entries.iter().chain(b).all(|x| x.is_finite()) {
        return failed("an entry is not finite");
    }
    let factors = MatRef::from_column_major_slice(entries, n, n).partial_piv_lu();
    let x: Vec<f64> = factors.solve(ColRef::from_slice(b)).iter().copied().collect();
    match x.iter().all(|x| x.is_finite()) {
        true => Ok(x),
        false => failed("the matrix has no inverse"),
    }
}

/// faer answers some undefined entries with undefined eigenvalues instead of an error.
fn check_finite(entries: &[f64]) -> Result<()> {
    match entries.iter().all(|x| x.is_finite()) {
        true => Ok(()),
        false => Err(failed(&"an entry is not finite")),
    }
}

fn failed(error: &impl std::fmt::Debug) -> Error {
    Error::Numerical { what: "a small symmetric eigenproblem", reason: format!("{error:?}") }
}

/// `A B`, column after column.
pub(super) fn matrix_product(a: MatRef<'_, f64>, b: MatRef<'_, f64>) -> Vec<f64> {
    let (rows, columns) = (a.nrows(), b.ncols());
    let mut product = vec![0.0; rows * columns];
    let target = MatMut::from_column_major_slice_mut(&mut product, rows, columns);
    matmul(target, Accum::Replace, a, b, 1.0, Par::Seq);
    product
}

/// X += factor W C for the columns of `x`.
pub(super) fn add_product(x: &mut [f64], w: MatRef<'_, f64>, c: &[f64], factor: f64) {
    let m = x.len() / w.nrows();
    let x = MatMut::from_column_major_slice_mut(x, w.nrows(), m);
    let c = MatRef::from_column_major_slice(c, w.ncols(), m);
    matmul(x, Accum::Add, w, c, factor, Par::Seq);
}

/// `y = alpha A x`, or `y += alpha A x` where `accumulate`.
pub(super) fn matrix_vector(
    y: &mut [f64],
    a: MatRef<'_, f64>,
    x: &[f64],
    alpha: f64,
    accumulate: bool,
) {
    let accum = if accumulate { Accum::Add } else { Accum::Replace };
    matmul(
        ColMut::from_slice_mut(y).as_mat_mut(),
        accum,
        a,
        ColRef::from_slice(x).as_mat(),
        alpha,
        Par::Seq,
    );
}

/// An orthonormal basis Q (n x r) of the span of the columns of `x` (n x m), without the directions in
/// which they are less than `least`, and U (r x m) with X = Q U but for those: by the eigenvectors of the
/// Gram matrix.
///
/// # Errors
/// As [`symmetric_eigen`].
pub(super) fn orthonormal(mut x: Vec<f64>, n: usize, least: f64) -> Result<(Vec<f64>, Vec<f64>)> {
    /// A Gram matrix conditioned better than this leaves columns orthogonal.
    const TAME: f64 = 10.0;
    let m = x.len() / n.max(1);
    let mut u: Vec<f64> = (0..m * m).map(|at| f64::from(at.is_multiple_of(m + 1))).collect();
    // A second pass repairs what the conditioning costs the first.
    for least in [least, 0.5] {
        let r = x.len() / n.max(1);
        if r == 0 {
            break;
        }
        let columns = MatRef::from_column_major_slice(&x, n, r);
        let gram = symmetric_eigen(r, &matrix_product(columns.transpose(), columns))?;
        let kept: Vec<usize> = (0..r).filter(|&i| gram.values[i] > least * least).collect();
        let (mut down, mut up) = (Vec::new(), Vec::new());
        for &i in &kept {
            let length = gram.values[i].sqrt();
            down.extend(gram.vector(i).iter().map(|v| v / length));
            up.extend(gram.vector(i).iter().map(|v| v * length));
        }
        let up = MatRef::from_column_major_slice(&up, r, kept.len());
        u = matrix_product(up.transpose(), MatRef::from_column_major_slice(&u, r, m));
        x = matrix_product(columns, MatRef::from_column_major_slice(&down, r, kept.len()));
        if kept.first().is_none_or(|&least| gram.values[r - 1] < TAME * gram.values[least]) {
            break;
        }
    }
    Ok((x, u))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orthonormal_columns_and_their_factor_give_the_columns_back() {
        const N: usize = 50;
        let at = |i: usize, j: usize| ((i * (j + 2)) as f64 * 0.37).sin();
        // Nearly alike, so that one pass leaves them far from orthogonal; the last is the sum of two.
        let mut x: Vec<f64> = (0..3 * N).map(|e| at(e % N, 0) + 1e-4 * at(e % N, e / N)).collect();
        x.extend((0..N).map(|i| x[i] + x[N + i]).collect::<Vec<_>>());
        let (q, u) = orthonormal(x.clone(), N, 1e-6).unwrap();
        let r = q.len() / N;
        assert_eq!(r, 3);
        let (q, u) =
            (MatRef::from_column_major_slice(&q, N, r), MatRef::from_column_major_slice(&u, r, 4));
        let gram = matrix_product(q.transpose(), q);
        let identity = |at: usize| f64::from(at.is_multiple_of(r + 1));
        assert!((0..r * r).all(|at| (gram[at] - identity(at)).abs() < 1e-14), "{gram:?}");
        assert!(matrix_product(q, u).iter().zip(&x).all(|(a, b)| (a - b).abs() < 1e-7));
        assert!(orthonormal(Vec::new(), N, 1e-6).unwrap().0.is_empty());
    }
}
