//! Rules of operations that pick, order and place elements.

use burn::tensor::backend::Backend;
use burn::tensor::ops::{BoolTensor, FloatTensor, IntTensor};
use burn::tensor::{
    BoolDType, IndexingUpdateOp, IntDType, Scalar, Shape, TensorMetadata, get_device_settings,
};

use crate::DualTensor;
use crate::dual::{Pair, broadcast, scale, zeros_like};

/// A value and the places it came from.
type Indexed<B> = (FloatTensor<B>, IntTensor<B>);

/// Elements of x along `dim` by `pick`, which says where it found them.
pub(crate) fn picked<B: Backend>(
    x: DualTensor<B>,
    dim: usize,
    pick: impl FnOnce(FloatTensor<B>) -> Indexed<B>,
) -> (DualTensor<B>, IntTensor<B>) {
    let (primal, indices) = pick(x.primal);
    let at = |tangent| B::float_gather(dim, tangent, indices.clone());
    let tangents = x.tangents.into_iter().map(at).collect();
    (DualTensor::of(primal, tangents), indices)
}

/// x as a vector.
pub(crate) fn flat<B: Backend>(x: DualTensor<B>) -> DualTensor<B> {
    let shape = Shape::new([x.primal.shape().num_elements()]);
    x.linear(|t| B::float_reshape(t, shape.clone()))
}

/// The type of indices on the device of x.
pub(crate) fn index_dtype<B: Backend>(x: &DualTensor<B>) -> IntDType {
    get_device_settings::<B>(&B::float_device(&x.primal)).int_dtype
}

/// `fill` where the mask holds, x elsewhere.
pub(crate) fn mask_fill<B: Backend>(
    x: DualTensor<B>,
    mask: BoolTensor<B>,
    fill: Scalar,
) -> DualTensor<B> {
    let at = mask.clone();
    x.affine(
        |x| B::float_mask_fill(x, mask, fill),
        |tangent| B::float_mask_fill(tangent, at.clone(), 0.into()),
    )
}

/// x clamped; where it is `outside` of the bounds, it does not change.
pub(crate) fn clamp<B: Backend>(
    x: DualTensor<B>,
    outside: impl FnOnce(FloatTensor<B>, BoolDType) -> BoolTensor<B>,
    clamped: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    if x.is_constant() {
        return DualTensor::constant(clamped(x.primal));
    }
    let bools = get_device_settings::<B>(&B::float_device(&x.primal)).bool_dtype;
    let outside = outside(x.primal.clone(), bools);
    kept(x.tangents, outside, clamped(x.primal))
}

/// `value` where the mask holds, x elsewhere.
pub(crate) fn mask_where<B: Backend>(
    x: DualTensor<B>,
    mask: BoolTensor<B>,
    value: DualTensor<B>,
) -> DualTensor<B> {
    let primal = B::float_mask_where(x.primal, mask.clone(), value.primal);
    let shape = primal.shape();
    let fill = |tangents, mask: BoolTensor<B>| {
        let tangents = broadcast::<B>(tangents, &shape).into_iter();
        tangents.map(|tangent| B::float_mask_fill(tangent, mask.clone(), 0.into())).collect()
    };
    let tangents = match Pair::new(x.tangents, value.tangents) {
        Pair::Neither => Vec::new(),
        Pair::Left(left) => fill(left, mask),
        Pair::Right(right) => fill(right, B::bool_not(mask)),
        Pair::Both(both) => both
            .into_iter()
            .map(|(dx, dvalue)| B::float_mask_where(dx, mask.clone(), dvalue))
            .collect(),
    };
    DualTensor::of(primal, tangents)
}

/// x with its derivative kept only outside the mask, and `primal` for its value.
pub(crate) fn kept<B: Backend>(
    tangents: Vec<FloatTensor<B>>,
    dropped: BoolTensor<B>,
    primal: FloatTensor<B>,
) -> DualTensor<B> {
    let one = |tangent| B::float_mask_fill(tangent, dropped.clone(), 0.into());
    DualTensor::of(primal, tangents.into_iter().map(one).collect())
}

