//! A decoder-only transformer over characters: learned positions, LayerNorm before attention and
//! before the perceptron (pre-LN), causal attention, GELU.
//!
//! A block is PyTorch's `nn.TransformerEncoderLayer(width, heads, 4 * width, dropout=0,
//! activation="gelu", batch_first=True, norm_first=True)` under a causal mask, with its names and
//! layouts.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Bool, Int, Tensor};
use serde::Serialize;

use super::architecture::{Architecture, Missing, checked, unreadable, zero};
use super::keys::keys;
use super::layers::{Embedding, LayerNorm, Linear, affine};
use super::tensors::{ParameterTensor, Start, layer, tensor};
use super::{Activation, Initialisation, NetworkInputs};
use crate::data::InputShape;
use crate::device::Placement;
use crate::error::{Error, Result};

/// A transformer language model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TransformerSpec {
    /// Blocks.
    pub layers: usize,
    /// Attention heads in each; the width is a multiple of them.
    pub heads: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Tokens that it sees at once.
    pub context: usize,
    /// Whether the head is the embedding's table.
    pub tied: bool,
    /// How the initial weights of linear layers are drawn.
    pub init: Initialisation,
}

/// The perceptron in a block is this many times wider than the residual stream.
const EXPANSION: usize = 4;
/// Deviation of the initial embeddings and positions (Radford et al. 2019).
const EMBEDDING_DEVIATION: f64 = 0.02;

keys! {
    /// The keys of a transformer.
    struct TransformerKeys {
        layers: usize,
        heads: usize,
        width: usize,
        context: usize,
        tied: bool,
    }
}

/// Different tokens, and tokens in a window, of text.
fn text(inputs: InputShape) -> Option<(usize, usize)> {
    match inputs {
        InputShape::Tokens { vocabulary, context } => Some((vocabulary, context)),
        _ => None,
    }
}

impl TransformerSpec {
    fn tensors_of(&self, vocabulary: usize) -> Vec<ParameterTensor> {
        let (width, init) = (self.width, self.init);
        let table = Start::Normal { deviation: EMBEDDING_DEVIATION };
        let norm = |name: &str| {
            let part = |part: &str, value| {
                tensor(&format!("{name}.{part}"), &[width], Start::Constant(value))
            };
            [part("weight", 1.0), part("bias", 0.0)]
        };
        let mut tensors = vec![
            tensor("embedding.weight", &[vocabulary, width], table),
            tensor("positions.weight", &[self.context, width], table),
        ];
        for i in 0..self.layers {
            let name = |part: &str| format!("blocks.{i}.{part}");
            let projection = Start::Weight { init, fan_in: width, fan_out: width };
            let three = width.saturating_mul(3);
            let inner = width.saturating_mul(EXPANSION);
            tensors.extend([
                tensor(&name("self_attn.in_proj_weight"), &[three, width], projection),
                tensor(&name("self_attn.in_proj_bias"), &[three], Start::Constant(0.0)),
            ]);
            tensors.extend(layer(&name("self_attn.out_proj"), &[width, width], true, init));
            tensors.extend(layer(&name("linear1"), &[inner, width], true, init));
            tensors.extend(layer(&name("linear2"), &[width, inner], true, init));
            tensors.extend(norm(&name("norm1")));
            tensors.extend(norm(&name("norm2")));
        }
        tensors.extend(norm("norm"));
        if !self.tied {
            tensors.extend(layer("head", &[vocabulary, width], false, init));
        }
        tensors
    }
}

impl Architecture for TransformerSpec {
    type Keys = TransformerKeys;
    type Network<B: Backend> = Transformer<B>;

    fn from_keys(
        keys: TransformerKeys,
        init: Initialisation,
    ) -> std::result::Result<Self, Missing> {
        Ok(Self {
            layers: keys.layers.unwrap_or(1),
            heads: keys.heads.unwrap_or(2),
            width: keys.width.unwrap_or(32),
            context: keys.context.unwrap_or(32),
            tied: keys.tied.unwrap_or(false),
            init,
        })
    }

