//! The local quadratic model of a loss in its place.

use super::{Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples};
use crate::error::{Error, Result, check_length};

/// The second-order expansion of a loss about a point: L + g'd + d'Hd/2 with d the way from there, and of
/// each minibatch its own. It has no accuracy.
pub struct QuadraticModel {
    /// Stands at the centre.
    inner: Box<dyn Objective>,
    centre: Vec<f64>,
    /// At the centre, over all samples.
    at_centre: GradientEvaluation,
    /// The way from the centre (length P).
    way: Vec<f64>,
}

impl QuadraticModel {
    /// That of `inner` about `centre` (length P), where it stands at first.
    ///
    /// # Errors
    /// [`Error::Length`] for another length; [`Error::NonFinite`] where the loss or its gradient is; or if the
    /// device reports failure.
    pub fn new(mut inner: Box<dyn Objective>, centre: &[f64]) -> Result<Self> {
        inner.set_parameters(centre)?;
        let at_centre = inner.gradient(Samples::All)?;
        let finite = at_centre.evaluation.loss.is_finite()
            && at_centre.gradient.iter().all(|g| g.is_finite());
        if !finite {
            return Err(Error::NonFinite {
                what: "the loss about which a quadratic model is made",
            });
        }
        Ok(Self { inner, centre: centre.to_vec(), at_centre, way: vec![0.0; centre.len()] })
    }

    fn expanded(&self, at: GradientEvaluation, product: &[f64]) -> GradientEvaluation {
        let GradientEvaluation { evaluation, mut gradient } = at;
        let slope: f64 = gradient.iter().zip(&self.way).map(|(g, d)| g * d).sum();
        let bend: f64 = product.iter().zip(&self.way).map(|(hd, d)| hd * d).sum();
        gradient.iter_mut().zip(product).for_each(|(g, hd)| *g += hd);
        let loss = evaluation.loss + slope + 0.5 * bend;
        GradientEvaluation { evaluation: Evaluation { loss, accuracy: None }, gradient }
    }
}

impl Objective for QuadraticModel {
    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn sample_numbers(&self) -> &[usize] {
        self.inner.sample_numbers()
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        check_length("parameter vector", theta.len(), self.centre.len())?;
        self.way.clear();
        self.way.extend(theta.iter().zip(&self.centre).map(|(w, c)| w - c));
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        self.gradient(Samples::All).map(|at| at.evaluation)
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        let at = match samples {
            Samples::All => self.at_centre.clone(),
            batch => self.inner.gradient(batch)?,
        };
        let product = self.inner.hvp_over(samples, &self.way)?;
        Ok(self.expanded(at, &product))
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        self.inner.hvp_over(samples, v)
    }

    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        self.inner.hvps(block)
    }

    /// J' M J at the centre.
    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        self.inner.output_product(matrix, v)
    }
}
