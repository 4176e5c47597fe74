//! Architectures as JSON, and the presets built into the binary.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::{
    Activation, CnnSpec, Initialisation, MlpSpec, ParameterTensor, Pooling, TransformerSpec,
};
use crate::data::InputShape;
use crate::error::{Error, Result};
use crate::input;

/// An architecture, without the input and output sizes, which come from the data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", try_from = "ModelFields")]
pub enum ModelSpec {
    /// A multilayer perceptron.
    Mlp(MlpSpec),
    /// A convolutional network.
    Cnn(CnnSpec),
    /// A transformer language model.
    Transformer(TransformerSpec),
}

/// The JSON object as read, with the keys of every kind. serde's own tagged enums forget on which
/// line a key stood.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ModelFields {
    kind: Kind,
    #[serde(default)]
    init: Initialisation,
    hidden: Option<Vec<usize>>,
    activation: Option<Activation>,
    bias: Option<bool>,
    channels: Option<Vec<usize>>,
    pooling: Option<Pooling>,
    layers: Option<usize>,
    heads: Option<usize>,
    width: Option<usize>,
    context: Option<usize>,
    tied: Option<bool>,
}

#[derive(Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Mlp,
    Cnn,
    Transformer,
}

/// A key that its kind does not take, or that it lacks.
struct WrongKey {
    key: &'static str,
    problem: String,
}

impl TryFrom<ModelFields> for ModelSpec {
    type Error = String;

    fn try_from(fields: ModelFields) -> std::result::Result<Self, String> {
        Self::from_fields(fields).map_err(|wrong| wrong.problem)
    }
}

impl ModelSpec {
    fn from_fields(fields: ModelFields) -> std::result::Result<Self, WrongKey> {
        const MLP: [Kind; 1] = [Kind::Mlp];
        const CNN: [Kind; 1] = [Kind::Cnn];
        const LAYERED: [Kind; 2] = [Kind::Mlp, Kind::Cnn];
        const TRANSFORMER: [Kind; 1] = [Kind::Transformer];
        let given: [(&'static str, bool, &[Kind]); 10] = [
            ("hidden", fields.hidden.is_some(), &MLP),
            ("activation", fields.activation.is_some(), &LAYERED),
            ("bias", fields.bias.is_some(), &LAYERED),
            ("channels", fields.channels.is_some(), &CNN),
            ("pooling", fields.pooling.is_some(), &CNN),
            ("layers", fields.layers.is_some(), &TRANSFORMER),
            ("heads", fields.heads.is_some(), &TRANSFORMER),
            ("width", fields.width.is_some(), &TRANSFORMER),
            ("context", fields.context.is_some(), &TRANSFORMER),
            ("tied", fields.tied.is_some(), &TRANSFORMER),
        ];
        for (key, given, kinds) in given {
            if given && !kinds.contains(&fields.kind) {
                let kind = fields.kind.name();
                let own = given_to(fields.kind);
                let problem = format!("kind `{kind}` does not take `{key}`, but {own}");
                return Err(WrongKey { key, problem });
            }
        }
        let activation = fields.activation.unwrap_or(Activation::Tanh);
        let bias = fields.bias.unwrap_or(true);
        let init = fields.init;
        Ok(match fields.kind {
            Kind::Mlp => {
                let missing = || WrongKey { key: "kind", problem: "missing field `hidden`".into() };
                let hidden = fields.hidden.ok_or_else(missing)?;
                ModelSpec::Mlp(MlpSpec { hidden, activation, bias, init })
            }
            Kind::Cnn => ModelSpec::Cnn(CnnSpec {
                channels: fields.channels.unwrap_or_else(|| vec![32, 32]),
                activation,
                pooling: fields.pooling.unwrap_or(Pooling::Average),
                bias,
                init,
            }),
            Kind::Transformer => ModelSpec::Transformer(TransformerSpec {
                layers: fields.layers.unwrap_or(1),
                heads: fields.heads.unwrap_or(2),
                width: fields.width.unwrap_or(32),
                context: fields.context.unwrap_or(32),
                tied: fields.tied.unwrap_or(false),
                init,
            }),
        })
    }
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Mlp => "mlp",
            Kind::Cnn => "cnn",
            Kind::Transformer => "transformer",
        }
    }
}

/// The keys of a kind.
fn given_to(kind: Kind) -> &'static str {
    match kind {
        Kind::Mlp => "hidden, activation, bias, init",
        Kind::Cnn => "channels, activation, pooling, bias, init",
        Kind::Transformer => "layers, heads, width, context, tied, init",
    }
}

