//! The complementarity problem that fixes the oscillation of the central flow.

use crate::error::{Error, Result, check_length};
use crate::linalg::{dot, norm, solve, symmetric_eigen};

/// Eigenvalues of B below this share of the largest are nothing but rounding.
const ROUNDING: f64 = 1e-13;

/// X and its slack A + B\[X\], both k * k.
#[derive(Debug, Clone, PartialEq)]
pub struct Complementarity {
    /// X, of rank k at most.
    pub x: Vec<f64>,
    /// A + B\[X\].
    pub slack: Vec<f64>,
    /// How far the conditions are from being met, relative to the sizes of X and A: the most of the negative parts
    /// of X and the slack and of their inner product.
    pub violation: f64,
}

/// Number of pairs i <= j of k.
pub fn pairs(k: usize) -> usize {
    k * (k + 1) / 2
}

/// The place of the pair i <= j among (0, 0), (0, 1), (1, 1), (0, 2), …
pub fn pair(i: usize, j: usize) -> usize {
    let (i, j) = if i <= j { (i, j) } else { (j, i) };
    j * (j + 1) / 2 + i
}

/// The symmetric X with X >= 0, A + B\[X\] >= 0 and <X, A + B\[X\]> = 0: the minimum of <A, X> + <X, B\[X\]>/2 over
/// positive semidefinite X. `a` are the k * k entries of a symmetric matrix. `b` are those of B over pairs:
/// B\[X\] at pair p is the sum over all k * k entries X_ij of b\[p, pair(i, j)\] X_ij; it is symmetrised, and what
/// of it is negative is left out.
///
/// For k = 1 X = max(0, -A/B). Else by the primal-dual interior-point method of Alizadeh, Haeberly and Overton
/// (SIAM J. Optim. 8, 1998), in at most some tens of steps whatever the conditioning.
///
/// # Errors
/// [`Error::Length`] if the sizes do not fit; [`Error::Numerical`] where no X holds A + B\[X\] at zero or above.
pub fn complementarity(k: usize, a: &[f64], b: &[f64]) -> Result<Complementarity> {
    let m = pairs(k);
    check_length("matrix", a.len(), k * k)?;
    check_length("operator on matrices", b.len(), m * m)?;
    if k == 0 || symmetric_eigen(k, a)?.values[0] >= 0.0 {
        return Ok(Complementarity { x: vec![0.0; k * k], slack: a.to_vec(), violation: 0.0 });
    }
    let scaled = Scaled::new(k, a, b)?;
    let x = match k {
        1 => vec![1.0],
        _ => scaled.solve()?,
    };
    let slack = scaled.slack(&x);
    let x: Vec<f64> = x.iter().map(|x| x * scaled.unit_x).collect();
    let slack: Vec<f64> = slack.iter().map(|s| s * scaled.unit_a).collect();
    let (x, slack) = (scaled.matrix(&x), scaled.matrix(&slack));
    let violation = violation(k, &x, &slack, scaled.unit_a)?;
    Ok(Complementarity { x, slack, violation })
}

fn violation(k: usize, x: &[f64], slack: &[f64], unit: f64) -> Result<f64> {
    let below = |matrix: &[f64]| Ok::<f64, Error>(-symmetric_eigen(k, matrix)?.values[0]);
    let size = norm(x).max(f64::MIN_POSITIVE);
    let gap = dot(x, slack).abs() / (size * unit);
    Ok((below(x)? / size).max(below(slack)? / unit).max(gap).max(0.0))
}

/// The problem in units of its own, in coordinates whose inner product is that of matrices: off the diagonal an
/// entry times sqrt(2).
struct Scaled {
    k: usize,
    a: Vec<f64>,
    b: Vec<f64>,
    unit_a: f64,
    unit_x: f64,
}

impl Scaled {
    fn new(k: usize, a: &[f64], b: &[f64]) -> Result<Self> {
        let m = pairs(k);
        let root = roots(k);
        let mut full: Vec<f64> = (0..m * m).map(|at| root[at / m] * root[at % m] * b[at]).collect();
        for p in 0..m {
            for q in 0..p {
                let mean = 0.5 * (full[p * m + q] + full[q * m + p]);
                (full[p * m + q], full[q * m + p]) = (mean, mean);
            }
        }
        let eigen = symmetric_eigen(m, &full)?;
        let largest = eigen.values[m - 1];
        let a = vector(k, a);
        let unit_a = norm(&a);
        if largest <= 0.0 || !(unit_a / largest).is_finite() {
            return Err(unheld("no oscillation changes the curvature"));
        }
        let mut clipped = vec![0.0; m * m];
        for (at, &value) in eigen.values.iter().enumerate() {
            let (value, v) = (value / largest, eigen.vector(at));
            if value > ROUNDING {
                for (i, entry) in clipped.iter_mut().enumerate() {
                    *entry += value * v[i / m] * v[i % m];
                }
            }
        }
        let a = a.iter().map(|x| x / unit_a).collect();
        Ok(Self { k, a, b: clipped, unit_a, unit_x: unit_a / largest })
    }

    fn matrix(&self, x: &[f64]) -> Vec<f64> {
        matrix(self.k, x)
    }

    fn slack(&self, x: &[f64]) -> Vec<f64> {
        let rows = self.b.chunks_exact(x.len());
        rows.zip(&self.a).map(|(row, a)| a + dot(row, x)).collect()
    }

