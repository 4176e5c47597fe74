//! Warnings against spikes.

use serde::Serialize;
use sharpscope::stability::{Alarm, Spike};

use super::series::ScoredRun;

/// What came of the warnings of some runs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Spikes.
    pub spikes: usize,
    /// Spikes before which there was a warning.
    pub warned: usize,
    /// Warnings that a spike followed.
    pub right: usize,
    /// Warnings that none followed.
    pub wrong: usize,
    /// Steps in no spike and not within the horizon before one.
    pub quiet_steps: usize,
    /// Steps from the earliest warning within the horizon to the spike, for each warned spike.
    pub leads: Vec<usize>,
}

impl Counts {
    /// Adds those of other runs.
    pub fn add(&mut self, other: &Counts) {
        self.spikes += other.spikes;
        self.warned += other.warned;
        self.right += other.right;
        self.wrong += other.wrong;
        self.quiet_steps += other.quiet_steps;
        self.leads.extend(&other.leads);
    }

    /// The rates.
    pub fn report(&self) -> Report {
        let share = |part: usize, of: usize| (of > 0).then(|| part as f64 / of as f64);
        let mut leads = self.leads.clone();
        leads.sort_unstable();
        Report {
            spikes: self.spikes,
            recall: share(self.warned, self.spikes),
            precision: share(self.right, self.right + self.wrong),
            quiet_steps: self.quiet_steps,
            false_alarms: self.wrong,
            false_alarms_per_1000: share(1000 * self.wrong, self.quiet_steps),
            leads: Leads::of(&leads),
        }
    }
}

/// How good warnings are. Rates of nothing are absent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Labelled spikes.
    pub spikes: usize,
    /// Share of the spikes that were warned of.
    pub recall: Option<f64>,
    /// Share of the warnings that a spike followed within the horizon.
    pub precision: Option<f64>,
    /// Steps in no spike and not within the horizon before one.
    pub quiet_steps: usize,
    /// Warnings that no spike followed.
    pub false_alarms: usize,
    /// Those per 1000 quiet steps.
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

/// Scores the warnings of one run whose rows reach from step 0 to `last`. A warning is right if a
/// spike starts within the `horizon` steps after it. One that the run ends too early for to tell, and
/// one during a spike, counts for nothing.
pub fn score(warnings: &[usize], spikes: &[Spike], last: usize, horizon: usize) -> Counts {
    let follows = |step: usize| spikes.iter().any(|s| s.start > step && s.start <= step + horizon);
    let within = |step: usize| spikes.iter().any(|s| s.start <= step && step <= s.last);
    let decided = |step: usize| step + horizon <= last;
    let mut counts = Counts { spikes: spikes.len(), ..Counts::default() };
    for &warning in warnings.iter().filter(|&&step| !within(step)) {
        if follows(warning) {
            counts.right += 1;
        } else if decided(warning) {
            counts.wrong += 1;
        }
    }
    for spike in spikes {
        let before = |&&step: &&usize| step < spike.start && spike.start <= step + horizon;
        if let Some(&first) = warnings.iter().filter(before).min() {
            counts.warned += 1;
            counts.leads.push(spike.start - first);
        }
    }
    counts.quiet_steps =
        (0..=last).filter(|&step| decided(step) && !within(step) && !follows(step)).count();
    counts
}

impl ScoredRun {
    /// What came of warning from this score on, each warning for `horizon` steps.
    pub fn warned_from(&self, bar: f64, horizon: usize) -> Counts {
        let mut alarm = Alarm::new(bar, horizon);
        let raised =
            self.rows.iter().filter(|row| alarm.observe(row.step, row.score, row.in_spike));
        let warnings: Vec<usize> = raised.map(|row| row.step).collect();
        score(&warnings, &self.spikes, self.last, horizon)
    }
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
    let report = |&bar: &f64| {
        let mut counts = Counts::default();
        for run in runs {
            counts.add(&run.warned_from(bar, horizon));
        }
        TradeOff { bar, report: counts.report() }
    };
    bars.iter().map(report).collect()
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
/// at most `false_alarms` per 1000 quiet steps whose recall is within 0.05 of the best such one's, and
/// of these the one with the longest mean lead. `None` if no pair has so few.
pub fn best_pair(
    early: &[ScoredRun],
    imminent: &[ScoredRun],
    bars: (&[f64], &[f64]),
    horizon: usize,
    false_alarms: f64,
) -> Option<(f64, f64)> {
    const LESS: f64 = 0.05;
    let mut pairs = Vec::new();
    for &early_bar in bars.0 {
        for &imminent_bar in bars.1 {
            let both: Vec<ScoredRun> = early
                .iter()
                .zip(imminent)
                .map(|(a, b)| a.joined(early_bar, b, imminent_bar))
                .collect();
            let report = trade_off(&both, &[1.0], horizon).remove(0).report;
            if report.false_alarms_per_1000.unwrap_or(0.0) <= false_alarms {
                let lead = report.leads.map_or(0.0, |leads| leads.mean);
                pairs.push((report.recall.unwrap_or(0.0), lead, (early_bar, imminent_bar)));
            }
        }
    }
    let best = pairs.iter().map(|pair| pair.0).max_by(f64::total_cmp)?;
    pairs.retain(|pair| pair.0 >= best - LESS);
    let longest = pairs.into_iter().max_by(|a, b| a.1.total_cmp(&b.1).then(a.0.total_cmp(&b.0)))?;
    Some(longest.2)
}
