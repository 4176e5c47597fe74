//! Levels of differentiation in other orders, and what is refused.

use std::panic::catch_unwind;

use burn::backend::{Autodiff, Flex};
use burn::tensor::activation::gelu;
use burn::tensor::backend::Backend;
use burn::tensor::module::deform_conv2d;
use burn::tensor::ops::{DeformConvOptions, GridSampleOptions, InterpolateMode};
use burn::tensor::signal::{irfft, rfft};
use burn::tensor::{DType, Tensor};
use sharpscope_tangents::{Tangents, WITHOUT_RULE, constant, split, with_tangents};

use crate::checks::{numbers, tensor, values};
use crate::rows::{Dual, Tape};

/// A function with curvature of its own.
fn value<B: Backend>(x: Tensor<B, 1>) -> Tensor<B, 1> {
    let products = x.clone().reshape([2, 3]).matmul(x.clone().reshape([3, 2]).tanh());
    products.exp().sum() + gelu(x).sum().square()
}

fn close(found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    for (x, y) in found.iter().zip(expected) {
        assert!((x - y).abs() <= tolerance, "{found:?}, not {expected:?}");
    }
}

fn inputs() -> (Vec<f64>, Vec<f64>) {
    let centred = |seed| numbers(6, seed).iter().map(|x| 2.0 * x - 1.0).collect();
    (centred(1), centred(2))
}

/// The Hessian times v, forward over reverse.
fn reference(x: &[f64], v: &[f64]) -> Vec<f64> {
    let dual: Tensor<Dual, 1> = with_tangents(tensor(x), vec![tensor(v)]);
    let leaf = Tensor::<Autodiff<Dual>, 1>::from_inner(dual).require_grad();
    let gradient = leaf.grad(&value(leaf.clone()).backward()).expect("the value depends on it");
    values(split(gradient).1.expect("the gradient depends on x").remove(0))
}

#[test]
fn a_tape_below_differentiates_tangents() {
    // The gradient of the derivative along v is the Hessian times v.
    let (x, v) = inputs();
    let leaf = tensor::<Tape>(&x).require_grad();
    let dual: Tensor<Tangents<Tape>, 1> = with_tangents(leaf.clone(), vec![tensor(&v)]);
    let directional = split(value(dual)).1.expect("the value depends on x").remove(0);
    let product = leaf.grad(&directional.backward()).expect("so does its derivative");
    close(&values(product), &reference(&x, &v), 1e-10);
}

#[test]
fn forward_over_forward_is_the_second_derivative() {
    let (x, v) = inputs();
    let first: Tensor<Dual, 1> = with_tangents(tensor(&x), vec![tensor(&v)]);
    let along = constant(tensor(&v));
    let second: Tensor<Tangents<Dual>, 1> = with_tangents(first, vec![along]);
    let derivative = split(value(second)).1.expect("the value depends on x").remove(0);
    let curvature = split(derivative).1.expect("so does its derivative").remove(0);
    let expected: f64 = reference(&x, &v).iter().zip(&v).map(|(h, v)| h * v).sum();
    close(&values(curvature), &[expected], 1e-10);
}

#[test]
fn a_detached_tensor_is_a_constant() {
    let (x, v) = inputs();
    let dual: Tensor<Dual, 1> = with_tangents(tensor(&x), vec![tensor(&v)]);
    let (primal, tangents) = split(dual.clone().detach() * dual);
    close(&values(primal), &x.iter().map(|x| x * x).collect::<Vec<_>>(), 1e-15);
    let product: Vec<f64> = x.iter().zip(&v).map(|(x, v)| x * v).collect();
    close(&values(tangents.expect("one factor changes").remove(0)), &product, 1e-15);
}

