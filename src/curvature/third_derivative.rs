//! How curvature changes with the parameters: third derivatives of a loss along given directions, as
//! central differences of Hessian-vector products.

use crate::autodiff::{Objective, Samples};
use crate::error::{Error, Result, check_length};
use crate::linalg::norm;

/// How far apart the points of the differences are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DifferenceStep {
    /// Unit roundoff of the arithmetic that products are computed in ([`crate::device::Precision::resolution`]).
    pub resolution: f64,
    /// Distance h of each of the two points from theta; `None` chooses one by the resolution and by how far
    /// the Hessian stays what it is.
    pub length: Option<f64>,
}

impl DifferenceStep {
    /// A distance that is chosen, for products computed with this unit roundoff.
    pub fn at_resolution(resolution: f64) -> Self {
        Self { resolution, length: None }
    }

    /// What the error of a difference that is cut short and the error by rounding have in common at their
    /// best, as a share of the length over which the Hessian changes: that of the second difference of
    /// gradients, by which the error is estimated, is resolution/h^2 beside h^2.
    fn share(&self) -> f64 {
        self.resolution.powf(0.25)
    }
}

/// Gradients of curvatures u_i'Hu_j with respect to the parameters, the directions being fixed.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvatureGradients {
    /// grad(u_i'Hu_j) (length P each) of the pairs i <= j in the order (0,0), (0,1), (1,1), (0,2), (1,2), ...
    /// That of a pair of the top eigenvector is the gradient of its eigenvalue, where that is simple.
    pub gradients: Vec<Vec<f64>>,
    /// An estimate of the norm of the error of each, in the same order.
    pub error: Vec<f64>,
    /// The distance of the points from theta that they are differences over.
    pub step: f64,
    /// Hessian-vector products taken.
    pub products: usize,
}

impl CurvatureGradients {
    /// Where the pair (i, j) stands, in either order.
    pub fn index(i: usize, j: usize) -> usize {
        let (i, j) = (i.min(j), i.max(j));
        j * (j + 1) / 2 + i
    }
}

/// Where a first guess of the distance stands between nothing and the norm of the parameters: the curvature
/// of small networks changes by as much as itself within about a sixteenth of that.
const GUESS: f64 = 1.0 / 16.0;
/// Most distances that are tried.
const TRIES: usize = 3;

/// The gradient of u_i'Hu_j for each pair of the k `directions` (length P each, of any length) at `theta`
/// (length P), where the objective is left. Each is the third derivative of the loss along two directions:
/// (H(theta + h u) - H(theta - h u)) v / 2h, the points h away from theta; for a pair of two directions the
/// mean over which of them is u. It takes one linearisation at each of 2k points and one block of k products
/// there.
///
/// The error is estimated: of a pair (u, u) from (g(theta + h u) + g(theta - h u) - 2 g(theta))/h^2, which has
/// half the error in h^2, so that their difference is half the error that is sought; of a pair (u, v) as half
/// of what the two ways differ by, and the geometric mean of the errors of (u, u) and (v, v). Unless a distance
/// is given, one is guessed from the norm of theta, and taken shorter where that estimate says so and the
/// Hessian changes by as much as itself within little more.
///
/// # Errors
/// [`Error::Length`] for a length that is not P; [`Error::Setting`] for a distance that is not above 0;
/// [`Error::NonFinite`] if a product is not finite; or if the device reports failure.
pub fn curvature_gradients(
    objective: &mut dyn Objective,
    theta: &[f64],
    directions: &[Vec<f64>],
    options: &DifferenceStep,
) -> Result<CurvatureGradients> {
    check(objective, theta, directions, options)?;
    objective.set_parameters(theta)?;
    let at_centre = objective.gradient(Samples::All)?.gradient;
    let mut step = options.length.unwrap_or(options.share() * GUESS * norm(theta).max(1.0));
    let (mut tried, mut products) = (0, 0);
    loop {
        let found = differences(objective, theta, directions, &at_centre, step);
        objective.set_parameters(theta)?;
        let Differences { gradients, error, reach } = found?;
        tried += 1;
        products += 2 * directions.len() * directions.len();
        let better = reach * options.share();
        let enough = options.length.is_some()
            || tried == TRIES
            || better > 0.5 * step
            || !is_coarse(&gradients, &error, options.resolution);
        if enough {
            return Ok(CurvatureGradients { gradients, error, step, products });
        }
        step = better;
    }
}

