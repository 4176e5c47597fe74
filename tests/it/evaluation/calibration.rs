//! Probabilities, intervals, events and kinds, by hand.

use serde_json::json;
use sharpscope::record::{Event, EventKind};
use sharpscope::stability::StabilitySettings;

use super::scoring::agreement::Agreement;
use super::scoring::calibration::Calibration;
use super::scoring::coverage::{Coverage, of_forecasts, of_losses};
use super::scoring::kinds::{Barred, Verdict, by_kind};
use super::scoring::score::Counts;
use super::scoring::truth::Truth;
use super::{event, rows, scored, truth, two, watched};

#[test]
fn bins_hold_what_was_said_and_what_came() {
    let judged =
        [(0.05, false), (0.05, false), (0.05, true), (0.5, true), (0.5, false), (1.0, true)];
    let calibration = Calibration::of(&judged).unwrap();
    let bins: Vec<_> = calibration.bins.iter().filter(|bin| bin.rows > 0).collect();
    let numbers: Vec<_> = bins.iter().map(|bin| (bin.from, bin.rows, bin.observed)).collect();
    let third = Some(1.0 / 3.0);
    assert_eq!(numbers, [(0.03, 3, third), (0.4, 2, Some(0.5)), (0.9, 1, Some(1.0))]);
    assert!((bins[0].predicted.unwrap() - 0.05).abs() < 1e-12);
    assert_eq!(calibration.bins.iter().map(|bin| bin.rows).sum::<usize>(), judged.len());
    // (2 * 0.05^2 + 0.95^2 + 2 * 0.5^2 + 0) / 6 beside 1/2 * 1/2.
    let brier = (0.005 + 0.9025 + 0.5) / 6.0;
    assert!((calibration.brier - brier).abs() < 1e-12, "{calibration:?}");
    assert!((calibration.brier_of_base_rate - 0.25).abs() < 1e-12);
    assert!((calibration.skill.unwrap() - (1.0 - brier / 0.25)).abs() < 1e-12);
    assert_eq!(Calibration::of(&[]), None);
    assert_eq!(Calibration::of(&[(0.1, false)]).unwrap().skill, None);
}

#[test]
fn forecasts_hold_where_the_edge_is_entered_within_them() {
    let forecast = |step, earliest, latest| {
        let kind = EventKind::EdgeForecast {
            edge_ratio: 0.9,
            slope: 0.01,
            at_step: 40.0,
            earliest,
            latest,
        };
        event(step, kind)
    };
    let entered = |step| {
        event(step, EventKind::EdgeEntered { sharpness: 1.0, threshold: 1.0, edge_ratio: 1.0 })
    };
    let rows = rows([(1.0, 0.1); 60]);
    let (truth, settings) = (truth(&[]), StabilitySettings::default());
    let covered = |events: Vec<Event>| {
        let mut coverage = Coverage::default();
        of_forecasts(&watched(&rows, &truth, &settings, events), &mut coverage);
        (coverage.told, coverage.held, coverage.below, coverage.above)
    };
    let held = [forecast(10, 20.0, Some(30.0)), forecast(11, 20.0, None), entered(25)];
    assert_eq!(covered(held.to_vec()), (2, 2, 0, 0));
    let early_and_late = [forecast(10, 26.0, None), forecast(11, 12.0, Some(24.0)), entered(25)];
    assert_eq!(covered(early_and_late.to_vec()), (2, 0, 1, 1));
    // Never entered: the first has passed, the run ended before the others.
    let never = [Some(30.0), Some(90.0), None].map(|latest| forecast(10, 20.0, latest));
    assert_eq!(covered(never.to_vec()), (1, 0, 0, 1));
}

/// A warning, with an interval of the loss if it has one.
fn warning(step: usize, interval: Option<(f64, f64)>) -> Event {
    let mut fields = json!({"kind": "spike_warning"});
    if let Some((low, high)) = interval {
        (fields["predicted_least"], fields["predicted_most"]) = (json!(low), json!(high));
    }
    event(step, EventKind::Other(fields.as_object().unwrap().clone()))
}

#[test]
fn a_predicted_loss_is_that_of_the_highest_within_the_horizon() {
    let losses = rows((0..60).map(|step| (if step == 30 { 4.0 } else { 1.0 }, 0.1)));
    let (truth, settings) = (Truth { last: 59, ..truth(&[]) }, StabilitySettings::default());
    let covered = |events: Vec<Event>| {
        let mut coverage = Coverage::default();
        of_losses(&watched(&losses, &truth, &settings, events), &mut coverage);
        (coverage.told, coverage.held, coverage.below, coverage.above)
    };
    // From 10 to 30; 9 and 30 do not see it.
    let seen = [10, 29].map(|step| warning(step, Some((3.0, 5.0))));
    assert_eq!(covered(seen.to_vec()), (2, 2, 0, 0));
    let unseen = [9, 30].map(|step| warning(step, Some((3.0, 5.0))));
    assert_eq!(covered(unseen.to_vec()), (2, 0, 2, 0));
    // A warning without, and one whose horizon the run does not reach to.
    assert_eq!(covered(vec![warning(10, None), warning(45, Some((3.0, 5.0)))]), (0, 0, 0, 0));
}

