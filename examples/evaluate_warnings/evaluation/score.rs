//! Warnings against spikes.

use serde::Serialize;
use sharpscope::stability::Alarm;

use super::series::ScoredRun;
use super::truth::Truth;

/// What came of the warnings of some runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// For each spike in order the steps from the earliest warning within the horizon to it; `None` for one that
    /// was not warned of.
    pub leads: Vec<Option<usize>>,
    /// Warnings that a spike followed.
    pub right: usize,
    /// Warnings that none followed.
    pub wrong: usize,
    /// Steps in no spike and not within the horizon before one.
    pub quiet_steps: usize,
}

impl Counts {
    /// Adds those of other runs.
    pub fn add(&mut self, other: &Counts) {
        self.leads.extend(&other.leads);
        self.right += other.right;
        self.wrong += other.wrong;
        self.quiet_steps += other.quiet_steps;
    }

    /// The rates.
    pub fn report(&self) -> Report {
        let mut leads: Vec<usize> = self.leads.iter().flatten().copied().collect();
        leads.sort_unstable();
        Report {
            spikes: self.leads.len(),
            warned: leads.len(),
            recall: share(leads.len(), self.leads.len()),
            precision: share(self.right, self.right + self.wrong),
            warnings: self.right + self.wrong,
            false_alarms: self.wrong,
            quiet_steps: self.quiet_steps,
            false_alarms_per_1000: share(1000 * self.wrong, self.quiet_steps),
            leads: Leads::of(&leads),
        }
    }
}

/// A part over the whole; `None` of nothing.
pub fn share(part: usize, of: usize) -> Option<f64> {
    (of > 0).then(|| part as f64 / of as f64)
}

/// How good warnings are. Rates of nothing are absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Spikes.
    pub spikes: usize,
    /// Those that were warned of.
    pub warned: usize,
    /// Their share.
    pub recall: Option<f64>,
    /// Share of the warnings that a spike followed within the horizon.
    pub precision: Option<f64>,
    /// Warnings of which it can be said whether one did.
    pub warnings: usize,
    /// Those that no spike followed.
    pub false_alarms: usize,
    /// Steps in no spike and not within the horizon before one.
    pub quiet_steps: usize,
    /// False alarms in 1000 of those.
    pub false_alarms_per_1000: Option<f64>,
    /// Steps from warning to spike.
    pub leads: Option<Leads>,
}

/// The distribution of lead times, in steps: smallest, quartiles, largest and mean.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Leads {
    /// The smallest.
    pub least: usize,
    /// A quarter is at most this.
    pub lower_quartile: usize,
    /// Half of them are at most this.
    pub median: usize,
    /// Three quarters are at most this.
    pub upper_quartile: usize,
    /// The largest.
    pub most: usize,
    /// Their mean.
    pub mean: f64,
}

impl Leads {
    fn of(sorted: &[usize]) -> Option<Self> {
        // The smallest value that at least this share of them does not exceed.
        let quantile = |quarters: usize| {
            let rank = (quarters * sorted.len()).div_ceil(4).max(1);
            sorted.get(rank - 1).copied()
        };
        Some(Self {
            least: *sorted.first()?,
            lower_quartile: quantile(1)?,
            median: quantile(2)?,
            upper_quartile: quantile(3)?,
            most: *sorted.last()?,
            mean: sorted.iter().sum::<usize>() as f64 / sorted.len() as f64,
        })
    }
}

/// Scores the warnings of one run. A warning is right if a spike starts within the `horizon` steps
/// after it. One that the run ends too early for to tell, one during a spike, and one in what began too early to
/// be a spike count for nothing.
pub fn score(warnings: &[usize], truth: &Truth, horizon: usize) -> Counts {
    let mut counts = Counts::default();
    for &warning in warnings.iter().filter(|&&step| truth.is_told(step, horizon)) {
        match truth.next(warning, horizon) {
            Some(_) => counts.right += 1,
            None => counts.wrong += 1,
        }
    }
    for spike in &truth.spikes {
        let before = |&&step: &&usize| step < spike.start && spike.start <= step + horizon;
        let first = warnings.iter().filter(before).min();
        counts.leads.push(first.map(|first| spike.start - first));
    }
    counts.quiet_steps =
        (truth.first..=truth.last).filter(|&step| truth.is_quiet(step, horizon)).count();
    counts
}

