//! Float operations.

use burn::tensor::backend::ExecutionError;
use burn::tensor::ops::grid_sample::float_grid_sample_2d_ref;
use burn::tensor::ops::{
    BoolTensor, Device, FloatTensor, FloatTensorOps, GridSampleOptions, IntTensor, InterpolateMode,
};
use burn::tensor::{
    BoolDType, Distribution, FloatDType, IndexingUpdateOp, IntDType, Scalar, Shape, Slice,
    TensorData, TensorMetadata,
};

use crate::arithmetic::{self, one_minus_square, one_plus_square, recip_sqrt};
use crate::delegate::{comparisons, comparisons_with_a_number, new_tensors, of_values};
use crate::dual::Remembered;
use crate::selection::{self, flat, index_dtype, picked};
use crate::{DualTensor, Elementwise, SAMPLED_GRID, Tangents, elementwise, no_rule, scan};

/// Linear functions of a tensor.
macro_rules! linear {
    ($(fn $name:ident(tensor $(, $argument:ident: $type:ty)* $(,)?);)*) => {
        $(
            fn $name(tensor: FloatTensor<Self> $(, $argument: $type)*) -> FloatTensor<Self> {
                // A reference is cloned as such.
                tensor.linear(|t| B::$name(t $(, $argument.clone())*))
            }
        )*
    };
}

/// Elementwise functions whose derivative is zero wherever they have one.
macro_rules! piecewise_constant {
    ($($name:ident)*) => {
        $(
            fn $name(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
                DualTensor::constant(B::$name(tensor.primal))
            }
        )*
    };
}

/// Elementwise functions and their derivatives, by the argument.
macro_rules! elementwise {
    ($($name:ident: $function:expr, $slope:expr;)*) => {
        $(
            fn $name(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
                tensor.unary($function, $slope)
            }
        )*
    };
}

#[allow(clippy::clone_on_copy, noop_method_call, reason = "the macros clone every argument")]
impl<B: Elementwise> FloatTensorOps<Self> for Tangents<B> {
    new_tensors! { DualTensor::constant }

    of_values! { |tensor| tensor.primal }

    comparisons! { |tensor| tensor.primal }

    comparisons_with_a_number! { |tensor| tensor.primal }

    linear! {
        fn float_cast(tensor, dtype: FloatDType);
        fn float_repeat_dim(tensor, dim: usize, times: usize);
        fn float_expand(tensor, shape: Shape);
        fn float_neg(tensor);
        fn float_mul_scalar(tensor, factor: Scalar);
        fn float_div_scalar(tensor, divisor: Scalar);
        fn float_transpose(tensor);
        fn float_swap_dims(tensor, dim1: usize, dim2: usize);
        fn float_permute(tensor, axes: &[usize]);
        fn float_flip(tensor, axes: &[usize]);
        fn float_reshape(tensor, shape: Shape);
        fn float_gather_nd(tensor, indices: IntTensor<Self>);
        fn float_select(tensor, dim: usize, indices: IntTensor<Self>);
        fn float_slice(tensor, slices: &[Slice]);
        fn float_sum(tensor);
        fn float_sum_dim(tensor, dim: usize);
        fn float_mean(tensor);
        fn float_mean_dim(tensor, dim: usize);
        fn float_cumsum(tensor, dim: usize);
        fn float_unfold(tensor, dim: usize, size: usize, step: usize);
    }

    piecewise_constant! { float_round float_floor float_ceil float_trunc float_sign }

    elementwise! {
        float_erf: elementwise::erf::<B>, arithmetic::erf_slope::<B>;
        float_abs: B::float_abs, B::float_sign;
        float_sin: B::float_sin, B::float_cos;
        float_cos: B::float_cos, |x| B::float_neg(B::float_sin(x));
        float_sinh: B::float_sinh, B::float_cosh;
        float_cosh: B::float_cosh, B::float_sinh;
        float_asin: B::float_asin, |x| recip_sqrt::<B>(one_minus_square::<B>(x));
        float_acos: B::float_acos, |x| B::float_neg(recip_sqrt::<B>(one_minus_square::<B>(x)));
        float_atan: B::float_atan, |x| B::float_recip(one_plus_square::<B>(x));
        float_asinh: B::float_asinh, |x| recip_sqrt::<B>(one_plus_square::<B>(x));
        float_acosh: B::float_acosh, |x| recip_sqrt::<B>(B::float_neg(one_minus_square::<B>(x)));
        float_atanh: B::float_atanh, |x| B::float_recip(one_minus_square::<B>(x));
    }

    fn float_exp(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.once(Remembered::Exp, |x| x.unary_by_value(B::float_exp, |y| y))
    }

    fn float_tanh(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.once(Remembered::Tanh, |x| x.unary_by_value(elementwise::tanh::<B>, B::tanh_slope))
    }

