//! Operations of neural-network layers.

use burn::tensor::backend::Backend;
use burn::tensor::ops::attention::attention_fallback;
use burn::tensor::ops::ctc::ctc_loss_default;
use burn::tensor::ops::{
    AttentionModuleOptions, BoolTensor, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, FloatTensor, FloatTensorOps, IntTensor, InterpolateOptions,
    MaxPool1dBackward, MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps,
    UnfoldOptions,
};
use burn::tensor::{Shape, TensorMetadata};

use crate::layers::{self, layer};
use crate::{DualTensor, Elementwise, Tangents};

/// Linear functions of the input.
macro_rules! linear {
    ($(fn $name:ident(x $(, $argument:ident: $type:ty)* $(,)?);)*) => {
        $(
            fn $name(x: FloatTensor<Self> $(, $argument: $type)*) -> FloatTensor<Self> {
                x.linear(|x| B::$name(x $(, $argument.clone())*))
            }
        )*
    };
}

/// Linear functions of the output's gradient, which depend on the input by its shape alone.
macro_rules! linear_in_gradient {
    ($(fn $name:ident(x, grad $(, $argument:ident: $type:ty)* $(,)?);)*) => {
        $(
            fn $name(
                x: FloatTensor<Self>,
                grad: FloatTensor<Self>
                $(, $argument: $type)*
            ) -> FloatTensor<Self> {
                grad.linear(|grad| B::$name(x.primal.clone(), grad $(, $argument.clone())*))
            }
        )*
    };
}

/// Convolutions: the layer and the gradients of its arguments.
macro_rules! convolutions {
    ($($layer:ident $weight:ident $bias:ident $options:ty;)*) => {
        $(
            fn $layer(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                bias: Option<FloatTensor<Self>>,
                options: $options,
            ) -> FloatTensor<Self> {
                layer(x, weight, bias, 1, |x, w, b| B::$layer(x, w, b, options.clone()))
            }

            fn $weight(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                output_grad: FloatTensor<Self>,
                options: $options,
            ) -> FloatTensor<Self> {
                x.bilinear(output_grad, |x, grad| {
                    B::$weight(x, weight.primal.clone(), grad, options.clone())
                })
            }

            fn $bias(
                x: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                output_grad: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                output_grad.linear(|grad| B::$bias(x.primal.clone(), bias.primal.clone(), grad))
            }
        )*
    };
}

/// The gradient of a convolution's input, which the input enters by its shape.
macro_rules! input_gradients {
    ($($name:ident $options:ty;)*) => {
        $(
            fn $name(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                output_grad: FloatTensor<Self>,
                options: $options,
            ) -> FloatTensor<Self> {
                weight.bilinear(output_grad, |w, grad| {
                    B::$name(x.primal.clone(), w, grad, options.clone())
                })
            }
        )*
    };
}

/// The gradient of a transposed convolution's input.
macro_rules! transposed_input_gradients {
    ($($name:ident $options:ty;)*) => {
        $(
            fn $name(
                weight: FloatTensor<Self>,
                output_grad: FloatTensor<Self>,
                options: $options,
            ) -> FloatTensor<Self> {
                weight.bilinear(output_grad, |w, grad| B::$name(w, grad, options.clone()))
            }
        )*
    };
}

/// Maximum pooling, alone and with the places of the maxima, and the gradient of its input, which the
/// input enters by its shape.
macro_rules! max_pools {
    ($(
        $pool:ident $indexed:ident $backward:ident $WithIndices:ident $Gradient:ident $size:ty;
    )*) => {
        $(
            fn $pool(
                x: FloatTensor<Self>,
                kernel_size: $size,
                stride: $size,
                padding: $size,
                dilation: $size,
                ceil_mode: bool,
            ) -> FloatTensor<Self> {
                if x.is_constant() {
                    let x = x.primal;
                    let pooled = B::$pool(x, kernel_size, stride, padding, dilation, ceil_mode);
                    return DualTensor::constant(pooled);
                }
                Self::$indexed(x, kernel_size, stride, padding, dilation, ceil_mode).output
            }

            fn $indexed(
                x: FloatTensor<Self>,
                kernel_size: $size,
                stride: $size,
                padding: $size,
                dilation: $size,
                ceil_mode: bool,
            ) -> $WithIndices<Self> {
                let (x, tangents) = x.into_parts();
                let $WithIndices { output: primal, indices } =
                    B::$indexed(x, kernel_size, stride, padding, dilation, ceil_mode);
                let one = |tangent| pooled::<B>(tangent, indices.clone());
                let tangents = tangents.into_iter().map(one).collect();
                $WithIndices::new(DualTensor::of(primal, tangents), indices)
            }

            fn $backward(
                x: FloatTensor<Self>,
                kernel_size: $size,
                stride: $size,
                padding: $size,
                dilation: $size,
                ceil_mode: bool,
                output_grad: FloatTensor<Self>,
                indices: IntTensor<Self>,
            ) -> $Gradient<Self> {
                $Gradient::new(output_grad.linear(|grad| {
                    B::$backward(
                        x.primal.clone(),
                        kernel_size,
                        stride,
                        padding,
                        dilation,
                        ceil_mode,
                        grad,
                        indices.clone(),
                    )
                    .x_grad
                }))
            }
        )*
    };
}

