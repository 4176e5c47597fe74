//! Samples and their targets.

use std::borrow::Cow;

use super::{DataNotes, InputShape};
pub(super) use crate::digest::{digest, hexadecimal};
use crate::error::{Error, Result, check_length};

/// Samples with what is to be predicted of them, in the file's order, on the host.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// The name or path that it was asked for by.
    pub name: String,
    /// SHA-256 in hexadecimal: of the file's bytes, of those of several files in order, or of the
    /// numbers generated (features, then targets; 64 bits each, lowest byte first). Empty for data
    /// handed in.
    pub sha256: String,
    /// What a model reads.
    pub inputs: Inputs,
    /// What it is to predict.
    pub targets: Targets,
    /// What was made of the file that it comes from.
    pub notes: DataNotes,
}

/// What a model reads, sample after sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Inputs {
    /// Numbers.
    Features {
        /// The shape of one sample.
        shape: InputShape,
        /// The numbers of all samples, one sample after the other.
        values: Vec<f64>,
    },
    /// Images as bytes: a feature is a byte over 255.
    Images {
        /// The shape of one sample.
        shape: InputShape,
        /// The bytes of all samples, one sample after the other.
        pixels: Vec<u8>,
    },
    /// Text, cut into windows that do not overlap.
    Tokens {
        /// The characters, in order; a token is a place in this list.
        vocabulary: Vec<char>,
        /// Tokens in a window.
        context: usize,
        /// The text. Window i reads `context` tokens from i * context on, and predicts the token
        /// after each; what does not fill a window is left over at the end.
        tokens: Vec<usize>,
    },
}

/// What a model is to predict, sample after sample.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One class for each sample.
    Classes {
        /// How many there are.
        classes: usize,
        /// Class of each sample; of one that was left out by [`Dataset::choose_classes`], a number above the
        /// last class.
        labels: Vec<usize>,
    },
    /// Numbers.
    Values {
        /// Numbers for each sample.
        outputs: usize,
        /// The numbers of all samples, one sample after the other.
        values: Vec<f64>,
    },
    /// The token after each token of the window.
    NextToken,
}

impl Dataset {
    /// A dataset from numbers at hand: `features` row-major with `inputs` in each row, one label
    /// below `classes` for each row.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths do not fit, [`Error::Setting`] for a label out of range.
    pub fn from_rows(
        name: &str,
        features: Vec<f64>,
        inputs: usize,
        labels: Vec<usize>,
        classes: usize,
    ) -> Result<Self> {
        check_length("feature array", features.len(), inputs * labels.len())?;
        if let Some(label) = labels.iter().find(|&&label| label >= classes) {
            let remedy = format!("use labels below {classes}");
            return Err(Error::setting("label", label, "the label is out of range", remedy));
        }
        Ok(Self {
            name: name.to_string(),
            sha256: String::new(),
            inputs: Inputs::Features { shape: InputShape::Features(inputs), values: features },
            targets: Targets::Classes { classes, labels },
            notes: DataNotes::numbered(classes),
        })
    }

    /// A dataset with numbers for targets: `features` row-major with `inputs` in each row, and
    /// `values` with `outputs` in each row.
    ///
    /// # Errors
    /// [`Error::Length`] if the lengths do not fit.
    pub fn from_values(
        name: &str,
        features: Vec<f64>,
        inputs: usize,
        values: Vec<f64>,
        outputs: usize,
    ) -> Result<Self> {
        let samples = values.len() / outputs.max(1);
        check_length("target array", values.len(), samples * outputs)?;
        check_length("feature array", features.len(), inputs * samples)?;
        Ok(Self {
            name: name.to_string(),
            sha256: String::new(),
            inputs: Inputs::Features { shape: InputShape::Features(inputs), values: features },
            targets: Targets::Values { outputs, values },
            notes: DataNotes::default(),
        })
    }