/// Not by differences: Flex transforms in single precision.
#[test]
fn transforms_apply_to_tangents() {
    let matrix =
        |seed, columns: usize| tensor::<Flex>(&numbers(2 * columns, seed)).reshape([2, columns]);
    let flat = |x: Tensor<Flex, 2>| x.into_data().to_vec::<f64>().expect("double precision");
    let same = |tangents: Option<Vec<Tensor<Flex, 2>>>, expected| {
        let tangent = tangents.expect("the transform depends on its input").remove(0);
        close(&flat(tangent), &flat(expected), 0.0);
    };
    let dual = |x, v: Option<_>| -> Tensor<Dual, 2> { with_tangents(x, v.into_iter().collect()) };

    let (x, v) = (matrix(1, 8), matrix(2, 8));
    let (re, im) = rfft(dual(x, Some(v.clone())), 1, None);
    let (dre, dim) = rfft(v, 1, None);
    same(split(re).1, dre);
    same(split(im).1, dim);

    let (re, im, dre, dim) = (matrix(1, 5), matrix(2, 5), matrix(3, 5), matrix(4, 5));
    let transform = |dre: Option<Tensor<Flex, 2>>, dim: Option<Tensor<Flex, 2>>| {
        split(irfft(dual(re.clone(), dre), dual(im.clone(), dim), 1, None)).1
    };
    let zeros = dre.zeros_like();
    let both = transform(Some(dre.clone()), Some(dim.clone()));
    same(both, irfft(dre.clone(), dim.clone(), 1, None));
    same(transform(Some(dre.clone()), None), irfft(dre, zeros.clone(), 1, None));
    same(transform(None, Some(dim.clone())), irfft(zeros, dim, 1, None));
}

#[test]
fn single_precision_stays_single() {
    let single = |x: &[f64]| tensor::<Flex>(x).cast(DType::F32);
    let (x, v) = inputs();
    let dual: Tensor<Dual, 1> = with_tangents(single(&x), vec![single(&v)]);
    let (primal, tangents) = split(value(dual));
    let tangents = tangents.expect("the value depends on x");
    assert_eq!((primal.dtype(), tangents[0].dtype()), (DType::F32, DType::F32));
}

#[test]
fn the_name_says_what_it_decorates() {
    let device = Default::default();
    assert_eq!(Autodiff::<Dual>::name(&device), "autodiff<tangents<flex>>");
}

fn message(task: impl FnOnce() + std::panic::UnwindSafe) -> String {
    let panic = catch_unwind(task).expect_err("this should be refused");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(other) => (*other.downcast::<&str>().expect("a panic with a message")).into(),
    }
}

#[test]
fn blocks_of_different_sizes_are_refused() {
    let block = |k: usize| -> Tensor<Dual, 1> {
        with_tangents(tensor(&[1.0, 2.0]), vec![tensor(&[1.0, 1.0]); k])
    };
    let refused = "different numbers of tangents";
    assert!(message(move || drop(block(2) + block(3))).contains(refused));
    assert!(message(move || drop(block(2).dot(block(3)))).contains(refused));
    assert!(message(move || drop(Tensor::cat(vec![block(2), block(3)], 0))).contains(refused));
    let other_shape = || {
        drop(with_tangents::<Flex, 1>(tensor(&[1.0]), vec![tensor(&[1.0; 2])]) as Tensor<Dual, 1>)
    };
    assert!(message(other_shape).contains("another shape"));
}

#[test]
fn operations_without_a_rule_say_so() {
    let moving = |len: usize| -> Tensor<Dual, 1> {
        with_tangents(tensor(&numbers(len, 1)), vec![tensor(&numbers(len, 2))])
    };
    let fixed = |len: usize| -> Tensor<Dual, 1> { constant(tensor(&numbers(len, 3))) };
    let deform = message(move || {
        let (x, w) = (fixed(16).reshape([1, 1, 4, 4]), fixed(4).reshape([1, 1, 2, 2]));
        let options = DeformConvOptions::new([1, 1], [0, 0], [1, 1], 1, 1);
        deform_conv2d(x, moving(72).reshape([1, 8, 3, 3]), w, None, None, options);
    });
    let sample = message(move || {
        let options = GridSampleOptions::new(InterpolateMode::Bicubic);
        fixed(16).reshape([1, 1, 4, 4]).grid_sample_2d(moving(8).reshape([1, 2, 2, 2]), options);
    });
    for (found, named) in [deform, sample].iter().zip(WITHOUT_RULE) {
        assert_eq!(found, &format!("tangents: no derivative rule for {named}"));
    }
}
