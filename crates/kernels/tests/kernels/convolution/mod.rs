//! Convolutions and their derivatives against sums written from the definition, against burn's own, and
//! against each other.

mod case;

use burn_backend::ops::{ConvOptions, ModuleOps};
use burn_backend::{Element, TensorData};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_std::Shape;
use case::{Case, cases, numbers};
use sharpscope_kernels as kernels;

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
