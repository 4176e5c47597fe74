//! Doing some of a comparison's cells while other processes do others, or try the same.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use super::super::end::exit_code;
use super::super::execute::at_a_time;
use super::super::{Comparison, ComparisonObserver, MemberStatus};
use super::Part;
use super::identity::{Sweep, other_version};
use super::lease::{Lease, Leases, Standing, State, Watch};
use super::log::CellLog;
use crate::error::Result;
use crate::rundir::RunDirectory;

/// How a part of a comparison ended.
#[derive(Debug)]
pub struct PartEnd {
    /// Its cells with their ends, in the order of their numbers.
    pub statuses: Vec<(usize, MemberStatus)>,
    /// Whether the user, or a scheduler, stopped it.
    pub interrupted: bool,
}

impl PartEnd {
    /// The process exit code that reports it, as that of a whole comparison.
    pub fn exit_code(&self) -> u8 {
        exit_code(self.interrupted, self.statuses.iter().map(|(_, status)| status))
    }
}

/// How often a flag is looked at.
const GLANCE: Duration = Duration::from_millis(50);

/// A cell that is not done yet.
struct Waiting {
    cell: usize,
    watch: Watch,
    /// When its lock is looked at again.
    next: Option<Instant>,
    told: bool,
}

impl Comparison {
    /// Joins those that are at the comparison's cells, for a part of them. A holder of a cell that has been silent
    /// for so long as `patience` is taken to be gone.
    ///
    /// # Errors
    /// [`crate::Error::Setting`] for a cell that there is not; [`crate::Error::Output`] where the folder or a cell in
    /// it holds something else, or cells of other settings or of another version of the program;
    /// [`crate::Error::Io`].
    pub fn join(&self, part: Part, patience: Duration) -> Result<PartOf<'_>> {
        let cells = part.cells(self.members.len())?;
        Sweep::join(self)?;
        self.check_cells(&cells)?;
        let leases = Leases::of(&self.directory, patience);
        Ok(PartOf { comparison: self, cells, leases })
    }

    /// Refuses cells on disk that are of other settings, of other data, or of another version of the program.
    pub(super) fn check_cells(&self, cells: &[usize]) -> Result<()> {
        for cell in cells {
            let member = &self.members[cell - 1];
            let Some(head) = RunDirectory::at(&member.directory).manifest_head()? else { continue };
            self.check_member(member, &head)?;
            if head.version.as_deref().is_some_and(|other| other != env!("CARGO_PKG_VERSION")) {
                let version = head.version.unwrap_or_default();
                return Err(other_version(&member.directory, "it holds a run", &version));
            }
        }
        Ok(())
    }
}

/// Cells of a comparison that a process is to do.
pub struct PartOf<'a> {
    comparison: &'a Comparison,
    /// Their numbers, from 1.
    pub cells: Vec<usize>,
    leases: Leases,
}

impl PartOf<'_> {
    /// Does the cells that are not done yet, and waits for those that another process is at, so that all of them are
    /// done at the end.
    ///
    /// # Errors
    /// [`crate::Error::Threads`].
    pub fn run(
        self,
        observer: &dyn ComparisonObserver,
        interrupted: &AtomicBool,
    ) -> Result<PartEnd> {
        let Self { comparison, cells, leases } = self;
        let shift = Shift { comparison, leases, observer, interrupted };
        let (waiting, ended) = (queue(&cells), Mutex::new(Vec::new()));
        let jobs = comparison.jobs.min(cells.len()).max(1);
        at_a_time(jobs, &|| shift.work(&waiting, &ended))?;
        let left = waiting.into_inner().unwrap_or_default();
        let mut statuses = ended.into_inner().unwrap_or_default();
        statuses.extend(left.into_iter().map(|left| (left.cell, MemberStatus::Unfinished)));
        statuses.sort_by_key(|(cell, _)| *cell);
        Ok(PartEnd { statuses, interrupted: interrupted.load(Ordering::SeqCst) })
    }
}

fn queue(cells: &[usize]) -> Mutex<VecDeque<Waiting>> {
    let waiting = |&cell| Waiting { cell, watch: Watch::default(), next: None, told: false };
    Mutex::new(cells.iter().map(waiting).collect())
}

/// What all work of this process on cells has in common.
struct Shift<'a> {
    comparison: &'a Comparison,
    leases: Leases,
    observer: &'a dyn ComparisonObserver,
    interrupted: &'a AtomicBool,
}

