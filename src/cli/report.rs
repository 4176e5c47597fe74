//! `sharpscope report`.

use super::args::ReportArgs;
use super::logging::Terminal;
use crate::error::Error;
use crate::report::{Subject, page, subjects};
use crate::rundir::write_at_once;

/// Most runs whose names are the title.
const NAMED: usize = 3;

/// Writes the page; returns the exit code.
pub(super) fn report(args: &ReportArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    if !args.force && args.out.exists() {
        let problem = "it is there already";
        let remedy = "choose another --out, or replace it with --force";
        return Err(Error::file(&args.out, None, problem, remedy).into());
    }
    let subjects = subjects(&args.runs)?;
    let title = args.title.clone().unwrap_or_else(|| title(&subjects));
    let page = page(&subjects, &title, args.doctor)?;
    write_at_once(&args.out, page.as_bytes())?;
    let size = page.len() as f64 / 1e6;
    terminal
        .result(&format!("written    {} ({size:.1} MB); open it in a browser", args.out.display()));
    Ok(0)
}

fn title(subjects: &[Subject]) -> String {
    let labels: Vec<&str> = subjects.iter().take(NAMED).map(|s| s.label.as_str()).collect();
    match subjects.len() - labels.len() {
        0 => labels.join(", "),
        more => format!("{} and {more} more", labels.join(", ")),
    }
}
