//! Convolutions and their derivatives against sums written from the definition, against burn's own, and
//! against each other.

use burn_backend::ops::{ConvOptions, ModuleOps};
use burn_backend::{Element, TensorData};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_std::Shape;
use sharpscope_kernels as kernels;

/// Shapes and options of a convolution.
#[derive(Debug, Clone)]
struct Case {
    images: usize,
    /// Channels of the input and of the output.
    channels: [usize; 2],
    input: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    dilation: [usize; 2],
    groups: usize,
}

/// Numbers between -1 and 1 in single precision, from a seed.
fn numbers(seed: u64, len: usize) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        f64::from((state >> 40) as f32 / (1 << 23) as f32 - 1.0)
    };
    (0..len).map(|_| next()).collect()
}

impl Case {
    fn square(images: usize, channels: [usize; 2], side: usize, kernel: usize) -> Self {
        Self {
            images,
            channels,
            input: [side, side],
            kernel: [kernel, kernel],
            stride: [1, 1],
            padding: [kernel / 2, kernel / 2],
            dilation: [1, 1],
            groups: 1,
        }
    }

    fn options(&self) -> ConvOptions<2> {
        ConvOptions::new(self.stride, self.padding, self.dilation, self.groups)
    }

    fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let reach = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (self.input[axis] + 2 * self.padding[axis] - reach) / self.stride[axis] + 1
        })
    }

    fn fits(&self) -> bool {
        (0..2).all(|axis| {
            self.input[axis] + 2 * self.padding[axis]
                > self.dilation[axis] * (self.kernel[axis] - 1)
        })
    }

    fn shape_x(&self) -> [usize; 4] {
        [self.images, self.channels[0], self.input[0], self.input[1]]
    }

    fn shape_weight(&self) -> [usize; 4] {
        [self.channels[1], self.channels[0] / self.groups, self.kernel[0], self.kernel[1]]
    }

    fn shape_output(&self) -> [usize; 4] {
        [self.images, self.channels[1], self.output()[0], self.output()[1]]
    }

    /// Numbers for the input, the weights, the bias and the output's gradient.
    fn operands(&self) -> [Vec<f64>; 4] {
        let len = |shape: [usize; 4]| shape.iter().product();
        [
            numbers(1, len(self.shape_x())),
            numbers(2, len(self.shape_weight())),
            numbers(3, self.channels[1]),
            numbers(4, len(self.shape_output())),
        ]
    }

    /// Calls with the places, in the input, the weights and the output, of each product of the
    /// convolution's sums.
    fn each_product(&self, mut visit: impl FnMut(usize, usize, usize)) {
        let [_, group_in, kernel_height, kernel_width] = self.shape_weight();
        let [_, channels_out, height_out, width_out] = self.shape_output();
        let group_out = channels_out / self.groups;
        let at = |shape: [usize; 4], index: [usize; 4]| {
            shape.iter().zip(index).fold(0, |at, (len, index)| at * len + index)
        };
        let pixel = |axis: usize, window: usize, k: usize| {
            (window * self.stride[axis] + k * self.dilation[axis])
                .checked_sub(self.padding[axis])
                .filter(|pixel| *pixel < self.input[axis])
        };
        for n in 0..self.images {
            for o in 0..channels_out {
                for (i, j) in pairs(height_out, width_out) {
                    for c in 0..group_in {
                        for (k, l) in pairs(kernel_height, kernel_width) {
                            let (Some(y), Some(x)) = (pixel(0, i, k), pixel(1, j, l)) else {
                                continue;
                            };
                            visit(
                                at(self.shape_x(), [n, o / group_out * group_in + c, y, x]),
                                at(self.shape_weight(), [o, c, k, l]),
                                at(self.shape_output(), [n, o, i, j]),
                            );
                        }
                    }
                }
            }
        }
    }

    /// The output and the gradients by the input, the weights and the bias, from the definition, and
    /// the most terms that a number of each sums.
    fn expected(&self) -> [(Vec<f64>, usize); 4] {
        let [x, weight, bias, gradient] = self.operands();
        let pixels: usize = self.output().iter().product();
        let channel = |at: usize| at / pixels % self.channels[1];
        let mut output: Vec<f64> = (0..gradient.len()).map(|at| bias[channel(at)]).collect();
        let mut by_x = vec![0.0; x.len()];
        let mut by_weight = vec![0.0; weight.len()];
        let mut by_bias = vec![0.0; bias.len()];
        self.each_product(|i, j, k| {
            output[k] += x[i] * weight[j];
            by_x[i] += weight[j] * gradient[k];
            by_weight[j] += x[i] * gradient[k];
        });
        for (at, value) in gradient.iter().enumerate() {
            by_bias[channel(at)] += value;
        }
        let area = self.kernel[0] * self.kernel[1];
        let [channels_in, channels_out] = self.channels;
        [
            (output, area * channels_in + 1),
            (by_x, area * channels_out),
            (by_weight, self.images * pixels),
            (by_bias, self.images * pixels),
        ]
    }
}

