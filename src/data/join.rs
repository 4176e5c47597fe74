//! Samples of several files as one dataset.

use std::ops::Range;

use super::{Dataset, Inputs, Targets};
use crate::error::{Error, Result};

impl Dataset {
    /// Adds the samples of `other`, which are like its own, behind these; returns their numbers. Classes
    /// are those of the same names. Of texts, the vocabulary becomes that of both, and one number between
    /// them is that of no sample: no window begins in one text and ends in the other.
    ///
    /// # Errors
    /// [`Error::File`] with the name of `other` where its samples, its targets or a class are not among
    /// those here.
    pub fn append(&mut self, mut other: Dataset) -> Result<Range<usize>> {
        let wrong = |problem: String| {
            let remedy = "give data like those that train";
            Err(Error::file(&other.name, None, problem, remedy))
        };
        let both_text = matches!(
            (&self.inputs, &other.inputs),
            (Inputs::Tokens { context: a, .. }, Inputs::Tokens { context: b, .. }) if a == b
        );
        if self.input_shape() != other.input_shape() && !both_text {
            let (own, others) = (self.input_shape(), other.input_shape());
            return wrong(format!("its samples are {others}, those of '{}' {own}", self.name));
        }
        if let Some(name) = self.unknown_class(&other) {
            return wrong(format!("there is no class '{name}' in '{}'", self.name));
        }
        let count = other.len();
        if other.targets_are_unlike(self) {
            return wrong(format!("its targets are not like those of '{}'", self.name));
        }
        self.notes.own_samples.get_or_insert(self.len());
        let start = match &self.inputs {
            Inputs::Tokens { .. } => self.len() + 1,
            _ => self.len(),
        };
        self.append_targets(&other);
        if std::mem::discriminant(&self.inputs) != std::mem::discriminant(&other.inputs) {
            // Bytes and numbers of the same shape.
            self.map_features(|_, x| x);
            other.map_features(|_, x| x);
        }
        self.append_inputs(other.inputs);
        self.notes.lines.resize(start, 0);
        self.notes.lines.append(&mut other.notes.lines);
        self.notes.lines.resize(start + count, 0);
        Ok(start..start + count)
    }

    fn unknown_class<'a>(&self, other: &'a Dataset) -> Option<&'a String> {
        let (own, others) = (self.notes.class_names.as_ref()?, other.notes.class_names.as_ref()?);
        let Targets::Classes { labels, .. } = &other.targets else { return None };
        let unknown = |class: &usize| others.get(*class).filter(|name| !own.contains(name));
        labels.iter().find_map(unknown)
    }

    fn targets_are_unlike(&self, other: &Dataset) -> bool {
        match (&self.targets, &other.targets) {
            (Targets::Values { outputs: a, .. }, Targets::Values { outputs: b, .. }) => a != b,
            (a, b) => std::mem::discriminant(a) != std::mem::discriminant(b),
        }
    }

    fn append_targets(&mut self, other: &Dataset) {
        let names = self.notes.class_names.clone().unwrap_or_default();
        let others = other.notes.class_names.clone().unwrap_or_default();
        let same = |class: usize| {
            let name = others.get(class);
            names.iter().position(|own| Some(own) == name).unwrap_or(class)
        };
        let classes: Vec<usize> = (0..other.outputs()).map(same).collect();
        match (&mut self.targets, &other.targets) {
            (Targets::Classes { labels, .. }, Targets::Classes { labels: more, .. }) => {
                labels.extend(more.iter().map(|&label| classes[label]));
            }
            (Targets::Values { values, .. }, Targets::Values { values: more, .. }) => {
                values.extend_from_slice(more);
            }
            _ => {}
        }
    }

    fn append_inputs(&mut self, other: Inputs) {
        let windows = self.len() + 1;
        match (&mut self.inputs, other) {
            (Inputs::Features { values, .. }, Inputs::Features { values: more, .. }) => {
                values.extend(more);
            }
            (Inputs::Images { pixels, .. }, Inputs::Images { pixels: more, .. }) => {
                pixels.extend(more);
            }
            (
                Inputs::Tokens { vocabulary, context, tokens },
                Inputs::Tokens { vocabulary: others, tokens: more, .. },
            ) => {
                let mut both = [&vocabulary[..], &others[..]].concat();
                both.sort_unstable();
                both.dedup();
                let place = |c: &char| both.binary_search(c).unwrap_or_default();
                let (own, others): (Vec<usize>, Vec<usize>) =
                    (vocabulary.iter().map(place).collect(), others.iter().map(place).collect());
                tokens.iter_mut().for_each(|token| *token = own[*token]);
                tokens.resize(windows * *context, 0);
                tokens.extend(more.into_iter().map(|token| others[token]));
                *vocabulary = both;
            }
            _ => {}
        }
    }
}
