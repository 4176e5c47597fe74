//! Dual tensors and the rules that many operations share.

use std::sync::{Arc, OnceLock};

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{DType, Shape, TensorMetadata};

/// A value and its derivatives along k directions.
///
/// All tensors of a computation have the same k, but for constants, which have none.
#[derive(Debug, Clone)]
pub struct DualTensor<B: Backend> {
    pub(crate) primal: FloatTensor<B>,
    /// One for each direction, in the shape and type of the primal; empty for a constant.
    pub(crate) tangents: Vec<FloatTensor<B>>,
    memo: Memo<B>,
}

/// What was computed of a tensor, shared by its clones.
type Memo<B> = Arc<OnceLock<(Remembered, DualTensor<B>)>>;

/// Functions whose value a tape asks for again in its backward pass, of the tensor that it has kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Remembered {
    Exp,
    Tanh,
    Tan,
    Sigmoid,
    /// The standard normal distribution function.
    Normal,
    /// The derivative of gelu.
    GeluSlope,
}

/// The tangents of two operands.
pub(crate) enum Pair<T> {
    Neither,
    Left(Vec<T>),
    Right(Vec<T>),
    Both(Vec<(T, T)>),
}

impl<T> Pair<T> {
    /// # Panics
    /// If both have tangents, of different numbers.
    pub fn new(left: Vec<T>, right: Vec<T>) -> Self {
        match (left.is_empty(), right.is_empty()) {
            (true, true) => Pair::Neither,
            (false, true) => Pair::Left(left),
            (true, false) => Pair::Right(right),
            (false, false) => {
                assert_eq!(
                    left.len(),
                    right.len(),
                    "tangents: tensors with different numbers of tangents in one operation"
                );
                Pair::Both(left.into_iter().zip(right).collect())
            }
        }
    }
}

impl<B: Backend> TensorMetadata for DualTensor<B> {
    fn dtype(&self) -> DType {
        self.primal.dtype()
    }

    fn shape(&self) -> Shape {
        self.primal.shape()
    }

    fn rank(&self) -> usize {
        self.primal.rank()
    }
}

impl<B: Backend> DualTensor<B> {
    pub(crate) fn of(primal: FloatTensor<B>, tangents: Vec<FloatTensor<B>>) -> Self {
        Self { primal, tangents, memo: Memo::<B>::default() }
    }

    /// A tensor that depends on no direction.
    pub fn constant(primal: FloatTensor<B>) -> Self {
        Self::of(primal, Vec::new())
    }

    /// A value and its derivative along each direction.
    ///
    /// # Panics
    /// If a tangent differs from the primal in shape or type.
    pub fn new(primal: FloatTensor<B>, tangents: Vec<FloatTensor<B>>) -> Self {
        for tangent in &tangents {
            assert_eq!(tangent.shape(), primal.shape(), "tangents: a tangent of another shape");
            assert_eq!(tangent.dtype(), primal.dtype(), "tangents: a tangent of another type");
        }
        Self::of(primal, tangents)
    }

    /// The value, and its derivative along each direction; none for a constant.
    pub fn into_parts(self) -> (FloatTensor<B>, Vec<FloatTensor<B>>) {
        (self.primal, self.tangents)
    }

    /// Whether there are no tangents.
    pub fn is_constant(&self) -> bool {
        self.tangents.is_empty()
    }

    /// `function` of this tensor if it was computed of it or of a clone.
    pub(crate) fn recall(&self, function: Remembered) -> Option<Self> {
        let (computed, value) = self.memo.get()?;
        (*computed == function).then(|| value.clone())
    }

    /// Whether there are clones, which might be asked for what was computed of this one.
    pub(crate) fn is_shared(&self) -> bool {
        Arc::strong_count(&self.memo) > 1
    }

    /// `compute(self)`, kept for the clones of this tensor. One function is kept: the first.
    pub(crate) fn once(self, function: Remembered, compute: impl FnOnce(Self) -> Self) -> Self {
        if let Some(value) = self.recall(function) {
            return value;
        }
        let memo = self.is_shared().then(|| self.memo.clone());
        let value = compute(self);
        if let Some(memo) = memo {
            // Refused if there is one already.
            let _ = memo.set((function, value.clone()));
        }
        value
    }

