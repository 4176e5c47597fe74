//! All the curvature of one training step, as it stands in a row.

use super::components::{self, Modes};
use super::quantities::{self, At, Quantity};
use super::realized::{self, Descended, Realized};
use crate::autodiff::Objective;
use crate::curvature::{
    BatchCurvature, BatchSharpness, Curvature, CurvatureMeter, DifferenceStep, Followed, Probed,
    Repair, Tracking,
};
use crate::error::{Error, Result};
use crate::linalg::{Estimate, dot, norm};
use crate::optim::{Optimizer, StabilityContext, StabilityOperator};
use crate::record::{EventKind, StepRow};

/// What is measured at a step.
#[derive(Debug, Clone, PartialEq)]
pub struct StepMeter {
    /// Eigenvalues.
    pub meter: CurvatureMeter,
    /// Batch sharpness, if it is measured.
    pub batch_sharpness: Option<BatchSharpness>,
    /// Where the realized edge is measured.
    pub realized: Realized,
    /// Whether the sharpness is measured at SAM's perturbed point too.
    pub perturbed_sharpness: bool,
    /// Whether eigenvalues are measured at the midpoint of the oscillation too.
    pub midpoint_sharpness: bool,
    /// By which differences the mechanism at the edge is measured there, if it is.
    pub mechanism: Option<DifferenceStep>,
    /// Further quantities, in columns of their own.
    pub quantities: Vec<Quantity>,
    /// The training samples of each class, by position, for quantities that are about classes; else none.
    pub classes: Vec<Vec<usize>>,
}

/// The optimizer as a step's row sees it, after the step.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The operator that its threshold belongs to, with the preconditioner that it divided by.
    pub operator: &'a StabilityOperator,
    /// Where it took its gradient, if not where it started.
    pub perturbed: Option<&'a [f64]>,
    /// What batch sharpness settles at with small and with large minibatches.
    pub batch_edges: Option<[f64; 2]>,
    /// What this step's threshold is of that of late steps, see [`Optimizer::early_factor`].
    pub early_factor: Option<f64>,
}

/// What was evaluated at the parameters that a step starts from.
#[derive(Debug, Clone, Copy)]
pub struct Start<'a> {
    /// The parameters (length P).
    pub theta: &'a [f64],
    /// The parameters before the update that led there (length P), where they are known.
    pub previous: Option<&'a [f64]>,
    /// The update taken from there (length P), where it is known.
    pub update: Option<&'a [f64]>,
    /// The loss that this update descends.
    pub descended: Option<Descended<'a>>,
    /// The gradient of the training loss.
    pub gradient: Option<&'a [f64]>,
    /// The products of the training loss's Hessian with [`Tracking::probe`], where they came with the
    /// gradient.
    pub products: Option<&'a [f64]>,
}

/// What came of measuring besides what is in the row.
#[derive(Debug)]
pub struct Measured {
    /// What is to be told of it: that an audit found other eigenvalues than those that were followed, or that a
    /// product was not finite.
    pub remark: Option<EventKind>,
    /// The modes that the row has the gradient of, where the step is not known yet.
    pub modes: Option<Modes>,
}

/// Where curvature is measured.
pub struct Objectives<'a> {
    /// The training loss.
    pub train: &'a mut dyn Objective,
    /// The loss over the samples that curvature is measured on, where those are others.
    pub curvature: Option<&'a mut dyn Objective>,
}

impl Objectives<'_> {
    pub(super) fn of_curvature(&mut self) -> &mut dyn Objective {
        match &mut self.curvature {
            Some(objective) => &mut **objective,
            None => self.train,
        }
    }
}

/// The row's threshold for an optimizer, from the row's learning rate and the norm of the gradient that the
/// update is taken from: SAM ascends by it, and on minibatches it is far from that of all samples.
pub fn threshold(row: &StepRow, optimizer: &dyn Optimizer) -> Option<f64> {
    let grad_norm = row.batch_grad_norm.or(row.grad_norm);
    optimizer.threshold(&StabilityContext { lr: row.lr, grad_norm })
}

