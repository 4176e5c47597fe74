//! Microseconds per call of the kernels and of burn's own operations, of all or of those whose name
//! contains the first argument.

use std::hint::black_box;
use std::time::Instant;

use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_backend::{BoolStore, DType};
use burn_flex::{Flex, FlexTensor, Layout};
use burn_std::{Bytes, Shape, Slice};
use sharpscope_kernels as ours;

fn tensor(shape: &[usize]) -> FlexTensor {
    let len: usize = shape.iter().product();
    let values: Vec<f32> = (0..len).map(|i| (i * 37 % 101) as f32 / 50.0 - 1.0).collect();
    FlexTensor::new(Bytes::from_elems(values), Layout::contiguous(Shape::from(shape)), DType::F32)
}

fn mask(shape: &[usize]) -> FlexTensor {
    let len: usize = shape.iter().product();
    let values: Vec<u8> = (0..len).map(|i| (i % 3 == 0) as u8).collect();
    let layout = Layout::contiguous(Shape::from(shape));
    FlexTensor::new(Bytes::from_elems(values), layout, DType::Bool(BoolStore::Native))
}

/// The least mean of several runs.
fn microseconds(operation: &dyn Fn() -> FlexTensor) -> f64 {
    let start = Instant::now();
    ours::recycle(black_box(operation()));
    let times = (0.01 / start.elapsed().as_secs_f64().max(1e-7)).ceil() as usize;
    let run = |_| {
        let start = Instant::now();
        for _ in 0..times {
            ours::recycle(black_box(operation()));
        }
        start.elapsed().as_secs_f64() / times as f64 * 1e6
    };
    (0..5).map(run).fold(f64::INFINITY, f64::min)
}

fn compare(name: &str, ours: &dyn Fn() -> FlexTensor, burns: &dyn Fn() -> FlexTensor) {
    if std::env::args().nth(1).is_some_and(|part| !name.contains(&part)) {
        return;
    }
    let (ours, burns) = (microseconds(ours), microseconds(burns));
    println!("{name:<44} {ours:>10.2} {burns:>10.2} {:>7.1}", burns / ours);
}

fn main() {
    println!("{:<44} {:>10} {:>10} {:>7}", "", "ours, us", "burn's, us", "ratio");
    elementwise();
    copies();
    reductions();
    of_transformers();
}

fn elementwise() {
    let (x, y) = (tensor(&[6400, 96]), tensor(&[6400, 96]));
    let (row, column) = (tensor(&[1, 96]), tensor(&[6400, 1]));
    compare("add [6400, 96] + [1, 96]", &|| ours::add(x.clone(), row.clone()), &|| {
        Flex::float_add(x.clone(), row.clone())
    });
    compare("mul [6400, 96] * [6400, 1]", &|| ours::mul(x.clone(), column.clone()), &|| {
        Flex::float_mul(x.clone(), column.clone())
    });
    compare("add [6400, 96] + [6400, 96]", &|| ours::add(x.clone(), y.clone()), &|| {
        Flex::float_add(x.clone(), y.clone())
    });
    let transposed = tensor(&[96, 6400]).transpose(0, 1);
    compare("add [6400, 96] + transposed", &|| ours::add(x.clone(), transposed.clone()), &|| {
        Flex::float_add(x.clone(), transposed.clone())
    });
    compare(
        "sum of products, [6400, 96] and [1, 96]",
        &|| ours::sum_of_products(x.clone(), row.clone(), y.clone(), row.clone()),
        &|| {
            let product = |x: &FlexTensor| Flex::float_mul(x.clone(), row.clone());
            Flex::float_add(product(&x), product(&y))
        },
    );
    compare("mul_scalar [6400, 96]", &|| ours::mul_scalar(x.clone(), 0.5.into()), &|| {
        Flex::float_mul_scalar(x.clone(), 0.5.into())
    });
    compare("relu [6400, 96]", &|| ours::relu(x.clone()), &|| Flex::relu(x.clone()));
    let (x, row) = (tensor(&[64, 10]), tensor(&[1, 10]));
    compare("add [64, 10] + [1, 10]", &|| ours::add(x.clone(), row.clone()), &|| {
        Flex::float_add(x.clone(), row.clone())
    });
    compare("add [64, 10] + [64, 10]", &|| ours::add(x.clone(), x.clone()), &|| {
        Flex::float_add(x.clone(), x.clone())
    });
    compare("mul_scalar [64, 10]", &|| ours::mul_scalar(x.clone(), 0.5.into()), &|| {
        Flex::float_mul_scalar(x.clone(), 0.5.into())
    });
    let images = tensor(&[32, 16, 14, 14]);
    let channels = tensor(&[1, 16, 1, 1]);
    compare(
        "add [32, 16, 14, 14] + [1, 16, 1, 1]",
        &|| ours::add(images.clone(), channels.clone()),
        &|| Flex::float_add(images.clone(), channels.clone()),
    );
}

