//! `sharpscope completions` and `sharpscope man`: what clap makes of the flags.

use std::path::{Path, PathBuf};

use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;

use super::args::Cli;
use super::flags::Read;
use super::logging::Terminal;
use crate::error::Error;
use crate::names::choices;
use crate::rundir::write_at_once;

choices! {
    /// A shell that completes.
    pub(super) enum CompletingShell ("shell") {
        /// GNU's.
        Bash = "bash",
        /// macOS's.
        Zsh = "zsh",
        /// fish.
        Fish = "fish",
        /// Windows's.
        PowerShell = "powershell",
        /// Elvish.
        Elvish = "elvish",
    }
}

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(
    after_help = "For bash: sharpscope completions bash > ~/.local/share/bash-completion/completions/sharpscope"
)]
pub(super) struct CompletionsArgs {
    /// The shell: bash, zsh, fish, powershell or elvish
    #[arg(value_name = "SHELL", value_parser = Read::<CompletingShell>::new(), hide_possible_values = true)]
    pub shell: CompletingShell,
}

/// Arguments of `man`.
#[derive(Debug, Args)]
pub(super) struct ManArgs {
    /// Write the pages of all commands into this folder, instead of printing the first
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace pages that are there already
    #[arg(long)]
    pub force: bool,
}

/// Prints the script; returns the exit code.
pub(super) fn completions(args: &CompletionsArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let shell = match args.shell {
        CompletingShell::Bash => Shell::Bash,
        CompletingShell::Zsh => Shell::Zsh,
        CompletingShell::Fish => Shell::Fish,
        CompletingShell::PowerShell => Shell::PowerShell,
        CompletingShell::Elvish => Shell::Elvish,
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sharpscope", &mut script);
    terminal.output(&String::from_utf8(script)?);
    Ok(0)
}

/// Prints the program's page, or writes a page for each command; returns the exit code.
pub(super) fn man(args: &ManArgs, terminal: &Terminal) -> anyhow::Result<u8> {
    let mut program = Cli::command();
    program.build();
    let Some(folder) = &args.out else {
        terminal.output(&String::from_utf8(page(&program)?)?);
        return Ok(0);
    };
    let mut pages = Vec::new();
    collect(&program, &mut pages)?;
    check(folder, &pages, args.force)?;
    std::fs::create_dir_all(folder).map_err(|source| Error::Io {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    for (name, page) in &pages {
        write_at_once(&folder.join(name), page)?;
    }
    terminal.result(&format!("written    {} pages in {}", pages.len(), folder.display()));
    Ok(0)
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command.clone()).render(&mut page)?;
    Ok(page)
}

/// The pages of a command and of those below it, by file name.
fn collect(command: &Command, pages: &mut Vec<(String, Vec<u8>)>) -> std::io::Result<()> {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    pages.push((format!("{name}.1"), page(command)?));
    let shown = command.get_subcommands().filter(|below| below.get_name() != "help");
    shown.into_iter().try_for_each(|below| collect(below, pages))
}

fn check(folder: &Path, pages: &[(String, Vec<u8>)], force: bool) -> crate::Result<()> {
    let there = pages.iter().map(|(name, _)| folder.join(name)).find(|path| path.exists());
    match there {
        Some(path) if !force => {
            let problem = "it is there already";
            Err(Error::file(
                path,
                None,
                problem,
                "choose another --out, or replace it with --force",
            ))
        }
        _ => Ok(()),
    }
}