    fn solve(&self) -> Result<Vec<f64>> {
        /// The gap and the slack's residual that are left; rounding leaves no less of them.
        const ENOUGH: f64 = 1e-13;
        /// The gap that is asked for after each step, as a share of the one before.
        const CENTRING: f64 = 0.1;
        const STEPS: usize = 100;
        /// An X so large holds nothing.
        const UNBOUNDED: f64 = 1e12;
        let (k, m) = (self.k, self.a.len());
        let identity = vector(k, &identity(k));
        let (mut x, mut s) = (identity.clone(), identity.clone());
        for _ in 0..STEPS {
            let residual: Vec<f64> =
                s.iter().zip(self.slack(&x)).map(|(s, slack)| s - slack).collect();
            let gap = dot(&x, &s) / k as f64;
            if gap < ENOUGH && norm(&residual) < ENOUGH {
                return Ok(x);
            }
            if norm(&x) > UNBOUNDED {
                break;
            }
            let (by_x, by_s) = (anticommutator(k, &x), anticommutator(k, &s));
            let product = times(&by_x, &s);
            let corrected = times(&by_x, &residual);
            let right: Vec<f64> = (0..m)
                .map(|p| 2.0 * CENTRING * gap * identity[p] - product[p] + corrected[p])
                .collect();
            let Ok(dx) = solve(m, &transposed(m, &self.system(&by_x, &by_s)), &right) else {
                break;
            };
            let ds: Vec<f64> =
                times(&self.b, &dx).iter().zip(&residual).map(|(ds, r)| ds - r).collect();
            let length = step_length(k, &x, &dx)?.min(step_length(k, &s, &ds)?);
            x.iter_mut().zip(&dx).for_each(|(x, d)| *x += length * d);
            s.iter_mut().zip(&ds).for_each(|(s, d)| *s += length * d);
            if length < 1e-10 {
                break;
            }
        }
        // As far as rounding lets it come.
        let slack = self.slack(&x);
        let done = dot(&x, &slack).abs() < 1e-9 * (1.0 + norm(&x)) && norm(&x) < UNBOUNDED;
        if done { Ok(x) } else { Err(unheld("it does not settle")) }
    }

    /// The rows of dX -> dX S + S dX + B\[dX\] X + X B\[dX\].
    fn system(&self, by_x: &[f64], by_s: &[f64]) -> Vec<f64> {
        let m = self.a.len();
        let mut system = by_s.to_vec();
        for p in 0..m {
            for r in 0..m {
                let factor = by_x[p * m + r];
                let row = &self.b[r * m..(r + 1) * m];
                system[p * m..(p + 1) * m]
                    .iter_mut()
                    .zip(row)
                    .for_each(|(entry, b)| *entry += factor * b);
            }
        }
        system
    }
}

fn unheld(why: &str) -> Error {
    let reason = format!("{why}, so that none holds the sharpness at the threshold");
    Error::Numerical { what: "finding the oscillation of the central flow", reason }
}

fn identity(k: usize) -> Vec<f64> {
    (0..k * k).map(|at| f64::from(at.is_multiple_of(k + 1))).collect()
}

/// 1 on the diagonal, sqrt(2) off it, by pairs.
fn roots(k: usize) -> Vec<f64> {
    let of = |i, j| if i == j { 1.0 } else { 2.0_f64.sqrt() };
    (0..k).flat_map(|j| (0..=j).map(move |i| of(i, j))).collect()
}

fn vector(k: usize, matrix: &[f64]) -> Vec<f64> {
    let entry = |i: usize, j: usize| 0.5 * (matrix[i * k + j] + matrix[j * k + i]);
    let entries = (0..k).flat_map(|j| (0..=j).map(move |i| entry(i, j)));
    entries.zip(roots(k)).map(|(x, root)| x * root).collect()
}

fn matrix(k: usize, vector: &[f64]) -> Vec<f64> {
    let root = roots(k);
    let entry = |at: usize| vector[pair(at / k, at % k)] / root[pair(at / k, at % k)];
    (0..k * k).map(entry).collect()
}

/// The rows of V -> M V + V M for the matrix with these coordinates.
fn anticommutator(k: usize, of: &[f64]) -> Vec<f64> {
    let (m, of) = (of.len(), matrix(k, of));
    let mut rows = vec![0.0; m * m];
    let mut unit = vec![0.0; m];
    for q in 0..m {
        unit[q] = 1.0;
        let v = matrix(k, &unit);
        unit[q] = 0.0;
        let entry = |at: usize| -> f64 {
            let (i, j) = (at / k, at % k);
            (0..k).map(|l| of[i * k + l] * v[l * k + j] + v[i * k + l] * of[l * k + j]).sum()
        };
        let product: Vec<f64> = (0..k * k).map(entry).collect();
        vector(k, &product).iter().enumerate().for_each(|(p, x)| rows[p * m + q] = *x);
    }
    rows
}

fn times(rows: &[f64], x: &[f64]) -> Vec<f64> {
    rows.chunks_exact(x.len()).map(|row| dot(row, x)).collect()
}

fn transposed(m: usize, rows: &[f64]) -> Vec<f64> {
    (0..m * m).map(|at| rows[(at % m) * m + at / m]).collect()
}

/// How much of the direction can be gone, of 1 at most, so that a twentieth of the way to the cone's border is left.
fn step_length(k: usize, x: &[f64], dx: &[f64]) -> Result<f64> {
    let mut length = 1.0;
    loop {
        let ahead: Vec<f64> = x.iter().zip(dx).map(|(x, d)| x + length / 0.95 * d).collect();
        if length < 1e-12 || symmetric_eigen(k, &matrix(k, &ahead))?.values[0] > 0.0 {
            return Ok(length);
        }
        length *= 0.8;
    }
}
