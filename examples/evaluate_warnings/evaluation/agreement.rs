//! The event `loss_spike` against spikes in hindsight.

use serde::Serialize;
use sharpscope::record::EventKind;

use super::score::share;
use super::series::Watched;

/// An event and a spike are the same if they are at most so many steps apart.
const APART: usize = 3;

/// How well the two agree.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Agreement {
    /// Spikes in hindsight.
    pub spikes: usize,
    /// Those that an event tells of.
    pub found: usize,
    /// Events.
    pub events: usize,
    /// Those that tell of a spike.
    pub right: usize,
    /// The share of the spikes that are told of.
    pub recall: Option<f64>,
    /// The share of the events that are right.
    pub precision: Option<f64>,
}

impl Agreement {
    /// Takes in a run. Events of what began too early to be a spike count for nothing.
    pub fn add(&mut self, run: &Watched<'_>) {
        let events = run.replay.events.iter().filter_map(|event| match event.kind {
            EventKind::LossSpike { start, end, .. } => {
                // `end` is the first step of the calm after it.
                Some((start, end.map_or(event.step, |end| end.saturating_sub(1)).max(start)))
            }
            _ => None,
        });
        let spikes: Vec<_> = run.truth.spikes.iter().map(|s| (s.start, s.last)).collect();
        let meet =
            |a: &(usize, usize), b: &(usize, usize)| a.0 <= b.1 + APART && b.0 <= a.1 + APART;
        let first = run.truth.first;
        let judged = |event: &(usize, usize)| {
            first == 0 || event.0 >= first + APART || spikes.iter().any(|s| meet(s, event))
        };
        let events: Vec<_> = events.filter(judged).collect();
        self.spikes += spikes.len();
        self.found += spikes.iter().filter(|s| events.iter().any(|e| meet(s, e))).count();
        self.events += events.len();
        self.right += events.iter().filter(|e| spikes.iter().any(|s| meet(s, e))).count();
        self.recall = share(self.found, self.spikes);
        self.precision = share(self.right, self.events);
    }
}
