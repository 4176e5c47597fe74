use burn_backend::DType;
use burn_backend::ops::ActivationOps;
use burn_flex::{Flex, FlexTensor};
use sharpscope_kernels::{log_softmax, log_softmax_tangent, softmax, softmax_tangent};

use crate::tensors::*;

/// Rows of a tensor's last axis.
fn rows<T: Real>(x: &FlexTensor) -> Vec<Vec<f64>> {
    let length = *shape(x).last().unwrap();
    let values: Vec<f64> = elements::<T>(x).into_iter().map(Real::wide).collect();
    values.chunks(length).map(<[f64]>::to_vec).collect()
}

fn softmax_of(row: &[f64]) -> Vec<f64> {
    let largest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = row.iter().map(|x| (x - largest).exp()).sum();
    row.iter().map(|x| (x - largest).exp() / sum).collect()
}

#[track_caller]
fn assert_near<T: Real>(
    found: &FlexTensor,
    expected: &[f64],
    bound: f64,
    what: &dyn std::fmt::Debug,
) {
    let found = elements::<T>(found);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        let error = (found.wide() - expected).abs();
        let bound = bound * T::EPSILON;
        assert!(
            error <= bound,
            "{what:?}: {found} instead of {expected}, {error:e} over {bound:e}"
        );
    }
}

fn by_rows<T: Real>() {
    for of_rows in SHAPES {
        let last = of_rows.len() - 1;
        for (view, x) in layouts::<T>(of_rows, 1).iter().enumerate() {
            let what = (of_rows, view);
            poison::<T>(of_rows.iter().product());
            let p: Vec<Vec<f64>> = rows::<T>(x).iter().map(|row| softmax_of(row)).collect();
            let expected = p.concat();
            shared_and_not::<T, 1>(
                [x],
                |[x]| softmax(x, last),
                |found| {
                    assert_eq!(shape(found), *of_rows);
                    // Of numbers below 1, whose sum has an error of that of its partial sums.
                    assert_near::<T>(found, &expected, 16.0, &what);
                },
            );
            let expected: Vec<f64> = expected.iter().map(|p| p.ln()).collect();
            shared_and_not::<T, 1>(
                [x],
                |[x]| log_softmax(x, last),
                |found| {
                    assert_eq!(shape(found), *of_rows);
                    assert_near::<T>(found, &expected, 64.0, &what);
                },
            );
        }
    }
}

#[test]
fn softmax_of_rows() {
    by_rows::<f32>();
    by_rows::<f64>();
}

fn tangents<T: Real>() {
    for of_rows in SHAPES {
        let last = of_rows.len() - 1;
        let views: Vec<_> =
            layouts::<T>(of_rows, 1).into_iter().zip(layouts::<T>(of_rows, 9)).collect();
        for (view, (x, dx)) in views.iter().enumerate() {
            let what = (of_rows, view);
            // In the layout of the one and of the other.
            let p = softmax(apart::<T>(x), last);
            for (p, dx) in [(&p, &views[(view + 1) % views.len()].1), (x, dx)] {
                poison::<T>(of_rows.iter().product());
                let (of_p, of_dx) = (rows::<T>(p), rows::<T>(dx));
                let of_both = of_p.iter().zip(&of_dx);
                let (mut tangent, mut logarithms) = (vec![], vec![]);
                for (p, dx) in of_both {
                    let mean: f64 = p.iter().zip(dx).map(|(p, dx)| p * dx).sum();
                    tangent.extend(p.iter().zip(dx).map(|(p, dx)| p * (dx - mean)));
                    logarithms.extend(dx.iter().map(|dx| dx - mean));
                }
                // As many additions as a row is long, of numbers of this size.
                let size_of = |(p, dx): (&Vec<f64>, &Vec<f64>)| -> f64 {
                    p.iter().zip(dx).map(|(p, dx)| (p * dx).abs()).sum()
                };
                let size = of_p.iter().zip(&of_dx).map(size_of).fold(1.0, f64::max);
                let bound = size * (of_rows[last] + 2) as f64;
                shared_and_not::<T, 2>(
                    [p, dx],
                    |[p, dx]| softmax_tangent(p, dx, last),
                    |found| {
                        assert_eq!(shape(found), *of_rows);
                        assert_near::<T>(found, &tangent, bound, &what);
                    },
                );
                shared_and_not::<T, 2>(
                    [p, dx],
                    |[p, dx]| log_softmax_tangent(p, dx, last),
                    |found| {
                        assert_eq!(shape(found), *of_rows);
                        assert_near::<T>(found, &logarithms, bound, &what);
                    },
                );
            }
        }
    }
}

#[test]
fn derivatives_in_a_direction() {
    tangents::<f32>();
    tangents::<f64>();
}

#[test]
fn along_other_axes_as_burn() {
    let x = tensor::<f32>(&[4, 5, 6], 1);
    for dim in 0..2 {
        let [ours, burns] = [softmax(x.clone(), dim), Flex::softmax(x.clone(), dim)];
        assert_same(&elements::<f32>(&ours), &elements::<f32>(&burns), &dim);
        let [ours, burns] = [log_softmax(x.clone(), dim), Flex::log_softmax(x.clone(), dim)];
        assert_same(&elements::<f32>(&ours), &elements::<f32>(&burns), &dim);
    }
}

#[test]
fn large_numbers_and_masked_ones() {
    fn check<T: Real>() {
        let row = [1000.0, -1e9, 999.0, f64::NEG_INFINITY, 1000.0, 1000.0, 990.0, 1000.0, -1e30];
        let values: Vec<T> = row.iter().map(|x| T::of(*x)).collect();
        let x = from_values(values.clone(), &[1, 9], T::dtype());
        let expected = softmax_of(&row);
        assert_near::<T>(&softmax(x.clone(), 1), &expected, 4.0, &"softmax");
        let logarithms = elements::<T>(&log_softmax(x.clone(), 1));
        for (found, x) in logarithms.iter().zip(row) {
            let expected = x - 1000.0 - (4.0 + (-1f64).exp() + (-10f64).exp()).ln();
            let near = (found.wide() - expected).abs() <= 4.0 * T::EPSILON * expected.abs();
            assert!(near || found.wide() == expected, "{found} instead of {expected}");
        }
        let nan = |x: FlexTensor| elements::<T>(&softmax(x, 1)).iter().all(|p| p.wide().is_nan());
        assert!(nan(from_values(vec![T::of(f64::NEG_INFINITY); 9], &[1, 9], T::dtype())));
        for at in 0..9 {
            let mut values = values.clone();
            values[at] = T::of(f64::NAN);
            assert!(nan(from_values(values, &[1, 9], T::dtype())), "{at}");
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn empty() {
    for of_rows in [[3, 0], [0, 3]] {
        let x = tensor::<f32>(&of_rows, 1);
        assert_eq!(shape(&softmax(x.clone(), 1)), of_rows);
        assert_eq!(shape(&softmax_tangent(x.clone(), x, 1)), of_rows);
    }
    assert_eq!(tensor::<f32>(&[3, 0], 1).dtype(), DType::F32);
}