#[test]
fn intervals_hold_below_above_and_within() {
    let mut coverage = Coverage::default();
    for came in [1.0, 2.0, 3.0, 0.5, f64::INFINITY] {
        coverage.add((1.0, 3.0), came);
    }
    let Coverage { told, held, below, above, share } = coverage;
    assert_eq!((told, held, below, above, share), (5, 3, 1, 1, Some(0.6)));
}

#[test]
fn events_and_spikes_agree_within_three_steps() {
    let spike = |start: usize, end: usize| EventKind::LossSpike {
        start,
        peak: start,
        peak_loss: Some(2.0),
        baseline: 1.0,
        height: Some(2.0),
        end: Some(end),
        recovered: true,
    };
    let rows = rows([(1.0, 0.1); 100]);
    let mut truth = two();
    let settings = StabilitySettings::default();
    // 25 to 27 is three steps before 30; 65 four steps after 61; 80 is nothing.
    let events = vec![event(28, spike(25, 28)), event(70, spike(65, 67)), event(90, spike(80, 85))];
    let mut agreement = Agreement::default();
    agreement.add(&watched(&rows, &truth, &settings, events.clone()));
    let Agreement { spikes, found, events: told, right, recall, precision } = agreement;
    assert_eq!((spikes, found, told, right), (2, 1, 3, 1));
    assert_eq!((recall, precision), (Some(0.5), Some(1.0 / 3.0)));
    // What began too early to be a spike lasts until step 23; the event there is of that, unless of a spike.
    truth.first = 24;
    let early = vec![event(20, spike(18, 20)), events[0].clone()];
    let mut agreement = Agreement::default();
    agreement.add(&watched(&rows, &truth, &settings, early));
    assert_eq!((agreement.events, agreement.right), (1, 1));
}

/// Counts of a method that warns of the spikes with these numbers of fourteen.
fn warns_of(which: impl Fn(usize) -> bool) -> Counts {
    let leads = (0..14).map(|spike| which(spike).then_some(3)).collect();
    Counts { leads, ..Counts::default() }
}

#[test]
fn a_verdict_is_not_chance() {
    let verdict = |ours: Counts, theirs: Counts| Verdict::of(&ours, &theirs, "other");
    let ahead = verdict(warns_of(|spike| spike < 12), warns_of(|spike| spike < 6));
    // Six of six coins alike: 2/64.
    assert_eq!((ahead.only_ours, ahead.only_theirs, ahead.ours_is), (6, 0, "ahead"));
    assert!((ahead.chance - 2.0 / 64.0).abs() < 1e-12, "{ahead:?}");
    let behind = verdict(warns_of(|spike| spike < 6), warns_of(|spike| spike < 12));
    assert_eq!(behind.ours_is, "behind");
    // Five of five could be chance (1/16), and so could 7 of 10.
    assert_eq!(verdict(warns_of(|s| s < 11), warns_of(|s| s < 6)).ours_is, "level");
    let apart = verdict(warns_of(|spike| spike < 7), warns_of(|spike| (7..10).contains(&spike)));
    assert_eq!((apart.only_ours, apart.only_theirs, apart.ours_is), (7, 3, "level"));
    let same = verdict(warns_of(|_| true), warns_of(|_| true));
    assert_eq!((same.chance, same.ours_is), (1.0, "level"));
}

#[test]
fn kinds_are_counted_apart_and_judged_with_ten_spikes() {
    let starts = [10, 25, 40, 55, 70];
    let spikes: Vec<_> = starts.iter().map(|&start| (start, start + 1)).collect();
    let run = |kind: &str, before: usize| {
        let score = move |step| f64::from(u8::from(starts.contains(&(step + before))));
        let mut run = scored(truth(&spikes), score);
        run.kind = kind.to_string();
        run
    };
    // Ours warns two steps before each, the other one never in time.
    let ours = [run("a", 2), run("b", 2), run("a", 2)];
    let theirs = [run("a", 0), run("b", 0), run("a", 0)];
    let barred = |name, runs| Barred { name, bar: 1.0, runs };
    let kinds = by_kind(&[barred("ours", &ours), barred("theirs", &theirs)], 5);
    assert_eq!((kinds["a"].runs, kinds["b"].runs), (2, 1));
    let report = &kinds["a"].methods["ours"];
    assert_eq!((report.spikes, report.recall, report.leads.unwrap().median), (10, Some(1.0), 2));
    assert_eq!(kinds["a"].methods["theirs"].recall, Some(0.0));
    let verdict = kinds["a"].verdict.as_ref().unwrap();
    assert_eq!((verdict.against, verdict.ours_is, verdict.only_ours), ("theirs", "ahead", 10));
    assert!(kinds["b"].verdict.is_none());
}
