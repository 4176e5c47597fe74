//! How good warnings are: scored against the spikes of the loss curve, beside simpler warnings.
//!
//! Whatever warns gives a score to each row, and [`super::Alarm`] makes warnings of it in the same
//! way for all. The weights of our own scores are fitted by [`fit`] on one half of the runs.

mod logistic;
mod score;
mod series;

pub use logistic::{FitSettings, fit};
pub use score::{Counts, Leads, Report, TradeOff, best_bar, best_pair, score, trade_off};
pub use series::{LabelledRow, Method, ScoredRow, ScoredRun, labelled, losses};
