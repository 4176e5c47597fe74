//! Float operations: the backend's own on values, noted on what is linear in directions.

use burn::tensor::backend::ExecutionError;
use burn::tensor::ops::{
    BoolTensor, Device, FloatTensor, FloatTensorOps, GridSampleOptions, IntTensor,
};
use burn::tensor::{
    BoolDType, Distribution, FloatDType, IndexingUpdateOp, IntDType, Scalar, Shape, Slice,
    TensorData, TensorMetadata, calculate_matmul_output,
};

use super::Recording;
use super::linear::{
    axes_of_all, bilinear, broadcast, combined, jointly_linear, scaled, slices_of_all, times,
    with_length,
};
use super::stacked::{indices_for_all, lead, mask_for_all, matmul_left, matmul_right, two_by_two};
use super::tensor::{RecordedTensor, not_linear};
use crate::Elementwise;
use crate::delegate::{comparisons, comparisons_with_a_number, new_tensors, of_values};

/// Functions of values that are not linear.
macro_rules! values {
    ($(fn $name:ident(tensor $(, $argument:ident: $type:ty)* $(,)?);)*) => {
        $(
            fn $name(tensor: FloatTensor<Self> $(, $argument: $type)*) -> FloatTensor<Self> {
                let tensor = tensor.known(stringify!($name));
                RecordedTensor::Known(B::$name(tensor $(, $argument)*))
            }
        )*
    };
}

/// Functions of two values that are not linear.
macro_rules! values_of_two {
    ($($name:ident)*) => {
        $(
            fn $name(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
                let (l, r) = (lhs.known(stringify!($name)), rhs.known(stringify!($name)));
                RecordedTensor::Known(B::$name(l, r))
            }
        )*
    };
}

/// Values and where they were found.
macro_rules! picked {
    ($(fn $name:ident(tensor $(, $argument:ident: $type:ty)*);)*) => {
        $(
            fn $name(
                tensor: FloatTensor<Self>
                $(, $argument: $type)*
            ) -> (FloatTensor<Self>, IntTensor<Self>) {
                let tensor = tensor.known(stringify!($name));
                let (values, indices) = B::$name(tensor $(, $argument)*);
                (RecordedTensor::Known(values), indices)
            }
        )*
    };
}

/// Linear functions along an axis that is kept; `$shape` is the result's, given the argument's.
macro_rules! along_an_axis {
    ($(fn $name:ident(tensor, dim: usize $(, $argument:ident: $type:ty)*), $shape:expr;)*) => {
        $(
            fn $name(
                tensor: FloatTensor<Self>,
                dim: usize
                $(, $argument: $type)*
            ) -> FloatTensor<Self> {
                match tensor {
                    RecordedTensor::Known(x) => {
                        RecordedTensor::Known(B::$name(x, dim $(, $argument)*))
                    }
                    RecordedTensor::Linear(x) => {
                        let shape: fn(Shape, usize $(, $type)*) -> Shape = $shape;
                        let shape = shape(x.shape.clone(), dim $(, $argument)*);
                        x.then(shape, &[], move |x, _| B::$name(x, dim + 1 $(, $argument)*))
                    }
                }
            }
        )*
    };
}

impl<B: Elementwise> FloatTensorOps<Self> for Recording<B> {
    new_tensors! { RecordedTensor::Known }

    of_values! { |tensor| tensor.known("a function with no derivative") }

    comparisons! { |tensor| tensor.known("a comparison") }

    comparisons_with_a_number! { |tensor| tensor.known("a comparison") }

