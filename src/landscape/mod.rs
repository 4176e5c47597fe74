//! The loss between and around points of parameter space: straight lines, curves, averages, slices.
//!
//! Everything works over a [`Surface`], which is one or more [`Objective`](crate::autodiff::Objective)s of the same
//! parameters, and over flat vectors of length P in double precision. Nothing here reads or writes files.

pub mod align;
mod average;
mod barrier;
mod components;
pub mod curve;
mod ensemble;
mod follow;
mod path;
mod slice;
mod surface;

pub use average::{RunningMean, Soup, exponential, greedy_soup, mean, midpoint};
pub use barrier::{Barrier, Barriers, barriers, is_monotone};
pub use components::{Components, RANDOM_WALK_SHARES, principal_components};
pub use ensemble::{cross_entropy, probabilities, share_right, squared_error};
pub use follow::{FollowSettings, Sharpness, SharpnessFollower};
pub use path::{PathPoint, along, combined, distance, evenly, line};
pub(crate) use slice::moved;
pub use slice::{
    Plane, coordinates, cosine, filter_normalised, rise_unit, second_difference, slice_1d,
    slice_2d, spread,
};
pub use surface::{Surface, Values};
