//! Real of numbers, as wide as the processor has them, where the compiler finds none by itself: it
//! does not change the order of a sum.

use pulp::Simd;

/// Numbers that there are vectors of.
pub(crate) trait Lanes: Copy {
    type Vector<S: Simd>: Copy;

    /// As many vectors as there are in a row, and the rest.
    fn split<S: Simd>(row: &[Self]) -> (&[Self::Vector<S>], &[Self]);

    /// The whole vectors at the start of a slice.
    #[inline(always)]
    fn vectors<S: Simd>(values: &[Self]) -> &[Self::Vector<S>] {
        Self::split::<S>(values).0
    }

    /// The whole vectors at the start of a slice.
    fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [Self::Vector<S>];

    /// Numbers in a vector.
    #[inline(always)]
    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }

    /// The numbers of a vector.
    fn of<S: Simd>(vector: &Self::Vector<S>) -> &[Self];

    fn splat<S: Simd>(simd: S, number: Self) -> Self::Vector<S>;

    fn add<S: Simd>(simd: S, x: Self::Vector<S>, y: Self::Vector<S>) -> Self::Vector<S>;

    /// x y + z, rounded once where the processor does so.
    fn mul_add<S: Simd>(
        simd: S,
        x: Self::Vector<S>,
        y: Self::Vector<S>,
        z: Self::Vector<S>,
    ) -> Self::Vector<S>;

    /// The larger numbers; what is not a number is larger than any.
    fn max<S: Simd>(simd: S, x: Self::Vector<S>, y: Self::Vector<S>) -> Self::Vector<S>;

    fn sum<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;
}

macro_rules! lanes {
    (
        $type:ty, $vector:ident, $split:ident, $split_mut:ident, $splat:ident, $add:ident,
        $mul_add:ident, $greater:ident, $equal:ident, $select:ident, $sum:ident
    ) => {
        impl Lanes for $type {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn split<S: Simd>(row: &[Self]) -> (&[S::$vector], &[Self]) {
                S::$split(row)
            }

            #[inline(always)]
            fn vectors_mut<S: Simd>(values: &mut [Self]) -> &mut [S::$vector] {
                S::$split_mut(values).0
            }

            #[inline(always)]
            fn of<S: Simd>(vector: &S::$vector) -> &[Self] {
                bytemuck::cast_slice(std::slice::from_ref(vector))
            }

            #[inline(always)]
            fn splat<S: Simd>(simd: S, number: Self) -> S::$vector {
                simd.$splat(number)
            }

            #[inline(always)]
            fn add<S: Simd>(simd: S, x: S::$vector, y: S::$vector) -> S::$vector {
                simd.$add(x, y)
            }

            #[inline(always)]
            fn mul_add<S: Simd>(
                simd: S,
                x: S::$vector,
                y: S::$vector,
                z: S::$vector,
            ) -> S::$vector {
                simd.$mul_add(x, y, z)
            }

            #[inline(always)]
            fn max<S: Simd>(simd: S, x: S::$vector, y: S::$vector) -> S::$vector {
                let larger = simd.$select(simd.$greater(y, x), y, x);
                simd.$select(simd.$equal(y, y), larger, y)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, vector: S::$vector) -> Self {
                simd.$sum(vector)
            }
        }
    };
}

lanes!(
    f32,
    f32s,
    as_simd_f32s,
    as_mut_simd_f32s,
    splat_f32s,
    add_f32s,
    mul_add_e_f32s,
    greater_than_f32s,
    equal_f32s,
    select_f32s,
    reduce_sum_f32s
);
lanes!(
    f64,
    f64s,
    as_simd_f64s,
    as_mut_simd_f64s,
    splat_f64s,
    add_f64s,
    mul_add_e_f64s,
    greater_than_f64s,
    equal_f64s,
    select_f64s,
    reduce_sum_f64s
);
