//! Comparisons: the same problem under several optimizer settings, each from the same seeds, so that
//! runs of one seed share data split and initial weights.
//!
//! [`Comparison::plan`] makes the list of runs, [`Comparison::run`] does those that are not done
//! yet, and what is on disk at the end becomes tables and figures. [`sweep`] does the same by several processes.

mod end;
mod execute;
mod groups;
mod manifest;
mod pictures;
mod plan;
pub mod sweep;
mod tables;

pub use end::{ComparisonEnd, MemberStatus};
pub use execute::ComparisonObserver;
pub use manifest::{ComparisonManifest, ListedMember, ListedSetting};
pub use plan::{Comparison, Member, Setting};

/// Whether a folder is a comparison's.
#[cfg(feature = "report")]
pub(crate) fn is_comparison(folder: &std::path::Path) -> bool {
    folder.join(plan::MANIFEST).is_file()
}
