//! Measures of flatness beside each other. Each alone misleads: most change when a network is
//! rewritten without changing what it computes (Dinh et al. 2017).

use std::ops::Range;

use rand::Rng;
use serde::Serialize;

use super::CurvatureMeter;
use crate::autodiff::{Objective, ParameterLayout, Samples};
use crate::error::{Error, Result};
use crate::linalg::{
    Estimate, HutchPlusPlus, Hutchinson, TraceEstimate, dot, norm, rademacher_vector,
};
use crate::optim::StabilityOperator;

/// How the measures are taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FlatnessSettings {
    /// The eigensolver.
    pub meter: CurvatureMeter,
    /// The training step, which chooses start vectors.
    pub step: usize,
    /// Half-width of Keskar's box, relative to |w| + 1.
    pub epsilon: f64,
    /// Radius of SAM's ball.
    pub rho: f64,
    /// Radius of ASAM's ball, in units of the weights.
    pub adaptive_rho: f64,
    /// Steps of each ascent.
    pub ascent_steps: usize,
    /// Probes of a trace.
    pub probes: usize,
}

/// The measures at one point.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Flatness {
    /// The loss there.
    pub loss: f64,
    /// Largest eigenvalue of the Hessian, with its residual.
    pub lambda_max: f64,
    /// Its relative residual.
    pub residual: f64,
    /// Trace of the Hessian.
    pub trace: TraceEstimate,
    /// 100 (max L - L)/(1 + L) over the box |d_i| <= epsilon (|w_i| + 1) (Keskar et al. 2017): the
    /// best of a projected ascent, so a lower bound.
    pub epsilon_sharpness: f64,
    /// max L - L over the ball ||d|| <= rho (Foret et al. 2021), likewise.
    pub sam_rise: f64,
    /// max L - L over ||d / |w| || <= rho (Kwon et al. 2021), likewise. Not changed by rescaling.
    pub adaptive_rise: f64,
    /// sum over layers of sum_{s,s'} <w_s, w_s'> tr(H_{s,s'}), w_s being the weights into neuron s
    /// and H_{s,s'} the block between those of s and s' (Petzka et al. 2021). Not changed by
    /// rescaling. Two of its standard errors cover 95%.
    pub relative_flatness: Estimate,
}

/// Takes the measures at `theta`, where it leaves the objective.
///
/// # Errors
/// [`Error::NonFinite`] if a product is not finite; [`Error::Length`] for a vector of another length
/// than P; or if the device reports failure.
pub fn flatness<R: Rng>(
    objective: &mut dyn Objective,
    theta: &[f64],
    settings: &FlatnessSettings,
    rng: &mut R,
) -> Result<Flatness> {
    objective.set_parameters(theta)?;
    let loss = objective.evaluate()?.loss;
    let top = settings.meter.measure_top(objective, settings.step)?;
    let (Some(&lambda_max), residual) = (top.lambda.first(), top.residual) else {
        return Err(Error::Numerical { what: "flatness", reason: "no eigenvalue".to_string() });
    };
    let half = (settings.probes / 2).max(2);
    let rest = Hutchinson { least_probes: half, most_probes: half, accuracy: 0.0 };
    let trace = HutchPlusPlus { rank: half.div_ceil(2), rest }
        .estimate(&mut super::Hessian::new(objective), rng)?;
    let relative_flatness = relative_flatness(objective, theta, settings.probes.max(2), rng)?;
    let adaptive_top = adaptive_top(objective, theta, settings)?;

    let mut ascend = |region: Region, top: &[f64]| {
        let starts = [top.to_vec(), top.iter().map(|x| -x).collect()];
        largest_rise(objective, theta, loss, &region, settings.ascent_steps, &starts)
    };
    let box_sizes = theta.iter().map(|w| settings.epsilon * (w.abs() + 1.0)).collect();
    let epsilon_rise = ascend(Region::Box(box_sizes), &top.top_vector)?;
    let ball = Region::Ball { radius: settings.rho, scale: None };
    let sam_rise = ascend(ball, &top.top_vector)?;
    let scale = Some(theta.iter().map(|w| w.abs()).collect());
    let adaptive_ball = Region::Ball { radius: settings.adaptive_rho, scale };
    let adaptive_rise = ascend(adaptive_ball, &adaptive_top)?;
    objective.set_parameters(theta)?;
    Ok(Flatness {
        loss,
        lambda_max,
        residual,
        trace,
        epsilon_sharpness: 100.0 * epsilon_rise / (1.0 + loss),
        sam_rise,
        adaptive_rise,
        relative_flatness,
    })
}

/// u / |w|, u being the top eigenvector of |w| H |w|. Rescaling a network moves the Hessian's own top
/// eigenvector elsewhere, but this one along with the weights.
fn adaptive_top(
    objective: &dyn Objective,
    theta: &[f64],
    settings: &FlatnessSettings,
) -> Result<Vec<f64>> {
    let preconditioner = Some(theta.iter().map(|w| w.powi(-2)).collect());
    let operator = StabilityOperator { preconditioner, ..StabilityOperator::default() };
    let top = settings.meter.measure_operator(objective, &operator, settings.step)?;
    let over = |(u, w): (&f64, &f64)| if *w == 0.0 { 0.0 } else { u / w.abs() };
    Ok(top.top_vector.iter().zip(theta).map(over).collect())
}