impl Shift<'_> {
    fn stopped(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    /// Does cells until none is left. Those that others hold come again.
    fn work(&self, waiting: &Mutex<VecDeque<Waiting>>, ended: &Mutex<Vec<(usize, MemberStatus)>>) {
        while !self.stopped() {
            let Some(mut next) = waiting.lock().ok().and_then(|mut queue| queue.pop_front()) else {
                break;
            };
            while next.next.is_some_and(|at| Instant::now() < at) && !self.stopped() {
                thread::sleep(GLANCE);
            }
            let status = match self.stopped() {
                true => None,
                false => self.attempt(&mut next).unwrap_or_else(|error| {
                    let status = MemberStatus::Failed { reason: error.in_flags() };
                    self.observer.ended(&self.comparison.members[next.cell - 1], &status);
                    Some(status)
                }),
            };
            match (status, ended.lock(), waiting.lock()) {
                (Some(status), Ok(mut ended), _) => ended.push((next.cell, status)),
                (_, _, Ok(mut queue)) => {
                    next.next = Some(Instant::now() + self.leases.pause());
                    queue.push_back(next);
                }
                _ => {}
            }
        }
    }

    /// Does a cell, or finds it done; `None` where another process is at it.
    fn attempt(&self, waiting: &mut Waiting) -> Result<Option<MemberStatus>> {
        let (cell, member) = (waiting.cell, &self.comparison.members[waiting.cell - 1]);
        if let Some(done) = self.comparison.found(member) {
            self.observer.ended(member, &done);
            return Ok(Some(done));
        }
        let last = match waiting.watch.look(&self.leases, cell)? {
            Standing::Free(last) => last,
            Standing::Held(holder) => {
                if !std::mem::replace(&mut waiting.told, true) {
                    let who = holder.map_or("another process".to_string(), |who| who.described());
                    let text = format!("cell {cell} is being run by {who}; waits for it");
                    self.observer.note(member, &text);
                }
                return Ok(None);
            }
        };
        let Some(lease) = self.leases.take(cell, last)? else { return Ok(None) };
        // Whoever had it before may have done it since the first look.
        if let Some(done) = self.comparison.found(member) {
            lease.release(state(&done), None);
            self.observer.ended(member, &done);
            return Ok(Some(done));
        }
        Ok(self.run(cell, lease, last > 0))
    }

    /// Runs a cell that is this process's; `None` where it was lost to another one.
    fn run(&self, cell: usize, lease: Lease, again: bool) -> Option<MemberStatus> {
        let member = &self.comparison.members[cell - 1];
        let log = CellLog::open(&self.comparison.directory, cell, self.observer);
        let version = env!("CARGO_PKG_VERSION");
        let what = if again { "taken up again" } else { "begun" };
        log.line(&format!("{what}, sharpscope {version}, {}", member.directory.display()));
        let stop = AtomicBool::new(false);
        let (working, wait) = channel::<()>();
        let (status, kept) = thread::scope(|scope| {
            let keeper = scope.spawn(|| self.keep(lease, wait, &stop));
            let run = || member.run(false, &log, &stop);
            let status = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| {
                let reason = "internal error; set RUST_BACKTRACE=1".to_string();
                MemberStatus::Failed { reason }
            });
            drop(working);
            (status, keeper.join().ok().flatten())
        });
        let Some(lease) = kept else {
            log.line("another process has taken it over");
            return None;
        };
        let reason = match &status {
            MemberStatus::Failed { reason } => Some(reason.clone()),
            _ => None,
        };
        lease.release(state(&status), reason);
        log.ended(member, &status);
        Some(status)
    }

    /// Says from time to time that the cell is held, until work on it ends; stops it where that is asked for, or
    /// where another process has taken it, and then nothing is given back.
    fn keep(&self, mut lease: Lease, work: Receiver<()>, stop: &AtomicBool) -> Option<Lease> {
        let (mut beaten, mut held) = (Instant::now(), true);
        while work.recv_timeout(GLANCE) == Err(RecvTimeoutError::Timeout) {
            if held && beaten.elapsed() >= self.leases.beat_every() {
                (beaten, held) = (Instant::now(), lease.beat());
            }
            if !held || self.stopped() {
                stop.store(true, Ordering::SeqCst);
            }
        }
        held.then_some(lease)
    }
}

fn state(status: &MemberStatus) -> State {
    match status.name() {
        "completed" => State::Completed,
        "diverged" => State::Diverged,
        "failed" => State::Failed,
        _ => State::Stopped,
    }
}
