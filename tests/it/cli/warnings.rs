//! What the program does where it warns of a spike.

use super::*;

/// Gradient descent whose rate quadruples at step 40: it spikes unless somebody acts.
const SPIKES: &str = "run --backend cpu --train-size 150 --validation-size 50 --lr 0.1 \
                      --schedule step --decay-factor 4 --decay-every 40 --steps 75";

fn of_kind<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events.iter().filter(|event| event["kind"] == kind).collect()
}

fn step_of(event: &Value) -> usize {
    event["step"].as_u64().unwrap() as usize
}

#[test]
fn a_warning_can_halve_the_rate_stop_the_run_or_save_its_state() {
    let place = Place::new();
    let done = place.run_well(&format!("{SPIKES} --out plain"));
    assert!(!done.err.contains("halved"));
    let plain = Table::of(place.made("plain")).untimed();
    let told = events(place.made("plain"));
    assert!(!of_kind(&told, "loss_spike").is_empty());
    assert!(of_kind(&told, "action_taken").is_empty());
    let warned = step_of(of_kind(&told, "spike_warning")[0]);
    // Before the warning and at its step, nothing is otherwise.
    let same_until_warned = |name: &str| {
        let table = Table::of(place.made(name)).untimed();
        assert_eq!(table.rows[..=warned], plain.rows[..=warned], "{name}");
        table
    };

    let done = place.run_well(&format!("{SPIKES} --on-warning halve-lr --out halved"));
    assert!(done.err.contains("learning rate halved"), "{}", done.err);
    let halved = same_until_warned("halved");
    let told = events(place.made("halved"));
    assert!(of_kind(&told, "loss_spike").is_empty(), "halving does not help");
    let actions = of_kind(&told, "action_taken");
    assert_eq!(actions[0]["action"], "halve-lr");
    let mut factor = 1.0;
    for row in 0..75 {
        assert_eq!(halved.number(row, "lr"), plain.number(row, "lr") * factor, "row {row}");
        let acts = actions.iter().filter(|action| step_of(action) == row).count();
        factor /= f64::powi(2.0, acts as i32);
    }
    assert!(factor < 1.0);
    let next = step_of(actions[0]) + 1;
    assert_eq!(actions[0]["next_step"], next);
    assert_eq!(actions[0]["lr"], halved.number(next, "lr"));
    let state = json_file(place.made("halved").join("checkpoints/step-75.json"));
    assert_eq!(state["schedule"]["rate_factor"], factor);

    // The spectrum at its end is held against the rate that would have come next.
    place.run_well("spectrum halved --probes 1 --iterations 2");
    let numbers = json_file(place.made("halved").join("spectra/step-75.json"));
    assert_eq!(numbers["threshold"], 2.0 / (0.4 * factor));

    let done = place.run_well(&format!("{SPIKES} --on-warning stop --out stopped"));
    assert!(done.err.contains("--on-warning"), "{}", done.err);
    let stopped = same_until_warned("stopped");
    assert_eq!(stopped.rows.len(), warned + 1);
    let summary = json_file(place.made("stopped").join("summary.json"));
    assert_eq!(summary["status"], "stopped_on_warning");
    assert_eq!(json_file(place.made("stopped").join("manifest.json"))["exit_code"], 0);

    place.run_well(&format!("{SPIKES} --on-warning checkpoint --out saved"));
    assert_eq!(same_until_warned("saved").rows, plain.rows);
    let saved = names_in(place.made("saved").join("checkpoints"));
    assert!(saved.contains(&format!("step-{}.json", warned + 1)), "{saved:?}");
    // The run that stopped there has it too.
    for name in saved.iter().filter(|name| name.starts_with(&format!("step-{}.", warned + 1))) {
        let file =
            |run: &str| std::fs::read(place.made(run).join("checkpoints").join(name)).unwrap();
        assert!(file("saved") == file("stopped"), "{name}");
    }

    // The stopped run goes on, and halves now: as if it had from the first.
    place.run_well("run --resume stopped --on-warning halve-lr");
    let resumed = Table::of(place.made("stopped"));
    for name in ["lr", "train_loss", "update_norm"] {
        assert_eq!(resumed.column(name), halved.column(name), "{name}");
    }
    let told = events(place.made("stopped"));
    assert!(of_kind(&told, "loss_spike").is_empty());
    let actions = |name: &str| -> Vec<(Value, Value)> {
        let told = events(place.made(name));
        let acted = of_kind(&told, "action_taken").into_iter();
        acted.map(|event| (event["next_step"].clone(), event["lr"].clone())).collect()
    };
    // The stop itself was an action too.
    assert_eq!(actions("stopped")[1..], actions("halved"));
}

