//! What becomes of a row: judged, summed up, told.

use std::time::Instant;

use super::{Checkpoint, History, Observer, RunInfo, SummaryBuilder};
use crate::curvature::Spectrum;
use crate::error::{Error, Result};
use crate::optim::{Optimizer, Schedule};
use crate::record::{Event, EventKind, ExitStatus, StepRow, Summary};
use crate::stability::{Monitor, StabilitySettings};

/// Takes the rows of one run, names their phases, reads events off them, sums them up and tells
/// observers. The trainer and a loop of somebody else's both end in one.
pub struct Recorder<'a> {
    monitor: Monitor,
    summary: SummaryBuilder,
    observers: Vec<Box<dyn Observer + 'a>>,
    clock: Instant,
    /// Wall-clock time that the run took before, in seconds.
    before: f64,
}

impl<'a> Recorder<'a> {
    /// Begins a run, or goes on with one: `monitor` and the summary get to know what it has behind it,
    /// and `observers` that it begins.
    ///
    /// # Errors
    /// The first that an observer reports; nothing is told to those after it.
    pub fn start(
        monitor: Monitor,
        mut observers: Vec<Box<dyn Observer + 'a>>,
        run: &RunInfo,
    ) -> Result<Self> {
        observers.iter_mut().try_for_each(|observer| observer.started(run))?;
        let mut recorder = Self {
            monitor,
            summary: SummaryBuilder::default(),
            observers,
            clock: Instant::now(),
            before: run.history.seconds,
        };
        let History { rows, events, .. } = &run.history;
        for row in rows {
            recorder.monitor.observe(row);
            recorder.summary.row(row);
        }
        events.iter().for_each(|event| recorder.summary.event(event));
        Ok(recorder)
    }

    /// Names the phase of a row that is complete otherwise, tells of it, then of what is seen in it and
    /// of `remark`. Returns these events.
    ///
    /// # Errors
    /// Those of observers.
    pub fn row(&mut self, row: &mut StepRow, remark: Option<EventKind>) -> Result<Vec<Event>> {
        let mut events = self.monitor.judge(row);
        events.extend(remark.map(|kind| Event { step: row.step, kind }));
        self.summary.row(row);
        self.observers.iter_mut().try_for_each(|observer| observer.row(row))?;
        events.iter().try_for_each(|event| self.event(event))?;
        Ok(events)
    }

    /// Tells of something that rows do not show.
    ///
    /// # Errors
    /// Those of observers.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        self.summary.event(event);
        self.observers.iter_mut().try_for_each(|observer| observer.event(event))
    }

    /// Tells of a checkpoint.
    ///
    /// # Errors
    /// Those of observers.
    pub fn checkpoint(&mut self, checkpoint: Checkpoint<'_>) -> Result<()> {
        self.observers.iter_mut().try_for_each(|observer| observer.checkpoint(checkpoint))
    }

    /// Tells of a spectrum.
    ///
    /// # Errors
    /// Those of observers.
    pub fn spectrum(&mut self, spectrum: &Spectrum) -> Result<()> {
        self.observers.iter_mut().try_for_each(|observer| observer.spectrum(spectrum))
    }

    /// No row comes any more: tells what the rows have left open, and returns it.
    ///
    /// # Errors
    /// Those of observers.
    pub fn end(&mut self) -> Result<Vec<Event>> {
        let events = self.monitor.finish();
        events.iter().try_for_each(|event| self.event(event))?;
        Ok(events)
    }

    /// As [`Recorder::end`], where training diverged. `reason` is told unless the rows have shown it.
    ///
    /// # Errors
    /// Those of observers.
    pub fn diverged(&mut self, row: &StepRow, reason: String) -> Result<()> {
        self.end()?;
        // A minibatch may show it before the rows do.
        if self.monitor.has_diverged() {
            return Ok(());
        }
        let kind = EventKind::Divergence { train_loss: row.train_loss, reason };
        self.event(&Event { step: row.step, kind })
    }

    /// Whether the rows have shown divergence.
    pub fn has_diverged(&self) -> bool {
        self.monitor.has_diverged()
    }

    /// Notes what a test gave at the end.
    pub fn tested(&mut self, loss: f64, accuracy: Option<f64>) {
        self.summary.tested(loss, accuracy);
    }

    /// The run has ended so: tells it to every observer and returns its summary.
    ///
    /// # Errors
    /// The first that an observer reports.
    pub fn finish(self, status: ExitStatus, error: Option<&Error>) -> Result<Summary> {
        let (summary, told) = self.close(status, error);
        told.map(|()| summary)
    }

    /// As [`Recorder::finish`], with the summary also where it could not be told.
    pub(crate) fn close(
        mut self,
        status: ExitStatus,
        error: Option<&Error>,
    ) -> (Summary, Result<()>) {
        let total = self.clock.elapsed().as_secs_f64() + self.before;
        let summary = self.summary.finish(status, total);
        let mut told = Ok(());
        for observer in &mut self.observers {
            let own = observer.finished(&summary, error);
            told = told.and(own);
        }
        (summary, told)
    }
}

impl std::fmt::Debug for Recorder<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("observers", &self.observers.len()).finish_non_exhaustive()
    }
}

/// A monitor of a run whose eigenvalues were asked to meet `tolerance`. It knows how the optimizer's
/// oscillations grow and, where there is a schedule, the coming learning rates.
pub fn monitor(
    settings: &StabilitySettings,
    tolerance: f64,
    schedule: Option<Schedule>,
    optimizer: Option<&dyn Optimizer>,
) -> Monitor {
    let mut monitor = Monitor::new(settings, tolerance);
    if let Some(schedule) = schedule {
        monitor = monitor.with_schedule(schedule);
    }
    match optimizer.and_then(Optimizer::growth) {
        Some(growth) => monitor.with_growth(growth),
        None => monitor,
    }
}