    values! {
        fn float_exp(tensor);
        fn float_log(tensor);
        fn float_log1p(tensor);
        fn float_powi(tensor, exponent: IntTensor<Self>);
        fn float_powi_scalar(tensor, exponent: Scalar);
        fn float_powi_scalar_impl(tensor, exponent: Scalar);
        fn float_powf_scalar(tensor, exponent: Scalar);
        fn float_powf_scalar_impl(tensor, exponent: Scalar);
        fn float_sqrt(tensor);
        fn float_recip(tensor);
        fn float_abs(tensor);
        fn float_sign(tensor);
        fn float_cos(tensor);
        fn float_sin(tensor);
        fn float_tan(tensor);
        fn float_tanh(tensor);
        fn float_cosh(tensor);
        fn float_sinh(tensor);
        fn float_acos(tensor);
        fn float_acosh(tensor);
        fn float_asin(tensor);
        fn float_asinh(tensor);
        fn float_atan(tensor);
        fn float_atanh(tensor);
        fn float_erf(tensor);
        fn float_round(tensor);
        fn float_floor(tensor);
        fn float_ceil(tensor);
        fn float_trunc(tensor);
        fn float_add_scalar(tensor, number: Scalar);
        fn float_sub_scalar(tensor, number: Scalar);
        fn float_remainder_scalar(tensor, number: Scalar);
        fn float_clamp_min(tensor, min: Scalar);
        fn float_clamp_max(tensor, max: Scalar);
        fn float_clamp(tensor, min: Scalar, max: Scalar);
        fn float_prod(tensor);
        fn float_prod_dim(tensor, dim: usize);
        fn float_cumprod(tensor, dim: usize);
        fn float_cummin(tensor, dim: usize);
        fn float_cummax(tensor, dim: usize);
        fn float_max(tensor);
        fn float_max_dim(tensor, dim: usize);
        fn float_min(tensor);
        fn float_min_dim(tensor, dim: usize);
        fn float_max_abs(tensor);
        fn float_max_abs_dim(tensor, dim: usize);
        fn float_topk(tensor, dim: usize, k: usize);
        fn float_sort(tensor, dim: usize, descending: bool);
    }

    values_of_two! { float_powf float_atan2 float_remainder }

    picked! {
        fn float_max_dim_with_indices(tensor, dim: usize, indices_dtype: IntDType);
        fn float_min_dim_with_indices(tensor, dim: usize, indices_dtype: IntDType);
        fn float_sort_with_indices(
            tensor,
            dim: usize,
            descending: bool,
            indices_dtype: IntDType
        );
    }

    along_an_axis! {
        fn float_sum_dim(tensor, dim: usize), |shape, dim| with_length(shape, dim, 1);
        fn float_mean_dim(tensor, dim: usize), |shape, dim| with_length(shape, dim, 1);
        fn float_cumsum(tensor, dim: usize), |shape, _| shape;
        fn float_repeat_dim(tensor, dim: usize, times: usize), |shape, dim, times| {
            let length = shape[dim] * times;
            with_length(shape, dim, length)
        };
        fn float_unfold(tensor, dim: usize, size: usize, step: usize), |shape, dim, size, step| {
            let windows = (shape[dim] + step).saturating_sub(size) / step;
            let mut shape = with_length(shape, dim, windows);
            shape.push(size);
            shape
        };
    }