fn pairs(first: usize, second: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..first).flat_map(move |i| (0..second).map(move |j| (i, j)))
}

/// Cases of all kinds: chosen ones and some drawn from a seed.
fn cases() -> Vec<Case> {
    let square = Case::square;
    let mut cases = vec![
        // The sizes of the built-in networks, fewer images.
        square(3, [1, 32], 8, 3),
        square(3, [32, 32], 4, 3),
        square(2, [1, 32], 28, 3),
        square(2, [32, 32], 14, 3),
        square(1, [3, 32], 32, 3),
        // Several blocks of windows an image, and a bottleneck.
        square(1, [16, 5], 30, 5),
        square(2, [64, 3], 7, 1),
        square(0, [2, 3], 6, 3),
        square(1, [1, 1], 1, 1),
        // A kernel larger than the image.
        Case { padding: [3, 3], ..square(2, [2, 3], 2, 5) },
        // No pixel but padding.
        Case { padding: [3, 3], stride: [5, 5], ..square(2, [2, 3], 2, 1) },
        // A stride that leaves the last pixels out.
        Case { stride: [2, 3], padding: [0, 0], ..square(2, [3, 4], 8, 3) },
        Case { dilation: [2, 2], padding: [2, 2], ..square(2, [3, 4], 9, 3) },
        Case { groups: 2, ..square(2, [4, 6], 6, 3) },
        Case { groups: 3, ..square(2, [3, 3], 5, 3) },
    ];
    let mut draws = numbers(5, 4000).into_iter();
    let mut draw = |from: usize, to: usize| {
        let share = draws.next().unwrap().abs();
        from + (share * (to - from + 1) as f64) as usize
    };
    let mut pick = |from, to| [draw(from, to), draw(from, to)];
    while cases.len() < 150 {
        let case = Case {
            images: pick(1, 4)[0],
            channels: pick(1, 5),
            input: pick(1, 13),
            kernel: pick(0, 2).map(|half| 2 * half + 1),
            stride: pick(1, 2),
            padding: pick(0, 3),
            dilation: pick(1, 2),
            groups: 1,
        };
        if case.fits() {
            cases.push(case);
        }
    }
    cases
}

fn tensor<E: Element>(values: &[f64], shape: [usize; 4]) -> FlexTensor {
    let values: Vec<E> = values.iter().map(|value| E::from_elem(*value)).collect();
    FlexTensor::from_data(TensorData::new(values, shape))
}

/// A bias `[channels]`.
fn vector<E: Element>(values: &[f64]) -> FlexTensor {
    let layout = Layout::contiguous(Shape::new([values.len()]));
    tensor::<E>(values, [1, 1, 1, values.len()]).with_layout(layout)
}

fn values(tensor: FlexTensor) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// Output and gradients by the input, the weights and the bias.
type Results = [FlexTensor; 4];

fn ours([x, w, b, g]: [FlexTensor; 4], options: ConvOptions<2>) -> Results {
    let [x2, w2, b2, g2, g3] = [&x, &w, &b, &g, &g].map(FlexTensor::clone);
    [
        kernels::conv2d(x.clone(), w.clone(), Some(b), options.clone()),
        kernels::conv2d_x_backward(x2.clone(), w2.clone(), g, options.clone()),
        kernels::conv2d_weight_backward(x2, w2, g2, options),
        kernels::conv2d_bias_backward(x, b2, g3),
    ]
}

fn burns([x, w, b, g]: [FlexTensor; 4], options: ConvOptions<2>) -> Results {
    let [x2, w2, b2, g2, g3] = [&x, &w, &b, &g, &g].map(FlexTensor::clone);
    [
        Flex::conv2d(x.clone(), w.clone(), Some(b), options.clone()),
        Flex::conv2d_x_backward(x2.clone(), w2.clone(), g, options.clone()),
        Flex::conv2d_weight_backward(x2, w2, g2, options),
        Flex::conv2d_bias_backward(x, b2, g3),
    ]
}

const NAMES: [&str; 4] = ["output", "by x", "by weights", "by bias"];

fn assert_close(actual: &[f64], expected: &[f64], tolerance: f64, what: &str) {
    assert_eq!(actual.len(), expected.len(), "{what}");
    for (at, (a, e)) in actual.iter().zip(expected).enumerate() {
        assert!((a - e).abs() <= tolerance, "{what}: {a} for {e} at {at}, tolerance {tolerance:e}");
    }
}

