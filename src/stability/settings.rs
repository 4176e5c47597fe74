//! Every constant by which rows are judged.

use std::fmt;

use serde::de::{Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{
    CatapultSettings, DivergenceSettings, EdgeSettings, ForecastSettings, PhaseSettings,
    PlateauSettings, PrecisionSettings, PredictionSettings, SpikeSettings, StationarySettings,
    TrendSettings, UnfollowedSettings, WarningSettings,
};
use crate::error::Result;

/// The groups of settings: each a line here and a struct in the file of what it is for.
macro_rules! groups {
    ($($(#[$meaning:meta])* $group:ident: $settings:ty,)+) => {
        /// How rows are judged. Ratios and counts only, so that they fit any scale of the loss; times
        /// are in steps where the name says so, else in rows that hold the quantity.
        ///
        /// In JSON the groups' keys stand side by side in one object, a key that is left out has its
        /// default, and an unknown one is an error.
        #[derive(Debug, Clone, PartialEq, Default, Serialize)]
        pub struct StabilitySettings {
            $($(#[$meaning])* #[serde(flatten)] pub $group: $settings,)+
        }

        impl StabilitySettings {
            /// Checks that every constant can be used.
            ///
            /// # Errors
            /// [`crate::error::Error::Setting`] naming the first that cannot.
            pub fn validate(&self) -> Result<()> {
                $(self.$group.validate()?;)+
                Ok(())
            }

            /// Each group takes the entries that it knows.
            fn from_entries(entries: &Value) -> serde_json::Result<Self> {
                Ok(Self { $($group: Deserialize::deserialize(entries)?,)+ })
            }
        }
    };
}

groups! {
    /// Where the edge of stability begins.
    edge: EdgeSettings,
    /// How a trend is told from scatter.
    trend: TrendSettings,
    /// How the edge is forecast.
    forecast: ForecastSettings,
    /// Which phase a row is in.
    phase: PhaseSettings,
    /// What counts as a spike of the loss.
    spikes: SpikeSettings,
    /// Which spike is a catapult.
    catapult: CatapultSettings,
    /// When a spike is warned of.
    warning: WarningSettings,
    /// How the loss of the coming steps is predicted.
    prediction: PredictionSettings,
    /// When too few eigenvalues are followed.
    unfollowed: UnfollowedSettings,
    /// When a loss stands still.
    plateau: PlateauSettings,
    /// What kind of point it stands still at.
    stationary: StationarySettings,
    /// Which numbers are not to be trusted.
    precision: PrecisionSettings,
    /// From where on training counts as diverged.
    divergence: DivergenceSettings,
}

impl StabilitySettings {
    /// The constants for parameters with this unit roundoff.
    pub fn at_resolution(resolution: f64) -> Self {
        let precision = PrecisionSettings { resolution, ..PrecisionSettings::default() };
        Self { precision, ..Self::default() }
    }

    /// The keys in JSON.
    pub fn keys() -> Vec<String> {
        match serde_json::to_value(Self::default()) {
            Ok(Value::Object(entries)) => entries.into_iter().map(|(key, _)| key).collect(),
            _ => Vec::new(),
        }
    }
}

// Not derived: what is derived for flattened groups tells neither the known keys beside an unknown one
// nor the key of a value that cannot be used, and has lost the line of both.
impl<'de> Deserialize<'de> for StabilitySettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(Entries)
    }
}

/// Reads the entries one by one.
struct Entries;

impl<'de> Visitor<'de> for Entries {
    type Value = StabilitySettings;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("constants by their keys")
    }

    fn visit_map<A: MapAccess<'de>>(
        self,
        mut given: A,
    ) -> std::result::Result<Self::Value, A::Error> {
        let known = StabilitySettings::keys();
        let mut entries = Map::new();
        while let Some(key) = given.next_key::<String>()? {
            if !known.contains(&key) {
                let known = known.join("`, `");
                let problem = format!("unknown field `{key}`, expected one of `{known}`");
                return Err(A::Error::custom(problem));
            }
            if entries.contains_key(&key) {
                return Err(A::Error::custom(format!("duplicate field `{key}`")));
            }
            let value: Value = given.next_value()?;
            let entry = Value::from_iter([(key.clone(), value.clone())]);
            StabilitySettings::from_entries(&entry)
                .map_err(|e| A::Error::custom(format!("{e} (key `{key}`)")))?;
            entries.insert(key, value);
        }
        StabilitySettings::from_entries(&Value::Object(entries)).map_err(A::Error::custom)
    }
}
