//! Events read off a stored run.

use super::*;

fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).expect("an object")).collect()
}

/// What the command reads off the rows is what the run wrote while it went on.
#[test]
fn a_stored_run_tells_the_events_that_it_told() {
    let place = Place::new();
    for flags in
        ["--lr 0.4 --steps 150", "--lr 0.3 --loss ce --model mlp-relu --every 3 --steps 90"]
    {
        place.run_well(&format!("run --backend cpu --train-size 150 --force --out r {flags}"));
        // These the loop sees besides its rows.
        let besides = ["curvature_repaired", "curvature_non_finite"];
        let written: Vec<Value> = events(place.made("r"))
            .into_iter()
            .filter(|event| !besides.contains(&event["kind"].as_str().unwrap()))
            .collect();
        assert!(!written.is_empty());
        assert_eq!(lines(&place.run_well("events r").out), written, "{flags}");
    }
}

#[test]
fn constants_can_be_given_and_wrong_ones_are_refused() {
    let place = Place::new();
    place.run_well("run --backend cpu --train-size 150 --lr 0.1 --steps 12 --out r");
    place.file("s.json", r#"{"edge_enter": 0.2, "edge_leave": 0.1}"#);
    let entered = |out: &str| {
        lines(out).iter().any(|event| event["kind"] == "edge_entered" && event["step"] == 0)
    };
    assert!(!entered(&place.run_well("events r").out));
    assert!(entered(&place.run_well("events r --settings @/s.json").out));

    place.file("s.json", r#"{"edge_entre": 0.2}"#);
    let refused = place.run("events r --settings @/s.json");
    assert_eq!(refused.code, Some(2));
    for part in ["s.json", "edge_entre", "edge_enter"] {
        assert!(refused.err.contains(part), "{}", refused.err);
    }
    let refused = place.run("events nowhere");
    assert_eq!(refused.code, Some(2));
    assert!(refused.err.contains("steps.csv"), "{}", refused.err);
}