impl StepMeter {
    /// Measures at the objectives' parameters, into `row`, whose step, threshold and gradient norm
    /// are there already. The objectives may be left at the perturbed point, or at the midpoint. With `tracking` the
    /// largest eigenvalues are followed from where they were last, else each is solved for anew.
    /// Where a product was not finite the row is filled up to there.
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
    ) -> Result<Measured> {
        let mut modes = None;
        let remark = match self.fill(row, objectives, start, update, tracking, &mut modes) {
            Ok(repair) => repair.map(EventKind::from),
            // The coming steps will show whether training diverges.
            Err(Error::NonFinite { .. }) => {
                Some(EventKind::CurvatureNonFinite { train_loss: row.train_loss })
            }
            Err(error) => return Err(error),
        };
        Ok(Measured { remark, modes })
    }

    fn fill(
        &self,
        row: &mut StepRow,
        mut objectives: Objectives<'_>,
        start: Start<'_>,
        update: Update<'_>,
        mut tracking: Option<&mut Tracking>,
        modes: &mut Option<Modes>,
    ) -> Result<Option<Repair>> {
        let known = start.gradient.zip(start.products).filter(|_| objectives.curvature.is_none());
        let known = known.map(|(gradient, products)| Known { gradient, products });
        let followed = tracking.as_deref_mut();
        let objective = &*objectives.of_curvature();
        let (theta, operator) = (start.theta, update.operator);
        let found = self.eigenvalues(objective, operator, theta, known, row.step, followed)?;
        let Eigenvalues { hessian, preconditioned, repair } = found;
        enter_hessian(row, &hessian, start.gradient);
        enter_operator(row, preconditioned.as_ref(), operator);
        let top = preconditioned.as_ref().unwrap_or(&hessian);
        *modes = components::enter(row, top, operator, start)?;
        self.fill_realized(row, objectives.train, start)?;
        self.fill_batch_sharpness(row, objectives.train, start.gradient, update, &hessian)?;
        self.fill_quantities(row, objectives.train, start, update, &hessian)?;
        self.fill_midpoint(row, objectives.train, start)?;
        self.fill_midpoint_curvature(row, &mut objectives, start, operator, tracking)?;
        if let (true, Some(point)) = (self.perturbed_sharpness, update.perturbed) {
            let objective = objectives.of_curvature();
            objective.set_parameters(point)?;
            let perturbed = self.meter.measure_top(objective, row.step)?;
            record(&perturbed, row);
            row.perturbed_sharpness = perturbed.lambda.first().copied();
        }
        Ok(repair)
    }

    /// The eigenvalues at `theta`, where the objective stands, by what follows them, or by solves from nothing.
    pub(super) fn eigenvalues(
        &self,
        objective: &dyn Objective,
        operator: &StabilityOperator,
        theta: &[f64],
        known: Option<Known<'_>>,
        step: usize,
        tracking: Option<&mut Tracking>,
    ) -> Result<Eigenvalues> {
        let Eigenvalues { hessian, preconditioned, repair } = match tracking {
            Some(tracking) => follow(tracking, objective, operator, theta, known)?,
            None => Eigenvalues {
                hessian: self.meter.measure(objective, step)?,
                preconditioned: None,
                repair: None,
            },
        };
        let preconditioned = match (preconditioned, &operator.preconditioner) {
            (None, Some(_)) => Some(self.meter.measure_operator(objective, operator, step)?),
            (followed, _) => followed,
        };
        Ok(Eigenvalues { hessian, preconditioned, repair })
    }

    /// The realized ratio of the update, where that and the loss it descends are known. `train` stands
    /// where it starts, and has been asked for a gradient over its samples last, so that what becomes of
    /// directions there may be known already.
    pub(super) fn fill_realized(
        &self,
        row: &mut StepRow,
        train: &dyn Objective,
        start: Start<'_>,
    ) -> Result<()> {
        match (self.realized, start.descended, start.update) {
            (Realized::Off, ..) => Ok(()),
            (_, Some(descended), Some(update)) => realized::enter(row, train, descended, update),
            _ => Ok(()),
        }
    }

    /// The same at the midpoint, where `train` is left.
    pub(super) fn fill_midpoint(
        &self,
        row: &mut StepRow,
        train: &mut dyn Objective,
        start: Start<'_>,
    ) -> Result<()> {
        let Start { theta, previous, update, descended, .. } = start;
        match (self.realized, descended, previous, update) {
            (Realized::Midpoint, Some(descended), Some(previous), Some(update)) => {
                realized::enter_midpoint(row, train, descended, [previous, theta, update])
            }
            _ => Ok(()),
        }
    }

    fn fill_batch_sharpness(
        &self,
        row: &mut StepRow,
        train: &dyn Objective,
        full: Option<&[f64]>,
        update: Update<'_>,
        hessian: &Curvature,
    ) -> Result<()> {
        let direction = hessian.eigenvectors().next().filter(|_| self.mechanism.is_some());
        if let Some(batch_sharpness) = self.batch_sharpness
            && let Some(found) = batch_sharpness.measure_along(train, full, direction, row.step)?
        {
            enter_batches(row, &found, update.batch_edges);
        }
        Ok(())
    }

    fn fill_quantities(
        &self,
        row: &mut StepRow,
        objective: &mut dyn Objective,
        Start { theta, update, gradient, .. }: Start<'_>,
        Update { operator, early_factor, .. }: Update<'_>,
        hessian: &Curvature,
    ) -> Result<()> {
        let Some(gradient) = gradient else { return Ok(()) };
        let eigenvectors: Vec<&[f64]> = hessian.eigenvectors().collect();
        for &quantity in &self.quantities {
            let columns = quantity.columns(objective.layout(), self.classes.len());
            let quantities::Measured { values, products } = quantity.measure(At {
                objective: &mut *objective,
                theta,
                gradient,
                update,
                operator,
                early_factor,
                eigenvectors: &eigenvectors,
                classes: &self.classes,
                seed: self.meter.seed,
                row,
            })?;
            row.hvps += products;
            for (column, value) in columns.into_iter().zip(values) {
                let Some(value) = value else { continue };
                if !value.is_finite() {
                    return Err(Error::NonFinite { what: quantity.name() });
                }
                row.measured.insert(column, value);
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

/// Enters what minibatches tell, beside what batch sharpness settles at with small and large ones.
fn enter_batches(row: &mut StepRow, found: &BatchCurvature, edges: Option<[f64; 2]>) {
    let split = |estimate: Option<Estimate>| {
        (estimate.map(|e| e.value), estimate.and_then(|e| e.standard_error))
    };
    (row.batch_sharpness, row.batch_sharpness_se) = split(Some(found.mean_of_ratios));
    (row.batch_sharpness_ratio_of_means, row.batch_sharpness_ratio_of_means_se) =
        split(Some(found.ratio_of_means));
    (row.noise_scale, row.noise_scale_se) = split(found.noise_scale);
    (row.noise_interaction, row.noise_interaction_se) = split(found.interaction);
    (row.top_gradient_variance, row.top_gradient_variance_se) = split(found.variance_along);
    row.hvps += found.products;
    let Some([small, large]) = edges else { return };
    (row.batch_edge_small, row.batch_edge_large) = (Some(small), Some(large));
    let position = (found.mean_of_ratios.value / small).ln() / (large / small).ln();
    row.batch_edge_position = position.is_finite().then_some(position);
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

/// What was evaluated at a point with what follows the eigenvalues.
#[derive(Debug, Clone, Copy)]
pub(super) struct Known<'a> {
    /// The gradient.
    pub gradient: &'a [f64],
    /// The Hessian's products with [`Tracking::probe`].
    pub products: &'a [f64],
}

/// Eigenvalues at a point.
pub(super) struct Eigenvalues {
    /// Of the Hessian.
    pub hessian: Curvature,
    /// Of the operator that the threshold bounds, where that has a preconditioner: the largest.
    pub preconditioned: Option<Curvature>,
    /// Where an audit found others than those followed.
    pub repair: Option<Repair>,
}

/// Follows the eigenvalues to the objective's parameters.
fn follow(
    tracking: &mut Tracking,
    objective: &dyn Objective,
    operator: &StabilityOperator,
    theta: &[f64],
    known: Option<Known<'_>>,
) -> Result<Eigenvalues> {
    let Followed { hessian, preconditioned, repair } = match known {
        Some(Known { gradient, products }) => {
            tracking.update(objective, operator, Probed { theta, gradient, products })
        }
        None => {
            let (evaluated, products) = objective.gradient_and_hvps(&tracking.probe())?;
            let at = Probed { theta, gradient: &evaluated.gradient, products: &products };
            tracking.update(objective, operator, at)
        }
    }?;
    Ok(Eigenvalues { hessian, preconditioned, repair })
}

/// Takes a solve of this step into the row's products and residuals.
pub(super) fn record(curvature: &Curvature, row: &mut StepRow) {
    row.hvps += curvature.hvps;
    row.residual = Some(row.residual.map_or(curvature.residual, |r| r.max(curvature.residual)));
    row.converged = Some(row.converged.unwrap_or(true) && curvature.converged);
}
