//! Scores of warnings, counted by hand.

use super::scoring::score::{Counts, Leads, best_bar, best_pair, counts, score, trade_off};
use super::scoring::truth::Truth;
use super::{scored, truth, two};

#[test]
fn warnings_are_counted_by_hand() {
    // 5: wrong. 19: too early by one. 20 and 28: right. 32: in a spike. 60: at its start. 95: undecided.
    let counts = score(&[5, 19, 20, 28, 32, 60, 95], &two(), 10);
    let expected = Counts {
        leads: vec![Some(10), None],
        right: 2,
        wrong: 2,
        // Of 0 to 89: without 20 to 34 and 50 to 61.
        quiet_steps: 90 - 15 - 12,
    };
    assert_eq!(counts, expected);
    let report = counts.report();
    assert_eq!((report.recall, report.precision), (Some(0.5), Some(0.5)));
    assert_eq!(report.false_alarms_per_1000, Some(2000.0 / 63.0));
}

#[test]
fn rates_of_nothing_are_absent() {
    let report = score(&[], &Truth { last: 5, ..Truth::default() }, 10).report();
    assert_eq!((report.recall, report.precision, report.leads), (None, None, None));
    assert_eq!(report.false_alarms_per_1000, None);
}

#[test]
fn counts_add_up_and_leads_have_quartiles() {
    let mut counts = Counts::default();
    for lead in [1, 9, 3, 7, 5] {
        counts.add(&score(&[30 - lead], &truth(&[(30, 31)]), 10));
    }
    let report = counts.report();
    assert_eq!((report.spikes, report.warned, counts.right), (5, 5, 5));
    let leads =
        Leads { least: 1, lower_quartile: 3, median: 5, upper_quartile: 7, most: 9, mean: 5.0 };
    assert_eq!(report.leads, Some(leads));
}

#[test]
fn a_higher_bar_trades_recall_for_fewer_alarms() {
    let run = scored(two(), |step| match step {
        5 => 1.0,
        25 => 3.0,
        55 => 2.0,
        _ => 0.0,
    });
    let curve = trade_off(&[run], &[0.5, 1.5, 2.5, 9.0], 10);
    let numbers: Vec<_> = curve.iter().map(|p| (p.report.recall, p.report.false_alarms)).collect();
    assert_eq!(numbers, [(Some(1.0), 1), (Some(1.0), 0), (Some(0.5), 0), (Some(0.0), 0)]);
    assert_eq!(best_bar(&curve, 20.0).unwrap().bar, 1.5);
    assert_eq!(best_bar(&curve[2..], 0.0).unwrap().bar, 2.5);
    assert!(best_bar(&curve[..1], 0.0).is_none());
}

#[test]
fn of_two_scores_the_pair_with_good_recall_and_long_leads_is_chosen() {
    let run = |at: &'static [usize]| scored(two(), |step| f64::from(u8::from(at.contains(&step))));
    let (early, late) = ([run(&[22])], [run(&[29, 59])]);
    let bars = [1.0, 2.0];
    let pair = best_pair(&early, &late, (&bars, &bars), 10, 0.0);
    // The late score alone has the same recall and shorter leads.
    assert_eq!(pair, Some((1.0, 1.0)));
    let wrong = [run(&[5, 29, 59])];
    assert_eq!(best_pair(&early, &wrong, (&bars, &bars), 10, 0.0), Some((1.0, 2.0)));
    assert_eq!(best_pair(&early, &wrong, (&bars, &bars[..1]), 10, 0.0), None);
}

#[test]
fn what_began_too_early_to_be_a_spike_is_not_judged() {
    let late = Truth { first: 12, ..two() };
    // 5 is before what is judged; 12 is wrong.
    let counts = score(&[5, 12], &late, 10);
    assert_eq!((counts.right, counts.wrong, counts.quiet_steps), (0, 1, 63 - 12));
}

#[test]
fn runs_are_counted_together() {
    let runs = [scored(two(), |step| step as f64), scored(truth(&[(50, 51)]), |_| 0.0)];
    // From 25, 35, 46 and 57 on.
    let together = counts(&runs, 25.0, 10);
    assert_eq!(together.leads, [Some(5), Some(3), None]);
}