    fn float_tan(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        tensor.once(Remembered::Tan, |x| x.unary_by_value(B::float_tan, one_plus_square::<B>))
    }

    async fn float_into_data(tensor: FloatTensor<Self>) -> Result<TensorData, ExecutionError> {
        B::float_into_data(tensor.primal).await
    }

    fn float_device(tensor: &FloatTensor<Self>) -> Device<Self> {
        B::float_device(&tensor.primal)
    }

    fn float_to_device(tensor: FloatTensor<Self>, device: &Device<Self>) -> FloatTensor<Self> {
        tensor.linear(|t| B::float_to_device(t, device))
    }

    /// A constant, for this level and for a tape below it.
    fn float_detach(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        DualTensor::constant(B::float_detach(tensor.primal))
    }

    fn float_set_require_grad(tensor: FloatTensor<Self>, require_grad: bool) -> FloatTensor<Self> {
        tensor.affine(|x| B::float_set_require_grad(x, require_grad), |tangent| tangent)
    }

    fn float_is_require_grad(tensor: &FloatTensor<Self>) -> bool {
        B::float_is_require_grad(&tensor.primal)
    }

    fn float_add(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::add(lhs, rhs)
    }

    fn float_add_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        lhs.affine(|x| B::float_add_scalar(x, rhs), |tangent| tangent)
    }

    fn float_sub(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::sub(lhs, rhs)
    }

    fn float_sub_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        lhs.affine(|x| B::float_sub_scalar(x, rhs), |tangent| tangent)
    }

    fn float_mul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::mul::<B>(lhs, rhs)
    }

    fn float_div(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::div(lhs, rhs)
    }

    fn float_remainder(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::remainder(lhs, rhs)
    }

    fn float_remainder_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        lhs.affine(|x| B::float_remainder_scalar(x, rhs), |tangent| tangent)
    }

    fn float_matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        lhs.bilinear(rhs, B::float_matmul)
    }

    fn float_cross(
        lhs: FloatTensor<Self>,
        rhs: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        lhs.bilinear(rhs, |l, r| B::float_cross(l, r, dim))
    }

    fn float_recip(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::recip(tensor)
    }

    fn float_sqrt(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::sqrt(tensor)
    }

    fn float_log(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::log::<B>(tensor)
    }

    fn float_log1p(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::log1p::<B>(tensor)
    }

    fn float_powf(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::powf::<B>(lhs, rhs)
    }

    fn float_powi(lhs: FloatTensor<Self>, rhs: IntTensor<Self>) -> FloatTensor<Self> {
        arithmetic::powi(lhs, rhs)
    }

    fn float_powi_scalar(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        arithmetic::powi_scalar(lhs, rhs)
    }

    fn float_powi_scalar_impl(lhs: FloatTensor<Self>, rhs: Scalar) -> FloatTensor<Self> {
        arithmetic::powi_scalar(lhs, rhs)
    }

    fn float_powf_scalar(tensor: FloatTensor<Self>, value: Scalar) -> FloatTensor<Self> {
        arithmetic::powf_scalar(tensor, value)
    }

    fn float_powf_scalar_impl(tensor: FloatTensor<Self>, value: Scalar) -> FloatTensor<Self> {
        arithmetic::powf_scalar(tensor, value)
    }

    fn float_atan2(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        arithmetic::atan2::<B>(lhs, rhs)
    }

    fn float_clamp_min(tensor: FloatTensor<Self>, min: Scalar) -> FloatTensor<Self> {
        let below = |x, bools| B::float_lower_elem(x, min, bools);
        selection::clamp(tensor, below, |x| B::float_clamp_min(x, min))
    }

    fn float_clamp_max(tensor: FloatTensor<Self>, max: Scalar) -> FloatTensor<Self> {
        let above = |x, bools| B::float_greater_elem(x, max, bools);
        selection::clamp(tensor, above, |x| B::float_clamp_max(x, max))
    }

    fn float_clamp(tensor: FloatTensor<Self>, min: Scalar, max: Scalar) -> FloatTensor<Self> {
        let outside = |x: B::FloatTensorPrimitive, bools| {
            let below = B::float_lower_elem(x.clone(), min, bools);
            B::bool_or(below, B::float_greater_elem(x, max, bools))
        };
        selection::clamp(tensor, outside, |x| B::float_clamp(x, min, max))
    }

    fn float_gather(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        tensor.linear(|t| B::float_gather(dim, t, indices.clone()))
    }

    fn float_scatter_add(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        selection::accumulate(tensor, value, |tensor, value| {
            B::float_scatter_add(dim, tensor, indices.clone(), value)
        })
    }

    fn float_scatter_nd(
        data: FloatTensor<Self>,
        indices: IntTensor<Self>,
        values: FloatTensor<Self>,
        reduction: IndexingUpdateOp,
    ) -> FloatTensor<Self> {
        selection::scatter_nd(data, indices, values, reduction)
    }

    fn float_select_add(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        selection::accumulate(tensor, value, |tensor, value| {
            B::float_select_add(tensor, dim, indices.clone(), value)
        })
    }

    fn float_slice_assign(
        tensor: FloatTensor<Self>,
        slices: &[Slice],
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        tensor.jointly_linear(value, |tensor, value| B::float_slice_assign(tensor, slices, value))
    }

    fn float_mask_where(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        selection::mask_where(tensor, mask, value)
    }

    fn float_mask_fill(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: Scalar,
    ) -> FloatTensor<Self> {
        selection::mask_fill(tensor, mask, value)
    }

    fn float_cat(tensors: Vec<FloatTensor<Self>>, dim: usize) -> FloatTensor<Self> {
        selection::cat(tensors, dim)
    }

    fn float_prod(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        scan::product(flat(tensor), 0, B::float_prod)
    }

    fn float_prod_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        scan::product(tensor, dim, |x| B::float_prod_dim(x, dim))
    }

    fn float_cumprod(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        scan::cumprod(tensor, dim)
    }

    fn float_cummin(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        scan::cumulative_extreme(tensor, dim, |x| B::float_cummin(x, dim))
    }

    fn float_cummax(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        scan::cumulative_extreme(tensor, dim, |x| B::float_cummax(x, dim))
    }

    fn float_topk(tensor: FloatTensor<Self>, dim: usize, k: usize) -> FloatTensor<Self> {
        if tensor.is_constant() {
            return DualTensor::constant(B::float_topk(tensor.primal, dim, k));
        }
        // By sorting: not every backend has `float_argtopk`.
        let sorted = Self::float_sort(tensor, dim, true);
        let mut slices = vec![Slice::full(); sorted.rank()];
        slices[dim] = Slice::from(0..k);
        Self::float_slice(sorted, &slices)
    }

    fn float_max(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor.is_constant() {
            true => DualTensor::constant(B::float_max(tensor.primal)),
            false => Self::float_max_dim(flat(tensor), 0),
        }
    }

    fn float_max_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        if tensor.is_constant() {
            return DualTensor::constant(B::float_max_dim(tensor.primal, dim));
        }
        let indices_dtype = index_dtype(&tensor);
        Self::float_max_dim_with_indices(tensor, dim, indices_dtype).0
    }

    fn float_max_dim_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        picked(tensor, dim, |x| B::float_max_dim_with_indices(x, dim, indices_dtype))
    }

    fn float_min(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor.is_constant() {
            true => DualTensor::constant(B::float_min(tensor.primal)),
            false => Self::float_min_dim(flat(tensor), 0),
        }
    }

    fn float_min_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        if tensor.is_constant() {
            return DualTensor::constant(B::float_min_dim(tensor.primal, dim));
        }
        let indices_dtype = index_dtype(&tensor);
        Self::float_min_dim_with_indices(tensor, dim, indices_dtype).0
    }

    fn float_min_dim_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        picked(tensor, dim, |x| B::float_min_dim_with_indices(x, dim, indices_dtype))
    }

    fn float_max_abs(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor.is_constant() {
            true => DualTensor::constant(B::float_max_abs(tensor.primal)),
            false => Self::float_max(Self::float_abs(tensor)),
        }
    }

    fn float_max_abs_dim(tensor: FloatTensor<Self>, dim: usize) -> FloatTensor<Self> {
        match tensor.is_constant() {
            true => DualTensor::constant(B::float_max_abs_dim(tensor.primal, dim)),
            false => Self::float_max_dim(Self::float_abs(tensor), dim),
        }
    }

    fn float_sort(tensor: FloatTensor<Self>, dim: usize, descending: bool) -> FloatTensor<Self> {
        if tensor.is_constant() {
            return DualTensor::constant(B::float_sort(tensor.primal, dim, descending));
        }
        let indices_dtype = index_dtype(&tensor);
        Self::float_sort_with_indices(tensor, dim, descending, indices_dtype).0
    }

    fn float_sort_with_indices(
        tensor: FloatTensor<Self>,
        dim: usize,
        descending: bool,
        indices_dtype: IntDType,
    ) -> (FloatTensor<Self>, IntTensor<Self>) {
        picked(tensor, dim, |x| B::float_sort_with_indices(x, dim, descending, indices_dtype))
    }

    fn float_grid_sample_2d(
        tensor: FloatTensor<Self>,
        grid: FloatTensor<Self>,
        options: GridSampleOptions,
    ) -> FloatTensor<Self> {
        if grid.is_constant() {
            let sample = |t| B::float_grid_sample_2d(t, grid.primal.clone(), options.clone());
            return tensor.linear(sample);
        }
        match options.mode {
            InterpolateMode::Bilinear => float_grid_sample_2d_ref::<Self>(tensor, grid, options),
            _ => no_rule(SAMPLED_GRID),
        }
    }
}