/// Tensors side by side. Zeros stand for the tangents of constants among them.
pub(crate) fn cat<B: Backend>(tensors: Vec<DualTensor<B>>, dim: usize) -> DualTensor<B> {
    let mut count = 0;
    for tensor in tensors.iter().filter(|tensor| !tensor.is_constant()) {
        assert!(
            count == 0 || count == tensor.tangents.len(),
            "tangents: tensors with different numbers of tangents in one operation"
        );
        count = tensor.tangents.len();
    }
    let mut rows: Vec<Vec<FloatTensor<B>>> = vec![Vec::with_capacity(tensors.len()); count];
    let mut primals = Vec::with_capacity(tensors.len());
    for tensor in tensors {
        let tangents = match tensor.tangents.is_empty() && count > 0 {
            true => vec![zeros_like::<B>(&tensor.primal); count],
            false => tensor.tangents,
        };
        rows.iter_mut().zip(tangents).for_each(|(row, tangent)| row.push(tangent));
        primals.push(tensor.primal);
    }
    let tangents = rows.into_iter().map(|row| B::float_cat(row, dim)).collect();
    DualTensor::of(B::float_cat(primals, dim), tangents)
}

/// x plus what `add(x, value)` adds of `value`.
pub(crate) fn accumulate<B: Backend>(
    x: DualTensor<B>,
    value: DualTensor<B>,
    add: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> DualTensor<B> {
    if value.is_constant() {
        // What is added does not change.
        return DualTensor::of(add(x.primal, value.primal), x.tangents);
    }
    x.jointly_linear(value, add)
}

/// Slices of `data` combined with `values`. Each slice is addressed once, as in burn's own backward
/// rules, unless `values` are added.
pub(crate) fn scatter_nd<B: Backend>(
    data: DualTensor<B>,
    indices: IntTensor<B>,
    values: DualTensor<B>,
    how: IndexingUpdateOp,
) -> DualTensor<B> {
    let place = |data, values, how| B::float_scatter_nd(data, indices.clone(), values, how);
    match how {
        IndexingUpdateOp::Add => accumulate(data, values, |data, values| place(data, values, how)),
        IndexingUpdateOp::Assign => data.jointly_linear(values, |data, values| {
            B::float_scatter_nd(data, indices.clone(), values, how)
        }),
        IndexingUpdateOp::Mul => {
            let before = B::float_gather_nd(data.primal.clone(), indices.clone());
            let zeros = zeros_like::<B>(&data.primal);
            let left = data.tangents.into_iter();
            let left = left.map(|d| place(d, values.primal.clone(), how)).collect();
            let right = scale::<B>(values.tangents, before);
            let add = |data, values| place(data, values, IndexingUpdateOp::Add);
            let tangents = match Pair::new(left, right) {
                Pair::Neither => Vec::new(),
                Pair::Left(left) => left,
                Pair::Right(right) => right.into_iter().map(|d| add(zeros.clone(), d)).collect(),
                Pair::Both(both) => both.into_iter().map(|(l, r)| add(l, r)).collect(),
            };
            DualTensor::of(place(data.primal, values.primal, how), tangents)
        }
        IndexingUpdateOp::Min | IndexingUpdateOp::Max => {
            let at = |data| B::float_gather_nd(data, indices.clone());
            let before = at(data.primal.clone());
            let bools = get_device_settings::<B>(&B::float_device(&before)).bool_dtype;
            let won = match how {
                IndexingUpdateOp::Min => B::float_lower(values.primal.clone(), before, bools),
                _ => B::float_greater(values.primal.clone(), before, bools),
            };
            let primal = place(data.primal.clone(), values.primal.clone(), how);
            // What stands in the addressed slices afterwards is assigned to them.
            let held = data.clone().linear(at);
            let assigned = mask_where(held, won, values);
            let tangents = data.jointly_linear(assigned, |data, values| {
                B::float_scatter_nd(data, indices.clone(), values, IndexingUpdateOp::Assign)
            });
            DualTensor::of(primal, tangents.tangents)
        }
    }
}
