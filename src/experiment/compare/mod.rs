//! Comparisons: the same problem under several optimizer settings, each from the same seeds, so that
//! runs of one seed share data split and initial weights.
//!
//! [`Comparison::plan`] makes the list of runs, [`Comparison::run`] does those that are not done
//! yet, and what is on disk at the end becomes tables and figures.

mod execute;
mod plan;
mod tables;

pub use execute::{ComparisonEnd, ComparisonObserver, MemberStatus};
pub use plan::{Comparison, Member, Setting};
