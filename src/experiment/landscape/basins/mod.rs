//! Basins: which minimum each start of a grid reaches, and which of several runs share one.

mod map;
mod shared;

pub use map::{Ending, Map, Mapped, Minimum, Start, write as write_map};
pub use shared::{Pair, Shared, Sharing, write as write_shared};