fn check(
    objective: &dyn Objective,
    theta: &[f64],
    directions: &[Vec<f64>],
    options: &DifferenceStep,
) -> Result<()> {
    check_length("parameter vector", theta.len(), objective.dim())?;
    for direction in directions {
        check_length("direction", direction.len(), objective.dim())?;
    }
    match options.length {
        Some(h) if !(h.is_finite() && h > 0.0) => {
            let problem = "not a distance between points";
            Err(Error::setting("length", format!("{h:?}"), problem, "give a number above 0"))
        }
        _ => Ok(()),
    }
}

/// Whether an error is more than a good distance leaves.
fn is_coarse(gradients: &[Vec<f64>], error: &[f64], resolution: f64) -> bool {
    let most = resolution.cbrt();
    gradients.iter().zip(error).any(|(gradient, error)| *error > most * norm(gradient))
}

/// What one distance gives.
struct Differences {
    gradients: Vec<Vec<f64>>,
    error: Vec<f64>,
    /// The least distance within which the Hessian changes by as much as itself: ||H u||/||grad(u'Hu)|| for
    /// unit vectors u.
    reach: f64,
}

/// Along one direction: half of what products and gradients at both points differ by, and what their
/// sums do.
struct Along {
    /// (H+ - H-) v_j / 2t for each j, one after the other.
    change: Vec<f64>,
    /// An estimate of the norm of the error of the direction's own.
    error: f64,
    /// The norm of (H+ + H-) u / 2.
    size: f64,
}

fn differences(
    objective: &mut dyn Objective,
    theta: &[f64],
    directions: &[Vec<f64>],
    at_centre: &[f64],
    h: f64,
) -> Result<Differences> {
    let (k, dim) = (directions.len(), theta.len());
    let block = directions.concat();
    let mut along = Vec::with_capacity(k);
    for i in 0..k {
        along.push(along_one(objective, theta, &block, i, at_centre, h)?);
    }
    let part = |i: usize, j: usize| &along[i].change[j * dim..(j + 1) * dim];
    let (mut gradients, mut error) = (Vec::new(), Vec::new());
    for j in 0..k {
        for i in 0..=j {
            let (one, other) = (part(i, j), part(j, i));
            gradients.push(one.iter().zip(other).map(|(a, b)| 0.5 * (a + b)).collect());
            let apart: Vec<f64> = one.iter().zip(other).map(|(a, b)| 0.5 * (a - b)).collect();
            error.push(norm(&apart) + (along[i].error * along[j].error).sqrt());
        }
    }
    let reach = |(i, u): (usize, &Vec<f64>)| along[i].size * norm(u) / norm(part(i, i));
    let reach = directions.iter().enumerate().map(reach).filter(|reach| reach.is_finite());
    let reach = reach.fold(f64::INFINITY, f64::min);
    Ok(Differences { gradients, error, reach })
}

/// Along direction number `i` of the `block`, at two points that are `h` away.
fn along_one(
    objective: &mut dyn Objective,
    theta: &[f64],
    block: &[f64],
    i: usize,
    at_centre: &[f64],
    h: f64,
) -> Result<Along> {
    let dim = theta.len();
    let own = i * dim..(i + 1) * dim;
    let u = &block[own.clone()];
    let length = norm(u);
    if length == 0.0 {
        return Ok(Along { change: vec![0.0; block.len()], error: 0.0, size: 0.0 });
    }
    let t = h / length;
    let mut at = |sign: f64| {
        let point: Vec<f64> = theta.iter().zip(u).map(|(w, u)| w + sign * t * u).collect();
        objective.set_parameters(&point)?;
        let (evaluated, products) = objective.gradient_and_hvps(block)?;
        match evaluated.gradient.iter().chain(&products).all(|x| x.is_finite()) {
            true => Ok((evaluated.gradient, products)),
            false => Err(Error::NonFinite { what: "a Hessian-vector product" }),
        }
    };
    let ((g_up, up), (g_down, down)) = (at(1.0)?, at(-1.0)?);
    let change: Vec<f64> = up.iter().zip(&down).map(|(a, b)| (a - b) / (2.0 * t)).collect();
    let size: Vec<f64> =
        up[own.clone()].iter().zip(&down[own.clone()]).map(|(a, b)| 0.5 * (a + b)).collect();
    let bends = g_up.iter().zip(&g_down).zip(at_centre);
    let bends = bends.map(|((a, b), c)| ((a - c) + (b - c)) / (t * t));
    let apart: Vec<f64> = bends.zip(&change[own]).map(|(bend, own)| bend - own).collect();
    Ok(Along { error: 2.0 * norm(&apart), size: norm(&size), change })
}