fn copies() {
    let x = tensor(&[200, 32, 2, 32]).permute(&[0, 2, 1, 3]);
    compare("copy [200, 32, 2, 32] as [0, 2, 1, 3]", &|| ours::contiguous(x.clone()), &|| {
        x.to_contiguous()
    });
    let x = tensor(&[200, 32, 2, 32]).permute(&[0, 2, 3, 1]);
    compare("copy [200, 32, 2, 32] as [0, 2, 3, 1]", &|| ours::contiguous(x.clone()), &|| {
        x.to_contiguous()
    });
    let x = tensor(&[6400, 96]).transpose(0, 1);
    compare("copy [6400, 96] transposed", &|| ours::contiguous(x.clone()), &|| x.to_contiguous());
    let x = tensor(&[64, 10]).transpose(0, 1);
    compare("copy [64, 10] transposed", &|| ours::contiguous(x.clone()), &|| x.to_contiguous());
    let x = tensor(&[6400, 96]).narrow(1, 32, 32);
    compare("copy [6400, 32..64]", &|| ours::contiguous(x.clone()), &|| x.to_contiguous());
    let x = burn_flex::ops::expand::expand(tensor(&[6400, 1]), Shape::from([6400usize, 96]));
    compare("copy [6400, 1] expanded", &|| ours::contiguous(x.clone()), &|| x.to_contiguous());
}

fn reductions() {
    let x = tensor(&[6400, 128]);
    for dim in [0, 1] {
        compare(&format!("sum_dim {dim} [6400, 128]"), &|| ours::sum_dim(x.clone(), dim), &|| {
            Flex::float_sum_dim(x.clone(), dim)
        });
    }
    compare("sum [6400, 128]", &|| ours::sum(x.clone()), &|| Flex::float_sum(x.clone()));
    let narrow = tensor(&[6400, 10]);
    for dim in [0, 1] {
        compare(
            &format!("sum_dim {dim} [6400, 10]"),
            &|| ours::sum_dim(narrow.clone(), dim),
            &|| Flex::float_sum_dim(narrow.clone(), dim),
        );
    }
    let images = tensor(&[32, 16, 14, 14]);
    for dim in [0, 1, 3] {
        compare(
            &format!("sum_dim {dim} [32, 16, 14, 14]"),
            &|| ours::sum_dim(images.clone(), dim),
            &|| Flex::float_sum_dim(images.clone(), dim),
        );
    }
    let permuted = tensor(&[200, 32, 2, 32]).permute(&[0, 2, 1, 3]);
    compare("sum_dim 3 [200, 2, 32, 32] permuted", &|| ours::sum_dim(permuted.clone(), 3), &|| {
        Flex::float_sum_dim(permuted.clone(), 3)
    });
    compare("max_dim 1 [6400, 128]", &|| ours::max_dim(x.clone(), 1), &|| {
        Flex::float_max_dim(x.clone(), 1)
    });
    let small = tensor(&[64, 10]);
    compare("sum_dim 1 [64, 10]", &|| ours::sum_dim(small.clone(), 1), &|| {
        Flex::float_sum_dim(small.clone(), 1)
    });
}

fn of_transformers() {
    let scores = tensor(&[200, 2, 32, 32]);
    compare("softmax [200, 2, 32, 32]", &|| ours::softmax(scores.clone(), 3), &|| {
        Flex::softmax(scores.clone(), 3)
    });
    let logits = tensor(&[6400, 96]);
    compare("log_softmax [6400, 96]", &|| ours::log_softmax(logits.clone(), 1), &|| {
        Flex::log_softmax(logits.clone(), 1)
    });
    let p = ours::softmax(scores.clone(), 3);
    compare(
        "softmax_tangent [200, 2, 32, 32]",
        &|| ours::softmax_tangent(p.clone(), scores.clone(), 3),
        &|| {
            let product = Flex::float_mul(p.clone(), scores.clone());
            let sum = Flex::float_sum_dim(product.clone(), 3);
            Flex::float_sub(product, Flex::float_mul(p.clone(), sum))
        },
    );
    let future = mask(&[1, 1, 32, 32]);
    compare(
        "mask_fill [200, 2, 32, 32], [1, 1, 32, 32]",
        &|| ours::mask_fill(scores.clone(), future.clone(), (-1e9).into()),
        &|| Flex::float_mask_fill(scores.clone(), future.clone(), (-1e9).into()),
    );
    let zero = tensor(&[1, 1, 1, 1]);
    compare(
        "mask_where [200, 2, 32, 32], [1, 1, 32, 32]",
        &|| ours::mask_where(scores.clone(), future.clone(), zero.clone()),
        &|| Flex::float_mask_where(scores.clone(), future.clone(), zero.clone()),
    );
    let parts = || (0..3).map(|_| tensor(&[6400, 32])).collect::<Vec<_>>();
    let parts = parts();
    compare("cat of three [6400, 32] along 1", &|| ours::cat(parts.clone(), 1), &|| {
        Flex::float_cat(parts.clone(), 1)
    });
    let slices = [Slice::new(0, None, 1), Slice::new(32, Some(64), 1)];
    compare(
        "slice_assign [6400, 96] [.., 32..64]",
        &|| ours::slice_assign(logits.clone(), &slices, parts[0].clone()),
        &|| Flex::float_slice_assign(logits.clone(), &slices, parts[0].clone()),
    );
}
