//! A comparison whose cells, one a run, are done by several processes: of one machine, or of several that share a
//! folder. Each finds its cells by their numbers, and a `lease` on each keeps the others from it. What they
//! leave is what one process leaves that does all of them; `collect` makes the tables and pictures of it.

mod collect;
mod holder;
mod identity;
mod lease;
mod log;
mod part;
mod work;

use std::time::Duration;

pub use holder::Holder;
pub use part::Part;
pub use work::{PartEnd, PartOf};

pub use identity::has_sweep;

/// How long the holder of a cell may be silent before another process takes it to be gone: some minutes would be
/// more than the longest that shared file systems keep changes to themselves.
pub const PATIENCE: Duration = Duration::from_secs(120);
