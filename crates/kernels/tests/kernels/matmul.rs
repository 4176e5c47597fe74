use burn_backend::ops::FloatTensorOps;
use burn_flex::ops::expand::expand;
use burn_flex::{Flex, FlexTensor};
use burn_std::Shape;
use sharpscope_kernels::{matmul, matmul_add};

use crate::tensors::*;

/// m, k and n: around the sizes of tiles, panels and blocks, odd, nothing.
const SIZES: &[[usize; 3]] = &[
    [1, 1, 1],
    [2, 3, 4],
    [3, 5, 1],
    [1, 7, 9],
    [5, 1, 33],
    [6, 8, 16],
    [7, 9, 17],
    [13, 16, 31],
    [40, 10, 64],
    [33, 70, 50],
    [64, 257, 20],
    [10, 600, 40],
    [300, 20, 10],
    [259, 300, 70],
    [270, 280, 150],
    [0, 3, 4],
    [3, 0, 4],
    [3, 4, 0],
];

/// Axes before the last two of the factors and of their product.
const BATCHES: &[[&[usize]; 3]] = &[
    [&[], &[], &[]],
    [&[3], &[3], &[3]],
    [&[1], &[4], &[4]],
    [&[4], &[1], &[4]],
    [&[], &[2], &[2]],
    [&[2, 3], &[3], &[2, 3]],
    [&[2, 1, 2], &[1, 3, 2], &[2, 3, 2]],
    [&[2, 1, 1], &[2, 2, 1], &[2, 2, 1]],
    [&[0], &[1], &[0]],
];

/// The number of a factor's matrix among its own, at an index of the product's axes before the last two.
fn matrix(index: &[usize], batch: &[usize]) -> usize {
    let own = &index[index.len() - batch.len()..];
    let axes = own.iter().zip(batch);
    axes.fold(0, |number, (&i, &length)| number * length + if length == 1 { 0 } else { i })
}

/// The product's elements, and the sums of the terms' magnitudes.
fn expected<T: Real>(lhs: &FlexTensor, rhs: &FlexTensor, shape: &[usize]) -> Vec<(f64, f64)> {
    let [of_lhs, of_rhs] = [self::shape(lhs), self::shape(rhs)];
    let wide = |x: &FlexTensor| elements::<T>(x).iter().map(|x| x.wide()).collect::<Vec<f64>>();
    let (left, right) = (wide(lhs), wide(rhs));
    let (rank, k) = (shape.len(), of_lhs[of_lhs.len() - 1]);
    let (m, n) = (shape[rank - 2], shape[rank - 1]);
    let products = map_indices(&shape[..rank - 2], |index| {
        let left = &left[matrix(index, &of_lhs[..of_lhs.len() - 2]) * m * k..];
        let right = &right[matrix(index, &of_rhs[..of_rhs.len() - 2]) * k * n..];
        let mut product = vec![(0.0, 0.0); m * n];
        for (i, j) in (0..m).flat_map(|i| (0..n).map(move |j| (i, j))) {
            let terms = (0..k).map(|t| left[i * k + t] * right[t * n + j]);
            product[i * n + j] = terms.fold((0.0, 0.0), |(sum, size): (f64, f64), term: f64| {
                (sum + term, size + term.abs())
            });
        }
        product
    });
    products.concat()
}

#[track_caller]
fn assert_close<T: Real>(
    found: &FlexTensor,
    expected: &[(f64, f64)],
    terms: usize,
    what: &dyn std::fmt::Debug,
) {
    let found = elements::<T>(found);
    assert_eq!(found.len(), expected.len(), "{what:?}");
    for (i, (found, (expected, size))) in found.iter().zip(expected).enumerate() {
        let found = found.wide();
        let error = (found - expected).abs();
        // Below the bound of the worst case, which no sum comes near to.
        let allowed = (2.0 + 2.0 * (terms as f64).sqrt()) * T::EPSILON * size;
        assert!(error <= allowed, "{what:?} [{i}]: {found:e} instead of {expected:e}");
    }
}

/// A matrix's shape with axes before.
fn with_batch(batch: &[usize], rows: usize, columns: usize) -> Vec<usize> {
    [batch, &[rows, columns]].concat()
}

fn all_layouts<T: Real>() {
    for &[m, k, n] in &SIZES[..11] {
        for [of_lhs, of_rhs, of_product] in &BATCHES[..8] {
            let [lhs, rhs] = [with_batch(of_lhs, m, k), with_batch(of_rhs, k, n)];
            let shape_of_product = with_batch(of_product, m, n);
            if m * k * n > 10_000 && shape_of_product.len() > 2 {
                continue;
            }
            let (lefts, rights) = (layouts::<T>(&lhs, 1), layouts::<T>(&rhs, 2));
            // Each layout with a few of the others.
            for (view, left) in lefts.iter().enumerate() {
                for step in [0, 3, 10] {
                    let other = (view + step) % rights.len();
                    let right = &rights[other];
                    let what = (&lhs, &rhs, left.layout(), right.layout());
                    poison::<T>(shape_of_product.iter().product());
                    let found = matmul(left.clone(), right.clone());
                    assert_eq!(shape(&found), shape_of_product, "{what:?}");
                    let expected = expected::<T>(left, right, &shape_of_product);
                    assert_close::<T>(&found, &expected, k, &what);
                }
            }
        }
    }
}

