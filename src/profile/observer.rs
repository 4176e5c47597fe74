//! Whoever wants to know what happens in a run.

use super::{History, TrainingState};
use crate::autodiff::ParameterLayout;
use crate::curvature::Spectrum;
use crate::device::Precision;
use crate::error::{Error, Result};
use crate::optim::{Schedule, StabilityOperator};
use crate::record::{Columns, Event, StepRow, Summary};

/// What is known of a run before its first row.
#[derive(Debug, Clone, PartialEq)]
pub struct RunInfo {
    /// A line that names it, for figures.
    pub title: String,
    /// All that was asked for, with defaults, as `manifest.json` writes it.
    pub config: serde_json::Value,
    /// Seed of everything random.
    pub seed: u64,
    /// `cpu`, `wgpu` or another kind of device.
    pub backend: String,
    /// The device's own name.
    pub adapter: String,
    /// Precision of parameters and arithmetic.
    pub precision: Precision,
    /// Names, shapes and places of the parameters.
    pub layout: ParameterLayout,
    /// The parameters that the whole run starts from (length P).
    pub theta: Vec<f64>,
    /// What was made of the data, as `manifest.json` has it; null where nothing is known of them.
    pub data: serde_json::Value,
    /// SHA-256 of the dataset's file; empty where there is none.
    pub dataset_sha256: String,
    /// The training loss of outputs that are all zero, where it is known: what a first loss near zero is judged
    /// beside.
    pub zero_output_loss: Option<f64>,
    /// Samples that train, by their numbers in the dataset.
    pub train_samples: Vec<usize>,
    /// Samples that validate.
    pub validation_samples: Vec<usize>,
    /// Samples that are kept for a test.
    pub test_samples: Vec<usize>,
    /// Samples that curvature is measured on, where those are not the ones that train.
    pub curvature_samples: Option<Vec<usize>>,
    /// The columns that rows have.
    pub columns: Columns,
    /// The formula of the optimizer's threshold, where one is known.
    pub formula: Option<String>,
    /// The first step of the whole run that is not taken yet.
    pub first_step: usize,
    /// Where it ends by itself, if that is known.
    pub steps: Option<usize>,
    /// What it has behind it.
    pub history: History,
}

impl RunInfo {
    /// A run from `theta` (length P) of which nothing else is known.
    pub fn of(layout: &ParameterLayout, theta: &[f64], precision: Precision) -> Self {
        Self {
            title: String::new(),
            config: serde_json::Value::Null,
            seed: 0,
            backend: String::new(),
            adapter: String::new(),
            precision,
            layout: layout.clone(),
            theta: theta.to_vec(),
            data: serde_json::Value::Null,
            dataset_sha256: String::new(),
            zero_output_loss: None,
            train_samples: Vec::new(),
            validation_samples: Vec::new(),
            test_samples: Vec::new(),
            curvature_samples: None,
            columns: Columns::default(),
            formula: None,
            first_step: 0,
            steps: None,
            history: History::default(),
        }
    }
}

/// Where training stands before an update, or after the last one.
#[derive(Debug, Clone, Copy)]
pub struct Checkpoint<'a> {
    /// All that the coming updates depend on.
    pub state: &'a TrainingState,
    /// The learning rates of all steps, before [`TrainingState::rate_factor`].
    pub schedule: &'a Schedule,
    /// The operator of the update that is taken from there, or would be if the run went on, with the
    /// preconditioner that it divides by.
    pub operator: &'a StabilityOperator,
}

/// Is told of a run from its beginning to its end: the run directory, a progress bar, an export.
/// Nothing that an observer does changes a number of the run. Each method does nothing unless it is
/// written; an error ends the run.
///
/// ```
/// use sharpscope::profile::Observer;
/// use sharpscope::record::StepRow;
///
/// /// Keeps the largest sharpness.
/// struct Peak(f64);
///
/// impl Observer for Peak {
///     fn row(&mut self, row: &StepRow) -> sharpscope::Result<()> {
///         self.0 = self.0.max(row.sharpness.unwrap_or(self.0));
///         Ok(())
///     }
/// }
/// ```
pub trait Observer: Send {
    /// The run begins, or goes on.
    ///
    /// # Errors
    /// An error keeps the run from beginning.
    fn started(&mut self, _run: &RunInfo) -> Result<()> {
        Ok(())
    }

    /// A step was taken; `row` is complete.
    ///
    /// # Errors
    /// An error ends the run.
    fn row(&mut self, _row: &StepRow) -> Result<()> {
        Ok(())
    }

    /// Something happened; told after the row of its step.
    ///
    /// # Errors
    /// An error ends the run.
    fn event(&mut self, _event: &Event) -> Result<()> {
        Ok(())
    }

    /// A checkpoint is due.
    ///
    /// # Errors
    /// An error ends the run.
    fn checkpoint(&mut self, _checkpoint: Checkpoint<'_>) -> Result<()> {
        Ok(())
    }

    /// A spectrum was measured; told before the row of its step.
    ///
    /// # Errors
    /// An error ends the run.
    fn spectrum(&mut self, _spectrum: &Spectrum) -> Result<()> {
        Ok(())
    }

    /// The run has ended, by itself or with an error: the last that an observer hears.
    ///
    /// # Errors
    /// If what is written at the end cannot be.
    fn finished(&mut self, _summary: &Summary, _error: Option<&Error>) -> Result<()> {
        Ok(())
    }
}

impl<O: Observer + ?Sized> Observer for &mut O {
    fn started(&mut self, run: &RunInfo) -> Result<()> {
        (**self).started(run)
    }

    fn row(&mut self, row: &StepRow) -> Result<()> {
        (**self).row(row)
    }

    fn event(&mut self, event: &Event) -> Result<()> {
        (**self).event(event)
    }

    fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        (**self).checkpoint(checkpoint)
    }

    fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        (**self).spectrum(spectrum)
    }

    fn finished(&mut self, summary: &Summary, error: Option<&Error>) -> Result<()> {
        (**self).finished(summary, error)
    }
}
