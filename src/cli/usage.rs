//! clap's errors on one line.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::error::ErrorKind;

use super::{FAILED, WRONG_USAGE, single_line};
use crate::error::reason;

/// Prints help or version as they are, and an error as one line with its remedy.
pub(super) fn report(error: &clap::Error) -> ExitCode {
    let shown = [
        ErrorKind::DisplayHelp,
        ErrorKind::DisplayVersion,
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand,
    ];
    if shown.contains(&error.kind()) {
        if let Err(lost) = error.print()
            && lost.kind() != io::ErrorKind::BrokenPipe
        {
            let line = format!("error: standard output cannot be written: {}", reason(&lost));
            let _ = writeln!(io::stderr(), "{line}");
            return ExitCode::from(FAILED);
        }
        let asked = error.kind() != ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand;
        return if asked { ExitCode::SUCCESS } else { ExitCode::from(WRONG_USAGE) };
    }
    // Where it cannot be said, the exit code still says it.
    let _ = writeln!(io::stderr(), "{}", single_line(&one_line(&error.to_string())));
    ExitCode::from(WRONG_USAGE)
}

fn one_line(text: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    let mut in_usage = false;
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // The usage may go over several lines, up to the hint at --help.
        in_usage = (in_usage || line.starts_with("Usage:")) && !line.starts_with("For more");
        if !in_usage && !line.starts_with("For more") {
            parts.push(line);
        }
    }
    format!("{}; see --help", parts.join("; ").replace(":; ", ": "))
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn usage_is_cut_and_the_tip_is_kept() {
        let text = "error: unexpected argument '--lrr' found\n\n  tip: a similar argument exists: \
                    '--lr'\n\nUsage: sharpscope run --lr <RATE>\n\nFor more information, try \
                    '--help'.\n";
        assert_eq!(
            one_line(text),
            "error: unexpected argument '--lrr' found; tip: a similar argument exists: '--lr'; \
             see --help"
        );
    }
}
