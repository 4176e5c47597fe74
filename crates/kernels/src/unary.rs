//! Operations on each element of one tensor.

use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_backend::{DType, Scalar};
use burn_flex::{Flex, FlexTensor, Layout};

use crate::arithmetic::{Add, Binary, Div, Mul, Sub};
use crate::contiguous::contiguous;
use crate::element::{Real, strided, vectorized};
use crate::pool::take;
use crate::strides::{packed, whole};

/// x + a for each element x.
pub fn add_scalar(x: FlexTensor, a: Scalar) -> FlexTensor {
    with_scalar::<Add>(x, a, Flex::float_add_scalar)
}

/// x - a for each element x.
pub fn sub_scalar(x: FlexTensor, a: Scalar) -> FlexTensor {
    with_scalar::<Sub>(x, a, Flex::float_sub_scalar)
}

/// a x for each element x.
pub fn mul_scalar(x: FlexTensor, a: Scalar) -> FlexTensor {
    with_scalar::<Mul>(x, a, Flex::float_mul_scalar)
}

/// x / a for each element x.
pub fn div_scalar(x: FlexTensor, a: Scalar) -> FlexTensor {
    with_scalar::<Div>(x, a, Flex::float_div_scalar)
}

/// -x.
pub fn neg(x: FlexTensor) -> FlexTensor {
    elementwise::<Neg>(x)
}

/// 1 / x.
pub fn recip(x: FlexTensor) -> FlexTensor {
    elementwise::<Recip>(x)
}

/// The square root of x.
pub fn sqrt(x: FlexTensor) -> FlexTensor {
    elementwise::<Sqrt>(x)
}

/// The larger of x and 0; 0 where x is not a number.
pub fn relu(x: FlexTensor) -> FlexTensor {
    elementwise::<Relu>(x)
}

/// x to an integer power.
pub fn powi_scalar(x: FlexTensor, exponent: Scalar) -> FlexTensor {
    match exponent.elem::<i64>() {
        1 => x,
        2 => elementwise::<Square>(x),
        -1 => recip(x),
        -2 => recip(elementwise::<Square>(x)),
        _ => Flex::float_powi_scalar(x, exponent),
    }
}

trait Unary: Copy {
    fn apply<T: Real>(x: T) -> T;

    fn otherwise(x: FlexTensor) -> FlexTensor;
}

macro_rules! unary {
    ($name:ident, |$x:ident, $type:ident| $value:expr, $otherwise:expr) => {
        #[derive(Clone, Copy)]
        struct $name;

        impl Unary for $name {
            #[inline(always)]
            fn apply<$type: Real>($x: $type) -> $type {
                $value
            }

            fn otherwise(x: FlexTensor) -> FlexTensor {
                $otherwise(x)
            }
        }
    };
}

unary!(Neg, |x, T| -x, Flex::float_neg);
unary!(Recip, |x, T| T::ONE / x, Flex::float_recip);
unary!(Sqrt, |x, T| x.root(), Flex::float_sqrt);
unary!(Relu, |x, T| if x > T::ZERO { x } else { T::ZERO }, Flex::relu);
unary!(Square, |x, T| x * x, |x: FlexTensor| Flex::float_mul(x.clone(), x));

fn elementwise<Op: Unary>(x: FlexTensor) -> FlexTensor {
    match x.dtype() {
        DType::F32 => map(x, Op::apply::<f32>),
        DType::F64 => map(x, Op::apply::<f64>),
        _ => Op::otherwise(x),
    }
}

fn with_scalar<Op: Binary>(
    x: FlexTensor,
    a: Scalar,
    otherwise: fn(FlexTensor, Scalar) -> FlexTensor,
) -> FlexTensor {
    match x.dtype() {
        DType::F32 => {
            let a = f32::nearest(a.elem());
            map(
                x,
                #[inline(always)]
                |x: f32| Op::apply(x, a),
            )
        }
        DType::F64 => {
            let a: f64 = a.elem();
            map(
                x,
                #[inline(always)]
                |x: f64| Op::apply(x, a),
            )
        }
        _ => otherwise(x, a),
    }
}

/// The operation on each element, in place where nobody else holds the tensor.
fn map<T: Real>(x: FlexTensor, operation: impl Fn(T) -> T) -> FlexTensor {
    let mut x = if packed(&x) { x } else { contiguous(x) };
    if x.is_unique() && whole(&x) {
        let values = x.storage_mut::<T>();
        vectorized(
            #[inline(always)]
            move || {
                for value in values.iter_mut() {
                    *value = operation(*value);
                }
            },
        );
        return x;
    }
    let layout = x.layout();
    let (start, len) = (layout.start_offset(), layout.num_elements());
    let values = &x.storage::<T>()[start..start + len];
    let mut images = take::<T>(len);
    let room = images.as_mut_slice();
    vectorized(
        #[inline(always)]
        move || {
            for (image, value) in room.iter_mut().zip(values) {
                *image = operation(*value);
            }
        },
    );
    // The elements lie as they did.
    let layout = Layout::new(layout.shape().clone(), layout.strides().to_vec(), 0);
    strided(images, layout, x.dtype())
}
