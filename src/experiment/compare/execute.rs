//! Doing the runs of a comparison, several at a time if asked to, none of them twice.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use super::end::{ComparisonEnd, MemberStatus};
use super::{Comparison, Member, tables};
use crate::config::{Place, RunConfig, Settings};
use crate::error::{Error, Result};
use crate::experiment::{Started, go_on, prepare};
use crate::profile::Observer;
use crate::record::{ExitStatus, StepRow};
use crate::rundir::StoredRun;

/// Whoever wants to know how a comparison goes. Called from several threads.
pub trait ComparisonObserver: Sync {
    /// A step of a member was taken.
    fn row(&self, member: &Member, row: &StepRow);

    /// Something that the user should know of a member, in a line.
    fn note(&self, _member: &Member, text: &str) {
        tracing::warn!("{text}");
    }

    /// A member has ended, or was found on disk.
    fn ended(&self, member: &Member, status: &MemberStatus);
}

impl Comparison {
    /// Does the runs that are not on disk yet and writes tables and figures of all that are. A
    /// member that fails or diverges does not stop the others.
    ///
    /// # Errors
    /// If the comparison's own files cannot be written.
    pub fn run(
        &self,
        observer: &dyn ComparisonObserver,
        interrupted: &AtomicBool,
    ) -> Result<ComparisonEnd> {
        let directory = tables::start(self)?;
        let statuses: Vec<Mutex<Option<MemberStatus>>> =
            self.members.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while !interrupted.load(Ordering::SeqCst) {
                let index = next.fetch_add(1, Ordering::SeqCst);
                let Some(member) = self.members.get(index) else { break };
                let status = self.found(member).unwrap_or_else(|| {
                    let run = || member.run(self.force, observer, interrupted);
                    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                        let reason = "internal error; set RUST_BACKTRACE=1".to_string();
                        MemberStatus::Failed { reason }
                    })
                });
                observer.ended(member, &status);
                if let Ok(mut slot) = statuses[index].lock() {
                    *slot = Some(status);
                }
            }
        };
        match self.jobs {
            1 => work(),
            jobs => at_a_time(jobs.min(self.members.len()).max(1), &work)?,
        }
        let status = |slot: Mutex<Option<MemberStatus>>| {
            slot.into_inner().ok().flatten().unwrap_or(MemberStatus::Unfinished)
        };
        let end = ComparisonEnd {
            statuses: statuses.into_iter().map(status).collect(),
            interrupted: interrupted.load(Ordering::SeqCst),
        };
        tables::finish(self, &directory, &end)?;
        Ok(end)
    }

    /// A member that is done already.
    pub(super) fn found(&self, member: &Member) -> Option<MemberStatus> {
        if self.force {
            return None;
        }
        let stored = StoredRun::open(&member.directory).ok()?;
        let ended = [ExitStatus::Completed, ExitStatus::Diverged].map(ExitStatus::code);
        if !stored.head()?.exit_code.is_some_and(|code| ended.contains(&code)) {
            return None;
        }
        let summary = Box::new(stored.summary()?);
        // A table that was cut or edited since would end the comparison when its tables are made.
        if stored.rows().ok()?.len() != summary.steps {
            return None;
        }
        Some(MemberStatus::Done { summary, resumed: true })
    }
}

/// Does the work `jobs` times at once, each on its share of the machine's cores.
pub(super) fn at_a_time(jobs: usize, work: &(impl Fn() + Sync)) -> Result<()> {
    let pools = pools(jobs)?;
    thread::scope(|scope| {
        for pool in &pools {
            scope.spawn(|| pool.install(work));
        }
    });
    Ok(())
}

/// Threads for `jobs` runs at a time, which share the machine's cores.
fn pools(jobs: usize) -> Result<Vec<rayon::ThreadPool>> {
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let pool = || {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Error::Threads { reason: e.to_string() })
    };
    (0..jobs).map(|_| pool()).collect()
}

impl Member {
    pub(super) fn run(
        &self,
        force: bool,
        observer: &dyn ComparisonObserver,
        interrupted: &AtomicBool,
    ) -> MemberStatus {
        match self.try_run(force, observer, interrupted) {
            Ok(status) => status,
            Err(error) => MemberStatus::Failed { reason: error.in_flags() },
        }
    }

    fn try_run(
        &self,
        force: bool,
        observer: &dyn ComparisonObserver,
        interrupted: &AtomicBool,
    ) -> Result<MemberStatus> {
        let started = match self.half_done().filter(|_| !force) {
            Some(stored) => match go_on(&stored, Settings::default()) {
                // Another process has it.
                Err(error @ Error::Output { .. }) => return Err(error),
                Err(error) => {
                    let folder = self.directory.display();
                    let why = format!("{folder} cannot be gone on with and is begun anew: {error}");
                    observer.note(self, &why);
                    self.start()?
                }
                Ok(started) => {
                    let folder = self.directory.display();
                    started
                        .notices()
                        .iter()
                        .for_each(|notice| observer.note(self, &format!("{folder}: {notice}")));
                    started
                }
            },
            None => self.start()?,
        };
        let rows = Rows { member: self, observer };
        let finished = started.train(vec![Box::new(rows)], interrupted)?;
        Ok(match (finished.summary.status, finished.error) {
            (ExitStatus::Completed | ExitStatus::Diverged | ExitStatus::StoppedOnWarning, _) => {
                MemberStatus::Done { summary: Box::new(finished.summary), resumed: false }
            }
            (ExitStatus::Interrupted, _) => MemberStatus::Unfinished,
            (ExitStatus::Failed, error) => MemberStatus::Failed {
                reason: error.map_or_else(|| "unknown".to_string(), Error::in_flags),
            },
        })
    }

    /// The member from its beginning. What is there now failed, was killed before its first checkpoint, is
    /// damaged, or is to be replaced.
    fn start(&self) -> Result<Started> {
        let place = Place { force: true, ..self.config.place.clone() };
        prepare(RunConfig { place, ..self.config.clone() })?.start()
    }

    /// The member's run, where it was stopped or killed on the way and has a checkpoint to go on from.
    fn half_done(&self) -> Option<StoredRun> {
        let stored = StoredRun::open(&self.directory).ok()?;
        let stopped = [None, Some(ExitStatus::Interrupted.code())];
        let there = stopped.contains(&stored.head()?.exit_code);
        let step = stored.resumable().ok().flatten()?;
        (there && step > 0).then_some(stored)
    }
}

/// Passes a member's rows on.
struct Rows<'a> {
    member: &'a Member,
    observer: &'a dyn ComparisonObserver,
}

impl Observer for Rows<'_> {
    fn row(&mut self, row: &StepRow) -> Result<()> {
        self.observer.row(self.member, row);
        Ok(())
    }
}
