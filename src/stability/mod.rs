//! What the recorded numbers say about stability. Functions of rows alone; nothing is measured here.
//!
//! A [`Monitor`] is fed rows one by one while training goes on, names each row's [`Phase`] and says
//! what happens; [`Monitor::replay`] feeds it a stored run and comes to the same. It is a list of
//! [`Detector`]s, one a file, and the [`Context`] that they share. All their constants are
//! [`StabilitySettings`], a group for each of them. Everything is in ratios: a loss a thousand times as
//! large, with a learning rate a thousand times as small, has the same phases and events.

mod catapult;
mod checks;
mod context;
mod detector;
mod divergence;
mod edge;
mod forecast;
mod monitor;
mod phase;
mod plateau;
mod precision;
mod realized;
mod settings;
mod spikes;
mod stationary;
mod trend;
mod unfollowed;
mod warning;

pub use crate::record::Phase;
pub use catapult::CatapultSettings;
pub use context::Context;
pub use detector::Detector;
pub use divergence::{DIVERGENCE_FACTOR, DivergenceSettings, divergence};
pub use edge::{AT_EDGE, EdgeSettings, at_edge};
pub use forecast::ForecastSettings;
pub use monitor::{Monitor, Observation, Replay};
pub use phase::PhaseSettings;
pub use plateau::{Plateau, PlateauSettings};
pub use precision::PrecisionSettings;
pub use settings::StabilitySettings;
pub use spikes::{Spike, SpikeDetector, SpikeSettings, spikes};
pub use stationary::StationarySettings;
pub use trend::{TrendSettings, median, robust_deviation};
pub use unfollowed::UnfollowedSettings;
pub use warning::{
    Alarm, FEATURES, PredictedLoss, PredictionSettings, Signal, WarningSettings, WarningWeights,
    growth,
};
