//! The constants: checked, and read back as they were written.

use serde_json::{Map, Value, json};
use sharpscope::stability::{SpikeSettings, StabilitySettings, WarningWeights};

/// The keys that files may have had from the first on.
const FIRST_KEYS: [&str; 35] = [
    "edge_enter",
    "edge_leave",
    "edge_hold",
    "unstable_enter",
    "unstable_leave",
    "trend_rows",
    "threshold_jump",
    "sharpening_enter",
    "sharpening_leave",
    "forecast_rows",
    "forecast_spans",
    "spike_window",
    "spike_factor",
    "spike_deviations",
    "spike_end_factor",
    "spike_hold",
    "spike_longest",
    "catapult_share",
    "warning_horizon",
    "early_probability",
    "imminent_probability",
    "imminent_horizon",
    "visible_share",
    "growth_rows",
    "early_weights",
    "imminent_weights",
    "plateau_rows",
    "plateau_change",
    "small_gradient",
    "saddle_curvature",
    "minimum_curvature",
    "resolution",
    "resolution_rows",
    "residual_floor",
    "disagreement",
];

fn read(text: &str) -> serde_json::Result<StabilitySettings> {
    serde_json::from_str(text)
}

fn entries(settings: &StabilitySettings) -> Map<String, Value> {
    match serde_json::to_value(settings).unwrap() {
        Value::Object(entries) => entries,
        other => panic!("{other}"),
    }
}

#[test]
fn the_defaults_are_valid_and_survive_json() {
    let settings = StabilitySettings::default();
    settings.validate().unwrap();
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(read(&text).unwrap(), settings);
    assert_eq!(read("{}").unwrap(), settings);
    let spikes = SpikeSettings { spike_factor: 1.7, ..SpikeSettings::default() };
    let one = read(r#"{"spike_factor": 1.7}"#).unwrap();
    assert_eq!(one, StabilitySettings { spikes, ..settings });
    assert!(read(r#"{"spike_facto": 1.5}"#).is_err());
}

#[test]
fn the_keys_are_flat_and_those_of_the_first_files_are_among_them() {
    let keys = StabilitySettings::keys();
    let written: Vec<String> = entries(&StabilitySettings::default()).keys().cloned().collect();
    assert_eq!(keys, written);
    for key in FIRST_KEYS {
        assert!(keys.iter().any(|known| known == key), "{key}");
    }
}

#[test]
fn every_key_can_be_set_alone() {
    let defaults = entries(&StabilitySettings::default());
    for (key, value) in &defaults {
        let other = match value {
            Value::Number(count) if count.is_u64() => json!(count.as_u64().unwrap() + 1),
            Value::Number(number) => json!(number.as_f64().unwrap() * 1.25),
            Value::Object(weights) => {
                let mut weights = weights.clone();
                weights.insert("batch".to_string(), json!(0.125));
                Value::Object(weights)
            }
            other => panic!("{key}: {other}"),
        };
        let mut expected = defaults.clone();
        expected.insert(key.clone(), other.clone());
        let settings = read(&json!({ key.as_str(): other }).to_string()).unwrap();
        assert_eq!(entries(&settings), expected, "{key}");
    }
}

/// The key and, of a text, its line.
#[test]
fn a_key_or_a_value_that_cannot_be_used_is_named() {
    let cases = [
        ("{\n\"edge_hold\": 2,\n\"edge_entre\": 1.0}", 3, "unknown field `edge_entre`"),
        ("{\n\"edge_hold\": 2,\n\"edge_hold\": 3}", 3, "duplicate field `edge_hold`"),
        ("{\"edge_hold\": 2.5}", 1, "expected usize (key `edge_hold`)"),
        ("{\"edge_hold\": -1}", 1, "expected usize (key `edge_hold`)"),
        ("{\n\"edge_enter\": \"high\",\n\"edge_hold\": 2}", 2, "expected f64 (key `edge_enter`)"),
        ("{\"edge_enter\": null}", 1, "(key `edge_enter`)"),
        ("{\"early_weights\": {\"batches\": 1.0}}", 1, "unknown field `batches`"),
    ];
    for (text, line, problem) in cases {
        let error = read(text).unwrap_err();
        assert!(error.to_string().contains(problem), "{text}: {error}");
        assert_eq!(error.line(), line, "{text}: {error}");
    }
    let message = read(r#"{"edge_entre": 1.0}"#).unwrap_err().to_string();
    for key in StabilitySettings::keys() {
        assert!(message.contains(&format!("`{key}`")), "{key}: {message}");
    }
    // Elements of an array are no keys.
    assert!(read("[0.95, 1.0]").is_err());
}

#[test]
fn weights_are_listed_in_the_order_they_are_read_in() {
    let numbers = std::array::from_fn(|i| i as f64);
    assert_eq!(WarningWeights::from_array(numbers).to_array(), numbers);
}

#[test]
fn constants_that_cannot_be_used_are_refused_by_name() {
    type Change = fn(&mut StabilitySettings);
    let cases: [(&str, Change); 28] = [
        ("edge_leave", |s| s.edge.edge_leave = 1.1),
        ("edge_enter", |s| s.edge.edge_enter = f64::NAN),
        ("at_edge", |s| s.edge.at_edge = 0.0),
        ("unstable_leave", |s| s.phase.unstable_leave = 1.6),
        ("sharpening_leave", |s| s.phase.sharpening_leave = 0.5),
        ("spike_end_factor", |s| s.spikes.spike_end_factor = 2.0),
        ("spike_end_factor", |s| s.spikes.spike_end_factor = 0.9),
        ("spike_end_factor", |s| s.spikes.spike_factor = f64::NAN),
        ("minimum_curvature", |s| s.stationary.minimum_curvature = 0.5),
        ("catapult_share", |s| s.catapult.catapult_share = 1.5),
        ("catapult_rows", |s| s.catapult.catapult_rows = 0),
        ("trend_rows", |s| s.trend.trend_rows = 2),
        ("trend_errors", |s| s.trend.trend_errors = -1.0),
        ("forecast_errors", |s| s.forecast.forecast_errors = f64::INFINITY),
        ("warning_horizon", |s| s.warning.warning_horizon = 2),
        ("visible_horizons", |s| s.warning.visible_horizons = 0),
        ("coherent_scatter", |s| s.warning.coherent_scatter = 0.0),
        ("build_up_rows", |s| s.warning.build_up_rows = 0),
        ("spike_longest", |s| s.spikes.spike_longest = s.spikes.spike_hold),
        ("spike_window", |s| s.spikes.spike_window_least = 13),
        ("spike_window_least", |s| s.spikes.spike_window_least = 1),
        ("ratio_error", |s| s.prediction.ratio_error = -0.1),
        ("self_stabilisation", |s| s.prediction.self_stabilisation = f64::NAN),
        ("followed_share", |s| s.unfollowed.followed_share = 0.8),
        ("plateau_end_factor", |s| s.plateau.plateau_end_factor = 0.5),
        ("resolution", |s| s.precision.resolution = 0.0),
        ("imminent_weights", |s| s.warning.imminent_weights.batch = f64::INFINITY),
        ("divergence_factor", |s| s.divergence.divergence_factor = 0.5),
    ];
    for (key, change) in cases {
        let mut settings = StabilitySettings::default();
        change(&mut settings);
        let message = settings.validate().unwrap_err().to_string();
        assert!(message.starts_with(&format!("{key} = ")), "{key}: {message}");
    }
}