    fn validate(&self) -> Result<()> {
        let sizes = [("width", self.width), ("heads", self.heads), ("context", self.context)];
        if let Some((key, _)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(zero(&format!("model.{key}"), "0".to_string(), "give 1 or more"));
        }
        if !self.width.is_multiple_of(self.heads) {
            let problem = format!("{} heads do not divide it", self.heads);
            let (key, width) = self.width();
            let remedy = "make the width a multiple of the heads";
            return Err(Error::setting(key, width, problem, remedy));
        }
        Ok(())
    }

    /// Under the names of the PyTorch modules that they load into.
    fn tensors(&self, inputs: InputShape, _: usize) -> Result<Vec<ParameterTensor>> {
        let Some((vocabulary, context)) = text(inputs) else {
            return Err(unreadable(self, inputs, "text", "use shakespeare"));
        };
        if context > self.context {
            let problem = format!("the data are windows of {context} tokens");
            let remedy = "make the model's context as long";
            return Err(Error::setting("model.context", self.context, problem, remedy));
        }
        Ok(self.tensors_of(vocabulary))
    }

    /// In a block's perceptron, the logits, or the attention of each token of the window to each.
    fn largest_activation(&self, inputs: InputShape, _: usize) -> usize {
        let (vocabulary, context) = checked(text(inputs));
        let row = self.width.saturating_mul(EXPANSION).max(vocabulary);
        context.saturating_mul(row.max(self.heads.saturating_mul(context)))
    }

    fn context(&self) -> Option<usize> {
        Some(self.context)
    }

    fn layers(&self) -> usize {
        self.layers
    }

    fn width(&self) -> (&'static str, String) {
        ("model.width", self.width.to_string())
    }

    fn network<B: Backend>(
        &self,
        inputs: InputShape,
        _: usize,
        placement: &Placement<B::Device>,
    ) -> Transformer<B> {
        let (vocabulary, _) = checked(text(inputs));
        Transformer::zeros(self, vocabulary, placement)
    }

    fn forward<B: Backend>(network: &Transformer<B>, inputs: NetworkInputs<B>) -> Tensor<B, 2> {
        network.forward(inputs.tokens())
    }
}

/// The transformer as a burn module.
#[derive(Module, Debug)]
pub struct Transformer<B: Backend> {
    embedding: Embedding<B>,
    positions: Embedding<B>,
    blocks: Vec<Block<B>>,
    norm: LayerNorm<B>,
    head: Option<Linear<B>>,
}

#[derive(Module, Debug)]
struct Block<B: Backend> {
    self_attn: SelfAttention<B>,
    linear1: Linear<B>,
    linear2: Linear<B>,
    norm1: LayerNorm<B>,
    norm2: LayerNorm<B>,
}

#[derive(Module, Debug)]
struct SelfAttention<B: Backend> {
    in_proj_weight: Param<Tensor<B, 2>>,
    in_proj_bias: Param<Tensor<B, 1>>,
    out_proj: Linear<B>,
    #[module(skip)]
    heads: usize,
}

impl<B: Backend> Transformer<B> {
    /// A transformer with all parameters zero.
    pub fn zeros(
        spec: &TransformerSpec,
        vocabulary: usize,
        placement: &Placement<B::Device>,
    ) -> Self {
        let width = spec.width;
        let linear = |fan_in, fan_out, bias| Linear::zeros(fan_in, fan_out, bias, placement);
        let block = || Block {
            self_attn: SelfAttention {
                in_proj_weight: Param::from_tensor(placement.zeros([3 * width, width])),
                in_proj_bias: Param::from_tensor(placement.zeros([3 * width])),
                out_proj: linear(width, width, true),
                heads: spec.heads,
            },
            linear1: linear(width, EXPANSION * width, true),
            linear2: linear(EXPANSION * width, width, true),
            norm1: LayerNorm::zeros(width, placement),
            norm2: LayerNorm::zeros(width, placement),
        };
        Self {
            embedding: Embedding::zeros(vocabulary, width, placement),
            positions: Embedding::zeros(spec.context, width, placement),
            blocks: (0..spec.layers).map(|_| block()).collect(),
            norm: LayerNorm::zeros(width, placement),
            head: (!spec.tied).then(|| linear(width, vocabulary, false)),
        }
    }

