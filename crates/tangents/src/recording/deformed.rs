//! The gradients of a deformable convolution.

use burn::tensor::ops::{DeformConv2dBackward, DeformConvOptions, FloatTensor};

use super::Recording;
use super::tensor::{LinearTensor, RecordedTensor};
use crate::Elementwise;

const NAME: &str = "a deformable convolution's gradient";

/// Input, offset, weight, mask, bias and the output's gradient.
type Arguments<T> = [Option<T>; 6];

/// The gradients, of which at most one argument is linear.
pub(super) fn backward<B: Elementwise>(
    arguments: Arguments<RecordedTensor<B>>,
    options: DeformConvOptions<2>,
) -> DeformConv2dBackward<Recording<B>> {
    let mut changing: Option<(usize, LinearTensor<B>)> = None;
    let mut at = 0;
    let known: Arguments<FloatTensor<B>> = arguments.map(|argument| {
        at += 1;
        match argument {
            Some(RecordedTensor::Linear(tensor)) if changing.is_none() => {
                changing = Some((at - 1, tensor));
                None
            }
            argument => argument.map(|argument| argument.known(NAME)),
        }
    });
    let gradients = move |arguments: Arguments<FloatTensor<B>>| {
        let [x, offset, weight, mask, bias, grad] = arguments;
        let [x, offset, weight, grad] =
            [x, offset, weight, grad].map(|argument| argument.expect("it is no option"));
        let found = B::deform_conv2d_backward(x, offset, weight, mask, bias, grad, options.clone());
        let DeformConv2dBackward { x_grad, offset_grad, weight_grad, mask_grad, bias_grad } = found;
        [Some(x_grad), Some(offset_grad), Some(weight_grad), mask_grad, bias_grad]
    };
    let [x, offset, weight, mask, bias] = match changing {
        None => gradients(known).map(|gradient| gradient.map(RecordedTensor::Known)),
        Some((place, tensor)) => {
            let present = [true, true, true, known[3].is_some() || place == 3, known[4].is_some()];
            let one = |wanted: usize| {
                let (gradients, known) = (gradients.clone(), known.clone());
                present[wanted].then(|| {
                    tensor.clone().each(move |tensor| {
                        let mut arguments = known.clone();
                        arguments[place] = Some(tensor);
                        gradients(arguments)[wanted].take().expect("a gradient of what is given")
                    })
                })
            };
            [0, 1, 2, 3, 4].map(one)
        }
    };
    let [x, offset, weight] = [x, offset, weight].map(|gradient| gradient.expect("always there"));
    DeformConv2dBackward::new(x, offset, weight, mask, bias)
}
