//! Shapes, and operations that pick, order and place elements.

use burn::tensor::{IndexingUpdateOp, Int, Tensor, TensorPrimitive};

use crate::rows::{Row, rows};

pub fn rows() -> Vec<Row> {
    rows! {
        transpose (-1.0, 1.0) Nested |a: [2, 3]| a.transpose();
        swap_dims (-1.0, 1.0) Nested |a: [2, 3, 2]| a.swap_dims(0, 1);
        permute (-1.0, 1.0) Nested |a: [2, 3, 2]| a.permute([2, 0, 1]);
        flip (-1.0, 1.0) Nested |a: [2, 3]| a.flip([1]);
        reshape (-1.0, 1.0) Nested |a: [2, 3]| a.reshape([3, 2]);
        expand (-1.0, 1.0) Nested |a: [1, 3]| a.expand([4, 3]);
        // Of one row: burn's gradient of several, repeated, is wrong.
        repeat_dim (-1.0, 1.0) Nested |a: [1, 3]| a.repeat_dim(0, 4);
        repeat_dim_of_several (-1.0, 1.0) None |a: [2, 3]| a.repeat_dim(1, 2);
        unfold (-1.0, 1.0) Nested |a: [2, 5]| {
            let windows: Tensor<B, 3> = a.unfold(1, 3, 2);
            windows
        };
        cast (-1.0, 1.0) Nested |a: [2, 3]| a.cast(burn::tensor::DType::F64);
        cat (-1.0, 1.0) Nested |a: [2, 3], b: [1, 3], c: [2, 3]| Tensor::cat(vec![a, b, c], 0);
        stack (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| {
            let stacked: Tensor<B, 3> = Tensor::stack(vec![a, b], 1);
            stacked
        };
        slice (-1.0, 1.0) Nested |a: [3, 4]| a.slice([1..3, 0..2]);
        slice_assign (-1.0, 1.0) Nested |a: [3, 4], b: [2, 2]| a.slice_assign([1..3, 0..2], b);
        gather (-1.0, 1.0) Nested |a: [2, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[2, 2], [0, 1]], &a.device());
            a.gather(1, indices)
        };
        scatter_add (-1.0, 1.0) Nested |a: [2, 3], b: [2, 2]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[2, 2], [0, 1]], &a.device());
            a.scatter(1, indices, b, IndexingUpdateOp::Add)
        };
        select (-1.0, 1.0) Nested |a: [4, 3]| {
            let indices = Tensor::<B, 1, Int>::from_ints([3, 0, 3], &a.device());
            a.select(0, indices)
        };
        select_add (-1.0, 1.0) Nested |a: [4, 3], b: [3, 3]| {
            let indices = Tensor::<B, 1, Int>::from_ints([3, 0, 3], &a.device());
            a.select_assign(0, indices, b, IndexingUpdateOp::Add)
        };
        gather_nd (-1.0, 1.0) Nested |a: [4, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[3], [0]], &a.device());
            let rows: Tensor<B, 2> = a.gather_nd(indices);
            rows
        };
        scatter_nd_add (-1.0, 1.0) Nested |a: [4, 3], b: [3, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[3], [0], [3]], &a.device());
            a.scatter_nd(indices, b, IndexingUpdateOp::Add)
        };
        scatter_nd_assign (-1.0, 1.0) Nested |a: [4, 3], b: [2, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[3], [0]], &a.device());
            a.scatter_nd(indices, b, IndexingUpdateOp::Assign)
        };
        scatter_nd_mul (-1.0, 1.0) Differences |a: [4, 3], b: [2, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[3], [0]], &a.device());
            a.scatter_nd(indices, b, IndexingUpdateOp::Mul)
        };
        scatter_nd_min (-1.0, 1.0) Nested |a: [4, 3], b: [2, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[3], [0]], &a.device());
            a.scatter_nd(indices, b, IndexingUpdateOp::Min)
        };
        scatter_nd_max (-1.0, 1.0) Nested |a: [4, 3], b: [2, 3]| {
            let indices = Tensor::<B, 2, Int>::from_ints([[3], [0]], &a.device());
            a.scatter_nd(indices, b, IndexingUpdateOp::Max)
        };
        mask_where (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| {
            let mask = a.clone().greater_elem(0.0);
            a.mask_where(mask, b)
        };
        mask_fill (-1.0, 1.0) Nested |a: [2, 3]| {
            let mask = a.clone().greater_elem(0.0);
            a.mask_fill(mask, 2.0)
        };
        max (-1.0, 1.0) Nested |a: [2, 3]| a.max();
        max_dim (-1.0, 1.0) Nested |a: [2, 3]| a.max_dim(1);
        max_dim_with_indices (-1.0, 1.0) Nested |a: [2, 3]| a.max_dim_with_indices(0).0;
        max_pair (-1.0, 1.0) Nested |a: [2, 3], b: [2, 3]| a.max_pair(b);
        max_abs (-1.0, 1.0) Nested |a: [2, 3]| a.max_abs();
        max_abs_dim (-1.0, 1.0) Nested |a: [2, 3]| a.max_abs_dim(1);
        min (-1.0, 1.0) Nested |a: [2, 3]| a.min();
        min_dim (-1.0, 1.0) Nested |a: [2, 3]| a.min_dim(1);
        min_dim_with_indices (-1.0, 1.0) Nested |a: [2, 3]| a.min_dim_with_indices(0).0;
        sort (-1.0, 1.0) Nested |a: [2, 5]| a.sort(1);
        sort_descending (-1.0, 1.0) Nested |a: [5, 2]| a.sort_descending(0);
        sort_with_indices (-1.0, 1.0) Nested |a: [2, 5]| a.sort_with_indices(1).0;
        topk_with_indices (-1.0, 1.0) Nested |a: [2, 5]| a.topk_with_indices(2, 1).0;
        // burn's tape has no such operation.
        topk (-1.0, 1.0) None |a: [2, 5]| {
            let float = B::float_topk(a.into_primitive().tensor(), 1, 2);
            Tensor::<B, 2>::from_primitive(TensorPrimitive::Float(float))
        };
    }
}
