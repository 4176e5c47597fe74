//! The landscape between and around points: closed forms on quadratics, and the commands.

mod averages;
mod command;
mod lines;
mod slices;

use sharpscope::autodiff::{
    Evaluation, GradientEvaluation, Objective, OutputMatrix, ParameterLayout, Samples,
};
use sharpscope::{Error, Result};

/// Somebody's own loss, a sum over parameters of f_i(w_i): each by value, slope and curvature. Its Hessian is diagonal.
pub struct Separable {
    layout: ParameterLayout,
    theta: Vec<f64>,
    terms: Vec<Term>,
    /// Of the parameters, where the loss has one.
    accuracy: fn(&[f64]) -> Option<f64>,
}

/// Value, slope and curvature at a number.
pub type Term = Box<dyn Fn(f64) -> [f64; 3] + Send + Sync>;

impl Separable {
    pub fn new(terms: Vec<Term>) -> Self {
        let layout = ParameterLayout::new([("w", vec![terms.len()])]);
        let theta = vec![0.0; terms.len()];
        Self { layout, theta, terms, accuracy: |_| None }
    }

    /// 1/2 sum_i a_i (w_i - c_i)^2.
    pub fn quadratic(a: &[f64], c: &[f64]) -> Self {
        let term = |(&a, &c): (&f64, &f64)| -> Term {
            Box::new(move |w| [0.5 * a * (w - c) * (w - c), a * (w - c), a])
        };
        Self::new(a.iter().zip(c).map(term).collect())
    }

    pub fn with_accuracy(self, accuracy: fn(&[f64]) -> Option<f64>) -> Self {
        Self { accuracy, ..self }
    }

    /// Of each term at the parameters.
    fn at(&self, what: usize) -> Vec<f64> {
        self.theta.iter().zip(&self.terms).map(|(&w, term)| term(w)[what]).collect()
    }
}

impl Objective for Separable {
    fn layout(&self) -> &ParameterLayout {
        &self.layout
    }

    fn sample_numbers(&self) -> &[usize] {
        &[0]
    }

    fn set_parameters(&mut self, theta: &[f64]) -> Result<()> {
        self.theta = theta.to_vec();
        Ok(())
    }

    fn evaluate(&self) -> Result<Evaluation> {
        let loss = self.at(0).iter().sum();
        Ok(Evaluation { loss, accuracy: (self.accuracy)(&self.theta) })
    }

    fn gradient(&self, _: Samples<'_>) -> Result<GradientEvaluation> {
        Ok(GradientEvaluation { evaluation: self.evaluate()?, gradient: self.at(1) })
    }

    fn hvp_over(&self, _: Samples<'_>, v: &[f64]) -> Result<Vec<f64>> {
        Ok(self.at(2).iter().zip(v).map(|(h, v)| h * v).collect())
    }

    fn output_product(&self, _: OutputMatrix, _: &[f64]) -> Result<Vec<f64>> {
        Err(Error::Numerical { what: "a product", reason: "no outputs".to_string() })
    }
}

pub fn close(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within, "{found} is not {expected} within {within}");
}
