//! Labels as they come, made classes 0, 1, 2, ….

use std::collections::BTreeMap;

use serde::Serialize;

/// Most classes: one output neuron is made for each.
pub(super) const MOST_CLASSES: usize = 10_000;

/// A label in a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(untagged)]
pub enum Label {
    /// A whole number.
    Number(u64),
    /// Any other text.
    Name(String),
}

impl Label {
    /// A whole number where the text is one, else a name, without the spaces around it.
    pub fn of_text(text: &str) -> Self {
        let text = text.trim();
        text.parse().map_or_else(|_| Label::Name(text.to_string()), Label::Number)
    }
}

impl std::fmt::Display for Label {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Label::Number(number) => number.fmt(f),
            Label::Name(name) => f.write_str(name),
        }
    }
}

/// The labels of some samples. Those that occur are the classes, in the order of the numbers or of the
/// alphabet: a number that no sample has makes no class.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Labels {
    /// Each label, with its place in the order in which they came.
    places: BTreeMap<Label, usize>,
    /// That place for each sample.
    samples: Vec<usize>,
}

impl Labels {
    /// Adds a sample's; false where that would be one class too many.
    #[must_use]
    pub fn push(&mut self, label: Label) -> bool {
        let next = self.places.len();
        let place = *self.places.entry(label).or_insert(next);
        self.samples.push(place);
        place < MOST_CLASSES
    }

    /// Different labels so far.
    pub fn classes(&self) -> usize {
        self.places.len()
    }

    /// Any label so far.
    pub fn any(&self) -> Option<&Label> {
        self.places.keys().next()
    }

    /// The class of each sample, and the classes' names.
    pub fn finish(self) -> (Vec<usize>, Vec<String>) {
        let mut class_at = vec![0; self.places.len()];
        for (class, place) in self.places.values().enumerate() {
            class_at[*place] = class;
        }
        let classes = self.samples.into_iter().map(|place| class_at[place]).collect();
        (classes, self.places.keys().map(Label::to_string).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_are_the_labels_that_occur_in_their_order() {
        let of = |labels: &[Label]| {
            let mut all = Labels::default();
            labels.iter().for_each(|label| assert!(all.push(label.clone())));
            all.finish()
        };
        let numbers = [90_000, 7, 10, 7].map(Label::Number);
        assert_eq!(
            of(&numbers),
            (vec![2, 0, 1, 0], ["7", "10", "90000"].map(String::from).to_vec())
        );
        let names = ["b", "a", "b"].map(|name| Label::Name(name.to_string()));
        assert_eq!(of(&names), (vec![1, 0, 1], vec!["a".to_string(), "b".to_string()]));
        let mut many = Labels::default();
        assert!((0..MOST_CLASSES).all(|n| many.push(Label::Number(n as u64))));
        assert!(many.push(Label::Number(0)) && !many.push(Label::Number(1 << 40)));
    }
}
