//! The comparisons.

use burn::backend::{Autodiff, Flex};
use burn::tensor::backend::{AutodiffBackend, Backend};
use burn::tensor::{DType, Tensor, TensorData};
use sharpscope_tangents::{split, with_tangents};

use crate::rows::{Dual, Function, Row, Second, Tape, TapeOverTape};

/// Step of central differences in double precision: errors of about its square and of 1e-16 over it.
const STEP: f64 = 1e-5;
/// What that leaves, with derivatives of order ten.
const DIFFERENCES: f64 = 2e-8;
/// Rounding of different but equivalent formulas.
pub const ROUNDING: f64 = 1e-10;

/// Number of directions.
pub const K: usize = 3;

pub type Vectors = Vec<Vec<f64>>;

/// Numbers between 0 and 1 that follow from `seed`.
pub fn numbers(len: usize, seed: u64) -> Vec<f64> {
    let mut state = seed.wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let next = || {
        // SplitMix64 (Steele et al. 2014).
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    };
    std::iter::repeat_with(next).take(len).collect()
}

pub fn tensor<B: Backend>(values: &[f64]) -> Tensor<B, 1> {
    let data = TensorData::new(values.to_vec(), [values.len()]);
    Tensor::from_data(data, (&B::Device::default(), DType::F64))
}

pub fn values<B: Backend>(tensor: Tensor<B, 1>) -> Vec<f64> {
    tensor.into_data().to_vec().expect("a tensor in double precision")
}

pub fn lens(row: &Row) -> impl Iterator<Item = usize> {
    row.shapes.iter().map(|shape| shape.iter().product())
}

pub fn point(row: &Row) -> Vectors {
    let (low, high) = row.domain;
    let scaled = |(i, len)| numbers(len, i as u64).iter().map(|x| low + (high - low) * x).collect();
    lens(row).enumerate().map(scaled).collect()
}

/// A direction; zero for the inputs that are held.
pub fn direction(row: &Row, j: usize, held: &[bool]) -> Vectors {
    let one = |(i, len): (usize, usize)| match held[i] {
        true => vec![0.0; len],
        false => numbers(len, (100 * (j + 1) + i) as u64).iter().map(|x| 2.0 * x - 1.0).collect(),
    };
    lens(row).enumerate().map(one).collect()
}

fn moved(point: &Vectors, direction: &Vectors, step: f64) -> Vectors {
    let one = |(x, v): (&Vec<f64>, &Vec<f64>)| x.iter().zip(v).map(|(x, v)| x + step * v).collect();
    point.iter().zip(direction).map(one).collect()
}

fn lift<B: Backend>(vectors: &Vectors) -> Vec<Tensor<B, 1>> {
    vectors.iter().map(|x| tensor(x)).collect()
}

/// (f(x + h v) - f(x - h v)) / 2h.
fn difference(point: &Vectors, direction: &Vectors, f: impl Fn(&Vectors) -> Vec<f64>) -> Vec<f64> {
    let (above, below) = (f(&moved(point, direction, STEP)), f(&moved(point, direction, -STEP)));
    above.iter().zip(below).map(|(a, b)| (a - b) / (2.0 * STEP)).collect()
}

pub fn compare(what: &str, found: &[f64], expected: &[f64], tolerance: f64) -> Result<(), String> {
    if found.len() != expected.len() {
        return Err(format!("{what}: {} numbers for {}", found.len(), expected.len()));
    }
    let scale = expected.iter().fold(1.0, |scale: f64, x| scale.max(x.abs()));
    for (i, (x, y)) in found.iter().zip(expected).enumerate() {
        // Not a number is not near.
        let near = (x - y).abs() <= tolerance * scale;
        if !near {
            return Err(format!("{what}: {x} at {i}, not {y} (of {scale:.1e})"));
        }
    }
    Ok(())
}

/// Inputs of which those not held have tangents.
pub fn dual_inputs(point: &Vectors, directions: &[Vectors], held: &[bool]) -> Vec<Tensor<Dual, 1>> {
    let one = |(i, x): (usize, &Vec<f64>)| {
        let tangents = match held[i] {
            true => Vec::new(),
            false => directions.iter().map(|direction| tensor(&direction[i])).collect(),
        };
        with_tangents(tensor(x), tangents)
    };
    point.iter().enumerate().map(one).collect()
}

/// Every choice of inputs to hold but for all of them.
pub fn choices(inputs: usize) -> impl Iterator<Item = Vec<bool>> {
    (0..(1usize << inputs) - 1).map(move |bits| (0..inputs).map(|i| bits >> i & 1 == 1).collect())
}

