//! Signals that ask for an end.
//!
//! SIGTERM and SIGUSR1 are what schedulers send before they end a job: with `run` and a whole `compare` they are as Ctrl-C,
//! and with cells of a comparison they ask for an exit code by which the job is put in the queue again.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// A flag that the first such signal sets; the second ends the process. One that was ignored when the
/// program started, as by `nohup` or in the background of a script, is left alone.
pub(super) fn watch_for_interrupts() -> Arc<AtomicBool> {
    let flag = Arc::new(AtomicBool::new(false));
    if let Err(error) = watch(&flag) {
        tracing::warn!("Ctrl-C will not be caught: {error}");
    }
    flag
}

/// As [`watch_for_interrupts`], with a second flag that tells whether a scheduler asked. One may send its signal to the
/// process and to the script around it, which passes it on: such a one ends nothing at once, however often it comes.
pub(super) fn watch_for_schedulers() -> (Arc<AtomicBool>, Arc<AtomicBool>) {
    let (flag, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
    if let Err(error) = watch_both(&flag, &asked) {
        tracing::warn!("signals will not be caught: {error}");
    }
    (flag, asked)
}

#[cfg(unix)]
fn watch(flag: &Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};

    end_at(&[SIGINT, SIGTERM, SIGHUP, SIGUSR1], flag)
}

#[cfg(unix)]
fn watch_both(flag: &Arc<AtomicBool>, asked: &Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
    use signal_hook::flag::register;

    end_at(&[SIGINT, SIGHUP], flag)?;
    for signal in [SIGTERM, SIGUSR1] {
        if !is_ignored(signal) {
            register(signal, Arc::clone(asked))?;
            register(signal, Arc::clone(flag))?;
        }
    }
    Ok(())
}

/// Sets the flag at the first of these signals, and ends the process at the next.
#[cfg(unix)]
fn end_at(signals: &[i32], flag: &Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::flag::{register, register_conditional_shutdown};

    use crate::record::ExitStatus;

    for &signal in signals.iter().filter(|&&signal| !is_ignored(signal)) {
        // Looks at the flag before the other sets it.
        let code = i32::from(ExitStatus::Interrupted.code());
        register_conditional_shutdown(signal, code, Arc::clone(flag))?;
        register(signal, Arc::clone(flag))?;
    }
    Ok(())
}

#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    (ignored(&status) >> (signal - 1)) & 1 == 1
}

/// The signals that are ignored, signal N by bit N - 1, as Linux tells in `/proc/self/status`. Elsewhere
/// nothing tells without calls that Rust does not vouch for, and none is taken to be.
#[cfg(unix)]
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

#[cfg(not(unix))]
fn watch(flag: &Arc<AtomicBool>) -> Result<(), ctrlc::Error> {
    use std::sync::atomic::Ordering;

    use crate::record::ExitStatus;

    let set = Arc::clone(flag);
    ctrlc::set_handler(move || {
        if set.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(ExitStatus::Interrupted.code()));
        }
    })
}

#[cfg(not(unix))]
fn watch_both(flag: &Arc<AtomicBool>, _: &Arc<AtomicBool>) -> Result<(), ctrlc::Error> {
    watch(flag)
}

#[cfg(all(test, unix))]
mod tests {
    use super::ignored;

    #[test]
    fn ignored_signals_are_read_off() {
        let status = "Name:\tsharpscope\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\n";
        assert_eq!(ignored(status), 0x1001);
        assert_eq!((ignored(""), ignored("SigIgn:\tnothing")), (0, 0));
    }
}
