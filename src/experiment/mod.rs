//! What the commands do, without a terminal: a run from configuration to run directory, going on with
//! one, its spectra, comparisons of several, the checklist, the landscape between runs,
//! demonstrations.

pub(crate) mod branch;
#[cfg(feature = "figures")]
mod branch_picture;
#[cfg(feature = "figures")]
pub mod compare;
#[cfg(feature = "figures")]
mod csv_table;
#[cfg(feature = "figures")]
pub mod demo;
#[cfg(feature = "figures")]
pub mod doctor;
#[cfg_attr(not(feature = "export"), path = "no_events.rs")]
mod events;
#[cfg(feature = "figures")]
pub mod flow;
#[cfg(feature = "figures")]
pub mod landscape;
mod load;
mod prepare;
mod resume;
pub mod spectrum;
mod start;
mod stored;
mod swa;

pub use branch::Branching;
#[cfg(feature = "figures")]
pub use branch_picture::branch_picture;
pub use prepare::{Prepared, prepare};
pub(crate) use resume::go_on;
pub use resume::resume;
pub(crate) use start::timestamped;
pub use start::{Finished, Started};