    /// Windows of `context` characters of a text that predict, after each character, the next;
    /// the vocabulary is its characters, sorted.
    ///
    /// # Errors
    /// [`Error::Setting`] if the text does not fill a window and the character after it, or
    /// the context is zero.
    pub fn from_text(name: &str, text: &str, context: usize) -> Result<Self> {
        let (vocabulary, tokens) = super::text::tokens(text);
        if context == 0 || tokens.len() <= context {
            let problem = format!("'{name}' has {} characters", tokens.len());
            let remedy = "give 1 or more, and fewer than the text has";
            return Err(Error::setting("model.context", context, problem, remedy));
        }
        Ok(Self {
            name: name.to_string(),
            sha256: String::new(),
            inputs: Inputs::Tokens { vocabulary, context, tokens },
            targets: Targets::NextToken,
            notes: DataNotes::default(),
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        match &self.inputs {
            Inputs::Features { shape, values } => values.len() / shape.len().max(1),
            Inputs::Images { shape, pixels } => pixels.len() / shape.len().max(1),
            Inputs::Tokens { context, tokens, .. } => tokens.len().saturating_sub(1) / context,
        }
    }

    /// True without samples.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The shape of one sample's inputs.
    pub fn input_shape(&self) -> InputShape {
        match &self.inputs {
            Inputs::Features { shape, .. } | Inputs::Images { shape, .. } => *shape,
            Inputs::Tokens { vocabulary, context, .. } => {
                InputShape::Tokens { vocabulary: vocabulary.len(), context: *context }
            }
        }
    }

    /// Outputs that a model needs: classes, numbers or different tokens.
    pub fn outputs(&self) -> usize {
        match (&self.targets, &self.inputs) {
            (Targets::Classes { classes, .. }, _) => *classes,
            (Targets::Values { outputs, .. }, _) => *outputs,
            (Targets::NextToken, Inputs::Tokens { vocabulary, .. }) => vocabulary.len(),
            (Targets::NextToken, _) => 0,
        }
    }

    /// Features of a sample; none for text.
    pub fn features(&self, sample: usize) -> Cow<'_, [f64]> {
        let row = |width: usize| sample * width..(sample + 1) * width;
        match &self.inputs {
            Inputs::Features { shape, values } => Cow::Borrowed(&values[row(shape.len())]),
            Inputs::Images { shape, pixels } => {
                pixels[row(shape.len())].iter().map(|&pixel| brightness(pixel)).collect()
            }
            Inputs::Tokens { .. } => Cow::Borrowed(&[]),
        }
    }

    /// One feature of a sample.
    pub(super) fn feature(&self, sample: usize, column: usize) -> f64 {
        match &self.inputs {
            Inputs::Images { shape, pixels } => brightness(pixels[sample * shape.len() + column]),
            _ => self.features(sample)[column],
        }
    }

    /// Tokens of a window and the one after it, `context + 1` of them; none where there is no text.
    pub fn window(&self, sample: usize) -> &[usize] {
        match &self.inputs {
            Inputs::Tokens { context, tokens, .. } => {
                &tokens[sample * context..=(sample + 1) * context]
            }
            _ => &[],
        }
    }

    /// Class of a sample, where there are classes.
    pub fn label(&self, sample: usize) -> Option<usize> {
        match &self.targets {
            Targets::Classes { labels, .. } => Some(labels[sample]),
            _ => None,
        }
    }

    /// Numbers to be predicted of a sample; none where those are classes or tokens.
    pub fn values(&self, sample: usize) -> &[f64] {
        match &self.targets {
            Targets::Values { outputs, values } => {
                &values[sample * outputs..(sample + 1) * outputs]
            }
            _ => &[],
        }
    }

    /// Replaces every feature x of every sample by `f(column, x)`.
    pub(super) fn map_features(&mut self, f: impl Fn(usize, f64) -> f64) {
        if let Inputs::Images { shape, pixels } = &self.inputs {
            let values = pixels.iter().map(|&pixel| brightness(pixel)).collect();
            self.inputs = Inputs::Features { shape: *shape, values };
        }
        if let Inputs::Features { shape, values } = &mut self.inputs {
            let width = shape.len();
            for (i, x) in values.iter_mut().enumerate() {
                *x = f(i % width, *x);
            }
        }
    }

    /// Replaces every number y to be predicted by `f(column, y)`.
    pub(super) fn map_values(&mut self, f: impl Fn(usize, f64) -> f64) {
        if let Targets::Values { outputs, values } = &mut self.targets {
            for (i, y) in values.iter_mut().enumerate() {
                *y = f(i % *outputs, *y);
            }
        }
    }
}

/// A pixel's byte as a number from 0 to 1.
fn brightness(pixel: u8) -> f64 {
    const BRIGHTEST: f64 = 255.0;
    f64::from(pixel) / BRIGHTEST
}
