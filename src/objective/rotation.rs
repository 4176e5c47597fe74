//! A rotation of space that costs no matrix: the product of two reflections.

use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use rand_distr::{Distribution, StandardNormal};

use crate::linalg::norm;
use crate::rng::{self, Stream};

/// The mirrors' normals, unit vectors drawn from `seed`, one after the other (2P numbers).
pub(super) fn normals(dimension: usize, seed: u64) -> Vec<f64> {
    let rng = &mut rng::stream(seed, Stream::Generation);
    let mut unit = || {
        let drawn: Vec<f64> = StandardNormal.sample_iter(&mut *rng).take(dimension).collect();
        let length = norm(&drawn);
        drawn.into_iter().map(move |x| x / length)
    };
    let first: Vec<f64> = unit().collect();
    first.into_iter().chain(unit()).collect()
}

/// Q x for x of shape `[P]`, Q = (1 - 2 b b')(1 - 2 a a') with the unit normals a and b in `normals`, `[2P]`.
pub(super) fn rotated<B: Backend>(x: Tensor<B, 1>, normals: &Tensor<B, 1>) -> Tensor<B, 1> {
    let dimension = x.shape().dims::<1>()[0];
    (0..2).fold(x, |x, mirror| {
        let normal = normals.clone().narrow(0, mirror * dimension, dimension);
        let along = (x.clone() * normal.clone()).sum();
        x - normal * (along * 2.0)
    })
}
