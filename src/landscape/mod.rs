//! The loss between and around points of parameter space: straight lines, curves, averages, slices.
//!
//! Everything works over a [`Surface`], which is one or more [`Objective`](crate::autodiff::Objective)s of the same
//! parameters, and over flat vectors of length P in double precision. Nothing here reads or writes files.

pub mod align;
mod barrier;
pub mod curve;
mod follow;
mod path;
mod surface;

pub use barrier::{Barrier, Barriers, barriers, is_monotone};
pub use follow::{FollowSettings, Sharpness, SharpnessFollower};
pub use path::{PathPoint, along, combined, distance, evenly, line};
pub use surface::{Surface, Values};
