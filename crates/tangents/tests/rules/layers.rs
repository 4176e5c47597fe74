//! Layers.

use burn::tensor::module::{
    adaptive_avg_pool1d, adaptive_avg_pool2d, attention, avg_pool1d, avg_pool2d, conv_transpose1d,
    conv_transpose2d, conv_transpose3d, conv1d, conv2d, conv3d, ctc_loss, deform_conv2d, embedding,
    interpolate, linear, max_pool1d, max_pool2d, unfold4d,
};
use burn::tensor::ops::{
    ConvOptions, ConvTransposeOptions, DeformConvOptions, GridSampleOptions, InterpolateMode,
    InterpolateOptions, UnfoldOptions,
};
use burn::tensor::{Int, Tensor, TensorPrimitive};

use crate::rows::{Row, rows};

pub fn rows() -> Vec<Row> {
    rows! {
        linear (-1.0, 1.0) Differences |x: [2, 2, 3], w: [3, 4], b: [4]| linear(x, w, Some(b));
        linear_no_bias (-1.0, 1.0) Differences |x: [2, 3], w: [3, 4]| linear(x, w, None);
        embedding (-1.0, 1.0) Differences |w: [4, 3]| {
            embedding(w.clone(), Tensor::<B, 2, Int>::from_ints([[3, 0], [3, 1]], &w.device()))
        };
        conv1d (-1.0, 1.0) Differences |x: [2, 2, 7], w: [3, 2, 3], b: [3]| {
            conv1d(x, w, Some(b), ConvOptions::new([2], [1], [1], 1))
        };
        conv1d_groups (-1.0, 1.0) Differences |x: [1, 4, 6], w: [4, 2, 3]| {
            conv1d(x, w, None, ConvOptions::new([1], [1], [2], 2))
        };
        conv2d (-1.0, 1.0) Differences |x: [2, 2, 5, 4], w: [3, 2, 3, 2], b: [3]| {
            conv2d(x, w, Some(b), ConvOptions::new([2, 1], [1, 0], [1, 1], 1))
        };
        conv2d_groups (-1.0, 1.0) Differences |x: [1, 4, 4, 5], w: [4, 2, 2, 2]| {
            conv2d(x, w, None, ConvOptions::new([1, 2], [1, 1], [2, 1], 2))
        };
        conv3d (-1.0, 1.0) Differences |x: [1, 2, 3, 4, 3], w: [2, 2, 2, 2, 2], b: [2]| {
            conv3d(x, w, Some(b), ConvOptions::new([1, 2, 1], [1, 0, 0], [1, 1, 1], 1))
        };
        conv_transpose1d (-1.0, 1.0) Differences |x: [2, 2, 4], w: [2, 3, 3], b: [3]| {
            conv_transpose1d(x, w, Some(b), ConvTransposeOptions::new([2], [1], [1], [1], 1))
        };
        conv_transpose2d (-1.0, 1.0) Differences |x: [2, 2, 3, 3], w: [2, 3, 2, 2], b: [3]| {
            let options = ConvTransposeOptions::new([2, 1], [1, 0], [1, 0], [1, 1], 1);
            conv_transpose2d(x, w, Some(b), options)
        };
        conv_transpose2d_groups (-1.0, 1.0) Differences |x: [1, 4, 3, 3], w: [4, 1, 2, 2]| {
            let options = ConvTransposeOptions::new([1, 1], [0, 0], [0, 0], [1, 1], 2);
            conv_transpose2d(x, w, None, options)
        };
        conv_transpose3d (-1.0, 1.0) Differences |x: [1, 2, 2, 3, 2], w: [2, 2, 2, 2, 2], b: [2]| {
            let options = ConvTransposeOptions::new([1; 3], [0; 3], [0; 3], [1; 3], 1);
            conv_transpose3d(x, w, Some(b), options)
        };
        // In Flex the gradient of this is in single precision.
        deform_conv2d (-1.0, 1.0) None |x: [1, 2, 4, 4], w: [2, 2, 2, 2], m: [1, 4, 3, 3], b: [2]| {
            let offset = (Tensor::arange(0..72, &x.device()).float().cast(x.dtype()) * 0.37).sin();
            let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
            deform_conv2d(x, offset.reshape([1, 8, 3, 3]), w, Some(m), Some(b), options)
        };
        unfold4d (-1.0, 1.0) Nested |x: [1, 2, 4, 4]| {
            unfold4d(x, [2, 2], UnfoldOptions::new([1, 2], [0, 0], [1, 1]))
        };
        unfold4d_padded (-1.0, 1.0) Differences |x: [1, 2, 4, 4]| {
            unfold4d(x, [2, 2], UnfoldOptions::new([1, 2], [1, 0], [1, 2]))
        };
        avg_pool1d (-1.0, 1.0) Differences |x: [2, 2, 6]| avg_pool1d(x, 3, 2, 1, false, false);
        avg_pool2d (-1.0, 1.0) Differences |x: [1, 2, 5, 4]| {
            avg_pool2d(x, [3, 2], [2, 1], [1, 0], true, false)
        };
        adaptive_avg_pool1d (-1.0, 1.0) Differences |x: [2, 2, 6]| adaptive_avg_pool1d(x, 4);
        adaptive_avg_pool2d (-1.0, 1.0) Differences |x: [1, 2, 5, 4]| adaptive_avg_pool2d(x, [2, 3]);
        max_pool1d (-1.0, 1.0) Differences |x: [2, 2, 7]| max_pool1d(x, 3, 2, 1, 1, false);
        max_pool2d (-1.0, 1.0) Differences |x: [2, 2, 5, 6]| {
            max_pool2d(x, [3, 2], [1, 2], [1, 0], [1, 2], false)
        };
        interpolate_nearest (-1.0, 1.0) Differences |x: [1, 2, 3, 4]| {
            interpolate(x, [5, 6], InterpolateOptions::new(InterpolateMode::Nearest))
        };
        interpolate_bilinear (-1.0, 1.0) Differences |x: [1, 2, 3, 4]| {
            interpolate(x, [5, 6], InterpolateOptions::new(InterpolateMode::Bilinear))
        };
        interpolate_bicubic (-1.0, 1.0) Differences |x: [1, 2, 3, 4]| {
            interpolate(x, [5, 6], InterpolateOptions::new(InterpolateMode::Bicubic))
        };
        attention (-1.0, 1.0) Nested |q: [1, 2, 3, 4], k: [1, 2, 3, 4], v: [1, 2, 3, 4]| {
            attention(q, k, v, None, None, Default::default())
        };
        attention_causal (-1.0, 1.0) Nested |q: [1, 1, 3, 2], k: [1, 1, 3, 2], v: [1, 1, 3, 2], b: [1, 1, 3, 3]| {
            let options = burn::tensor::ops::AttentionModuleOptions {
                scale: Some(0.5),
                softcap: Some(2.0),
                is_causal: true,
            };
            attention(q, k, v, None, Some(b), options)
        };
        layer_norm (-1.0, 1.0) Nested |x: [2, 4], g: [4], b: [4]| {
            let float = |x: TensorPrimitive<B>| x.tensor();
            let (g, b) = (float(g.into_primitive()), float(b.into_primitive()));
            let norm = B::layer_norm(x.into_primitive().tensor(), g, Some(b), 1e-3);
            Tensor::<B, 2>::from_primitive(TensorPrimitive::Float(norm))
        };
        ctc_loss (-2.0, -0.5) Nested |x: [4, 1, 3]| {
            let device = x.device();
            let ints = |v: &[i32]| Tensor::<B, 1, Int>::from_ints(v, &device);
            ctc_loss(x, ints(&[1, 2]).reshape([1, 2]), ints(&[4]), ints(&[2]), 0)
        };
        grid_sample_2d (-0.7, 0.7) Nested |x: [1, 2, 4, 4], g: [1, 3, 3, 2]| {
            x.grid_sample_2d(g, GridSampleOptions::default())
        };
        grid_sample_2d_nearest (-1.0, 1.0) None |x: [1, 2, 4, 4]| {
            let grid = (Tensor::arange(0..18, &x.device()).float().cast(x.dtype()) * 0.37).sin();
            let grid = grid.reshape([1, 3, 3, 2]);
            x.grid_sample_2d(grid, GridSampleOptions::new(InterpolateMode::Nearest))
        };
    }
}
