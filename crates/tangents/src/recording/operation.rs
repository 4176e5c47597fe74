//! The operations of a linear program, and what becomes of several in a row.

use burn::tensor::backend::Backend;
use burn::tensor::ops::FloatTensor;
use burn::tensor::{Shape, TensorMetadata};

use crate::Elementwise;

/// A linear function of tensors that are stacked along a leading axis, for this many directions.
pub(super) type Apply<B> = Box<dyn Fn(Vec<FloatTensor<B>>, usize) -> FloatTensor<B> + Send + Sync>;

/// What a step does. Factors serve all directions: their leading axis is one long.
pub(super) enum Operation<B: Backend> {
    /// x c
    Scale(f64),
    /// x f
    Multiply(FloatTensor<B>),
    /// x + y
    Add,
    /// x f + y g
    SumOfProducts(FloatTensor<B>, FloatTensor<B>),
    /// Any other.
    Other {
        apply: Apply<B>,
        /// What it keeps of the values: which tensors, if the backend can tell, and their bytes.
        kept: Vec<(Option<usize>, usize)>,
    },
}

/// Which tensor is kept, if the backend can tell, and its bytes.
pub(super) fn kept<B: Elementwise>(x: &FloatTensor<B>) -> (Option<usize>, usize) {
    (B::identity(x), x.shape().num_elements() * x.dtype().size())
}

impl<B: Elementwise> Operation<B> {
    pub fn apply(&self, mut arguments: Vec<FloatTensor<B>>, count: usize) -> FloatTensor<B> {
        let mut last = || arguments.pop().expect("as many arguments as it takes");
        match self {
            Operation::Scale(c) => B::float_mul_scalar(last(), (*c).into()),
            Operation::Multiply(f) => B::float_mul(last(), f.clone()),
            Operation::Add => {
                let y = last();
                B::float_add(last(), y)
            }
            Operation::SumOfProducts(f, g) => {
                let y = last();
                B::sum_of_products(last(), f.clone(), g.clone(), y)
            }
            Operation::Other { apply, .. } => apply(arguments, count),
        }
    }

    pub fn kept(&self) -> Vec<(Option<usize>, usize)> {
        match self {
            Operation::Scale(_) | Operation::Add => Vec::new(),
            Operation::Multiply(f) => vec![kept::<B>(f)],
            Operation::SumOfProducts(f, g) => vec![kept::<B>(f), kept::<B>(g)],
            Operation::Other { kept, .. } => kept.clone(),
        }
    }
}

/// A tensor times a factor and a number, not yet multiplied.
#[derive(Clone)]
pub(super) struct Scaled<B: Backend> {
    /// Of the tensor.
    pub number: usize,
    pub factor: Option<FloatTensor<B>>,
    pub by: f64,
}

impl<B: Elementwise> Scaled<B> {
    /// The tensor as it is.
    pub fn plain(number: usize) -> Self {
        Self { number, factor: None, by: 1.0 }
    }

    /// It, times a number.
    pub fn scaled(self, by: f64) -> Self {
        Self { by: self.by * by, ..self }
    }

    /// It, times a factor; `None` where one factor for both would be larger than each of them.
    pub fn multiplied(&self, factor: &FloatTensor<B>) -> Option<Self> {
        let product = match &self.factor {
            None => factor.clone(),
            Some(own) => {
                let (l, r): (Shape, Shape) = (own.shape(), factor.shape());
                let both = l.broadcast(&r).expect("factors of one tensor");
                if both.num_elements() > l.num_elements().max(r.num_elements()) {
                    return None;
                }
                B::float_mul(own.clone(), factor.clone())
            }
        };
        Some(Self { number: self.number, factor: Some(product), by: self.by })
    }

    /// Factor and number as one.
    pub fn whole_factor(self) -> Option<FloatTensor<B>> {
        let factor = self.factor?;
        Some(if self.by == 1.0 { factor } else { B::float_mul_scalar(factor, self.by.into()) })
    }

    /// The operation that multiplies it.
    pub fn operation(self) -> Operation<B> {
        let by = self.by;
        self.whole_factor().map_or(Operation::Scale(by), Operation::Multiply)
    }
}
