use burn_backend::ops::FloatTensorOps;
use burn_flex::{Flex, FlexTensor};
use sharpscope_kernels::{max_dim, mean, mean_dim, sum, sum_dim};

use crate::tensors::*;

/// Sums, sums of magnitudes and maxima of what falls on the same index but along an axis.
fn folds<T: Real>(x: &FlexTensor, dim: usize) -> Vec<[f64; 3]> {
    let mut shape = shape(x);
    let length = shape[dim];
    shape[dim] = 1;
    map_indices(&shape, |index| {
        let mut index = index.to_vec();
        (0..length).fold([0.0, 0.0, f64::NEG_INFINITY], |[sum, size, max], i| {
            index[dim] = i;
            let value = at::<T>(x, &index).wide();
            [sum + value, size + value.abs(), max.max(value)]
        })
    })
}

/// Within the rounding errors of as many additions as there are elements, here or in the reference, and
/// of a division.
#[track_caller]
fn assert_near<T: Real>(
    found: T,
    expected: f64,
    size: f64,
    len: usize,
    what: &dyn std::fmt::Debug,
) {
    let bound = T::EPSILON * size * len as f64;
    let error = (found.wide() - expected).abs();
    assert!(error <= bound, "{what:?}: {found} instead of {expected}, {error:e} over {bound:e}");
}

fn along_axes<T: Real>() {
    for shape in SHAPES {
        for (view, x) in layouts::<T>(shape, 1).iter().enumerate() {
            for dim in 0..shape.len() {
                let what = (shape, view, dim);
                let folds = folds::<T>(x, dim);
                let mut of_result = shape.to_vec();
                of_result[dim] = 1;
                poison::<T>(folds.len());
                shared_and_not::<T, 1>(
                    [x],
                    |[x]| sum_dim(x, dim),
                    |sums| {
                        assert_eq!(sums.layout().shape().to_vec(), of_result);
                        for (found, [sum, size, _]) in elements::<T>(sums).iter().zip(&folds) {
                            assert_near(*found, *sum, *size, shape[dim], &what);
                        }
                    },
                );
                shared_and_not::<T, 1>(
                    [x],
                    |[x]| mean_dim(x, dim),
                    |means| {
                        assert_eq!(means.layout().shape().to_vec(), of_result);
                        let count = shape[dim] as f64;
                        for (found, [sum, size, _]) in elements::<T>(means).iter().zip(&folds) {
                            assert_near(*found, sum / count, size / count, shape[dim], &what);
                        }
                    },
                );
                let maxima: Vec<T> = folds.iter().map(|[_, _, max]| T::of(*max)).collect();
                shared_and_not::<T, 1>(
                    [x],
                    |[x]| max_dim(x, dim),
                    |found| {
                        assert_eq!(found.layout().shape().to_vec(), of_result);
                        assert_same(&elements::<T>(found), &maxima, &what);
                    },
                );
                let burns = elements::<T>(&Flex::float_max_dim(x.clone(), dim));
                assert_same(&burns, &maxima, &what);
            }
        }
    }
}

#[test]
fn along_any_axis() {
    along_axes::<f32>();
    along_axes::<f64>();
}

fn of_all<T: Real>() {
    for shape in SHAPES {
        for (view, x) in layouts::<T>(shape, 1).into_iter().enumerate() {
            let values = elements::<T>(&x);
            let total: f64 = values.iter().map(|x| x.wide()).sum();
            let size: f64 = values.iter().map(|x| x.wide().abs()).sum();
            let count = values.len();
            let found = sum(x.clone());
            assert_eq!(found.layout().shape().to_vec(), [1]);
            assert_near(elements::<T>(&found)[0], total, size, count, &(shape, view));
            let found = mean(x);
            assert_eq!(found.layout().shape().to_vec(), [1]);
            let [total, size] = [total, size].map(|sum| sum / count as f64);
            assert_near(elements::<T>(&found)[0], total, size, count, &(shape, view));
        }
    }
}

#[test]
fn of_all_elements() {
    of_all::<f32>();
    of_all::<f64>();
}

#[test]
fn errors_are_no_larger_than_burns() {
    // Positive numbers, where rounding errors grow most.
    let positive = |shape: &[usize]| {
        let len = shape.iter().product();
        let values = numbers(len, 5).map(|x| x.abs() as f32).collect();
        from_values::<f32>(values, shape, burn_backend::DType::F32)
    };
    for (rows, columns) in [(6400, 128), (5000, 3), (3, 5000), (1, 100_000)] {
        let x = positive(&[rows, columns]);
        let worst = |sums: FlexTensor, dim: usize| {
            let pairs = elements::<f32>(&sums).into_iter().zip(folds::<f32>(&x, dim));
            pairs.map(|(found, [sum, ..])| (f64::from(found) - sum).abs() / sum).fold(0.0, f64::max)
        };
        for dim in [0, 1] {
            let ours = worst(sum_dim(x.clone(), dim), dim);
            let burns = worst(Flex::float_sum_dim(x.clone(), dim), dim);
            assert!(ours <= burns, "{rows} x {columns} along {dim}: {ours:e} over {burns:e}");
        }
        let total: f64 = elements::<f32>(&x).into_iter().map(f64::from).sum();
        let error = |found: FlexTensor| (f64::from(elements::<f32>(&found)[0]) - total).abs();
        assert!(error(sum(x.clone())) <= error(Flex::float_sum(x)));
    }
}

#[test]
fn what_is_not_a_number_is_the_largest() {
    for nan in 0..40 {
        let mut values: Vec<f32> = numbers(40, 1).map(|x| x as f32).collect();
        values[nan] = f32::NAN;
        let row = from_values(values.clone(), &[1, 40], burn_backend::DType::F32);
        assert!(elements::<f32>(&max_dim(row, 1))[0].is_nan());
        let columns = from_values(values, &[20, 2], burn_backend::DType::F32);
        let maxima = elements::<f32>(&max_dim(columns, 0));
        assert_eq!(
            maxima.iter().map(|x| x.is_nan()).collect::<Vec<_>>(),
            [nan % 2 == 0, nan % 2 == 1]
        );
    }
}

#[test]
fn of_high_rank_as_burn() {
    for dim in 0..9 {
        let x = of_high_rank::<f64>(1);
        let pairs = [
            (sum_dim(x.clone(), dim), Flex::float_sum_dim(x.clone(), dim)),
            (max_dim(x.clone(), dim), Flex::float_max_dim(x.clone(), dim)),
        ];
        for (ours, burns) in pairs {
            assert_same(&elements::<f64>(&ours), &elements::<f64>(&burns), &dim);
        }
    }
    let x = of_high_rank::<f64>(1);
    assert_near(elements::<f64>(&sum(x.clone()))[0], elements(&x).iter().sum(), 512.0, 1, &"sum");
}

#[test]
fn empty() {
    let x = tensor::<f32>(&[2, 0, 3], 1);
    assert_eq!(elements::<f32>(&sum_dim(x.clone(), 1)), [0.0; 6]);
    assert_eq!(shape(&sum_dim(x.clone(), 0)), [1, 0, 3]);
    assert_eq!(elements::<f32>(&sum(x)), [0.0]);
}
