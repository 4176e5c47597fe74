//! Operations of neural-network layers.

use burn::tensor::ops::{
    AttentionModuleOptions, BoolTensor, ConvOptions, ConvTransposeOptions, DeformConv2dBackward,
    DeformConvOptions, FloatTensor, FloatTensorOps, IntTensor, InterpolateOptions,
    MaxPool1dBackward, MaxPool1dWithIndices, MaxPool2dBackward, MaxPool2dWithIndices, ModuleOps,
    UnfoldOptions,
};
use burn::tensor::{Shape, TensorMetadata};

use super::Recording;
use super::linear::{bilinear, jointly_linear};
use super::stacked::{folded, lead, two_by_two};
use super::tensor::{LinearTensor, RecordedTensor, not_linear};
use crate::Elementwise;

/// Linear functions of the input, the same for each sample of a batch.
macro_rules! of_samples {
    ($(fn $name:ident(x $(, $argument:ident: $type:ty)* $(,)?);)*) => {
        $(
            fn $name(x: FloatTensor<Self> $(, $argument: $type)*) -> FloatTensor<Self> {
                match x {
                    RecordedTensor::Known(x) => RecordedTensor::Known(B::$name(x $(, $argument)*)),
                    RecordedTensor::Linear(x) => {
                        of_samples(x, move |x| B::$name(x $(, $argument.clone())*))
                    }
                }
            }
        )*
    };
}

/// Linear functions of the output's gradient, which depend on the input by its shape alone.
macro_rules! of_gradients {
    ($(fn $name:ident(x, grad $(, $argument:ident: $type:ty)* $(,)?);)*) => {
        $(
            fn $name(
                x: FloatTensor<Self>,
                grad: FloatTensor<Self>
                $(, $argument: $type)*
            ) -> FloatTensor<Self> {
                let x = x.known(stringify!($name));
                match grad {
                    RecordedTensor::Known(grad) => {
                        RecordedTensor::Known(B::$name(x, grad $(, $argument)*))
                    }
                    RecordedTensor::Linear(grad) => grad.each(move |grad| {
                        B::$name(x.clone(), grad $(, $argument.clone())*)
                    }),
                }
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
                let (known, linear) = parted(bias);
                let product = match (x, weight) {
                    (RecordedTensor::Known(x), RecordedTensor::Known(w)) => {
                        RecordedTensor::Known(B::$layer(x, w, known, options))
                    }
                    (RecordedTensor::Linear(x), RecordedTensor::Known(w)) => {
                        of_samples(x, move |x| B::$layer(x, w.clone(), None, options.clone()))
                    }
                    (RecordedTensor::Known(x), RecordedTensor::Linear(w)) => {
                        w.each(move |w| B::$layer(x.clone(), w, None, options.clone()))
                    }
                    _ => not_linear("a convolution"),
                };
                plus_bias(product, linear, 1)
            }

            fn $weight(
                x: FloatTensor<Self>,
                weight: FloatTensor<Self>,
                output_grad: FloatTensor<Self>,
                options: $options,
            ) -> FloatTensor<Self> {
                let weight = weight.known("a convolution's weight in its own gradient");
                bilinear("a convolution's gradient", x, output_grad, move |x, grad| {
                    B::$weight(x, weight.clone(), grad, options.clone())
                })
            }

            fn $bias(
                x: FloatTensor<Self>,
                bias: FloatTensor<Self>,
                output_grad: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                let (x, bias) = (x.known("a bias's gradient"), bias.known("a bias's gradient"));
                match output_grad {
                    RecordedTensor::Known(grad) => RecordedTensor::Known(B::$bias(x, bias, grad)),
                    RecordedTensor::Linear(grad) => {
                        grad.each(move |grad| B::$bias(x.clone(), bias.clone(), grad))
                    }
                }
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
                let x = x.known("a convolution's input in its own gradient");
                match (weight, output_grad) {
                    (RecordedTensor::Known(w), RecordedTensor::Linear(grad)) => {
                        let (shape, dtype) = (x.shape(), x.dtype());
                        grad.then(shape.clone(), &[&w.clone()], move |grad, count| {
                            let mut all = shape.clone();
                            all[0] *= count;
                            // Its shape is asked for, and nothing else.
                            let one = Shape::from(vec![1; all.num_dims()]);
                            let one = B::float_zeros(one, &B::float_device(&grad), dtype.into());
                            let x = B::float_expand(one, all);
                            folded::<B>(grad, count, |grad| {
                                B::$name(x, w.clone(), grad, options.clone())
                            })
                        })
                    }
                    (weight, output_grad) => {
                        bilinear("a convolution's gradient", weight, output_grad, move |w, grad| {
                            B::$name(x.clone(), w, grad, options.clone())
                        })
                    }
                }
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
                bilinear("a convolution's gradient", weight, output_grad, move |w, grad| {
                    B::$name(w, grad, options.clone())
                })
            }
        )*
    };
}

