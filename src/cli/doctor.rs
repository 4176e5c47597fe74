//! `sharpscope doctor`.

use super::args::DoctorArgs;
use super::logging::Terminal;
use crate::experiment::doctor::{Finding, Verdict, examine};
use crate::rundir::StoredRun;

/// Prints the checklist for a run; returns the exit code, 0 whatever it finds.
pub(super) fn doctor(args: &DoctorArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let findings = examine(&StoredRun::open(&args.run)?)?;
    if args.json {
        terminal.json(&findings)?;
        return Ok(0);
    }
    findings.iter().for_each(|finding| terminal.result(&finding_line(finding)));
    let count = |verdict| findings.iter().filter(|finding| finding.verdict == verdict).count();
    terminal.result(&format!(
        "{} pass, {} warn, {} not known",
        count(Verdict::Pass),
        count(Verdict::Warn),
        count(Verdict::NotKnown)
    ));
    Ok(0)
}

/// A finding as it is printed.
pub(super) fn finding_line(finding: &Finding) -> String {
    let Finding { check, verdict, text, .. } = finding;
    format!("{:<9}  {:<16}  {text}", verdict.name(), check.replace('_', " "))
}
