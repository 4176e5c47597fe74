//! The constants: checked, and read back as they were written.

use sharpscope::stability::{StabilitySettings, WarningWeights};

#[test]
fn the_defaults_are_valid_and_survive_json() {
    let settings = StabilitySettings::default();
    settings.validate().unwrap();
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<StabilitySettings>(&text).unwrap(), settings);
    assert_eq!(serde_json::from_str::<StabilitySettings>("{}").unwrap(), settings);
    let one: StabilitySettings = serde_json::from_str(r#"{"spike_factor": 1.5}"#).unwrap();
    assert_eq!(one, StabilitySettings { spike_factor: 1.5, ..settings });
    assert!(serde_json::from_str::<StabilitySettings>(r#"{"spike_facto": 1.5}"#).is_err());
}

#[test]
fn weights_are_listed_in_the_order_they_are_read_in() {
    let numbers = std::array::from_fn(|i| i as f64);
    assert_eq!(WarningWeights::from_array(numbers).to_array(), numbers);
}

#[test]
fn constants_that_cannot_be_used_are_refused_by_name() {
    type Change = fn(&mut StabilitySettings);
    let cases: [(&str, Change); 14] = [
        ("edge_leave", |s| s.edge_leave = 1.1),
        ("edge_enter", |s| s.edge_enter = f64::NAN),
        ("unstable_leave", |s| s.unstable_leave = 1.6),
        ("sharpening_leave", |s| s.sharpening_leave = 0.5),
        ("spike_end_factor", |s| s.spike_end_factor = 2.0),
        ("spike_end_factor", |s| s.spike_end_factor = 0.9),
        ("spike_end_factor", |s| s.spike_factor = f64::NAN),
        ("minimum_curvature", |s| s.minimum_curvature = 0.5),
        ("catapult_share", |s| s.catapult_share = 1.5),
        ("trend_rows", |s| s.trend_rows = 2),
        ("warning_horizon", |s| s.warning_horizon = 2),
        ("spike_longest", |s| s.spike_longest = s.spike_hold),
        ("resolution", |s| s.resolution = 0.0),
        ("imminent_weights", |s| s.imminent_weights.batch = f64::INFINITY),
    ];
    for (key, change) in cases {
        let mut settings = StabilitySettings::default();
        change(&mut settings);
        let message = settings.validate().unwrap_err().to_string();
        assert!(message.starts_with(&format!("{key} = ")), "{key}: {message}");
    }
}
