//! Slices: losses at a point plus multiples of one direction or two.

use rand::Rng;
use rand_distr::{Distribution, StandardNormal};

use crate::autodiff::{Objective, ParameterLayout};
use crate::error::{Error, Result, check_length};
use crate::linalg::{dot, norm};

use super::{Surface, Values};

/// Losses at `center + x direction` for each of `xs`, in order. The objectives are left at the last point.
///
/// # Errors
/// [`Error::Length`] for vectors of another length than P; or if the device reports failure.
pub fn slice_1d(
    surface: &mut Surface<'_>,
    center: &[f64],
    direction: &[f64],
    xs: &[f64],
) -> Result<Vec<Values>> {
    check_length("direction", direction.len(), center.len())?;
    xs.iter().map(|&x| surface.values(&moved(center, &[(x, direction)]))).collect()
}

/// Losses at `center + x first + y second` over a grid: for each of `ys` all of `xs`. `told` hears of each
/// row that is done.
///
/// # Errors
/// As [`slice_1d`].
pub fn slice_2d(
    surface: &mut Surface<'_>,
    center: &[f64],
    [first, second]: [&[f64]; 2],
    xs: &[f64],
    ys: &[f64],
    mut told: impl FnMut(usize),
) -> Result<Vec<Values>> {
    check_length("first direction", first.len(), center.len())?;
    check_length("second direction", second.len(), center.len())?;
    let mut values = Vec::with_capacity(xs.len() * ys.len());
    for (row, &y) in ys.iter().enumerate() {
        for &x in xs {
            values.push(surface.values(&moved(center, &[(x, first), (y, second)]))?);
        }
        told(row + 1);
    }
    Ok(values)
}

/// `count` numbers evenly from `low` to `high`, both included; with an odd number over a range about 0, 0 itself is
/// among them.
pub fn spread(low: f64, high: f64, count: usize) -> Vec<f64> {
    let last = count.saturating_sub(1).max(1) as f64;
    (0..count).map(|i| (low * (last - i as f64) + high * i as f64) / last).collect()
}

/// A point, and so much along each direction.
pub(crate) fn moved(center: &[f64], by: &[(f64, &[f64])]) -> Vec<f64> {
    let mut theta = center.to_vec();
    for (x, direction) in by {
        theta.iter_mut().zip(*direction).for_each(|(w, d)| *w += x * d);
    }
    theta
}

/// The second derivative of the loss along `direction` at `center`, by second differences with the steps `h` and
/// `2h` and Richardson's extrapolation, whose error is of the order of h^4: without a Hessian-vector product, so that it
/// checks what eigensolvers say. Along a unit eigenvector it is the eigenvalue.
///
/// # Errors
/// [`Error::Length`] for vectors of another length than P; or if the device reports failure.
pub fn second_difference(
    objective: &mut dyn Objective,
    center: &[f64],
    direction: &[f64],
    h: f64,
) -> Result<f64> {
    check_length("direction", direction.len(), center.len())?;
    let mut at = |x: f64| -> Result<f64> {
        objective.set_parameters(&moved(center, &[(x, direction)]))?;
        Ok(objective.evaluate()?.loss)
    };
    let here = at(0.0)?;
    let mut of = |h: f64| -> Result<f64> { Ok((at(h)? - 2.0 * here + at(-h)?) / (h * h)) };
    let (near, far) = (of(h)?, of(2.0 * h)?);
    Ok((4.0 * near - far) / 3.0)
}

/// How far along a unit eigenvector a quadratic of that curvature rises by `rise`: sqrt(2 rise / |curvature|). None
/// for no curvature.
pub fn rise_unit(rise: f64, curvature: f64) -> Option<f64> {
    let unit = (2.0 * rise / curvature.abs()).sqrt();
    (unit.is_finite() && unit > 0.0).then_some(unit)
}

