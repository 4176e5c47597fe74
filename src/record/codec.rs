//! A cell of a table: a number to text and back. Numbers are the shortest text that reads back as the
//! same value; what was not measured is empty.

use super::Phase;

/// What kind of values a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whole numbers.
    Count,
    /// Numbers, finite or not.
    Number,
    /// True or false.
    Flag,
    /// Words.
    Text,
}

/// What a column's cells hold: to text, and back or what they are not.
pub(super) struct Codec<T> {
    pub kind: Kind,
    pub write: fn(&T) -> String,
    pub read: fn(&str) -> Result<T, &'static str>,
}

/// A whole number.
pub(super) const COUNT: Codec<usize> = Codec {
    kind: Kind::Count,
    write: usize::to_string,
    read: |cell| cell.parse().map_err(|_| "a whole number"),
};

/// A number that is always there.
pub(super) const NUMBER: Codec<f64> = Codec {
    kind: Kind::Number,
    write: |x| number(*x),
    read: |cell| cell.parse().map_err(|_| NO_NUMBER),
};

/// A number where it was measured.
pub(super) const MEASURED: Codec<Option<f64>> =
    Codec { kind: Kind::Number, write: |x| optional(*x), read: read_optional };

/// Whether something holds, where that is known.
pub(super) const FLAG: Codec<Option<bool>> = Codec {
    kind: Kind::Flag,
    write: |flag| flag.map_or_else(String::new, |flag| flag.to_string()),
    read: |cell| match cell {
        "" => Ok(None),
        cell => cell.parse().map(Some).map_err(|_| "true or false"),
    },
};

/// A phase by its name; one that only a later version knows is none.
pub(super) const PHASE: Codec<Option<Phase>> = Codec {
    kind: Kind::Text,
    write: |phase| phase.map_or_else(String::new, |phase| phase.name().to_string()),
    read: |cell| Ok(Phase::ALL.into_iter().find(|phase| phase.name() == cell)),
};

/// Milliseconds, to the microsecond.
pub(super) const TIME: Codec<f64> = Codec {
    kind: Kind::Number,
    write: |ms| format!("{ms:.3}"),
    read: |cell| read_optional(cell).map(Option::unwrap_or_default),
};

/// The same, where they were spent.
pub(super) const TIME_SPENT: Codec<Option<f64>> = Codec {
    kind: Kind::Number,
    write: |ms| ms.map_or_else(String::new, |ms| format!("{ms:.3}")),
    read: read_optional,
};

const NO_NUMBER: &str = "a number";

pub(super) fn read_optional(cell: &str) -> Result<Option<f64>, &'static str> {
    match cell {
        "" => Ok(None),
        cell => cell.parse().map(Some).map_err(|_| NO_NUMBER),
    }
}

/// A number, or the empty cell of what was not measured.
pub(crate) fn optional(value: Option<f64>) -> String {
    value.map_or_else(String::new, number)
}

/// Rust's debug form is the shortest that reads back the same, with an exponent where it is shorter.
fn number(value: f64) -> String {
    format!("{value:?}")
}
