use burn_backend::{BoolStore, DType};
use burn_flex::{FlexTensor, Layout};
use burn_std::{Bytes, Shape};
use sharpscope_kernels::{contiguous, reshape};

use crate::tensors::*;

fn copies<T: Real>() {
    for shape in SHAPES {
        for (view, x) in layouts::<T>(shape, 1).into_iter().enumerate() {
            let expected = elements::<T>(&x);
            poison::<T>(expected.len());
            shared_and_not::<T, 1>(
                [&x],
                |[x]| contiguous(x),
                |copy| {
                    assert_eq!(copy.layout(), &Layout::contiguous(Shape::from(*shape)));
                    assert_eq!(copy.bytes().len(), expected.len() * size_of::<T>());
                    assert_same(copy.storage::<T>(), &expected, &(shape, view));
                },
            );
        }
    }
}

#[test]
fn copies_are_in_order() {
    copies::<f32>();
    copies::<f64>();
}

#[test]
fn a_tensor_in_order_is_not_copied() {
    let x = tensor::<f32>(&[4, 5], 1);
    let from = x.bytes().as_ptr();
    assert_eq!(contiguous(x).bytes().as_ptr(), from);
}

#[test]
fn integers_and_masks_are_copied_too() {
    fn check<T: bytemuck::Pod + Send + Sync + PartialEq + std::fmt::Debug>(
        dtype: DType,
        of: fn(usize) -> T,
    ) {
        let shape = [9, 16, 25];
        let values: Vec<T> = (0..shape.iter().product()).map(of).collect();
        let layout = Layout::contiguous(Shape::from(shape.as_slice())).permute(&[2, 1, 0]);
        let x = FlexTensor::new(Bytes::from_elems(values), layout, dtype);
        let expected: Vec<T> =
            map_indices(&[25, 16, 9], |index| of((index[2] * 16 + index[1]) * 25 + index[0]));
        let copy = contiguous(x);
        assert_eq!(copy.dtype(), dtype);
        assert_eq!(bytemuck::cast_slice::<u8, T>(copy.bytes()), expected);
    }
    check(DType::I64, |i| i as i64);
    check(DType::I32, |i| i as i32);
    check(DType::U8, |i| i as u8);
    check(DType::Bool(BoolStore::Native), |i| (i % 2) as u8);
    check(DType::I16, |i| i as i16);
}

#[test]
fn empty_and_high_ranks() {
    let empty = tensor::<f32>(&[3, 0, 2], 1).transpose(0, 2);
    assert_eq!(shape(&contiguous(empty)), [2, 0, 3]);
    let x = of_high_rank::<f32>(1);
    let expected = elements::<f32>(&x);
    assert_same(contiguous(x.clone()).storage::<f32>(), &expected, &"copy");
    let flat = reshape(x, Shape::from(&[512usize][..]));
    assert_same(&elements::<f32>(&flat), &expected, &"flat");
}

#[test]
fn reshaped_elements_are_in_order() {
    let targets: &[&[usize]] =
        &[&[24], &[1, 24], &[2, 12], &[4, 6], &[6, 4], &[2, 3, 4], &[3, 1, 8], &[2, 3, 2, 2, 1]];
    for from in targets {
        for (view, x) in layouts::<f32>(from, 3).into_iter().enumerate() {
            for to in targets {
                let expected = elements::<f32>(&x);
                let found = reshape(x.clone(), Shape::from(*to));
                assert_eq!(shape(&found), *to);
                assert_same(&elements::<f32>(&found), &expected, &(from, view, to));
            }
        }
    }
}

#[test]
fn a_view_is_reshaped_where_its_strides_allow() {
    let same = |x: &FlexTensor, to: &[usize]| {
        reshape(x.clone(), Shape::from(to)).bytes().as_ptr() == x.bytes().as_ptr()
    };
    let x = tensor::<f32>(&[4, 6, 5], 1);
    assert!(same(&x, &[24, 5]));
    assert!(same(&x.narrow(0, 1, 3), &[18, 5]));
    assert!(same(&x.narrow(2, 1, 3), &[24, 3]));
    assert!(same(&x.narrow(2, 1, 3), &[2, 2, 6, 1, 3]));
    assert!(same(&x.transpose(0, 1), &[2, 3, 2, 2, 5]));
    assert!(!same(&x.transpose(0, 1), &[24, 5]));
    assert!(!same(&x.narrow(1, 1, 3), &[12, 5]));
}

#[test]
#[should_panic]
fn a_shape_of_other_size_is_refused() {
    reshape(tensor::<f32>(&[4, 6], 1), Shape::from(&[23usize][..]));
}
