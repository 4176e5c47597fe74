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

/// Value, gradient, and the Hessian's entries xx, xy and yy.
type Derivatives = (f64, [f64; 2], [f64; 3]);

/// A function of two variables.
struct Plane {
    layout: ParameterLayout,
    at: [f64; 2],
    derivatives: Box<dyn Fn([f64; 2]) -> Derivatives + Send>,
}

impl Plane {
    fn of(derivatives: impl Fn([f64; 2]) -> Derivatives + Send + 'static) -> Self {
        let layout = ParameterLayout::new([("w", vec![2])]);
        Self { layout, at: [0.0; 2], derivatives: Box::new(derivatives) }
    }

    /// f(x, y) = x^2 y^2/2 + (y - t)^2/2, which sharpens along x = 0 to t^2.
    fn sharpening(t: f64) -> Self {
        Self::of(move |[x, y]| {
            let value = 0.5 * (x * y).powi(2) + 0.5 * (y - t).powi(2);
            (value, [x * y * y, x * x * y + y - t], [y * y, 2.0 * x * y, x * x + 1.0])
        })
    }

    /// f(u, v) = (u v - t)^2/2.
    fn two_layers(t: f64) -> Self {
        Self::of(move |[u, v]| {
            let missed = u * v - t;
            let hessian = [v * v, 2.0 * u * v - t, u * u];
            (0.5 * missed.powi(2), [missed * v, missed * u], hessian)
        })
    }
}

impl Objective for Plane {
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
        Ok(Evaluation { loss: (self.derivatives)(self.at).0, accuracy: None })
    }

    fn gradient(&self, _: Samples<'_>) -> Result<GradientEvaluation> {
        let gradient = (self.derivatives)(self.at).1.to_vec();
        Ok(GradientEvaluation { evaluation: self.evaluate()?, gradient })
    }

    fn hvp_over(&self, _: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        let [xx, xy, yy] = (self.derivatives)(self.at).2;
        Ok(vec![xx * v[0] + xy * v[1], xy * v[0] + yy * v[1]])
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> Result<Vec<f64>> {
        unreachable!("it has no outputs")
    }
}
