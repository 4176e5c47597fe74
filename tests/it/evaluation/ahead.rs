//! Recall against lead on made-up signals.

use super::scoring::ahead::{Ahead, At, Course, Told};
use super::scoring::truth::Truth;
use super::{scored, truth, two};

const HORIZON: usize = 10;

#[test]
fn a_spike_is_told_of_from_the_first_of_an_unbroken_chain() {
    // 5 is too far before 17; 17 and 27 lead to the spike at 30, 45 falls silent before the one at 60.
    let run = scored(two(), |step| f64::from(u8::from([5, 17, 27, 45].contains(&step))));
    let told = run.told(1.0, HORIZON);
    let expected =
        [Told { start: 30, lead: 13, before: 30 }, Told { start: 60, lead: 0, before: 25 }];
    assert_eq!(told, expected);
    // A chain does not reach through a spike.
    let always = scored(two(), |_| 1.0).told(1.0, HORIZON);
    assert_eq!(always.iter().map(|told| told.lead).collect::<Vec<_>>(), [30, 25]);
}

fn course(truth: Truth, rises: bool, score: impl Fn(usize) -> f64) -> Course {
    Course { scored: scored(truth, score), rises, diverged: false }
}

fn at(ahead: &[At], lead: usize) -> (usize, usize) {
    let at = ahead.iter().find(|at| at.lead == lead).unwrap();
    (at.told, at.spikes)
}

#[test]
fn recall_against_lead_counts_spikes_with_as_many_steps_before() {
    // A signal that climbs to a spike at step 70 and rests after it, and a quiet run where it stays below 0.9.
    let climbing = |step: usize| if step < 76 { step as f64 / 30.0 } else { 0.0 };
    let choose = [
        course(truth(&[(70, 75)]), true, climbing),
        course(truth(&[]), false, |step| 0.9 * step as f64 / 99.0),
    ];
    // Of the test's three runs one has a constant rate, and one ends in divergence soon after it began.
    let mut test = choose.to_vec();
    test.push(course(truth(&[(15, 99)]), true, climbing));
    test[2].diverged = true;
    let ahead = Ahead::of("climb", (&choose, &test), HORIZON, 2.0).unwrap();
    // Fifty steps before it is as low as in the quiet run, twenty steps before at 50/30: the highest bar for that.
    assert!(ahead.bar > 0.9 && ahead.bar <= 50.0 / 30.0, "{}", ahead.bar);
    assert_eq!((ahead.runs, ahead.false_alarms_per_1000), (2, Some(0.0)));
    assert_eq!((at(&ahead.at, 1), at(&ahead.at, 10)), ((1, 2), (1, 2)));
    // One of the two spikes has no fifty steps before it, none has a hundred.
    assert_eq!(
        (at(&ahead.at, 20), at(&ahead.at, 50), at(&ahead.at, 100)),
        ((1, 1), (0, 1), (0, 0))
    );
    assert_eq!((at(&ahead.divergences, 1), at(&ahead.divergences, 20)), ((0, 1), (0, 0)));
}

#[test]
fn a_signal_that_always_tells_tells_nothing() {
    let runs = [course(truth(&[(70, 75)]), true, |_| 1.0), course(truth(&[]), false, |_| 1.0)];
    let ahead = Ahead::of("always", (&runs, &runs), HORIZON, 2.0).unwrap();
    assert!(ahead.bar > 1.0 && at(&ahead.at, 1) == (0, 1), "{ahead:?}");
    let mut none = runs.clone();
    none.iter_mut().for_each(|course| course.scored.rows.clear());
    assert!(Ahead::of("none", (&none, &none), HORIZON, 2.0).is_none());
}
