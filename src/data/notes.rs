//! What was made of the data that a run was given.

use serde::Serialize;

use super::{Dataset, InputShape, Inputs, Targets};

/// What was made of a file of data, for whoever wants to see whether that is what was meant.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct DataNotes {
    /// The classes' names in the order of the outputs; null where there are no classes.
    pub class_names: Option<Vec<String>>,
    /// Whether a table's first row was taken for a header; null for what is no table.
    pub header: Option<bool>,
    /// What of it was left out, and why.
    pub left_out: Vec<String>,
    /// What may not be as it was meant.
    pub remarks: Vec<String>,
    /// Samples before those of other files, where there are some.
    #[serde(skip)]
    pub(crate) own_samples: Option<usize>,
    /// The line of each row of a table.
    #[serde(skip)]
    pub(crate) lines: Vec<u64>,
    /// The number, from 1, of the column that each feature of a table is in.
    #[serde(skip)]
    pub(crate) columns: Vec<usize>,
}

/// A dataset in numbers, with its notes, as it is written down.
#[derive(Serialize)]
struct Described<'a> {
    samples: usize,
    inputs: String,
    outputs: usize,
    #[serde(flatten)]
    notes: &'a DataNotes,
}

/// Classes that are named in a line, and the most letters of their names together.
const MOST_NAMES: usize = 12;
const MOST_LETTERS: usize = 80;

impl DataNotes {
    /// Of data whose classes have these names.
    pub(super) fn of_classes(names: Vec<String>) -> Self {
        Self { class_names: Some(names), ..Self::default() }
    }

    /// The numbers 0, 1, 2, … as names.
    pub(super) fn numbered(classes: usize) -> Self {
        Self::of_classes((0..classes).map(|class| class.to_string()).collect())
    }

    /// The number, from 1, of the column that each feature of a table is in.
    pub fn columns_of_features(&self) -> &[usize] {
        &self.columns
    }

    /// The names of the classes where a line has room for them; none where they are 0, 1, 2, ….
    fn names(&self) -> Option<String> {
        let names = self.class_names.as_ref().filter(|names| names.len() <= MOST_NAMES)?;
        let plain = names.iter().enumerate().all(|(class, name)| *name == class.to_string());
        let shown = names.join(", ");
        (!plain && shown.chars().count() <= MOST_LETTERS).then_some(shown)
    }
}

impl Dataset {
    /// What was made of the data, on one line: samples, features, what is predicted, what was left out.
    pub fn description(&self) -> String {
        let (samples, shape) = (self.own_samples(), self.input_shape());
        let what = match &self.inputs {
            Inputs::Features { .. } => "rows",
            Inputs::Images { .. } => "images",
            Inputs::Tokens { .. } => "windows",
        };
        let mut parts = match &self.inputs {
            Inputs::Tokens { .. } => vec![format!("{samples} {shape}")],
            _ if shape == InputShape::Features(1) => {
                vec![format!("{samples} {what}"), "1 feature".to_string()]
            }
            _ => vec![format!("{samples} {what}"), shape.to_string()],
        };
        parts.push(match &self.targets {
            Targets::Classes { classes: 1, .. } => "1 class".to_string(),
            Targets::Classes { classes, .. } => format!("{classes} classes"),
            Targets::Values { outputs: 1, .. } => "a number to predict".to_string(),
            Targets::Values { outputs, .. } => format!("{outputs} numbers to predict"),
            Targets::NextToken => "the next token to predict".to_string(),
        });
        if let (Targets::Classes { .. }, Some(names)) = (&self.targets, self.notes.names()) {
            let classes = parts.pop().unwrap_or_default();
            parts.push(format!("{classes} ({names})"));
        }
        parts.extend(
            self.notes
                .header
                .map(|header| if header { "a header" } else { "no header" }.to_string()),
        );
        if !self.notes.left_out.is_empty() {
            parts.push(format!("left out: {}", self.notes.left_out.join(", ")));
        }
        let mut line = parts.join(", ");
        for remark in &self.notes.remarks {
            line += &format!("; {remark}");
        }
        // Names come from the file, and none may move a terminal's cursor.
        let plain =
            |c: char| if c.is_control() { c.escape_default().to_string() } else { c.to_string() };
        line.chars().map(plain).collect()
    }

    /// Samples that are not another file's.
    pub(super) fn own_samples(&self) -> usize {
        self.notes.own_samples.unwrap_or(self.len())
    }

    /// The same for a manifest: `samples`, `inputs`, `outputs` and the [`DataNotes`].
    pub fn described(&self) -> serde_json::Value {
        let described = Described {
            samples: self.own_samples(),
            inputs: self.input_shape().to_string(),
            outputs: self.outputs(),
            notes: &self.notes,
        };
        serde_json::to_value(described).unwrap_or_default()
    }
}
