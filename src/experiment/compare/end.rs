//! How a comparison and its members ended.

use crate::record::{ExitStatus, Summary};

/// How a member stands.
#[derive(Debug, Clone, PartialEq)]
pub enum MemberStatus {
    /// It ended by itself, or training diverged; its directory is complete.
    Done {
        /// Its numbers.
        summary: Box<Summary>,
        /// Whether it was found on disk.
        resumed: bool,
    },
    /// It failed.
    Failed {
        /// Why.
        reason: String,
    },
    /// It was stopped by the user, or has not started.
    Unfinished,
    /// Another process is at it.
    Running {
        /// Which.
        by: String,
    },
    /// Nobody has begun it.
    Missing,
}

impl MemberStatus {
    /// As tables and terminal name it.
    pub fn name(&self) -> &'static str {
        match self {
            MemberStatus::Done { summary, .. } if summary.status == ExitStatus::Diverged => {
                "diverged"
            }
            MemberStatus::Done { .. } => "completed",
            MemberStatus::Failed { .. } => "failed",
            MemberStatus::Unfinished => "unfinished",
            MemberStatus::Running { .. } => "running",
            MemberStatus::Missing => "missing",
        }
    }

    /// Whether nothing more will be done for it.
    pub fn is_over(&self) -> bool {
        matches!(self, MemberStatus::Done { .. } | MemberStatus::Failed { .. })
    }
}

/// How a comparison ended.
#[derive(Debug)]
pub struct ComparisonEnd {
    /// Each member's end, in the order of [`super::Comparison::members`].
    pub statuses: Vec<MemberStatus>,
    /// Whether the user stopped it.
    pub interrupted: bool,
}

impl ComparisonEnd {
    /// Whether it has ended, or was stopped, and is not one whose other members are still to come.
    pub fn is_over(&self) -> bool {
        self.interrupted || self.statuses.iter().all(MemberStatus::is_over)
    }

    /// The process exit code that reports it: 0 where every member ended (divergence is a result
    /// here), 1 where one failed, 130 where the user stopped it.
    pub fn exit_code(&self) -> u8 {
        exit_code(self.interrupted, &self.statuses)
    }
}

/// The exit code of members that ended so, stopped by the user or not.
pub(super) fn exit_code<'a>(
    interrupted: bool,
    statuses: impl IntoIterator<Item = &'a MemberStatus>,
) -> u8 {
    let failed = |status: &MemberStatus| matches!(status, MemberStatus::Failed { .. });
    let status = match (interrupted, statuses.into_iter().any(failed)) {
        (true, _) => ExitStatus::Interrupted,
        (false, true) => ExitStatus::Failed,
        (false, false) => ExitStatus::Completed,
    };
    status.code()
}
