//! Detectors of somebody else's, beside the monitor's own.

use sharpscope::record::{EventKind, StepRow};
use sharpscope::stability::{Context, Detector, Monitor, StabilitySettings};

use super::{TOLERANCE, losses, rows};

fn monitor() -> Monitor {
    Monitor::new(&StabilitySettings::default(), TOLERANCE)
}

/// Says at each row what the context holds, in an event that has room for a text.
#[derive(Debug, Default)]
struct Echo {
    rows: usize,
}

impl Echo {
    fn say(&self, context: &Context) -> Vec<EventKind> {
        let ended = context.ended_spike.as_ref().map(|spike| spike.start);
        let reason = format!(
            "{} spike {} ended {ended:?} calm {} plateau {}",
            self.rows,
            context.in_spike,
            context.calm,
            context.plateau.is_some()
        );
        vec![EventKind::Divergence { train_loss: None, reason }]
    }
}

impl Detector for Echo {
    fn observe(&mut self, _: &StepRow, context: &Context) -> Vec<EventKind> {
        self.rows += 1;
        self.say(context)
    }

    fn finish(&mut self, context: &Context) -> Vec<EventKind> {
        self.say(context)
    }
}

fn reasons(rows: &[StepRow]) -> Vec<String> {
    let replay = monitor().with_detector(Echo::default()).replay(rows);
    let reason = |kind: EventKind| match kind {
        EventKind::Divergence { reason, .. } => Some(reason),
        _ => None,
    };
    replay.events.into_iter().filter_map(|event| reason(event.kind)).collect()
}

#[test]
fn the_context_has_taken_the_row_in() {
    let told = reasons(&losses([1.0, 1.0, 1.0, 1.0, 3.0, 1.0, 1.0, 1.0, 1.0]));
    assert_eq!(told[3], "4 spike false ended None calm true plateau false");
    assert_eq!(told[4], "5 spike true ended None calm false plateau false");
    assert_eq!(told[7], "8 spike false ended Some(4) calm true plateau false");
    assert_eq!(told[8], "9 spike false ended None calm true plateau false");
    // At the edge it is not calm.
    assert_eq!(reasons(&rows([9.5]))[0], "1 spike false ended None calm false plateau false");
}

#[test]
fn the_end_of_a_run_is_told_with_the_spike_that_was_under_way() {
    let told = reasons(&losses([1.0, 1.0, 1.0, 1.0, 3.0]));
    assert_eq!(told.last().unwrap(), "5 spike false ended Some(4) calm false plateau false");
    assert_eq!(told.len(), 6);
}

#[test]
fn its_events_come_last_at_each_row_and_those_of_others_are_as_they_were() {
    let rows = rows([8.0, 9.9, 10.0, 11.0, 9.0, 12.0]);
    let replay = monitor().with_detector(Echo::default()).replay(&rows);
    let at_crossing: Vec<_> =
        replay.events.iter().filter(|e| e.step == 2).map(|e| e.kind.name()).collect();
    assert_eq!(at_crossing, ["edge_entered", "divergence"]);
    let others: Vec<_> =
        replay.events.into_iter().filter(|e| e.kind.name() != "divergence").collect();
    assert_eq!(others, monitor().replay(&rows).events);
}
