//! What `landscape` does: runs of one problem, each at a checkpoint, set against each other.

pub mod align;
pub mod average;
pub mod basins;
mod compared;
pub mod connect;
pub mod instability;
pub mod interpolate;
mod output;
mod path;
pub mod slice;
mod table;

pub use compared::{Compared, Member};
pub use output::Output;
pub use table::{path_cells, path_columns};