/// Where the loss may be raised.
enum Region {
    /// |d_i| at most this.
    Box(Vec<f64>),
    /// ||d / scale|| at most the radius; coordinates of scale zero do not move.
    Ball { radius: f64, scale: Option<Vec<f64>> },
}

impl Region {
    /// The point of the region farthest along `direction`: where a linear function is largest.
    fn farthest(&self, direction: &[f64]) -> Vec<f64> {
        match self {
            Region::Box(sizes) => {
                let side =
                    |(g, size): (&f64, &f64)| if *g == 0.0 { 0.0 } else { size * g.signum() };
                direction.iter().zip(sizes).map(side).collect()
            }
            Region::Ball { radius, scale } => {
                let scaled: Vec<f64> = match scale {
                    Some(scale) => direction.iter().zip(scale).map(|(g, s)| g * s).collect(),
                    None => direction.to_vec(),
                };
                let length = norm(&scaled);
                let factor = if length > 0.0 { radius / length } else { 0.0 };
                match scale {
                    Some(scale) => scaled.iter().zip(scale).map(|(g, s)| factor * g * s).collect(),
                    None => scaled.iter().map(|g| factor * g).collect(),
                }
            }
        }
    }
}

/// The largest rise of the loss found in the region: from the gradient and from each of `starts`,
/// the conditional-gradient iteration with full steps, d = argmax <grad L(theta + d), .>, which for
/// the gradient's first step is SAM's own perturbation. Never below zero, since d = 0 is allowed.
fn largest_rise(
    objective: &mut dyn Objective,
    theta: &[f64],
    loss: f64,
    region: &Region,
    steps: usize,
    starts: &[Vec<f64>],
) -> Result<f64> {
    objective.set_parameters(theta)?;
    let gradient = objective.gradient(Samples::All)?.gradient;
    let mut best = 0.0_f64;
    for direction in std::iter::once(&gradient).chain(starts) {
        let mut change = region.farthest(direction);
        let mut before = f64::NEG_INFINITY;
        for _ in 0..steps.max(1) {
            let point: Vec<f64> = theta.iter().zip(&change).map(|(w, d)| w + d).collect();
            objective.set_parameters(&point)?;
            let there = objective.gradient(Samples::All)?;
            let rise = there.evaluation.loss - loss;
            if !rise.is_finite() {
                return Err(Error::NonFinite { what: "the loss near the parameters" });
            }
            // An ascent that no longer rises has come to its end.
            if rise <= before {
                break;
            }
            before = rise;
            best = best.max(rise);
            change = region.farthest(&there.gradient);
        }
    }
    Ok(best)
}

/// tr((W W' (x) I) H) for each matrix W of the layout (`[out, in]`, further sizes counted to `in`),
/// summed: E[x'Hx] with x = W Z, Z of random signs.
fn relative_flatness<R: Rng>(
    objective: &dyn Objective,
    theta: &[f64],
    probes: usize,
    rng: &mut R,
) -> Result<Estimate> {
    let layout = objective.layout().clone();
    let mut draws = vec![0.0; probes];
    for entry in layout.entries().iter().filter(|entry| entry.shape.len() >= 2) {
        let (rows, columns) = (entry.shape[0], entry.len / entry.shape[0].max(1));
        let weights = &theta[entry.offset..entry.offset + entry.len];
        for draw in &mut draws {
            let mut x = vec![0.0; theta.len()];
            // One column of Z after the other: in expectation each column of W Z adds its share.
            for column in 0..columns {
                let signs = rademacher_vector(columns, rng);
                for row in 0..rows {
                    let w = &weights[row * columns..(row + 1) * columns];
                    x[entry.offset + row * columns + column] = dot(w, &signs);
                }
            }
            *draw += dot(&x, &objective.hvp(&x)?);
        }
    }
    Ok(Estimate::covering(&draws, None))
}

/// Rewrites a network of relu layers without changing what it computes: the weights and bias of
/// layer `layer` times `factor`, and the weights of the next over it.
///
/// # Errors
/// [`Error::Setting`] for a factor that is not above zero, or without a layer after `layer`.
pub fn rescale(
    theta: &[f64],
    layout: &ParameterLayout,
    layer: usize,
    factor: f64,
) -> Result<Vec<f64>> {
    if !(factor.is_finite() && factor > 0.0) {
        let problem = "relu passes a factor on only if it is above zero";
        let shown = format!("{factor:?}");
        return Err(Error::setting("reparametrize", shown, problem, "give one such as 2"));
    }
    let place = |name: String| -> Option<Range<usize>> {
        let entry = layout.entries().iter().find(|entry| entry.name == name)?;
        Some(entry.offset..entry.offset + entry.len)
    };
    let weight = place(format!("layers.{layer}.weight"));
    let bias = place(format!("layers.{layer}.bias"));
    let next = place(format!("layers.{}.weight", layer + 1));
    let (Some(weight), Some(next)) = (weight, next) else {
        let problem = format!("the model has no two linear layers from {layer} on");
        let remedy = "use it on a perceptron with hidden layers";
        return Err(Error::setting("reparametrize", format!("{factor:?}"), problem, remedy));
    };
    let mut scaled = theta.to_vec();
    for range in [Some(weight), bias].into_iter().flatten() {
        scaled[range].iter_mut().for_each(|w| *w *= factor);
    }
    scaled[next].iter_mut().for_each(|w| *w /= factor);
    Ok(scaled)
}
