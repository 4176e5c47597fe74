//! Architectures as JSON, and the presets built into the binary.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Activation, Initialisation};
use crate::error::{Error, Result};

/// An architecture, without the input and output sizes, which come from the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ModelSpec {
    /// A multilayer perceptron.
    Mlp(MlpSpec),
}

/// A multilayer perceptron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MlpSpec {
    /// Widths of the hidden layers; none for a linear model.
    pub hidden: Vec<usize>,
    /// The nonlinearity after each hidden layer.
    #[serde(default = "default_activation")]
    pub activation: Activation,
    /// Whether layers have biases.
    #[serde(default = "default_bias")]
    pub bias: bool,
    /// How the initial weights are drawn.
    #[serde(default)]
    pub init: Initialisation,
}

fn default_activation() -> Activation {
    Activation::Tanh
}

fn default_bias() -> bool {
    true
}

/// Most parameters that a model may have: vectors are held on the host in double precision.
const MOST_PARAMETERS: usize = 100_000_000;

const PRESETS: [(&str, &str); 7] = [
    ("linear", include_str!("../../models/linear.json")),
    ("mlp", include_str!("../../models/mlp.json")),
    ("mlp-elu", include_str!("../../models/mlp-elu.json")),
    ("mlp-gelu", include_str!("../../models/mlp-gelu.json")),
    ("mlp-relu", include_str!("../../models/mlp-relu.json")),
    ("mlp-silu", include_str!("../../models/mlp-silu.json")),
    ("mlp-softplus", include_str!("../../models/mlp-softplus.json")),
];

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
        if !looks_like_file(name_or_file) {
            return Err(Error::unknown_name("model", name_or_file, &preset_names()));
        }
        let path = Path::new(name_or_file);
        let text = std::fs::read_to_string(path).map_err(|e| {
            let remedy = format!("give a JSON file or one of {}", preset_names().join(", "));
            Error::file(path, None, format!("cannot be read ({e})"), remedy)
        })?;
        Self::parse(&text, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let spec: ModelSpec = serde_json::from_str(text).map_err(|e| {
            Error::file(
                path,
                Some(e.line() as u64).filter(|&line| line > 0),
                describe_json_error(&e),
                "see the model files in the README",
            )
        })?;
        spec.validate()?;
        Ok(spec)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width of zero or more parameters than can be handled.
    pub fn validate(&self) -> Result<()> {
        let ModelSpec::Mlp(mlp) = self;
        let shown = format!("{:?}", mlp.hidden);
        if mlp.hidden.contains(&0) {
            let remedy = "give every hidden layer a width of at least 1";
            return Err(Error::setting("model.hidden", shown, "a width is zero", remedy));
        }
        let largest = mlp.hidden.windows(2).map(|w| w[0].saturating_mul(w[1])).max();
        let widest = mlp.hidden.iter().copied().max();
        if largest.max(widest).unwrap_or(0) > MOST_PARAMETERS {
            let problem = format!("more than {MOST_PARAMETERS} parameters");
            return Err(Error::setting("model.hidden", shown, problem, "use narrower layers"));
        }
        Ok(())
    }
}

impl MlpSpec {
    /// (fan in, fan out) of each layer.
    pub fn layer_sizes(
        &self,
        inputs: usize,
        outputs: usize,
    ) -> impl Iterator<Item = (usize, usize)> {
        let ends = self.hidden.iter().copied().chain([outputs]);
        [inputs].into_iter().chain(self.hidden.iter().copied()).zip(ends)
    }
}

/// Whether a name is meant as a path: it has a separator or an extension, or such a file exists.
pub(crate) fn looks_like_file(name: &str) -> bool {
    let path = Path::new(name);
    path.components().count() > 1 || path.extension().is_some() || path.is_file()
}

/// serde's message without its position, and with the nearest known key where one is unknown.
pub(crate) fn describe_json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let message = text.split(" at line ").next().unwrap_or(&text).to_string();
    let mut quoted = message.split('`').skip(1).step_by(2);
    let (Some(unknown), known) = (quoted.next(), quoted.collect::<Vec<_>>()) else {
        return message;
    };
    if !message.starts_with("unknown") {
        return message;
    }
    match crate::error::nearest(unknown, &known) {
        Some(nearest) => format!("{message} (did you mean `{nearest}`?)"),
        None => message,
    }
}
