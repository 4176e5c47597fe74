//! The phase of training at a row.

use serde::{Deserialize, Serialize};

/// What training is doing, as far as rows up to the present one tell. The first that holds:
/// unstable, edge, flat, sharpening, stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Phase {
    /// Below the edge, and the sharpness rises.
    Sharpening,
    /// The sharpness is about what the optimizer can bear.
    Edge,
    /// A loss spike is under way, or the sharpness is far beyond the threshold.
    Unstable,
    /// Below the edge, and the sharpness does not rise.
    Stable,
    /// Below the edge, and the loss stands still.
    Flat,
}

impl Phase {
    /// All of them.
    pub const ALL: [Phase; 5] =
        [Phase::Sharpening, Phase::Edge, Phase::Unstable, Phase::Stable, Phase::Flat];

    /// Its name in the column `phase`.
    pub fn name(self) -> &'static str {
        match self {
            Phase::Sharpening => "sharpening",
            Phase::Edge => "edge",
            Phase::Unstable => "unstable",
            Phase::Stable => "stable",
            Phase::Flat => "flat",
        }
    }
}
