//! All the curvature of one training step, as it stands in a row.

use super::quantities::{At, Measured, Quantity};
use crate::autodiff::Objective;
use crate::curvature::{
    BatchSharpness, Curvature, CurvatureMeter, Followed, Probed, Repair, Tracking,
};
use crate::error::{Error, Result};
use crate::linalg::{dot, norm};
use crate::optim::{Optimizer, StabilityContext, StabilityOperator};
use crate::record::{EventKind, StepRow};

/// What is measured at a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepMeter {
    /// Eigenvalues.
    pub meter: CurvatureMeter,
    /// Batch sharpness, if it is measured.
    pub batch_sharpness: Option<BatchSharpness>,
    /// Whether the sharpness is measured at SAM's perturbed point too.
    pub perturbed_sharpness: bool,
    /// Further quantities, each in a column of its own.
    pub quantities: Vec<Quantity>,
}

/// The optimizer as a step's row sees it, after the step.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The operator that its threshold belongs to, with the preconditioner that it divided by.
    pub operator: &'a StabilityOperator,
    /// Where it took its gradient, if not where it started.
    pub perturbed: Option<&'a [f64]>,
}

/// What was evaluated at the parameters that a step starts from.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The parameters (length P).
    pub theta: &'a [f64],
    /// The update taken from there (length P), where it is known.
    pub update: Option<&'a [f64]>,
    /// The gradient of the training loss.
    pub gradient: Option<&'a [f64]>,
    /// The products of the training loss's Hessian with [`Tracking::probe`], where they came with the
    /// gradient.
    pub products: Option<&'a [f64]>,
}

/// Where curvature is measured.
pub struct Objectives<'a> {
    /// The training loss.
    pub train: &'a mut dyn Objective,
    /// The loss over the samples that curvature is measured on, where those are others.
    pub curvature: Option<&'a mut dyn Objective>,
}

impl Objectives<'_> {
    fn of_curvature(&mut self) -> &mut dyn Objective {
        match &mut self.curvature {
            Some(objective) => &mut **objective,
            None => self.train,
        }
    }
}

/// The row's threshold for an optimizer, from the row's learning rate and gradient norm.
pub fn threshold(row: &StepRow, optimizer: &dyn Optimizer) -> Option<f64> {
    optimizer.threshold(&StabilityContext { lr: row.lr, grad_norm: row.grad_norm })
}

impl StepMeter {
    /// Measures at the objectives' parameters, into `row`, whose step, threshold and gradient norm
    /// are there already. The objectives may be left at the perturbed point. With `tracking` the
    /// largest eigenvalues are followed from where they were last, else each is solved for anew.
    /// Returns what is to be told of it besides: that an audit found other eigenvalues than those
    /// that were followed, or that a product was not finite, with the row filled up to there.
    ///
    /// # Errors
    /// If the device reports failure.
    pub fn measure(
        &self,
        row: &mut StepRow,
        objectives: Objectives<'_>,
        start: Start<'_>,
        update: Update<'_>,
        tracking: Option<&mut Tracking>,
    ) -> Result<Option<EventKind>> {
        match self.fill(row, objectives, start, update, tracking) {
            Ok(repair) => Ok(repair.map(EventKind::from)),
            // The coming steps will show whether training diverges.
            Err(Error::NonFinite { .. }) => {
                Ok(Some(EventKind::CurvatureNonFinite { train_loss: row.train_loss }))
            }
            Err(error) => Err(error),
        }
    }

    fn fill(
        &self,
        row: &mut StepRow,
        mut objectives: Objectives<'_>,
        start: Start<'_>,
        update: Update<'_>,
        tracking: Option<&mut Tracking>,
    ) -> Result<Option<Repair>> {
        let mut repair = None;
        let (hessian, followed) = match tracking {
            Some(tracking) => {
                let followed = follow(tracking, &mut objectives, start, update.operator)?;
                repair = followed.repair;
                (followed.hessian, followed.preconditioned)
            }
            None => (self.meter.measure(objectives.of_curvature(), row.step)?, None),
        };
        let preconditioned = match (followed, &update.operator.preconditioner) {
            (None, Some(_)) => {
                let objective = objectives.of_curvature();
                Some(self.meter.measure_operator(objective, update.operator, row.step)?)
            }
            (followed, _) => followed,
        };
        enter_hessian(row, &hessian, start.gradient);
        enter_operator(row, preconditioned.as_ref(), update.operator);
        self.fill_batch_sharpness(row, objectives.train)?;
        self.fill_quantities(row, objectives.train, start, update.operator)?;
        if let (true, Some(point)) = (self.perturbed_sharpness, update.perturbed) {
            let objective = objectives.of_curvature();
            objective.set_parameters(point)?;
            let perturbed = self.meter.measure_top(objective, row.step)?;
            record(&perturbed, row);
            row.perturbed_sharpness = perturbed.lambda.first().copied();
        }
        Ok(repair)
    }

