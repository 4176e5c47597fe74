//! What the recorded numbers say about stability. Functions of rows alone; nothing is measured here.
//!
//! A [`Monitor`] is fed rows one by one while training goes on, names each row's [`Phase`] and says
//! what happens; [`Monitor::replay`] feeds it a stored run and comes to the same. All its constants are
//! [`StabilitySettings`]. Everything is in ratios: a loss a thousand times as large, with a learning
//! rate a thousand times as small, has the same phases and events.
//!
//! [`evaluation`] scores warnings against the spikes that a loss curve shows.

mod divergence;
mod edge;
pub mod evaluation;
mod monitor;
mod phase;
mod precision;
mod settings;
mod spikes;
mod standstill;
mod trend;
mod warning;

pub use crate::record::Phase;
pub use divergence::{DIVERGENCE_FACTOR, divergence};
pub use edge::{AT_EDGE, at_edge};
pub use monitor::{Monitor, Observation, Replay};
pub use settings::{StabilitySettings, WarningWeights};
pub use spikes::{Spike, SpikeDetector, spikes};
pub use warning::{Alarm, FEATURES, Signal, WarningModel, growth};
