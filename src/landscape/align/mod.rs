//! Bringing one network's hidden units into the order, the signs and the scales of another's, which
//! changes no output: weight matching (Ainsworth, Hayase & Srinivasa 2023, arXiv:2209.04836), with
//! signs where the nonlinearity is odd and scales where it is positively homogeneous.

mod assignment;
mod balance;
mod matching;
mod symmetry;

pub use assignment::assignment;
pub use matching::{MatchSettings, Matching, Sweep, match_weights};
pub use symmetry::{Rearrangement, Symmetry, UnitMove};
