//! Architectures by name or from files, the presets built into the binary, and what is asked of any.

use std::path::Path;

use super::keys::ModelFields;
use super::{AnalyticSpec, ModelSpec, ParameterTensor};
use crate::autodiff::UnitGroup;
use crate::data::InputShape;
use crate::error::{Error, Result};
use crate::input;
use crate::objective::ObjectiveSpec;

/// Most parameters that a model may have: vectors are held on the host in double precision.
const MOST_PARAMETERS: usize = 100_000_000;
/// Most layers: each has tensors of its own to be named and held.
const MOST_LAYERS: usize = 1000;
/// Most numbers in a tensor that one sample makes on its way through the model.
const MOST_ACTIVATIONS: usize = 1 << 28;

/// The presets built in: name and JSON.
macro_rules! presets {
    ($($name:literal),* $(,)?) => {
        const PRESETS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("../../models/", $name, ".json")))),*];
    };
}

presets!(
    "linear",
    "deep-linear",
    "mlp",
    "mlp-elu",
    "mlp-gelu",
    "mlp-relu",
    "mlp-silu",
    "mlp-softplus",
    "fc-tanh",
    "fc-relu",
    "cnn-tanh",
    "cnn-relu",
    "transformer-tiny",
    "transformer-small",
);

/// Names of the presets.
pub fn preset_names() -> Vec<&'static str> {
    PRESETS.iter().map(|(name, _)| *name).collect()
}

impl ModelSpec {
    /// The preset of that name, or the architecture in that JSON file.
    ///
    /// # Errors
    /// [`Error::UnknownName`] for a name that is neither, [`Error::File`] for a file that does not
    /// hold an architecture, naming the line.
    pub fn load(name_or_file: &str) -> Result<Self> {
        if let Some((_, text)) = PRESETS.iter().find(|(name, _)| *name == name_or_file) {
            return Self::parse(text, Path::new(name_or_file));
        }
        if !input::looks_like_file(name_or_file) {
            return Err(Error::unknown_name("model", name_or_file, &preset_names()));
        }
        let path = Path::new(name_or_file);
        let remedy = format!("give a JSON file or one of {}", preset_names().join(", "));
        Self::parse(&input::read_text(path, &remedy)?, path)
    }

    /// The architecture in the text of a file, whose path is for messages.
    pub(crate) fn parse(text: &str, path: &Path) -> Result<Self> {
        const REMEDY: &str =
            r#"write an object such as {"kind": "mlp", "hidden": [64, 64], "activation": "tanh"}"#;
        let fields: ModelFields = input::parse_json(text, path, REMEDY)?;
        let spec = fields.specification().map_err(|wrong| {
            let stands = |line: &str| line.contains(&format!("\"{}\"", wrong.key));
            let line = text.lines().position(stands).map(|line| line as u64 + 1);
            Error::file(path, line, wrong.problem, REMEDY)
        })?;
        spec.validate()?;
        Ok(spec)
    }

    /// The parameter tensors for these input and output sizes, in the order of the flat vector.
    ///
    /// # Errors
    /// [`Error::Setting`] if the model cannot read such inputs, or has more parameters than can be
    /// handled.
    pub fn tensors(&self, inputs: InputShape, outputs: usize) -> Result<Vec<ParameterTensor>> {
        let tensors = self.architecture().tensors(inputs, outputs)?;
        let parameters = tensors.iter().map(ParameterTensor::len).fold(0, usize::saturating_add);
        if parameters > MOST_PARAMETERS {
            let (key, width) = self.architecture().width();
            let problem = format!("more than {MOST_PARAMETERS} parameters");
            return Err(Error::setting(key, width, problem, "make it narrower"));
        }
        let largest = self.largest_activation(inputs, outputs);
        if largest > MOST_ACTIVATIONS {
            let problem = format!(
                "one sample makes a tensor of {largest} numbers, and {MOST_ACTIVATIONS} are the most"
            );
            let remedy = "give smaller samples or a smaller model";
            return Err(Error::setting("model", self.kind(), problem, remedy));
        }
        Ok(tensors)
    }

    /// Number of parameters for these input and output sizes.
    ///
    /// # Errors
    /// As [`ModelSpec::tensors`].
    pub fn parameters(&self, inputs: InputShape, outputs: usize) -> Result<usize> {
        Ok(self.tensors(inputs, outputs)?.iter().map(ParameterTensor::len).sum())
    }

    /// How many numbers one sample has in the largest tensor that a pass through the network makes.
    /// The sizes must have passed [`ModelSpec::tensors`].
    pub fn largest_activation(&self, inputs: InputShape, outputs: usize) -> usize {
        self.architecture().largest_activation(inputs, outputs)
    }

    /// Tokens that the model sees at once, if it reads text.
    pub fn context(&self) -> Option<usize> {
        self.architecture().context()
    }

    /// The hidden units that may change places, signs or scales without changing the function.
    pub fn unit_groups(&self) -> Vec<UnitGroup> {
        self.architecture().unit_groups()
    }

    /// The objective, where it is one that a formula gives: it has no samples, and its output is its loss.
    pub fn objective(&self) -> Option<&ObjectiveSpec> {
        match self {
            ModelSpec::Analytic(AnalyticSpec { objective }) => Some(objective),
            _ => None,
        }
    }

    /// Its kind, as in JSON.
    pub fn kind(&self) -> &'static str {
        self.architecture().kind()
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of zero, more layers than can be handled, or a width that its heads do
    /// not divide.
    pub fn validate(&self) -> Result<()> {
        let architecture = self.architecture();
        let layers = architecture.layers();
        if layers > MOST_LAYERS {
            let problem = format!("more than {MOST_LAYERS} layers");
            return Err(Error::setting("model", format!("{layers} layers"), problem, "give fewer"));
        }
        architecture.validate()
    }
}
