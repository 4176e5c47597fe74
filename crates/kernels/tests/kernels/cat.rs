use burn_backend::ops::FloatTensorOps;
use burn_backend::{BoolStore, DType};
use burn_flex::Flex;
use burn_std::Slice;
use sharpscope_kernels::{cat, slice_assign};

use crate::tensors::*;

fn joined<T: Real>() {
    for of_first in SHAPES {
        for dim in 0..of_first.len() {
            let mut of_second = of_first.to_vec();
            of_second[dim] = 3;
            let (first, second) = (layouts::<T>(of_first, 1), layouts::<T>(&of_second, 2));
            for (view, (first, second)) in first.iter().zip(second.iter().rev()).enumerate() {
                let what = (of_first, dim, view);
                let third = first.clone();
                let burns =
                    Flex::float_cat(vec![first.clone(), second.clone(), third.clone()], dim);
                poison::<T>(burns.layout().num_elements());
                shared_and_not::<T, 3>(
                    [first, second, &third],
                    |tensors| cat(tensors.to_vec(), dim),
                    |found| {
                        assert_eq!(shape(found), shape(&burns));
                        assert_same(&elements::<T>(found), &elements::<T>(&burns), &what);
                    },
                );
            }
        }
    }
}

#[test]
fn one_after_the_other() {
    joined::<f32>();
    joined::<f64>();
}

#[test]
fn of_integers_masks_and_nothing() {
    let mask = |len| from_values(vec![1u8; len], &[len], DType::Bool(BoolStore::Native));
    let both = cat(vec![mask(2), mask(3)], 0);
    assert_eq!(both.dtype(), DType::Bool(BoolStore::Native));
    assert_eq!(both.bytes(), [1; 5]);
    let integers = from_values(vec![1i64, 2], &[2, 1], DType::I64);
    let both = cat(vec![integers.clone(), integers.clone()], 1);
    assert_eq!(both.storage::<i64>(), [1, 1, 2, 2]);
    assert_eq!(cat(vec![integers], 1).storage::<i64>(), [1, 2]);
    let (none, some) = (tensor::<f32>(&[2, 0], 1), tensor::<f32>(&[2, 3], 1));
    let all = cat(vec![none.clone(), some.clone(), none.clone()], 1);
    assert_same(&elements::<f32>(&all), &elements::<f32>(&some), &"beside nothing");
    assert_eq!(shape(&cat(vec![none.clone(), none], 0)), [4, 0]);
}

#[test]
#[should_panic]
fn shapes_that_do_not_fit_are_refused() {
    cat(vec![tensor::<f32>(&[2, 3], 1), tensor::<f32>(&[3, 3], 2)], 1);
}

#[test]
fn parts_replaced_as_by_burn() {
    let slices = [Slice::new(1, Some(6), 2), Slice::new(0, None, 1), Slice::new(2, Some(5), 1)];
    for x in &layouts::<f32>(&[7, 4, 6], 1) {
        for value in &layouts::<f32>(&[3, 4, 3], 2) {
            let burns = Flex::float_slice_assign(x.clone(), &slices, value.clone());
            let expected = elements::<f32>(&burns);
            shared_and_not::<f32, 2>(
                [x, value],
                |[x, value]| slice_assign(x, &slices, value),
                |found| assert_same(&elements::<f32>(found), &expected, &x.layout()),
            );
        }
    }
}
