//! Writing a flat vector into a module as leaves of the autodiff graphs, and reading gradients out.

use std::vec::IntoIter;

use burn::backend::Autodiff;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};

/// Differentiates twice: the outer level yields the gradient, the inner one differentiates it.
pub(super) type Nested<B> = Autodiff<Autodiff<B>>;

/// Which levels record operations on the parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tracking {
    /// Neither: evaluation only.
    None,
    /// The outer one: the gradient.
    Outer,
    /// Both: the gradient and products with its derivative.
    Both,
}

/// `template` with its parameters replaced by `pieces`, one flat tensor for each, in visiting order.
pub(super) fn with_parameters<B: Backend, M: Module<Nested<B>>>(
    template: M,
    pieces: Vec<Tensor<B, 1>>,
    tracking: Tracking,
) -> M {
    template.map(&mut Loader { pieces: pieces.into_iter(), tracking })
}

struct Loader<B: Backend> {
    pieces: IntoIter<Tensor<B, 1>>,
    tracking: Tracking,
}

impl<B: Backend> ModuleMapper<Nested<B>> for Loader<B> {
    fn map_float<const D: usize>(
        &mut self,
        param: Param<Tensor<Nested<B>, D>>,
    ) -> Param<Tensor<Nested<B>, D>> {
        let shape = param.lazy_shape().dims::<D>();
        let Some(piece) = self.pieces.next() else {
            unreachable!("the pieces were cut by the layout of this very module");
        };
        let inner = Tensor::<Autodiff<B>, D>::from_inner(piece.reshape(shape))
            .set_require_grad(self.tracking == Tracking::Both);
        let outer = Tensor::<Nested<B>, D>::from_inner(inner)
            .set_require_grad(self.tracking != Tracking::None);
        Param::initialized(param.id, outer)
    }
}

/// The outer gradient as one flat vector, still recorded by the inner level.
pub(super) fn outer_gradient<B: Backend, M: Module<Nested<B>>>(
    model: &M,
    gradients: <Nested<B> as AutodiffBackend>::Gradients,
) -> Tensor<Autodiff<B>, 1> {
    struct Collector<B: Backend> {
        gradients: <Nested<B> as AutodiffBackend>::Gradients,
        pieces: Vec<Tensor<Autodiff<B>, 1>>,
    }

    impl<B: Backend> ModuleVisitor<Nested<B>> for Collector<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Nested<B>, D>>) {
            let leaf = param.val();
            let len = leaf.shape().num_elements();
            let gradient = leaf
                .grad_remove(&mut self.gradients)
                .unwrap_or_else(|| leaf.inner().set_require_grad(false).zeros_like());
            self.pieces.push(gradient.reshape([len]));
        }
    }

    let mut collector = Collector { gradients, pieces: Vec::new() };
    model.visit(&mut collector);
    Tensor::cat(collector.pieces, 0)
}

/// The inner gradient as one flat vector.
pub(super) fn inner_gradient<B: Backend, M: Module<Nested<B>>>(
    model: &M,
    gradients: <Autodiff<B> as AutodiffBackend>::Gradients,
) -> Tensor<B, 1> {
    struct Collector<B: Backend> {
        gradients: <Autodiff<B> as AutodiffBackend>::Gradients,
        pieces: Vec<Tensor<B, 1>>,
    }

    impl<B: Backend> ModuleVisitor<Nested<B>> for Collector<B> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Nested<B>, D>>) {
            let leaf = param.val().inner();
            let len = leaf.shape().num_elements();
            // A parameter that the gradient does not depend on has a zero row in the Hessian.
            let gradient =
                leaf.grad_remove(&mut self.gradients).unwrap_or_else(|| leaf.inner().zeros_like());
            self.pieces.push(gradient.reshape([len]));
        }
    }

    let mut collector = Collector { gradients, pieces: Vec::new() };
    model.visit(&mut collector);
    Tensor::cat(collector.pieces, 0)
}
