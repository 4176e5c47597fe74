//! Principal components of a trajectory.

use crate::error::{Error, Result, check_length};
use crate::linalg::{dot, norm, symmetric_eigen};

/// The shares of the variance that the first two components of a long random walk in many dimensions have: 6/pi^2
/// and a quarter of it (Antognini and Sohl-Dickstein 2018, 1806.08805). Its projections are Lissajous curves, which look
/// like training.
pub const RANDOM_WALK_SHARES: [f64; 2] = [0.6079, 0.1520];

/// The components of some points.
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// Unit vectors, orthogonal to each other, of length P; that of the largest variance first.
    pub directions: Vec<Vec<f64>>,
    /// The share of the points' variance along each.
    pub shares: Vec<f64>,
}

/// The first `count` principal components of T points (length P each), by the T x T Gram matrix of their differences
/// from their mean: P may be large, and T is small. Fewer where the points span fewer directions.
///
/// # Errors
/// [`Error::Setting`] for fewer than two points; [`Error::Length`] for points of different lengths;
/// [`Error::Numerical`] if the decomposition fails.
pub fn principal_components(points: &[&[f64]], count: usize) -> Result<Components> {
    let t = points.len();
    let Some(first) = points.first().filter(|_| t > 1) else {
        let remedy = "give two or more";
        return Err(Error::setting("points", t, "components are of several points", remedy));
    };
    let mut mean = vec![0.0; first.len()];
    for point in points {
        check_length("point of a trajectory", point.len(), mean.len())?;
        mean.iter_mut().zip(*point).for_each(|(mean, x)| *mean += x / t as f64);
    }
    let centered: Vec<Vec<f64>> = points
        .iter()
        .map(|point| point.iter().zip(&mean).map(|(x, mean)| x - mean).collect())
        .collect();
    let mut gram = vec![0.0; t * t];
    for i in 0..t {
        for j in 0..=i {
            let product = dot(&centered[i], &centered[j]);
            (gram[i * t + j], gram[j * t + i]) = (product, product);
        }
    }
    let eigen = symmetric_eigen(t, &gram)?;
    let total: f64 = eigen.values.iter().map(|value| value.max(0.0)).sum();
    let mut components = Components { directions: Vec::new(), shares: Vec::new() };
    for i in (0..t).rev().take(count) {
        // What is left is rounding.
        if eigen.values[i] <= 1e-10 * total {
            break;
        }
        let mut direction = vec![0.0; mean.len()];
        for (weight, point) in eigen.vector(i).iter().zip(&centered) {
            direction.iter_mut().zip(point).for_each(|(d, x)| *d += weight * x);
        }
        let length = norm(&direction);
        direction.iter_mut().for_each(|d| *d /= length);
        components.directions.push(direction);
        components.shares.push(eigen.values[i] / total);
    }
    Ok(components)
}
