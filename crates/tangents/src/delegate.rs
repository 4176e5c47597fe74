//! Macros for operations that decorators of a backend pass on to it.

/// Functions of these signatures that call the function of the same name on `B`.
macro_rules! delegate {
    ($(fn $name:ident($($argument:ident: $type:ty),* $(,)?) -> $returned:ty;)*) => {
        $(
            fn $name($($argument: $type),*) -> $returned {
                B::$name($($argument),*)
            }
        )*
    };
}

/// `$made` of float tensors that `B` makes from nothing.
macro_rules! new_tensors {
    ($made:path) => {
        $crate::delegate::new_tensors! { $made =>
            fn float_from_data(data: TensorData, device: &Device<Self>);
            fn float_random(
                shape: Shape,
                distribution: Distribution,
                device: &Device<Self>,
                dtype: FloatDType,
            );
            fn float_zeros(shape: Shape, device: &Device<Self>, dtype: FloatDType);
            fn float_ones(shape: Shape, device: &Device<Self>, dtype: FloatDType);
            fn float_full(shape: Shape, value: Scalar, device: &Device<Self>, dtype: FloatDType);
            fn float_empty(shape: Shape, device: &Device<Self>, dtype: FloatDType);
        }
    };
    ($made:path => $(fn $name:ident($($argument:ident: $type:ty),* $(,)?);)*) => {
        $(
            fn $name($($argument: $type),*) -> FloatTensor<Self> {
                $made(B::$name($($argument),*))
            }
        )*
    };
}

/// Functions of a float tensor, or of `$value` of it, whose results are no floats.
macro_rules! of_values {
    (|$x:ident| $value:expr) => {
        $crate::delegate::of_values! { |$x| $value =>
            fn float_into_int(tensor, out_dtype: IntDType) -> IntTensor<Self>;
            fn float_argmax(tensor, dim: usize, out_dtype: IntDType) -> IntTensor<Self>;
            fn float_argmin(tensor, dim: usize, out_dtype: IntDType) -> IntTensor<Self>;
            fn float_argtopk(
                tensor,
                dim: usize,
                k: usize,
                out_dtype: IntDType,
            ) -> IntTensor<Self>;
            fn float_argsort(
                tensor,
                dim: usize,
                descending: bool,
                out_dtype: IntDType,
            ) -> IntTensor<Self>;
            fn float_any(tensor, out_dtype: BoolDType) -> BoolTensor<Self>;
            fn float_any_dim(tensor, dim: usize, out_dtype: BoolDType) -> BoolTensor<Self>;
            fn float_all(tensor, out_dtype: BoolDType) -> BoolTensor<Self>;
            fn float_all_dim(tensor, dim: usize, out_dtype: BoolDType) -> BoolTensor<Self>;
            fn float_is_nan(tensor, out_dtype: BoolDType) -> BoolTensor<Self>;
            fn float_is_inf(tensor, out_dtype: BoolDType) -> BoolTensor<Self>;
        }
    };
    (
        |$x:ident| $value:expr =>
        $(fn $name:ident(tensor $(, $argument:ident: $type:ty)* $(,)?) -> $returned:ty;)*
    ) => {
        $(
            fn $name($x: FloatTensor<Self> $(, $argument: $type)*) -> $returned {
                B::$name($value $(, $argument)*)
            }
        )*
    };
}

/// Comparisons of `$value` of two float tensors.
macro_rules! comparisons {
    (|$x:ident| $value:expr) => {
        $crate::delegate::comparisons! { |$x| $value =>
            float_equal float_not_equal float_greater float_greater_equal float_lower
            float_lower_equal
        }
    };
    (|$x:ident| $value:expr => $($name:ident)*) => {
        $(
            fn $name(
                lhs: FloatTensor<Self>,
                rhs: FloatTensor<Self>,
                out_dtype: BoolDType,
            ) -> BoolTensor<Self> {
                let value = |$x: FloatTensor<Self>| $value;
                B::$name(value(lhs), value(rhs), out_dtype)
            }
        )*
    };
}

/// Comparisons of `$value` of a float tensor with a number.
macro_rules! comparisons_with_a_number {
    (|$x:ident| $value:expr) => {
        $crate::delegate::comparisons_with_a_number! { |$x| $value =>
            float_equal_elem float_not_equal_elem float_greater_elem float_greater_equal_elem
            float_lower_elem float_lower_equal_elem
        }
    };
    (|$x:ident| $value:expr => $($name:ident)*) => {
        $(
            fn $name(
                $x: FloatTensor<Self>,
                rhs: Scalar,
                out_dtype: BoolDType,
            ) -> BoolTensor<Self> {
                B::$name($value, rhs, out_dtype)
            }
        )*
    };
}

pub(crate) use {comparisons, comparisons_with_a_number, delegate, new_tensors, of_values};
