use burn_backend::Scalar;
use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_flex::{Flex, FlexTensor};
use sharpscope_kernels::{
    add_scalar, div_scalar, mul_scalar, neg, powi_scalar, recip, relu, sqrt, sub_scalar,
};

use crate::tensors::*;

type Kernel = Box<dyn Fn(FlexTensor) -> FlexTensor>;

fn operations() -> Vec<(&'static str, Kernel, Kernel)> {
    fn scalar(
        name: &'static str,
        ours: fn(FlexTensor, Scalar) -> FlexTensor,
        burns: fn(FlexTensor, Scalar) -> FlexTensor,
        a: impl Into<Scalar>,
    ) -> (&'static str, Kernel, Kernel) {
        let a = a.into();
        (name, Box::new(move |x| ours(x, a)), Box::new(move |x| burns(x, a)))
    }
    vec![
        scalar("add_scalar", add_scalar, Flex::float_add_scalar, 0.1),
        scalar("sub_scalar", sub_scalar, Flex::float_sub_scalar, 1),
        scalar("mul_scalar", mul_scalar, Flex::float_mul_scalar, 0.1f32),
        scalar("div_scalar", div_scalar, Flex::float_div_scalar, 3u8),
        scalar("powi 0", powi_scalar, Flex::float_powi_scalar, 0),
        scalar("powi 1", powi_scalar, Flex::float_powi_scalar, 1),
        scalar("powi 2", powi_scalar, Flex::float_powi_scalar, 2),
        scalar("powi 3", powi_scalar, Flex::float_powi_scalar, 3),
        scalar("powi -1", powi_scalar, Flex::float_powi_scalar, -1),
        scalar("powi -2", powi_scalar, Flex::float_powi_scalar, -2),
        ("neg", Box::new(neg), Box::new(Flex::float_neg)),
        ("recip", Box::new(recip), Box::new(Flex::float_recip)),
        ("sqrt", Box::new(sqrt), Box::new(Flex::float_sqrt)),
        ("relu", Box::new(relu), Box::new(Flex::relu)),
    ]
}

fn as_burns<T: Real>() {
    for (name, ours, burns) in operations() {
        for shape in SHAPES {
            for (view, x) in layouts::<T>(shape, 1).iter().enumerate() {
                let expected = elements::<T>(&burns(apart::<T>(x)));
                poison::<T>(expected.len());
                shared_and_not::<T, 1>(
                    [x],
                    |[x]| ours(x),
                    |result| {
                        assert_eq!(result.layout().shape().to_vec(), *shape);
                        assert_same(&elements::<T>(result), &expected, &(name, shape, view));
                    },
                );
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
fn what_is_not_a_number() {
    let values = vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0, 0.0, 1e-40];
    for (name, ours, burns) in operations() {
        let x = || from_values(values.clone(), &[6], burn_backend::DType::F32);
        assert_same(&elements::<f32>(&ours(x())), &elements::<f32>(&burns(x())), &name);
    }
}

#[test]
fn empty_and_high_ranks() {
    for (name, ours, burns) in operations() {
        assert_eq!(shape(&ours(tensor::<f32>(&[2, 0], 1))), [2, 0], "{name}");
        let x = || of_high_rank::<f32>(1);
        assert_same(&elements::<f32>(&ours(x())), &elements::<f32>(&burns(x())), &name);
    }
}