    /// Logits `[windows * context, vocabulary]` of the token after each one, for `tokens` of
    /// `[windows, context]`.
    pub fn forward(&self, tokens: Tensor<B, 2, Int>) -> Tensor<B, 2> {
        let [windows, context] = tokens.dims();
        let embedded = self.embedding.forward(tokens.reshape([windows * context]));
        let [_, width] = embedded.dims();
        let positions = self.positions.table().slice([0..context, 0..width]);
        let stream: Tensor<B, 3> = embedded.reshape([windows, context, width]);
        let mut x = (stream + positions.unsqueeze()).reshape([windows * context, width]);
        let future = masked(context, &x);
        for block in &self.blocks {
            x = block.forward(x, [windows, context], &future);
        }
        let x = self.norm.forward(x);
        match &self.head {
            Some(head) => head.forward(x),
            None => affine(x, self.embedding.table(), None),
        }
    }
}

impl<B: Backend> Block<B> {
    fn forward(&self, x: Tensor<B, 2>, shape: [usize; 2], future: &Tensor<B, 4>) -> Tensor<B, 2> {
        let x = x.clone() + self.self_attn.forward(self.norm1.forward(x), shape, future);
        let inner = Activation::Gelu.forward(self.linear1.forward(self.norm2.forward(x.clone())));
        x + self.linear2.forward(inner)
    }
}

impl<B: Backend> SelfAttention<B> {
    fn forward(
        &self,
        x: Tensor<B, 2>,
        [windows, context]: [usize; 2],
        future: &Tensor<B, 4>,
    ) -> Tensor<B, 2> {
        let [rows, width] = x.dims();
        let size = width / self.heads;
        let projected = affine(x, self.in_proj_weight.val(), Some(self.in_proj_bias.val()));
        let [queries, keys, values] = [0, 1, 2].map(|i| {
            let part = projected.clone().slice([0..rows, i * width..(i + 1) * width]);
            part.reshape([windows, context, self.heads, size]).swap_dims(1, 2)
        });
        // Not a division: burn's derivative of that takes the reciprocal in single precision.
        let queries = queries * (size as f64).sqrt().recip();
        let scores: Tensor<B, 4> = queries.matmul(keys.transpose()) + future.clone();
        let weights = attention_weights(scores);
        let mixed = weights.matmul(values).swap_dims(1, 2).reshape([rows, width]);
        self.out_proj.forward(mixed)
    }
}

/// What is added to the scores, `[1, 1, context, context]`: nothing, or for tokens to come what exp makes
/// zero of in either precision, without the infinities that make 0 * inf. The score itself is lost in its
/// rounding or below it, and its derivative is multiplied by that zero.
fn masked<B: Backend>(context: usize, like: &Tensor<B, 2>) -> Tensor<B, 4> {
    const MASKED: f64 = -1e9;
    let future = Tensor::<B, 2, Bool>::tril_mask([context, context], 0, &like.device());
    let zeros = Tensor::zeros([context, context], (&like.device(), like.dtype()));
    zeros.mask_fill(future, MASKED).unsqueeze()
}

/// softmax along the last axis. burn's own divides each exponential, and its derivative does so again and
/// more; here there is a reciprocal for each row.
fn attention_weights<B: Backend>(scores: Tensor<B, 4>) -> Tensor<B, 4> {
    // A shift changes nothing: no derivative goes through it.
    let largest = scores.clone().detach().max_dim(3);
    let exp = (scores - largest).exp();
    exp.clone() * exp.sum_dim(3).recip()
}
