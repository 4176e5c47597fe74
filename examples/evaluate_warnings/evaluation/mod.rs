//! How good warnings are: scored against the spikes of the loss curve, beside simpler warnings.
//!
//! Whatever warns gives a score to each row, and [`sharpscope::stability::Alarm`] makes warnings of it
//! in the same way for all. The weights of our own scores are fitted by [`logistic::fit`] on one half
//! of the runs.

pub mod logistic;
pub mod score;
pub mod series;
