//! Shapes that tensors are broadcast to.

use burn_flex::FlexTensor;

use crate::strides::{Axes, MAX_RANK, axes_of};

/// The lengths of axes that tensors are broadcast to.
pub(crate) struct Lengths {
    rank: usize,
    lengths: [usize; MAX_RANK],
}

/// The shape that tensors of one rank are broadcast to; none where there is none, where it is empty or
/// where there are more axes than are walked here.
#[inline]
pub(crate) fn broadcast_shape<const N: usize>(tensors: [&FlexTensor; N]) -> Option<Lengths> {
    let rank = tensors[0].layout().num_dims();
    if rank > MAX_RANK || tensors.iter().any(|x| x.layout().num_dims() != rank) {
        return None;
    }
    let mut lengths = [1; MAX_RANK];
    for x in tensors {
        for (length, (of_x, _)) in lengths.iter_mut().zip(axes_of(x)) {
            match (*length, of_x) {
                (_, 0) => return None,
                (1, _) => *length = of_x,
                (_, 1) => {}
                (expected, found) if expected == found => {}
                _ => return None,
            }
        }
    }
    Some(Lengths { rank, lengths })
}

impl Lengths {
    pub(crate) fn lengths(&self) -> &[usize] {
        &self.lengths[..self.rank]
    }

    /// The axes with the strides of tensors, 0 where a tensor is broadcast.
    #[inline]
    pub(crate) fn axes<const N: usize>(&self, tensors: [&FlexTensor; N]) -> Axes<N> {
        let mut axes = Axes::new();
        let of_tensors = tensors.map(|x| (x.layout().shape().as_slice(), x.layout().strides()));
        for (axis, &length) in self.lengths().iter().enumerate() {
            let stride = |(lengths, strides): (&[usize], &[isize])| match lengths[axis] {
                1 => 0,
                _ => strides[axis],
            };
            axes.push(length, of_tensors.map(stride));
        }
        axes
    }
}
