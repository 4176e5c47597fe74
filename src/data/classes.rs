//! Which classes of a dataset there are.

use serde::Serialize;

pub use super::labels::Label;
use super::{Dataset, Targets};
use crate::error::{Error, Result};

/// Classes as they are asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Classes {
    /// So many of a dataset that is generated.
    Count(usize),
    /// Those of a dataset that are kept, in the order of the outputs.
    Chosen(Vec<Label>),
}

impl std::fmt::Display for Classes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Classes::Count(count) => count.fmt(f),
            Classes::Chosen(labels) => f.write_str(&joined(labels, ",")),
        }
    }
}

impl Classes {
    /// How many are to be generated, where that is what was asked for.
    pub fn count(&self) -> Option<usize> {
        match self {
            Classes::Count(count) => Some(*count),
            Classes::Chosen(_) => None,
        }
    }

    /// Those that are kept, where they were chosen.
    pub fn chosen(&self) -> Option<&[Label]> {
        match self {
            Classes::Count(_) => None,
            Classes::Chosen(labels) => Some(labels),
        }
    }
}

/// The field of [`super::DataOptions`].
pub(super) const FIELD: &str = "classes";

/// Refuses a choice that is none whatever the dataset.
pub(super) fn check_chosen(labels: &[Label]) -> Result<()> {
    let example = "name two or more with commas between, such as 0,1,2";
    if labels.len() < 2 {
        let problem = "there is nothing to tell apart in fewer than 2 classes";
        return Err(Error::setting(FIELD, joined(labels, ","), problem, example));
    }
    match labels.iter().enumerate().find(|&(at, label)| labels[..at].contains(label)) {
        None => Ok(()),
        Some((_, twice)) => {
            let problem = format!("class {twice} is named twice");
            Err(Error::setting(FIELD, joined(labels, ","), problem, "name each once"))
        }
    }
}

impl Dataset {
    /// Numbers these classes anew, 0 for the first, and leaves the others out: returned are the numbers of the
    /// samples that are kept, in their order. The others stay where they are, so that a sample's number is still its
    /// row, with labels that are none of a class.
    ///
    /// A class is called by its name in [`super::DataNotes::class_names`]; where no name is a number, by its number
    /// too.
    ///
    /// # Errors
    /// [`Error::Setting`] where targets are not classes, for a class that is not there, one that is named twice,
    /// and fewer than two.
    pub fn choose_classes(&mut self, chosen: &[Label]) -> Result<Vec<usize>> {
        check_chosen(chosen)?;
        let own = self.own_samples();
        let Targets::Classes { classes, labels } = &mut self.targets else {
            let problem = format!("the samples of '{}' have no classes", self.name);
            return Err(Error::setting(FIELD, joined(chosen, ","), problem, "leave it out"));
        };
        let numbered = || (0..*classes).map(|class| class.to_string()).collect();
        let names: Vec<String> = self.notes.class_names.clone().unwrap_or_else(numbered);
        let mut new_number = vec![None; names.len()];
        for (number, label) in chosen.iter().enumerate() {
            let Some(class) = class_called(&names, label) else {
                return Err(unknown(&self.name, chosen, label, &names));
            };
            if new_number[class].replace(number).is_some() {
                let problem = format!("'{}' is named twice", names[class]);
                let remedy = "name each once";
                return Err(Error::setting(FIELD, joined(chosen, ","), problem, remedy));
            }
        }
        let kept_names: Vec<String> = chosen
            .iter()
            .filter_map(|label| Some(names[class_called(&names, label)?].clone()))
            .collect();
        // What is left out comes behind.
        let mut next = chosen.len();
        let new_number: Vec<usize> = new_number
            .into_iter()
            .map(|number| {
                number.unwrap_or_else(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        labels.iter_mut().for_each(|label| *label = new_number[*label]);
        *classes = chosen.len();
        let kept: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] < chosen.len()).collect();
        let others = own - kept.iter().filter(|&&sample| sample < own).count();
        if others > 0 {
            self.notes.left_out.push(format!("{others} samples of other classes"));
        }
        self.notes.class_names = Some(kept_names);
        Ok(kept)
    }
}

/// The class that a label means.
fn class_called(names: &[String], label: &Label) -> Option<usize> {
    let named = names.iter().position(|name| *name == label.to_string());
    let numbered = || match label {
        Label::Number(number) if names.iter().all(|name| name.parse::<f64>().is_err()) => {
            usize::try_from(*number).ok().filter(|&number| number < names.len())
        }
        _ => None,
    };
    named.or_else(numbered)
}

fn unknown(dataset: &str, chosen: &[Label], label: &Label, names: &[String]) -> Error {
    /// Names that a message lists.
    const LISTED: usize = 20;
    let problem = format!("there is no class {label} in '{dataset}'");
    let more = if names.len() > LISTED { ", …" } else { "" };
    let listed: Vec<&str> = names.iter().take(LISTED).map(String::as_str).collect();
    let remedy = format!("its classes are {}{more}", listed.join(", "));
    Error::setting(FIELD, joined(chosen, ","), problem, remedy)
}

fn joined(labels: &[Label], between: &str) -> String {
    labels.iter().map(Label::to_string).collect::<Vec<_>>().join(between)
}