fn operands<E: Element>(case: &Case) -> [FlexTensor; 4] {
    let [x, weight, bias, gradient] = case.operands();
    [
        tensor::<E>(&x, case.shape_x()),
        tensor::<E>(&weight, case.shape_weight()),
        vector::<E>(&bias),
        tensor::<E>(&gradient, case.shape_output()),
    ]
}

/// Our results for these tensors, which hold the case's operands, against the definition.
fn check_definition(case: &Case, tensors: [FlexTensor; 4], unit: f64) {
    let results = ours(tensors, case.options());
    let shapes: [&[usize]; 4] =
        [&case.shape_output(), &case.shape_x(), &case.shape_weight(), &[case.channels[1]]];
    for (at, (result, (expected, terms))) in results.into_iter().zip(case.expected()).enumerate() {
        let what = format!("{} of {case:?}", NAMES[at]);
        assert_eq!(&result.layout().shape()[..], shapes[at], "{what}");
        assert_close(&values(result), &expected, unit * (terms + 1) as f64, &what);
    }
}

#[test]
fn definition_single() {
    for case in cases() {
        check_definition(&case, operands::<f32>(&case), f64::from(f32::EPSILON) / 2.0);
    }
}

#[test]
fn definition_double() {
    for case in cases() {
        check_definition(&case, operands::<f64>(&case), f64::EPSILON);
        // Relative to the largest number of a result.
        let results = ours(operands::<f64>(&case), case.options());
        for ((result, (expected, _)), name) in results.into_iter().zip(case.expected()).zip(NAMES) {
            let largest = expected.iter().fold(0.0f64, |most, value| most.max(value.abs()));
            assert_close(&values(result), &expected, 1e-12 * largest, name);
        }
    }
}

#[test]
fn agrees_with_burn() {
    for case in cases() {
        // burn's own do not take these.
        if case.images == 0 {
            continue;
        }
        let results = ours(operands::<f32>(&case), case.options());
        let burns = burns(operands::<f32>(&case), case.options());
        for (at, ((a, b), (_, terms))) in
            results.into_iter().zip(burns).zip(case.expected()).enumerate()
        {
            let what = format!("{} of {case:?}", NAMES[at]);
            assert_eq!(a.layout().shape(), b.layout().shape(), "{what}");
            let tolerance = f64::from(f32::EPSILON) * (terms + 1) as f64;
            assert_close(&values(a), &values(b), tolerance, &what);
        }
    }
}

/// The same tensor with its axes stored in this order.
fn stored<const D: usize>(tensor: FlexTensor, order: [usize; D]) -> FlexTensor {
    let mut back = [0; D];
    for (at, axis) in order.into_iter().enumerate() {
        back[axis] = at;
    }
    let permuted = tensor.layout().permute(&order);
    let copy = tensor.with_layout(permuted).to_contiguous();
    let layout = copy.layout().permute(&back);
    copy.with_layout(layout)
}

/// The same tensor as a part of a larger one.
fn within(tensor: FlexTensor, axis: usize) -> FlexTensor {
    let shape: [usize; 4] = tensor.layout().shape().dims();
    let mut larger = shape;
    larger[axis] += 3;
    let double = tensor.dtype() == f64::dtype();
    let noise = numbers(6, larger.iter().product());
    let values = values(tensor);
    let mut all = noise;
    let inside: usize = shape[axis + 1..].iter().product();
    for (at, value) in values.into_iter().enumerate() {
        let [outer, rest] = [at / (inside * shape[axis]), at % (inside * shape[axis])];
        all[outer * inside * larger[axis] + inside * 2 + rest] = value;
    }
    let whole =
        if double { self::tensor::<f64>(&all, larger) } else { self::tensor::<f32>(&all, larger) };
    let layout = whole.layout().narrow(axis, 2, shape[axis]);
    whole.with_layout(layout)
}

#[test]
fn strided_operands() {
    let case = Case { input: [5, 7], ..Case::square(3, [2, 4], 5, 3) };
    let strided = Case { stride: [2, 1], padding: [0, 2], ..case.clone() };
    let unit = f64::from(f32::EPSILON) / 2.0;
    for case in [case, strided] {
        for order in [[1, 0, 2, 3], [0, 2, 3, 1], [3, 2, 1, 0], [0, 1, 3, 2]] {
            let [x, w, b, g] = operands::<f32>(&case);
            check_definition(
                &case,
                [stored(x, order), stored(w, order), b, stored(g, order)],
                unit,
            );
        }
        for axis in 0..4 {
            let [x, w, b, g] = operands::<f32>(&case);
            check_definition(&case, [within(x, axis), within(w, axis), b, within(g, axis)], unit);
        }
        // Stored backwards.
        let flipped = |tensor: FlexTensor| {
            let layout = tensor.layout().flip(&[0, 3]);
            let copy = tensor.with_layout(layout).to_contiguous();
            let layout = copy.layout().flip(&[0, 3]);
            copy.with_layout(layout)
        };
        let [x, w, b, g] = operands::<f32>(&case);
        check_definition(&case, [flipped(x), flipped(w), b, flipped(g)], unit);
    }
}