impl ScoredRun {
    /// The steps at which a warning is given from this score on, each warning for `horizon` steps.
    pub fn warnings(&self, bar: f64, horizon: usize) -> Vec<usize> {
        let mut alarm = Alarm::new(bar, horizon);
        let raised =
            self.rows.iter().filter(|row| alarm.observe(row.step, row.score, row.in_spike));
        raised.map(|row| row.step).collect()
    }

    /// What came of them.
    pub fn warned_from(&self, bar: f64, horizon: usize) -> Counts {
        score(&self.warnings(bar, horizon), &self.truth, horizon)
    }
}

/// What came of warning from this score on in several runs.
pub fn counts<'a>(
    runs: impl IntoIterator<Item = &'a ScoredRun>,
    bar: f64,
    horizon: usize,
) -> Counts {
    let mut counts = Counts::default();
    for run in runs {
        counts.add(&run.warned_from(bar, horizon));
    }
    counts
}

/// One point of a trade-off: what warnings at this bar are worth.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TradeOff {
    /// Scores from here on warn.
    pub bar: f64,
    /// What that is worth.
    pub report: Report,
}

/// What warnings from each bar on are worth over these runs.
pub fn trade_off(runs: &[ScoredRun], bars: &[f64], horizon: usize) -> Vec<TradeOff> {
    let point = |&bar: &f64| TradeOff { bar, report: counts(runs, bar, horizon).report() };
    bars.iter().map(point).collect()
}

/// Points of a trade-off curve.
const BARS: i32 = 150;

/// Bars to choose from: quantiles of the finite scores outside of spikes, dense towards the largest, and one
/// that no score reaches.
pub fn bars(runs: &[ScoredRun]) -> Vec<f64> {
    let rows = runs.iter().flat_map(|run| &run.rows).filter(|row| !row.in_spike);
    let mut scores: Vec<f64> = rows.map(|row| row.score).filter(|s| s.is_finite()).collect();
    scores.sort_by(f64::total_cmp);
    // The largest share 1/2, then 0.95 times that, and so on.
    let rank = |i: i32| scores.len() as f64 * 0.5 * 0.95f64.powi(i);
    let Some(top) = scores.len().checked_sub(1) else { return vec![0.0] };
    let mut bars: Vec<f64> = (0..BARS).map(|i| scores[top - (rank(i) as usize).min(top)]).collect();
    bars.dedup();
    bars.push(scores[top] + scores[top].abs() + 1.0);
    bars
}

/// The bar with the best recall among those with at most `false_alarms` per 1000 quiet steps; of
/// equal ones that with the fewest. `None` if there is none.
pub fn best_bar(curve: &[TradeOff], false_alarms: f64) -> Option<&TradeOff> {
    let alarms = |point: &TradeOff| point.report.false_alarms_per_1000.unwrap_or(0.0);
    curve.iter().filter(|point| alarms(point) <= false_alarms).max_by(|a, b| {
        let recall = |point: &TradeOff| point.report.recall.unwrap_or(0.0);
        recall(a).total_cmp(&recall(b)).then(alarms(b).total_cmp(&alarms(a)))
    })
}

/// Chooses from which probabilities on the two models warn: of all pairs of these `bars`, those with
/// at most `false_alarms` per 1000 quiet steps and the best recall, and of these the one with the longest mean
/// lead. `None` if no pair has so few.
pub fn best_pair(
    early: &[ScoredRun],
    imminent: &[ScoredRun],
    bars: (&[f64], &[f64]),
    horizon: usize,
    false_alarms: f64,
) -> Option<(f64, f64)> {
    let mut pairs = Vec::new();
    for &early_bar in bars.0 {
        for &imminent_bar in bars.1 {
            let both: Vec<ScoredRun> = early
                .iter()
                .zip(imminent)
                .map(|(a, b)| a.joined(early_bar, b, imminent_bar))
                .collect();
            let report = counts(&both, 1.0, horizon).report();
            if report.false_alarms_per_1000.unwrap_or(0.0) <= false_alarms {
                let lead = report.leads.map_or(0.0, |leads| leads.mean);
                pairs.push((report.recall.unwrap_or(0.0), lead, (early_bar, imminent_bar)));
            }
        }
    }
    let best = pairs.into_iter().max_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)))?;
    Some(best.2)
}
