//! Flows beside a run: closed forms, orders of convergence, complementarity, PyTorch, and the command.

mod central;
mod command;
mod complementarity;
mod integrators;
mod rods;

use sharpscope::Result;
use sharpscope::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};

/// f(x, y) = x^2 y^2/2 + (y - t)^2/2, which sharpens along x = 0 to t^2.
struct Sharpening {
    layout: ParameterLayout,
    target: f64,
    at: [f64; 2],
}

impl Sharpening {
    fn new(target: f64) -> Self {
        Self { layout: ParameterLayout::new([("w", vec![2])]), target, at: [0.0; 2] }
    }
}

impl Objective for Sharpening {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &[0]
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.at.copy_from_slice(theta);
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let [x, y] = self.at;
        let loss = 0.5 * (x * y).powi(2) + 0.5 * (y - self.target).powi(2);
        Ok(Evaluation { loss, accuracy: None })
    }

    fn gradient(&self, _: Samples<'_>) -> Result<GradientEvaluation> {
        let [x, y] = self.at;
        let gradient = vec![x * y * y, x * x * y + y - self.target];
        Ok(GradientEvaluation { evaluation: self.evaluate()?, gradient })
    }

    fn hvp_over(&self, _: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        let [x, y] = self.at;
        Ok(vec![y * y * v[0] + 2.0 * x * y * v[1], 2.0 * x * y * v[0] + (x * x + 1.0) * v[1]])
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> Result<Vec<f64>> {
        unreachable!("it has no outputs")
    }
}

/// f(u, v) = (u v - t)^2/2.
struct TwoLayers {
    layout: ParameterLayout,
    target: f64,
    at: [f64; 2],
}

impl TwoLayers {
    fn new(target: f64) -> Self {
        Self { layout: ParameterLayout::new([("w", vec![2])]), target, at: [0.0; 2] }
    }
}

impl Objective for TwoLayers {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &[0]
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.at.copy_from_slice(theta);
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let [u, v] = self.at;
        Ok(Evaluation { loss: 0.5 * (u * v - self.target).powi(2), accuracy: None })
    }

    fn gradient(&self, _: Samples<'_>) -> Result<GradientEvaluation> {
        let [u, v] = self.at;
        let missed = u * v - self.target;
        Ok(GradientEvaluation {
            evaluation: self.evaluate()?,
            gradient: vec![missed * v, missed * u],
        })
    }

    fn hvp_over(&self, _: Samples<'_>, x: &[f64]) -> Result<Vec<f64>> {
        let [u, v] = self.at;
        let mixed = 2.0 * u * v - self.target;
        Ok(vec![v * v * x[0] + mixed * x[1], mixed * x[0] + u * u * x[1]])
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> Result<Vec<f64>> {
        unreachable!("it has no outputs")
    }
}
