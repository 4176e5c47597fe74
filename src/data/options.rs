//! What may be chosen about a dataset, and which datasets take which choice.

use serde::Serialize;

use super::Classes;
use super::builtin::BUILTIN;
use super::classes::{FIELD, check_chosen};
use super::format::Format;
use crate::error::{Error, Field, Message, Result};
use crate::names::choices;

choices! {
    /// Whether the first row of a table names its columns.
    #[derive(Default)]
    pub enum Header ("choice of a header") {
        /// It does.
        Yes = "yes",
        /// It has data.
        No = "no",
        /// Where it has no numbers, or text where the row after it has numbers, or numbers the columns.
        #[default]
        Auto = "auto",
    }
}

/// An option that a dataset may take: a field of [`DataOptions`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Points,
    Degree,
    ClassCount,
    ChosenClasses,
    Noise,
    LabelNoise,
    Header,
    Target,
    Regression,
}

/// Choices about a dataset. As given, what is `None` has its default; as resolved, what is `None`
/// does not apply.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DataOptions {
    /// Points of a generated dataset.
    pub points: Option<usize>,
    /// Degree of `chebyshev`'s polynomial.
    pub degree: Option<usize>,
    /// How many classes `blobs` and `spirals` have, or which classes of a dataset are kept.
    pub classes: Option<Classes>,
    /// Standard deviation of the noise in the coordinates of `blobs`, `moons` and `spirals`.
    pub noise: Option<f64>,
    /// Share of the training labels that is replaced by other classes.
    pub label_noise: Option<f64>,
    /// Whether the first row of a CSV file names its columns; seen from it where it is not said.
    pub header: Option<Header>,
    /// Column of a CSV file that is the target: a name in its header, or a number from 1.
    pub target: Option<String>,
    /// Whether a CSV file's target is a number rather than a class.
    pub regression: Option<bool>,
}

/// Most points generated.
const MOST_POINTS: usize = 1_000_000;
/// Highest degree of a polynomial.
const HIGHEST_DEGREE: usize = 1000;
/// Most classes generated.
const MOST_CLASSES: usize = 1000;

impl DataOptions {
    /// Refuses what the dataset does not take, and values out of range.
    ///
    /// # Errors
    /// [`Error::Setting`] naming the field and the datasets that take it.
    pub(super) fn check(&self, dataset: &str, takes: impl Fn(Taken) -> bool) -> Result<()> {
        let shown = |value: &Option<f64>| value.map(|value| format!("{value:?}"));
        let given = [
            (Taken::Points, self.points.map(|points| points.to_string())),
            (Taken::Degree, self.degree.map(|degree| degree.to_string())),
            (self.of_classes(), self.classes.as_ref().map(Classes::to_string)),
            (Taken::Noise, shown(&self.noise)),
            (Taken::LabelNoise, shown(&self.label_noise)),
            (Taken::Header, self.header.map(|header| header.to_string())),
            (Taken::Target, self.target.clone()),
            (Taken::Regression, self.regression.map(|regression| regression.to_string())),
        ];
        for (option, value) in given {
            if let Some(value) = value.filter(|_| !takes(option)) {
                let chosen_instead = option == Taken::ClassCount && takes(Taken::ChosenClasses);
                let what = if chosen_instead { "a number of them" } else { "it" };
                let problem = format!("dataset '{dataset}' does not take {what}");
                let which = if chosen_instead { "name which, such as 0,1,2; " } else { "" };
                let remedy = format!("{which}those that do: {}", takers(option));
                return Err(Error::setting(option.field(), value, problem, remedy));
            }
        }
        self.check_ranges()
    }

    /// Which of the two is said of classes.
    fn of_classes(&self) -> Taken {
        match self.classes {
            Some(Classes::Chosen(_)) => Taken::ChosenClasses,
            _ => Taken::ClassCount,
        }
    }

    fn check_ranges(&self) -> Result<()> {
        if let Some(chosen) = self.classes.as_ref().and_then(Classes::chosen) {
            check_chosen(chosen)?;
        }
        let class_count = self.classes.as_ref().and_then(Classes::count);
        let numbers = [
            (Taken::Noise, self.noise, f64::MAX, "not a standard deviation", "a finite number"),
            (Taken::LabelNoise, self.label_noise, 1.0, "not a share", "a number up to 1"),
        ];
        for (option, value, most, problem, what) in numbers {
            if let Some(value) = value.filter(|value| !(0.0..=most).contains(value)) {
                let remedy = format!("give {what} from 0 on, such as 0.1");
                return Err(Error::setting(option.field(), format!("{value:?}"), problem, remedy));
            }
        }
        let counts = [
            (Taken::Points, self.points, 2, MOST_POINTS),
            (Taken::Degree, self.degree, 0, HIGHEST_DEGREE),
            (Taken::ClassCount, class_count, 2, MOST_CLASSES),
        ];
        for (option, value, least, most) in counts {
            if let Some(value) = value.filter(|value| !(least..=most).contains(value)) {
                let remedy = format!("give {least} to {most}");
                return Err(Error::setting(option.field(), value, "out of range", remedy));
            }
        }
        match (self.points, class_count) {
            (Some(points), Some(classes)) if points < classes => {
                let problem = format!("{classes} classes need a point each");
                let remedy = format!("give at least {classes}, or fewer ");
                let remedy = Message::from(remedy) + Field(FIELD);
                Err(Error::setting("points", points, problem, remedy))
            }
            _ => Ok(()),
        }
    }
}

/// The datasets that take an option.
fn takers(option: Taken) -> String {
    let builtin = BUILTIN.iter().filter(|builtin| builtin.takes(option));
    let names: Vec<&str> =
        builtin.map(|builtin| builtin.name()).chain(Format::takers(option)).collect();
    names.join(", ")
}

impl Taken {
    /// The field of [`DataOptions`].
    fn field(self) -> &'static str {
        match self {
            Taken::Points => "points",
            Taken::Degree => "degree",
            Taken::ClassCount | Taken::ChosenClasses => FIELD,
            Taken::Noise => "noise",
            Taken::LabelNoise => "label_noise",
            Taken::Header => "header",
            Taken::Target => "target",
            Taken::Regression => "regression",
        }
    }
}