/// Maximum pooling of values, and the gradient of its input, which is linear in the output's.
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
                let x = x.known("maximum pooling");
                let pooled = B::$pool(x, kernel_size, stride, padding, dilation, ceil_mode);
                RecordedTensor::Known(pooled)
            }

            fn $indexed(
                x: FloatTensor<Self>,
                kernel_size: $size,
                stride: $size,
                padding: $size,
                dilation: $size,
                ceil_mode: bool,
            ) -> $WithIndices<Self> {
                let x = x.known("maximum pooling");
                let pooled = B::$indexed(x, kernel_size, stride, padding, dilation, ceil_mode);
                $WithIndices::new(RecordedTensor::Known(pooled.output), pooled.indices)
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
                let x = x.known("maximum pooling");
                let backward = move |grad| {
                    B::$backward(
                        x.clone(),
                        kernel_size,
                        stride,
                        padding,
                        dilation,
                        ceil_mode,
                        grad,
                        indices.clone(),
                    )
                    .x_grad
                };
                $Gradient::new(match output_grad {
                    RecordedTensor::Known(grad) => RecordedTensor::Known(backward(grad)),
                    RecordedTensor::Linear(grad) => grad.each(backward),
                })
            }
        )*
    };
}

/// A function of each sample of a batch, of all directions' batches as one.
fn of_samples<B: Elementwise>(
    x: LinearTensor<B>,
    f: impl Fn(FloatTensor<B>) -> FloatTensor<B> + Send + Sync + 'static,
) -> RecordedTensor<B> {
    // Of one sample, for the shape.
    let mut one = x.shape.clone();
    let samples = core::mem::replace(&mut one[0], 1);
    let mut shape = f(B::float_zeros(one, &x.tape.device(), x.dtype.into())).shape();
    shape[0] = samples;
    x.then(shape, &[], move |x, count| folded::<B>(x, count, &f))
}

/// A bias that is known, and one that is linear.
fn parted<B: Elementwise>(
    bias: Option<RecordedTensor<B>>,
) -> (Option<FloatTensor<B>>, Option<RecordedTensor<B>>) {
    match bias {
        Some(RecordedTensor::Known(bias)) => (Some(bias), None),
        linear => (None, linear),
    }
}

/// `product` plus a bias, one number for each position along `axis`.
fn plus_bias<B: Elementwise>(
    product: RecordedTensor<B>,
    bias: Option<RecordedTensor<B>>,
    axis: usize,
) -> RecordedTensor<B> {
    let Some(bias) = bias else {
        return product;
    };
    let mut shape = vec![1; product.rank()];
    shape[axis] = product.shape()[axis];
    let bias = Recording::<B>::float_reshape(bias, Shape::from(shape));
    Recording::<B>::float_add(product, bias)
}

/// A matrix as one of `rank` axes.
fn of_rank<B: Elementwise>(matrix: RecordedTensor<B>, rank: usize) -> RecordedTensor<B> {
    let own = matrix.shape();
    let mut shape = vec![1; rank - own.num_dims()];
    shape.extend(own.iter());
    Recording::<B>::float_reshape(matrix, Shape::from(shape))
}

#[allow(clippy::clone_on_copy, reason = "the macros clone every argument")]
impl<B: Elementwise> ModuleOps<Self> for Recording<B> {
    of_samples! {
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
    }