/// Tangents of the value, with each choice of inputs constant, and no tangent for constants.
pub fn first_order(row: &Row) -> Result<(), String> {
    let point = point(row);
    let value = values((row.plain)(lift(&point)));
    let inputs = point.len();
    let all_held = vec![true; inputs];
    let (primal, tangents) = split((row.dual)(dual_inputs(&point, &[], &all_held)));
    compare("value of constants", &values(primal), &value, ROUNDING)?;
    if tangents.is_some() {
        return Err("tangents of constants".into());
    }
    for held in choices(inputs) {
        let directions: Vec<Vectors> = (0..K).map(|j| direction(row, j, &held)).collect();
        let (primal, tangents) = split((row.dual)(dual_inputs(&point, &directions, &held)));
        compare("value", &values(primal), &value, ROUNDING)?;
        let tangents: Vec<Vec<f64>> = tangents.into_iter().flatten().map(values).collect();
        if tangents.len() != K {
            return Err(format!("{} tangents with {held:?} held", tangents.len()));
        }
        for (direction, tangent) in directions.iter().zip(&tangents) {
            let expected = difference(&point, direction, |x| values((row.plain)(lift(x))));
            compare(&format!("tangent, {held:?} held"), tangent, &expected, DIFFERENCES)?;
        }
        // A block is exactly its directions one by one.
        for (direction, tangent) in directions.iter().zip(&tangents) {
            let inputs = dual_inputs(&point, std::slice::from_ref(direction), &held);
            let (_, alone) = split((row.dual)(inputs));
            let alone: Vec<Vec<f64>> = alone.into_iter().flatten().map(values).collect();
            compare("a tangent alone", &alone[0], tangent, 0.0)?;
        }
    }
    Ok(())
}

/// A loss with curvature in all that goes through the function: of its inputs bent, with the square
/// of its outputs.
fn loss<B: Backend>(f: Function<B>, inputs: Vec<Tensor<B, 1>>) -> Tensor<B, 1> {
    let bend = |x: Tensor<B, 1>| x.clone() + x.clone() * x * 0.05;
    let output = f(inputs.into_iter().map(bend).collect());
    let weights = tensor(&numbers(output.dims()[0], 77));
    ((output.clone() * 0.5 + weights) * output).sum()
}

/// The gradient at leaves; zeros where the loss does not depend on one.
pub fn gradient<B: AutodiffBackend>(
    f: Function<B>,
    leaves: &[Tensor<B, 1>],
) -> Vec<Tensor<B::InnerBackend, 1>> {
    let mut gradients = loss(f, leaves.to_vec()).backward();
    let one = |leaf: &Tensor<B, 1>| {
        leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
    };
    leaves.iter().map(one).collect()
}

pub fn flat<B: Backend>(tensors: Vec<Tensor<B, 1>>) -> Vec<f64> {
    tensors.into_iter().flat_map(values).collect()
}

fn tape_gradient(row: &Row, point: &Vectors) -> Vec<f64> {
    let leaf = |x: &Vec<f64>| tensor::<Tape>(x).require_grad();
    flat(gradient(row.tape, &point.iter().map(leaf).collect::<Vec<_>>()))
}

fn nested_product(row: &Row, point: &Vectors, direction: &Vectors) -> Vec<f64> {
    let inner: Vec<Tensor<Tape, 1>> = point.iter().map(|x| tensor(x).require_grad()).collect();
    let outer: Vec<Tensor<TapeOverTape, 1>> =
        inner.iter().map(|x| Tensor::from_inner(x.clone()).require_grad()).collect();
    let directional = gradient(row.tape_over_tape, &outer)
        .into_iter()
        .zip(direction)
        .map(|(g, v)| (g * tensor(v)).sum())
        .reduce(Tensor::add)
        .expect("a function has inputs");
    let mut gradients = directional.backward();
    let one = |leaf: &Tensor<Tape, 1>| {
        leaf.grad_remove(&mut gradients).unwrap_or_else(|| leaf.clone().inner().zeros_like())
    };
    flat(inner.iter().map(one).collect())
}

/// Gradient and Hessian-vector products of one backward pass.
pub fn second_order(row: &Row) -> Result<(), String> {
    if row.second == Second::None {
        return Ok(());
    }
    let point = point(row);
    let free = vec![false; point.len()];
    let directions: Vec<Vectors> = (0..K).map(|j| direction(row, j, &free)).collect();
    let duals = dual_inputs(&point, &directions, &free);
    let leaves: Vec<Tensor<Autodiff<Dual>, 1>> =
        duals.into_iter().map(|x| Tensor::from_inner(x).require_grad()).collect();
    let mut products: Vectors = vec![Vec::new(); K];
    let mut primals: Vec<Tensor<Flex, 1>> = Vec::new();
    for gradient in gradient(row.tape_over_dual, &leaves) {
        let (primal, tangents) = split(gradient);
        let zeros = || vec![primal.zeros_like(); K];
        let tangents = tangents.unwrap_or_else(zeros);
        products.iter_mut().zip(tangents).for_each(|(product, t)| product.extend(values(t)));
        primals.push(primal);
    }
    compare("gradient", &flat(primals), &tape_gradient(row, &point), ROUNDING)?;
    for (direction, product) in directions.iter().zip(&products) {
        let by_differences = difference(&point, direction, |x| tape_gradient(row, x));
        compare("Hv by differences", product, &by_differences, 10.0 * DIFFERENCES)?;
        if row.second == Second::Nested {
            let nested = nested_product(row, &point, direction);
            compare("Hv by a tape over a tape", product, &nested, ROUNDING)?;
        }
    }
    Ok(())
}
