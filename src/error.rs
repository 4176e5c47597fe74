//! The library's error: what went wrong, where, and what to do about it.
//!
//! Every message is one line and ends with a remedy, so that the command line prints it as it is.

use std::path::{Path, PathBuf};

/// What every fallible function of the library returns.
pub type Result<T> = std::result::Result<T, Error>;

/// An error of sharpscope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that stands for nothing known, with the nearest known one.
    #[error("unknown {what} '{name}'{}; known: {known}", nearest_hint(.nearest))]
    UnknownName {
        /// What was named ("model", "dataset", …).
        what: &'static str,
        /// The name given.
        name: String,
        /// The known name nearest to it, if one is near.
        nearest: Option<String>,
        /// All known names.
        known: String,
    },
    /// A setting whose value cannot be used.
    #[error("{key} = {value}: {problem}; {remedy}")]
    Setting {
        /// The flag or key, as the user writes it.
        key: String,
        /// The value given.
        value: String,
        /// Why it cannot be used.
        problem: String,
        /// What to do instead.
        remedy: String,
    },
    /// A file whose content cannot be used.
    #[error("{}{}: {problem}; {remedy}", path.display(), line_suffix(.line))]
    File {
        /// The file.
        path: PathBuf,
        /// The line in it, counted from 1, where known.
        line: Option<u64>,
        /// What is wrong there.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// The output folder exists already, or cannot be made.
    #[error("output folder {}: {problem}; {remedy}", path.display())]
    Output {
        /// The folder.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// No adapter that could serve, or one that lacks what was asked for.
    #[error("{problem}; {remedy}")]
    Device {
        /// What is missing.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// A device dropped work or reported an error: what was read back from it is no result.
    #[error("{problem}; {remedy}")]
    DeviceFailed {
        /// Which device, and what it reported.
        problem: String,
        /// What to do.
        remedy: String,
    },
    /// Reading or writing failed while the run was under way.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// What was tried ("write", "create").
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Two gradients of the same batch differ: curvature of such a model means nothing.
    #[error(
        "the model is not deterministic: two gradients of the same batch differ by {difference:.1e} \
         relative to their norm (allowed {allowed:.1e}); remove randomness such as dropout from it"
    )]
    NotDeterministic {
        /// Norm of the difference over the norm of the gradient.
        difference: f64,
        /// The largest difference that passes.
        allowed: f64,
    },
    /// A numerical routine met an infinite or undefined number.
    #[error("{what} is not finite; lower the learning rate or use --precision f64")]
    NonFinite {
        /// Which quantity.
        what: &'static str,
    },
    /// A vector of the wrong length was handed in.
    #[error("{what} has length {found}, but {expected} was expected")]
    Length {
        /// Which vector.
        what: &'static str,
        /// Its length.
        found: usize,
        /// The length needed.
        expected: usize,
    },
    /// A numerical library reported failure, or a tensor could not be read back.
    #[error("{what} failed: {reason}")]
    Numerical {
        /// Which computation.
        what: &'static str,
        /// What was reported.
        reason: String,
    },
    /// A file's format could not hold what was to be written: JSON, a table, safetensors.
    #[error("writing {what} failed: {reason}")]
    Encode {
        /// What was to be written.
        what: &'static str,
        /// What was reported.
        reason: String,
    },
    /// A picture could not be drawn.
    #[error("drawing {what} failed: {reason}")]
    Draw {
        /// Which picture.
        what: &'static str,
        /// What was reported.
        reason: String,
    },
    /// The system gave no threads to work with.
    #[error("starting threads failed: {reason}")]
    Threads {
        /// What was reported.
        reason: String,
    },
    /// A state of training is another than what was asked for, or was not reached.
    #[error("{what} failed: {reason}")]
    State {
        /// What the state was for.
        what: &'static str,
        /// How it differs.
        reason: String,
    },
}

impl Error {
    /// True where the input is to blame rather than the run: nothing has been computed or written.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Error::UnknownName { .. }
                | Error::Setting { .. }
                | Error::File { .. }
                | Error::Output { .. }
                | Error::Device { .. }
        )
    }

    /// A setting whose value cannot be used.
    pub fn setting(
        key: impl Into<String>,
        value: impl ToString,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::Setting {
            key: key.into(),
            value: value.to_string(),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// A file whose content cannot be used.
    pub fn file(
        path: impl AsRef<Path>,
        line: Option<u64>,
        problem: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Error::File {
            path: path.as_ref().to_path_buf(),
            line,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// An unknown name, with the nearest of the `known` ones.
    pub fn unknown_name(what: &'static str, name: &str, known: &[&str]) -> Self {
        Error::UnknownName {
            what,
            name: name.to_string(),
            nearest: nearest(name, known).map(str::to_string),
            known: known.join(", "),
        }
    }
}

/// That a vector has the length needed, or [`Error::Length`].
pub(crate) fn check_length(what: &'static str, found: usize, expected: usize) -> Result<()> {
    if found == expected { Ok(()) } else { Err(Error::Length { what, found, expected }) }
}

/// The candidate most like `name` (Damerau-Levenshtein: letters added, left out, changed or
/// swapped), if it is like enough to be worth naming.
pub fn nearest<'a>(name: &str, candidates: &[&'a str]) -> Option<&'a str> {
    const LIKE_ENOUGH: f64 = 0.5;
    candidates
        .iter()
        .map(|c| (strsim::normalized_damerau_levenshtein(&name.to_lowercase(), c), *c))
        .filter(|(score, _)| *score >= LIKE_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, c)| c)
}

/// What the system said, without the number that it says it by.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_string()
}

fn nearest_hint(nearest: &Option<String>) -> String {
    match nearest {
        Some(name) => format!(" (did you mean '{name}'?)"),
        None => String::new(),
    }
}

fn line_suffix(line: &Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}
