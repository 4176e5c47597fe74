//! Layers made of operations that can be differentiated twice, with PyTorch's names and layouts.
//! burn's own `nn::Linear` and `nn::Embedding` cannot be.

use burn::module::{Module, Param};
use burn::tensor::backend::Backend;
use burn::tensor::{Int, Tensor};

use crate::device::Placement;

/// x W' + b.
#[derive(Module, Debug)]
pub(super) struct Linear<B: Backend> {
    weight: Param<Tensor<B, 2>>,
    bias: Option<Param<Tensor<B, 1>>>,
}

impl<B: Backend> Linear<B> {
    /// All parameters zero.
    pub fn zeros(
        fan_in: usize,
        fan_out: usize,
        bias: bool,
        placement: &Placement<B::Device>,
    ) -> Self {
        Self {
            weight: Param::from_tensor(placement.zeros([fan_out, fan_in])),
            bias: bias.then(|| Param::from_tensor(placement.zeros([fan_out]))),
        }
    }

    /// `[rows, out]` for `[rows, in]`.
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        affine(x, self.weight.val(), self.bias.as_ref().map(Param::val))
    }
}

/// x W' + b for a weight `[out, in]`.
pub(super) fn affine<B: Backend>(
    x: Tensor<B, 2>,
    weight: Tensor<B, 2>,
    bias: Option<Tensor<B, 1>>,
) -> Tensor<B, 2> {
    let product = x.matmul(weight.transpose());
    match bias {
        Some(bias) => product + bias.unsqueeze(),
        None => product,
    }
}

/// Rows of a table.
#[derive(Module, Debug)]
pub(super) struct Embedding<B: Backend> {
    weight: Param<Tensor<B, 2>>,
}

impl<B: Backend> Embedding<B> {
    /// A table of zeros.
    pub fn zeros(rows: usize, width: usize, placement: &Placement<B::Device>) -> Self {
        Self { weight: Param::from_tensor(placement.zeros([rows, width])) }
    }

    /// The rows with these numbers, `[ids, width]`.
    pub fn forward(&self, ids: Tensor<B, 1, Int>) -> Tensor<B, 2> {
        self.weight.val().select(0, ids)
    }

    /// The whole table, `[rows, width]`.
    pub fn table(&self) -> Tensor<B, 2> {
        self.weight.val()
    }
}

/// Normalisation of each row to mean 0 and variance 1, then a scale and a shift for each column
/// (Ba et al. 2016), with the variance over n and 1e-5 under the root, as in PyTorch.
#[derive(Module, Debug)]
pub(super) struct LayerNorm<B: Backend> {
    weight: Param<Tensor<B, 1>>,
    bias: Param<Tensor<B, 1>>,
}

impl<B: Backend> LayerNorm<B> {
    const EPSILON: f64 = 1e-5;

    /// All parameters zero.
    pub fn zeros(width: usize, placement: &Placement<B::Device>) -> Self {
        Self {
            weight: Param::from_tensor(placement.zeros([width])),
            bias: Param::from_tensor(placement.zeros([width])),
        }
    }

    /// `[rows, width]` for `[rows, width]`.
    pub fn forward(&self, x: Tensor<B, 2>) -> Tensor<B, 2> {
        let centred = x.clone() - x.mean_dim(1);
        let variance = centred.clone().square().mean_dim(1) + Self::EPSILON;
        // Quotients that are as many as there are rows, and no more.
        let inverse = variance.sqrt().recip();
        centred * inverse * self.weight.val().unsqueeze() + self.bias.val().unsqueeze()
    }
}