    fn float_cast(tensor: FloatTensor<Self>, dtype: FloatDType) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_cast(x, dtype)),
            RecordedTensor::Linear(x) => {
                let shape = x.shape.clone();
                x.then_typed(shape, dtype.into(), &[], move |x, _| B::float_cast(x, dtype))
            }
        }
    }

    async fn float_into_data(tensor: FloatTensor<Self>) -> Result<TensorData, ExecutionError> {
        B::float_into_data(tensor.known("reading")).await
    }

    fn float_device(tensor: &FloatTensor<Self>) -> Device<Self> {
        tensor.device()
    }

    fn float_to_device(tensor: FloatTensor<Self>, device: &Device<Self>) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_to_device(x, device)),
            RecordedTensor::Linear(_) => not_linear("moving to another device"),
        }
    }

    fn float_detach(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        RecordedTensor::Known(B::float_detach(tensor.known("detaching")))
    }

    fn float_set_require_grad(tensor: FloatTensor<Self>, require_grad: bool) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => {
                RecordedTensor::Known(B::float_set_require_grad(x, require_grad))
            }
            linear => linear,
        }
    }

    fn float_is_require_grad(tensor: &FloatTensor<Self>) -> bool {
        match tensor {
            RecordedTensor::Known(x) => B::float_is_require_grad(x),
            RecordedTensor::Linear(_) => false,
        }
    }

    fn float_add(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        combined("a sum", true, lhs, rhs, B::float_add)
    }

    fn float_sub(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        combined("a difference", false, lhs, rhs, B::float_sub)
    }

    fn float_mul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        match (lhs, rhs) {
            (RecordedTensor::Known(l), RecordedTensor::Known(r)) => {
                RecordedTensor::Known(B::float_mul(l, r))
            }
            (RecordedTensor::Linear(x), RecordedTensor::Known(factor))
            | (RecordedTensor::Known(factor), RecordedTensor::Linear(x)) => scaled(x, factor),
            _ => not_linear("a product"),
        }
    }

    fn float_div(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        match (lhs, rhs) {
            (RecordedTensor::Known(l), RecordedTensor::Known(r)) => {
                RecordedTensor::Known(B::float_div(l, r))
            }
            (RecordedTensor::Linear(x), RecordedTensor::Known(divisor)) => {
                scaled(x, B::float_recip(divisor))
            }
            _ => not_linear("a quotient"),
        }
    }

    fn float_neg(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_neg(x)),
            RecordedTensor::Linear(x) => times(x, -1.0),
        }
    }

    fn float_mul_scalar(tensor: FloatTensor<Self>, factor: Scalar) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_mul_scalar(x, factor)),
            RecordedTensor::Linear(x) => times(x, factor.elem()),
        }
    }

    fn float_div_scalar(tensor: FloatTensor<Self>, divisor: Scalar) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_div_scalar(x, divisor)),
            RecordedTensor::Linear(x) => times(x, divisor.elem::<f64>().recip()),
        }
    }

    fn float_matmul(lhs: FloatTensor<Self>, rhs: FloatTensor<Self>) -> FloatTensor<Self> {
        let shape = |l: &Shape, r: &Shape| {
            calculate_matmul_output(l, r).expect("matrices that can be multiplied")
        };
        match (lhs, rhs) {
            (RecordedTensor::Known(l), RecordedTensor::Known(r)) => {
                RecordedTensor::Known(B::float_matmul(l, r))
            }
            (RecordedTensor::Linear(l), RecordedTensor::Known(r)) => {
                let shape = shape(&l.shape, &r.shape());
                l.then(shape, &[&r.clone()], move |l, count| matmul_right::<B>(l, r.clone(), count))
            }
            (RecordedTensor::Known(l), RecordedTensor::Linear(r)) => {
                let shape = shape(&l.shape(), &r.shape);
                r.then(shape, &[&l.clone()], move |r, count| matmul_left::<B>(l.clone(), r, count))
            }
            _ => not_linear("a matrix product"),
        }
    }

    fn float_cross(
        lhs: FloatTensor<Self>,
        rhs: FloatTensor<Self>,
        dim: usize,
    ) -> FloatTensor<Self> {
        bilinear("a cross product", lhs, rhs, move |l, r| B::float_cross(l, r, dim))
    }

    fn float_sum(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_sum(x)),
            RecordedTensor::Linear(x) => {
                let len = x.shape.num_elements();
                x.then(Shape::new([1]), &[], move |x, count| {
                    B::float_sum_dim(B::float_reshape(x, Shape::new([count, len])), 1)
                })
            }
        }
    }

    fn float_mean(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_mean(x)),
            RecordedTensor::Linear(x) => {
                let len = x.shape.num_elements();
                x.then(Shape::new([1]), &[], move |x, count| {
                    B::float_mean_dim(B::float_reshape(x, Shape::new([count, len])), 1)
                })
            }
        }
    }

    fn float_transpose(tensor: FloatTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_transpose(x)),
            RecordedTensor::Linear(x) => {
                let last = x.shape.num_dims() - 1;
                Self::float_swap_dims(RecordedTensor::Linear(x), last - 1, last)
            }
        }
    }

    fn float_swap_dims(tensor: FloatTensor<Self>, dim1: usize, dim2: usize) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_swap_dims(x, dim1, dim2)),
            RecordedTensor::Linear(x) => {
                let mut shape = x.shape.clone();
                (shape[dim1], shape[dim2]) = (shape[dim2], shape[dim1]);
                x.then(shape, &[], move |x, _| B::float_swap_dims(x, dim1 + 1, dim2 + 1))
            }
        }
    }

    fn float_permute(tensor: FloatTensor<Self>, axes: &[usize]) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_permute(x, axes)),
            RecordedTensor::Linear(x) => {
                let shape = Shape::from(axes.iter().map(|&axis| x.shape[axis]).collect::<Vec<_>>());
                let axes = axes_of_all(axes);
                x.then(shape, &[], move |x, _| B::float_permute(x, &axes))
            }
        }
    }

    fn float_flip(tensor: FloatTensor<Self>, axes: &[usize]) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_flip(x, axes)),
            RecordedTensor::Linear(x) => {
                let shape = x.shape.clone();
                let axes: Vec<usize> = axes.iter().map(|axis| axis + 1).collect();
                x.then(shape, &[], move |x, _| B::float_flip(x, &axes))
            }
        }
    }

    fn float_reshape(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_reshape(x, shape)),
            RecordedTensor::Linear(x) => {
                x.then(shape.clone(), &[], move |x, count| B::float_reshape(x, lead(count, &shape)))
            }
        }
    }

    fn float_expand(tensor: FloatTensor<Self>, shape: Shape) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_expand(x, shape)),
            RecordedTensor::Linear(x) => {
                // Axes that are new come before the tensor's own and after that of the directions.
                let mut own = vec![1; shape.num_dims() - x.shape.num_dims()];
                own.extend(x.shape.iter());
                let own = Shape::from(own);
                x.then(shape.clone(), &[], move |x, count| {
                    let x = B::float_reshape(x, lead(count, &own));
                    B::float_expand(x, lead(count, &shape))
                })
            }
        }
    }

    fn float_gather(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_gather(dim, x, indices)),
            RecordedTensor::Linear(x) => x.then(indices.shape(), &[], move |x, count| {
                B::float_gather(dim + 1, x, indices_for_all::<B>(indices.clone(), count))
            }),
        }
    }

    fn float_gather_nd(tensor: FloatTensor<Self>, indices: IntTensor<Self>) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_gather_nd(x, indices)),
            RecordedTensor::Linear(x) => x.each(move |x| B::float_gather_nd(x, indices.clone())),
        }
    }

    fn float_select(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
    ) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_select(x, dim, indices)),
            RecordedTensor::Linear(x) => {
                let shape = with_length(x.shape.clone(), dim, indices.shape()[0]);
                x.then(shape, &[], move |x, _| B::float_select(x, dim + 1, indices.clone()))
            }
        }
    }

    fn float_slice(tensor: FloatTensor<Self>, slices: &[Slice]) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_slice(x, slices)),
            RecordedTensor::Linear(x) => {
                let mut shape = x.shape.clone();
                for (axis, slice) in slices.iter().enumerate() {
                    shape[axis] = slice.output_size(shape[axis]);
                }
                let slices = slices_of_all(slices);
                x.then(shape, &[], move |x, _| B::float_slice(x, &slices))
            }
        }
    }

    fn float_slice_assign(
        tensor: FloatTensor<Self>,
        slices: &[Slice],
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let all = slices_of_all(slices);
        jointly_linear(
            tensor.clone(),
            value,
            tensor.shape(),
            |x, value| B::float_slice_assign(x, slices, value),
            move |x, value, _| B::float_slice_assign(x, &all, value),
        )
    }

    fn float_scatter_add(
        dim: usize,
        tensor: FloatTensor<Self>,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let at = indices.clone();
        jointly_linear(
            tensor.clone(),
            value,
            tensor.shape(),
            |x, value| B::float_scatter_add(dim, x, at, value),
            move |x, value, count| {
                let indices = indices_for_all::<B>(indices.clone(), count);
                B::float_scatter_add(dim + 1, x, indices, value)
            },
        )
    }

    fn float_select_add(
        tensor: FloatTensor<Self>,
        dim: usize,
        indices: IntTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let at = indices.clone();
        jointly_linear(
            tensor.clone(),
            value,
            tensor.shape(),
            |x, value| B::float_select_add(x, dim, at, value),
            move |x, value, _| B::float_select_add(x, dim + 1, indices.clone(), value),
        )
    }

    fn float_scatter_nd(
        data: FloatTensor<Self>,
        indices: IntTensor<Self>,
        values: FloatTensor<Self>,
        reduction: IndexingUpdateOp,
    ) -> FloatTensor<Self> {
        let at = indices.clone();
        let shapes = [data.shape(), values.shape()];
        let place = |x, at, values, how| B::float_scatter_nd(x, at, values, how);
        match (data, values) {
            // Slices times values that do not change.
            (RecordedTensor::Linear(x), RecordedTensor::Known(values))
                if matches!(reduction, IndexingUpdateOp::Mul) =>
            {
                x.each(move |x| place(x, indices.clone(), values.clone(), IndexingUpdateOp::Mul))
            }
            (data, values) => {
                let (adds, shape) = (matches!(reduction, IndexingUpdateOp::Add), data.shape());
                let how = move || match adds {
                    true => IndexingUpdateOp::Add,
                    false => IndexingUpdateOp::Assign,
                };
                jointly_linear(
                    data,
                    values,
                    shape,
                    |x, values| place(x, at, values, reduction),
                    move |x, values, count| {
                        two_by_two::<B>([x, values], &shapes, count, |x, values| {
                            place(x, indices.clone(), values, how())
                        })
                    },
                )
            }
        }
    }

    fn float_mask_where(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let at = mask.clone();
        let shape = broadcast(&tensor.shape(), &value.shape());
        jointly_linear(
            tensor,
            value,
            shape,
            |x, value| B::float_mask_where(x, at, value),
            move |x, value, count| {
                B::float_mask_where(x, mask_for_all::<B>(mask.clone(), count), value)
            },
        )
    }

    fn float_mask_fill(
        tensor: FloatTensor<Self>,
        mask: BoolTensor<Self>,
        value: Scalar,
    ) -> FloatTensor<Self> {
        match tensor {
            RecordedTensor::Known(x) => RecordedTensor::Known(B::float_mask_fill(x, mask, value)),
            RecordedTensor::Linear(x) => {
                if value.elem::<f64>() != 0.0 {
                    not_linear("filling with a number");
                }
                let shape = x.shape.clone();
                x.then(shape, &[], move |x, count| {
                    B::float_mask_fill(x, mask_for_all::<B>(mask.clone(), count), value)
                })
            }
        }
    }

    fn float_cat(tensors: Vec<FloatTensor<Self>>, dim: usize) -> FloatTensor<Self> {
        if tensors.iter().all(RecordedTensor::is_known) {
            let tensors = tensors.into_iter().map(|x| x.known("tensors side by side")).collect();
            return RecordedTensor::Known(B::float_cat(tensors, dim));
        }
        super::tensor::side_by_side(tensors, dim)
    }

    fn float_grid_sample_2d(
        tensor: FloatTensor<Self>,
        grid: FloatTensor<Self>,
        options: GridSampleOptions,
    ) -> FloatTensor<Self> {
        let grid = grid.known("a sampled grid");
        match tensor {
            RecordedTensor::Known(x) => {
                RecordedTensor::Known(B::float_grid_sample_2d(x, grid, options))
            }
            RecordedTensor::Linear(x) => {
                x.each(move |x| B::float_grid_sample_2d(x, grid.clone(), options.clone()))
            }
        }
    }
}
