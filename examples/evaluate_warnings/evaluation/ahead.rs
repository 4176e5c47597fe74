//! How long before spikes and divergences something had told of them.
//!
//! A warning says "within twenty steps"; a run whose rate rises may be seen to head for its end far earlier. So
//! a signal is followed back from each spike: it tells of the spike for as long as it has come to its bar
//! at least once in every twenty steps since. One that is told of and falls silent again is not told of. An alarm is
//! false unless it is part of such a chain.

use serde::Serialize;

use super::score::{bars, share};
use super::series::{ScoredRow, ScoredRun};

/// Leads that are asked for, in steps.
pub const LEADS: [usize; 10] = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000];

/// The share of spikes that was told of so many steps before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct At {
    /// The lead, in steps.
    pub lead: usize,
    /// Spikes with as many steps before them, since the spike before or the start.
    pub spikes: usize,
    /// Those that were told of by then.
    pub told: usize,
    /// Their share.
    pub recall: Option<f64>,
}

/// What a signal tells from afar.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Ahead {
    /// What it is.
    pub name: &'static str,
    /// Scores from here on tell; chosen on other runs.
    pub bar: f64,
    /// Runs that have the signal, and in which rates rise.
    pub runs: usize,
    /// False alarms in 1000 quiet steps of all runs that have it, rates rising or not.
    pub false_alarms_per_1000: Option<f64>,
    /// By lead, over the runs in which rates rise.
    pub at: Vec<At>,
    /// Of those that diverged, their last spike alone.
    pub divergences: Vec<At>,
}

/// A run's scores, and what matters here of the run.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// The scores.
    pub scored: ScoredRun,
    /// Whether the learning rate rises somewhere.
    pub rises: bool,
    /// Whether it ends in divergence.
    pub diverged: bool,
}

/// What of one spike was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Its first step.
    pub start: usize,
    /// Steps from the first of the chain to the spike; 0 where there is none.
    pub lead: usize,
    /// Steps before it, since the spike before or the start.
    pub before: usize,
}

impl ScoredRun {
    /// How long before each spike scores from `bar` on told of it.
    pub fn told(&self, bar: f64, horizon: usize) -> Vec<Told> {
        let mut from = self.truth.first;
        let told = self.truth.spikes.iter().map(|spike| {
            let window = from..spike.start;
            from = spike.last + 1;
            let telling =
                |row: &&ScoredRow| window.contains(&row.step) && row.score >= bar && !row.in_spike;
            let mut reached = spike.start;
            for row in self.rows.iter().rev().filter(telling) {
                if reached - row.step > horizon {
                    break;
                }
                reached = row.step;
            }
            Told { start: spike.start, lead: spike.start - reached, before: window.len() }
        });
        told.collect()
    }

    /// False alarms at this bar, and the quiet steps.
    fn false_alarms(&self, bar: f64, horizon: usize) -> (usize, usize) {
        let told = self.told(bar, horizon);
        let led = |step: usize| told.iter().any(|t| step + t.lead >= t.start && step < t.start);
        let quiet = |step: &usize| self.truth.is_quiet(*step, horizon) && !led(*step);
        let wrong = self.warnings(bar, horizon).into_iter().filter(quiet).count();
        (wrong, (self.truth.first..=self.truth.last).filter(quiet).count())
    }
}

/// False alarms in 1000 quiet steps.
fn per_1000(courses: &[Course], bar: f64, horizon: usize) -> Option<f64> {
    let counts = courses.iter().map(|course| course.scored.false_alarms(bar, horizon));
    let (wrong, quiet) = counts.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    share(1000 * wrong, quiet)
}

/// By lead.
fn by_lead(told: &[Told]) -> Vec<At> {
    let at = |lead: usize| {
        let possible: Vec<_> = told.iter().filter(|told| told.before >= lead).collect();
        let by_then = possible.iter().filter(|told| told.lead >= lead).count();
        let recall = share(by_then, possible.len());
        At { lead, spikes: possible.len(), told: by_then, recall }
    };
    LEADS.into_iter().map(at).collect()
}

fn told(courses: &[Course], bar: f64, horizon: usize, divergences: bool) -> Vec<At> {
    let courses = courses.iter().filter(|course| course.rises);
    let of = |course: &Course| {
        let told = course.scored.told(bar, horizon);
        let skipped = match divergences {
            true if course.diverged => told.len().saturating_sub(1),
            true => told.len(),
            false => 0,
        };
        told.into_iter().skip(skipped).collect::<Vec<_>>()
    };
    by_lead(&courses.flat_map(of).collect::<Vec<_>>())
}

impl Ahead {
    /// Of a signal's scores, on the runs that have it. The bar is the one with the highest recall, in the mean over leads, on the runs
    /// that it is chosen on, among those with at most `false_alarms` per 1000 quiet steps of all of them. `None` for a
    /// signal that no run has.
    pub fn of(
        name: &'static str,
        (choose, test): (&[Course], &[Course]),
        horizon: usize,
        false_alarms: f64,
    ) -> Option<Self> {
        let having = |courses: &[Course]| -> Vec<Course> {
            courses.iter().filter(|course| !course.scored.rows.is_empty()).cloned().collect()
        };
        let (choose, test) = (&having(choose)[..], &having(test)[..]);
        if choose.is_empty() {
            return None;
        }
        let scored: Vec<ScoredRun> = choose.iter().map(|course| course.scored.clone()).collect();
        let recall = |bar: f64| -> f64 {
            told(choose, bar, horizon, false).iter().filter_map(|at| at.recall).sum()
        };
        let kept =
            |bar: &f64| per_1000(choose, *bar, horizon).is_none_or(|alarms| alarms <= false_alarms);
        let bars = bars(&scored).into_iter().filter(kept);
        let bar = bars.max_by(|a, b| recall(*a).total_cmp(&recall(*b)).then(a.total_cmp(b)))?;
        Some(Self {
            name,
            bar,
            runs: test.iter().filter(|course| course.rises).count(),
            false_alarms_per_1000: per_1000(test, bar, horizon),
            at: told(test, bar, horizon, false),
            divergences: told(test, bar, horizon, true),
        })
    }
}
