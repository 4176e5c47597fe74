//! Jacobi's method for small symmetric matrices: slow, and certain.
//!
//! A rotation in the plane of two coordinates takes out the entry between them; over and over all pairs, what
//! is left outside the diagonal falls, in the end quadratically (Golub and Van Loan, Matrix Computations,
//! 2013, section 8.5). It has no shifts that an entry far below all others could mislead.

/// Sweeps over all pairs after which it gives up; ten are many.
const SWEEPS: usize = 60;

/// Entries of this share of the largest are left where they are: all of them together are less than what
/// rounding does to the matrix.
const ROUNDING: f64 = f64::EPSILON / 128.0;

/// The eigenvalues, unsorted, of the symmetric matrix with these n * n entries, and its eigenvectors,
/// column after column; `None` where it did not converge. The largest entry should be near 1, so that
/// nothing overflows.
pub(super) fn eigen(n: usize, mut a: Vec<f64>) -> Option<(Vec<f64>, Vec<f64>)> {
    let most = a.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let least = ROUNDING * most;
    let mut vectors: Vec<f64> = (0..n * n).map(|at| f64::from(at.is_multiple_of(n + 1))).collect();
    for _ in 0..SWEEPS {
        let mut turned = false;
        for q in 1..n {
            for p in 0..q {
                turned |= rotate(n, &mut a, &mut vectors, (p, q), least);
            }
        }
        if !turned {
            return Some(((0..n).map(|i| a[i * n + i]).collect(), vectors));
        }
    }
    None
}

/// Takes out entry (p, q), unless it is at most `least`. Returns whether it was more.
fn rotate(
    n: usize,
    a: &mut [f64],
    vectors: &mut [f64],
    (p, q): (usize, usize),
    least: f64,
) -> bool {
    let (app, aqq, apq) = (a[p * n + p], a[q * n + q], a[q * n + p]);
    if apq.abs() <= least {
        return false;
    }
    let tau = (aqq - app) / (2.0 * apq);
    let t = tau.signum() / (tau.abs() + tau.hypot(1.0));
    let c = 1.0 / t.hypot(1.0);
    let s = t * c;
    for k in (0..n).filter(|&k| k != p && k != q) {
        let (x, y) = (a[k * n + p], a[k * n + q]);
        let (x, y) = (c * x - s * y, s * x + c * y);
        (a[k * n + p], a[p * n + k]) = (x, x);
        (a[k * n + q], a[q * n + k]) = (y, y);
    }
    a[p * n + p] = app - t * apq;
    a[q * n + q] = aqq + t * apq;
    a[q * n + p] = 0.0;
    a[p * n + q] = 0.0;
    for k in 0..n {
        let (x, y) = (vectors[p * n + k], vectors[q * n + k]);
        vectors[p * n + k] = c * x - s * y;
        vectors[q * n + k] = s * x + c * y;
    }
    true
}