/// A Gaussian direction with the weights' own scale (Li et al. 2018, 1712.09913): of each tensor with two or more
/// axes, the part of each output, `d[j]`, is made as long as `theta[j]`. Biases and other tensors of one axis do not
/// move, as in the paper's figures.
///
/// # Errors
/// [`Error::Length`] for another length than the layout's.
pub fn filter_normalised<R: Rng>(
    layout: &ParameterLayout,
    theta: &[f64],
    rng: &mut R,
) -> Result<Vec<f64>> {
    check_length("parameter vector", theta.len(), layout.len())?;
    let mut direction: Vec<f64> = StandardNormal.sample_iter(rng).take(theta.len()).collect();
    for entry in layout.entries() {
        let range = entry.offset..entry.offset + entry.len;
        let (own, weights) = (&mut direction[range.clone()], &theta[range]);
        if entry.shape.len() < 2 {
            own.fill(0.0);
            continue;
        }
        let size = (entry.len / entry.shape[0].max(1)).max(1);
        for (own, weights) in own.chunks_mut(size).zip(weights.chunks(size)) {
            let factor = norm(weights) / (norm(own) + 1e-10);
            own.iter_mut().for_each(|x| *x *= factor);
        }
    }
    Ok(direction)
}

/// The cosine of the angle between two directions; 0 where one of them is zero.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let lengths = norm(a) * norm(b);
    if lengths > 0.0 { (dot(a, b) / lengths).clamp(-1.0, 1.0) } else { 0.0 }
}

/// A plane with an orthonormal basis.
#[derive(Debug, Clone, PartialEq)]
pub struct Plane {
    /// Where its coordinates are zero (length P).
    pub origin: Vec<f64>,
    /// Unit vectors that are orthogonal to each other (length P).
    pub basis: [Vec<f64>; 2],
}

impl Plane {
    /// Through three points (Garipov et al. 2018, 1802.10026): the origin is the first, the first axis leads to the
    /// second, and the third lies on the side of the second axis.
    ///
    /// # Errors
    /// [`Error::Setting`] for points on one line; [`Error::Length`] for points of different lengths.
    pub fn through(points: [&[f64]; 3]) -> Result<Self> {
        let [first, second, third] = points;
        check_length("second point", second.len(), first.len())?;
        check_length("third point", third.len(), first.len())?;
        let from_first =
            |to: &[f64]| -> Vec<f64> { to.iter().zip(first).map(|(to, from)| to - from).collect() };
        let u = from_first(second);
        let v = from_first(third);
        let (length, before) = (norm(&u), norm(&v));
        let collinear = || {
            let remedy = "give three points that are not on one line";
            Error::setting("points", 3, "they make no plane", remedy)
        };
        if length == 0.0 {
            return Err(collinear());
        }
        let u: Vec<f64> = u.iter().map(|x| x / length).collect();
        let along = dot(&u, &v);
        let v: Vec<f64> = v.iter().zip(&u).map(|(v, u)| v - along * u).collect();
        let height = norm(&v);
        // What is left is rounding.
        if height <= 1e-6 * before {
            return Err(collinear());
        }
        let v = v.iter().map(|x| x / height).collect();
        Ok(Self { origin: first.to_vec(), basis: [u, v] })
    }

    /// The coordinates of the point of the plane nearest to `theta`, and how far from it that is.
    ///
    /// # Errors
    /// [`Error::Length`] for another length than P.
    pub fn coordinates(&self, theta: &[f64]) -> Result<([f64; 2], f64)> {
        coordinates(&self.origin, [&self.basis[0], &self.basis[1]], theta)
    }
}

/// The coordinates, in multiples of two directions from `origin`, of the nearest point to `theta` that they reach,
/// and its distance: by least squares, since directions need not be orthogonal.
///
/// # Errors
/// [`Error::Length`] for vectors of different lengths; [`Error::Setting`] for directions that are parallel.
pub fn coordinates(
    origin: &[f64],
    [first, second]: [&[f64]; 2],
    theta: &[f64],
) -> Result<([f64; 2], f64)> {
    for vector in [first, second, theta] {
        check_length("point of a plane", vector.len(), origin.len())?;
    }
    let from: Vec<f64> = theta.iter().zip(origin).map(|(w, o)| w - o).collect();
    let (aa, ab, bb) = (dot(first, first), dot(first, second), dot(second, second));
    let (fa, fb) = (dot(first, &from), dot(second, &from));
    let determinant = aa * bb - ab * ab;
    if determinant <= 1e-12 * aa * bb {
        let remedy = "give two that are not";
        return Err(Error::setting("directions", 2, "they are parallel", remedy));
    }
    let (x, y) = ((bb * fa - ab * fb) / determinant, (aa * fb - ab * fa) / determinant);
    let left = from.iter().zip(first).zip(second).map(|((f, a), b)| f - x * a - y * b);
    Ok(([x, y], norm(&left.collect::<Vec<f64>>())))
}
