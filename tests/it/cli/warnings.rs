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

/// The rate is lowered by what the warning says that the coming steps bear, and given back when they bear it.
#[test]
fn a_rate_that_a_warning_lowered_is_given_back() {
    let place = Place::new();
    let longer = SPIKES.replace("--steps 75", "--steps 160").replace("every 40", "every 100");
    place.run_well(&format!("{longer} --out plain"));
    let plain = Table::of(place.made("plain"));
    place.run_well(&format!("{longer} --on-warning lower-lr --out r"));
    let (table, told) = (Table::of(place.made("r")), events(place.made("r")));
    assert!(of_kind(&told, "loss_spike").is_empty(), "lowering does not help");
    let actions = of_kind(&told, "action_taken");
    let mut factor = 1.0f64;
    for row in 0..160 {
        let planned = plain.number(row, "lr");
        assert!((table.number(row, "lr") / (planned * factor) - 1.0).abs() < 1e-12, "row {row}");
        for action in actions.iter().filter(|action| step_of(action) == row) {
            assert_eq!(action["action"], "lower-lr");
            factor = (factor * action["factor"].as_f64().unwrap()).min(1.0);
        }
    }
    let warnings = of_kind(&told, "spike_warning");
    let (warned, acted) = (&warnings[0], &actions[0]);
    assert_eq!(step_of(warned), step_of(acted));
    let bearable = warned["bearable"].as_f64().unwrap();
    assert_eq!(acted["factor"], bearable.clamp(0.1, 0.9));
    let given_back = of_kind(&told, "warning_lifted");
    let more = actions.iter().filter(|action| action["factor"].as_f64().unwrap() > 1.0);
    assert!(!given_back.is_empty(), "nothing is given back");
    assert_eq!(more.count(), given_back.len());
}
