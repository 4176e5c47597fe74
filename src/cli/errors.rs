//! Errors in the words of the command line: the library names fields, and its user gives flags.

use clap::{Arg, Command};

use crate::error::Error;

/// What is printed of an error of `command`, which may be any subcommand.
pub(super) fn message(error: anyhow::Error, command: &Command) -> String {
    match error.downcast::<Error>() {
        Ok(error) => {
            let remedy = error.remedy_in_training();
            // An error of the library says itself what was behind it.
            let error = error.spelt(|field| flag(command, field));
            format!("{error}{remedy}")
        }
        Err(error) => format!("{error:#}"),
    }
}

/// The flag that sets a field, where `command` has one.
fn flag(command: &Command, field: &str) -> Option<String> {
    let sets = |long: &&str| long.replace('-', "_") == field;
    let long = command.get_arguments().filter_map(Arg::get_long).find(sets)?;
    Some(format!("--{long}"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::args::Cli;
    use crate::error::{Field, Message};

    fn shown(subcommand: &str, error: Error) -> String {
        let program = Cli::command();
        message(error.into(), program.find_subcommand(subcommand).unwrap())
    }

    #[test]
    fn fields_are_printed_as_flags_of_the_command() {
        let remedy =
            || Message::from("give fewer ") + Field("classes") + " or more " + Field("points");
        let error = || Error::setting("label_noise", 2.0, Field("loss") + " needs less", remedy());
        let expected =
            "--label-noise = 2: --loss needs less; give fewer --classes or more --points";
        assert_eq!(shown("run", error()), expected);
        assert_eq!(shown("compare", error()), expected);
        let table =
            Error::file("d.csv", Some(3), Message::from("no ") + Field("target"), "give one");
        assert_eq!(shown("run", table), "d.csv:3: no --target; give one");
        let (problem, remedy) =
            (Field("precision") + " f64", Message::from("use ") + Field("backend"));
        let failed = Error::DeviceFailed { problem: problem.clone(), remedy: remedy.clone() };
        assert_eq!(shown("run", failed), "--precision f64; use --backend");
        // This command takes the precision from the run.
        let refused = Error::Device { problem, remedy };
        assert_eq!(shown("spectrum", refused), "`precision` f64; use --backend");
    }

    #[test]
    fn keys_of_files_and_words_in_backticks_are_no_flags() {
        for (command, key) in [("run", "model.width"), ("events", "edge_enter"), ("list", "points")]
        {
            let error = Error::setting(key, 0, "too small", "give 1 or more");
            assert_eq!(shown(command, error), format!("{key} = 0: too small; give 1 or more"));
        }
        let error = Error::file("c.json", Some(2), "unknown key `steps`", "see `lr`");
        assert_eq!(shown("run", error), "c.json:2: unknown key `steps`; see `lr`");
    }

    #[test]
    fn what_is_not_finite_is_printed_with_what_to_do() {
        let error = Error::NonFinite { what: "a Hessian-vector product" };
        assert_eq!(error.to_string(), "a Hessian-vector product is not finite");
        let expected = "a Hessian-vector product is not finite; lower the learning rate or use \
                        --precision f64";
        assert_eq!(shown("spectrum", error), expected);
    }

    /// Errors of other libraries have no fields.
    #[test]
    fn other_errors_are_printed_as_they_are() {
        let run = Cli::command();
        assert_eq!(
            message(anyhow::anyhow!("`lr` is odd").context("here"), &run),
            "here: `lr` is odd"
        );
    }
}
