//! Hidden layers of a network on the host, one sample at a time.

use std::ops::Range;

use crate::autodiff::ParameterLayout;
use crate::data::InputShape;
use crate::linalg::dot;
use crate::model::{Activation, ModelSpec, Pooling};

/// The hidden layers of a perceptron or of a convolutional network.
pub(super) struct Network {
    pub layers: Vec<Layer>,
    activation: Activation,
}

/// A hidden layer, and its place in the parameter vector.
pub(super) struct Layer {
    weight: usize,
    bias: usize,
    units: usize,
    /// Pre-activations that a unit has for a sample: one, or those of a channel's pixels.
    pub positions: usize,
    kind: Kind,
}

enum Kind {
    Dense { inputs: usize },
    Convolution { image: Image, pooling: Pooling },
}

#[derive(Clone, Copy)]
struct Image {
    channels: usize,
    height: usize,
    width: usize,
}

const KERNEL: usize = 3;

impl Network {
    /// The hidden layers of a model; or why their statistics cannot be repaired.
    pub fn of(
        model: &ModelSpec,
        inputs: InputShape,
        layout: &ParameterLayout,
    ) -> Result<Self, &'static str> {
        let (biases, activation) = match model {
            ModelSpec::Mlp(spec) => (spec.bias, spec.activation),
            ModelSpec::Cnn(spec) => (spec.bias, spec.activation),
            _ => {
                return Err(
                    "statistics are repaired in perceptrons and convolutional networks only",
                );
            }
        };
        if !biases {
            return Err("without biases no unit's mean can be moved");
        }
        let layers = match (model, inputs) {
            (ModelSpec::Mlp(spec), _) => {
                (0..spec.hidden.len()).map(|i| dense(layout, i)).collect::<Option<_>>()
            }
            (ModelSpec::Cnn(spec), InputShape::Image { channels, height, width }) => {
                let mut image = Image { channels, height, width };
                (0..spec.channels.len())
                    .map(|i| {
                        let layer = convolution(layout, i, image, spec.pooling)?;
                        image = image.halved(layer.units);
                        Some(layer)
                    })
                    .collect()
            }
            _ => None,
        };
        let Some(layers) = layers else { unreachable!("the model has these tensors and inputs") };
        Ok(Self { layers, activation })
    }

    /// What a layer hands on, of its pre-activations.
    pub fn behind(&self, layer: &Layer, pre: Vec<f64>) -> Vec<f64> {
        let mut x = pre;
        x.iter_mut().for_each(|z| *z = self.activation.of(*z));
        match layer.kind {
            Kind::Dense { .. } => x,
            Kind::Convolution { image, pooling } => {
                x.chunks(layer.positions).flat_map(|plane| image.pooled(plane, pooling)).collect()
            }
        }
    }
}

impl Layer {
    /// Pre-activations for an input, unit after unit.
    pub fn of(&self, theta: &[f64], x: &[f64]) -> Vec<f64> {
        let columns = match self.kind {
            Kind::Dense { .. } => x.to_vec(),
            Kind::Convolution { image, .. } => image.patches(x),
        };
        let of = |unit: usize| {
            let (weights, bias) = (&theta[self.weights(unit)], theta[self.bias(unit)]);
            columns.chunks(self.inputs()).map(move |patch| dot(weights, patch) + bias)
        };
        (0..self.units).flat_map(of).collect()
    }

    /// Where a unit's weights are in the parameter vector.
    pub fn weights(&self, unit: usize) -> Range<usize> {
        let start = self.weight + unit * self.inputs();
        start..start + self.inputs()
    }

    /// Where a unit's bias is.
    pub fn bias(&self, unit: usize) -> usize {
        self.bias + unit
    }

    fn inputs(&self) -> usize {
        match self.kind {
            Kind::Dense { inputs } => inputs,
            Kind::Convolution { image, .. } => image.channels * KERNEL * KERNEL,
        }
    }
}

impl Image {
    /// What each pixel of a convolution reads, in the order of its weights: a row for each pixel. Beyond
    /// the border there are zeros.
    fn patches(self, x: &[f64]) -> Vec<f64> {
        let Self { channels, height, width } = self;
        let mut patches = Vec::with_capacity(x.len() * KERNEL * KERNEL);
        for (row, column) in (0..height).flat_map(|row| (0..width).map(move |c| (row, c))) {
            for plane in x.chunks(height * width).take(channels) {
                for (i, j) in (0..KERNEL).flat_map(|i| (0..KERNEL).map(move |j| (i, j))) {
                    let (r, c) = (row + i, column + j);
                    let inside = (1..=height).contains(&r) && (1..=width).contains(&c);
                    patches.push(if inside { plane[(r - 1) * width + c - 1] } else { 0.0 });
                }
            }
        }
        patches
    }

    /// A channel with 2x2 pixels made one; an odd row or column is dropped.
    fn pooled(self, plane: &[f64], pooling: Pooling) -> Vec<f64> {
        let (rows, columns) = (self.height / 2, self.width / 2);
        let four = |row: usize, column: usize| {
            let at = 2 * row * self.width + 2 * column;
            [plane[at], plane[at + 1], plane[at + self.width], plane[at + self.width + 1]]
        };
        let one = |four: [f64; 4]| match pooling {
            Pooling::Average => four.iter().sum::<f64>() / 4.0,
            Pooling::Max => four.into_iter().fold(f64::NEG_INFINITY, f64::max),
        };
        (0..rows).flat_map(|row| (0..columns).map(move |column| one(four(row, column)))).collect()
    }

    /// The image after a convolution of so many channels and a pooling.
    fn halved(self, channels: usize) -> Self {
        Self { channels, height: self.height / 2, width: self.width / 2 }
    }
}

fn dense(layout: &ParameterLayout, index: usize) -> Option<Layer> {
    let (weight, shape, bias) = places(layout, &format!("layers.{index}"))?;
    let [units, inputs] = shape[..] else { return None };
    Some(Layer { weight, bias, units, positions: 1, kind: Kind::Dense { inputs } })
}

fn convolution(
    layout: &ParameterLayout,
    index: usize,
    image: Image,
    pooling: Pooling,
) -> Option<Layer> {
    let (weight, shape, bias) = places(layout, &format!("convolutions.{index}"))?;
    let kind = Kind::Convolution { image, pooling };
    let positions = image.height * image.width;
    Some(Layer { weight, bias, units: *shape.first()?, positions, kind })
}

/// Where the weights of a layer begin, their shape, and where its biases begin.
fn places<'a>(layout: &'a ParameterLayout, layer: &str) -> Option<(usize, &'a [usize], usize)> {
    let find = |part: &str| {
        let name = format!("{layer}.{part}");
        layout.entries().iter().find(|entry| entry.name == name)
    };
    let (weight, bias) = (find("weight")?, find("bias")?);
    Some((weight.offset, &weight.shape, bias.offset))
}
