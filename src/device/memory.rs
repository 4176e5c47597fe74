//! How much memory linearisations may take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A bound on what linearisations keep, shared by all objectives that were given it.
///
/// An objective on a device keeps the values that its products multiply with, for as many chunks as
/// the bound leaves room for; for others it computes them again. Results do not depend on which.
#[derive(Debug, Clone)]
pub struct Memory {
    bytes: usize,
    taken: Arc<AtomicUsize>,
}

/// Where a machine does not say how much memory it has.
const UNKNOWN: usize = 4 << 30;

impl Memory {
    /// At most so many bytes.
    pub fn of(bytes: usize) -> Self {
        Self { bytes, taken: Arc::default() }
    }

    /// What a GPU is taken to have room for, none of which says how much it has: a quarter of the
    /// machine's, and no more than 1 GiB.
    pub fn on_gpu() -> Self {
        const MOST: usize = 1 << 30;
        Self::of(Self::default().bytes.min(MOST))
    }

    /// Bytes that may be taken.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes that are taken.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Takes `bytes` until what is returned is dropped; `None` if there is no room for them.
    pub(crate) fn take(&self, bytes: usize) -> Option<Taken> {
        let add = |taken: usize| taken.checked_add(bytes).filter(|&taken| taken <= self.bytes);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Taken { bytes, of: self.clone() })
    }
}

impl Default for Memory {
    /// A quarter of the machine's.
    fn default() -> Self {
        Self::of(machine().unwrap_or(UNKNOWN) / 4)
    }
}

/// The machine's memory in bytes, where it says.
fn machine() -> Option<usize> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: usize = line.trim().trim_end_matches(" kB").parse().ok()?;
    kibibytes.checked_mul(1024)
}

/// A part of it, given back where this is dropped.
#[derive(Debug)]
pub(crate) struct Taken {
    bytes: usize,
    of: Memory,
}

impl Drop for Taken {
    fn drop(&mut self) {
        self.of.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn what_is_taken_is_within_the_bound_and_given_back() {
        let memory = Memory::of(100);
        let first = memory.take(60).expect("there is room");
        assert!(memory.take(41).is_none());
        let second = memory.take(40).expect("there is room");
        assert_eq!(memory.taken(), 100);
        assert!(memory.take(usize::MAX).is_none());
        drop(first);
        assert_eq!(memory.taken(), 40);
        drop(second);
        assert_eq!(memory.taken(), 0);
        assert!(Memory::default().bytes() > 0);
    }
}
