//! Who works on a cell: a process of a machine, and whether it is known to be gone.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// A process, told from those of other machines, of other containers, and of before the last start of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The machine's name.
    pub host: String,
    /// The process's number.
    pub process: u32,
    /// The run of the machine's system, another after each start; empty where the system does not tell.
    boot: String,
    /// The space that numbers of processes belong to, of which a machine may have several.
    space: String,
    /// When the process began, in the system's ticks: numbers are used again.
    began: Option<u64>,
}

impl Holder {
    /// This process.
    pub fn this() -> Self {
        let process = std::process::id();
        let link = fs::read_link("/proc/self/ns/pid").unwrap_or_default();
        Self {
            host: host(),
            process,
            boot: first_line("/proc/sys/kernel/random/boot_id").unwrap_or_default(),
            space: link.to_string_lossy().into_owned(),
            began: began(process),
        }
    }

    /// Whether it is seen from `here` that the process has ended. Of other machines nothing is seen.
    pub fn is_gone(&self, here: &Self) -> bool {
        let told = !self.boot.is_empty() && !self.space.is_empty() && self.began.is_some();
        let same_system = self.boot == here.boot && self.space == here.space;
        told && same_system && began(self.process) != self.began
    }

    /// As it is named in messages.
    pub fn described(&self) -> String {
        format!("process {} on {}", self.process, self.host)
    }
}

/// When a process began, where the system tells and it has not ended.
fn began(process: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name of the program, in parentheses, may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    // Of a process that nobody has asked how it ended, a line is left.
    if matches!(state, "Z" | "X") {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

fn host() -> String {
    let asked = || {
        let output = Command::new("uname").arg("-n").output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_string())
    };
    let named = first_line("/proc/sys/kernel/hostname").or_else(asked);
    named.filter(|name| !name.is_empty()).unwrap_or_else(|| "a machine without a name".to_string())
}

fn first_line(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.lines().next().map(str::to_string)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn an_ended_process_of_this_machine_is_gone_and_nothing_else_is() {
        let here = Holder::this();
        assert!(!here.is_gone(&here));
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = child.id();
        let other = Holder { process, began: began(process), ..here.clone() };
        assert!(!other.is_gone(&here), "it is there");
        child.kill().unwrap();
        // Not yet asked how it ended.
        std::thread::sleep(std::time::Duration::from_millis(50));
        assert!(other.is_gone(&here));
        child.wait().unwrap();
        assert!(other.is_gone(&here));
        // Its number belongs to another process now.
        let reused = Holder { process: here.process, ..other.clone() };
        assert!(reused.is_gone(&here));
        for elsewhere in [
            Holder { boot: "another".to_string(), ..other.clone() },
            Holder { space: "another".to_string(), ..other.clone() },
            Holder { boot: String::new(), ..other },
        ] {
            assert!(!elsewhere.is_gone(&here), "{elsewhere:?}");
        }
    }
}
