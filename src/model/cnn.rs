//! The convolutional network of Cohen et al. 2021: convolutions of 3x3 with an activation and 2x2
//! pooling after each, then one linear layer.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::ConvOptions;
use serde::{Deserialize, Serialize};

use super::architecture::{Architecture, Missing, checked, unreadable, zero};
use super::keys::keys;
use super::layers::Linear;
use super::tensors::{ParameterTensor, layer};
use super::{Activation, Initialisation, NetworkInputs};
use crate::data::InputShape;
use crate::device::Placement;
use crate::error::Result;

/// A convolutional network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CnnSpec {
    /// Channels after each convolution.
    pub channels: Vec<usize>,
    /// The nonlinearity after each convolution.
    pub activation: Activation,
    /// The pooling after each activation.
    pub pooling: Pooling,
    /// Whether layers have biases.
    pub bias: bool,
    /// How the initial weights are drawn.
    pub init: Initialisation,
}

/// How 2x2 pixels become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pooling {
    /// Their mean.
    Average,
    /// The largest, the derivative going to it alone.
    Max,
}

const KERNEL: usize = 3;

keys! {
    /// The keys of a convolutional network.
    struct CnnKeys {
        channels: Vec<usize>,
        activation: Activation,
        pooling: Pooling,
        bias: bool,
    }
}

/// Channels, rows and columns, of images.
fn image(inputs: InputShape) -> Option<[usize; 3]> {
    match inputs {
        InputShape::Image { channels, height, width } => Some([channels, height, width]),
        _ => None,
    }
}

impl CnnSpec {
    /// Rows and columns of pixels that are left after all poolings; an odd one is dropped each time.
    fn pooled(&self, height: usize, width: usize) -> (usize, usize) {
        self.channels.iter().fold((height, width), |(height, width), _| (height / 2, width / 2))
    }

    /// Inputs of the linear layer; zero for an image that is too small to be pooled so often.
    fn flat(&self, channels: usize, height: usize, width: usize) -> usize {
        let (rows, columns) = self.pooled(height, width);
        self.channels.last().unwrap_or(&channels).saturating_mul(rows).saturating_mul(columns)
    }
}

impl Architecture for CnnSpec {
    type Keys = CnnKeys;
    type Network<B: Backend> = Cnn<B>;

    fn from_keys(keys: CnnKeys, init: Initialisation) -> std::result::Result<Self, Missing> {
        Ok(Self {
            channels: keys.channels.unwrap_or_else(|| vec![32, 32]),
            activation: keys.activation.unwrap_or(Activation::Tanh),
            pooling: keys.pooling.unwrap_or(Pooling::Average),
            bias: keys.bias.unwrap_or(true),
            init,
        })
    }

    fn validate(&self) -> Result<()> {
        if self.channels.contains(&0) {
            let (key, shown) = self.width();
            return Err(zero(key, shown, "give every convolution at least 1 channel"));
        }
        Ok(())
    }

    /// `convolutions.N.weight` `[out, in, 3, 3]` and `.bias`, `head.weight` `[out, in]`, whose inputs
    /// come in the order channel, row, column, and `head.bias`.
    fn tensors(&self, inputs: InputShape, outputs: usize) -> Result<Vec<ParameterTensor>> {
        let Some([channels, height, width]) = image(inputs) else {
            let remedy = "use digits, fashion-mnist or other images";
            return Err(unreadable(self, inputs, "images", remedy));
        };
        let flat = self.flat(channels, height, width);
        if flat == 0 {
            let needs = "images that it can halve after each convolution";
            let remedy = "use fewer channels in the model's list, or larger images";
            return Err(unreadable(self, inputs, needs, remedy));
        }
        let mut tensors = Vec::new();
        let mut before = channels;
        for (i, &after) in self.channels.iter().enumerate() {
            let shape = [after, before, KERNEL, KERNEL];
            tensors.extend(layer(&format!("convolutions.{i}"), &shape, self.bias, self.init));
            before = after;
        }
        tensors.extend(layer("head", &[outputs, flat], self.bias, self.init));
        Ok(tensors)
    }