/// The tangent at the positions where pooling found its maxima: numbers of an element within its
/// channel.
fn pooled<B: Backend>(tangent: FloatTensor<B>, indices: IntTensor<B>) -> FloatTensor<B> {
    let (shape, pooled) = (tangent.shape(), indices.shape());
    let flat = |shape: &Shape| Shape::new([shape[0], shape[1], shape[2..].iter().product()]);
    let tangent = B::float_reshape(tangent, flat(&shape));
    let indices = B::int_reshape(indices, flat(&pooled));
    B::float_reshape(B::float_gather(2, tangent, indices), pooled)
}

#[allow(clippy::clone_on_copy, reason = "the macros clone every argument")]
impl<B: Elementwise> ModuleOps<Self> for Tangents<B> {
    linear! {
        fn embedding(x, indices: IntTensor<Self>);
        fn unfold4d(x, kernel_size: [usize; 2], options: UnfoldOptions);
        fn avg_pool1d(
            x,
            kernel_size: usize,
            stride: usize,
            padding: usize,
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn avg_pool2d(
            x,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn adaptive_avg_pool1d(x, output_size: usize);
        fn adaptive_avg_pool2d(x, output_size: [usize; 2]);
        fn interpolate(x, output_size: [usize; 2], options: InterpolateOptions);
        fn linear_bias_backward(x);
    }

    linear_in_gradient! {
        fn embedding_backward(x, grad, indices: IntTensor<Self>);
        fn avg_pool1d_backward(
            x,
            grad,
            kernel_size: usize,
            stride: usize,
            padding: usize,
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn avg_pool2d_backward(
            x,
            grad,
            kernel_size: [usize; 2],
            stride: [usize; 2],
            padding: [usize; 2],
            count_include_pad: bool,
            ceil_mode: bool,
        );
        fn adaptive_avg_pool1d_backward(x, grad);
        fn adaptive_avg_pool2d_backward(x, grad);
        fn interpolate_backward(
            x,
            grad,
            output_size: [usize; 2],
            options: InterpolateOptions,
        );
    }

    convolutions! {
        conv1d conv1d_weight_backward conv1d_bias_backward ConvOptions<1>;
        conv2d conv2d_weight_backward conv2d_bias_backward ConvOptions<2>;
        conv3d conv3d_weight_backward conv3d_bias_backward ConvOptions<3>;
        conv_transpose1d conv_transpose1d_weight_backward conv_transpose1d_bias_backward
            ConvTransposeOptions<1>;
        conv_transpose2d conv_transpose2d_weight_backward conv_transpose2d_bias_backward
            ConvTransposeOptions<2>;
        conv_transpose3d conv_transpose3d_weight_backward conv_transpose3d_bias_backward
            ConvTransposeOptions<3>;
    }

    input_gradients! {
        conv1d_x_backward ConvOptions<1>;
        conv2d_x_backward ConvOptions<2>;
        conv3d_x_backward ConvOptions<3>;
    }

    transposed_input_gradients! {
        conv_transpose1d_x_backward ConvTransposeOptions<1>;
        conv_transpose2d_x_backward ConvTransposeOptions<2>;
        conv_transpose3d_x_backward ConvTransposeOptions<3>;
    }

    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let last = x.rank() - 1;
        layer(x, weight, bias, last, B::linear)
    }

    fn linear_x_backward(
        weight: FloatTensor<Self>,
        output_grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        weight.bilinear(output_grad, B::linear_x_backward)
    }

    fn linear_weight_backward(
        x: FloatTensor<Self>,
        output_grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        x.bilinear(output_grad, B::linear_weight_backward)
    }

    fn deform_conv2d(
        x: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mask: Option<FloatTensor<Self>>,
        bias: Option<FloatTensor<Self>>,
        options: DeformConvOptions<2>,
    ) -> FloatTensor<Self> {
        layers::deform_conv2d(x, offset, weight, mask, bias, options)
    }

    fn deform_conv2d_backward(
        x: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mask: Option<FloatTensor<Self>>,
        bias: Option<FloatTensor<Self>>,
        output_grad: FloatTensor<Self>,
        options: DeformConvOptions<2>,
    ) -> DeformConv2dBackward<Self> {
        layers::deform_conv2d_backward(x, offset, weight, mask, bias, output_grad, options)
    }

    max_pools! {
        max_pool1d max_pool1d_with_indices max_pool1d_with_indices_backward MaxPool1dWithIndices
            MaxPool1dBackward usize;
        max_pool2d max_pool2d_with_indices max_pool2d_with_indices_backward MaxPool2dWithIndices
            MaxPool2dBackward [usize; 2];
    }

    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: Option<BoolTensor<Self>>,
        attn_bias: Option<FloatTensor<Self>>,
        options: AttentionModuleOptions,
    ) -> FloatTensor<Self> {
        let constant = [&query, &key, &value].into_iter().chain(&attn_bias);
        if constant.into_iter().all(DualTensor::is_constant) {
            return DualTensor::constant(B::attention(
                query.primal,
                key.primal,
                value.primal,
                mask,
                attn_bias.map(|bias| bias.primal),
                options,
            ));
        }
        attention_fallback::<Self>(query, key, value, mask, attn_bias, options)
    }

    fn layer_norm(
        tensor: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: Option<FloatTensor<Self>>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        if [&tensor, &gamma].into_iter().chain(&beta).all(|x| x.is_constant()) {
            let beta = beta.map(|beta| beta.primal);
            let norm = B::layer_norm(tensor.primal, gamma.primal, beta, epsilon);
            return DualTensor::constant(norm);
        }
        let last = tensor.rank() - 1;
        let mut row = vec![1; last + 1];
        row[last] = tensor.shape()[last];
        let row = |x| Self::float_reshape(x, Shape::from(row.clone()));
        let mean = Self::float_mean_dim(tensor.clone(), last);
        let centred = Self::float_sub(tensor, mean);
        let square = Self::float_mul(centred.clone(), centred.clone());
        let variance = Self::float_mean_dim(square, last);
        let deviation = Self::float_sqrt(Self::float_add_scalar(variance, epsilon.into()));
        let scaled = Self::float_mul(Self::float_div(centred, deviation), row(gamma));
        match beta {
            Some(beta) => Self::float_add(scaled, row(beta)),
            None => scaled,
        }
    }

    fn ctc_loss(
        log_probs: FloatTensor<Self>,
        targets: IntTensor<Self>,
        input_lengths: IntTensor<Self>,
        target_lengths: IntTensor<Self>,
        blank: usize,
    ) -> FloatTensor<Self> {
        if log_probs.is_constant() {
            let log_probs = log_probs.primal;
            let loss = B::ctc_loss(log_probs, targets, input_lengths, target_lengths, blank);
            return DualTensor::constant(loss);
        }
        ctc_loss_default::<Self>(log_probs, targets, input_lengths, target_lengths, blank)
    }

    /// A tape above differentiates the loss by its parts, which have rules.
    fn has_ctc_loss_backward() -> bool {
        false
    }

    fn rfft(
        signal: FloatTensor<Self>,
        dim: usize,
        n: Option<usize>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        let parts = signal.tangents.into_iter().map(|tangent| B::rfft(tangent, dim, n));
        let (real_tangents, imaginary_tangents) = parts.unzip();
        let (real, imaginary) = B::rfft(signal.primal, dim, n);
        (DualTensor::of(real, real_tangents), DualTensor::of(imaginary, imaginary_tangents))
    }

    fn irfft(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        dim: usize,
        n: Option<usize>,
    ) -> FloatTensor<Self> {
        spectrum_re.jointly_linear(spectrum_im, |re, im| B::irfft(re, im, dim, n))
    }
}