/// A gradient that is one number for all images and pixels, as of a sum.
#[test]
fn broadcast_gradient() {
    let case = Case::square(2, [3, 4], 6, 3);
    let [x, w, b, _] = operands::<f64>(&case);
    let one = tensor::<f64>(&[1.0], [1, 1, 1, 1]);
    let layout = Layout::new(Shape::new(case.shape_output()), vec![0; 4], 0);
    let len = case.shape_output().iter().product();
    let dense = tensor::<f64>(&vec![1.0; len], case.shape_output());
    let results = ours([x.clone(), w.clone(), b.clone(), one.with_layout(layout)], case.options());
    let expected = ours([x, w, b, dense], case.options());
    for ((a, b), name) in results.into_iter().zip(expected).zip(NAMES) {
        assert_eq!(values(a), values(b), "{name}");
    }
}

/// <conv(x, w), g> = <x, x_backward(g)> = <w, weight_backward(g)>.
#[test]
fn adjoint() {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    for case in cases() {
        let [x, w, _, g] = operands::<f64>(&case);
        let options = case.options();
        let output = kernels::conv2d(x.clone(), w.clone(), None, options.clone());
        let by_x = kernels::conv2d_x_backward(x.clone(), w.clone(), g.clone(), options.clone());
        let by_w = kernels::conv2d_weight_backward(x.clone(), w.clone(), g.clone(), options);
        let sums = [(output, g), (by_x, x), (by_w, w)].map(|(a, b)| dot(&values(a), &values(b)));
        let scale: f64 = 1.0 + sums[0].abs();
        assert!((sums[1] - sums[0]).abs() < 1e-11 * scale, "{sums:?} of {case:?}");
        assert!((sums[2] - sums[0]).abs() < 1e-11 * scale, "{sums:?} of {case:?}");
    }
}

/// An image's output and gradient do not depend on the images beside it.
#[test]
fn images_alone() {
    let case = Case::square(5, [32, 32], 4, 3);
    let alone = Case { images: 1, ..case.clone() };
    let [x, w, b, g] = operands::<f32>(&case);
    let image = |tensor: &FlexTensor, index| {
        let layout = tensor.layout().narrow(0, index, 1);
        tensor.clone().with_layout(layout)
    };
    let [output, by_x, ..] = ours([x.clone(), w.clone(), b.clone(), g.clone()], case.options());
    for index in 0..case.images {
        let tensors = [image(&x, index), w.clone(), b.clone(), image(&g, index)];
        let [output_alone, by_x_alone, ..] = ours(tensors, alone.options());
        assert_eq!(values(image(&output, index)), values(output_alone));
        assert_eq!(values(image(&by_x, index)), values(by_x_alone));
    }
}

#[test]
fn one_dimension() {
    let lines = |case: &Case| case.input[0] == 1 && case.kernel[0] == 1;
    let mut cases: Vec<Case> = cases();
    for case in &mut cases {
        case.input[0] = 1;
        case.kernel[0] = 1;
        case.stride[0] = 1;
        case.padding[0] = 0;
        case.dilation[0] = 1;
    }
    for case in cases.into_iter().filter(|case| lines(case) && case.fits()) {
        let [x, w, b, g] = operands::<f64>(&case);
        let line = |tensor: &FlexTensor| {
            let [n, channels, _, length] = tensor.layout().shape().dims();
            let layout = Layout::contiguous(Shape::new([n, channels, length]));
            stored(tensor.clone().with_layout(layout), [2, 0, 1])
        };
        let [x1, w1, g1] = [line(&x), line(&w), line(&g)];
        let (stride, padding) = ([case.stride[1]], [case.padding[1]]);
        let options = ConvOptions::new(stride, padding, [case.dilation[1]], case.groups);
        let results = [
            kernels::conv1d(x1.clone(), w1.clone(), Some(b.clone()), options.clone()),
            kernels::conv1d_x_backward(x1.clone(), w1.clone(), g1.clone(), options.clone()),
            kernels::conv1d_weight_backward(x1.clone(), w1, g1.clone(), options),
            kernels::conv1d_bias_backward(x1, b.clone(), g1),
        ];
        for (result, expected) in results.into_iter().zip(ours([x, w, b, g], case.options())) {
            let [shape, flat] = [&result, &expected].map(|tensor| tensor.layout().shape().to_vec());
            let flat: Vec<usize> = match flat[..] {
                [n, channels, 1, length] => vec![n, channels, length],
                _ => flat,
            };
            assert_eq!(shape, flat, "{case:?}");
            assert_eq!(values(result), values(expected), "{case:?}");
        }
    }
}
