//! Prints the time per call of convolutions and their derivatives, and burn's own, at the sizes of small
//! networks. An argument is a name's part: the others are left out.

use burn_backend::TensorData;
use burn_backend::ops::{ConvOptions, ModuleOps};
use burn_flex::{Flex, FlexTensor};
use sharpscope_kernels as kernels;
use std::hint::black_box;
use std::time::Instant;

/// Microseconds of a call: the least of those of half a second.
fn time(mut call: impl FnMut() -> FlexTensor) -> f64 {
    let [mut least, mut total] = [f64::INFINITY, 0.0];
    while total < 5e5 {
        let start = Instant::now();
        black_box(call());
        let elapsed = start.elapsed().as_secs_f64() * 1e6;
        least = least.min(elapsed);
        total += elapsed;
    }
    least
}

fn tensor(shape: [usize; 4]) -> FlexTensor {
    let len = shape.iter().product();
    let values: Vec<f32> = (0..len).map(|at| (at as f32 * 0.7).sin()).collect();
    FlexTensor::from_data(TensorData::new(values, shape))
}

fn main() {
    let part = std::env::args().nth(1).unwrap_or_default();
    println!("{:30} {:>10} {:>10} {:>8} {:>8}", "", "us", "burn, us", "GFLOP/s", "burn");
    // Images, input channels, side; 3x3 kernels to 32 channels.
    let sizes = [
        ("digits 1", [150, 1, 8]),
        ("digits 2", [150, 32, 4]),
        ("fashion 1", [45, 1, 28]),
        ("fashion 2", [45, 32, 14]),
        ("cifar 1", [50, 3, 32]),
        ("cifar 2", [50, 32, 16]),
    ];
    for (name, [images, channels, side]) in sizes {
        let x = tensor([images, channels, side, side]);
        let w = tensor([32, channels, 3, 3]);
        let b = tensor([1, 1, 1, 32]);
        let b = {
            let layout = burn_flex::Layout::contiguous(burn_std::Shape::new([32]));
            b.with_layout(layout)
        };
        let g = tensor([images, 32, side, side]);
        let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
        let flop = 2.0 * (images * 32 * channels * 9 * side * side) as f64;
        type Call<'a> = &'a dyn Fn() -> FlexTensor;
        let (x, w, b, g) = (|| x.clone(), || w.clone(), || b.clone(), || g.clone());
        let options = || options.clone();
        let calls: [(&str, f64, Call, Call); 4] = [
            ("output", flop, &|| kernels::conv2d(x(), w(), Some(b()), options()), &|| {
                Flex::conv2d(x(), w(), Some(b()), options())
            }),
            ("by x", flop, &|| kernels::conv2d_x_backward(x(), w(), g(), options()), &|| {
                Flex::conv2d_x_backward(x(), w(), g(), options())
            }),
            (
                "by weights",
                flop,
                &|| kernels::conv2d_weight_backward(x(), w(), g(), options()),
                &|| Flex::conv2d_weight_backward(x(), w(), g(), options()),
            ),
            (
                "by bias",
                flop / (18 * channels) as f64,
                &|| kernels::conv2d_bias_backward(x(), b(), g()),
                &|| Flex::conv2d_bias_backward(x(), b(), g()),
            ),
        ];
        for (what, flop, ours, burns) in calls {
            let name = format!("{name} {what}");
            if !name.contains(&part) {
                continue;
            }
            let [ours, burns] = [time(ours), time(burns)];
            let [speed, burn] = [ours, burns].map(|time| flop / time * 1e-3);
            println!("{name:30} {ours:10.0} {burns:10.0} {speed:8.1} {burn:8.1}");
        }
    }
}
