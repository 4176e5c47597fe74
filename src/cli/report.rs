//! `sharpscope report`.

use std::path::PathBuf;

use super::args::ReportArgs;
use super::logging::Terminal;
use super::signals::watch_for_interrupts;
use crate::error::{Error, Result};
use crate::report::{Page, Subject, page, subjects};
use crate::rundir::write_at_once;
use crate::serve::Server;

/// Most runs whose names are the title.
const NAMED: usize = 3;

/// Writes the page; returns the exit code.
pub(super) fn report(args: &ReportArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    if args.serve {
        return serve(args, terminal);
    }
    if !args.force && args.out.exists() {
        let problem = "it is there already";
        let remedy = "choose another --out, or replace it with --force";
        return Err(Error::file(&args.out, None, problem, remedy).into());
    }
    let page = made(args)?;
    write_at_once(&args.out, page.as_bytes())?;
    let size = page.len() as f64 / 1e6;
    terminal
        .result(&format!("written    {} ({size:.1} MB); open it in a browser", args.out.display()));
    Ok(0)
}

fn made(args: &ReportArgs) -> Result<String> {
    let subjects = subjects(&args.runs, args.serve)?;
    let title = args.title.clone().unwrap_or_else(|| title(&subjects, &args.runs));
    page(&Page {
        subjects: &subjects,
        named: &args.runs,
        title: &title,
        thorough: args.doctor,
        is_served: args.serve,
    })
}

/// Serves the page until it is told to end.
fn serve(args: &ReportArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    // What cannot be a page is said here, and not to a browser.
    made(args)?;
    let server = Server::bind(&args.host, args.port)?;
    let end = watch_for_interrupts();
    // The one thing that was asked for, quiet or not.
    terminal.output(&format!("serving    http://{}/ (Ctrl-C ends it)\n", server.address()));
    if server.is_open() {
        terminal.note("whoever reaches this machine's network can read the page");
    }
    let page = args.clone();
    server.serve(&args.runs, Box::new(move || made(&page)), &end)?;
    Ok(0)
}

fn title(subjects: &[Subject], named: &[PathBuf]) -> String {
    if subjects.is_empty() {
        return named.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ");
    }
    let labels: Vec<&str> = subjects.iter().take(NAMED).map(|s| s.label.as_str()).collect();
    match subjects.len() - labels.len() {
        0 => labels.join(", "),
        more => format!("{} and {more} more", labels.join(", ")),
    }
}
