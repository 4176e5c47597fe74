//! Pooling where its result can be read off.

use serde_json::json;
use sharpscope::data::Targets;
use sharpscope::device::{Device, Precision};
use sharpscope::problem::Loss;

use super::{Problem, images, spec};
use crate::derivatives::cpu;

/// Loss 1/2 pooled^2 of one image through one kernel that takes the pixel itself, and the gradient
/// by the kernel's nine weights.
fn read_out(
    device: &Device,
    pooling: &str,
    [height, width]: [usize; 2],
    pixels: &[f64],
) -> (f64, Vec<f64>) {
    let model = spec(json!({
        "kind": "cnn", "channels": [1], "activation": "identity", "pooling": pooling, "bias": false,
    }));
    let targets = Targets::Values { outputs: 1, values: vec![0.0] };
    let data = images([1, height, width], pixels.to_vec(), targets);
    let mut theta = vec![0.0; 9];
    theta[4] = 1.0;
    theta.push(1.0);
    let objective = Problem::new(model, data, Loss::Mse).at(device, &theta);
    let loss = objective.evaluate().unwrap().loss;
    (loss, crate::derivatives::gradient(&*objective)[..9].to_vec())
}

/// The derivative by a kernel's weight is the pixel that lies so far from the one taken.
pub fn check_ties(device: &Device) {
    #[rustfmt::skip]
    let cases = [
        // All equal: the upper left one, whose neighbours lie right of it and below.
        ([1.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 0.0, 1.0, 1.0]),
        // The lower two: the left one.
        ([1.0, 2.0, 3.0, 3.0], [0.0, 1.0, 2.0, 0.0, 3.0, 3.0, 0.0, 0.0, 0.0]),
        // The right two: the upper one.
        ([1.0, 3.0, 2.0, 3.0], [0.0, 0.0, 0.0, 1.0, 3.0, 0.0, 2.0, 3.0, 0.0]),
        // The last one alone.
        ([-4.0, -3.0, -2.0, -1.0], [-4.0, -3.0, 0.0, -2.0, -1.0, 0.0, 0.0, 0.0, 0.0]),
    ];
    for (pixels, neighbours) in cases {
        let most = pixels.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let (loss, gradient) = read_out(device, "max", [2, 2], &pixels);
        assert_eq!(loss, 0.5 * most * most, "{pixels:?}");
        let expected: Vec<f64> = neighbours.iter().map(|x| most * x).collect();
        assert_eq!(gradient, expected, "{pixels:?}");
    }
}

#[test]
fn of_equal_pixels_max_pooling_takes_the_first() {
    for precision in [Precision::F32, Precision::F64] {
        check_ties(&cpu(precision));
    }
}

#[test]
fn the_last_row_and_column_of_an_odd_image_are_left_out_of_the_pooling() {
    let pixels = [1.0, 2.0, 9.0, 4.0, 8.0, 7.0, 10.0, 20.0, 30.0];
    let device = cpu(Precision::F64);
    let (loss, gradient) = read_out(&device, "max", [3, 3], &pixels);
    assert_eq!(loss, 32.0);
    // The convolution saw them all: 8 has a neighbour on every side.
    assert_eq!(gradient, pixels.map(|x| 8.0 * x));

    let (loss, gradient) = read_out(&device, "average", [3, 3], &pixels);
    let mean = (1.0 + 2.0 + 4.0 + 8.0) / 4.0;
    assert_eq!(loss, 0.5 * mean * mean);
    assert_eq!(gradient[4], mean * mean);
    assert_eq!(gradient[8], mean * (8.0 + 7.0 + 20.0 + 30.0) / 4.0);
}
