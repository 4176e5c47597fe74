use burn_backend::ops::FloatTensorOps;
use burn_backend::{BoolStore, DType, Scalar};
use burn_flex::{Flex, FlexTensor};
use sharpscope_kernels::{mask_fill, mask_where};

use crate::tensors::*;

/// Masks of a shape in all the layouts of `layouts`, true where the numbers there are positive.
fn masks(shape: &[usize], seed: u64) -> Vec<FlexTensor> {
    let mask = |x: FlexTensor| {
        let masked: Vec<u8> = x.storage::<f32>().iter().map(|x| u8::from(*x > 0.0)).collect();
        from_values(masked, &[x.bytes().len() / 4], DType::Bool(BoolStore::Native))
            .with_layout(x.layout().clone())
    };
    layouts::<f32>(shape, seed).into_iter().map(mask).collect()
}

fn masked(mask: &FlexTensor, index: &[usize]) -> bool {
    let layout = mask.layout();
    let shape = layout.shape();
    let index: Vec<usize> = index.iter().zip(shape.iter()).map(|(at, len)| at % len).collect();
    mask.bytes()[layout.index(&index)] != 0
}

const SHAPES_OF_MASKS: &[(&[usize], &[usize])] = &[
    (&[7], &[7]),
    (&[5000], &[5000]),
    (&[5000], &[1]),
    (&[3, 5], &[3, 5]),
    (&[3, 5], &[3, 1]),
    (&[3, 5], &[1, 5]),
    (&[130, 70], &[130, 70]),
    (&[130, 70], &[1, 70]),
    (&[130, 70], &[130, 1]),
    (&[130, 1], &[1, 70]),
    (&[1, 70], &[130, 70]),
    (&[4, 2, 32, 33], &[1, 1, 32, 33]),
    (&[4, 2, 32, 33], &[4, 1, 1, 33]),
    (&[2, 3, 2, 5], &[2, 3, 2, 5]),
];

fn as_burns<T: Real>() {
    for (of_x, of_mask) in SHAPES_OF_MASKS {
        let result: Vec<usize> = of_x.iter().zip(*of_mask).map(|(a, b)| *a.max(b)).collect();
        let len = result.iter().product();
        let (xs, masks) = (layouts::<T>(of_x, 1), masks(of_mask, 2));
        for (i, x) in xs.iter().enumerate() {
            for (j, mask) in masks.iter().enumerate() {
                if len > 1000 && (3 * i + 5 * j) % 13 != 0 {
                    continue;
                }
                let what = (of_x, i, of_mask, j);
                poison::<T>(len);
                let fill = Scalar::from(-1e9);
                let expected = map_indices(&result, |index| {
                    if masked(mask, index) { T::of(-1e9) } else { at(x, index) }
                });
                let burns = Flex::float_mask_fill(x.clone(), mask.clone(), fill);
                assert_same(&elements::<T>(&burns), &expected, &what);
                shared_and_not::<T, 1>(
                    [x],
                    |[x]| mask_fill(x, mask.clone(), fill),
                    |found| {
                        assert_eq!(shape(found), result);
                        assert_same(&elements::<T>(found), &expected, &what);
                    },
                );
                let one = vec![1; of_x.len()];
                for of_value in [of_x.to_vec(), one, result.clone()] {
                    let values = layouts::<T>(&of_value, 3);
                    let value = &values[(i + j) % values.len()];
                    let expected = map_indices(&result, |index| {
                        at::<T>(if masked(mask, index) { value } else { x }, index)
                    });
                    let burns = Flex::float_mask_where(x.clone(), mask.clone(), value.clone());
                    assert_same(&elements::<T>(&burns), &expected, &what);
                    let ours = |[x, value]: [FlexTensor; 2]| mask_where(x, mask.clone(), value);
                    shared_and_not::<T, 2>([x, value], ours, |found| {
                        assert_eq!(shape(found), result);
                        assert_same(&elements::<T>(found), &expected, &(what, &of_value));
                    });
                }
            }
        }
    }
}

#[test]
fn as_burns_own() {
    as_burns::<f32>();
    as_burns::<f64>();
}

#[test]
fn empty() {
    let x = tensor::<f32>(&[3, 0], 1);
    let mask = from_values(vec![1u8; 3], &[3, 1], DType::Bool(BoolStore::Native));
    assert_eq!(shape(&mask_fill(x.clone(), mask.clone(), 1.into())), [3, 0]);
    assert_eq!(shape(&mask_where(x.clone(), mask, x)), [3, 0]);
}
