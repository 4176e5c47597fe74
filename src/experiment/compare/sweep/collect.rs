//! Tables and pictures of what is there of a comparison, while others may still be at its cells.

use std::time::Duration;

use super::super::end::{ComparisonEnd, MemberStatus};
use super::super::{Comparison, Member, tables};
use super::identity::Sweep;
use super::lease::{Leases, State};
use crate::error::{Error, Result};
use crate::record::ExitStatus;
use crate::rundir::RunDirectory;

impl Comparison {
    /// Writes tables and pictures of the cells that are done, and tells how all of them stand. Once each is done,
    /// what is written is what one process would have written that did all of them, and the locks are removed.
    ///
    /// # Errors
    /// [`Error::Output`] for a folder that is not there or holds other cells; [`Error::Io`] if the comparison's own
    /// files cannot be written.
    pub fn collect(&self, patience: Duration) -> Result<ComparisonEnd> {
        let sweep = Sweep::find(self)?;
        self.check_folder()?;
        let all: Vec<usize> = (1..=self.members.len()).collect();
        self.check_cells(&all)?;
        let leases = Leases::of(&self.directory, patience);
        let members = self.members.iter().enumerate();
        let statuses: Vec<MemberStatus> = members
            .map(|(i, member)| self.standing(i + 1, member, &leases))
            .collect::<Result<_>>()?;
        let end = ComparisonEnd { statuses, interrupted: false };
        if end.statuses.iter().all(|status| matches!(status, MemberStatus::Missing)) {
            return Err(Error::Output {
                path: self.directory.clone(),
                problem: "none of the comparison's cells is there".to_string(),
                remedy: "run them first, with --cell or --shard".to_string(),
            });
        }
        let directory = tables::reopen(self, sweep.map(|sweep| sweep.started))?;
        tables::finish(self, &directory, &end)?;
        if end.statuses.iter().all(|status| matches!(status, MemberStatus::Done { .. })) {
            leases.remove();
        }
        Ok(end)
    }

    /// How a cell stands, by what is on disk.
    fn standing(&self, cell: usize, member: &Member, leases: &Leases) -> Result<MemberStatus> {
        if let Some(done) = self.found(member) {
            return Ok(done);
        }
        let last = leases.last(cell)?;
        if let Some(by) = last.as_ref().and_then(|last| leases.runner(cell, last).transpose()) {
            return Ok(MemberStatus::Running { by: by?.described() });
        }
        if let Some(record) = last.and_then(|last| last.record())
            && record.state == State::Failed
        {
            let reason = record.error.unwrap_or_else(|| "unknown".to_string());
            return Ok(MemberStatus::Failed { reason });
        }
        // One that cannot be read will be run again.
        let head = RunDirectory::at(&member.directory).manifest_head().ok().flatten();
        Ok(match head {
            Some(head) if head.exit_code == Some(ExitStatus::Failed.code()) => {
                let reason = head.error.unwrap_or_else(|| "unknown".to_string());
                MemberStatus::Failed { reason }
            }
            None if !member.directory.exists() => MemberStatus::Missing,
            _ => MemberStatus::Unfinished,
        })
    }
}
