//! Rules of layers: a product of an input and a weight, and a bias.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{DeformConv2dBackward, DeformConvOptions, FloatTensor};
use burn::tensor::{Shape, TensorMetadata};

use crate::dual::{Pair, broadcast};
use crate::{DEFORMED_OFFSETS, DualTensor, no_rule};

/// `f(x, weight, bias)`: a product plus a bias, which is one number for each position along `axis`
/// of the output.
pub(crate) fn layer<B: Backend>(
    x: DualTensor<B>,
    weight: DualTensor<B>,
    bias: Option<DualTensor<B>>,
    axis: usize,
    f: impl Fn(FloatTensor<B>, FloatTensor<B>, Option<FloatTensor<B>>) -> FloatTensor<B>,
) -> DualTensor<B> {
    let (bias, dbias) = match bias {
        Some(bias) => (Some(bias.primal), bias.tangents),
        None => (None, Vec::new()),
    };
    let (x, w) = (x, weight);
    let primal = f(x.primal.clone(), w.primal.clone(), bias);
    let pair = Pair::new(x.tangents, w.tangents);
    if matches!(pair, Pair::Neither) {
        let mut shape = vec![1; primal.rank()];
        shape[axis] = primal.shape()[axis];
        let reshape = |db| B::float_reshape(db, Shape::from(shape.clone()));
        let tangents = dbias.into_iter().map(reshape).collect();
        let tangents = broadcast::<B>(tangents, &primal.shape());
        return DualTensor::of(primal, tangents);
    }
    let (x, w) = (x.primal, w.primal);
    // A bias enters as in the value itself: with one of the products.
    let tangents = match pair {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => {
            with_options(left, dbias).map(|(dx, db)| f(dx, w.clone(), db)).collect()
        }
        Pair::Right(right) => {
            with_options(right, dbias).map(|(dw, db)| f(x.clone(), dw, db)).collect()
        }
        Pair::Both(both) => with_options(both, dbias)
            .map(|((dx, dw), db)| B::float_add(f(dx, w.clone(), db), f(x.clone(), dw, None)))
            .collect(),
    };
    DualTensor::of(primal, tangents)
}

/// Each of `items` with its tangent of a bias, if it has tangents.
fn with_options<S, T>(items: Vec<S>, bias: Vec<T>) -> impl Iterator<Item = (S, Option<T>)> {
    assert!(
        bias.is_empty() || bias.len() == items.len(),
        "tangents: tensors with different numbers of tangents in one operation"
    );
    let bias = bias.into_iter().map(Some).chain(core::iter::repeat_with(|| None));
    items.into_iter().zip(bias)
}

/// The arguments of a deformable convolution but for the bias.
struct Deformed<B: Backend> {
    x: FloatTensor<B>,
    offset: FloatTensor<B>,
    weight: FloatTensor<B>,
    mask: Option<FloatTensor<B>>,
}

impl<B: Backend> Clone for Deformed<B> {
    fn clone(&self) -> Self {
        Self {
            x: self.x.clone(),
            offset: self.offset.clone(),
            weight: self.weight.clone(),
            mask: self.mask.clone(),
        }
    }
}

impl<B: Backend> Deformed<B> {
    fn output(self, bias: Option<FloatTensor<B>>, options: DeformConvOptions<2>) -> FloatTensor<B> {
        B::deform_conv2d(self.x, self.offset, self.weight, self.mask, bias, options)
    }
}

/// A sum of tangents; `None` for no terms.
type Sum<B> = Option<Vec<FloatTensor<B>>>;

fn add_to<B: Backend>(sum: &mut Sum<B>, terms: Vec<FloatTensor<B>>) {
    if terms.is_empty() {
        return;
    }
    *sum = Some(match sum.take() {
        None => terms,
        Some(sum) => match Pair::new(sum, terms) {
            Pair::Both(both) => both.into_iter().map(|(a, b)| B::float_add(a, b)).collect(),
            Pair::Left(one) | Pair::Right(one) => one,
            Pair::Neither => Vec::new(),
        },
    });
}

