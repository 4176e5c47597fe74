//! Walks over tensors by their strides.

use burn_flex::{FlexTensor, Layout};

use crate::element::shape_of;

/// The largest number of axes that is walked here.
pub(crate) const MAX_RANK: usize = 8;

/// Axes that tensors are walked along, the outermost first, with the strides of `N` tensors.
///
/// Axes that are one walk in memory for all the tensors are one here; none has length 1.
#[derive(Clone, Copy)]
pub(crate) struct Axes<const N: usize> {
    rank: usize,
    lengths: [usize; MAX_RANK],
    strides: [[isize; N]; MAX_RANK],
}

impl<const N: usize> Axes<N> {
    pub(crate) fn new() -> Self {
        Self { rank: 0, lengths: [1; MAX_RANK], strides: [[0; N]; MAX_RANK] }
    }

    /// Appends an axis within the others.
    #[inline]
    pub(crate) fn push(&mut self, length: usize, strides: [isize; N]) {
        if length == 1 {
            return;
        }
        let one_walk = |outer: &[isize; N]| {
            outer.iter().zip(&strides).all(|(outer, inner)| *outer == inner * length as isize)
        };
        if self.rank > 0 && one_walk(&self.strides[self.rank - 1]) {
            self.lengths[self.rank - 1] *= length;
        } else {
            self.lengths[self.rank] = length;
            self.rank += 1;
        }
        self.strides[self.rank - 1] = strides;
    }

    pub(crate) fn rank(&self) -> usize {
        self.rank
    }

    pub(crate) fn lengths(&self) -> &[usize] {
        &self.lengths[..self.rank]
    }

    pub(crate) fn strides(&self) -> &[[isize; N]] {
        &self.strides[..self.rank]
    }

    /// Length and strides of the innermost axis, which is taken away.
    #[inline]
    pub(crate) fn pop(&mut self) -> (usize, [isize; N]) {
        match self.rank {
            0 => (1, [1; N]),
            rank => {
                self.rank -= 1;
                (self.lengths[rank - 1], self.strides[rank - 1])
            }
        }
    }

    /// The offsets of the tensors' elements in turn, from those of the first elements on.
    #[inline(always)]
    pub(crate) fn offsets(mut self, starts: [usize; N]) -> Offsets<N> {
        let (length, strides) = self.pop();
        Offsets {
            outer: self,
            index: [0; MAX_RANK],
            at: starts.map(|start| start as isize),
            length,
            left: length,
            strides,
        }
    }
}

/// See [`Axes::offsets`].
pub(crate) struct Offsets<const N: usize> {
    outer: Axes<N>,
    index: [usize; MAX_RANK],
    at: [isize; N],
    length: usize,
    left: usize,
    strides: [isize; N],
}

impl<const N: usize> Iterator for Offsets<N> {
    type Item = [usize; N];

    #[inline(always)]
    fn next(&mut self) -> Option<[usize; N]> {
        if self.left == 0 {
            let mut axis = self.outer.rank;
            loop {
                if axis == 0 {
                    return None;
                }
                axis -= 1;
                self.index[axis] += 1;
                if self.index[axis] < self.outer.lengths[axis] {
                    break;
                }
                self.index[axis] = 0;
            }
            // Back to the start of the axes within, and a step along this one.
            for n in 0..N {
                self.at[n] -= self.length as isize * self.strides[n];
                for within in axis + 1..self.outer.rank {
                    self.at[n] -=
                        (self.outer.lengths[within] as isize - 1) * self.outer.strides[within][n];
                }
                self.at[n] += self.outer.strides[axis][n];
            }
            self.left = self.length;
        }
        self.left -= 1;
        let now = self.at.map(|at| at as usize);
        for n in 0..N {
            self.at[n] += self.strides[n];
        }
        Some(now)
    }
}

/// Shape and strides of a tensor.
#[inline]
pub(crate) fn axes_of(x: &FlexTensor) -> impl DoubleEndedIterator<Item = (usize, isize)> {
    let layout = x.layout();
    layout.shape().as_slice().iter().copied().zip(layout.strides().iter().copied())
}

/// Whether a tensor's elements are in order and without gaps, wherever they start.
#[inline]
pub(crate) fn row_major(x: &FlexTensor) -> bool {
    let mut expected = 1;
    axes_of(x).rev().all(|(length, stride)| {
        let fits = length == 1 || stride == expected;
        expected *= length as isize;
        fits
    })
}

/// Whether a tensor's elements are without gaps, in whatever order of the axes.
pub(crate) fn packed(x: &FlexTensor) -> bool {
    if row_major(x) {
        return true;
    }
    let mut expected = 1;
    for _ in axes_of(x).filter(|(length, _)| *length != 1) {
        match axes_of(x).find(|(length, stride)| *length != 1 && *stride == expected) {
            Some((length, _)) if length > 1 => expected *= length as isize,
            _ => return false,
        }
    }
    true
}

/// Whether a tensor is all of its buffer; only then may it be overwritten in place.
#[inline]
pub(crate) fn whole(x: &FlexTensor) -> bool {
    let layout = x.layout();
    layout.start_offset() == 0 && x.bytes().len() == layout.num_elements() * x.dtype().size()
}

/// The axes in their order in memory, the outermost first; those that are repeated are outermost.
pub(crate) fn storage_order(x: &FlexTensor) -> ([usize; MAX_RANK], usize) {
    let strides = x.layout().strides();
    let mut order = [0; MAX_RANK];
    let key = |axis: usize| match strides[axis] {
        0 => usize::MAX,
        stride => stride.unsigned_abs(),
    };
    for axis in 0..strides.len() {
        let mut at = axis;
        while at > 0 && key(order[at - 1]) < key(axis) {
            order[at] = order[at - 1];
            at -= 1;
        }
        order[at] = axis;
    }
    (order, strides.len())
}

/// The layout of a tensor of a shape whose elements are in order.
pub(crate) fn dense_layout(shape: &[usize]) -> Layout {
    let mut strides = vec![1; shape.len()];
    for axis in (1..shape.len()).rev() {
        strides[axis - 1] = strides[axis] * shape[axis] as isize;
    }
    Layout::new(shape_of(shape), strides, 0)
}