    fn fill_batch_sharpness(&self, row: &mut StepRow, train: &dyn Objective) -> Result<()> {
        if let Some(batch_sharpness) = self.batch_sharpness
            && let Some(estimate) = batch_sharpness.measure(train, row.step)?
        {
            row.batch_sharpness = Some(estimate.value);
            row.batch_sharpness_se = estimate.standard_error;
            row.hvps += batch_sharpness.batches;
        }
        Ok(())
    }

    fn fill_quantities(
        &self,
        row: &mut StepRow,
        objective: &dyn Objective,
        Start { theta, update, gradient, .. }: Start<'_>,
        operator: &StabilityOperator,
    ) -> Result<()> {
        let Some(gradient) = gradient else { return Ok(()) };
        for &quantity in &self.quantities {
            let at = At { objective, theta, gradient, update, operator, row };
            let Measured { value, products } = quantity.measure(at)?;
            row.hvps += products;
            match value {
                Some(value) if value.is_finite() => {
                    row.measured.insert(quantity.name().to_string(), value);
                }
                Some(_) => return Err(Error::NonFinite { what: quantity.name() }),
                None => {}
            }
        }
        Ok(())
    }
}

/// Enters the Hessian's eigenvalues, and how far the gradient points along the top eigenvector.
fn enter_hessian(row: &mut StepRow, hessian: &Curvature, gradient: Option<&[f64]>) {
    record(hessian, row);
    row.sharpness = hessian.lambda.first().copied();
    row.lambda.clone_from(&hessian.lambda);
    row.lambda_min = hessian.lambda_min;
    if let Some(gradient) = gradient {
        let length = norm(gradient);
        let along = dot(gradient, &hessian.top_vector).abs();
        row.gradient_alignment = (length > 0.0).then(|| along / length);
    }
}

/// Enters the sharpness of the operator that the threshold bounds, and the edge ratio.
fn enter_operator(row: &mut StepRow, solved: Option<&Curvature>, operator: &StabilityOperator) {
    if let Some(solved) = solved {
        record(solved, row);
        row.preconditioned_sharpness = solved.lambda.first().copied();
    } else if !operator.is_hessian() {
        row.preconditioned_sharpness = row.sharpness.map(|s| s + operator.shift);
    }
    row.edge_ratio = row
        .operator_sharpness()
        .zip(row.threshold.filter(|&threshold| threshold != 0.0))
        .map(|(sharpness, threshold)| sharpness / threshold);
}

/// Follows the eigenvalues to the objectives' parameters.
fn follow(
    tracking: &mut Tracking,
    objectives: &mut Objectives<'_>,
    start: Start<'_>,
    operator: &StabilityOperator,
) -> Result<Followed> {
    let own = objectives.curvature.is_none();
    let objective = objectives.of_curvature();
    let theta = start.theta;
    match (start.gradient, start.products) {
        (Some(gradient), Some(products)) if own => {
            tracking.update(objective, operator, Probed { theta, gradient, products })
        }
        _ => {
            let (evaluated, products) = objective.gradient_and_hvps(&tracking.probe())?;
            let at = Probed { theta, gradient: &evaluated.gradient, products: &products };
            tracking.update(objective, operator, at)
        }
    }
}

/// Takes a solve of this step into the row's products and residuals.
fn record(curvature: &Curvature, row: &mut StepRow) {
    row.hvps += curvature.hvps;
    row.residual = Some(row.residual.map_or(curvature.residual, |r| r.max(curvature.residual)));
    row.converged = Some(row.converged.unwrap_or(true) && curvature.converged);
}
