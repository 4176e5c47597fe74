//! Everything about how good warnings are, from runs of two parts.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::{Value, json};
use sharpscope::stability::StabilitySettings;

use super::agreement::Agreement;
use super::ahead::{Ahead, Course};
use super::calibration::Calibration;
use super::coverage::{Coverage, of_forecasts, of_losses};
use super::kinds::{Barred, OfKind, by_kind};
use super::methods::{BASELINES, FROM_AFAR, Method, OURS};
use super::ours::{STATED, judged};
use super::runs::{Part, Run};
use super::score::{Counts, Report, bars, best_bar, counts, trade_off};
use super::series::{ScoredRun, Watched};

/// No more false alarms than this in 1000 quiet steps.
pub const FALSE_ALARMS: f64 = 2.0;
/// Recall is given for these, too.
pub const OTHER_FALSE_ALARMS: [f64; 4] = [1.0, 2.0, 3.0, 5.0];

/// Something of all runs, and of those of each kind.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ByKind<T> {
    /// Of all.
    pub all: T,
    /// Of each kind.
    pub kinds: BTreeMap<String, T>,
}

impl<T: Default> ByKind<T> {
    /// Gathered run by run.
    pub fn gathered(runs: &[Watched<'_>], add: impl Fn(&mut T, &Watched<'_>)) -> Self {
        let mut gathered = Self::default();
        for run in runs {
            add(&mut gathered.all, run);
            add(gathered.kinds.entry(run.kind.to_string()).or_default(), run);
        }
        gathered
    }

    /// Made into something else.
    pub fn map<U>(&self, of: impl Fn(&T) -> U) -> ByKind<U> {
        let kinds = self.kinds.iter().map(|(kind, own)| (kind.clone(), of(own)));
        ByKind { all: of(&self.all), kinds: kinds.collect() }
    }
}

/// A method's scores.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodScore {
    /// Its name.
    pub name: &'static str,
    /// Scores from here on warn.
    pub bar: f64,
    /// What that is worth on the runs that the bar was chosen on ...
    pub choose: Report,
    /// ... and on others.
    pub test: Report,
    /// Recall on the others with the bar for so many false alarms in 1000 on the first.
    pub recall_at: Vec<(f64, Option<f64>)>,
}

/// A stated probability.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ProbabilityScore {
    /// Its name.
    pub name: &'static str,
    /// The steps within which a spike is to start.
    pub horizon: usize,
    /// How good it is.
    pub calibration: ByKind<Option<Calibration>>,
}

/// Everything.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Scorecard {
    /// Runs that bars were chosen on, and runs that warnings are scored on.
    pub runs: (usize, usize),
    /// Steps that a warning stands for.
    pub horizon: usize,
    /// Ours first.
    pub methods: Vec<MethodScore>,
    /// Ours, of the first spike of each run alone: those after it often come while several modes are beyond the
    /// edge.
    pub first_spikes: Report,
    /// By kind of run.
    pub kinds: BTreeMap<String, OfKind>,
    /// The event `loss_spike`.
    pub loss_spike: ByKind<Agreement>,
    /// Probabilities.
    pub probabilities: Vec<ProbabilityScore>,
    /// Intervals of `edge_forecast`.
    pub edge_forecasts: ByKind<Coverage>,
    /// Intervals of the loss that warnings predict.
    pub predicted_losses: ByKind<Coverage>,
    /// From afar.
    pub ahead: Vec<Ahead>,
    /// Of each run, for whoever looks for what went wrong.
    pub each: Vec<Value>,
}

/// The runs of a part, watched.
pub fn watched<'a>(
    runs: &'a [Run],
    part: Part,
    settings: &'a StabilitySettings,
) -> Vec<Watched<'a>> {
    runs.iter().filter(|run| run.part == part).map(|run| run.watched(settings)).collect()
}

