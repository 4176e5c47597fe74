//! Architectures as JSON, and the presets built into the binary.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{Activation, Initialisation};
use crate::error::{Error, Result};
use crate::input;

/// An architecture, without the input and output sizes, which come from the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", from = "ModelFields")]
pub enum ModelSpec {
    /// A multilayer perceptron.
    Mlp(MlpSpec),
}

/// A multilayer perceptron.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MlpSpec {
    /// Widths of the hidden layers; none for a linear model.
    pub hidden: Vec<usize>,
    /// The nonlinearity after each hidden layer.
    pub activation: Activation,
    /// Whether layers have biases.
    pub bias: bool,
    /// How the initial weights are drawn.
    pub init: Initialisation,
}

/// The JSON object as read. serde's own tagged enums forget on which line a key stood.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFields {
    kind: Kind,
    hidden: Vec<usize>,
    #[serde(default = "default_activation")]
    activation: Activation,
    #[serde(default = "default_bias")]
    bias: bool,
    #[serde(default)]
    init: Initialisation,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Mlp,
}

impl From<ModelFields> for ModelSpec {
    fn from(fields: ModelFields) -> Self {
        match fields.kind {
            Kind::Mlp => ModelSpec::Mlp(MlpSpec {
                hidden: fields.hidden,
                activation: fields.activation,
                bias: fields.bias,
                init: fields.init,
            }),
        }
    }
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
        if !input::looks_like_file(name_or_file) {
            return Err(Error::unknown_name("model", name_or_file, &preset_names()));
        }
        let path = Path::new(name_or_file);
        let remedy = format!("give a JSON file or one of {}", preset_names().join(", "));
        Self::parse(&input::read_text(path, &remedy)?, path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        const REMEDY: &str =
            r#"write an object such as {"kind": "mlp", "hidden": [64, 64], "activation": "tanh"}"#;
        let spec: ModelSpec = input::parse_json(text, path, REMEDY)?;
        spec.validate()?;
        Ok(spec)
    }

    /// Number of parameters for these input and output sizes.
    ///
    /// # Errors
    /// [`Error::Setting`] if there are more than can be handled.
    pub fn parameters(&self, inputs: usize, outputs: usize) -> Result<usize> {
        let ModelSpec::Mlp(mlp) = self;
        let layer = |(fan_in, fan_out): (usize, usize)| {
            fan_out.saturating_mul(fan_in.saturating_add(usize::from(mlp.bias)))
        };
        let sizes = mlp.layer_sizes(inputs, outputs);
        let parameters = sizes.map(layer).fold(0, usize::saturating_add);
        if parameters > MOST_PARAMETERS {
            let problem = format!("more than {MOST_PARAMETERS} parameters");
            let shown = format!("{:?}", mlp.hidden);
            return Err(Error::setting("model.hidden", shown, problem, "use narrower layers"));
        }
        Ok(parameters)
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Setting`] for a width of zero.
    pub fn validate(&self) -> Result<()> {
        let ModelSpec::Mlp(mlp) = self;
        let shown = format!("{:?}", mlp.hidden);
        if mlp.hidden.contains(&0) {
            let remedy = "give every hidden layer a width of at least 1";
            return Err(Error::setting("model.hidden", shown, "a width is zero", remedy));
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