#[test]
fn of_tensors_of_any_layout() {
    all_layouts::<f32>();
    all_layouts::<f64>();
}

fn all_sizes<T: Real>() {
    for &[m, k, n] in SIZES {
        for [of_lhs, of_rhs, of_product] in BATCHES {
            if m * k * n > 30_000 && of_product.len() > 1 {
                continue;
            }
            let product = with_batch(of_product, m, n);
            let len: usize = product.iter().product();
            // Factors with rows and with columns without gaps.
            for which in 0..4 {
                let factor = |batch: &[usize], [rows, columns]: [usize; 2], turned: bool, seed| {
                    let rank = batch.len() + 2;
                    if turned {
                        let x = tensor::<T>(&with_batch(batch, columns, rows), seed);
                        return x.transpose(rank - 2, rank - 1);
                    }
                    tensor::<T>(&with_batch(batch, rows, columns), seed)
                };
                let lhs = factor(of_lhs, [m, k], which & 1 == 1, 1);
                let rhs = factor(of_rhs, [k, n], which & 2 == 2, 2);
                let what = (shape(&lhs), shape(&rhs), which);
                let expected = expected::<T>(&lhs, &rhs, &product);
                let small = m * k * n < 20_000;
                let check = |found: &FlexTensor| {
                    assert_eq!(shape(found), product, "{what:?}");
                    assert_close::<T>(found, &expected, k, &what);
                };
                poison::<T>(len);
                if small {
                    shared_and_not::<T, 2>([&lhs, &rhs], |[lhs, rhs]| matmul(lhs, rhs), check);
                } else {
                    check(&matmul(lhs.clone(), rhs.clone()));
                }
                if len > 0 && of_lhs.len() == of_rhs.len() {
                    let burns = Flex::float_matmul(lhs.clone(), rhs.clone());
                    assert_close::<T>(&burns, &expected, k, &("burn", &what));
                }
                let sum = tensor::<T>(&product, 3);
                let with_sum: Vec<(f64, f64)> = elements::<T>(&sum)
                    .iter()
                    .zip(&expected)
                    .map(|(sum, (x, size))| (sum.wide() + x, sum.wide().abs() + size))
                    .collect();
                let check = |found: &FlexTensor| {
                    assert_eq!(shape(found), product, "{what:?}");
                    assert_close::<T>(found, &with_sum, k + 1, &("added", &what));
                };
                if small {
                    let kernel = |[sum, lhs, rhs]: [FlexTensor; 3]| matmul_add(sum, lhs, rhs);
                    shared_and_not::<T, 3>([&sum, &lhs, &rhs], kernel, check);
                } else {
                    check(&matmul_add(sum, lhs, rhs));
                }
            }
        }
    }
}

#[test]
fn of_many_sizes() {
    all_sizes::<f32>();
    all_sizes::<f64>();
}

fn added_to<T: Real>() {
    let (lhs, rhs) = (tensor::<T>(&[2, 7, 5], 1), tensor::<T>(&[5, 9], 2));
    let product = elements::<T>(&matmul(lhs.clone(), rhs.clone()));
    for sum in &layouts::<T>(&[2, 7, 9], 3) {
        let expected: Vec<T> = elements::<T>(sum)
            .iter()
            .zip(&product)
            .map(|(sum, x)| T::of(sum.wide() + x.wide()))
            .collect();
        shared_and_not::<T, 1>(
            [sum],
            |[sum]| matmul_add(sum, lhs.clone(), rhs.clone()),
            |found| assert_same(&elements::<T>(found), &expected, &sum.layout()),
        );
    }
    // A sum that is broadcast, and one that is a factor as well.
    let row = tensor::<T>(&[1, 1, 9], 4);
    let found = matmul_add(row.clone(), lhs.clone(), rhs.clone());
    let whole = expand(row, Shape::from([2, 7, 9]));
    let expected = matmul_add(whole, lhs, rhs);
    assert_same(&elements::<T>(&found), &elements::<T>(&expected), &"broadcast");
    let x = tensor::<T>(&[6, 6], 5);
    let before = elements::<T>(&x);
    let found = matmul_add(x.clone(), x.clone(), x.clone());
    assert_same(&elements::<T>(&x), &before, &"a factor");
    let expected = matmul_add(apart::<T>(&x), apart::<T>(&x), apart::<T>(&x));
    assert_same(&elements::<T>(&found), &elements::<T>(&expected), &"a factor");
}