#[test]
fn other_actions_are_refused_and_a_comparison_does_not_stop() {
    let place = Place::new();
    let refused = place.run(&small("--on-warning explode --out r"));
    assert_eq!(refused.code, Some(2));
    for part in ["explode", "stop", "halve-lr", "checkpoint"] {
        assert!(refused.err.contains(part), "{}", refused.err);
    }
    let flags = "--backend cpu --model linear --train-size 50 --steps 2 --lr 0.1,0.2 --out c";
    let refused = place.run(&format!("compare {flags} --on-warning stop"));
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("--on-warning = stop"), "{}", refused.err);
    assert!(place.snapshot().is_empty());
    place.run_well(&format!("compare {flags} --on-warning halve-lr"));
}

/// The rates of a run that lowers them follow from its events. Returns the events.
fn lowered_as_told(place: &Place, flags: &str, steps: usize) -> Vec<Value> {
    place.run_well(&format!("run --backend cpu {flags} --steps {steps} --out plain"));
    let plain = Table::of(place.made("plain"));
    place.run_well(&format!(
        "run --backend cpu {flags} --steps {steps} --on-warning lower-lr --out r"
    ));
    let (table, told) = (Table::of(place.made("r")), events(place.made("r")));
    let mut factor = 1.0f64;
    for row in 0..steps {
        let planned = plain.number(row, "lr");
        assert!((table.number(row, "lr") / (planned * factor) - 1.0).abs() < 1e-12, "row {row}");
        let actions = of_kind(&told, "action_taken");
        for action in actions.iter().filter(|action| step_of(action) == row) {
            assert_eq!(action["action"], "lower-lr");
            factor = (factor * action["factor"].as_f64().unwrap()).min(1.0);
        }
    }
    told
}

/// The rate is lowered by what the warning says that the coming steps bear.
#[test]
fn a_warning_lowers_the_rate_by_what_the_coming_steps_need() {
    let place = Place::new();
    let flags = "--train-size 150 --validation-size 0 --lr 0.1 --schedule step --decay-factor 4 \
                 --decay-every 100";
    let told = lowered_as_told(&place, flags, 130);
    assert!(!of_kind(&events(place.made("plain")), "loss_spike").is_empty());
    assert!(of_kind(&told, "loss_spike").is_empty(), "lowering does not help");
    let (warned, acted) = (of_kind(&told, "spike_warning")[0], of_kind(&told, "action_taken")[0]);
    assert_eq!(step_of(warned), step_of(acted));
    let bearable = warned["bearable"].as_f64().unwrap();
    assert_eq!(acted["factor"], bearable.clamp(0.1, 0.9));
}

/// On a quadratic whose edge the schedule's peak is beyond: once the schedule has fallen it is followed again.
#[test]
fn a_rate_that_a_warning_lowered_is_given_back() {
    let place = Place::new();
    let flags = "--objective quadratic --lr 0.24 --warmup 30 --schedule linear";
    let told = lowered_as_told(&place, flags, 200);
    let factors: Vec<f64> = of_kind(&told, "action_taken")
        .iter()
        .map(|action| action["factor"].as_f64().unwrap())
        .collect();
    assert!(factors[0] < 1.0 && *factors.last().unwrap() > 1.0, "{factors:?}");
    let lifted = of_kind(&told, "warning_lifted");
    assert_eq!(lifted.len(), factors.iter().filter(|factor| **factor > 1.0).count());
    let (table, plain) = (Table::of(place.made("r")), Table::of(place.made("plain")));
    assert_eq!(table.number(199, "lr"), plain.number(199, "lr"));
}
