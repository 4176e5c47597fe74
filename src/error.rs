//! The library's error: what went wrong, where, and what to do about it.
//!
//! A message is one line, and ends with a remedy where there is one. It names settings by their fields; who
//! knows them by other names, as the command line by its flags, puts those in with [`Error::spelt`].

use std::fmt;
use std::ops::Add;
use std::path::{Path, PathBuf};

/// What every fallible function of the library returns. With a second parameter it is the standard
/// library's, so that [`crate::prelude`] takes that one from nobody.
pub type Result<T, E = Error> = std::result::Result<T, E>;

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
        /// The field, as its struct has it ("train_size"), or the key, as its file has it.
        key: String,
        /// The value given.
        value: String,
        /// Why it cannot be used.
        problem: Message,
        /// What to do instead.
        remedy: Message,
    },
    /// A file whose content cannot be used.
    #[error("{}{}: {problem}; {remedy}", path.display(), line_suffix(.line))]
    File {
        /// The file.
        path: PathBuf,
        /// The line in it, counted from 1, where known.
        line: Option<u64>,
        /// What is wrong there.
        problem: Message,
        /// What to do.
        remedy: Message,
    },
    /// A file of tensors that are not those of the model: a message on its first line, and below it a line
    /// for each difference.
    #[error("{}: {problem}; {remedy}{}", path.display(), indented(.lines))]
    Tensors {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: String,
        /// The differences.
        lines: Vec<String>,
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
        problem: Message,
        /// What to do.
        remedy: Message,
    },
    /// A device dropped work or reported an error: what was read back from it is no result.
    #[error("{problem}; {remedy}")]
    DeviceFailed {
        /// Which device, and what it reported.
        problem: Message,
        /// What to do.
        remedy: Message,
    },
    /// Reading or writing failed while the run was under way.
    #[error("cannot {action} {}: {}", path.display(), reason(source))]
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
    #[error("{what} is not finite")]
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

/// The name of a setting in a [`Message`], as its struct has it: "train_size".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field(pub &'static str);

/// Words that may name settings. They are put together with `+`, and shown with the names of fields in
/// backticks.
///
/// ```
/// use sharpscope::error::{Field, Message};
///
/// let remedy = Message::from("give at most 30, or a smaller ") + Field("train_size");
/// assert_eq!(remedy.to_string(), "give at most 30, or a smaller `train_size`");
/// let flag = |field: &str| Some(format!("--{}", field.replace('_', "-")));
/// assert_eq!(remedy.spelt(flag).to_string(), "give at most 30, or a smaller --train-size");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Message(Vec<Part>);

#[derive(Clone, PartialEq, Eq)]
enum Part {
    Words(String),
    Field(&'static str),
}

impl Message {
    /// With `name` of a field in the place of each field; one for which it is `None` stays.
    pub fn spelt(self, name: impl Fn(&str) -> Option<String>) -> Self {
        let spell = |part| match part {
            Part::Field(field) => name(field).map_or(part, Part::Words),
            words => words,
        };
        Self(self.0.into_iter().map(spell).collect())
    }
}

impl From<&str> for Message {
    fn from(words: &str) -> Self {
        Self::from(words.to_string())
    }
}

impl From<String> for Message {
    fn from(words: String) -> Self {
        Self(vec![Part::Words(words)])
    }
}

impl From<Field> for Message {
    fn from(Field(name): Field) -> Self {
        Self(vec![Part::Field(name)])
    }
}

impl<M: Into<Message>> Add<M> for Message {
    type Output = Message;

    fn add(mut self, more: M) -> Message {
        self.0.extend(more.into().0);
        self
    }
}

impl<M: Into<Message>> Add<M> for Field {
    type Output = Message;

    fn add(self, more: M) -> Message {
        Message::from(self) + more
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Words(words) => f.write_str(words),
            Part::Field(name) => write!(f, "`{name}`"),
        })
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.to_string(), f)
    }
}

impl Error {
    /// True where the input is to blame rather than the run: nothing has been computed or written.
    pub fn is_input(&self) -> bool {
        matches!(
            self,
            Error::UnknownName { .. }
                | Error::Setting { .. }
                | Error::File { .. }
                | Error::Tensors { .. }
                | Error::Output { .. }
                | Error::Device { .. }
        )
    }

    /// A setting whose value cannot be used.
    pub fn setting(
        key: impl Into<String>,
        value: impl ToString,
        problem: impl Into<Message>,
        remedy: impl Into<Message>,
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
        problem: impl Into<Message>,
        remedy: impl Into<Message>,
    ) -> Self {
        Error::File {
            path: path.as_ref().to_path_buf(),
            line,
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// A folder of output that cannot be made or used, and what the system says of it.
    pub(crate) fn folder(path: &Path, what: &str, error: &std::io::Error) -> Self {
        Error::Output {
            path: path.to_path_buf(),
            problem: format!("it cannot {what} ({})", reason(error)),
            remedy: "choose a folder that you may write to with --out".to_string(),
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

    /// The message for a reader who knows settings by flags, which are fields with dashes: for what is
    /// written down of an error, where no command is at hand that could say which flags it has.
    pub(crate) fn in_flags(self) -> String {
        let remedy = self.remedy_in_training();
        let plain = |c: char| c.is_ascii_lowercase() || c == '_';
        let error = self.spelt(|field| field.chars().all(plain).then(|| flag(field)));
        format!("{error}{remedy}")
    }

    /// What to do about an error that does not say so, since it knows of no training; put behind its
    /// message.
    pub(crate) fn remedy_in_training(&self) -> &'static str {
        match self {
            Error::Io { source, .. } if is_full(source) => "; make room there first",
            Error::NonFinite { .. } => "; lower the learning rate or use --precision f64",
            _ => "",
        }
    }

    /// The same error for a reader who knows settings by other names than their fields: with `name` of a
    /// field in its place, wherever it is `Some`.
    pub fn spelt(self, name: impl Fn(&str) -> Option<String>) -> Self {
        let spell = |message: Message| message.spelt(&name);
        match self {
            Error::Setting { key, value, problem, remedy } => Error::Setting {
                key: name(&key).unwrap_or(key),
                value,
                problem: spell(problem),
                remedy: spell(remedy),
            },
            Error::File { path, line, problem, remedy } => {
                Error::File { path, line, problem: spell(problem), remedy: spell(remedy) }
            }
            Error::Device { problem, remedy } => {
                Error::Device { problem: spell(problem), remedy: spell(remedy) }
            }
            Error::DeviceFailed { problem, remedy } => {
                Error::DeviceFailed { problem: spell(problem), remedy: spell(remedy) }
            }
            other => other,
        }
    }
}

/// The flag of a setting's field or key.
pub(crate) fn flag(name: &str) -> String {
    format!("--{}", name.replace('_', "-"))
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

/// Whether there is no room for what was to be written.
fn is_full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};

    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
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

/// Lines below a message, without what would move a terminal's cursor.
fn indented(lines: &[String]) -> String {
    let plain =
        |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
    lines
        .iter()
        .map(|line| format!("\n  {}", line.chars().map(plain).collect::<String>()))
        .collect()
}

fn line_suffix(line: &Option<u64>) -> String {
    line.map_or_else(String::new, |line| format!(":{line}"))
}
