//! Signals that ask for an end.

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

#[cfg(unix)]
fn watch(flag: &Arc<AtomicBool>) -> std::io::Result<()> {
    use signal_hook::consts::signal::{SIGHUP, SIGINT, SIGTERM};
    use signal_hook::flag::{register, register_conditional_shutdown};

    use crate::record::ExitStatus;

    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = ignored(&status);
    for signal in [SIGINT, SIGTERM, SIGHUP] {
        if (ignored >> (signal - 1)) & 1 == 0 {
            // Looks at the flag before the other sets it.
            let code = i32::from(ExitStatus::Interrupted.code());
            register_conditional_shutdown(signal, code, Arc::clone(flag))?;
            register(signal, Arc::clone(flag))?;
        }
    }
    Ok(())
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
