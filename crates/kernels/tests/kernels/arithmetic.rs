use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_flex::{Flex, FlexTensor};
use sharpscope_kernels::{add, div, mul, relu_backward, sub, sum_of_products};

use crate::tensors::*;

type Kernel = fn(FlexTensor, FlexTensor) -> FlexTensor;
type OfNumbers = fn(f64, f64) -> f64;

/// Ours, burn's, and the operation on numbers.
const OPERATIONS: &[(&str, Kernel, Kernel, OfNumbers)] = &[
    ("add", add, Flex::float_add, |x, y| x + y),
    ("sub", sub, Flex::float_sub, |x, y| x - y),
    ("mul", mul, Flex::float_mul, |x, y| x * y),
    ("div", div, Flex::float_div, |x, y| x / y),
    ("relu_backward", relu_backward, Flex::relu_backward, |x, y| if x > 0.0 { y } else { 0.0 }),
];

/// Pairs of shapes, the second of which is broadcast, and shapes that are both.
const BROADCASTS: &[(&[usize], &[usize])] = &[
    (&[130, 70], &[1, 70]),
    (&[130, 70], &[130, 1]),
    (&[130, 70], &[1, 1]),
    (&[130, 1], &[1, 70]),
    (&[3, 5], &[3, 1]),
    (&[3, 5], &[1, 5]),
    (&[9, 16, 25], &[1, 16, 1]),
    (&[9, 16, 25], &[9, 1, 25]),
    (&[9, 16, 25], &[9, 16, 1]),
    (&[9, 1, 25], &[1, 16, 1]),
    (&[4, 2, 32, 33], &[1, 2, 1, 1]),
    (&[4, 2, 32, 33], &[1, 1, 32, 33]),
    (&[2, 3, 2, 2, 3, 2], &[2, 1, 2, 1, 3, 1]),
];

fn broadcast_of(a: &[usize], b: &[usize]) -> Vec<usize> {
    a.iter().zip(b).map(|(a, b)| *a.max(b)).collect()
}

fn pairs_of<T: Real>(of_a: &[usize], of_b: &[usize]) {
    let (views_of_a, views_of_b) = (layouts::<T>(of_a, 1), layouts::<T>(of_b, 100));
    let shape = broadcast_of(of_a, of_b);
    let len: usize = shape.iter().product();
    for (i, a) in views_of_a.iter().enumerate() {
        for (j, b) in views_of_b.iter().enumerate() {
            // All pairs of layouts of small tensors, of larger ones some.
            if len > 1000 && (3 * i + 5 * j) % 13 != 0 {
                continue;
            }
            let pairs = map_indices(&shape, |index| [a, b].map(|x| at::<T>(x, index).wide()));
            for (name, kernel, burns, operation) in OPERATIONS {
                let what = (name, of_a, i, of_b, j);
                let expected: Vec<T> =
                    pairs.iter().map(|[x, y]| T::of(operation(*x, *y))).collect();
                assert_same(&elements::<T>(&burns(a.clone(), b.clone())), &expected, &what);
                poison::<T>(len);
                let check = |result: &FlexTensor| {
                    assert_eq!(result.layout().shape().to_vec(), shape);
                    assert_same(&elements::<T>(result), &expected, &what);
                };
                shared_and_not::<T, 2>([a, b], |[a, b]| kernel(a, b), check);
            }
        }
    }
}

#[test]
fn of_one_shape() {
    for shape in SHAPES {
        pairs_of::<f32>(shape, shape);
        pairs_of::<f64>(shape, shape);
    }
}

#[test]
fn broadcast() {
    for (large, small) in BROADCASTS {
        pairs_of::<f32>(large, small);
        pairs_of::<f32>(small, large);
        pairs_of::<f64>(large, small);
        pairs_of::<f64>(small, large);
    }
}

#[test]
fn empty() {
    let result = add(tensor::<f32>(&[3, 0], 1), tensor::<f32>(&[1, 0], 2));
    assert_eq!(shape(&result), [3, 0]);
    let result = add(tensor::<f32>(&[3, 0], 1), tensor::<f32>(&[3, 1], 2));
    assert_eq!(shape(&result), [3, 0]);
}

#[test]
fn of_high_rank_as_burn() {
    for (name, kernel, burns, _) in OPERATIONS {
        let both = || (of_high_rank::<f32>(1), tensor::<f32>(&[2; 9], 2));
        let ((a, b), (c, d)) = (both(), both());
        assert_same(&elements::<f32>(&kernel(a, b)), &elements::<f32>(&burns(c, d)), name);
    }
}

#[test]
fn in_place_where_nobody_else_holds_it() {
    let place = |x: &FlexTensor| x.bytes().as_ptr();
    let (a, b) = (tensor::<f32>(&[40, 50], 1), tensor::<f32>(&[1, 50], 2));
    let of_a = place(&a);
    let sum = add(a, b.clone());
    assert_eq!(place(&sum), of_a);
    let difference = sub(b, sum);
    assert_eq!(place(&difference), of_a);
    let held = difference.clone();
    assert_ne!(place(&mul(difference, held)), of_a);
}

#[test]
#[should_panic]
fn shapes_that_are_not_broadcast_are_refused() {
    add(tensor::<f32>(&[3, 2], 1), tensor::<f32>(&[3, 4], 2));
}

fn products<T: Real + std::ops::Mul<Output = T> + std::ops::Add<Output = T>>() {
    let shapes: &[[&[usize]; 4]] = &[
        [&[130, 70], &[130, 70], &[130, 70], &[130, 70]],
        [&[130, 70], &[1, 70], &[1, 70], &[130, 70]],
        [&[130, 70], &[130, 1], &[130, 70], &[130, 70]],
        [&[130, 70], &[130, 70], &[130, 1], &[130, 70]],
        [&[130, 1], &[130, 70], &[130, 70], &[130, 1]],
        [&[130, 1], &[130, 1], &[130, 70], &[130, 70]],
        [&[130, 1], &[1, 70], &[130, 70], &[1, 1]],
        [&[3, 5], &[3, 5], &[3, 1], &[1, 5]],
        [&[2, 3, 4], &[2, 3, 4], &[1, 3, 1], &[2, 3, 4]],
        [&[7], &[7], &[7], &[1]],
    ];
    for of_factors in shapes {
        let shape =
            of_factors.iter().fold(of_factors[0].to_vec(), |all, of| broadcast_of(&all, of));
        for view in 0..12 {
            let mut nth = 0;
            let factors = of_factors.map(|of| {
                nth += 1;
                let mut views = layouts::<T>(of, 50 * nth);
                // One of them in another layout, the others in order.
                let other = if view % 4 == nth as usize - 1 { view } else { 0 };
                views.swap_remove(other % views.len())
            });
            let expected = map_indices(&shape, |index| {
                let [a, b, c, d] = factors.each_ref().map(|x| at::<T>(x, index));
                a * b + c * d
            });
            poison::<T>(expected.len());
            shared_and_not::<T, 4>(
                factors.each_ref(),
                |[a, b, c, d]| sum_of_products(a, b, c, d),
                |sum| {
                    assert_eq!(sum.layout().shape().to_vec(), shape);
                    assert_same(&elements::<T>(sum), &expected, &(of_factors, view));
                },
            );
        }
    }
}

#[test]
fn sums_of_products() {
    products::<f32>();
    products::<f64>();
}