/// Most parameters that a model may have: vectors are held on the host in double precision.
const MOST_PARAMETERS: usize = 100_000_000;

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

    fn parse(text: &str, path: &Path) -> Result<Self> {
        const REMEDY: &str =
            r#"write an object such as {"kind": "mlp", "hidden": [64, 64], "activation": "tanh"}"#;
        let fields: ModelFields = input::parse_json(text, path, REMEDY)?;
        let spec = Self::from_fields(fields).map_err(|wrong| {
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
        let unreadable = |needs: &str, remedy: &str| {
            let problem = format!("it reads {needs}, and the data are {inputs}");
            Err(Error::setting("model", self.kind(), problem, remedy))
        };
        let tensors = match (self, inputs) {
            (ModelSpec::Mlp(_), InputShape::Tokens { .. }) => {
                return unreadable("numbers", "use a transformer, such as transformer-tiny");
            }
            (ModelSpec::Mlp(mlp), _) => mlp.tensors(inputs.len(), outputs),
            (ModelSpec::Cnn(cnn), InputShape::Image { channels, height, width }) => {
                if cnn.flat(channels, height, width) == 0 {
                    return unreadable(
                        "images that it can halve after each convolution",
                        "use fewer channels in the model's list, or larger images",
                    );
                }
                cnn.tensors([channels, height, width], outputs)
            }
            (ModelSpec::Cnn(_), _) => {
                return unreadable("images", "use digits, fashion-mnist or other images");
            }
            (ModelSpec::Transformer(transformer), InputShape::Tokens { vocabulary, context }) => {
                if context > transformer.context {
                    let problem = format!("the data are windows of {context} tokens");
                    let remedy = "make the model's context as long";
                    let shown = transformer.context;
                    return Err(Error::setting("model.context", shown, problem, remedy));
                }
                transformer.tensors(vocabulary)
            }
            (ModelSpec::Transformer(_), _) => return unreadable("text", "use shakespeare"),
        };
        let parameters = tensors.iter().map(ParameterTensor::len).fold(0, usize::saturating_add);
        if parameters > MOST_PARAMETERS {
            let problem = format!("more than {MOST_PARAMETERS} parameters");
            return Err(Error::setting(
                self.width_key(),
                self.widths(),
                problem,
                "make it narrower",
            ));
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
        match (self, inputs) {
            (ModelSpec::Cnn(cnn), InputShape::Image { channels, height, width }) => {
                cnn.largest_activation([channels, height, width], outputs)
            }
            (ModelSpec::Transformer(transformer), InputShape::Tokens { vocabulary, context }) => {
                transformer.largest_activation(vocabulary, context)
            }
            (ModelSpec::Mlp(mlp), _) => mlp.largest_activation(inputs.len(), outputs),
            (spec, inputs) => unreachable!("{spec:?} was checked against {inputs}"),
        }
    }

    /// Tokens that the model sees at once, if it reads text.
    pub fn context(&self) -> Option<usize> {
        match self {
            ModelSpec::Transformer(transformer) => Some(transformer.context),
            ModelSpec::Mlp(_) | ModelSpec::Cnn(_) => None,
        }
    }

    /// Its kind, as in JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            ModelSpec::Mlp(_) => Kind::Mlp.name(),
            ModelSpec::Cnn(_) => Kind::Cnn.name(),
            ModelSpec::Transformer(_) => Kind::Transformer.name(),
        }
    }

    fn width_key(&self) -> &'static str {
        match self {
            ModelSpec::Mlp(_) => "model.hidden",
            ModelSpec::Cnn(_) => "model.channels",
            ModelSpec::Transformer(_) => "model.width",
        }
    }

    fn widths(&self) -> String {
        match self {
            ModelSpec::Mlp(mlp) => format!("{:?}", mlp.hidden),
            ModelSpec::Cnn(cnn) => format!("{:?}", cnn.channels),
            ModelSpec::Transformer(transformer) => transformer.width.to_string(),
        }
    }

    /// Checks what the types cannot.
    ///
    /// # Errors
    /// [`Error::Setting`] for a size of zero, or a width that its heads do not divide.
    pub fn validate(&self) -> Result<()> {
        let zero = |key: &str, shown: String, remedy: &str| {
            Err(Error::setting(key, shown, "a size is zero", remedy))
        };
        match self {
            ModelSpec::Mlp(mlp) if mlp.hidden.contains(&0) => {
                let remedy = "give every hidden layer a width of at least 1";
                return zero(self.width_key(), self.widths(), remedy);
            }
            ModelSpec::Cnn(cnn) if cnn.channels.contains(&0) => {
                let remedy = "give every convolution at least 1 channel";
                return zero(self.width_key(), self.widths(), remedy);
            }
            ModelSpec::Transformer(t) => {
                let sizes = [("width", t.width), ("heads", t.heads), ("context", t.context)];
                if let Some((key, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
                    return zero(&format!("model.{key}"), "0".to_string(), "give 1 or more");
                }
            }
            _ => {}
        }
        match self {
            ModelSpec::Transformer(t) if t.width % t.heads != 0 => {
                let problem = format!("{} heads do not divide it", t.heads);
                let remedy = "make the width a multiple of the heads";
                Err(Error::setting("model.width", t.width, problem, remedy))
            }
            _ => Ok(()),
        }
    }
}
