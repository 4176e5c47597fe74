//! The command line: flags to a configuration, a configuration to a call, errors to messages and
//! exit codes.

mod args;
mod branch;
mod compare;
mod counted;
mod demo;
mod devices;
mod doctor;
mod errors;
mod events;
mod export;
mod flags;
mod flow;
mod in_shell;
mod landscape;
mod list;
mod logging;
mod progress;
mod report;
mod run;
mod shell;
mod signals;
mod spectrum;
mod usage;
mod watch;

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

use self::args::{Cli, Command};
use crate::error::{Error, reason};

const FAILED: u8 = 1;
const WRONG_USAGE: u8 = 2;

/// Runs the program with this process's arguments.
pub fn main() -> ExitCode {
    let (cli, command) = match parse() {
        Ok(parsed) => parsed,
        Err(error) => return usage::report(&error),
    };
    let terminal = logging::Terminal::new(cli.verbosity());
    let code = guard_against_panics(|| match cli.command {
        Command::Run(args) => run::run(*args, &terminal),
        Command::Compare(args) => compare::compare(*args, &terminal),
        Command::Spectrum(args) => spectrum::spectrum(*args, &terminal),
        Command::Flow(args) => flow::flow(&args, &terminal),
        Command::Landscape(args) => landscape::landscape(*args, &terminal),
        Command::Branch(args) => branch::branch(&args, &terminal),
        Command::Report(args) => report::report(&args, &terminal),
        Command::Watch(args) => watch::watch(&args, &terminal),
        Command::Events(args) => events::events(&args, &terminal),
        Command::Demo(args) => demo::demo(&args, &terminal),
        Command::Export(args) => export::export(&args, &terminal),
        Command::Doctor(args) => doctor::doctor(&args, &terminal),
        Command::Devices(args) => devices::devices(&args, &terminal),
        Command::List(args) => list::list(&args, &terminal),
        Command::Completions(args) => shell::completions(&args, &terminal),
        Command::Man(args) => shell::man(&args, &terminal),
    });
    match code {
        Ok(code) => match terminal.written() {
            Ok(()) => ExitCode::from(code),
            Err(error) => {
                let reason = reason(&error);
                terminal.error(&format!("standard output cannot be written: {reason}"));
                // A divergence, say, is what it was.
                ExitCode::from(if code == 0 { FAILED } else { code })
            }
        },
        Err(error) if error.is::<clap::Error>() => {
            error.downcast_ref().map_or(ExitCode::FAILURE, usage::report)
        }
        Err(error) => {
            let is_input = error.downcast_ref::<Error>().is_some_and(Error::is_input);
            // Differences are told in lines of their own.
            let in_lines = matches!(error.downcast_ref::<Error>(), Some(Error::Tensors { .. }));
            let message = errors::message(error, &command);
            terminal.error(&match in_lines {
                true => message.lines().map(single_line).collect::<Vec<_>>().join("\n"),
                false => single_line(&message),
            });
            ExitCode::from(if is_input { WRONG_USAGE } else { FAILED })
        }
    }
}

/// This process's arguments, and the subcommand that they call.
fn parse() -> Result<(Cli, clap::Command), clap::Error> {
    let mut program = Cli::command();
    let matches = program.try_get_matches_from_mut(std::env::args_os())?;
    let cli = Cli::from_arg_matches(&matches).map_err(|error| error.format(&mut program))?;
    let (mut command, mut matches) = (&program, &matches);
    while let Some((name, inner)) = matches.subcommand() {
        let Some(called) = command.find_subcommand(name) else { break };
        (command, matches) = (called, inner);
    }
    let command = command.clone();
    Ok((cli, command))
}

/// The text on one line, with nothing in it that would move a terminal's cursor.
fn single_line(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars() {
        match c {
            '\n' => line.push(' '),
            c if c.is_control() => line.extend(c.escape_default()),
            c => line.push(c),
        }
    }
    line
}

/// A panic is a bug here or in a library; the user gets one line and not a stack of frames.
fn guard_against_panics(
    body: impl FnOnce() -> anyhow::Result<u8> + std::panic::UnwindSafe,
) -> anyhow::Result<u8> {
    use std::panic;

    if std::env::var_os("RUST_BACKTRACE").is_none() {
        panic::set_hook(Box::new(|_| {}));
    }
    panic::catch_unwind(body).unwrap_or_else(|payload| {
        let reason = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied())
            .unwrap_or("no reason given");
        Err(anyhow::anyhow!(
            "internal error: {reason}; results up to this step are on disk; set RUST_BACKTRACE=1 \
             and report what it prints"
        ))
    })
}
