//! The types of elements, and the vector instructions that loops over them are compiled for.

use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
use std::sync::LazyLock;

use burn_backend::{DType, Element};
use burn_flex::{FlexTensor, Layout};
use burn_std::{Bytes, Shape};
use bytemuck::Pod;
use pulp::{Arch, Simd, WithSimd};
use rten_simd::SimdUnaryOp;
use rten_vecmath::Exp;

use crate::lanes::Lanes;
use crate::pool::Pool;
use crate::strides::dense_layout;
use crate::turn::Squares;

/// Runs loops with the widest vector instructions that the processor has.
///
/// Only what is inlined into them is compiled for those: closures should be `#[inline(always)]` and own
/// what they use, `move`, or else numbers outside may be overwritten by the loops for all that the
/// compiler knows.
#[inline(always)]
pub(crate) fn vectorized<R>(loops: impl FnMut() -> R) -> R {
    dispatch(Loops(loops))
}

/// As `vectorized`, of what uses vectors itself.
#[inline(always)]
pub(crate) fn dispatch<K: WithSimd>(kernel: K) -> K::Output {
    arch().dispatch(kernel)
}

/// The instructions that the processor has.
#[inline(always)]
pub(crate) fn arch() -> Arch {
    static ARCH: LazyLock<Arch> = LazyLock::new(Arch::new);
    *ARCH
}

/// A closure called by reference: its `call_once` would be a function of its own, which is not inlined.
struct Loops<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Loops<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Plain numbers of some size, whatever they mean.
pub trait Number: Pod + Send + Sync {
    /// Where buffers of this type are kept, if anywhere.
    #[doc(hidden)]
    fn pool() -> Option<&'static Pool<Self>> {
        None
    }
}

impl Number for u8 {}
impl Number for u16 {}
impl Number for u32 {}
impl Number for u64 {}

impl Number for f32 {
    fn pool() -> Option<&'static Pool<Self>> {
        static POOL: Pool<f32> = Pool::new();
        Some(&POOL)
    }
}

impl Number for f64 {
    fn pool() -> Option<&'static Pool<Self>> {
        static POOL: Pool<f64> = Pool::new();
        Some(&POOL)
    }
}

/// Single and double precision.
pub(crate) trait Real:
    Number
    + Element
    + Lanes
    + Squares
    + PartialOrd
    + Add<Output = Self>
    + AddAssign
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    const ZERO: Self;
    const ONE: Self;
    const LOWEST: Self;

    /// The nearest number of this type.
    fn nearest(value: f64) -> Self;

    fn root(self) -> Self;

    fn logarithm(self) -> Self;

    /// Each number replaced by its exponential.
    fn exponentials(numbers: &mut [Self]);
}

macro_rules! real {
    ($type:ty, |$numbers:ident| $exponentials:expr) => {
        impl Real for $type {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const LOWEST: Self = <$type>::NEG_INFINITY;

            #[inline(always)]
            fn nearest(value: f64) -> Self {
                value as $type
            }

            #[inline(always)]
            fn root(self) -> Self {
                self.sqrt()
            }

            fn logarithm(self) -> Self {
                self.ln()
            }

            fn exponentials($numbers: &mut [Self]) {
                $exponentials
            }
        }
    };
}

real!(f32, |numbers| Exp {}.map_mut(numbers));
real!(f64, |numbers| numbers.iter_mut().for_each(|x| *x = x.exp()));

/// A tensor of a type and shape, its elements in order.
pub(crate) fn dense<T: Number>(values: Vec<T>, shape: &[usize], dtype: DType) -> FlexTensor {
    strided(values, dense_layout(shape), dtype)
}

/// A tensor from the start of a buffer on.
pub(crate) fn strided<T: Number>(values: Vec<T>, layout: Layout, dtype: DType) -> FlexTensor {
    FlexTensor::new(Bytes::from_elems(values), layout, dtype)
}

/// A shape without an intermediate vector.
pub(crate) fn shape_of(lengths: &[usize]) -> Shape {
    Shape::from(lengths.iter().copied())
}
