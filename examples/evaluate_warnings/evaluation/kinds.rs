//! Kinds of run: which warnings are worth what, and which are better.

use std::collections::BTreeMap;

use serde::Serialize;
use statrs::distribution::{Binomial, DiscreteCDF};

use super::score::{Counts, Report, counts};
use super::series::ScoredRun;

/// Spikes that a kind must have for a verdict.
const ENOUGH: usize = 10;
/// Chance tells two methods apart with less than this probability.
const CHANCE: f64 = 0.05;

/// A method on the runs that it is scored on, with its bar.
pub struct Barred<'a> {
    /// Its name.
    pub name: &'static str,
    /// Scores from here on warn.
    pub bar: f64,
    /// The runs, the same for all methods and in the same order.
    pub runs: &'a [ScoredRun],
}

impl Barred<'_> {
    fn of_kind(&self, kind: &str, horizon: usize) -> Counts {
        counts(self.runs.iter().filter(|run| run.kind == kind), self.bar, horizon)
    }
}

/// What the methods are worth on one kind of run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OfKind {
    /// Runs.
    pub runs: usize,
    /// By method's name.
    pub methods: BTreeMap<&'static str, Report>,
    /// Ours beside the simpler method of the highest recall; `None` with fewer than ten spikes.
    pub verdict: Option<Verdict>,
}

/// Which of two methods warns of more spikes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Verdict {
    /// The other one.
    pub against: &'static str,
    /// Spikes that only ours warned of.
    pub only_ours: usize,
    /// Spikes that only the other one warned of.
    pub only_theirs: usize,
    /// How often chance alone parts these so unevenly (two-sided sign test).
    pub chance: f64,
    /// `ahead`, `level` or `behind`.
    pub ours_is: &'static str,
}

impl Verdict {
    /// Of the counts of the same runs.
    pub fn of(ours: &Counts, theirs: &Counts, against: &'static str) -> Self {
        let pairs = || ours.leads.iter().zip(&theirs.leads);
        let only_ours = pairs().filter(|(a, b)| a.is_some() && b.is_none()).count();
        let only_theirs = pairs().filter(|(a, b)| a.is_none() && b.is_some()).count();
        let chance = sign_test(only_ours, only_theirs);
        let ours_is = match only_ours.cmp(&only_theirs) {
            _ if chance >= CHANCE => "level",
            std::cmp::Ordering::Less => "behind",
            _ => "ahead",
        };
        Self { against, only_ours, only_theirs, chance, ours_is }
    }
}

/// How often a fair coin falls at least as unevenly.
fn sign_test(a: usize, b: usize) -> f64 {
    let coin = Binomial::new(0.5, (a + b) as u64).expect("a probability of one half");
    (2.0 * coin.cdf(a.min(b) as u64)).min(1.0)
}

/// By kind, `ours` being the first of the methods.
pub fn by_kind(methods: &[Barred<'_>], horizon: usize) -> BTreeMap<String, OfKind> {
    let Some((ours, others)) = methods.split_first() else { return BTreeMap::new() };
    let mut kinds: Vec<&str> = ours.runs.iter().map(|run| run.kind.as_str()).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let of_kind = |kind: &str| {
        let own = ours.of_kind(kind, horizon);
        let theirs: Vec<(&'static str, Counts)> =
            others.iter().map(|method| (method.name, method.of_kind(kind, horizon))).collect();
        let warned = |counts: &Counts| counts.leads.iter().flatten().count();
        let best = theirs
            .iter()
            .max_by(|a, b| warned(&a.1).cmp(&warned(&b.1)).then(b.1.wrong.cmp(&a.1.wrong)));
        let verdict = best
            .filter(|_| own.leads.len() >= ENOUGH)
            .map(|(name, counts)| Verdict::of(&own, counts, name));
        let reports = theirs.iter().map(|(name, counts)| (*name, counts.report()));
        let methods = reports.chain([(ours.name, own.report())]).collect();
        let runs = ours.runs.iter().filter(|run| run.kind == kind).count();
        OfKind { runs, methods, verdict }
    };
    kinds.into_iter().map(|kind| (kind.to_string(), of_kind(kind))).collect()
}
