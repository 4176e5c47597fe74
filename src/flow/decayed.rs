//! A loss with the weight decay that is a term of it.

use crate::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use crate::error::Result;
use crate::linalg::dot;

/// L + lambda ||w||^2 / 2 over somebody else's objective: what an optimizer with coupled weight decay descends.
pub struct Decayed<'a> {
    inner: &'a mut dyn Objective,
    lambda: f64,
    theta: Vec<f64>,
}

impl<'a> Decayed<'a> {
    /// `inner` with decay `lambda`, at least 0.
    pub fn new(inner: &'a mut dyn Objective, lambda: f64) -> Self {
        Self { inner, lambda, theta: Vec::new() }
    }

    fn with_decay(&self, at: GradientEvaluation) -> GradientEvaluation {
        let GradientEvaluation { evaluation, mut gradient } = at;
        gradient.iter_mut().zip(&self.theta).for_each(|(g, w)| *g += self.lambda * w);
        GradientEvaluation { evaluation: self.decayed(evaluation), gradient }
    }

    fn decayed(&self, evaluation: Evaluation) -> Evaluation {
        let loss = evaluation.loss + 0.5 * self.lambda * dot(&self.theta, &self.theta);
        Evaluation { loss, ..evaluation }
    }

    fn shifted(&self, mut products: Vec<f64>, block: &[f64]) -> Vec<f64> {
        products.iter_mut().zip(block).for_each(|(y, v)| *y += self.lambda * v);
        products
    }
}

impl Objective for Decayed<'_> {
    fn layout(&self) -> &ParameterLayout {
        self.inner.layout()
    }

    fn sample_numbers(&self) -> &[usize] {
        self.inner.sample_numbers()
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.inner.set_parameters(theta)?;
        self.theta.clear();
        self.theta.extend_from_slice(theta);
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        Ok(self.decayed(self.inner.evaluate()?))
    }

    fn outputs(&self) -> Result<Option<Vec<f64>>> {
        self.inner.outputs()
    }

    fn gradient(&self, samples: Samples<'_>) -> Result<GradientEvaluation> {
        Ok(self.with_decay(self.inner.gradient(samples)?))
    }

    fn hvp_over(&self, samples: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        Ok(self.shifted(self.inner.hvp_over(samples, v)?, v))
    }

    fn hvps(&self, block: &[f64]) -> Result<Vec<f64>> {
        Ok(self.shifted(self.inner.hvps(block)?, block))
    }

    fn hvps_over(&self, samples: Samples<'_>, block: &[f64]) -> Result<Vec<f64>> {
        Ok(self.shifted(self.inner.hvps_over(samples, block)?, block))
    }

    fn gradient_and_hvps_over(
        &self,
        samples: Samples<'_>,
        block: &[f64],
    ) -> Result<(GradientEvaluation, Vec<f64>)> {
        let (gradient, products) = self.inner.gradient_and_hvps_over(samples, block)?;
        Ok((self.with_decay(gradient), self.shifted(products, block)))
    }

    fn output_product(&self, matrix: OutputMatrix, v: &[f64]) -> Result<Vec<f64>> {
        self.inner.output_product(matrix, v)
    }
}