/// A deformable convolution: linear in each of input, weight and mask for given offsets.
pub(crate) fn deform_conv2d<B: Backend>(
    x: DualTensor<B>,
    offset: DualTensor<B>,
    weight: DualTensor<B>,
    mask: Option<DualTensor<B>>,
    bias: Option<DualTensor<B>>,
    options: DeformConvOptions<2>,
) -> DualTensor<B> {
    if !offset.is_constant() {
        no_rule(DEFORMED_OFFSETS);
    }
    let (mask, dmask) = mask.map(DualTensor::into_parts).unzip();
    let at = Deformed::<B> { x: x.primal, offset: offset.primal, weight: weight.primal, mask };
    let mut sum = None;
    for (k, tangents) in
        [x.tangents, weight.tangents, dmask.unwrap_or_default()].into_iter().enumerate()
    {
        let term = |tangent| at.clone().with(k, tangent).output(None, options.clone());
        add_to::<B>(&mut sum, tangents.into_iter().map(term).collect());
    }
    // The convolution itself does not change below: what is left is the bias.
    let (bias, dbias) = bias.map(DualTensor::into_parts).unzip();
    let primal: FloatTensor<B> = at.output(bias, options);
    let channels = Shape::new([1, primal.shape()[1], 1, 1]);
    let reshape = |db| B::float_reshape(db, channels.clone());
    let dbias = dbias.unwrap_or_default().into_iter().map(reshape).collect();
    add_to::<B>(&mut sum, broadcast::<B>(dbias, &primal.shape()));
    DualTensor::of(primal, sum.unwrap_or_default())
}

impl<B: Backend> Deformed<B> {
    /// The arguments with one that the output is linear in replaced by its tangent.
    fn with(mut self, argument: usize, tangent: FloatTensor<B>) -> Self {
        match argument {
            0 => self.x = tangent,
            1 => self.weight = tangent,
            _ => self.mask = Some(tangent),
        }
        self
    }
}

/// The gradients of a deformable convolution: each is linear in those of the input, the weight, the
/// mask and the output's gradient that it depends on, for given offsets.
#[allow(clippy::too_many_arguments)]
pub(crate) fn deform_conv2d_backward<B: Backend, F>(
    x: DualTensor<B>,
    offset: DualTensor<B>,
    weight: DualTensor<B>,
    mask: Option<DualTensor<B>>,
    bias: Option<DualTensor<B>>,
    output_grad: DualTensor<B>,
    options: DeformConvOptions<2>,
) -> DeformConv2dBackward<F>
where
    F: Backend<FloatTensorPrimitive = DualTensor<B>>,
{
    if !offset.is_constant() {
        no_rule(DEFORMED_OFFSETS);
    }
    let (mask, dmask) = mask.map(DualTensor::into_parts).unzip();
    let bias = bias.map(|bias| bias.primal);
    let at = Deformed::<B> { x: x.primal, offset: offset.primal, weight: weight.primal, mask };
    let backward = |at: Deformed<B>, grad| {
        let (bias, options) = (bias.clone(), options.clone());
        B::deform_conv2d_backward(at.x, at.offset, at.weight, at.mask, bias, grad, options)
    };
    let mut sums: [Sum<B>; 5] = [const { None }; 5];
    let arguments = [x.tangents, weight.tangents, dmask.unwrap_or_default(), output_grad.tangents];
    for (k, tangents) in arguments.into_iter().enumerate() {
        let mut terms: [Vec<FloatTensor<B>>; 5] = [const { Vec::new() }; 5];
        for tangent in tangents {
            let grads = match k {
                3 => backward(at.clone(), tangent),
                _ => backward(at.clone().with(k, tangent), output_grad.primal.clone()),
            };
            // The gradient of an argument does not depend on that argument.
            let grads = [
                (k != 0).then_some(grads.x_grad),
                Some(grads.offset_grad),
                (k != 1).then_some(grads.weight_grad),
                grads.mask_grad.filter(|_| k != 2),
                grads.bias_grad.filter(|_| k == 3),
            ];
            terms.iter_mut().zip(grads).for_each(|(terms, grad)| terms.extend(grad));
        }
        sums.iter_mut().zip(terms).for_each(|(sum, terms)| add_to::<B>(sum, terms));
    }
    let primal = backward(at, output_grad.primal);
    let [x, offset, weight, mask, bias] = sums.map(Option::unwrap_or_default);
    let dual = |primal, tangents| DualTensor::of(primal, tangents);
    DeformConv2dBackward::new(
        dual(primal.x_grad, x),
        dual(primal.offset_grad, offset),
        dual(primal.weight_grad, weight),
        primal.mask_grad.map(|grad| dual(grad, mask)),
        primal.bias_grad.map(|grad| dual(grad, bias)),
    )
}