    of_gradients! {
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

    max_pools! {
        max_pool1d max_pool1d_with_indices max_pool1d_with_indices_backward MaxPool1dWithIndices
            MaxPool1dBackward usize;
        max_pool2d max_pool2d_with_indices max_pool2d_with_indices_backward MaxPool2dWithIndices
            MaxPool2dBackward [usize; 2];
    }

    fn embedding(weights: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        match weights {
            RecordedTensor::Known(weights) => RecordedTensor::Known(B::embedding(weights, indices)),
            weights => {
                let (rows, width) = (indices.shape(), weights.shape()[1]);
                let mut shape = rows.clone();
                shape.push(width);
                let flat = B::int_reshape(indices, Shape::new([rows.num_elements()]));
                Self::float_reshape(Self::float_select(weights, 0, flat), shape)
            }
        }
    }

    fn embedding_backward(
        weights: FloatTensor<Self>,
        output_grad: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        let weights = weights.known("an embedding's gradient");
        match output_grad {
            RecordedTensor::Known(grad) => {
                RecordedTensor::Known(B::embedding_backward(weights, grad, indices))
            }
            RecordedTensor::Linear(grad) => {
                let (table, dtype) = (weights.shape(), weights.dtype());
                let rows = Shape::new([indices.shape().num_elements()]);
                let flat = B::int_reshape(indices, rows.clone());
                let gradients = Shape::new([rows[0], table[1]]);
                grad.then(table.clone(), &[], move |grad, count| {
                    let device = B::float_device(&grad);
                    let zeros = B::float_zeros(lead(count, &table), &device, dtype.into());
                    let grad = B::float_reshape(grad, lead(count, &gradients));
                    B::float_select_add(zeros, 1, flat.clone(), grad)
                })
            }
        }
    }

    fn linear(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: Option<FloatTensor<Self>>,
    ) -> FloatTensor<Self> {
        let (known, linear) = parted(bias);
        let last = x.rank() - 1;
        let product = match (x, weight) {
            (RecordedTensor::Known(x), RecordedTensor::Known(w)) => {
                RecordedTensor::Known(B::linear(x, w, known))
            }
            (x, weight) => {
                let weight = of_rank(weight, last + 1);
                Self::float_matmul(x, weight)
            }
        };
        plus_bias(product, linear, last)
    }

    fn linear_x_backward(
        weight: FloatTensor<Self>,
        output_grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match (weight, output_grad) {
            (RecordedTensor::Known(w), RecordedTensor::Known(grad)) => {
                RecordedTensor::Known(B::linear_x_backward(w, grad))
            }
            (weight, grad) => {
                let weight = Self::float_swap_dims(weight, 0, 1);
                let weight = of_rank(weight, grad.rank());
                Self::float_matmul(grad, weight)
            }
        }
    }

    fn linear_weight_backward(
        x: FloatTensor<Self>,
        output_grad: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        match (x, output_grad) {
            (RecordedTensor::Known(x), RecordedTensor::Known(grad)) => {
                RecordedTensor::Known(B::linear_weight_backward(x, grad))
            }
            (x, grad) => {
                // One product over all rows.
                let rows = |x: RecordedTensor<B>| {
                    let shape = x.shape();
                    let width = shape[shape.num_dims() - 1];
                    let rows = shape.num_elements() / width.max(1);
                    Self::float_reshape(x, Shape::new([rows, width]))
                };
                Self::float_matmul(Self::float_swap_dims(rows(x), 0, 1), rows(grad))
            }
        }
    }

    fn linear_bias_backward(output_grad: FloatTensor<Self>) -> FloatTensor<Self> {
        match output_grad {
            RecordedTensor::Known(grad) => RecordedTensor::Known(B::linear_bias_backward(grad)),
            RecordedTensor::Linear(grad) => grad.each(B::linear_bias_backward),
        }
    }

    fn deform_conv2d(
        x: FloatTensor<Self>,
        offset: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        mask: Option<FloatTensor<Self>>,
        bias: Option<FloatTensor<Self>>,
        options: DeformConvOptions<2>,
    ) -> FloatTensor<Self> {
        const NAME: &str = "a deformable convolution";
        let offset = offset.known(NAME);
        let (bias, linear_bias) = parted(bias);
        let f = move |x, weight, mask, bias| {
            B::deform_conv2d(x, offset.clone(), weight, mask, bias, options.clone())
        };
        let product = match (x, weight, mask) {
            (RecordedTensor::Linear(x), weight, mask) => {
                let (weight, mask) = (weight.known(NAME), mask.map(|mask| mask.known(NAME)));
                x.each(move |x| f(x, weight.clone(), mask.clone(), None))
            }
            (x, RecordedTensor::Linear(weight), mask) => {
                let (x, mask) = (x.known(NAME), mask.map(|mask| mask.known(NAME)));
                weight.each(move |weight| f(x.clone(), weight, mask.clone(), None))
            }
            (x, weight, Some(RecordedTensor::Linear(mask))) => {
                let (x, weight) = (x.known(NAME), weight.known(NAME));
                mask.each(move |mask| f(x.clone(), weight.clone(), Some(mask), None))
            }
            (x, weight, mask) => {
                let mask = mask.map(|mask| mask.known(NAME));
                RecordedTensor::Known(f(x.known(NAME), weight.known(NAME), mask, bias))
            }
        };
        plus_bias(product, linear_bias, 1)
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
        let arguments = [Some(x), Some(offset), Some(weight), mask, bias, Some(output_grad)];
        super::deformed::backward(arguments, options)
    }

    fn attention(
        query: FloatTensor<Self>,
        key: FloatTensor<Self>,
        value: FloatTensor<Self>,
        mask: Option<BoolTensor<Self>>,
        attn_bias: Option<FloatTensor<Self>>,
        options: AttentionModuleOptions,
    ) -> FloatTensor<Self> {
        let known = |x: RecordedTensor<B>| x.known("attention");
        let bias = attn_bias.map(known);
        let (query, key, value) = (known(query), known(key), known(value));
        RecordedTensor::Known(B::attention(query, key, value, mask, bias, options))
    }

    fn layer_norm(
        tensor: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: Option<FloatTensor<Self>>,
        epsilon: f64,
    ) -> FloatTensor<Self> {
        let known = |x: RecordedTensor<B>| x.known("a layer's normalisation");
        let norm = B::layer_norm(known(tensor), known(gamma), beta.map(known), epsilon);
        RecordedTensor::Known(norm)
    }

    fn ctc_loss(
        log_probs: FloatTensor<Self>,
        targets: IntTensor<Self>,
        input_lengths: IntTensor<Self>,
        target_lengths: IntTensor<Self>,
        blank: usize,
    ) -> FloatTensor<Self> {
        let log_probs = log_probs.known("the CTC loss");
        let loss = B::ctc_loss(log_probs, targets, input_lengths, target_lengths, blank);
        RecordedTensor::Known(loss)
    }

    /// A tape above differentiates the loss by its parts.
    fn has_ctc_loss_backward() -> bool {
        false
    }

    fn rfft(
        signal: FloatTensor<Self>,
        dim: usize,
        n: Option<usize>,
    ) -> (FloatTensor<Self>, FloatTensor<Self>) {
        match signal {
            RecordedTensor::Known(signal) => {
                let (re, im) = B::rfft(signal, dim, n);
                (RecordedTensor::Known(re), RecordedTensor::Known(im))
            }
            RecordedTensor::Linear(signal) => {
                let re = signal.clone().each(move |signal| B::rfft(signal, dim, n).0);
                (re, signal.each(move |signal| B::rfft(signal, dim, n).1))
            }
        }
    }

    fn irfft(
        spectrum_re: FloatTensor<Self>,
        spectrum_im: FloatTensor<Self>,
        dim: usize,
        n: Option<usize>,
    ) -> FloatTensor<Self> {
        if spectrum_re.is_known() && spectrum_im.is_known() {
            let (re, im) = (spectrum_re.known("irfft"), spectrum_im.known("irfft"));
            return RecordedTensor::Known(B::irfft(re, im, dim, n));
        }
        let shapes = [spectrum_re.shape(), spectrum_im.shape()];
        let device = spectrum_re.device();
        let zeros =
            |shape: &Shape| B::float_zeros(shape.clone(), &device, spectrum_re.dtype().into());
        let shape = B::irfft(zeros(&shapes[0]), zeros(&shapes[1]), dim, n).shape();
        let inverse = move |re, im| B::irfft(re, im, dim, n);
        jointly_linear(spectrum_re, spectrum_im, shape, inverse, move |re, im, count| {
            two_by_two::<B>([re, im], &shapes, count, inverse)
        })
    }
}