#[test]
fn added_to_tensors_of_any_layout() {
    added_to::<f32>();
    added_to::<f64>();
}

#[test]
fn added_in_the_sums_buffer() {
    let sum = tensor::<f32>(&[30, 40], 1);
    let at = sum.bytes().as_ptr();
    let found = matmul_add(sum, tensor::<f32>(&[30, 20], 2), tensor::<f32>(&[20, 40], 3));
    assert_eq!(found.bytes().as_ptr(), at);
}

/// A product of parts is made up of the parts of the product, to the bit.
fn parts<T: Real>() {
    for &[m, k, n] in SIZES.iter().filter(|sizes| !sizes.contains(&0)) {
        for turned in [false, true] {
            let lhs = match turned {
                true => tensor::<T>(&[k, m], 1).transpose(0, 1),
                false => tensor::<T>(&[m, k], 1),
            };
            let rhs = match turned {
                true => tensor::<T>(&[n, k], 2).transpose(0, 1),
                false => tensor::<T>(&[k, n], 2),
            };
            let whole = matmul(lhs.clone(), rhs.clone());
            for [from, to] in [[0, 1], [m / 3, m], [0, m / 2], [m - 1, m]] {
                let len = to - from;
                if len == 0 {
                    continue;
                }
                let expected = elements::<T>(&whole.narrow(0, from, len));
                let rows = lhs.narrow(0, from, len);
                let dense = apart::<T>(&rows.to_contiguous());
                for rows in [rows, dense] {
                    let found = elements::<T>(&matmul(rows, rhs.clone()));
                    assert_same(&found, &expected, &("rows", [m, k, n], from, to));
                }
            }
            for [from, to] in [[0, 1], [n / 3, n], [0, n / 2], [n - 1, n]] {
                let len = to - from;
                if len == 0 {
                    continue;
                }
                let expected = elements::<T>(&whole.narrow(1, from, len));
                let columns = rhs.narrow(1, from, len);
                let dense = apart::<T>(&columns.to_contiguous());
                for columns in [columns, dense] {
                    let found = elements::<T>(&matmul(lhs.clone(), columns));
                    assert_same(&found, &expected, &("columns", [m, k, n], from, to));
                }
            }
            // Stacked, and broadcast.
            let batch = |x: &FlexTensor, d: usize| {
                let [rows, columns] = x.layout().shape().dims();
                expand(x.reshape(Shape::from([1, rows, columns])), Shape::from([d, rows, columns]))
            };
            let expected = elements::<T>(&whole);
            for [of_lhs, of_rhs] in [[3, 1], [1, 3], [3, 3]] {
                let (lhs, rhs) = (batch(&lhs, of_lhs), batch(&rhs, of_rhs));
                for (lhs, rhs) in [
                    (lhs.clone(), rhs.clone()),
                    (lhs.to_contiguous(), rhs.clone()),
                    (lhs.to_contiguous(), rhs.to_contiguous()),
                ] {
                    let found = elements::<T>(&matmul(lhs, rhs));
                    assert_same(&found, &expected.repeat(3), &("batch", [m, k, n]));
                }
            }
        }
    }
}

#[test]
fn parts_have_the_same_bits() {
    parts::<f32>();
    parts::<f64>();
}

#[test]
#[should_panic]
fn terms_that_do_not_fit_are_refused() {
    matmul(tensor::<f32>(&[2, 3], 1), tensor::<f32>(&[4, 2], 2));
}

#[test]
#[should_panic(expected = "matrix products of shapes")]
fn axes_that_do_not_fit_are_refused() {
    matmul(tensor::<f32>(&[2, 2, 3], 1), tensor::<f32>(&[3, 3, 2], 2));
}

#[test]
fn of_other_types_and_many_axes() {
    use burn_backend::{DType, TensorData};
    let half = |shape: [usize; 2]| {
        let data = TensorData::new(vec![0.5f32; shape.iter().product()], shape);
        FlexTensor::from_data(data.convert_dtype(DType::F16))
    };
    let product = matmul(half([2, 3]), half([3, 4]));
    assert_eq!(product.dtype(), DType::F16);
    let product = matmul_add(half([2, 4]), half([2, 3]), half([3, 4]));
    let values: Vec<f64> = product.into_data().iter::<f64>().collect();
    assert_eq!(values, [1.25; 8]);
    let many = [1, 1, 1, 1, 1, 1, 2, 2, 3];
    let (lhs, rhs) = (tensor::<f32>(&many, 1), tensor::<f32>(&many, 2).transpose(7, 8));
    let product = matmul(lhs.clone(), rhs.clone());
    let expected = expected::<f32>(&lhs, &rhs, &[1, 1, 1, 1, 1, 1, 2, 2, 2]);
    assert_close::<f32>(&product, &expected, 3, &"many axes");
}