    /// Before a pooling, or where layers begin and end.
    fn largest_activation(&self, inputs: InputShape, outputs: usize) -> usize {
        let [mut channels, mut height, mut width] = checked(image(inputs));
        let mut largest = outputs;
        for &after in &self.channels {
            let pixels = height.saturating_mul(width);
            largest = largest.max(channels.max(after).saturating_mul(pixels));
            (channels, height, width) = (after, height / 2, width / 2);
        }
        largest
    }

    fn layers(&self) -> usize {
        self.channels.len()
    }

    fn width(&self) -> (&'static str, String) {
        ("model.channels", format!("{:?}", self.channels))
    }

    fn network<B: Backend>(
        &self,
        inputs: InputShape,
        outputs: usize,
        placement: &Placement<B::Device>,
    ) -> Cnn<B> {
        Cnn::zeros(self, checked(image(inputs)), outputs, placement)
    }

    fn forward<B: Backend>(network: &Cnn<B>, inputs: NetworkInputs<B>) -> Tensor<B, 2> {
        network.forward(inputs.features())
    }
}

/// The network as a burn module.
#[derive(Module, Debug)]
pub struct Cnn<B: Backend> {
    convolutions: Vec<Convolution<B>>,
    head: Linear<B>,
    #[module(skip)]
    image: [usize; 3],
    #[module(skip)]
    activation: Activation,
    #[module(skip)]
    pooling: Pooling,
}

#[derive(Module, Debug)]
struct Convolution<B: Backend> {
    weight: Param<Tensor<B, 4>>,
    bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Cnn<B> {
    /// A network with all parameters zero, for images of `[channels, height, width]`.
    pub fn zeros(
        spec: &CnnSpec,
        image: [usize; 3],
        outputs: usize,
        placement: &Placement<B::Device>,
    ) -> Self {
        let [channels, height, width] = image;
        let before = [channels].into_iter().chain(spec.channels.iter().copied());
        let convolutions = before
            .zip(&spec.channels)
            .map(|(before, &after)| Convolution {
                weight: Param::from_tensor(placement.zeros([after, before, KERNEL, KERNEL])),
                bias: spec.bias.then(|| Param::from_tensor(placement.zeros([after]))),
            })
            .collect();
        let flat = spec.flat(channels, height, width);
        Self {
            convolutions,
            head: Linear::zeros(flat, outputs, spec.bias, placement),
            image,
            activation: spec.activation,
            pooling: spec.pooling,
        }
    }

    /// Outputs `[samples, outputs]` for images as rows of numbers, `[samples, inputs]`.
    pub fn forward(&self, inputs: Tensor<B, 2>) -> Tensor<B, 2> {
        let [samples, _] = inputs.dims();
        let [channels, height, width] = self.image;
        let mut x = inputs.reshape([samples, channels, height, width]);
        for convolution in &self.convolutions {
            x = self.pooling.forward(self.activation.forward(convolution.forward(x)));
        }
        self.head.forward(x.flatten(1, 3))
    }
}

impl<B: Backend> Convolution<B> {
    /// Padded with a border of zeros, so that the image keeps its size.
    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let options = ConvOptions::new([1, 1], [KERNEL / 2; 2], [1, 1], 1);
        conv2d(x, self.weight.val(), self.bias.as_ref().map(Param::val), options)
    }
}

impl Pooling {
    /// Halves rows and columns. burn's own pooling cannot be differentiated twice.
    fn forward<B: Backend>(self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [samples, channels, height, width] = x.dims();
        let (rows, columns) = (height / 2, width / 2);
        let even = [0..samples, 0..channels, 0..2 * rows, 0..2 * columns];
        let x = if (2 * rows, 2 * columns) == (height, width) { x } else { x.slice(even) };
        let planes = samples * channels;
        let blocks: Tensor<B, 5> = x.reshape([planes, rows, 2, columns, 2]);
        let pooled = match self {
            Pooling::Average => blocks.mean_dim(4).mean_dim(2),
            Pooling::Max => {
                // One row of four, so that the first of equal ones is taken, as in PyTorch.
                let fours = blocks.swap_dims(2, 3).reshape([planes, rows, columns, 4, 1]);
                fours.max_dim(3)
            }
        };
        pooled.reshape([samples, channels, rows, columns])
    }
}