    /// A linear function.
    pub(crate) fn linear(self, f: impl Fn(FloatTensor<B>) -> FloatTensor<B>) -> Self {
        let tangents = self.tangents.into_iter().map(&f).collect();
        Self::of(f(self.primal), tangents)
    }

    /// A function whose derivative is linear in the tangent and independent of the value.
    pub(crate) fn affine(
        self,
        f: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
        derivative: impl Fn(FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        Self::of(f(self.primal), self.tangents.into_iter().map(derivative).collect())
    }

    /// An elementwise function; `slope` is its derivative given its argument.
    pub(crate) fn unary(
        self,
        f: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
        slope: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        if self.is_constant() {
            return Self::constant(f(self.primal));
        }
        let slope = slope(self.primal.clone());
        Self::of(f(self.primal), scale::<B>(self.tangents, slope))
    }

    /// An elementwise function; `slope` is its derivative given its value.
    pub(crate) fn unary_by_value(
        self,
        f: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
        slope: impl FnOnce(FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        let primal = f(self.primal);
        let tangents = match self.tangents.is_empty() {
            true => Vec::new(),
            false => scale::<B>(self.tangents, slope(primal.clone())),
        };
        Self::of(primal, tangents)
    }

    /// A function linear in each of two operands.
    pub(crate) fn bilinear(
        self,
        right: Self,
        f: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        let (l, r) = (self.primal, right.primal);
        let tangents = match Pair::new(self.tangents, right.tangents) {
            Pair::Neither => Vec::new(),
            Pair::Left(left) => left.into_iter().map(|dl| f(dl, r.clone())).collect(),
            Pair::Right(right) => right.into_iter().map(|dr| f(l.clone(), dr)).collect(),
            Pair::Both(both) => both
                .into_iter()
                .map(|(dl, dr)| B::float_add(f(dl, r.clone()), f(l.clone(), dr)))
                .collect(),
        };
        Self::of(f(l, r), tangents)
    }

    /// A function linear in two operands together. Zeros stand for the tangents of a constant.
    pub(crate) fn jointly_linear(
        self,
        right: Self,
        f: impl Fn(FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
    ) -> Self {
        let (l, r) = (self.primal, right.primal);
        let tangents = match Pair::new(self.tangents, right.tangents) {
            Pair::Neither => Vec::new(),
            Pair::Left(left) => {
                let zeros = zeros_like::<B>(&r);
                left.into_iter().map(|dl| f(dl, zeros.clone())).collect()
            }
            Pair::Right(right) => {
                let zeros = zeros_like::<B>(&l);
                right.into_iter().map(|dr| f(zeros.clone(), dr)).collect()
            }
            Pair::Both(both) => both.into_iter().map(|(dl, dr)| f(dl, dr)).collect(),
        };
        Self::of(f(l, r), tangents)
    }
}

/// Each tangent times `factor`.
pub(crate) fn scale<B: Backend>(
    tangents: Vec<FloatTensor<B>>,
    factor: FloatTensor<B>,
) -> Vec<FloatTensor<B>> {
    tangents.into_iter().map(|tangent| B::float_mul(tangent, factor.clone())).collect()
}

/// Each tangent over `divisor`.
pub(crate) fn divide<B: Backend>(
    tangents: Vec<FloatTensor<B>>,
    divisor: FloatTensor<B>,
) -> Vec<FloatTensor<B>> {
    tangents.into_iter().map(|tangent| B::float_div(tangent, divisor.clone())).collect()
}

/// Each tangent repeated along the axes where `shape` is longer.
pub(crate) fn broadcast<B: Backend>(
    tangents: Vec<FloatTensor<B>>,
    shape: &Shape,
) -> Vec<FloatTensor<B>> {
    let one = |tangent: FloatTensor<B>| match tangent.shape() == *shape {
        true => tangent,
        false => B::float_expand(tangent, shape.clone()),
    };
    tangents.into_iter().map(one).collect()
}

/// Zeros in the shape and type of `tensor`.
pub(crate) fn zeros_like<B: Backend>(tensor: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_zeros(tensor.shape(), &B::float_device(tensor), tensor.dtype().into())
}

/// Ones in the shape and type of `tensor`.
pub(crate) fn ones_like<B: Backend>(tensor: &FloatTensor<B>) -> FloatTensor<B> {
    B::float_ones(tensor.shape(), &B::float_device(tensor), tensor.dtype().into())
}
