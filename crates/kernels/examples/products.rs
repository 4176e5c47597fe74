//! Prints GFLOP/s of matrix products and of burn's own, at the sizes of small networks. An argument is a
//! name's part: the others are left out.

use std::hint::black_box;
use std::time::Instant;

use burn_backend::DType;
use burn_backend::ops::FloatTensorOps;
use burn_flex::{Flex, FlexTensor, Layout};
use burn_std::{Bytes, Shape};
use sharpscope_kernels as kernels;

/// The layout of a matrix, or of matrices.
#[derive(Clone, Copy)]
enum Order {
    /// Rows without gaps.
    Rows,
    /// Columns without gaps.
    Columns,
    /// Rows of `[n, heads, rows, columns]` that is `[n, rows, heads, columns]` in memory.
    Heads,
    /// Columns of the same.
    HeadsTransposed,
}
use Order::{Columns, Heads, HeadsTransposed, Rows};

fn dense(shape: &[usize], single: bool) -> FlexTensor {
    let len: usize = shape.iter().product();
    let values = (0..len).map(|i| (i * 37 % 101) as f64 / 50.0 - 1.0);
    let layout = Layout::contiguous(Shape::from(shape));
    if single {
        let values: Vec<f32> = values.map(|value| value as f32).collect();
        return FlexTensor::new(Bytes::from_elems(values), layout, DType::F32);
    }
    FlexTensor::new(Bytes::from_elems(values.collect::<Vec<f64>>()), layout, DType::F64)
}

fn tensor(shape: &[usize], order: Order, single: bool) -> FlexTensor {
    let rank = shape.len();
    let mut in_memory = shape.to_vec();
    if matches!(order, Columns | HeadsTransposed) {
        in_memory.swap(rank - 2, rank - 1);
    }
    let x = match order {
        Rows | Columns => dense(&in_memory, single),
        Heads | HeadsTransposed => {
            in_memory.swap(rank - 3, rank - 2);
            dense(&in_memory, single).transpose(rank - 3, rank - 2)
        }
    };
    if matches!(order, Columns | HeadsTransposed) { x.transpose(rank - 2, rank - 1) } else { x }
}

/// Seconds of a call each of two functions: the least of many, in turns.
fn times(mut calls: [&mut dyn FnMut(); 2]) -> [f64; 2] {
    let mut least = [f64::INFINITY; 2];
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < 0.5 {
        for (call, least) in calls.iter_mut().zip(&mut least) {
            for _ in 0..5 {
                let start = Instant::now();
                call();
                *least = least.min(start.elapsed().as_secs_f64());
            }
        }
    }
    least
}

fn main() {
    let part = std::env::args().nth(1).unwrap_or_default();
    println!("{:48} {:>9} {:>8} {:>8} {:>6}", "", "us", "GFLOP/s", "burn's", "ratio");
    let row = |name: &str, lhs: (&[usize], Order), rhs: (&[usize], Order)| {
        for single in [true, false] {
            let (precision, lhs, rhs) = (if single { "f32" } else { "f64" }, lhs, rhs);
            let name = format!("{name} {:?} x {:?} {precision}", lhs.0, rhs.0);
            if !name.contains(&part) {
                continue;
            }
            let batch = lhs.0[..lhs.0.len() - 2].iter().zip(rhs.0).map(|(a, b)| a.max(b));
            let batch: usize = batch.product();
            let [m, k] = [2, 1].map(|back| lhs.0[lhs.0.len() - back]);
            let n = rhs.0[rhs.0.len() - 1];
            let [lhs, rhs] = [lhs, rhs].map(|(shape, order)| tensor(shape, order, single));
            let [ours, burns] = times([
                &mut || {
                    kernels::recycle(black_box(kernels::matmul(lhs.clone(), rhs.clone())));
                },
                &mut || {
                    black_box(Flex::float_matmul(lhs.clone(), rhs.clone()));
                },
            ]);
            let flop = 2.0 * (batch * m * k * n) as f64;
            let [speed, burn] = [ours, burns].map(|time| flop / time * 1e-9);
            let ratio = burns / ours;
            println!("{name:48} {:9.1} {speed:8.1} {burn:8.1} {ratio:6.2}", ours * 1e6);
        }
    };
    // Fully connected layers: examples, inputs and outputs.
    let layers = [
        [250, 64, 64],
        [256, 784, 200],
        [250, 128, 128],
        [250, 256, 256],
        [250, 930, 930],
        [250, 64, 10],
        [3200, 32, 96],
        [3200, 32, 128],
        [3200, 128, 32],
        [3200, 32, 66],
    ];
    for [n, inputs, outputs] in layers {
        row("X W'", (&[n, inputs], Rows), (&[inputs, outputs], Columns));
        row("X'G", (&[inputs, n], Columns), (&[n, outputs], Rows));
        row("G'X", (&[outputs, n], Columns), (&[n, inputs], Rows));
        row("G W", (&[n, outputs], Rows), (&[outputs, inputs], Rows));
    }
    // Attention.
    row("q k'", (&[100, 2, 32, 16], Heads), (&[100, 2, 16, 32], HeadsTransposed));
    row("a v", (&[100, 2, 32, 32], Rows), (&[100, 2, 32, 16], Heads));
    row("a'g", (&[100, 2, 32, 32], Columns), (&[100, 2, 32, 16], Heads));
    row("g v'", (&[100, 2, 32, 16], Heads), (&[100, 2, 16, 32], HeadsTransposed));
    // Along directions.
    for d in [1, 4, 8] {
        row("X dW'", (&[1, 250, 64], Rows), (&[d, 64, 64], Columns));
        row("dX W'", (&[d, 250, 64], Rows), (&[1, 64, 64], Columns));
        row("dX'G", (&[d, 64, 250], Columns), (&[1, 250, 64], Rows));
        row("X'dG", (&[1, 64, 250], Columns), (&[d, 250, 64], Rows));
    }
    // One row or one column.
    row("row", (&[1, 250], Rows), (&[250, 250], Columns));
    row("row", (&[1, 250], Rows), (&[250, 250], Rows));
    row("column", (&[250, 250], Rows), (&[250, 1], Rows));
    row("column", (&[250, 250], Columns), (&[250, 1], Rows));
}
