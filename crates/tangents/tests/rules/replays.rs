//! What is noted of a computation and replayed, against tangents that go along with it.

use burn::backend::{Autodiff, Flex};
use burn::tensor::{DType, Tensor, TensorData};
use sharpscope_tangents::{LinearProgram, Recording, Tape, constant, known, split, value};

use crate::checks::{
    K, ROUNDING, Vectors, choices, compare, direction, dual_inputs, flat, gradient, point, tensor,
    values,
};
use crate::rows::{Dual, Noted, Row, Second, TapeOverNoted};

/// Directions `[count, elements]` for each of the inputs that are free.
fn stacked(directions: &[Vectors], held: &[bool]) -> Vec<Tensor<Flex, 2>> {
    let free = (0..held.len()).filter(|&i| !held[i]);
    let one = |i: usize| {
        let values: Vec<f64> = directions.iter().flat_map(|v| v[i].iter().copied()).collect();
        let shape = [directions.len(), values.len() / directions.len()];
        Tensor::from_data(TensorData::new(values, shape), (&Default::default(), DType::F64))
    };
    free.map(one).collect()
}

/// Inputs of which those not held change along directions of the tape.
fn inputs(tape: &Tape<Flex>, point: &Vectors, held: &[bool]) -> Vec<Tensor<Noted, 1>> {
    let one = |(x, held): (&Vec<f64>, &bool)| match held {
        true => constant(known(tensor(x))),
        false => tape.direction(tensor(x)),
    };
    point.iter().zip(held).map(one).collect()
}

/// What a program makes of each direction, with as many numbers as there are in each output.
fn replay(
    program: &LinearProgram<Flex>,
    directions: &[Vectors],
    held: &[bool],
    lens: &[usize],
) -> Vectors {
    let outputs = program.apply(stacked(directions, held));
    let mut results = vec![Vec::new(); directions.len()];
    for (output, len) in outputs.into_iter().zip(lens) {
        let flat: Vec<f64> = match output {
            Some(output) => output.into_data().to_vec().expect("double precision"),
            None => vec![0.0; len * directions.len()],
        };
        assert_eq!(flat.len(), len * directions.len());
        results.iter_mut().zip(flat.chunks(*len)).for_each(|(all, part)| all.extend(part));
    }
    results
}

/// All directions at once, and each alone.
fn check(
    program: &LinearProgram<Flex>,
    directions: &[Vectors],
    held: &[bool],
    lens: &[usize],
    expected: &[Vec<f64>],
) -> Result<(), String> {
    let together = replay(program, directions, held, lens);
    for ((direction, together), expected) in directions.iter().zip(&together).zip(expected) {
        compare(&format!("a replay, {held:?} held"), together, expected, ROUNDING)?;
        let alone = replay(program, std::slice::from_ref(direction), held, lens);
        compare("a direction alone", &alone[0], together, ROUNDING)?;
    }
    // What was replayed can be replayed.
    let again = replay(program, directions, held, lens);
    for (again, together) in again.iter().zip(&together) {
        compare("a second replay", again, together, 0.0)?;
    }
    Ok(())
}

/// Tangents of the value, with each choice of inputs constant.
pub fn replayed_tangents(row: &Row) -> Result<(), String> {
    let point = point(row);
    for held in choices(point.len()) {
        let directions: Vec<Vectors> = (0..K).map(|j| direction(row, j, &held)).collect();
        let (_, tangents) = split((row.dual)(dual_inputs(&point, &directions, &held)));
        let expected: Vec<Vec<f64>> = tangents.into_iter().flatten().map(values).collect();
        let tape = Tape::new(&Default::default());
        let (primal, tangent) = split((row.noted)(inputs(&tape, &point, &held)));
        let primal: Vec<f64> = values(value(primal));
        let program = tape.finish(vec![tangent.and_then(|mut tangent| tangent.pop())]);
        check(&program, &directions, &held, &[primal.len()], &expected)?;
    }
    Ok(())
}

/// Hessian-vector products of a gradient that was noted.
pub fn replayed_gradients(row: &Row) -> Result<(), String> {
    if row.second == Second::None {
        return Ok(());
    }
    let point = point(row);
    let free = vec![false; point.len()];
    let directions: Vec<Vectors> = (0..K).map(|j| direction(row, j, &free)).collect();
    let mut expected: Vectors = vec![Vec::new(); K];
    let mut primals: Vec<Tensor<Flex, 1>> = Vec::new();
    let leaves: Vec<Tensor<Autodiff<Dual>, 1>> = dual_inputs(&point, &directions, &free)
        .into_iter()
        .map(|x| Tensor::from_inner(x).require_grad())
        .collect();
    for gradient in gradient(row.tape_over_dual, &leaves) {
        let (primal, tangents) = split(gradient);
        let tangents = tangents.unwrap_or_else(|| vec![primal.zeros_like(); K]);
        expected.iter_mut().zip(tangents).for_each(|(product, t)| product.extend(values(t)));
        primals.push(primal);
    }
    let tape = Tape::new(&Default::default());
    let leaves: Vec<Tensor<TapeOverNoted, 1>> = inputs(&tape, &point, &free)
        .into_iter()
        .map(|x| Tensor::from_inner(x).require_grad())
        .collect();
    let mut outputs: Vec<Option<Tensor<Recording<Flex>, 1>>> = Vec::new();
    let mut noted: Vec<Tensor<Flex, 1>> = Vec::new();
    for gradient in gradient(row.tape_over_noted, &leaves) {
        let (primal, tangents) = split(gradient);
        outputs.push(tangents.and_then(|mut tangents| tangents.pop()));
        noted.push(value(primal));
    }
    let lens: Vec<usize> = noted.iter().map(|gradient| gradient.dims()[0]).collect();
    compare("gradient", &flat(noted), &flat(primals), 0.0)?;
    check(&tape.finish(outputs), &directions, &free, &lens, &expected)
}
