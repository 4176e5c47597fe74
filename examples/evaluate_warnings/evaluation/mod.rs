//! How good warnings are: scored against the spikes of the loss curve, beside simpler warnings.
//!
//! Whatever warns gives a score to each row, and [`sharpscope::stability::Alarm`] makes warnings of it
//! in the same way for all. Runs are of three parts: weights are fitted to `tune`, each method's bar is chosen on
//! `choose`, and `test` is what they are scored on. What happened is told in hindsight ([`truth`]).

pub mod agreement;
pub mod ahead;
pub mod baselines;
pub mod calibration;
pub mod coverage;
pub mod kinds;
pub mod logistic;
pub mod methods;
pub mod ours;
pub mod runs;
pub mod score;
pub mod scorecard;
pub mod series;
pub mod tables;
pub mod truth;
