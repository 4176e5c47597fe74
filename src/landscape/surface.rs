//! What is evaluated at a point of parameter space.

use crate::autodiff::{Evaluation, Objective, ParameterLayout};
use crate::error::Result;

use super::{Sharpness, SharpnessFollower};

/// Losses of the same P parameters: over the training samples, over others, and the one whose curvature is
/// measured, where that is over fewer samples.
pub struct Surface<'a> {
    train: &'a mut dyn Objective,
    validation: Option<&'a mut dyn Objective>,
    curvature: Option<&'a mut dyn Objective>,
}

/// Losses and accuracies at a point.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Values {
    /// Over the training samples.
    pub train: Evaluation,
    /// Over the validation samples, where there are any.
    pub validation: Option<Evaluation>,
}

impl<'a> Surface<'a> {
    /// Of a training loss alone.
    pub fn new(train: &'a mut dyn Objective) -> Self {
        Self { train, validation: None, curvature: None }
    }

    /// With a loss over validation samples.
    pub fn with_validation(self, validation: &'a mut dyn Objective) -> Self {
        Self { validation: Some(validation), ..self }
    }

    /// With the curvature of that loss instead of the training loss.
    pub fn with_curvature(self, curvature: &'a mut dyn Objective) -> Self {
        Self { curvature: Some(curvature), ..self }
    }

    /// Length P of the parameter vector.
    pub fn dim(&self) -> usize {
        self.train.dim()
    }

    /// Names, shapes and places of the parameters.
    pub fn layout(&self) -> &ParameterLayout {
        self.train.layout()
    }

    /// The training loss.
    pub fn train(&mut self) -> &mut dyn Objective {
        &mut *self.train
    }

    /// The validation loss, where there is one.
    pub fn validation(&mut self) -> Option<&mut dyn Objective> {
        match &mut self.validation {
            Some(validation) => Some(&mut **validation),
            None => None,
        }
    }

    /// The loss whose curvature is measured.
    pub fn curvature(&mut self) -> &mut dyn Objective {
        match &mut self.curvature {
            Some(curvature) => &mut **curvature,
            None => &mut *self.train,
        }
    }

    /// Losses and accuracies at `theta` (length P), where it leaves the objectives.
    ///
    /// # Errors
    /// [`crate::Error::Length`] for another length than P; or if the device reports failure.
    pub fn values(&mut self, theta: &[f64]) -> Result<Values> {
        self.train.set_parameters(theta)?;
        Ok(Values { train: self.train.evaluate()?, validation: self.validate(theta)? })
    }

    /// Those, and the sharpness there by what `follower` knows of the points before; none where a product is
    /// not finite. Where the training loss is the one whose curvature is measured, one pass gives loss and
    /// products.
    ///
    /// # Errors
    /// As [`Surface::values`].
    pub fn values_and_sharpness(
        &mut self,
        theta: &[f64],
        follower: &mut SharpnessFollower,
    ) -> Result<(Values, Option<Sharpness>)> {
        if self.curvature.is_some() {
            let values = self.values(theta)?;
            let objective = self.curvature();
            let (_, sharpness) = follower.measure(objective, theta)?;
            return Ok((values, sharpness));
        }
        let (train, sharpness) = follower.measure(self.train, theta)?;
        Ok((Values { train, validation: self.validate(theta)? }, sharpness))
    }

    fn validate(&mut self, theta: &[f64]) -> Result<Option<Evaluation>> {
        let Some(validation) = &mut self.validation else { return Ok(None) };
        validation.set_parameters(theta)?;
        validation.evaluate().map(Some)
    }
}