impl Scorecard {
    /// Of these runs, with the monitor's constants.
    ///
    /// # Errors
    /// If a part has no runs, or a method no bar with so few false alarms.
    pub fn of(runs: &[Run], settings: &StabilitySettings) -> Result<Self> {
        let (choose, test) =
            (watched(runs, Part::Choose, settings), watched(runs, Part::Test, settings));
        if choose.is_empty() || test.is_empty() {
            bail!("runs that have ended are needed of both parts, 'choose' and 'test'");
        }
        let horizon = settings.warning.warning_horizon;
        let (mut methods, mut scored) = (Vec::new(), Vec::new());
        for method in std::iter::once(&OURS).chain(BASELINES) {
            let (score, runs) = method_score(method, &choose, &test, horizon)?;
            scored.push(runs);
            methods.push(score);
        }
        let barred: Vec<Barred<'_>> = methods
            .iter()
            .zip(&scored)
            .map(|(method, runs)| Barred { name: method.name, bar: method.bar, runs })
            .collect();
        let diverged = |name: &str| runs.iter().any(|run| run.name == name && run.diverged);
        Ok(Self {
            runs: (choose.len(), test.len()),
            horizon,
            first_spikes: first_spikes(&scored[0], methods[0].bar, horizon),
            kinds: by_kind(&barred, horizon),
            loss_spike: ByKind::gathered(&test, Agreement::add),
            probabilities: STATED
                .iter()
                .map(|stated| ProbabilityScore {
                    name: stated.name,
                    horizon: (stated.horizon)(&settings.warning),
                    calibration: ByKind::gathered(&test, |rows: &mut Vec<_>, run| {
                        rows.extend(judged(run, stated));
                    })
                    .map(|rows| Calibration::of(rows)),
                })
                .collect(),
            edge_forecasts: ByKind::gathered(&test, |sum, run| of_forecasts(run, sum)),
            predicted_losses: ByKind::gathered(&test, |sum, run| of_losses(run, sum)),
            ahead: ahead(&choose, &test, horizon, diverged),
            each: test.iter().map(each).collect(),
            methods,
        })
    }
}

/// Chooses the bar on some runs and scores it on others, whose scores are given, too.
fn method_score(
    method: &Method,
    choose: &[Watched<'_>],
    test: &[Watched<'_>],
    horizon: usize,
) -> Result<(MethodScore, Vec<ScoredRun>)> {
    let scored = |runs: &[Watched<'_>]| runs.iter().map(method.scored).collect::<Vec<_>>();
    let (choose, test) = (scored(choose), scored(test));
    let curve = trade_off(&choose, &bars(&choose), horizon);
    let chosen = |alarms: f64| best_bar(&curve, alarms);
    // Ours has its bar among its constants.
    let bar = match method.name == OURS.name {
        true => Some(0.0),
        false => chosen(FALSE_ALARMS).map(|point| point.bar),
    };
    let bar = bar.with_context(|| format!("{}: no bar has so few false alarms", method.name))?;
    let report = |runs: &[ScoredRun], bar: f64| counts(runs, bar, horizon).report();
    let recall = |alarms: f64| chosen(alarms).and_then(|point| report(&test, point.bar).recall);
    let score = MethodScore {
        name: method.name,
        bar,
        choose: report(&choose, bar),
        test: report(&test, bar),
        recall_at: OTHER_FALSE_ALARMS.map(|alarms| (alarms, recall(alarms))).to_vec(),
    };
    Ok((score, test))
}

fn first_spikes(runs: &[ScoredRun], bar: f64, horizon: usize) -> Report {
    let mut counts = Counts::default();
    for mut run in runs.iter().cloned() {
        let truth = &mut run.truth;
        truth.spikes.truncate(1);
        truth.last = truth.spikes.first().map_or(truth.last, |spike| spike.last);
        let last = truth.last;
        run.rows.retain(|row| row.step <= last);
        counts.add(&run.warned_from(bar, horizon));
    }
    counts.report()
}

fn ahead(
    choose: &[Watched<'_>],
    test: &[Watched<'_>],
    horizon: usize,
    diverged: impl Fn(&str) -> bool,
) -> Vec<Ahead> {
    let courses = |method: &Method, runs: &[Watched<'_>]| -> Vec<Course> {
        let course = |run: &Watched<'_>| {
            let (scored, rises) = ((method.scored)(run), run.rate_rises());
            Course { scored, rises, diverged: diverged(run.name) }
        };
        runs.iter().map(course).collect()
    };
    let of = |method: &Method| {
        let (choose, test) = (courses(method, choose), courses(method, test));
        Ahead::of(method.name, (&choose, &test), horizon, FALSE_ALARMS)
    };
    FROM_AFAR.iter().filter_map(of).collect()
}

/// A run's spikes and what was told of it.
fn each(run: &Watched<'_>) -> Value {
    let told = |name: &str| -> Vec<_> {
        run.replay.events.iter().filter(|event| event.kind.name() == name).cloned().collect()
    };
    json!({
        "name": run.name,
        "truth": run.truth,
        "warnings": told("spike_warning"),
        "loss_spikes": told("loss_spike"),
    })
}
